#!/usr/bin/env python3
"""Starts a gate for a comparison with other proxies: 50 resources, 10,000 active grants, recording on.

    gate.py --tidegate target/release/tidegate --certificate C --private-key K --directory ldap://127.0.0.1:33890 \
            --folder DIR [--ldaps 127.0.0.1:4636] [--threads 1] [--grants 10000]

The directory is one with users uid=userNNNNN,ou=people,dc=example,dc=com. Requests and approvals are made over
the control socket, as people would. Prints the process id once everything is loaded; the gate goes on running.
"""
import argparse, concurrent.futures, http.client, json, os, socket, subprocess, threading

USER = "uid=user%05d,ou=people,dc=example,dc=com"


class Control(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def call(self, who, method, path, body=None):
        headers = {"Tidegate-As": who, "Content-Type": "application/json"}
        self.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text)


def configuration(a):
    lines = ["[listen]", f'ldaps = "{a.ldaps}"', "[tls]", f'certificate = "{a.certificate}"',
             f'private_key = "{a.private_key}"', "[directory]", f'urls = ["{a.directory}"]']
    if a.ca:
        lines.append(f'ca = "{a.ca}"')
    for n in range(50):
        lines += ["[[resource]]", f'name = "r{n}"', f'base = "ou=r{n},ou=restricted,dc=example,dc=com"']
    lines += ["[[role]]", 'name = "reader"', 'description = "load"', 'eligible = ["anyone"]', 'approvers = ["anyone"]',
              'allow = [{ resource = "r7", operations = ["search"] }]', 'max_duration = "8h"', 'default_duration = "8h"',
              "[control]", 'socket = "control.sock"', f'act_as = ["local:{os.popen("id -un").read().strip()}"]',
              "[store]", 'path = "store"', "[audit]", 'path = "audit"', "[runtime]", f"threads = {a.threads}"]
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser()
    for name in ["tidegate", "certificate", "private-key", "directory", "folder"]:
        p.add_argument("--" + name, required=True)
    p.add_argument("--ca")
    p.add_argument("--ldaps", default="127.0.0.1:4636")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--grants", type=int, default=10000)
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    file = os.path.join(a.folder, "tidegate.toml")
    with open(file, "w") as f:
        f.write(configuration(a))
    log = open(os.path.join(a.folder, "log"), "w")
    gate = subprocess.Popen([a.tidegate, "serve", "--config", file], stdout=subprocess.PIPE, stderr=log,
                            start_new_session=True)
    if not gate.stdout.readline().startswith(b"tidegate: ready"):
        raise SystemExit("the gate did not start: see " + log.name)
    local = threading.local()

    def one(n):
        if not hasattr(local, "control"):
            local.control = Control(os.path.join(a.folder, "control.sock"))
        who = USER % n
        asked = local.control.call(who, "POST", "/v1/requests", {"role": "reader", "reason": "load"})
        word = {"decision": "approve", "scope_digest": asked["scope_digest"], "revision": asked["revision"]}
        local.control.call("cn=admin,dc=example,dc=com", "POST", f"/v1/requests/{asked['id']}/reviews", word)

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(one, range(a.grants)))
    print(gate.pid)


main()
