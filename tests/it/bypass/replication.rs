//! Sync (RFC 4533): the whole of what is reached, and everything that happens to it, for as long as the client likes.
//! Only to who holds all of it by what may replicate, and no longer.

use crate::support::ber::{enumerated, octets, sequence};
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, Search, control, modify_request, tag};
use crate::support::slapd::{BASE, Extra, person};
use crate::support::target::Target;

const SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";
const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
const INTERMEDIATE: u8 = 0x79;
const UNAVAILABLE_CRITICAL: i32 = 12;

const POLICY: &str = r#"
[[resource]]
name = "payroll"
base = "ou=payroll,dc=example,dc=com"

[[standing]]
who = ["dn:uid=carol,ou=people,dc=example,dc=com"]
resource = "payroll"
reason = "may read, and no more"

[[standing]]
who = ["group:cn=security,ou=groups,dc=example,dc=com"]
resource = "payroll"
operations = ["search"]
reason = "keeps a copy"
replicate = true

[[role]]
name = "payroll-consumer"
description = "Keep a copy"
allow = [{ resource = "payroll", operations = ["search"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
default_duration = "1h"
replicate = true
"#;

fn gated(policy: &str) -> Target {
    Target::gated(Extra::default(), Setup::default().policy(policy))
}

/// A search that begins a sync: 1 refreshes only, 3 goes on.
fn sync(base: &str, mode: i32) -> Search {
    Search::new(format!("{base}{BASE}")).control(control(SYNC, true, Some(&sequence(&[&enumerated(mode)]))))
}

/// Begins a sync that goes on, and reads to the end of its refresh; how many entries came.
fn refreshed(client: &mut Client, base: &str) -> (i32, usize) {
    let search = sync(base, 3);
    let id = client.send(&search.encoded(), &search.controls);
    let mut entries = 0;
    loop {
        let message = client.receive_for(id);
        match message.tag {
            tag::ENTRY => {
                assert!(message.controls.iter().any(|(oid, _)| oid == SYNC_STATE), "{message:?}");
                entries += 1;
            }
            INTERMEDIATE => return (id, entries),
            _ => panic!("{message:?}"),
        }
    }
}

fn write_title(gate: &Gate, name: &str, title: &str) {
    let mut writer = gate.client_as("carol");
    let answer = writer.ask(&modify_request(name, 2, "title", &[title.as_bytes()]), &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[test]
fn a_sync_of_what_is_open_goes_on_and_hears_of_changes() {
    let target = gated(POLICY);
    let gate = target.gate();
    let mut client = gate.client_as("bob");
    let (id, entries) = refreshed(&mut client, "ou=people,");
    assert_eq!(entries, 8);
    write_title(gate, &person("bob"), "Changed");
    let changed = client.receive_for(id);
    assert_eq!((changed.tag, changed.entry().dn.as_str()), (tag::ENTRY, person("bob").as_str()));
    // Grants of others come and go, and the gate reads its groups again and again: it goes on.
    let grant = gate.granted("alice", "payroll-consumer", &[]);
    gate.cli("alice", &["release", &grant]).expect(0);
    write_title(gate, &person("bob"), "Again");
    assert_eq!(client.receive_for(id).tag, tag::ENTRY);
    // And ends when the client says so, as does a refresh by itself.
    let done = client.search(&sync("ou=people,", 1));
    assert_eq!((done.answer.code, done.entries.len()), (0, 8));
    assert!(done.controls.iter().any(|(oid, _)| oid == SYNC_DONE), "{:?}", done.controls);
}

#[test]
fn what_is_held_to_be_read_is_not_held_to_be_copied() {
    let target = gated(POLICY);
    for (who, base, code) in [
        ("bob", "", UNAVAILABLE_CRITICAL),
        ("bob", "ou=payroll,", UNAVAILABLE_CRITICAL),
        ("carol", "ou=payroll,", UNAVAILABLE_CRITICAL),
        ("erin", "ou=payroll,", 0),
        ("erin", "", 0),
    ] {
        let found = target.gate().client_as(who).search(&sync(base, 1));
        assert_eq!(found.answer.code, code, "{who} {base}");
        assert_eq!(found.entries.is_empty(), code != 0, "{who} {base}");
    }
    // Not critical, it is a search like others.
    let plain = Search::new(BASE).filter("(uid=*)");
    let loose = plain.clone().control(control(SYNC, false, Some(&sequence(&[&enumerated(3)]))));
    let mut client = target.gate().client_as("bob");
    assert_eq!(client.search(&loose).summary(), client.search(&plain).summary());
    // A cookie is handed on as it is.
    let first = target.gate().client_as("erin").search(&sync("ou=payroll,", 1));
    let (_, done) = first.controls.iter().find(|(oid, _)| oid == SYNC_DONE).expect("a cookie").clone();
    let cookie = crate::support::ber::children(crate::support::ber::cut(&done).unwrap().1)[0].1.to_vec();
    let again = sequence(&[&enumerated(1), &octets(&cookie)]);
    let second = Search::new(format!("ou=payroll,{BASE}")).control(control(SYNC, true, Some(&again)));
    let found = target.gate().client_as("erin").search(&second);
    assert_eq!((found.answer.code, found.entries.len()), (0, 0), "nothing has changed since");
}

#[test]
fn a_sync_ends_with_its_grant() {
    let target = gated(POLICY);
    let gate = target.gate();
    let grant = gate.granted("alice", "payroll-consumer", &[]);
    let mut client = gate.client_as("alice");
    let (id, entries) = refreshed(&mut client, "ou=payroll,");
    assert!(entries > 20);
    gate.cli("alice", &["release", &grant]).expect(0);
    let end = client.receive_for(id);
    assert_eq!((end.tag, end.answer().code), (tag::SEARCH_DONE, 50));
    // The session goes on, and what happens now is not heard of.
    write_title(gate, &format!("uid=e01,ou=payroll,{BASE}"), "Changed");
    assert_eq!(client.search(&sync("ou=people,", 1)).answer.code, 0);
}

/// Neither the policy nor a group is what it was when the sync began.
#[test]
fn a_sync_ends_when_what_it_reaches_is_protected_meanwhile() {
    let target = gated("");
    let gate = target.gate();
    let mut client = gate.client_as("bob");
    let (everything, entries) = refreshed(&mut client, "");
    assert!(entries > 30);
    let (people, _) = refreshed(&mut client, "ou=people,");
    let text = std::fs::read_to_string(&gate.configuration).unwrap();
    std::fs::write(&gate.configuration, text + POLICY).unwrap();
    gate.cli("root-admin", &["reload"]).expect(0);
    let end = client.receive_for(everything);
    assert_eq!((end.tag, end.answer().code), (tag::SEARCH_DONE, 50), "{end:?}");
    // What is open all the same goes on.
    write_title(gate, &person("bob"), "Changed");
    assert_eq!(client.receive_for(people).tag, tag::ENTRY);
}

/// OpenLDAP's own consumer.
#[test]
fn a_real_consumer_is_served() {
    let refresh = |target: &Target, who: &str, base: &str| {
        let base = format!("{base}{BASE}");
        target.ldap("ldapsearch", Some(who), &["-LLL", "-E", "!sync=ro", "-b", &base, "(uid=*)", "dn"], "")
    };
    let (direct, gated) = (Target::direct(Extra::default()), gated(POLICY));
    let names =
        |out: &str| -> Vec<String> { out.lines().filter(|line| line.starts_with("dn: ")).map(str::to_owned).collect() };
    for (who, base) in [("bob", "ou=people,"), ("erin", "ou=payroll,"), ("erin", "")] {
        let (straight, through) = (refresh(&direct, who, base).expect(0), refresh(&gated, who, base).expect(0));
        assert_eq!(names(&through.stdout), names(&straight.stdout), "{who} {base}");
        assert!(!names(&through.stdout).is_empty());
    }
    refresh(&gated, "bob", "").expect(UNAVAILABLE_CRITICAL);
}
