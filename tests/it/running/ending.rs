//! The end of a grant ends everything that depends on it, whatever the client does and however the directory is: what is
//! not sent is not done, what is done later shows nothing, and the record says what became of each.

use super::*;
use crate::support::ber::{octets, tlv};
use crate::support::gate::POLICY as PAYROLL_POLICY;
use crate::support::ldap::{Message, compare_request, control, message, modify_request};
use crate::support::slapd::{ROOT_DN, ROOT_PASSWORD};
use crate::support::{PATIENCE, eventually};
use serde_json::Value;
use std::collections::BTreeMap;

const POST_READ: &str = "1.3.6.1.1.13.2";
/// Comes into the directory after the grant has ended.
const CANARY: &str = "canary-after-the-end";

/// Changes what is large, one entry each.
const EDITOR: &str = r#"
[[role]]
name = "big-editor"
description = "Change what is big"
allow = [{ resource = "big" }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
default_duration = "1h"
"#;

fn employee(number: usize) -> String {
    format!("uid=e{number:02},ou=payroll,{BASE}")
}

fn large(number: usize) -> String {
    format!("uid=b{number},ou=big,{BASE}")
}

fn post_read() -> Vec<u8> {
    control(POST_READ, true, Some(&tlv(0x30, &octets("description"))))
}

/// Everything that comes until the connection ends.
fn read_all(client: &mut Client) -> Vec<Message> {
    std::iter::from_fn(|| client.receive()).collect()
}

/// How many operations of Alice's sessions are in flight.
fn in_flight(gate: &Gate) -> usize {
    let sessions = gate.json("root-admin", &["sessions"]);
    let sessions = sessions.as_array().cloned().unwrap_or_default();
    let own = sessions.iter().filter(|session| session["subject"] == person("alice").as_str());
    own.map(|session| session["outstanding"].as_array().map_or(0, Vec::len)).sum()
}

fn holds(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

fn directly(slapd: &Slapd) -> Client {
    let mut direct = Client::plain(slapd.ldap);
    assert_eq!(direct.bind(ROOT_DN, ROOT_PASSWORD).code, 0);
    direct
}

fn description(direct: &mut Client, dn: &str) -> Vec<u8> {
    let found = direct.search(&Search::new(dn).scope(SCOPE_BASE).attributes(&["description"]));
    found.entries[0].attributes[0].1[0].clone()
}

/// By target of those operations that are over: decision, ending, result.
fn endings(gate: &Gate, operation: &str) -> BTreeMap<String, (String, String, Option<i64>)> {
    let records = gate.audit.records();
    let own = records.iter().filter(|record| record["operation"] == operation && !record["result"].is_null());
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or("null").to_owned();
    own.map(|record| {
        let ending = (text(record, "decision"), text(record, "ending"), record["result"].as_i64());
        (text(record, "target"), ending)
    })
    .collect()
}

/// Waits until slapd has closed every connection that somebody bound as Alice had, and does nothing more for them.
fn gone(slapd: &Slapd) {
    eventually("slapd has closed the connections of Alice", || {
        let log = slapd.log();
        let connection = |line: &str| line.split_whitespace().find(|part| part.starts_with("conn=")).map(str::to_owned);
        let bound = log.lines().filter(|line| line.contains(&format!("BIND dn=\"{}\"", person("alice"))));
        let mut bound = bound.filter_map(connection);
        bound
            .all(|own| log.lines().any(|line| line.contains(&format!("{own} ")) && line.contains(" closed")))
            .then_some(())
    });
}

/// The client chooses no moment: behind large searches of what is open, which it does not read, wait a write, a write that
/// shows what it wrote, and comparisons. The grant ends; something is written; and only then the client reads.
#[test]
fn a_client_that_does_not_read_does_nothing_after_the_end() {
    let slapd = Slapd::with(Extra { big: (3_000, 20_000), ..Extra::default() });
    let gate = Setup::default().policy(PAYROLL_POLICY).start(&slapd);
    let grant = gate.granted("alice", "payroll-editor", &[]);
    let mut client = gate.client_as("alice");
    let mut burst = Vec::new();
    for id in 100..132 {
        burst.extend(message(id, &big().encoded(), &[]));
    }
    for id in 200..204 {
        burst.extend(message(id, &modify_request(&employee(1), 2, "description", &[b"after the end"]), &[]));
    }
    burst.extend(message(300, &modify_request(&employee(2), 2, "title", &[b"x"]), &[post_read()]));
    for id in 400..404 {
        burst.extend(message(id, &compare_request(&employee(2), "description", CANARY), &[]));
    }
    client.send_raw(&burst);
    eventually("everything is with the gate", || (in_flight(&gate) == 32 + 4 + 1 + 4).then_some(()));
    gate.cli("bob", &["revoke", &grant, "--reason", "enough"]).expect(0);
    gate.cli("root-admin", &["lock", &person("alice"), "--reason", "laptop lost"]).expect(0);
    // It is over at once, and not when the client reads.
    gate.audit.wait_for("the last write", |record| record["message_id"] == 300 && !record["result"].is_null());
    let mut direct = directly(&slapd);
    let canary = modify_request(&employee(2), 2, "description", &[CANARY.as_bytes()]);
    assert_eq!(direct.ask(&canary, &[]).code, 0);
    gone(&slapd);
    for seen in read_all(&mut client) {
        assert!(!holds(&seen.body, CANARY.as_bytes()) && seen.controls.is_empty(), "{seen:?}");
        match seen.id {
            0 => assert_eq!(seen.notice_of_disconnection(), Some(52)),
            100..132 if seen.tag == tag::ENTRY => {}
            100..132 => assert_eq!(seen.answer().code, 52),
            200..=300 => assert!(matches!(seen.answer().code, 50 | 52), "{seen:?}"),
            _ => assert_eq!(seen.answer().code, 50, "{seen:?}"),
        }
    }
    assert_eq!(description(&mut direct, &employee(1)), b"salary 1000");
    let log = slapd.log();
    let asked = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(asked(&format!("MOD dn=\"{}\"", employee(1))), 0, "a write was done after its grant had ended");
    assert_eq!(asked(&format!("CMP dn=\"{}\"", employee(2))), 0);
    for operation in ["modify", "compare"] {
        let ended = endings(&gate, operation);
        assert!(!ended.is_empty());
        for (target, (decision, ending, result)) in ended {
            assert_eq!((&*decision, &*ending), ("ended", "connection_closed"), "{operation} {target}");
            assert_eq!(result, Some(if operation == "compare" { 50 } else { 52 }), "{operation} {target}");
        }
    }
}

/// The directory stands still, and takes no octets any more: what the gate has kept is not sent when it runs again.
#[test]
fn what_a_stopped_directory_has_not_taken_is_not_done() {
    const WRITES: usize = 60;
    let slapd = Slapd::with(Extra { big: (WRITES, 10), ..Extra::default() });
    let gate = Setup::default().policy(POLICY).and(EDITOR).plain_directory(slapd.ldap).start(&slapd);
    let grant = gate.granted("alice", "big-editor", &[]);
    let mut client = gate.client_as("alice");
    slapd.pause(true);
    let value = vec![b'n'; 400_000];
    let burst: Vec<u8> = (0..WRITES)
        .flat_map(|n| {
            let modify = modify_request(&large(n), 2, "description", &[&value]);
            message(100 + i32::try_from(n).unwrap(), &modify, &[])
        })
        .collect();
    let reader = std::thread::spawn(move || {
        client.send_raw(&burst);
        read_all(&mut client)
    });
    // The gate takes no more when much is unsent.
    let (mut count, mut same) = (0, 0);
    eventually("the directory takes no more", || {
        let now = in_flight(&gate);
        same = if now == count && now > 0 { same + 1 } else { 0 };
        count = now;
        (same >= 20).then_some(())
    });
    let ended = Instant::now();
    gate.cli("bob", &["revoke", &grant, "--reason", "enough"]).expect(0);
    eventually("each is recorded", || (endings(&gate, "modify").len() >= count).then_some(()));
    assert!(ended.elapsed() < PATIENCE);
    slapd.pause(false);
    gone(&slapd);
    let ended = endings(&gate, "modify");
    let unsent: Vec<&str> =
        ended.iter().filter(|(_, (_, ending, _))| ending == "not_sent").map(|(target, _)| target.as_str()).collect();
    assert!(!unsent.is_empty() && unsent.len() < ended.len(), "{ended:?}");
    for (target, (decision, ending, result)) in &ended {
        let expected = if ending == "not_sent" { 50 } else { 52 };
        assert_eq!((&**decision, *result), ("ended", Some(expected)), "{target}");
    }
    let mut direct = directly(&slapd);
    for target in unsent {
        assert_eq!(description(&mut direct, target), b"xxxxxxxxxx", "{target} was not sent");
    }
    for seen in reader.join().unwrap().iter().filter(|seen| seen.id != 0) {
        assert!(matches!(seen.answer().code, 50 | 52), "{seen:?}");
    }
}

/// In the middle of a pipeline: what succeeded is done, what is refused is not, and what is neither is said to be unknown.
#[test]
fn a_pipeline_of_writes_ends_in_the_middle() {
    const WRITES: usize = 300;
    let slapd = Slapd::with(Extra { big: (WRITES, 10), ..Extra::default() });
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().policy(POLICY).and(EDITOR).plain_directory(wire.port).start(&slapd);
    let grant = gate.granted("alice", "big-editor", &[]);
    let mut client = gate.client_as("alice");
    wire.slow_requests(Duration::from_millis(5));
    for n in 0..WRITES {
        client.send(&modify_request(&large(n), 2, "description", &[b"changed"]), &[]);
    }
    let first = client.receive().expect("an answer").answer().code;
    assert_eq!(first, 0);
    gate.cli("alice", &["release", &grant]).expect(0);
    let seen = read_all(&mut client);
    assert_eq!(seen.last().and_then(Message::notice_of_disconnection), Some(52));
    let done: Vec<_> = seen.iter().take_while(|seen| seen.id != 0 && seen.answer().code == 0).collect();
    let rest: Vec<_> = seen.iter().filter(|seen| seen.id != 0).skip(done.len()).collect();
    assert_eq!(1 + done.len() + rest.len(), WRITES, "each has one answer");
    assert!(!rest.is_empty() && rest.iter().all(|seen| matches!(seen.answer().code, 50 | 52)));
    gone(&slapd);
    let mut direct = directly(&slapd);
    for (target, (decision, ending, result)) in endings(&gate, "modify") {
        let changed = description(&mut direct, &target) == b"changed";
        match (&*decision, &*ending, result) {
            ("permitted", "null", Some(0)) => assert!(changed, "{target}"),
            ("ended", "not_sent", Some(50)) => assert!(!changed, "{target}"),
            ("ended", "connection_closed", Some(52)) | ("refused", "null", Some(50)) => {}
            other => panic!("{target}: {other:?}"),
        }
    }
}

/// The directory says nothing any more; the client is told all the same.
#[test]
fn what_is_with_a_silent_directory_ends() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().policy(PAYROLL_POLICY).plain_directory(wire.port).start(&slapd);
    let grant = gate.granted("alice", "payroll-editor", &[]);
    let mut client = gate.client_as("alice");
    wire.hold(true);
    let id = client.send(&compare_request(&employee(1), "description", "salary 1000"), &[]);
    wire.wait_for("the comparison", |heard| heard.tag == tag::COMPARE);
    gate.cli("bob", &["revoke", &grant, "--reason", "enough"]).expect(0);
    assert_eq!(client.receive_for(id).answer().code, 50);
    wire.wait_for("its abandon", |heard| heard.tag == tag::ABANDON);
    let record = gate.audit.wait_for("the comparison", |record| record["operation"] == "compare");
    assert_eq!((&record["decision"], &record["ending"]), (&"ended".into(), &"abandoned".into()));
    // The late answer is nobody's.
    wire.hold(false);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
    let grant = gate.granted("alice", "payroll-editor", &[]);
    wire.hold(true);
    let id = client.send(&modify_request(&employee(1), 2, "description", &[b"x"]), &[post_read()]);
    wire.wait_for("the write", |heard| heard.tag == tag::MODIFY);
    gate.cli("bob", &["revoke", &grant, "--reason", "enough"]).expect(0);
    let answer = client.receive_for(id);
    assert_eq!((answer.answer().code, answer.controls.len()), (52, 0));
    assert_eq!(client.receive().and_then(|last| last.notice_of_disconnection()), Some(52));
    assert_eq!(client.receive(), None);
    let record = gate.audit.wait_for("the write", |record| record["operation"] == "modify");
    assert_eq!((&record["decision"], &record["ending"]), (&"ended".into(), &"connection_closed".into()));
}
