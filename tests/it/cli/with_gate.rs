//! The command line with a running gate behind it, over the real control socket.

use crate::support::command::{run, tidegate};
use crate::support::eventually;
use crate::support::gate::{Gate, Setup, user};
use crate::support::https::Https;
use crate::support::ldap::{Client, Search};
use crate::support::slapd::{BASE, Slapd, password, person};
use std::fs;
use std::process::Stdio;

fn payroll() -> String {
    format!("ou=payroll,{BASE}")
}

/// What explaining says of Alice's search of the payroll.
fn explained(gate: &Gate) -> serde_json::Value {
    gate.json("alice", &["explain", "search", &payroll()])["decision"].clone()
}

#[test]
fn from_request_to_release() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    assert!(gate.cli("alice", &["roles"]).expect(0).stdout.contains("payroll-reader"));
    assert!(gate.cli("carol", &["roles"]).expect(0).stdout.contains("no role that you may request"));
    assert_eq!(explained(&gate), "refused");

    let dry = gate.json("alice", &["request", "payroll-reader", "--reason", "x", "--dry-run"]);
    assert!(dry["id"].is_null(), "{dry}");
    assert_eq!(gate.json("alice", &["requests", "--all"]), serde_json::json!([]));

    let narrow = ["--for", "30m", "--operations", "search", "--base", &format!("ou=archive,{}", payroll())];
    let id = gate.request("alice", "payroll-reader", &narrow);
    let waiting = gate.cli("bob", &["requests", "--to-review"]).expect(0);
    assert!(waiting.stdout.contains(&id), "{waiting:#?}");
    let shown = gate.cli("bob", &["approve", &id, "--reason", "agreed"]).expect(0);
    // What is approved was shown: the narrowed scope, as the gate computed it.
    assert!(shown.stdout.contains(&format!("ou=archive,{} and all below", payroll())), "{shown:#?}");
    assert!(!shown.stdout.contains("compare"), "{shown:#?}");
    assert!(shown.stdout.contains("You approved it: 1 of 1 approvals."), "{shown:#?}");

    let request = gate.cli("alice", &["show", &id]).expect(0).stdout;
    assert!(
        request.contains("approved") && request.contains("agreed") && request.contains(&person("bob")),
        "{request}"
    );
    let grants = gate.json("alice", &["grants", "--active"]);
    let grant = grants[0]["id"].as_str().unwrap();
    assert_eq!(grants[0]["request"], serde_json::json!(id));
    let archive = format!("ou=archive,{}", payroll());
    assert_eq!(gate.json("alice", &["explain", "search", &archive])["decision"], "permitted");
    // Narrowed: the rest of the payroll stays closed.
    assert_eq!(explained(&gate), "refused");

    // By somebody who may not even see it: told as one that is not there.
    gate.cli("carol", &["release", grant]).expect(1);
    let released = gate.cli("alice", &["release", &id]).expect(0);
    assert!(released.stdout.contains("released"), "{released:#?}");
    gate.cli("alice", &["release", grant]).expect(1);
    assert_eq!(gate.json("alice", &["explain", "search", &archive])["decision"], "refused");
    assert_eq!(gate.cli("alice", &["grants"]).expect(0).stdout, "There is no such grant that you may see.\n");
    assert!(gate.cli("alice", &["grants", "--all"]).expect(0).stdout.contains("released"));
}

#[test]
fn what_ends_a_request_and_who_may() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let own = gate.request("bob", "payroll-reader", &[]);
    let refused = gate.cli("bob", &["approve", &own]).expect(1);
    assert!(refused.stderr.starts_with("tidegate: ") && refused.stderr.contains("own"), "{refused:#?}");
    assert!(gate.cli("bob", &["cancel", &own]).expect(0).stdout.contains("cancelled"));

    let id = gate.request("alice", "payroll-reader", &[]);
    gate.cli("alice", &["deny", &id, "--reason", "no"]).expect(1);
    assert!(gate.cli("frank", &["deny", &id, "--reason", "not before the audit"]).expect(0).stdout.contains("denied"));
    assert!(gate.cli("alice", &["show", &id]).expect(0).stdout.contains("not before the audit"));
    gate.cli("bob", &["approve", &id]).expect(1);

    let grant = gate.granted("alice", "payroll-reader", &[]);
    gate.cli("carol", &["revoke", &grant, "--reason", "x"]).expect(1);
    assert!(gate.cli("root-admin", &["revoke", &grant, "--reason", "lost"]).expect(0).stdout.contains("revoked"));
    gate.cli("alice", &["show", "req-none"]).expect(1);
    gate.cli("alice", &["request", "no-such-role", "--reason", "x"]).expect(1);
    gate.cli("alice", &["request", "payroll-reader", "--reason", "x", "--for", "5h"]).expect(1);
}

#[test]
fn who_waits_is_told_the_decision() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    for (word, code) in [("approve", 0), ("deny", 3)] {
        let mut command = tidegate(["request", "payroll-reader", "--reason", "x", "--wait"]);
        command.arg("--control").arg(&gate.control).args(["--as", &person("alice")]);
        let waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = eventually("a request to review", || {
            gate.json("bob", &["requests", "--to-review"])[0]["id"].as_str().map(str::to_owned)
        });
        gate.cli("bob", &[word, &id, "--reason", "seen"]).expect(0);
        let ended = waiting.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stdout).contains("Granted from"), code == 0, "{ended:?}");
    }
}

#[test]
fn sessions_are_listed() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let client = gate.client_as("alice");
    let listed = gate.cli("root-admin", &["sessions"]).expect(0);
    assert!(listed.stdout.contains(&person("alice")), "{listed:#?}");
    drop(client);
    eventually("nobody is connected", || {
        gate.cli("root-admin", &["sessions"]).stdout.contains("There is no session that you may see.").then_some(())
    });
}

#[test]
fn a_wrong_configuration_is_not_taken_over_and_each_error_is_told() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let text = fs::read_to_string(&gate.configuration).unwrap();
    fs::write(&gate.configuration, text.replace("max_duration = \"4h\"", "max_duration = \"long\"")).unwrap();
    let refused = gate.cli("root-admin", &["reload"]).expect(1);
    assert_eq!(refused.stderr.matches("\"long\" is not a duration").count(), 2, "{refused:#?}");
    assert!(gate.cli("alice", &["roles"]).expect(0).stdout.contains("4h"));

    fs::write(&gate.configuration, text.replace("max_duration = \"4h\"", "max_duration = \"2h\"")).unwrap();
    gate.cli("root-admin", &["reload"]).expect(0);
    assert!(gate.cli("alice", &["roles"]).expect(0).stdout.contains("2h"));
}

/// Locks that would do nothing, or shut everybody out; and how to get in again when all administrators are locked.
#[test]
fn a_lock_is_of_somebody_and_can_always_be_lifted() {
    let slapd = Slapd::start();
    let root = person("root-admin");
    let two = format!("administrators = [\"dn:{root}\", \"dn:{}\"]", person("carol"));
    let gate = Setup::default().control_lines(&two).start(&slapd);
    let lock = |who: &str, dn: &str, more: &[&str], code| {
        gate.cli(who, &[&["lock", dn, "--reason", "lost"], more].concat()).expect(code)
    };
    let typed = lock("root-admin", &person("nobody"), &[], 1);
    assert!(typed.stderr.contains("has no entry") && typed.stderr.contains("--force"), "{typed:#?}");
    lock("root-admin", &person("nobody"), &["--force"], 0);
    let group = lock("root-admin", &format!("cn=hr,ou=groups,{BASE}"), &["--force"], 1);
    assert!(group.stderr.contains("is a group (groupOfNames)"), "{group:#?}");
    let locked = lock("root-admin", &person("alice"), &[], 0);
    assert!(
        locked.stdout.contains("LDAP sessions stay open") && locked.stdout.contains("tidegate kill"),
        "{locked:#?}"
    );

    // One of two may lock themselves; then the other is the last.
    lock("root-admin", &root, &[], 0);
    let last = lock("carol", &person("carol"), &["--force"], 1);
    assert!(last.stderr.contains("is the last administrator"), "{last:#?}");

    // A reload takes her away: nobody administers any more. Whoever owns the process still reloads.
    let own = |arguments: &[&str]| run(tidegate(arguments).arg("--control").arg(&gate.control));
    let configure = |administrators: &str| {
        let text = fs::read_to_string(&gate.configuration).unwrap();
        let lines = text.lines().map(|line| if line.starts_with("administrators = ") { administrators } else { line });
        fs::write(&gate.configuration, lines.collect::<Vec<_>>().join("\n")).unwrap();
        own(&["reload"]).expect(0);
    };
    configure(&format!("administrators = [\"dn:{root}\"]"));
    assert!(gate.cli("root-admin", &["unlock", &root]).expect(1).stderr.contains("is locked by an administrator"));
    configure(&format!("administrators = [\"dn:{root}\", \"local:{}\"]", user()));
    own(&["unlock", &root]).expect(0);
    configure(&format!("administrators = [\"dn:{root}\"]"));
    gate.cli("root-admin", &["unlock", &person("alice")]).expect(0);
}

/// Who may not request a role hears of neither role nor resource: not in answers over LDAP, nor from `explain` and `roles`.
#[test]
fn advice_is_only_of_what_one_may_have() {
    let slapd = Slapd::start();
    let emergency = r#"
[[role]]
name = "payroll-admin"
description = "When all else fails"
allow = [{ resource = "payroll" }]
eligible = ["dn:cn=nobody,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
break_glass = ["group:cn=security,ou=groups,dc=example,dc=com"]
max_duration = "1h"
"#;
    let gate = Setup::default().https().and(emergency).start(&slapd);
    let told = |client: &mut Client| client.search(&Search::new(payroll())).answer.message;
    let alice = told(&mut gate.client_as("alice"));
    assert!(alice.ends_with("Roles that open it: payroll-reader, payroll-editor. Ask with: tidegate request payroll-reader --reason \"…\""), "{alice}");
    let erin = told(&mut gate.client_as("erin"));
    assert!(
        erin.contains("tidegate request payroll-admin --break-glass") && !erin.contains("payroll-reader"),
        "{erin}"
    );
    assert_eq!(told(&mut gate.client_as("carol")), "search is protected here. You may request no role that opens it.");
    assert_eq!(told(&mut gate.client()), "search is protected here.");

    // Over TLS: whoever owns the process sees everything at the socket.
    let explain = |who: &str, subject: &str, operation: &str, target: &str| {
        let body = serde_json::json!({ "as": subject, "operation": operation, "target": target });
        Https::new(&gate).logged_in(who, &password(who)).post("/v1/explain", &body)
    };
    let own = |who: &str, base: &str| explain(who, &person(who), "search", base).json();
    assert_eq!(own("alice", &payroll())["roles"], serde_json::json!(["payroll-reader", "payroll-editor"]));
    assert_eq!(own("erin", &payroll())["break_glass_roles"], serde_json::json!(["payroll-admin"]));
    let carol = own("carol", &payroll());
    assert!(carol["code"] == 50 && !carol.to_string().contains("payroll"), "{carol:#}");
    let above = own("carol", BASE);
    assert!(!above.to_string().contains("payroll") && above["reason"] == "redacted", "{above:#}");
    // Whoever sees everything sees the resource, and that nothing can help.
    let seen = explain("root-admin", &person("carol"), "search", &payroll()).json();
    assert_eq!((&seen["missing"], &seen["roles"]), (&serde_json::json!(["payroll"]), &serde_json::Value::Null));
    // What another may be bound as is not one's own either.
    assert_eq!(explain("carol", "", "bind", &person("alice")).problem(), (403, "not-yours".to_owned()));

    let roles = |who: &str| gate.cli(who, &["roles"]).expect(0).stdout;
    assert!(roles("erin").contains("only with --break-glass") && !roles("erin").contains("payroll-reader"));
    assert!(!roles("alice").contains("payroll-admin"));
    let nobody = run(tidegate(["roles", "--control"]).arg(&gate.control)).expect(0).stdout;
    assert!(nobody.contains("payroll") || nobody.contains("no role"), "{nobody}");
}
