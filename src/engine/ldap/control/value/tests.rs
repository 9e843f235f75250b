//! Each syntax: what is read is written again; what is not of it is refused.

use super::*;

/// Values that clients send, in canonical form.
const GOOD: &[(Syntax, &[u8])] = &[
    (Syntax::Pages, b"\x30\x05\x02\x01\x64\x04\x00"),
    (Syntax::Pages, b"\x30\x0a\x02\x04\x7f\xff\xff\xff\x04\x02\x00\xff"),
    (Syntax::SortKeys, b"\x30\x06\x30\x04\x04\x02cn"),
    (Syntax::SortKeys, b"\x30\x11\x30\x0f\x04\x02sn\x80\x062.5.13\x81\x01\xff"),
    (Syntax::VirtualList, b"\x30\x0e\x02\x01\x00\x02\x01\x13\xa0\x06\x02\x01\x01\x02\x01\x00"),
    (Syntax::VirtualList, b"\x30\x0c\x02\x01\x00\x02\x01\x01\x81\x01a\x04\x01\xff"),
    (Syntax::Boolean, b"\x01\x01\xff"),
    (Syntax::Boolean, b"\x01\x01\x00"),
    (Syntax::Filter, b"\xa0\x0c\x87\x02cn\xa2\x06\x87\x04mail"),
    (Syntax::Attributes, b"\x30\x00"),
    (Syntax::Attributes, b"\x30\x07\x04\x01*\x04\x02cn"),
    (Syntax::ValueFilters, b"\x30\x0d\xa3\x07\x04\x02cn\x04\x01a\x87\x02sn"),
    (Syntax::Dereferences, b"\x30\x11\x30\x0f\x04\x06member\x30\x05\x04\x03uid"),
    (Syntax::AuthorizationId, b""),
    (Syntax::AuthorizationId, b"dn:dc=x"),
    (Syntax::AuthorizationDn, b"\x30\x06\x04\x04dc=x"),
    (Syntax::AuthorizationDn, b"\x30\x02\x04\x00"),
    (Syntax::Sync, b"\x30\x03\x0a\x01\x01"),
    (Syntax::Sync, b"\x30\x0b\x0a\x01\x03\x04\x03rid\x01\x01\xff"),
    (Syntax::Changes, b"\x30\x09\x02\x01\x0f\x01\x01\xff\x01\x01\x00"),
    (Syntax::DirSync, b"\x30\x0c\x02\x04\x80\x00\x00\x01\x02\x01\x00\x04\x01x"),
    (Syntax::Number, b"\x30\x03\x02\x01\x07"),
    (Syntax::OptionalNumber, b"\x30\x03\x02\x01\x01"),
    (Syntax::SourceAttribute, b"\x30\x08\x04\x06member"),
    (Syntax::Tracking, b"\x30\x0f\x04\x01a\x04\x00\x04\x031.2\x04\x03\xff\x00x"),
];

#[test]
fn what_is_read_is_written_again() {
    for (syntax, octets) in GOOD {
        let value =
            Value::decode(*syntax, Some(octets)).unwrap_or_else(|error| panic!("{syntax:?} {octets:x?}: {error}"));
        assert_eq!(value.encode().as_deref(), Some(*octets), "{value:?}");
    }
    for syntax in [Syntax::Absent, Syntax::OptionalNumber] {
        for octets in [None, Some(&b""[..])] {
            assert_eq!(Value::decode(syntax, octets).map(|value| value.encode()), Ok(None), "{syntax:?}");
        }
    }
}

#[test]
fn long_lengths_and_defaults_are_written_shortest() {
    for (syntax, octets, canonical) in [
        (Syntax::Pages, &b"\x30\x84\x00\x00\x00\x05\x02\x01\x05\x04\x00"[..], &b"\x30\x05\x02\x01\x05\x04\x00"[..]),
        (Syntax::SortKeys, b"\x30\x09\x30\x07\x04\x02cn\x81\x01\x00", b"\x30\x06\x30\x04\x04\x02cn"),
        (Syntax::Sync, b"\x30\x06\x0a\x01\x01\x01\x01\x00", b"\x30\x03\x0a\x01\x01"),
        (Syntax::Boolean, b"\x01\x01\x01", b"\x01\x01\xff"),
    ] {
        let value = Value::decode(syntax, Some(octets)).unwrap();
        assert_eq!(value.encode().as_deref(), Some(canonical));
    }
}

/// Two readers could read these differently.
#[test]
fn cut_short_trailing_and_missing_are_refused() {
    for (syntax, octets) in GOOD.iter().filter(|(syntax, _)| *syntax != Syntax::AuthorizationId) {
        assert!(Value::decode(*syntax, Some(&octets[..octets.len() - 1])).is_err(), "{syntax:?} cut short");
        assert!(Value::decode(*syntax, Some(&[octets, &b"\x05\x00"[..]].concat())).is_err(), "{syntax:?} trailing");
        if octets[0] == 0x30 {
            let inside = [&octets[2..], &b"\x05\x00"[..]].concat();
            let mut more = vec![0x30, u8::try_from(inside.len()).unwrap()];
            more.extend_from_slice(&inside);
            assert!(Value::decode(*syntax, Some(&more)).is_err(), "{syntax:?} {more:x?}");
        }
        assert_eq!(Value::decode(*syntax, None).is_err(), *syntax != Syntax::OptionalNumber, "{syntax:?}");
    }
    assert_eq!(Value::decode(Syntax::Absent, Some(b"\x05\x00")), Err(ValueError::Unexpected));
    assert_eq!(Value::decode(Syntax::Pages, None), Err(ValueError::Missing));
}

#[test]
fn what_means_nothing_is_refused() {
    for (syntax, octets) in [
        // Negative counts, unknown modes, nobody's changes.
        (Syntax::Pages, &b"\x30\x05\x02\x01\xff\x04\x00"[..]),
        (Syntax::Pages, b"\x30\x06\x02\x02\x00\x05\x04\x00"),
        (Syntax::VirtualList, b"\x30\x09\x02\x01\xff\x02\x01\x01\x81\x01a"),
        (Syntax::VirtualList, b"\x30\x09\x02\x01\x00\x02\x01\x01\x82\x01a"),
        (Syntax::Sync, b"\x30\x03\x0a\x01\x02"),
        (Syntax::Sync, b"\x30\x03\x02\x01\x01"),
        (Syntax::Changes, b"\x30\x09\x02\x01\x00\x01\x01\xff\x01\x01\x00"),
        (Syntax::Changes, b"\x30\x09\x02\x01\x10\x01\x01\xff\x01\x01\x00"),
        // Lists of nothing.
        (Syntax::SortKeys, b"\x30\x00"),
        (Syntax::ValueFilters, b"\x30\x00"),
        (Syntax::Dereferences, b"\x30\x00"),
        (Syntax::Dereferences, b"\x30\x0c\x30\x0a\x04\x06member\x30\x00"),
        // Filters that are none, and those that are not for values.
        (Syntax::Filter, b"\x30\x00"),
        (Syntax::Filter, b"\xa2\x08\x87\x02cn\x87\x02sn"),
        (Syntax::ValueFilters, b"\x30\x06\xa2\x04\x87\x02cn"),
        (Syntax::ValueFilters, b"\x30\x06\xa0\x04\x87\x02cn"),
        (Syntax::ValueFilters, b"\x30\x0c\xa9\x0a\x82\x02cn\x83\x01a\x84\x01\xff"),
        // Names that are none.
        (Syntax::AuthorizationDn, b"\x30\x06\x04\x04dcxx"),
        // A set is not a sequence.
        (Syntax::Attributes, b"\x31\x04\x04\x02cn"),
    ] {
        assert!(Value::decode(syntax, Some(octets)).is_err(), "{syntax:?} {octets:x?}");
    }
}
