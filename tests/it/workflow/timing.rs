//! When a grant begins, what must still be true then, and what a lock does, as it is felt from outside.

use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, modify_request};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::target::Target;
use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

fn code(client: &mut Client) -> i32 {
    client.search(&payroll()).answer.code
}

fn show(gate: &Gate, id: &str) -> Value {
    gate.json("root-admin", &["show", id])
}

/// So many seconds from now, as the command line takes it.
fn ahead(seconds: i64) -> String {
    (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[test]
fn it_begins_when_it_is_to_begin_and_lasts_from_then_on() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let start = ahead(4);
    let grant = gate.granted("alice", "payroll-reader", &["--start", &start, "--for", "2s"]);
    let mut client = gate.client_as("alice");
    let begin = chrono::DateTime::parse_from_rfc3339(&start).unwrap().to_utc();
    let (first, last) = eventually("it begins", || {
        let (before, code) = (Utc::now(), code(&mut client));
        (code == 0).then_some((before, Utc::now()))
    });
    assert!(last >= begin, "open at {first} to {last}, and not before {begin}");
    let shown = show(gate, &grant);
    assert_eq!(shown["state"], "active", "{shown:#}");
    let time = |name: &str| chrono::DateTime::parse_from_rfc3339(shown[name].as_str().unwrap()).unwrap().to_utc();
    assert_eq!((time("from"), time("until")), (begin, begin + TimeDelta::seconds(2)));
    eventually("it ends", || (code(&mut client) == 50).then_some(()));
    assert!(Utc::now() >= begin + TimeDelta::seconds(2));
    eventually("it is said to have expired", || (show(gate, &grant)["state"] == "expired").then_some(()));
}

#[test]
fn who_left_the_group_before_it_begins_gets_nothing() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &["--start", &ahead(4), "--for", "1h"]);
    let kept = gate.granted("bob", "payroll-reader", &["--start", &ahead(4), "--for", "1h"]);
    let hr = format!("cn=hr,ou=groups,{BASE}");
    let mut admin = gate.client_as("frank");
    assert_eq!(admin.ask(&modify_request(&hr, 1, "member", &[person("alice").as_bytes()]), &[]).code, 0);
    // The directory is asked again.
    gate.cli("root-admin", &["reload"]).expect(0);
    eventually("it ends", || (show(&gate, &grant)["state"] == "revoked").then_some(()));
    eventually("another's begins", || (show(&gate, &kept)["state"] == "active").then_some(()));
    assert_eq!((code(&mut gate.client_as("alice")), code(&mut gate.client_as("bob"))), (50, 0));
    let history = show(&gate, &grant)["history"].clone();
    let ends = history.as_array().unwrap().iter().filter(|entry| entry["event"] == "revoked");
    assert_eq!(ends.count(), 1, "{history:#}");
    gate.cli("alice", &["request", "payroll-reader", "--reason", "again"]).expect(1);
}

#[test]
fn whom_a_rule_no_longer_means_gets_nothing() {
    let slapd = Slapd::start();
    let oncall = format!("cn=security,ou=groups,{BASE}");
    let role = format!(
        "[[role]]\nname = \"ruled\"\nallow = [{{ resource = \"payroll\", operations = [\"search\"] }}]\n\
         eligible = [\"group:cn=hr,ou=groups,{BASE}\", \"dn:{}\"]\napprovers = [\"group:cn=hr-leads,ou=groups,{BASE}\"]\n\
         max_duration = \"1h\"\n[[role.automatic]]\nwho = [\"group:{oncall}\"]\n",
        person("erin")
    );
    let gate = Setup::default().and(&role).start(&slapd);
    let mut admin = gate.client_as("frank");
    let alice = person("alice");
    let members = [alice.as_bytes()];
    assert_eq!(admin.ask(&modify_request(&oncall, 0, "member", &members), &[]).code, 0);
    gate.cli("root-admin", &["reload"]).expect(0);
    let booked = |who: &str| {
        let grant = eventually("the rule approves it", || {
            let request = gate.request(who, "ruled", &["--start", &ahead(6), "--for", "1h"]);
            let shown = gate.json(who, &["show", &request]);
            shown["grant"].as_str().map(str::to_owned)
        });
        assert_eq!(show(&gate, &grant)["automatic"], 1);
        grant
    };
    let (lost, kept) = (booked("alice"), booked("erin"));
    assert_eq!(admin.ask(&modify_request(&oncall, 1, "member", &members), &[]).code, 0);
    gate.cli("root-admin", &["reload"]).expect(0);
    let shown = eventually("it ends", || Some(show(&gate, &lost)).filter(|shown| shown["state"] == "revoked"));
    assert!(shown["history"].to_string().contains("does not approve it any more"), "{shown:#}");
    eventually("another's begins", || (show(&gate, &kept)["state"] == "active").then_some(()));
    assert_eq!((code(&mut gate.client_as("alice")), code(&mut gate.client_as("erin"))), (50, 0));
}

/// Approved once, an approver who has left since has not approved what begins now.
#[test]
fn who_approved_must_still_be_an_approver_when_it_begins() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &["--start", &ahead(4), "--for", "1h"]);
    let leads = format!("cn=hr-leads,ou=groups,{BASE}");
    let mut admin = gate.client_as("frank");
    assert_eq!(admin.ask(&modify_request(&leads, 1, "member", &[person("bob").as_bytes()]), &[]).code, 0);
    gate.cli("root-admin", &["reload"]).expect(0);
    let shown = eventually("it ends", || Some(show(&gate, &grant)).filter(|shown| shown["state"] == "revoked"));
    assert!(shown["history"].to_string().contains("no longer an approver"), "{shown:#}");
    assert_eq!(code(&mut gate.client_as("alice")), 50);
}

#[test]
fn who_is_locked_neither_asks_nor_decides_nor_holds() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let active = gate.granted("alice", "payroll-reader", &[]);
    let later = gate.granted("alice", "payroll-reader", &["--start", &ahead(3_600)]);
    let waiting = gate.request("alice", "payroll-reader", &[]);
    let other = gate.request("dave", "payroll-reader", &[]);
    let mut client = gate.client_as("alice");
    assert_eq!(code(&mut client), 0);
    for who in ["alice", "bob", "erin"] {
        gate.cli(who, &["lock", &person("alice"), "--reason", "x"]).expect(1);
    }
    gate.cli("root-admin", &["lock", &person("alice").to_uppercase(), "--reason", "laptop lost"]).expect(0);
    assert_eq!(code(&mut client), 50);
    assert_eq!((&show(gate, &active)["state"], &show(gate, &later)["state"]), (&json!("revoked"), &json!("revoked")));
    gate.cli("bob", &["approve", &waiting]).expect(1);
    gate.cli("alice", &["request", "payroll-reader", "--reason", "x"]).expect(1);
    gate.cli("root-admin", &["lock", &person("frank"), "--reason", "x"]).expect(0);
    gate.cli("frank", &["approve", &other]).expect(1);
    gate.cli("frank", &["deny", &other, "--reason", "x"]).expect(1);
    // What it ended stays ended; what waited may be decided.
    gate.cli("root-admin", &["unlock", &person("alice")]).expect(0);
    assert_eq!((code(&mut client), &show(gate, &active)["state"]), (50, &json!("revoked")));
    gate.cli("bob", &["approve", &waiting]).expect(0);
    assert_eq!(code(&mut client), 0);
}

/// As if the gate had run for almost all of the grant's time, and the clock had been set back by as much while it was
/// down: the file beside the store is all that remembers that.
#[test]
fn a_clock_that_is_set_back_while_the_gate_is_down_gives_nothing_back() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &["--for", "1h"]);
    assert_eq!(code(&mut gate.client_as("alice")), 0);
    assert_eq!(gate.stop("TERM"), Some(0));
    let file = gate.folder.path().join("store.clock");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let ran = 3_600 - 8;
    kept["monotonic"]["secs"] = json!(kept["monotonic"]["secs"].as_u64().unwrap() + ran);
    kept["wall"] = json!(Utc::now() + TimeDelta::seconds(ran as i64));
    std::fs::write(&file, kept.to_string()).unwrap();
    gate.launch();
    let mut client = gate.client_as("alice");
    assert_eq!(code(&mut client), 0);
    eventually("its hour is over", || (code(&mut client) == 50).then_some(()));
    // The wall clock says something else.
    let until = show(&gate, &grant)["until"].clone();
    assert!(
        chrono::DateTime::parse_from_rfc3339(until.as_str().unwrap()).unwrap() > Utc::now() + TimeDelta::minutes(50)
    );
}
