//! JSON written by hand into a byte buffer: strings, numbers and times, without temporaries.
//!
//! Whatever goes in, what comes out is one line of printable text: control characters (C0, DEL, C1),
//! line separators and characters that turn the direction of writing are escaped, octets that are
//! not UTF-8 become U+FFFD. Knows nothing of records.

use crate::engine::text::is_invisible;
use chrono::{DateTime, Datelike, Timelike, Utc};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What cut texts end with.
pub(super) const CUT: &str = "… (cut)";

/// Whether every octet stands for itself inside a JSON string: printable ASCII but `"` and `\`.
fn is_plain(octets: &[u8]) -> bool {
    // Eight at a time, the last eight perhaps looked at twice: this sees every octet of every record.
    match octets.last_chunk() {
        Some(last) => {
            let eights = octets.as_chunks().0.iter().chain([last]);
            eights.fold(0, |found, eight| found | special(u64::from_ne_bytes(*eight))) == 0
        }
        None => {
            let mut eight = [b' '; 8];
            eight.iter_mut().zip(octets).for_each(|(to, octet)| *to = *octet);
            special(u64::from_ne_bytes(eight)) == 0
        }
    }
}

/// Not zero exactly if one of the eight octets does not stand for itself.
fn special(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    // Borrows leave the lowest zero octet where it is, so whether there is one is certain.
    let has_zero = |octets: u64| octets.wrapping_sub(ONES) & !octets;
    let below_space = eight.wrapping_sub(ONES * 0x20) & !eight;
    let delete_or_above = eight | (eight & (ONES * 0x7f)).wrapping_add(ONES);
    let quote = has_zero(eight ^ (ONES * u64::from(b'"')));
    let backslash = has_zero(eight ^ (ONES * u64::from(b'\\')));
    (below_space | delete_or_above | quote | backslash) & (ONES * 0x80)
}

/// Writes octets as the inside of a JSON string (no quotes).
pub(super) fn text(out: &mut Vec<u8>, octets: &[u8]) {
    if is_plain(octets) {
        out.extend_from_slice(octets);
    } else {
        escaped(out, octets);
    }
}

#[cold]
fn escaped(out: &mut Vec<u8>, octets: &[u8]) {
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                character if is_invisible(character) => unicode(out, character),
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// `\u` and four digits; twice, as a surrogate pair (RFC 8259 7), beyond the basic plane.
fn unicode(out: &mut Vec<u8>, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(HEX[usize::from(*unit >> shift & 15)]);
        }
    }
}

/// Writes a string, quoted; what is longer than `limit` keeps its head and its tail around a mark.
pub(super) fn string(out: &mut Vec<u8>, octets: &[u8], limit: usize) {
    out.push(b'"');
    if octets.len() <= limit {
        text(out, octets);
    } else {
        let (head, _) = octets.split_at(limit / 2);
        let (_, tail) = octets.split_at(octets.len() - limit / 2);
        text(out, head);
        out.extend_from_slice(CUT.as_bytes());
        text(out, tail);
    }
    out.push(b'"');
}

/// Writes a number.
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes a number that may be negative.
pub(super) fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    number(out, value.unsigned_abs());
}

/// Writes an instant as RFC 3339, UTC, microseconds, quoted: `"2026-11-20T17:48:13.000412Z"`.
pub(super) fn time(out: &mut Vec<u8>, instant: DateTime<Utc>) {
    let instant = instant.naive_utc();
    let year = instant.year().clamp(0, 9999).unsigned_abs();
    let micros = instant.nanosecond() % 1_000_000_000 / 1000;
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    two(&mut text, 1, year / 100);
    two(&mut text, 3, year % 100);
    two(&mut text, 6, instant.month());
    two(&mut text, 9, instant.day());
    two(&mut text, 12, instant.hour());
    two(&mut text, 15, instant.minute());
    two(&mut text, 18, instant.second());
    two(&mut text, 21, micros / 10_000);
    two(&mut text, 23, micros / 100 % 100);
    two(&mut text, 25, micros % 100);
    out.extend_from_slice(&text);
}

fn two(text: &mut [u8; 29], at: usize, value: u32) {
    text[at] += (value / 10 % 10) as u8;
    text[at + 1] += (value % 10) as u8;
}

/// Writes any JSON value with the escapes of this module.
pub(super) fn value(out: &mut Vec<u8>, value: &serde_json::Value, limit: usize) {
    use serde_json::Value;
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => string(out, text.as_bytes(), limit),
        Value::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                self::value(out, item, limit);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            for (position, (name, field)) in fields.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                string(out, name.as_bytes(), limit);
                out.push(b':');
                self::value(out, field, limit);
            }
            out.push(b'}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(octets: &[u8], limit: usize) -> String {
        let mut out = Vec::new();
        string(&mut out, octets, limit);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings() {
        for (octets, json) in [
            (&b"plain"[..], "\"plain\""),
            (b"", "\"\""),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"a\nb\r\0\x1b[31m\x7f", r#""a\u000ab\u000d\u0000\u001b[31m\u007f""#),
            ("J\u{fc}rgen \u{1f511}".as_bytes(), "\"J\u{fc}rgen \u{1f511}\""),
            ("\u{85}\u{2028}\u{202e}".as_bytes(), r#""\u0085\u2028\u202e""#),
            (b"a\xff\xfeb", "\"a\u{fffd}\u{fffd}b\""),
        ] {
            assert_eq!(quoted(octets, 100), json);
        }
        assert_eq!(quoted(b"0123456789", 4), format!("\"01{CUT}89\""));
    }

    /// Wherever it stands, and whatever stands beside it.
    #[test]
    fn every_octet_is_told_apart() {
        for octet in 0..=u8::MAX {
            let plain = matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\');
            for length in 1..20 {
                for (at, beside) in (0..length).flat_map(|at| [b' ', b'!', b'#', b'[', b']', b'~'].map(|o| (at, o))) {
                    let mut octets = vec![beside; length];
                    octets[at] = octet;
                    assert_eq!(is_plain(&octets), plain, "{octets:?}");
                }
            }
        }
        assert!(is_plain(b""));
    }

    #[test]
    fn numbers() {
        for value in [0, 1, 9, 10, 1234, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
        let mut out = Vec::new();
        signed(&mut out, i64::MIN);
        assert_eq!(String::from_utf8(out).unwrap(), i64::MIN.to_string());
    }

    proptest! {
        #[test]
        fn times_are_as_chrono_writes_them(seconds in -62_000_000_000_i64..253_000_000_000, nanos in 0_u32..1_000_000_000) {
            let instant = DateTime::<Utc>::from_timestamp(seconds, nanos).unwrap();
            let mut out = Vec::new();
            time(&mut out, instant);
            let expected = instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("\"{expected}\""));
        }

        #[test]
        fn any_octets_give_one_line_of_json(octets in proptest::collection::vec(any::<u8>(), 0..200), limit in 0_usize..100) {
            let json = quoted(&octets, limit);
            prop_assert!(!json.chars().any(char::is_control));
            let back: String = serde_json::from_str(&json).unwrap();
            if let Ok(text) = std::str::from_utf8(&octets) && octets.len() <= limit {
                prop_assert_eq!(back, text);
            }
        }
    }
}
