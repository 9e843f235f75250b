//! Many requests at once: each gets its own answer, and nothing passes a bind.

use crate::support::gate::Setup;
use crate::support::ldap::{SCOPE_BASE, Search, WHO_AM_I, bind_request, extended_request, message, tag};
use crate::support::slapd::{BASE, Slapd, password, person};
use crate::support::target::same;
use crate::support::wire::Wire;
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn each_request_gets_its_own_answer() {
    let told = same(|target| {
        let mut client = target.client();
        client.bind_as("alice");
        let names = ["alice", "bob", "carol", "dave", "erin", "frank"];
        let all: Vec<u8> = (0..60_i32)
            .flat_map(|n| {
                let who = person(names[n as usize % names.len()]);
                // Ids as odd as RFC 4511 4.1.1.1 allows, and in no order.
                message(0x7fff_ffff - n * 7919, &Search::new(who).scope(SCOPE_BASE).encoded(), &[])
            })
            .collect();
        client.send_raw(&all);
        let mut told: BTreeMap<i32, String> = BTreeMap::new();
        for _ in 0..120 {
            let message = client.receive().expect("an answer");
            match message.tag {
                tag::ENTRY => told.entry(message.id).or_default().push_str(&message.entry().dn),
                _ => assert_eq!(message.answer().code, 0),
            }
        }
        told
    });
    assert_eq!(told.len(), 60);
    assert_eq!(told[&(0x7fff_ffff - 7919)], person("bob"));
}

#[test]
fn nothing_passes_a_bind() {
    // Only the gate: slapd 2.5 stops answering a connection that sends on behind a bind.
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = gate.client();
    let mut all = Vec::new();
    for (n, name) in ["alice", "bob", "carol"].iter().enumerate() {
        let id = 10 * (n as i32 + 1);
        all.extend(message(id, &bind_request(&person(name), password(name).as_bytes()), &[]));
        all.extend(message(id + 1, &extended_request(WHO_AM_I, None), &[]));
    }
    client.send_raw(&all);
    let told: Vec<_> = (0..6).map(|_| client.receive().expect("an answer")).collect();
    let ids: Vec<i32> = told.iter().map(|message| message.id).collect();
    assert_eq!(ids, [10, 11, 20, 21, 30, 31]);
    for (n, name) in [(1, "alice"), (3, "bob"), (5, "carol")] {
        let body = String::from_utf8_lossy(&told[n].body).into_owned();
        assert!(body.ends_with(&format!("dn:{}", person(name))), "{body}");
    }
}

#[test]
fn a_bind_waits_for_what_is_outstanding() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start(&slapd);
    let mut client = gate.client_as("alice");
    wire.slow_entries(Duration::from_millis(10));
    let search = client.send(&Search::new(format!("ou=people,{BASE}")).encoded(), &[]);
    let bind = client.send(&bind_request(&person("bob"), b"wrong"), &[]);
    let behind = client.send(&extended_request(WHO_AM_I, None), &[]);
    assert_eq!(client.collect(search).answer.code, 0);
    assert_eq!(client.receive_for(bind).answer().code, 49);
    let last = client.receive_for(behind);
    assert_eq!(last.answer().code, 0);
    // On the wire too: the bind was not sent while the search was open.
    let heard = wire.heard();
    let bound = heard.iter().rposition(|m| m.tag == tag::BIND).expect("a bind");
    assert!(heard.iter().skip(bound + 1).all(|m| m.tag != tag::SEARCH), "{heard:?}");
}
