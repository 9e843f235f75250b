//! Messages that are not LDAP: answered as RFC 4511 says or cut off, while others are served.

use crate::support::ber::{boolean, enumerated, filter, integer, octets, sequence, tlv, tlv_long};
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, message, tag};
use crate::support::slapd::{BASE, Slapd, person};

/// A search of Alice's entry with this filter, and these octets after its last element.
fn search_with(filter: &[u8], trailing: &[u8]) -> Vec<u8> {
    let parts = [
        octets(person("alice")),
        enumerated(0),
        enumerated(0),
        integer(0),
        integer(0),
        boolean(false),
        filter.to_vec(),
        tlv(0x30, b""),
        trailing.to_vec(),
    ];
    tlv(tag::SEARCH, &parts.concat())
}

/// What the server says to these octets: result codes of answers and of notices, until it closes or has answered.
fn said(gate: &Gate, octets: &[u8], then_close: bool) -> Vec<i32> {
    let mut client = gate.client_as("alice");
    client.send_raw(octets);
    if then_close {
        let _ = client.socket().shutdown(std::net::Shutdown::Write);
    }
    let mut out = Vec::new();
    while let Some(message) = client.receive() {
        assert_ne!(message.tag, tag::ENTRY, "served: {message:?}");
        out.push(message.answer().code);
        if message.id != 0 {
            break;
        }
    }
    out
}

fn served(client: &mut Client) {
    let found = client.search(&Search::new(person("bob")).scope(SCOPE_BASE));
    assert_eq!(found.summary(), (0, vec![person("bob").as_str()]));
}

#[test]
fn what_cannot_be_read_ends_that_session_and_no_other() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut other = gate.client_as("bob");
    let good = Search::new(person("alice")).scope(SCOPE_BASE).encoded();
    let depth = (0..20_000).fold(b"\x87\x02cn".to_vec(), |inner, _| tlv(0xa2, &inner));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("not BER", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("not a sequence", tlv(0x31, &[integer(1), good.clone()].concat())),
        ("indefinite length", [&[0x30, 0x80][..], &integer(1), &good, &[0, 0]].concat()),
        ("a length of lengths beyond reason", [&[0x30, 0x88][..], &[0x7f; 8]].concat()),
        ("larger than any limit", vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]),
        ("a high tag", [&[0x3f, 0x81, 0x01, 0x02][..], &integer(1)].concat()),
        ("no operation", sequence(&[&integer(1)])),
        ("nothing", sequence(&[])),
        ("an operation that does not exist", sequence(&[&integer(1), &tlv(0x7e, b"")])),
        ("nested beyond reason", message(1, &search_with(&depth, b""), &[])),
    ];
    for (what, octets) in cases {
        let codes = said(&gate, &octets, true);
        assert!(codes.iter().all(|code| *code == 2 || *code == 11), "{what}: {codes:?}");
        served(&mut other);
    }
    served(&mut gate.client_as("carol"));
}

#[test]
fn what_can_be_answered_is_answered_with_protocol_error() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let present = filter("(cn=*)");
    let two_in_not = tlv(0xa2, &[filter("(cn=*)"), filter("(sn=*)")].concat());
    let substrings = |parts: &[(u8, &str)]| {
        let parts: Vec<u8> = parts.iter().flat_map(|(tag, value)| tlv(*tag, value.as_bytes())).collect();
        tlv(0xa4, &[octets("uid"), tlv(0x30, &parts)].concat())
    };
    let compare = |trailing: &[u8]| {
        let assertion = sequence(&[&octets("uid"), &octets("alice"), trailing]);
        tlv(tag::COMPARE, &[octets(person("alice")), assertion].concat())
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("an element behind a search", search_with(&present, &octets("x"))),
        ("octets behind a search", search_with(&present, b"\x04")),
        ("a NOT of two", search_with(&two_in_not, b"")),
        ("a NOT of nothing", search_with(&tlv(0xa2, b""), b"")),
        ("a filter that does not exist", search_with(&tlv(0xaf, b""), b"")),
        ("an extensible match of neither rule nor type", search_with(&tlv(0xa9, &tlv(0x83, b"x")), b"")),
        ("substrings of nothing", search_with(&substrings(&[]), b"")),
        ("an end before a beginning", search_with(&substrings(&[(0x82, "l"), (0x80, "c")]), b"")),
        ("two beginnings", search_with(&substrings(&[(0x80, "l"), (0x80, "c")]), b"")),
        ("a third element in an assertion", compare(&octets("x"))),
        ("a scope that does not exist", tlv(tag::SEARCH, &Search::new(BASE).scope(9).encoded()[2..])),
        ("a modify of nothing", tlv(tag::MODIFY, &[octets(person("alice"))].concat())),
    ];
    for (what, operation) in cases {
        let codes = said(&gate, &message(9, &operation, &[]), false);
        assert_eq!(codes, [2], "{what}");
    }
    assert!(!slapd.log().contains("base=\"uid=alice"), "what was not understood was passed on: {}", slapd.log());
}

#[test]
fn a_message_that_ends_early_is_nobodys_harm() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let whole = message(1, &Search::new(BASE).encoded(), &[]);
    for length in 1..whole.len() {
        let mut client = gate.client();
        client.send_raw(&whole[..length]);
    }
    served(&mut gate.client_as("alice"));
}

#[test]
fn long_forms_of_lengths_are_read() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = gate.client();
    // As Microsoft's libraries write: every constructed length in four octets (RFC 4511 5.1 allows it).
    let bind = tlv_long(tag::BIND, &[integer(3), octets(person("alice")), tlv_long(0x80, b"alice-secret")].concat());
    client.send_raw(&tlv_long(0x30, &[integer(1), bind].concat()));
    assert_eq!(client.receive_for(1).answer().code, 0);
    let equal = tlv_long(0xa3, &[octets("uid"), octets("alice")].concat());
    let parts = [
        octets(format!("ou=people,{BASE}")),
        enumerated(2),
        enumerated(0),
        integer(0),
        integer(0),
        boolean(false),
        equal,
        tlv_long(0x30, &octets("uid")),
    ];
    let search = tlv_long(tag::SEARCH, &parts.concat());
    client.send_raw(&tlv_long(0x30, &[integer(2), search].concat()));
    assert_eq!(client.collect(2).summary(), (0, vec![person("alice").as_str()]));
}
