//! Reloads that come while something else goes on: requests, grants, searches, other reloads, wrong files.

use crate::support::certs::Authority;
use crate::support::eventually;
use crate::support::gate::{Gate, POLICY, Setup};
use crate::support::https::Https;
use crate::support::ldap::{SCOPE_BASE, Search};
use crate::support::slapd::{BASE, Slapd, person};
use crate::support::wire::Wire;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

fn rewrite(gate: &Gate, change: impl Fn(String) -> String) {
    let text = std::fs::read_to_string(&gate.configuration).unwrap();
    let new = change(text.clone());
    assert_ne!(text, new, "nothing was changed");
    // As a whole: somebody may be reading it.
    let beside = gate.configuration.with_extension("new");
    std::fs::write(&beside, new).unwrap();
    std::fs::rename(beside, &gate.configuration).unwrap();
}

fn reload(gate: &Gate) -> Value {
    gate.json("root-admin", &["reload"])["difference"].clone()
}

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

fn people() -> Search {
    Search::new(format!("ou=people,{BASE}")).scope(SCOPE_BASE)
}

const ROLE: &str = "name = \"payroll-reader\"";
const GONE: &str = "name = \"payroll-viewer\"";

#[test]
fn a_request_whose_role_is_gone_is_not_approved_and_says_so() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let request = gate.request("alice", "payroll-reader", &[]);
    rewrite(&gate, |text| text.replace(ROLE, GONE));
    reload(&gate);
    // Whose role is gone has no approvers: who may do it all the same is told why it cannot be done.
    let told = gate.cli("bob", &["approve", &request]).expect(1);
    assert!(told.stdout.is_empty(), "{told:#?}");
    let told = gate.cli("root-admin", &["approve", &request]).expect(1);
    assert!(told.stderr.contains("the role payroll-reader is no longer configured"), "{told:#?}");
    assert_eq!(gate.json("alice", &["show", &request])["state"], "pending");
    assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 50);
    rewrite(&gate, |text| text.replace(GONE, ROLE));
    reload(&gate);
    gate.cli("bob", &["approve", &request]).expect(0);
    assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 0);
}

#[test]
fn a_grant_that_is_to_begin_gets_no_more_than_the_role_still_gives() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let start = (Utc::now() + TimeDelta::seconds(4)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let grant = gate.granted("alice", "payroll-reader", &["--start", &start, "--for", "4h"]);
    rewrite(&gate, |text| text.replace("max_duration = \"4h\"", "max_duration = \"1h\""));
    let difference = reload(&gate);
    assert!(difference["closes"].to_string().contains("max_duration is 1h, was 4h"), "{difference:#}");
    let shown = eventually("it begins", || {
        Some(gate.json("alice", &["show", &grant])).filter(|shown| shown["state"] == "active")
    });
    let time = |name: &str| DateTime::parse_from_rfc3339(shown[name].as_str().unwrap()).unwrap();
    assert_eq!(time("until") - time("from"), TimeDelta::hours(1), "{shown:#}");
}

#[test]
fn who_may_no_longer_ask_loses_the_grant_and_says_why() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let kept = gate.granted("dave", "payroll-editor", &[]);
    let eligible = "eligible = [\"group:cn=hr,ou=groups,dc=example,dc=com\"]";
    rewrite(&gate, |text| text.replacen(eligible, "eligible = [\"dn:uid=carol,ou=people,dc=example,dc=com\"]", 1));
    let difference = reload(&gate);
    let ends = difference["ends"].as_array().unwrap();
    assert_eq!((ends.len(), &ends[0]["grant"]), (1, &json!(grant)), "{difference:#}");
    assert!(ends[0]["reason"].as_str().unwrap().contains(&person("alice")), "{difference:#}");
    assert_eq!(gate.json("alice", &["show", &grant])["state"], "revoked");
    assert_eq!(gate.json("dave", &["show", &kept])["state"], "active");
    assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 50);
}

#[test]
fn what_ended_with_its_resource_does_not_come_back_with_it() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let mut client = gate.client_as("alice");
    rewrite(&gate, |text| text.replace(POLICY, ""));
    assert!(reload(&gate)["opens"].to_string().contains("resource \\\"payroll\\\" is gone"));
    assert_eq!(gate.client_as("carol").search(&payroll()).answer.code, 0, "it is protected no longer");
    rewrite(&gate, |text| text + POLICY);
    reload(&gate);
    assert_eq!(
        (client.search(&payroll()).answer.code, gate.json("alice", &["show", &grant])["state"].clone()),
        (50, json!("revoked"))
    );
}

#[test]
fn a_search_that_nothing_changes_for_goes_on() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start_before();
    gate.granted("alice", "payroll-editor", &[]);
    let mut client = gate.client_as("alice");
    wire.hold(true);
    let id = client.send(&payroll().encoded(), &[]);
    let before = wire.heard().len();
    let other = client.send(&people().encoded(), &[]);
    eventually("both are on the wire", || (wire.heard().len() > before).then_some(()));
    rewrite(&gate, |text| text.replace(ROLE, GONE));
    assert_eq!(reload(&gate)["sessions_cut"], 0);
    wire.hold(false);
    assert_eq!((client.collect(id).answer.code, client.collect(other).answer.code), (0, 0));
}

/// Whatever comes first: what the configuration does not allow is not open when all is done.
#[test]
fn reloads_and_approvals_at_once_leave_nothing_open_that_is_not_allowed() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    for round in 0..4 {
        let request = gate.request("alice", "payroll-reader", &[]);
        rewrite(&gate, |text| text.replace(ROLE, GONE));
        let reloads = std::thread::scope(|scope| {
            let approve = scope.spawn(|| gate.cli("bob", &["approve", &request]).code);
            let reloads: Vec<_> = (0..3).map(|_| scope.spawn(|| gate.cli("root-admin", &["reload"]).code)).collect();
            approve.join().unwrap();
            reloads.into_iter().map(|reload| reload.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(reloads, [0, 0, 0], "round {round}");
        assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 50, "round {round}");
        let grants = gate.json("root-admin", &["grants", "--active"]);
        assert_eq!(grants, json!([]), "round {round}");
        let nothing = gate.json("root-admin", &["reload", "--dry-run"])["difference"].clone();
        assert_eq!((&nothing["opens"], &nothing["closes"]), (&json!(null), &json!(null)));
        rewrite(&gate, |text| text.replace(GONE, ROLE));
        reload(&gate);
        let state = gate.json("alice", &["show", &request])["state"].clone();
        if state == "pending" {
            gate.cli("alice", &["cancel", &request]).expect(0);
        }
    }
}

/// One that is cut short, one of another key, one that is not there; at both doors, and all of it is told.
#[test]
fn wrong_certificates_change_nothing_at_either_door() {
    let slapd = Slapd::start();
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new(folder.path());
    let (certificate, key) = own.server("control");
    let lines = format!("certificate = {certificate:?}\nprivate_key = {key:?}");
    let gate = Setup::default().https().control_lines(&lines).start(&slapd);
    let good =
        [certificate.clone(), key.clone(), gate.folder.path().join("gate.pem"), gate.folder.path().join("gate.key")]
            .map(|path| (std::fs::read(&path).unwrap(), path));
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem().into_bytes();
    let serves = || {
        let https = Https::new(&gate).trusting(&own.ca);
        https.get("/healthz").status == 200 && gate.client().bind(&person("alice"), "alice-secret").code == 0
    };
    assert!(serves());
    let old = gate.client_as("bob");
    type Wrong<'a> = (&'a str, Box<dyn Fn(usize, &[u8]) -> Option<Vec<u8>> + 'a>);
    let wrongs: [Wrong<'_>; 4] = [
        ("half", Box::new(|_, content| Some(content[..content.len() / 2].to_vec()))),
        ("empty", Box::new(|_, _| Some(Vec::new()))),
        ("away", Box::new(|_, _| None)),
        ("another key", Box::new(|at, content| Some(if at % 2 == 1 { other_key.clone() } else { content.to_vec() }))),
    ];
    for (what, wrong) in &wrongs {
        for (at, (content, path)) in good.iter().enumerate() {
            match wrong(at, content) {
                Some(content) => std::fs::write(path, content).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        let told = gate.cli("root-admin", &["reload"]).expect(1);
        for door in ["[tls]", "[control]"] {
            assert!(told.stderr.contains(door), "{what} {door}: {told:#?}");
        }
        assert!(serves(), "{what}");
        for (content, path) in &good {
            std::fs::write(path, content).unwrap();
        }
    }
    let mut old = old;
    assert_eq!(old.who_am_i(), format!("dn:{}", person("bob")));
    // Another, good one at the control port alone.
    let next = tempfile::tempdir().unwrap();
    let authority = Authority::new(next.path());
    let (certificate, key) = authority.server("control");
    std::fs::copy(certificate, &good[0].1).unwrap();
    std::fs::copy(key, &good[1].1).unwrap();
    reload(&gate);
    assert_eq!(Https::new(&gate).trusting(&authority.ca).get("/healthz").status, 200);
    let before = Https::new(&gate).trusting(&own.ca);
    assert!(std::panic::catch_unwind(|| before.get("/healthz").status).is_err(), "the one before is shown no more");
    assert_eq!(gate.client().bind(&person("alice"), "alice-secret").code, 0);
}

#[test]
fn a_control_port_that_comes_goes_or_moves_waits_for_the_restart() {
    let slapd = Slapd::start();
    let gate = Setup::default().https().start(&slapd);
    let without = |text: String| text.replace("listen = \"127.0.0.1:0\"\n", "");
    rewrite(&gate, without);
    let difference = reload(&gate);
    assert_eq!(difference["needs_restart"], json!(["[control] listen"]));
    assert!(difference["closes"].to_string().contains("[control] listen: no API over TLS"), "{difference:#}");
    assert_eq!(Https::new(&gate).get("/healthz").status, 200, "as it was");
    rewrite(&gate, |text| text.replace("[store]", "listen = \"127.0.0.1:1\"\n\n[store]"));
    assert_eq!(reload(&gate)["needs_restart"], json!(["[control] listen"]));
    rewrite(&gate, |text| {
        text.replace("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:0\"\nhosts = [\"gate.example.com\"]")
    });
    let difference = reload(&gate);
    assert_eq!(difference["needs_restart"], json!(null), "it is taken back");
    // Under another name at once.
    let named = Https::new(&gate).send("GET", "/v1/me", &[("Host", "gate.example.com")], "");
    assert_eq!(named.status, 401, "{named:#?}");
}
