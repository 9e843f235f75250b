//! Message ids, abandon and cancel: ids are the session's own on each side, and mapped.

use crate::support::ber::{integer, sequence, tlv, value};
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{SCOPE_BASE, Search, bind_request, extended_request, message, tag};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::wire::{Heard, Wire};
use std::time::Duration;

const CANCEL: &str = "1.3.6.1.1.8";

fn slow() -> (Slapd, Wire, Gate) {
    let slapd = Slapd::with(Extra { big: (500, 10), ..Extra::default() });
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start(&slapd);
    (slapd, wire, gate)
}

fn abandon(id: i32) -> Vec<u8> {
    let number = integer(id);
    tlv(tag::ABANDON, &number[2..])
}

fn cancel(id: i32) -> Vec<u8> {
    extended_request(CANCEL, Some(&sequence(&[&integer(id)])))
}

fn big() -> Vec<u8> {
    Search::new(format!("ou=big,{BASE}")).encoded()
}

fn is_big(heard: &Heard) -> bool {
    heard.tag == tag::SEARCH && heard.body.windows(6).any(|w| w == b"ou=big")
}

#[test]
fn abandon_is_mapped_and_ends_one_operation() {
    let (_slapd, wire, gate) = slow();
    let mut client = gate.client_as("alice");
    wire.slow_entries(Duration::from_millis(5));
    client.send_raw(&message(77, &big(), &[]));
    assert_eq!(client.receive_for(77).tag, tag::ENTRY);
    client.send_raw(&message(78, &abandon(77), &[]));
    let search = wire.wait_for("the search", is_big);
    let given_up = wire.wait_for("the abandon", |m| m.tag == tag::ABANDON);
    assert_eq!((given_up.connection, value(&given_up.body)), (search.connection, search.id));
    // RFC 4511 4.11: no answer to either; the session goes on. What was under way may still come.
    client.send_raw(&message(79, &Search::new(person("bob")).scope(SCOPE_BASE).encoded(), &[]));
    let mut passed = 0;
    let next = loop {
        let message = client.receive().expect("an answer");
        if message.id != 77 {
            break message;
        }
        assert_eq!(message.tag, tag::ENTRY, "an abandoned search is not answered: {message:?}");
        passed += 1;
    };
    assert_eq!((next.id, next.tag), (79, tag::ENTRY));
    assert!(passed < 400, "the search ran on: {passed} entries");
}

#[test]
fn abandon_reaches_nobody_else() {
    let (_slapd, wire, gate) = slow();
    let (mut one, mut other) = (gate.client_as("alice"), gate.client_as("bob"));
    wire.slow_entries(Duration::from_micros(500));
    one.send_raw(&message(5, &big(), &[]));
    assert_eq!(one.receive_for(5).tag, tag::ENTRY);
    // Ids that are nothing here, the other's, the upstream's, or its own.
    for id in [0, 1, 5, 9, i32::MAX] {
        other.send_raw(&message(9, &abandon(id), &[]));
    }
    other.bind_as("bob");
    assert_eq!(one.collect(5).summary().0, 0);
}

#[test]
fn abandon_of_a_bind_is_ignored() {
    let (_slapd, wire, gate) = slow();
    let mut client = gate.client();
    wire.hold(true);
    client.send_raw(&message(3, &bind_request(&person("alice"), b"alice-secret"), &[]));
    client.send_raw(&message(4, &abandon(3), &[]));
    wire.wait_for("the bind", |m| m.tag == tag::BIND && m.body.windows(9).any(|w| w == b"uid=alice"));
    wire.hold(false);
    assert_eq!(client.receive_for(3).answer().code, 0);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
}

#[test]
fn cancel_is_mapped_and_answered() {
    // So much that slapd itself is in the middle of it, and not only the wire.
    let slapd = Slapd::with(Extra { big: (1_000, 40_000), ..Extra::default() });
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start(&slapd);
    let mut client = gate.client_as("alice");
    wire.slow_entries(Duration::from_millis(2));
    client.send_raw(&message(40, &Search::new(format!("ou=big,{BASE}")).attributes(&["*"]).encoded(), &[]));
    assert_eq!(client.receive_for(40).tag, tag::ENTRY);
    client.send_raw(&message(41, &cancel(40), &[]));
    let (mut ended, mut answered) = (None, None);
    while ended.is_none() || answered.is_none() {
        let message = client.receive().expect("an answer");
        match (message.id, message.tag) {
            (40, tag::ENTRY) => {}
            (40, _) => ended = Some(message.answer().code),
            (41, _) => answered = Some(message.answer().code),
            _ => panic!("{message:?}"),
        }
    }
    // RFC 3909: canceled, and success.
    assert_eq!((ended, answered), (Some(118), Some(0)));
    assert_eq!(client.ask(&cancel(12_345), &[]).code, 119);
}

#[test]
fn ids_that_cannot_be_answered_end_the_session() {
    let (slapd, _wire, gate) = slow();
    let request = Search::new(person("alice")).scope(SCOPE_BASE).encoded();
    let with_id = |id: &[u8]| sequence(&[&tlv(2, id), &request]);
    // RFC 4511 4.1.1.1: 0 is for unsolicited notifications, and ids end at 2^31 - 1.
    for id in [&[0][..], &[0xff], &[0x80, 0, 0, 0], &[0, 0x80, 0, 0, 0], &[1, 0, 0, 0, 0], &[]] {
        let mut client = gate.client_as("alice");
        client.send_raw(&with_id(id));
        while let Some(message) = client.receive() {
            assert_eq!(message.notice_of_disconnection(), Some(2), "id {id:02x?}: {message:?}");
        }
    }
    drop(slapd);
}

#[test]
fn an_id_in_use_is_not_used_twice() {
    let (_slapd, wire, gate) = slow();
    let mut client = gate.client_as("alice");
    wire.slow_entries(Duration::from_millis(2));
    client.send_raw(&message(7, &big(), &[]));
    assert_eq!(client.receive_for(7).tag, tag::ENTRY);
    client.send_raw(&message(7, &Search::new(person("bob")).scope(SCOPE_BASE).encoded(), &[]));
    let mut done = 0;
    while let Some(message) = client.receive() {
        match message.tag {
            tag::ENTRY => assert!(!message.entry().dn.contains("bob"), "answers of two searches under one id"),
            tag::SEARCH_DONE => {
                done += 1;
                if message.answer().code == 0 {
                    break;
                }
                assert_eq!(message.answer().code, 2, "{message:?}");
            }
            _ => assert_eq!(message.notice_of_disconnection(), Some(2), "{message:?}"),
        }
    }
    assert!(done <= 2);
}
