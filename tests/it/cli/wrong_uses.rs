//! What is said to somebody who does it wrong, word for word: why not, and what would help.

use crate::support::command::{feed, run, tidegate};
use crate::support::gate::Setup;
use crate::support::slapd::{Slapd, password, person};
use std::os::unix::fs::PermissionsExt as _;

const ROLES: &str = r#"
[[role]]
name = "guarded"
allow = [{ resource = "payroll", operations = ["search"], attributes = ["cn"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
second_factor = ["requester"]

[[role]]
name = "ticketed"
allow = [{ resource = "payroll", operations = ["search"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
approvals = 2
max_duration = "4h"
ticket_pattern = "^HR-[0-9]+$"
"#;

/// Who, what, and what is said; ids stand for those of this run.
#[test]
fn the_gate_says_why_not_and_the_command_line_what_helps() {
    let slapd = Slapd::start();
    let gate = Setup::default().and(ROLES).start(&slapd);
    let pending = gate.request("alice", "payroll-reader", &[]);
    let half = gate.request("alice", "ticketed", &["--ticket", "HR-1"]);
    gate.cli("bob", &["approve", &half]).expect(0);
    let grant = gate.granted("alice", "payroll-editor", &[]);
    let granted = gate.json("alice", &["show", &grant])["request"].as_str().unwrap().to_owned();
    let denied = gate.request("alice", "payroll-reader", &[]);
    gate.cli("bob", &["deny", &denied, "--reason", "no"]).expect(0);
    let fill = |text: &str| {
        let ids =
            [("PENDING", &pending), ("HALF", &half), ("DENIED", &denied), ("GRANTED", &granted), ("GRANT", &grant)];
        let text = ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id));
        text.replace("ALICE", &person("alice")).replace("BOB", &person("bob"))
    };
    const SEEN: &str = "hint: tidegate requests --all and tidegate grants --all list those that you may see\n";
    const ROLE: &str = "hint: tidegate roles says what each role opens, and for how long\n";
    const MINE: &str = "hint: tidegate roles lists those that you may request, and for whom\n";
    const WHO: &str = "hint: tidegate me says who you are to the gate\n";
    const ASK: &str = "request|payroll-reader|--reason|x";
    let cases = [
        (
            "alice",
            "request|payroll-readr|--reason|x",
            "there is no role \"payroll-readr\"",
            "hint: did you mean payroll-reader?\n",
        ),
        ("alice", "request|everything|--reason|x", "there is no role \"everything\"", MINE),
        ("carol", ASK, "you may not request the role payroll-reader", MINE),
        ("alice", "request|payroll-reader", "a reason is needed", "hint: say why with --reason TEXT\n"),
        ("alice", "request|payroll-reader|--reason|x|--for|5h", "the role allows at most 4h", ROLE),
        ("alice", "request|payroll-reader|--reason|x|--for|0s", "the duration must be longer than nothing", ROLE),
        (
            "alice",
            "request|payroll-reader|--reason|x|--start|2020-01-01 08:00",
            "the start lies in the past",
            "hint: write it like --start 14:00, --start 'tomorrow 09:00' or --start 2026-03-31T08:00:00Z\n",
        ),
        (
            "alice",
            "request|payroll-reader|--reason|x|--base|ou=people,dc=example,dc=com",
            "ou=people,dc=example,dc=com is not at or below anything that the role opens",
            ROLE,
        ),
        ("alice", "request|payroll-reader|--reason|x|--operations|delete", "the role does not open delete", ROLE),
        (
            "alice",
            "request|guarded|--reason|x|--attributes|sn",
            "the role guarded demands a second factor: give the code that your authenticator shows",
            "hint: show it with --code CODE; tidegate totp enrols one\n",
        ),
        (
            "alice",
            "request|payroll-reader|--reason|x|--subject|BOB",
            "the role payroll-reader may not be requested for BOB",
            MINE,
        ),
        (
            "alice",
            "request|ticketed|--reason|x|--ticket|IT-1",
            "a ticket that matches ^HR-[0-9]+$ is needed",
            "hint: name it with --ticket TICKET\n",
        ),
        (
            "alice",
            "request|payroll-reader|--reason|x|--break-glass",
            "you may not break the glass for the role payroll-reader",
            WHO,
        ),
        (
            "alice",
            "deny|PENDING|--reason|x",
            "nobody reviews their own request",
            "hint: see who can act on it, and how it stands, with tidegate show PENDING\n",
        ),
        (
            "bob",
            "approve|HALF",
            "you have approved it already: 2 different people are needed",
            "hint: see who can act on it, and how it stands, with tidegate show HALF\n",
        ),
        (
            "bob",
            "deny|DENIED|--reason|again",
            "the request is denied already",
            "hint: see who can act on it, and how it stands, with tidegate show DENIED\n",
        ),
        ("bob", "deny|PENDING|--reason|", "a reason is needed", "hint: say why with --reason TEXT\n"),
        ("carol", "approve|PENDING", "there is no \"PENDING\"", SEEN),
        ("carol", "cancel|PENDING", "there is no \"PENDING\"", SEEN),
        ("bob", "cancel|PENDING", "only who asked can cancel a request", ""),
        ("alice", "show|req-none", "there is no \"req-none\"", SEEN),
        ("alice", "show|grant-none", "there is no \"grant-none\"", SEEN),
        ("alice", "release|PENDING", "PENDING has no grant: it is pending", ""),
        (
            "bob",
            "release|GRANT",
            "only its holder, or who asked for it, can release a grant",
            "hint: who may end somebody else's does so with tidegate revoke GRANT --reason TEXT\n",
        ),
        (
            "alice",
            "revoke|GRANTED|--reason|x",
            "it is your own grant: release it",
            "hint: your own you give back with tidegate release GRANT\n",
        ),
        ("alice", "extend|GRANT|--for|5h|--reason|x", "the role allows at most 4h", ROLE),
        ("alice", "lock|BOB|--reason|x", "only an administrator may do that", WHO),
        ("root-admin", "unlock|BOB", "BOB is not locked", ""),
        ("alice", "kill|1-1", "only an administrator may do that", WHO),
        ("root-admin", "kill|1-1", "there is no \"1-1\"", "hint: tidegate sessions lists those that you may see\n"),
        ("alice", "reload", "only an administrator may do that", WHO),
        ("erin", "sign-off|GRANT", "only a break-glass grant is signed off", ""),
        ("alice", "totp", "this is for those who logged in: `tidegate login`, or POST /v1/login", ""),
    ];
    for (who, line, why, hint) in cases {
        let line = fill(line);
        let arguments: Vec<&str> = line.split('|').collect();
        let ran = gate.cli(who, &arguments);
        let expected = fill(&format!("tidegate: {why}\n{hint}"));
        assert_eq!((ran.code, ran.stderr), (1, expected), "{who}: {line}");
    }
}

/// Ways to miss the gate.
#[test]
fn who_does_not_reach_the_gate_is_told_where_it_is() {
    let slapd = Slapd::start();
    let gate = Setup::default().https().start(&slapd);
    let home = tempfile::tempdir().unwrap();
    let port = format!("https://127.0.0.1:{}", gate.https);
    let ldaps = format!("https://127.0.0.1:{}", gate.ldaps);
    let ldap = format!("https://127.0.0.1:{}", gate.ldap);
    let ca = gate.authority.ca.to_str().unwrap();
    let word = |what| format!("{what}: is that the control port ([control] listen), and not the LDAP port?");
    let exposed = home.path().join("password");
    std::fs::write(&exposed, password("alice")).unwrap();
    std::fs::set_permissions(&exposed, std::fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = exposed.to_str().unwrap();
    let nowhere = home.path().join("nowhere").to_str().unwrap().to_owned();
    let unsigned = tempfile::tempdir().unwrap();
    let other = crate::support::certs::Authority::new(unsigned.path());
    for (arguments, code, expected) in [
        (
            vec!["roles", "--control", &nowhere],
            4,
            format!("nothing listens on {nowhere}: is `tidegate serve` running? Name the socket with --control SOCKET or --config FILE"),
        ),
        (
            vec!["roles", "--control", "https://127.0.0.1:1"],
            4,
            "nothing listens on https://127.0.0.1:1: is `tidegate serve` running? Name the gate with --control https://HOST:PORT".to_owned(),
        ),
        (vec!["roles", "--control", &ldaps, "--ca", ca], 1, format!("{ldaps} does not speak {}", word("HTTP"))),
        (vec!["roles", "--control", &ldap, "--ca", ca], 1, format!("{ldap} does not speak {}", word("TLS"))),
        (
            vec!["roles", "--control", &port, "--ca", other.ca.to_str().unwrap()],
            1,
            format!("{port} shows a certificate that was signed by nobody that you trust: name who signed it with --ca FILE"),
        ),
        (
            vec!["roles", "--control", &port, "--ca", ca],
            1,
            format!("log in first (POST /v1/login)\nhint: log in with tidegate login {port}"),
        ),
        (
            vec!["roles", "--control", &port, "--ca", &nowhere],
            1,
            format!("certificates: {nowhere}: I/O error: No such file or directory (os error 2)"),
        ),
        (
            vec!["login", &port, "--ca", ca, "--name", "alice"],
            1,
            "no password: type it, pipe it in, or name a file with --password-file FILE: \
             there is nobody to ask, and nothing on standard input"
                .to_owned(),
        ),
        (
            vec!["login", &port, "--ca", ca, "--name", "alice", "--password-file", &nowhere],
            1,
            format!("{nowhere}: No such file or directory (os error 2)"),
        ),
        (
            vec!["login", &port, "--ca", ca, "--name", "alice", "--password-file", exposed],
            1,
            format!("{exposed} can be read by others: chmod 600 {exposed}"),
        ),
        (
            vec!["login", "--control", &nowhere],
            2,
            "name the gate by its URL; at its control socket you are who you are on this machine".to_owned(),
        ),
        (
            vec!["login", "http://gate.example.com"],
            2,
            "http://gate.example.com: only https:// URLs are taken; write it like https://gate.example.com:8443".to_owned(),
        ),
        (vec!["show", "7", "--control", &nowhere], 2, "\"7\" is neither a request (req-…) nor a grant (grant-…)".to_owned()),
        (
            vec!["show", "grant-7", "--wait", "--control", &nowhere],
            2,
            "a grant is decided already: --wait is for requests (req-…)".to_owned(),
        ),
    ] {
        let ran = run(tidegate(&arguments).env("XDG_STATE_HOME", home.path()).env("USER", "alice"));
        assert_eq!((ran.code, ran.stderr), (code, format!("tidegate: {expected}\n")), "{arguments:?}");
    }
    let wrong =
        feed(tidegate(["login", &port, "--ca", ca, "--name", "alice"]).env("XDG_STATE_HOME", home.path()), b"wrong\n");
    let said = "tidegate: the name, the password or the code is wrong\n\
                hint: say who you are with --name NAME; the password is that of the directory\n";
    assert_eq!((wrong.code, wrong.stderr.as_str()), (1, said));
}
