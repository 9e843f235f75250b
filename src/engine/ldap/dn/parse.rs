//! Octets to [`Dn`]: the grammar of RFC 4514, and spaces around `=`, `,` and `+`.
//!
//! Two ways in: one for names of plain ASCII with nothing to escape, in one pass, and one for
//! everything else. A property test holds them to the same answer.

use super::prepare::{certain, comparable, invisible};
use super::{Dn, DnError};
use crate::engine::ldap::schema::{Rule, attribute_type};

/// The longest name that is read, in octets.
pub const MAX_LENGTH: usize = 8 * 1024;
/// The most RDNs that are read.
pub const MAX_RDNS: usize = 100;
/// The most values in one RDN.
const MAX_AVAS: usize = 16;
/// How deep names may lie inside values of names.
const MAX_NESTING: usize = 3;

/// Ends an RDN in a key; no value contains it.
pub(super) const END: u8 = 0x00;
/// Stands between the values of one RDN in a key.
const PLUS: u8 = 0x01;

/// One attribute type and value.
struct Ava<'a> {
    /// The type as it was written.
    written: &'a str,
    /// The decoded value.
    value: String,
    key: Vec<u8>,
    certain: Vec<u8>,
}

pub(super) fn parse(octets: &[u8], nesting: usize) -> Result<Dn, DnError> {
    if octets.len() > MAX_LENGTH || nesting > MAX_NESTING {
        return Err(DnError);
    }
    if octets.is_empty() {
        return Ok(Dn::root());
    }
    // RFC 4514 2.4: the string is UTF-8.
    let text = std::str::from_utf8(octets).map_err(|_| DnError)?;
    match parse_plain(text) {
        Some(dn) => Ok(dn),
        None => parse_general(text, nesting),
    }
}

/// What an octet means to [`parse_plain`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Not for the short way.
    Special,
    Ordinary,
    Space,
    Comma,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Special; 256];
    let mut octet = 0x21;
    while octet <= 0x7e {
        classes[octet] = match octet as u8 {
            b'\\' | b'"' | b'+' | b';' | b'<' | b'>' => Class::Special,
            b',' => Class::Comma,
            _ => Class::Ordinary,
        };
        octet += 1;
    }
    classes[b' ' as usize] = Class::Space;
    classes
};

/// The common case: known attribute types, one value an RDN, plain ASCII, nothing escaped, no space
/// but single ones inside of values.
fn parse_plain(text: &str) -> Option<Dn> {
    let mut before = Class::Comma;
    let mut rdns = 1;
    for octet in text.bytes() {
        let class = CLASSES[usize::from(octet)];
        match (before, class) {
            (_, Class::Special) | (Class::Comma | Class::Space, Class::Space | Class::Comma) => return None,
            (_, Class::Comma) => rdns += 1,
            (_, Class::Ordinary | Class::Space) => {}
        }
        before = class;
    }
    if before != Class::Ordinary || rdns > MAX_RDNS {
        return None;
    }
    let mut key = Vec::with_capacity(text.len() + 1);
    let mut ends = Vec::with_capacity(rdns);
    for rdn in text.as_bytes().rsplit(|octet| *octet == b',') {
        let (name, value) = rdn.split_at_checked(rdn.iter().position(|octet| *octet == b'=')?)?;
        let value = value.get(1..)?;
        if matches!(value.first(), None | Some(b' ' | b'#')) {
            return None;
        }
        key.extend_from_slice(plain_type(name)?.as_bytes());
        key.push(b'=');
        let start = key.len();
        key.extend_from_slice(value);
        key.get_mut(start..)?.make_ascii_lowercase();
        key.push(END);
        ends.push(u32::try_from(key.len()).ok()?);
    }
    Some(Dn { text: text.into(), key: key.into(), ends: ends.into(), certain: None })
}

/// The canonical name of a type whose values compare without regard to case.
fn plain_type(name: &[u8]) -> Option<&'static str> {
    // Setting the bit makes lower case of upper case, and a letter of nothing else.
    match *name {
        [a, b] => match [a | 0x20, b | 0x20] {
            [b'd', b'c'] => return Some("dc"),
            [b'o', b'u'] => return Some("ou"),
            [b'c', b'n'] => return Some("cn"),
            _ => {}
        },
        [a, b, c] if [a | 0x20, b | 0x20, c | 0x20] == *b"uid" => return Some("uid"),
        _ => {}
    }
    let mut lower = [0u8; 32];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let known = attribute_type(std::str::from_utf8(lower).ok()?)?;
    (known.rule == Rule::CaseIgnore).then_some(known.name)
}

fn parse_general(text: &str, nesting: usize) -> Result<Dn, DnError> {
    let mut cursor = Cursor { text, at: 0 };
    let mut rdns: Vec<Vec<Ava<'_>>> = Vec::new();
    loop {
        let mut rdn = Vec::new();
        loop {
            rdn.push(cursor.ava(nesting)?);
            if rdn.len() > MAX_AVAS {
                return Err(DnError);
            }
            if !cursor.eat(b'+') {
                break;
            }
        }
        rdns.push(rdn);
        if rdns.len() > MAX_RDNS {
            return Err(DnError);
        }
        if cursor.is_at_end() {
            break;
        }
        if !cursor.eat(b',') {
            return Err(DnError);
        }
    }
    let name = assemble(rdns);
    // Escapes make it longer. It will be read again where it is sent or kept, with the same bounds.
    if name.text.len() > MAX_LENGTH { Err(DnError) } else { Ok(name) }
}

fn assemble(mut rdns: Vec<Vec<Ava<'_>>>) -> Dn {
    let mut text = String::new();
    for (i, rdn) in rdns.iter().enumerate() {
        for (j, ava) in rdn.iter().enumerate() {
            if j > 0 {
                text.push('+');
            } else if i > 0 {
                text.push(',');
            }
            text.push_str(ava.written);
            text.push('=');
            escape(&ava.value, &mut text);
        }
    }
    let (mut key, mut fine, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for rdn in rdns.iter_mut().rev() {
        // The order inside an RDN means nothing (RFC 4512 2.3.2); a value twice is the value once to
        // what is protected, and something else to what is opened.
        rdn.sort_by(|a, b| a.certain.cmp(&b.certain));
        join(rdn.iter().map(|ava| &ava.certain), &mut fine);
        rdn.sort_by(|a, b| a.key.cmp(&b.key));
        rdn.dedup_by(|a, b| a.key == b.key);
        join(rdn.iter().map(|ava| &ava.key), &mut key);
        ends.push(key.len() as u32);
    }
    let certain = (fine != key).then(|| fine.into());
    Dn { text: text.into(), key: key.into(), ends: ends.into(), certain }
}

fn join<'a>(avas: impl Iterator<Item = &'a Vec<u8>>, out: &mut Vec<u8>) {
    for (i, ava) in avas.enumerate() {
        if i > 0 {
            out.push(PLUS);
        }
        out.extend_from_slice(ava);
    }
    out.push(END);
}

/// Appends a value with what RFC 4514 2.4 demands escaped, and what would not show besides.
fn escape(value: &str, out: &mut String) {
    let last = value.len().saturating_sub(1);
    let mut buffer = [0; 4];
    for (at, c) in value.char_indices() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            c if c.is_control() || invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') => {
                for octet in c.encode_utf8(&mut buffer).bytes() {
                    out.push('\\');
                    out.extend([octet >> 4, octet & 15].map(|n| char::from_digit(u32::from(n), 16).unwrap_or('0')));
                }
            }
            c => out.push(c),
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.at += 1;
        Some(octet)
    }

    fn eat(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn skip_spaces(&mut self) {
        while self.eat(b' ') {}
    }

    fn ava(&mut self, nesting: usize) -> Result<Ava<'a>, DnError> {
        self.skip_spaces();
        let written = self.attribute_type()?;
        self.skip_spaces();
        if !self.eat(b'=') {
            return Err(DnError);
        }
        self.skip_spaces();
        let value = if self.eat(b'#') { self.hex_value()? } else { self.string_value()? };
        let lower = written.to_ascii_lowercase();
        let known = attribute_type(&lower);
        let rule = known.map(|t| t.rule);
        let mut key = Vec::with_capacity(lower.len() + value.len() + 1);
        // A type that is not in the table may be another's alias, so to what is protected all of
        // them are one.
        key.extend_from_slice(known.map_or("?", |t| t.name).as_bytes());
        key.push(b'=');
        if rule == Some(Rule::Dn) {
            // A DN inside a key must not delimit: its delimiters are raised out of the way.
            let inner = parse(value.as_bytes(), nesting + 1)?;
            key.extend(inner.key().iter().map(|octet| if *octet <= PLUS { octet + 0x10 } else { *octet }));
        } else {
            comparable(&value, rule, &mut key);
        }
        let mut fine = known.map_or(lower.as_str(), |t| t.name).as_bytes().to_vec();
        fine.push(b'=');
        certain(&value, rule, &mut fine);
        Ok(Ava { written, value, key, certain: fine })
    }

    /// RFC 4512 1.4: `descr` or `numericoid`; no options, no `OID.` prefix.
    fn attribute_type(&mut self) -> Result<&'a str, DnError> {
        let start = self.at;
        while self.peek().is_some_and(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.')) {
            self.at += 1;
        }
        let name = self.text.get(start..self.at).unwrap_or_default();
        let first = name.bytes().next().ok_or(DnError)?;
        let well_formed = if first.is_ascii_alphabetic() {
            !name.contains('.')
        } else {
            let number =
                |n: &str| !n.is_empty() && n.bytes().all(|o| o.is_ascii_digit()) && (n == "0" || !n.starts_with('0'));
            name.contains('.') && name.split('.').all(number)
        };
        if well_formed { Ok(name) } else { Err(DnError) }
    }

    /// RFC 4514 3, `string`; unescaped spaces at both ends mean nothing.
    fn string_value(&mut self) -> Result<String, DnError> {
        let mut value = Vec::new();
        let mut solid = 0;
        loop {
            match self.peek() {
                None | Some(b',' | b'+') => break,
                // Separators and quotes of RFC 1779, which some directories still read as such.
                Some(b';' | b'"' | b'<' | b'>') => return Err(DnError),
                Some(b'\\') => {
                    self.at += 1;
                    value.push(self.escaped()?);
                    solid = value.len();
                }
                Some(octet) => {
                    self.at += 1;
                    value.push(octet);
                    if octet != b' ' {
                        solid = value.len();
                    }
                }
            }
        }
        value.truncate(solid);
        readable(value)
    }

    fn escaped(&mut self) -> Result<u8, DnError> {
        match self.next() {
            Some(octet @ (b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' | b' ' | b'#' | b'=')) => Ok(octet),
            Some(high) => {
                let low = self.next().ok_or(DnError)?;
                hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low).ok_or(DnError)
            }
            None => Err(DnError),
        }
    }

    /// RFC 4514 2.4, `hexstring`: the BER of the value. Strings are taken as what they say;
    /// what else there might be is refused, for nobody could say what it equals.
    fn hex_value(&mut self) -> Result<String, DnError> {
        let mut ber = Vec::new();
        while let Some(high) = self.peek().and_then(hex) {
            self.at += 1;
            let low = self.next().and_then(hex).ok_or(DnError)?;
            ber.push(high << 4 | low);
        }
        self.skip_spaces();
        if !matches!(self.peek(), None | Some(b',' | b'+')) {
            return Err(DnError);
        }
        let (tag, content) = ber_element(&ber).ok_or(DnError)?;
        match tag {
            // OCTET STRING, UTF8String.
            0x04 | 0x0c => readable(content.to_vec()),
            // NumericString, PrintableString, IA5String, VisibleString; TeletexString and
            // GeneralString as far as they are ASCII.
            0x12..=0x14 | 0x16 | 0x1a | 0x1b if content.is_ascii() => readable(content.to_vec()),
            // UniversalString.
            0x1c if content.len() % 4 == 0 => {
                let code = |c: &[u8]| c.iter().fold(0, |n, octet| n << 8 | u32::from(*octet));
                let text: Option<String> = content.chunks_exact(4).map(|c| char::from_u32(code(c))).collect();
                readable(text.ok_or(DnError)?.into_bytes())
            }
            // BMPString.
            0x1e if content.len() % 2 == 0 => {
                let units = content.chunks_exact(2).map(|c| c.iter().fold(0, |n, octet| n << 8 | u16::from(*octet)));
                let text: Result<String, _> = char::decode_utf16(units).collect();
                readable(text.map_err(|_| DnError)?.into_bytes())
            }
            _ => Err(DnError),
        }
    }
}

/// UTF-8 without NUL: a directory that ends strings there would read another name.
fn readable(value: Vec<u8>) -> Result<String, DnError> {
    match String::from_utf8(value) {
        Ok(value) if !value.contains('\0') => Ok(value),
        _ => Err(DnError),
    }
}

fn hex(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// One primitive BER element with a definite length that ends where the octets end.
fn ber_element(ber: &[u8]) -> Option<(u8, &[u8])> {
    let (tag, rest) = ber.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, content) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (octets, content) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (octets.iter().fold(0, |n, octet| n << 8 | usize::from(*octet)), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some((*tag, content))
}
