//! Requests by hand, octet for octet: what is read, and what is refused with which code. That
//! any request survives its encoding is shown in `tests/it/ldap_round_trip.rs`.

use super::*;
use crate::engine::ldap::ber;
use crate::engine::ldap::message::Envelope;

/// An element of these contents.
fn el(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::write_element(&mut out, tag, &contents.concat());
    out
}

fn octets(content: impl AsRef<[u8]>) -> Vec<u8> {
    el(0x04, &[content.as_ref()])
}

fn seq(contents: &[&[u8]]) -> Vec<u8> {
    el(0x30, contents)
}

fn decode(tag: u8, body: &[u8]) -> Result<Request<'_>, RequestError> {
    Request::decode(&Envelope { id: 1, tag, body, controls: None })
}

#[track_caller]
fn refused(tag: u8, contents: &[&[u8]], code: ResultCode) {
    let body = contents.concat();
    match decode(tag, &body) {
        Ok(request) => assert_eq!(Err(code), Ok(request)),
        Err(error) => assert_eq!(error.code, code, "{error}"),
    }
}

#[track_caller]
fn malformed(tag: u8, contents: &[&[u8]]) {
    refused(tag, contents, ResultCode::PROTOCOL_ERROR);
}

/// Accepts, and encodes to the same octets.
#[track_caller]
fn canonical(tag: u8, contents: &[&[u8]]) {
    let body = contents.concat();
    let mut out = Vec::new();
    decode(tag, &body).unwrap().write_body(&mut out);
    assert_eq!(out, body);
}

const VERSION: &[u8] = b"\x02\x01\x03";
const TRUE: &[u8] = b"\x01\x01\xff";
const ENTRY: &[u8] = b"\x04\x03a=b";
const NO_DN: &[u8] = b"\x04\x01b";

#[test]
fn bind() {
    let name = octets("cn=x,dc=y");
    canonical(tag::BIND_REQUEST, &[VERSION, &name, &el(0x80, &[b"\xff\x00\xfe"])]);
    canonical(tag::BIND_REQUEST, &[VERSION, &octets(""), &el(0x80, &[])]);
    canonical(tag::BIND_REQUEST, &[VERSION, &octets("user@example.com"), &el(0x80, &[b"secret"])]);
    canonical(tag::BIND_REQUEST, &[VERSION, &octets(b"\xff"), &el(0x80, &[b"secret"])]);
    canonical(tag::BIND_REQUEST, &[b"\x02\x01\x02", &name, &el(0x80, &[b"secret"])]);
    canonical(tag::BIND_REQUEST, &[VERSION, &octets(""), &el(0xa3, &[&octets("PLAIN")])]);
    canonical(tag::BIND_REQUEST, &[VERSION, &octets(""), &el(0xa3, &[&octets("PLAIN"), &octets("")])]);

    let other = [VERSION, &name, &el(0x85, &[b"?"])].concat();
    let expected = Authentication::Other(0x85);
    assert!(matches!(decode(tag::BIND_REQUEST, &other), Ok(Request::Bind(b)) if b.authentication == expected));

    malformed(tag::BIND_REQUEST, &[]);
    malformed(tag::BIND_REQUEST, &[VERSION, &name]);
    malformed(tag::BIND_REQUEST, &[VERSION, &name, &el(0x80, &[]), &el(0x80, &[])]);
    malformed(tag::BIND_REQUEST, &[VERSION, &name, &el(0xa3, &[])]);
    malformed(tag::BIND_REQUEST, &[VERSION, &name, &el(0xa3, &[&octets("PLAIN"), &octets("a"), &octets("b")])]);
    malformed(tag::BIND_REQUEST, &[&octets("3"), &name, &el(0x80, &[])]);
    malformed(tag::BIND_REQUEST, &[b"\x02\x02\x00\x03", &name, &el(0x80, &[])]);
}

#[test]
fn debug_output_shows_no_secret() {
    let password = [VERSION, ENTRY, &el(0x80, &[b"secret"])].concat();
    let sasl = [VERSION, ENTRY, &el(0xa3, &[&octets("PLAIN"), &octets("secret")])].concat();
    let compare = [ENTRY, &seq(&[&octets("userPassword"), &octets("secret")])].concat();
    let add = [ENTRY, &seq(&[&seq(&[&octets("userPassword"), &el(0x31, &[&octets("secret")])])])].concat();
    let change = seq(&[&seq(&[b"\x0a\x01\x02", &seq(&[&octets("userPassword"), &el(0x31, &[&octets("secret")])])])]);
    let modify = [ENTRY, &change].concat();
    let search = search_body(&el(0xa3, &[&octets("userPassword"), &octets("secret")]));
    let new = el(0x81, &[&seq(&[&el(0x81, &[b"secret"]), &el(0x82, &[b"secret"])])]);
    let extended = [el(0x80, &[oid::PASSWORD_MODIFY.as_bytes()]), new].concat();
    for (tag, body) in [
        (tag::BIND_REQUEST, password),
        (tag::BIND_REQUEST, sasl),
        (tag::COMPARE_REQUEST, compare),
        (tag::ADD_REQUEST, add),
        (tag::MODIFY_REQUEST, modify),
        (tag::SEARCH_REQUEST, search),
        (tag::EXTENDED_REQUEST, extended),
    ] {
        let shown = format!("{:?}", decode(tag, &body).unwrap());
        // Also not as a list of octets.
        assert!(!shown.contains("secret") && !shown.contains("115, 101"), "{shown}");
    }
}

#[test]
fn unbind_and_abandon_and_delete_are_primitive() {
    canonical(tag::UNBIND_REQUEST, &[]);
    malformed(tag::UNBIND_REQUEST, &[b"\x05\x00"]);
    canonical(tag::ABANDON_REQUEST, &[b"\x05"]);
    canonical(tag::ABANDON_REQUEST, &[b"\x7f\xff\xff\xff"]);
    canonical(tag::ABANDON_REQUEST, &[b"\x00"]);
    malformed(tag::ABANDON_REQUEST, &[]);
    malformed(tag::ABANDON_REQUEST, &[b"\xff"]);
    malformed(tag::ABANDON_REQUEST, &[b"\x00\x05"]);
    malformed(tag::ABANDON_REQUEST, &[b"\x00\x80\x00\x00\x00"]);
    canonical(tag::DELETE_REQUEST, &[b"cn=x,dc=y"]);
    canonical(tag::DELETE_REQUEST, &[b""]);
    refused(tag::DELETE_REQUEST, &[ENTRY], ResultCode::INVALID_DN_SYNTAX);
}

fn search_with(fields: [&[u8]; 8]) -> Vec<u8> {
    fields.concat()
}

fn search_body(filter: &[u8]) -> Vec<u8> {
    search_with([
        ENTRY,
        b"\x0a\x01\x02",
        b"\x0a\x01\x00",
        b"\x02\x01\x00",
        b"\x02\x01\x00",
        b"\x01\x01\x00",
        filter,
        b"\x30\x00",
    ])
}

#[test]
fn search() {
    let scope = b"\x0a\x01\x02".as_slice();
    let deref = b"\x0a\x01\x03".as_slice();
    let limit = b"\x02\x02\x03\xe8".as_slice();
    let filter = b"\x87\x0bobjectClass".as_slice();
    let attributes = b"\x30\x06\x04\x01*\x04\x01+".as_slice();
    let good = [ENTRY, scope, deref, limit, limit, TRUE, filter, attributes];
    canonical(tag::SEARCH_REQUEST, &good);
    for (field, bad) in [
        (1, b"\x0a\x01\x04".as_slice()),
        (1, b"\x0a\x01\xff"),
        (1, b"\x02\x01\x02"),
        (2, b"\x0a\x01\x04"),
        (3, b"\x02\x01\xff"),
        (3, b"\x02\x05\x00\x80\x00\x00\x00"),
        (4, b"\x02\x01\x80"),
        (5, b"\x01\x00"),
        (5, b"\x01\x02\xff\xff"),
        (6, b"\x30\x00"),
        (7, b"\x31\x00"),
        (7, b"\x30\x03\x02\x01\x01"),
        (7, b""),
        (7, b"\x30\x00\x30\x00"),
    ] {
        let mut fields = good;
        fields[field] = bad;
        malformed(tag::SEARCH_REQUEST, &fields);
    }
    let mut fields = good;
    fields[0] = NO_DN;
    refused(tag::SEARCH_REQUEST, &fields, ResultCode::INVALID_DN_SYNTAX);
    fields[0] = b"\x04\x04cn=\xff";
    refused(tag::SEARCH_REQUEST, &fields, ResultCode::INVALID_DN_SYNTAX);
}

#[test]
fn a_true_of_another_octet_is_forwarded_as_0xff() {
    let with = |types_only| {
        search_with([
            ENTRY,
            b"\x0a\x01\x02",
            b"\x0a\x01\x00",
            b"\x02\x01\x00",
            b"\x02\x01\x00",
            types_only,
            b"\x87\x01a",
            b"\x30\x00",
        ])
    };
    let mut out = Vec::new();
    decode(tag::SEARCH_REQUEST, &with(b"\x01\x01\x01")).unwrap().write_body(&mut out);
    assert_eq!(out, with(TRUE));
}

#[test]
fn every_kind_of_filter() {
    let assertion = [octets("objectGUID"), octets(b"\xff\x00(*)")].concat();
    for filter in [
        el(0xa3, &[&assertion]),
        el(0xa5, &[&assertion]),
        el(0xa6, &[&assertion]),
        el(0xa8, &[&assertion]),
        el(0x87, &[b"cn"]),
        el(0xa0, &[]),
        el(0xa1, &[]),
        el(0xa1, &[&el(0x87, &[b"cn"]), &el(0xa2, &[&el(0xa0, &[&el(0x87, &[b"sn"])])])]),
        el(
            0xa4,
            &[&octets("cn"), &seq(&[&el(0x80, &[b"a"]), &el(0x81, &[b"b"]), &el(0x81, &[b"b"]), &el(0x82, &[b"c"])])],
        ),
        el(0xa4, &[&octets("cn"), &seq(&[&el(0x81, &[b"\xfe"])])]),
        el(0xa4, &[&octets("cn"), &seq(&[&el(0x82, &[b"c"])])]),
        el(0xa9, &[&el(0x81, &[b"caseExactMatch"]), &el(0x82, &[b"cn"]), &el(0x83, &[b"v"]), &el(0x84, &[b"\xff"])]),
        el(0xa9, &[&el(0x81, &[b"2.5.13.5"]), &el(0x83, &[b"v"])]),
        el(0xa9, &[&el(0x82, &[b"cn"]), &el(0x83, &[b""])]),
    ] {
        canonical(tag::SEARCH_REQUEST, &[&search_body(&filter)]);
    }
}

#[test]
fn filters_that_can_be_read_in_two_ways_are_refused() {
    let present = el(0x87, &[b"cn"]);
    let a = octets("a");
    let part = |tag| el(tag, &[b"x"]);
    for filter in [
        // A part of nothing, first, between and last.
        el(0xa4, &[&a, &seq(&[&el(0x80, &[]), &part(0x82)])]),
        el(0xa4, &[&a, &seq(&[&part(0x80), &el(0x81, &[]), &part(0x82)])]),
        el(0xa4, &[&a, &seq(&[&part(0x80), &el(0x82, &[])])]),
        // A name that goes on behind a NUL.
        el(0xa3, &[&octets("a\0b"), &octets("v")]),
        el(0xa4, &[&octets("a\0b"), &seq(&[&part(0x80)])]),
        el(0x87, &[b"a\0b"]),
        el(0xa9, &[&el(0x82, &[b"a\0"]), &el(0x83, &[b"v"])]),
        el(0xa9, &[&el(0x81, &[b"2.5.13.5\0"]), &el(0x82, &[b"a"]), &el(0x83, &[b"v"])]),
        // A NOT of nothing, of two, of something cut short.
        el(0xa2, &[]),
        el(0xa2, &[&present, &present]),
        el(0xa2, &[b"\x87\x05cn"]),
        el(0xa0, &[&present, b"\x87"]),
        el(0xa0, &[&present, &a]),
        // Assertions: value missing, a third element, another type of element.
        el(0xa3, &[&a]),
        el(0xa3, &[&a, &a, &a]),
        el(0xa3, &[&a, b"\x02\x01\x01"]),
        el(0xa3, &[&el(0x24, &[&a]), &a]),
        // Primitive for constructed, constructed for primitive; no such choice; high tag.
        el(0x83, &[&a, &a]),
        el(0xa7, &[b"cn"]),
        el(0xaa, &[]),
        b"\xbf\x20\x00".to_vec(),
        // Substrings: none, initial twice or late, final twice or early, unknown, something behind.
        el(0xa4, &[&a, &seq(&[])]),
        el(0xa4, &[&a, &seq(&[&part(0x80), &part(0x80)])]),
        el(0xa4, &[&a, &seq(&[&part(0x81), &part(0x80)])]),
        el(0xa4, &[&a, &seq(&[&part(0x82), &part(0x81)])]),
        el(0xa4, &[&a, &seq(&[&part(0x82), &part(0x82)])]),
        el(0xa4, &[&a, &seq(&[&part(0x83)])]),
        el(0xa4, &[&a, &seq(&[&part(0x81)]), &a]),
        // Extensible: nothing to go by, value missing, out of order, twice, something behind.
        el(0xa9, &[&part(0x83)]),
        el(0xa9, &[&part(0x81), &part(0x82)]),
        el(0xa9, &[&part(0x82), &part(0x81), &part(0x83)]),
        el(0xa9, &[&part(0x82), &part(0x83), &part(0x83)]),
        el(0xa9, &[&part(0x82), &part(0x83), &el(0x84, &[b"\xff"]), &a]),
        el(0xa9, &[&part(0x82), &part(0x83), &el(0x84, &[])]),
    ] {
        malformed(tag::SEARCH_REQUEST, &[&search_body(&filter)]);
    }
}

#[test]
fn filters_are_bounded_in_depth_and_number() {
    use crate::engine::ldap::filter::{MAX_DEPTH, MAX_NODES};
    let nested = |tag: u8, depth: usize| (0..depth).fold(el(0x87, &[b"cn"]), |inside, _| el(tag, &[&inside]));
    for tag in [0xa0, 0xa1, 0xa2] {
        canonical(tag::SEARCH_REQUEST, &[&search_body(&nested(tag, MAX_DEPTH))]);
    }
    let wide = |count: usize| el(0xa1, &[&el(0x87, &[b"cn"]).repeat(count)]);
    canonical(tag::SEARCH_REQUEST, &[&search_body(&wide(MAX_NODES - 1))]);
    // The number is of all of the filter, not of one list.
    let half = wide(MAX_NODES / 2);
    for (filter, bound) in [
        (wide(MAX_NODES), "600000"),
        (el(0xa0, &[&half, &half]), "600000"),
        (nested(0xa0, MAX_DEPTH + 1), "64"),
        (nested(0xa2, MAX_DEPTH + 1), "64"),
    ] {
        // RFC 4511 A.2: a client that keeps to the protocol is not told that it does not.
        let error = decode(tag::SEARCH_REQUEST, &search_body(&filter)).unwrap_err();
        assert_eq!(error.code, ResultCode::ADMIN_LIMIT_EXCEEDED);
        assert!(error.message.contains(bound), "{}", error.message);
    }
}

#[test]
fn a_smaller_number_of_filter_parts_can_be_allowed() {
    let body = search_body(&el(0xa1, &[&el(0x87, &[b"cn"]).repeat(9)]));
    let envelope = Envelope { id: 1, tag: tag::SEARCH_REQUEST, body: &body, controls: None };
    assert!(Request::decode_within(&envelope, 10).is_ok());
    let error = Request::decode_within(&envelope, 9).unwrap_err();
    assert_eq!((error.code, error.message.contains("9 (max_filter_parts)")), (ResultCode::ADMIN_LIMIT_EXCEEDED, true));
}

#[test]
fn nesting_without_end_does_not_overflow_the_stack() {
    let mut headers = Vec::new();
    for level in 0..100_000_u32 {
        headers.push(0xa2);
        headers.push(0x84);
        headers.extend_from_slice(&((99_999 - level) * 6 + 3).to_be_bytes());
    }
    headers.extend_from_slice(b"\x87\x01a");
    let body = search_body(&headers);
    assert_eq!(decode(tag::SEARCH_REQUEST, &body).unwrap_err().message, "the filter is nested deeper than 64 levels");
}

#[test]
fn modify() {
    let attribute = |values: &[&[u8]]| seq(&[&octets("member"), &el(0x31, values)]);
    let change = |kind: u8| seq(&[&[0x0a, 1, kind], &attribute(&[&octets("x"), &octets(b"\xff")])]);
    canonical(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&change(0), &change(1), &change(2), &change(3)])]);
    canonical(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&seq(&[b"\x0a\x01\x01", &attribute(&[])])])]);
    canonical(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[])]);
    refused(tag::MODIFY_REQUEST, &[NO_DN, &seq(&[])], ResultCode::INVALID_DN_SYNTAX);
    malformed(tag::MODIFY_REQUEST, &[ENTRY]);
    malformed(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&change(4)])]);
    malformed(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&change(0)]), &seq(&[&change(0)])]);
    malformed(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&seq(&[b"\x0a\x01\x00", &attribute(&[]), &attribute(&[])])])]);
    malformed(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&seq(&[b"\x0a\x01\x00"])])]);
    malformed(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&seq(&[b"\x0a\x01\x00", &seq(&[&octets("cn")])])])]);
    malformed(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&seq(&[b"\x0a\x01\x00", &attribute(&[b"\x02\x01\x01"])])])]);
    let two_sets = seq(&[&octets("cn"), &el(0x31, &[]), &el(0x31, &[])]);
    malformed(tag::MODIFY_REQUEST, &[ENTRY, &seq(&[&seq(&[b"\x0a\x01\x00", &two_sets])])]);
}

#[test]
fn add() {
    let attribute = seq(&[&octets("cn"), &el(0x31, &[&octets("x")])]);
    canonical(tag::ADD_REQUEST, &[ENTRY, &seq(&[&attribute, &attribute])]);
    refused(tag::ADD_REQUEST, &[NO_DN, &seq(&[])], ResultCode::INVALID_DN_SYNTAX);
    malformed(tag::ADD_REQUEST, &[ENTRY, &seq(&[&seq(&[&octets("cn"), &el(0x31, &[])])])]);
    malformed(tag::ADD_REQUEST, &[ENTRY, &seq(&[&attribute]), &seq(&[&attribute])]);
}

#[test]
fn rename() {
    let superior = el(0x80, &[b"ou=new,dc=y"]);
    canonical(tag::RENAME_REQUEST, &[ENTRY, &octets("cn=z"), TRUE]);
    canonical(tag::RENAME_REQUEST, &[ENTRY, &octets("cn=z"), b"\x01\x01\x00", &superior]);
    canonical(tag::RENAME_REQUEST, &[ENTRY, &octets("cn=z"), TRUE, &el(0x80, &[])]);
    for (entry, new_rdn, superior) in [
        (NO_DN, &octets("cn=z"), &superior),
        (ENTRY, &octets("z"), &superior),
        (ENTRY, &octets(""), &superior),
        (ENTRY, &octets("cn=z,dc=y"), &superior),
        (ENTRY, &octets("cn=z"), &el(0x80, &[b"y"])),
    ] {
        refused(tag::RENAME_REQUEST, &[entry, new_rdn, TRUE, superior], ResultCode::INVALID_DN_SYNTAX);
    }
    malformed(tag::RENAME_REQUEST, &[ENTRY, &octets("cn=z")]);
    malformed(tag::RENAME_REQUEST, &[ENTRY, &octets("cn=z"), TRUE, &superior, &superior]);
    malformed(tag::RENAME_REQUEST, &[ENTRY, &octets("cn=z"), TRUE, &octets("ou=new")]);
}

#[test]
fn compare() {
    let assertion = seq(&[&octets("userPassword"), &octets(b"\xff\x00")]);
    canonical(tag::COMPARE_REQUEST, &[ENTRY, &assertion]);
    refused(tag::COMPARE_REQUEST, &[NO_DN, &assertion], ResultCode::INVALID_DN_SYNTAX);
    malformed(tag::COMPARE_REQUEST, &[ENTRY, &seq(&[&octets("cn")])]);
    malformed(tag::COMPARE_REQUEST, &[ENTRY, &seq(&[&octets("cn"), &octets("a"), &octets("b")])]);
    malformed(tag::COMPARE_REQUEST, &[ENTRY, &assertion, &assertion]);
}

#[test]
fn extended() {
    let name = |oid: &str| el(0x80, &[oid.as_bytes()]);
    let value = |content: &[u8]| el(0x81, &[content]);
    for known in [oid::START_TLS, oid::WHO_AM_I] {
        canonical(tag::EXTENDED_REQUEST, &[&name(known)]);
        malformed(tag::EXTENDED_REQUEST, &[&name(known), &value(b"")]);
    }
    canonical(tag::EXTENDED_REQUEST, &[&name("1.2.3")]);
    canonical(tag::EXTENDED_REQUEST, &[&name("1.2.3"), &value(b"")]);
    canonical(tag::EXTENDED_REQUEST, &[&name("1.2.3"), &value(b"\xff")]);
    for bad in ["", "1", "1.", ".1", "1..2", "1.02", "1.2 ", "cancel", "1.2\n"] {
        malformed(tag::EXTENDED_REQUEST, &[&name(bad)]);
    }
    malformed(tag::EXTENDED_REQUEST, &[]);
    malformed(tag::EXTENDED_REQUEST, &[&name("1.2"), &name("1.2")]);
    malformed(tag::EXTENDED_REQUEST, &[&name("1.2"), &value(b""), &value(b"")]);
    malformed(tag::EXTENDED_REQUEST, &[&value(b""), &name("1.2")]);

    let cancel = name(oid::CANCEL);
    canonical(tag::EXTENDED_REQUEST, &[&cancel, &value(&seq(&[b"\x02\x01\x07"]))]);
    malformed(tag::EXTENDED_REQUEST, &[&cancel]);
    malformed(tag::EXTENDED_REQUEST, &[&cancel, &value(b"")]);
    malformed(tag::EXTENDED_REQUEST, &[&cancel, &value(&seq(&[b"\x02\x01\xff"]))]);
    malformed(tag::EXTENDED_REQUEST, &[&cancel, &value(&seq(&[b"\x02\x01\x07", b"\x02\x01\x08"]))]);
    malformed(tag::EXTENDED_REQUEST, &[&cancel, &value(&[seq(&[b"\x02\x01\x07"]), b"\x00".to_vec()].concat())]);
}

#[test]
fn password_modify() {
    let name = el(0x80, &[oid::PASSWORD_MODIFY.as_bytes()]);
    let value = |fields: &[&[u8]]| el(0x81, &[&seq(fields)]);
    let field = |tag| el(tag, &[b"\xff\x00"]);
    canonical(tag::EXTENDED_REQUEST, &[&name]);
    canonical(tag::EXTENDED_REQUEST, &[&name, &value(&[&field(0x80), &field(0x81), &field(0x82)])]);
    canonical(tag::EXTENDED_REQUEST, &[&name, &value(&[&el(0x82, &[])])]);
    malformed(tag::EXTENDED_REQUEST, &[&name, &el(0x81, &[])]);
    malformed(tag::EXTENDED_REQUEST, &[&name, &value(&[&field(0x81), &field(0x80)])]);
    malformed(tag::EXTENDED_REQUEST, &[&name, &value(&[&field(0x80), &field(0x80)])]);
    malformed(tag::EXTENDED_REQUEST, &[&name, &value(&[&field(0x83)])]);
    malformed(tag::EXTENDED_REQUEST, &[&name, &el(0x81, &[&seq(&[]), &seq(&[])])]);

    // No fields says the same as no value.
    let empty = [name.clone(), value(&[])].concat();
    let mut out = Vec::new();
    decode(tag::EXTENDED_REQUEST, &empty).unwrap().write_body(&mut out);
    assert_eq!(out, name);
}

#[test]
fn lists_are_bounded_and_values_are_not() {
    let attribute = seq(&[&octets("cn"), &el(0x31, &[&octets("x")])]);
    let change = seq(&[b"\x0a\x01\x00", &attribute]);
    for (tag, item) in [(tag::ADD_REQUEST, &attribute), (tag::MODIFY_REQUEST, &change)] {
        canonical(tag, &[ENTRY, &seq(&[&item.repeat(MAX_LIST)])]);
        malformed(tag, &[ENTRY, &seq(&[&item.repeat(MAX_LIST + 1)])]);
    }
    let mut search = search_body(b"\x87\x01a");
    search.truncate(search.len() - 2);
    canonical(tag::SEARCH_REQUEST, &[&search, &seq(&[&octets("cn").repeat(MAX_LIST)])]);
    malformed(tag::SEARCH_REQUEST, &[&search, &seq(&[&octets("cn").repeat(MAX_LIST + 1)])]);
    let group = seq(&[&octets("member"), &el(0x31, &[&octets("cn=x").repeat(MAX_LIST + 1)])]);
    canonical(tag::ADD_REQUEST, &[ENTRY, &seq(&[&group])]);
}
