//! The rules of the workflow, one test each, as they are felt from outside.

use crate::support::eventually;
use crate::support::gate::Setup;
use crate::support::ldap::{SCOPE_BASE, Search, compare_request, modify_request};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::target::Target;

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

#[test]
fn nobody_approves_their_own() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    // Bob may ask and may decide; but not both of one request.
    let request = gate.request("bob", "payroll-reader", &[]);
    let told = gate.cli("bob", &["approve", &request]).expect(1);
    assert!(!told.stderr.is_empty());
    assert_eq!(gate.client_as("bob").search(&payroll()).answer.code, 50);
    // Not under another spelling of the name either.
    let mut again = crate::support::command::tidegate(["approve", &request, "--control"]);
    again.arg(&gate.control).args(["--as", "UID = B\\6fb, OU=People ,DC=example,DC=COM"]);
    crate::support::command::run(&mut again).expect(1);
    assert_eq!(gate.json("bob", &["show", &request])["state"], "pending");
    gate.cli("frank", &["approve", &request]).expect(0);
    assert_eq!(gate.client_as("bob").search(&payroll()).answer.code, 0);
}

#[test]
fn only_the_eligible_ask_and_never_for_more_than_the_role() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let ask = |who: &str, more: &[&str]| gate.cli(who, &[&["request", "payroll-reader"], more].concat());
    ask("carol", &["--reason", "curious"]).expect(1);
    for wrong in [
        &["--reason", "x", "--for", "5h"][..],
        &["--reason", "x", "--for", "0s"],
        &["--reason", "x", "--operations", "delete"],
        &["--reason", "x", "--base", "dc=example,dc=com"],
        &["--reason", "x", "--start", "2001-01-01T00:00:00Z"],
        &["--reason", "x", "--subject", "uid=bob,ou=people,dc=example,dc=com"],
        &["--reason", ""],
    ] {
        assert_ne!(ask("alice", wrong).code, 0, "{wrong:?}");
    }
    gate.cli("alice", &["request", "no-such-role", "--reason", "x"]).expect(1);
    let shown = gate.json("alice", &["requests", "--mine", "--all"]);
    assert_eq!(shown.as_array().map(Vec::len), Some(0), "{shown}");
}

#[test]
fn one_deny_ends_it_and_a_cancelled_request_is_over() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let request = gate.request("alice", "payroll-reader", &[]);
    gate.cli("frank", &["deny", &request, "--reason", "not today"]).expect(0);
    gate.cli("bob", &["approve", &request]).expect(1);
    assert_eq!(gate.json("alice", &["show", &request])["state"], "denied");

    let request = gate.request("alice", "payroll-reader", &[]);
    gate.cli("bob", &["cancel", &request]).expect(1);
    gate.cli("alice", &["cancel", &request]).expect(0);
    gate.cli("bob", &["approve", &request]).expect(1);
    assert_eq!(gate.json("alice", &["show", &request])["state"], "cancelled");
    assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 50);
}

#[test]
fn a_narrowed_grant_opens_what_it_says_and_no_more() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let archive = format!("ou=archive,ou=payroll,{BASE}");
    gate.granted("alice", "payroll-editor", &["--base", &archive, "--operations", "search,compare"]);
    let mut client = gate.client_as("alice");
    let old = format!("uid=old,{archive}");
    assert_eq!(client.search(&Search::new(&archive)).summary(), (0, vec![archive.as_str(), old.as_str()]));
    assert_eq!(client.ask(&compare_request(&old, "uid", "old"), &[]).code, 6);
    assert_eq!(client.ask(&modify_request(&old, 2, "title", &[b"x"]), &[]).code, 50);
    assert_eq!(client.ask(&compare_request(&format!("uid=e01,ou=payroll,{BASE}"), "uid", "e01"), &[]).code, 50);
    assert_eq!(client.search(&payroll()).answer.code, 50);
    // From above: what is open of it is seen, and nothing else.
    let found = client.search(&Search::new(BASE).filter("(sn=Employee)"));
    let inside: Vec<_> = found.dns().into_iter().filter(|dn| dn.contains("ou=payroll")).collect();
    assert_eq!(inside, [old.as_str()]);
}

#[test]
fn it_expires_by_itself() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let grant = gate.granted("alice", "payroll-reader", &["--for", "2s"]);
    let mut client = gate.client_as("alice");
    assert_eq!(client.search(&payroll()).answer.code, 0);
    eventually("the grant expires", || (client.search(&payroll()).answer.code == 50).then_some(()));
    // The one before may have been cut in its middle; this one is not begun.
    assert_eq!(client.search(&payroll()).answer.code, 50);
    let until = gate.json("alice", &["show", &grant])["until"].as_str().unwrap().to_owned();
    let refused = gate.audit.wait_for("the refusal", |r| r["operation"] == "search" && r["decision"] == "refused");
    assert!(refused["time"].as_str().unwrap() >= &until[..19], "{refused} before {until}");
    eventually("it is said to have expired", || {
        (gate.json("alice", &["show", &grant])["state"] == "expired").then_some(())
    });
}

#[test]
fn others_end_it_by_revoking() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    for who in ["bob", "root-admin"] {
        let grant = gate.granted("alice", "payroll-reader", &[]);
        let mut client = gate.client_as("alice");
        assert_eq!(client.search(&payroll()).answer.code, 0);
        gate.cli("carol", &["revoke", &grant, "--reason", "x"]).expect(1);
        gate.cli("carol", &["release", &grant]).expect(1);
        gate.cli(who, &["revoke", &grant, "--reason", "enough"]).expect(0);
        assert_eq!(client.search(&payroll()).answer.code, 50);
        assert_eq!(gate.json("alice", &["show", &grant])["state"], "revoked");
        gate.cli("alice", &["release", &grant]).expect(1);
    }
}

#[test]
fn grants_and_requests_outlive_the_gate() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let ended = gate.granted("dave", "payroll-reader", &[]);
    gate.cli("dave", &["release", &ended]).expect(0);
    let pending = gate.request("bob", "payroll-reader", &[]);
    for signal in ["TERM", "KILL"] {
        gate.stop(signal);
        gate.launch();
        assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 0);
        assert_eq!(gate.json("alice", &["show", &grant])["state"], "active");
        assert_eq!(gate.json("dave", &["show", &ended])["state"], "released");
        assert_eq!(gate.json("bob", &["show", &pending])["state"], "pending");
    }
    gate.cli("frank", &["approve", &pending]).expect(0);
    assert_eq!(gate.client_as("bob").search(&payroll()).answer.code, 0);
}

#[test]
fn what_is_not_ones_own_is_not_shown() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let grant = gate.granted("alice", "payroll-reader", &[]);
    gate.cli("carol", &["show", &grant]).expect(1);
    for who in ["alice", "bob", "erin", "root-admin"] {
        assert_eq!(gate.json(who, &["show", &grant])["subject"], person("alice"), "{who}");
    }
}

#[test]
fn only_those_named_may_speak_as_others() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    let text = std::fs::read_to_string(&gate.configuration).unwrap();
    let without = text.lines().filter(|line| !line.starts_with("act_as")).collect::<Vec<_>>().join("\n");
    std::fs::write(&gate.configuration, without).unwrap();
    gate.stop("TERM");
    gate.launch();
    let told = gate.cli("alice", &["roles"]).expect(1);
    assert!(!told.stdout.contains("payroll-reader"), "{told:?}");
}
