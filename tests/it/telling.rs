//! Telling people: a real gate, real receivers, a real mail server; restarts, and what people type.

use crate::support::certs::Authority;
use crate::support::command;
use crate::support::gate::{Gate, POLICY, Setup};
use crate::support::hook::Hook;
use crate::support::slapd::{Slapd, person};
use crate::support::{PATIENCE, eventually};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use tempfile::TempDir;

const SECRET: &str = "a key of the test's";

fn setup() -> Setup {
    Setup::default().file("hook-secret", &format!("{SECRET}\n")).file("mail-password", "post\n")
}

/// What the gate still has to tell, or has given up.
fn queue(gate: &Gate, which: &[&str]) -> Vec<Value> {
    let listed = gate.json("root-admin", &[&["notifications"], which].concat());
    listed.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn what_happens_is_posted_and_verified_as_documented() {
    let slapd = Slapd::start();
    let (all, some) = (Hook::new(), Hook::new());
    let tables = all.table("all", "") + &some.table("some", "events = [\"approved\"]");
    let gate = setup().and(&tables).start(&slapd);
    let grant = {
        let request = gate.request("alice", "payroll-reader", &["--ticket", "<b>&\u{202e}"]);
        let post = all.next();
        let json = post.json();
        assert_eq!((&json["event"], text(&json["request"]["id"])), (&Value::from("waits"), &*request));
        assert_eq!(json["request"]["scope"][0]["base"], "ou=payroll,dc=example,dc=com");
        assert_eq!(text(&json["request"]["requested_by"]), person("alice"));
        assert_eq!(json["request"]["ticket"], "<b>&\u{202e}");
        assert!(
            post.body.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !post.body.contains('<'),
            "{}",
            post.body
        );
        assert_eq!(text(&json["id"]), post.header("tidegate-delivery"));
        assert!(is_genuine(SECRET, post.header("tidegate-signature"), &post.body, 0));
        assert!(!is_genuine("another key", post.header("tidegate-signature"), &post.body, 0));
        assert!(!is_genuine(SECRET, post.header("tidegate-signature"), &post.body.replace("alice", "aliee"), 0));
        assert!(!is_genuine(SECRET, post.header("tidegate-signature"), &post.body, 3_600), "an old one, sent again");
        gate.cli("bob", &["approve", &request]).expect(0);
        let json = all.next().json();
        assert_eq!((&json["event"], &json["grant"]["state"]), (&Value::from("approved"), &Value::from("active")));
        assert_eq!(some.next().json()["event"], "approved");
        text(&json["grant"]["id"]).to_owned()
    };
    gate.cli("bob", &["revoke", &grant, "--reason", "over"]).expect(0);
    let json = all.next().json();
    assert_eq!((&json["event"], &json["grant"]["reason"]), (&Value::from("revoked"), &Value::from("over")));
    eventually("all is told", || queue(&gate, &[]).is_empty().then_some(()));
    assert!(some.is_quiet() && all.is_quiet());
}

/// Runs the verification that docs/operations.md shows, and asks openssl besides.
fn is_genuine(secret: &str, header: &str, body: &str, later: i64) -> bool {
    let page = crate::support::page::read("docs/operations.md");
    let section = page.split("\n## ").find(|text| text.starts_with("Telling people")).expect("the section");
    let code = section.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the code");
    let program = format!(
        "{code}\nimport sys, time\nsecret, header, body, later = sys.argv[1:]\nprint(is_genuine(secret.encode(), header, body.encode(), time.time() + int(later)))\n"
    );
    let ran =
        command::run(Command::new("/usr/bin/python3").args(["-c", &program, secret, header, body, &later.to_string()]));
    let genuine = ran.expect(0).stdout.trim() == "True";
    let (time, signature) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("two parts");
    let signed = command::feed(
        Command::new("openssl").args(["dgst", "-sha256", "-hmac", secret]),
        format!("{time}.{body}").as_bytes(),
    );
    assert_eq!(signed.expect(0).stdout.trim().ends_with(signature), genuine || later > 0);
    genuine
}

#[test]
fn a_gate_that_is_killed_tells_it_when_it_is_back() {
    let slapd = Slapd::start();
    let hook = Hook::away();
    let mut gate = setup().and(&hook.table("chat", "")).start(&slapd);
    let request = gate.request("alice", "payroll-reader", &[]);
    let tried = eventually("one try", || queue(&gate, &[]).into_iter().find(|one| one["attempts"] != 0));
    assert_eq!((text(&tried["about"]), text(&tried["receiver"])), (&*request, "webhook chat"));
    assert!(text(&tried["error"]).contains("refused"), "{tried}");
    gate.stop("KILL");
    hook.listen();
    gate.launch();
    let post = hook.next();
    assert_eq!(post.header("tidegate-delivery"), text(&tried["id"]));
    eventually("it is told", || queue(&gate, &[]).is_empty().then_some(()));
    assert!(hook.is_quiet());
}

#[test]
fn who_may_see_and_retry_what_was_given_up() {
    let slapd = Slapd::start();
    let gate = setup().and("\n[notify.mail]\nserver = \"smtp://127.0.0.1:1\"\nallow_plaintext = true\nfrom = \"gate@example.com\"\naddress_attribute = \"sn\"\nevents = [\"waits\"]\n").start(&slapd);
    gate.request("alice", "payroll-reader", &[]);
    let dead = eventually("two dead letters", || Some(queue(&gate, &["--dead"])).filter(|dead| dead.len() == 2));
    let mut receivers: Vec<&str> = dead.iter().map(|one| text(&one["receiver"])).collect();
    receivers.sort_unstable();
    assert_eq!(receivers, [format!("mail {}", person("bob")), format!("mail {}", person("frank"))]);
    assert!(text(&dead[0]["error"]).contains("sn of their entry is no address"), "{dead:?}");
    let id = text(&dead[0]["id"]);
    let shown = gate.cli("erin", &["notifications", "--dead"]).expect(0).stdout;
    assert!(shown.contains(id) && shown.contains("waits"), "{shown}");
    for who in ["alice", "bob"] {
        gate.cli(who, &["notifications"]).expect(1);
    }
    gate.cli("erin", &["notifications", "retry", id]).expect(1);
    gate.cli("root-admin", &["notifications", "retry", id]).expect(0);
    gate.audit.wait_for("the retry", |record| {
        record["event"] == "notification retried"
            && record["notification"] == id
            && text(&record["acting_as"]) == person("root-admin")
    });
    gate.audit.wait_for("the dead letter", |record| {
        record["event"] == "notification dead" && record["notification"] == id && record["notice"] == "waits"
    });
}

#[test]
fn a_reload_changes_who_is_told() {
    let slapd = Slapd::start();
    let hook = Hook::new();
    let gate = setup().start(&slapd);
    gate.request("alice", "payroll-reader", &[]);
    let was = std::fs::read_to_string(&gate.configuration).unwrap();
    std::fs::write(&gate.configuration, was + &hook.table("chat", "")).unwrap();
    gate.cli("root-admin", &["reload"]).expect(0);
    let request = gate.request("alice", "payroll-editor", &[]);
    assert_eq!(text(&hook.next().json()["request"]["id"]), request);
    assert!(hook.is_quiet() && queue(&gate, &["--dead"]).is_empty());
}

/// A mail server.
struct Smtpd {
    process: Child,
    port: u16,
    said: mpsc::Receiver<Value>,
    authority: Authority,
    _folder: TempDir,
}

impl Drop for Smtpd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Smtpd {
    fn start(mode: &str, password: &str) -> Smtpd {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let (certificate, key) = authority.server("mail");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/smtpd.py");
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-W", "ignore", script, mode]).arg(certificate).arg(key).args(["gate", password]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = process.stdout.take().unwrap();
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = say.send(serde_json::from_str::<Value>(&line).unwrap());
            }
        });
        let mut server = Smtpd { process, port: 0, said, authority, _folder: folder };
        server.port = server.next()["port"].as_u64().and_then(|port| port.try_into().ok()).unwrap();
        server
    }

    #[track_caller]
    fn next(&self) -> Value {
        self.said.recv_timeout(PATIENCE).expect("the mail server has heard nothing (python3-aiosmtpd is needed)")
    }

    /// The next mail; logging in comes first where there is something to log in with.
    #[track_caller]
    fn mail(&self) -> Value {
        loop {
            let said = self.next();
            if said["sender"].is_string() {
                return said;
            }
            assert_eq!((&said["login"], &said["tls"]), (&Value::from(true), &Value::from(true)), "{said}");
        }
    }

    fn table(&self, scheme: &str, more: &str) -> String {
        format!(
            "\n[notify.mail]\nserver = \"{scheme}://localhost:{}\"\nfrom = \"gate@example.com\"\nca = {:?}\n{more}\n",
            self.port, self.authority.ca
        )
    }
}

const LOGIN: &str = "user = \"gate\"\npassword_file = \"mail-password\"";

#[test]
fn those_who_can_decide_get_mail_in_which_nothing_that_people_typed_is_anything_else() {
    let slapd = Slapd::start();
    let server = Smtpd::start("starttls", "post");
    let policy = POLICY.replace(
        "max_duration = \"4h\"",
        "max_duration = \"4h\"\nbreak_glass = [\"dn:uid=dave,ou=people,dc=example,dc=com\"]",
    );
    let gate = setup().policy(&policy).and(&server.table("smtp", LOGIN)).start(&slapd);
    let reason =
        "payslips\r\nBcc: eve@example.com\n\n.\nApprove: tidegate approve req-0\n<b>\u{202e}".replace('\r', "");
    let asked =
        gate.json("alice", &["request", "payroll-reader", "--reason", &reason, "--ticket", "HR-1\nSubject: hello"]);
    let request = text(&asked["id"]);
    let mail = server.mail();
    assert_eq!(
        (text(&mail["sender"]), &mail["recipients"]),
        ("gate@example.com", &serde_json::json!(["bob@example.com"]))
    );
    assert_eq!((&mail["tls"], &mail["defects"]), (&Value::from(true), &serde_json::json!([])), "{mail:#}");
    let headers: Vec<(&str, &str)> =
        mail["headers"].as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "Date",
            "From",
            "To",
            "Subject",
            "Message-ID",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding"
        ]
    );
    let subject = format!("[tidegate] {request} for payroll-reader waits for your decision");
    assert_eq!(headers[3].1, subject);
    let body = text(&mail["text"]);
    for line in [
        "  search, compare in payroll, subtree ou=payroll,dc=example,dc=com",
        &format!("Approve:     tidegate approve {request}"),
        "  > payslips",
        "  > Bcc: eve@example.com",
        "  > .",
        "  > Approve: tidegate approve req-0",
        "  > <b>\\u{202e}",
        "  > Subject: hello",
    ] {
        assert!(body.lines().any(|found| found == line), "{line:?} in\n{body}");
    }
    // Frank's mailbox is not there: that is final, and said as it can be shown.
    let dead = eventually("a dead letter", || queue(&gate, &["--dead"]).pop());
    assert_eq!(text(&dead["receiver"]), format!("mail {}", person("frank")));
    assert!(text(&dead["error"]).contains("RCPT: the server answered 550 5.1.1 no such person\\u{1b}[2J"), "{dead}");
    // Alice hears of it once it is decided, and of nothing before.
    gate.cli("bob", &["deny", request, "--reason", "no"]).expect(0);
    let mail = server.mail();
    assert_eq!(mail["recipients"], serde_json::json!(["alice@example.com"]));
    assert!(
        text(&mail["text"]).contains("was denied") && text(&mail["text"]).lines().any(|line| line == "  > no"),
        "{mail:#}"
    );
    // Broken glass: approvers, auditors, administrators, and in whose name it was done.
    gate.json("dave", &["request", "payroll-reader", "--break-glass", "--reason", "down"]);
    let mut told: Vec<String> = (0..4).map(|_| text(&server.mail()["recipients"][0]).to_owned()).collect();
    told.sort();
    assert_eq!(told, ["bob@example.com", "dave@example.com", "erin@example.com", "root-admin@example.com"]);
}

#[test]
fn mail_goes_over_tls_or_not_at_all() {
    let slapd = Slapd::start();
    let (secure, clear) = (Smtpd::start("tls", ""), Smtpd::start("plain", ""));
    let gate = setup().and(&secure.table("smtps", "")).start(&slapd);
    let configured = |table: &str| {
        let was = std::fs::read_to_string(&gate.configuration).unwrap();
        let was = was.split("\n[notify.mail]").next().unwrap().to_owned();
        std::fs::write(&gate.configuration, was + table).unwrap();
        gate.cli("root-admin", &["reload"]).expect(0);
    };
    gate.request("alice", "payroll-reader", &[]);
    assert_eq!(secure.mail()["recipients"], serde_json::json!(["bob@example.com"]));
    // It offers no STARTTLS; it shows another authority's certificate; it offers no login.
    let other =
        secure.table("smtps", "").replace(secure.authority.ca.to_str().unwrap(), clear.authority.ca.to_str().unwrap());
    for (table, expected) in [
        (clear.table("smtp", ""), "does not offer STARTTLS"),
        (other, "certificate"),
        (secure.table("smtps", LOGIN), "does not offer AUTH PLAIN"),
    ] {
        configured(&table);
        let request = gate.request("alice", "payroll-editor", &[]);
        let tried = |one: &Value| one["about"] == *request && one["error"].is_string();
        let one = eventually(expected, || queue(&gate, &[]).into_iter().find(tried));
        assert!(text(&one["error"]).contains(expected), "{one}");
        gate.cli("alice", &["cancel", &request]).expect(0);
        assert!(clear.said.try_recv().is_err() && secure.said.try_recv().is_err());
    }
    configured(&clear.table("smtp", "allow_plaintext = true"));
    gate.request("alice", "payroll-editor", &[]);
    assert_eq!(clear.mail()["tls"], false);
}
