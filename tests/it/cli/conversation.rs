//! Conversations with a gate whose answers are prepared.

use super::canned::{Call, Canned};
use crate::support::command::{Ran, run, tidegate};
use serde_json::{Value, json};

fn ask(gate: &Canned, line: &str) -> Ran {
    run(tidegate(line.split(' ')).arg("--control").arg(gate.socket()))
}

fn calls(gate: &Canned) -> Vec<String> {
    gate.calls().into_iter().map(|call| call.what).collect()
}

/// A request as the API shows it. Its reason is an attack on the terminal.
fn request(state: &str) -> Value {
    json!({
        "id": "req-1", "state": state, "revision": 3, "scope_digest": "ab12",
        "requested_by": "uid=alice,dc=x", "subject": "uid=alice,dc=x", "role": "payroll-editor",
        "reason": "read it\u{1b}[2J\u{202e}now\u{9b}31m", "ticket": "HR-1",
        "scope": [{
            "resource": "payroll", "base": "ou=payroll,dc=x", "scope": "subtree",
            "operations": ["search", "modify"], "permanent": ["modify can change member"],
        }],
        "duration": "1h", "created": "2026-03-31T08:00:00Z", "lapses": "2026-03-31T16:00:00Z",
        "approvals": 2, "reviews": [], "waiting_for": ["group:cn=hr-leads,dc=x"], "may_review": true,
        "permanent": true, "history": [], "a_later_version_says": "more",
        "grant": if state == "approved" { json!("grant-1") } else { Value::Null },
    })
}

fn grant(id: &str, state: &str) -> Value {
    json!({
        "id": id, "request": "req-1", "subject": "uid=alice,dc=x", "requested_by": "uid=alice,dc=x",
        "role": "payroll-editor", "state": state, "revision": 1, "from": "2026-03-31T08:00:00Z",
        "until": "2026-03-31T09:00:00Z", "scope": [], "permanent": false, "history": [],
    })
}

fn problem(status: u16, word: &str, detail: &str) -> Value {
    json!({ "type": format!("urn:tidegate:problem:{word}"), "title": "No", "status": status, "detail": detail })
}

#[test]
fn what_others_typed_does_not_reach_the_terminal_as_it_is() {
    let gate = Canned::start([("GET /v1/requests/req-1", 200, request("pending"))]);
    let table = ask(&gate, "show req-1").expect(0);
    assert!(table.stdout.contains("read it\\u{1b}[2J\\u{202e}now\\u{9b}31m"), "{table:#?}");
    assert!(table.stdout.contains("ou=payroll,dc=x and all below"), "{table:#?}");
    assert!(table.stdout.contains("modify can change member"), "{table:#?}");

    let json = ask(&gate, "show req-1 --output json").expect(0);
    assert_eq!(json.json(), request("pending"));
    assert!(!json.stdout.contains(['\u{1b}', '\u{9b}']), "{json:#?}");
}

#[test]
fn an_approval_names_what_was_shown() {
    let mut approved = request("pending");
    approved["revision"] = json!(4);
    let answers = || {
        [
            ("GET /v1/requests/req-1", 200, request("pending")),
            ("POST /v1/requests/req-1/reviews", 200, approved.clone()),
        ]
    };
    let gate = Canned::start(answers());
    let ran = ask(&gate, "approve req-1 --reason agreed --as uid=bob,dc=x").expect(0);
    assert!(ran.stdout.contains("ou=payroll,dc=x and all below") && ran.stdout.contains("! Part of this"), "{ran:#?}");
    let acting_as = Some("uid=bob,dc=x".to_owned());
    let body = json!({ "decision": "approve", "reason": "agreed", "scope_digest": "ab12", "revision": 3 });
    assert_eq!(
        gate.calls(),
        [
            Call { what: "GET /v1/requests/req-1".to_owned(), acting_as: acting_as.clone(), body: Value::Null },
            Call { what: "POST /v1/requests/req-1/reviews".to_owned(), acting_as, body },
        ]
    );

    // With JSON, standard output is the API's answer and nothing else.
    let ran = ask(&Canned::start(answers()), "approve req-1 --output json").expect(0);
    assert_eq!(ran.json(), approved);
    assert!(ran.stderr.contains("ou=payroll,dc=x and all below"), "{ran:#?}");
}

#[test]
fn what_the_gate_refuses_is_said_plainly_and_ends_with_1() {
    let gate = Canned::start([
        ("GET /v1/requests/req-1", 200, request("pending")),
        (
            "POST /v1/requests/req-1/reviews",
            403,
            problem(403, "own-request", "nobody reviews their own\u{1b}[1m request"),
        ),
        ("GET /v1/grants/grant-2", 404, problem(404, "not-found", "there is no grant grant-2 that you may see")),
        (
            "POST /v1/reload",
            422,
            json!({
                "type": "urn:tidegate:problem:bad-configuration", "title": "No", "status": 422,
                "detail": "the configuration was not taken over", "errors": ["gate.toml:1: a", "gate.toml:2: b"],
            }),
        ),
    ]);
    let ran = ask(&gate, "approve req-1").expect(1);
    assert_eq!(
        ran.stderr,
        "tidegate: nobody reviews their own\\u{1b}[1m request\n\
         hint: see who can act on it, and how it stands, with tidegate show req-1\n"
    );
    let ran = ask(&gate, "show grant-2").expect(1);
    assert_eq!(
        ran.stderr,
        "tidegate: there is no grant grant-2 that you may see\n\
         hint: tidegate requests --all and tidegate grants --all list those that you may see\n"
    );
    let ran = ask(&gate, "reload").expect(1);
    assert_eq!(
        ran.stderr,
        "error: gate.toml:1: a\nerror: gate.toml:2: b\ntidegate: the configuration was not taken over (2 errors)\n"
    );
    assert_eq!(ran.stdout, "");
}

#[test]
fn waiting_ends_with_the_decision() {
    for (decided, code) in [("approved", 0), ("denied", 3), ("cancelled", 3), ("lapsed", 3)] {
        let gate = Canned::start([
            ("POST /v1/requests", 201, request("pending")),
            ("GET /v1/requests/req-1", 200, request("pending")),
            ("GET /v1/requests/req-1", 200, request(decided)),
            ("GET /v1/grants/grant-1", 200, grant("grant-1", "active")),
        ]);
        let ran =
            ask(&gate, "request payroll-editor --reason x --for 90m --operations search,modify --wait").expect(code);
        assert_eq!(
            gate.calls()[0].body,
            json!({
                "role": "payroll-editor", "reason": "x", "duration": "1h30m",
                "narrow": { "operations": ["search", "modify"] },
            })
        );
        // It did not change while it was pending: it is said once.
        assert_eq!(
            ran.stderr,
            "req-1: 0 of 2 approvals, waits for group:cn=hr-leads,dc=x; lapses 2026-03-31 16:00:00 UTC\n"
        );
        assert!(ran.stdout.contains(decided), "{ran:#?}");
        assert_eq!(ran.stdout.contains("Granted from 2026-03-31 08:00:00 UTC"), decided == "approved", "{ran:#?}");
    }
}

#[test]
fn a_dry_run_is_only_shown() {
    let mut dry = request("pending");
    dry["id"] = Value::Null;
    let gate = Canned::start([("POST /v1/requests", 200, dry)]);
    let ran = ask(&gate, "request payroll-editor --base ou=a,ou=payroll,dc=x --dry-run").expect(0);
    assert_eq!(gate.calls()[0].body["dry_run"], json!(true));
    assert_eq!(gate.calls()[0].body["narrow"], json!({ "base": "ou=a,ou=payroll,dc=x" }));
    assert!(ran.stdout.contains("Nothing was asked for"), "{ran:#?}");
}

#[test]
fn lists_ask_for_what_they_show() {
    let both = json!([grant("grant-1", "active"), grant("grant-2", "scheduled"), grant("grant-3", "revoked")]);
    let gate = Canned::start([
        ("GET /v1/requests?state=pending", 200, json!([request("pending")])),
        ("GET /v1/requests?state=pending&mine=true", 200, json!([])),
        ("GET /v1/requests?mine=true&archived=true", 200, json!([request("denied")])),
        ("GET /v1/requests?to_review=true", 200, json!([])),
        ("GET /v1/requests?archived=true", 200, json!([request("denied")])),
        ("GET /v1/grants?archived=true", 200, both.clone()),
        ("GET /v1/grants?active=true", 200, json!([both[0], both[1]])),
        ("GET /v1/sessions", 200, json!([])),
        ("GET /v1/roles", 200, json!([])),
    ]);
    assert!(ask(&gate, "requests").expect(0).stdout.contains("pending 0/2"));
    assert!(ask(&gate, "requests --all").expect(0).stdout.contains("denied"));
    assert!(ask(&gate, "requests --mine --all").expect(0).stdout.contains("denied"));
    for empty in ["requests --mine", "requests --to-review"] {
        assert_eq!(ask(&gate, empty).expect(0).stdout, "There is no such request that you may see.\n");
    }
    assert_eq!(ask(&gate, "grants --active --output json").expect(0).json(), json!([both[0]]));
    assert_eq!(ask(&gate, "grants --output json").expect(0).json(), json!([both[0], both[1]]));
    assert_eq!(ask(&gate, "grants --all --output json").expect(0).json(), both);
    assert_eq!(ask(&gate, "sessions").expect(0).stdout, "There is no session that you may see.\n");
    assert_eq!(
        ask(&gate, "roles").expect(0).stdout,
        "There is no role that you may request; tidegate me says who you are to the gate.\n"
    );
}

#[test]
fn what_is_over_is_not_shown_as_if_it_were_to_come() {
    let mut ended = grant("grant-1", "revoked");
    ended["until"] = json!("2999-03-31T09:00:00Z");
    ended["ended"] = json!("2026-03-31T08:10:00Z");
    let mut denied = request("denied");
    let scope = denied["scope"][0].clone();
    denied["scope"] = json!([scope.clone(), scope]);
    let gate = Canned::start([
        ("GET /v1/grants?archived=true", 200, json!([ended])),
        ("GET /v1/requests/req-1", 200, denied),
        ("GET /v1/requests/req-1", 200, request("pending")),
    ]);
    let table = ask(&gate, "grants --all").expect(0);
    assert!(table.stdout.contains("grant-1  revoked") && !table.stdout.contains("  in "), "{table:#?}");
    let shown = ask(&gate, "show req-1").expect(0).stdout;
    assert!(!shown.contains("when it is approved"), "{shown}");
    assert_eq!(shown.matches("modify can change member").count(), 1, "{shown}");
    assert!(ask(&gate, "show req-1").expect(0).stdout.contains("when it is approved"));
}

#[test]
fn a_grant_can_be_named_by_its_request() {
    let gate = Canned::start([
        ("GET /v1/requests/req-1", 200, request("approved")),
        ("POST /v1/grants/grant-1/release", 200, grant("grant-1", "released")),
        ("POST /v1/grants/grant-1/revoke", 200, grant("grant-1", "revoked")),
    ]);
    assert!(ask(&gate, "release req-1").expect(0).stdout.contains("released"));
    assert!(ask(&gate, "revoke grant-1 --reason lost").expect(0).stdout.contains("revoked"));
    assert_eq!(gate.calls().last().unwrap().body, json!({ "reason": "lost" }));

    let gate = Canned::start([("GET /v1/requests/req-1", 200, request("pending"))]);
    let ran = ask(&gate, "release req-1").expect(1);
    assert_eq!(ran.stderr, "tidegate: req-1 has no grant: it is pending\n");
    assert_eq!(
        ask(&gate, "show 7").expect(2).stderr,
        "tidegate: \"7\" is neither a request (req-…) nor a grant (grant-…)\n"
    );
    assert_eq!(calls(&gate), ["GET /v1/requests/req-1"]);
}

#[test]
fn a_permit_is_explained_too() {
    let permitted = |rest: Value| {
        let mut view = json!({
            "decision": "permitted", "code": 0, "message": "", "reason": "",
            "resources": [], "missing": [], "roles": [],
        });
        view.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        view
    };
    let held = json!({ "grant": "grant-1", "request": "req-1", "role": "r", "until": "2026-03-31T09:00:00Z" });
    for (view, why) in [
        (json!({}), "nothing that is protected is touched"),
        (json!({ "resources": ["payroll"] }), "standing access"),
        (json!({ "resources": ["payroll"], "redacted": ["payroll"] }), "not held is left out of the answer"),
        (json!({ "resources": ["payroll"], "rests_on": [held] }), "grant\n"),
    ] {
        let gate = Canned::start([("POST /v1/explain", 200, permitted(view))]);
        let ran = ask(&gate, "explain --as uid=bob,dc=x search dc=x").expect(0);
        let line = ran.stdout.lines().find(|line| line.starts_with("why")).unwrap_or_default();
        assert!(format!("{line}\n").contains(why), "{ran:#?}");
    }
}

#[test]
fn explaining_is_about_oneself_unless_said() {
    let view = json!({
        "decision": "refused", "code": 50, "message": "ask for it", "reason": "not held",
        "resources": ["payroll"], "missing": ["payroll"], "roles": ["payroll-editor"],
    });
    let gate = Canned::start([
        ("GET /v1/me", 200, json!({ "subject": "uid=alice,dc=x", "administrator": false, "auditor": false })),
        ("POST /v1/explain", 200, view),
    ]);
    let ran = ask(&gate, "explain search ou=payroll,dc=x --scope one").expect(0);
    assert!(ran.stdout.contains("refused with result code 50"), "{ran:#?}");
    assert!(ran.stdout.contains("tidegate request payroll-editor --reason"), "{ran:#?}");
    ask(&gate, "explain --as uid=bob,dc=x modify cn=a,dc=x --attribute cn --attribute sn").expect(0);
    let bodies: Vec<Value> = gate.calls().into_iter().map(|call| call.body).collect();
    let [me, own, other] = bodies.try_into().unwrap();
    assert_eq!(me, Value::Null);
    assert_eq!(
        own,
        json!({ "as": "uid=alice,dc=x", "operation": "search", "target": "ou=payroll,dc=x", "scope": "one" })
    );
    assert_eq!(
        other,
        json!({ "as": "uid=bob,dc=x", "operation": "modify", "target": "cn=a,dc=x", "attributes": ["cn", "sn"] })
    );
    assert!(gate.calls().iter().all(|call| call.acting_as.is_none()), "explaining is not acting");
}

#[test]
fn the_socket_is_that_of_the_configuration() {
    let gate = Canned::start([("GET /v1/roles", 200, json!([]))]);
    let folder = gate.socket().parent().unwrap().to_owned();
    // Whoever asks may not be able to read the keys that it names; the socket is enough.
    let file = folder.join("gate.toml");
    std::fs::write(&file, "[tls]\nprivate_key = \"none\"\n[control]\nsocket = \"control.sock\"\n").unwrap();
    run(tidegate(["roles", "--config"]).arg(&file)).expect(0);
    assert_eq!(calls(&gate), ["GET /v1/roles"]);

    std::fs::write(&file, "[control]\n").unwrap();
    let ran = run(tidegate(["roles", "--config"]).arg(&file)).expect(1);
    let said = format!(
        "error: {}:1: [control] socket is missing; write it like socket = \"run/control.sock\"\n",
        file.display()
    );
    assert_eq!(ran.stderr, said);
}

#[test]
fn where_nobody_listens_it_says_what_to_do() {
    let ran = run(&mut tidegate(["roles", "--control", "nowhere/control.sock"])).expect(4);
    assert_eq!(
        ran.stderr,
        "tidegate: nothing listens on nowhere/control.sock: is `tidegate serve` running? \
         Name the socket with --control SOCKET or --config FILE\n"
    );
    let ran = run(&mut tidegate(["roles", "--control", "http://gate.example.com"])).expect(2);
    assert!(ran.stderr.contains("only https:// URLs are taken"), "{ran:#?}");
}
