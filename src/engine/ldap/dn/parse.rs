//! Octets to [`Dn`]: the grammar of RFC 4514, and spaces around `=`, `,` and `+`.
//!
//! Two ways in: one for names of plain ASCII with nothing to escape, in one pass, and one for
//! everything else. A property test holds them to the same answer.

use super::escape::escape;
use super::prepare::{certain, comparable};
use super::{Dn, DnError, Naming, Odd};
use crate::engine::ldap::schema::{Rule, STRANGE, known_type};
use std::borrow::Cow;

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
    /// What it is called in keys and how its values compare; `None`: it may be any type.
    known: Option<(&'a str, Rule)>,
    /// See [`Dn`].
    types: u64,
    /// The decoded value.
    value: Cow<'a, str>,
    /// Whether the next one belongs to the same RDN.
    joined: bool,
}

/// Reads a name, by the schema of `naming` where there is one.
pub(super) fn parse(octets: &[u8], nesting: usize, naming: Option<&Naming>) -> Result<Dn, DnError> {
    if octets.len() > MAX_LENGTH || nesting > MAX_NESTING {
        return Err(DnError);
    }
    if octets.is_empty() {
        return Ok(Dn::root());
    }
    // RFC 4514 2.4: the string is UTF-8.
    let text = std::str::from_utf8(octets).map_err(|_| DnError)?;
    match naming {
        None => parse_plain(text).map_or_else(|| parse_general(text, nesting, naming), Ok),
        Some(_) => parse_general(text, nesting, naming),
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

/// The common case: known attribute types, few RDNs of one value, plain ASCII, nothing escaped, no space
/// but single ones inside of values.
fn parse_plain(text: &str) -> Option<Dn> {
    let mut starts = [0; 16];
    let mut rdns = 1;
    let mut before = Class::Comma;
    for (at, octet) in text.bytes().enumerate() {
        let class = CLASSES[usize::from(octet)];
        match (before, class) {
            (_, Class::Special) | (Class::Comma | Class::Space, Class::Space | Class::Comma) => return None,
            (_, Class::Comma) => {
                *starts.get_mut(rdns)? = at + 1;
                rdns += 1;
            }
            (_, Class::Ordinary | Class::Space) => {}
        }
        before = class;
    }
    if before != Class::Ordinary {
        return None;
    }
    let mut key = Vec::with_capacity(text.len() + 1);
    let mut ends = Vec::with_capacity(rdns);
    let mut types = 0;
    let mut end = text.len();
    for start in starts.get(..rdns)?.iter().rev() {
        let rdn = text.as_bytes().get(*start..end)?;
        let (name, value) = rdn.split_at_checked(rdn.iter().position(|octet| *octet == b'=')?)?;
        if matches!(value.get(1), None | Some(b' ' | b'#')) {
            return None;
        }
        let known = known_type(name).filter(|known| known.rule == Rule::CaseIgnore)?;
        types |= known.bit;
        key.extend_from_slice(known.name.as_bytes());
        key.extend_from_slice(value);
        key.push(END);
        ends.push(u32::try_from(key.len()).ok()?);
        end = start.saturating_sub(1);
    }
    key.make_ascii_lowercase();
    Some(Dn { text: text.into(), key: key.into(), ends: ends.into(), odd: None, types })
}

fn parse_general<'a>(text: &'a str, nesting: usize, naming: Option<&'a Naming>) -> Result<Dn, DnError> {
    let mut cursor = Cursor { text, at: 0, naming };
    let mut avas: Vec<Ava<'_>> = Vec::with_capacity(8);
    let (mut rdns, mut in_rdn) = (1, 1);
    loop {
        let joined = cursor.ava(&mut avas)?;
        if joined {
            in_rdn += 1;
        } else if cursor.is_at_end() {
            break;
        } else if cursor.eat(b',') {
            (rdns, in_rdn) = (rdns + 1, 1);
        } else {
            return Err(DnError);
        }
        if rdns > MAX_RDNS || in_rdn > MAX_AVAS {
            return Err(DnError);
        }
    }
    assemble(&avas, text.len(), Values { nesting, naming })
}

/// How values that are names themselves are read.
#[derive(Clone, Copy)]
struct Values<'n> {
    nesting: usize,
    naming: Option<&'n Naming>,
}

fn assemble(avas: &[Ava<'_>], length: usize, values: Values<'_>) -> Result<Dn, DnError> {
    let mut text = String::with_capacity(length);
    for ava in avas {
        text.push_str(ava.written);
        text.push('=');
        escape(&ava.value, &mut text);
        text.push(if ava.joined { '+' } else { ',' });
    }
    text.pop();
    // Escapes make it longer. It will be read again where it is sent or kept, with the same bounds.
    if text.len() > MAX_LENGTH {
        return Err(DnError);
    }
    let (mut key, mut fine) = (Vec::with_capacity(length + 1), Vec::with_capacity(length + 1));
    let mut ends = Vec::with_capacity(avas.len());
    let (mut types, mut vague) = (0, 0);
    for rdn in avas.chunk_by(|ava, _| ava.joined).rev() {
        let understood = if let [ava] = rdn {
            ava.certain(&mut fine);
            ava.comparable(values, &mut types, &mut key)?
        } else {
            join(rdn, values, &mut types, &mut key, &mut fine)?
        };
        if !understood {
            vague |= 1 << ends.len();
        }
        key.push(END);
        fine.push(END);
        ends.push(u32::try_from(key.len()).map_err(|_| DnError)?);
    }
    let certain = (fine != key).then(|| fine.into());
    Ok(Dn { text: text.into(), key: key.into(), ends: ends.into(), odd: Odd::new(certain, vague), types })
}

/// The values of one RDN. Their order means nothing (RFC 4512 2.3.2); a value twice is the value once to
/// what is protected, and something else to what is opened. Whether all of them are understood.
fn join(
    rdn: &[Ava<'_>],
    values: Values<'_>,
    types: &mut u64,
    key: &mut Vec<u8>,
    fine: &mut Vec<u8>,
) -> Result<bool, DnError> {
    let (mut keys, mut fines) = (Vec::with_capacity(rdn.len()), Vec::with_capacity(rdn.len()));
    let mut understood = true;
    for ava in rdn {
        let (mut key, mut fine) = (Vec::new(), Vec::new());
        understood &= ava.comparable(values, types, &mut key)?;
        ava.certain(&mut fine);
        keys.push(key);
        fines.push(fine);
    }
    keys.sort_unstable();
    keys.dedup();
    fines.sort_unstable();
    key.extend_from_slice(&keys.join(&PLUS));
    fine.extend_from_slice(&fines.join(&PLUS));
    Ok(understood)
}

impl Ava<'_> {
    /// Appends the coarse form. Whether it is known what equals this: else it may be anything.
    fn comparable(&self, values: Values<'_>, types: &mut u64, out: &mut Vec<u8>) -> Result<bool, DnError> {
        *types |= self.types;
        // A type that is not known may be another's alias.
        out.extend_from_slice(self.known.map_or("?", |(name, _)| name).as_bytes());
        out.push(b'=');
        let rule = self.known.map(|(_, rule)| rule);
        if rule != Some(Rule::Dn) {
            return Ok(comparable(&self.value, rule, out));
        }
        match parse(self.value.as_bytes(), values.nesting + 1, values.naming) {
            Ok(inner) => {
                // A DN inside a key must not delimit: its delimiters are raised out of the way.
                out.extend(inner.key().iter().map(|octet| if *octet <= PLUS { octet + 0x10 } else { *octet }));
                *types |= inner.types;
                Ok(!inner.is_vague())
            }
            // What the standard takes for a name must be one. What the directory takes for one may have more
            // (RFC 4517 3.3.21), or be one that only the directory can read.
            Err(error) if values.naming.is_none() => Err(error),
            Err(_) => {
                comparable(&self.value, None, out);
                Ok(false)
            }
        }
    }

    /// Appends the fine form.
    fn certain(&self, out: &mut Vec<u8>) {
        match self.known {
            Some((name, _)) => out.extend_from_slice(name.as_bytes()),
            None => out.extend(self.written.bytes().map(|octet| octet.to_ascii_lowercase())),
        }
        out.push(b'=');
        certain(&self.value, self.known.map(|(_, rule)| rule), out);
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
    naming: Option<&'a Naming>,
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

    /// Reads a type and value, and a `+` behind it; whether there is one.
    fn ava(&mut self, avas: &mut Vec<Ava<'a>>) -> Result<bool, DnError> {
        self.skip_spaces();
        let written = self.attribute_type()?;
        self.skip_spaces();
        if !self.eat(b'=') {
            return Err(DnError);
        }
        self.skip_spaces();
        let value = if self.eat(b'#') { self.hex_value()?.into() } else { self.string_value()? };
        let joined = self.eat(b'+');
        let standard = known_type(written.as_bytes());
        let known = match self.naming {
            None => standard.map(|known| (known.name, known.rule)),
            Some(naming) => naming.known(written),
        };
        avas.push(Ava { written, known, types: standard.map_or(STRANGE, |known| known.bit), value, joined });
        Ok(joined)
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
    fn string_value(&mut self) -> Result<Cow<'a, str>, DnError> {
        let plain = self.run();
        if self.peek() != Some(b'\\') {
            return if plain.contains('\0') { Err(DnError) } else { Ok(plain.trim_end_matches(' ').into()) };
        }
        let mut value = plain.as_bytes().to_vec();
        let mut solid = 0;
        while self.eat(b'\\') {
            value.push(self.escaped()?);
            solid = value.len();
            value.extend_from_slice(self.run().as_bytes());
        }
        let spaces = value.iter().skip(solid).rev().take_while(|octet| **octet == b' ').count();
        value.truncate(value.len() - spaces);
        readable(value).map(Cow::Owned)
    }

    /// What stands for itself, up to a separator, an escape or a quote.
    fn run(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let special = |octet: u8| matches!(octet, b',' | b'+' | b'\\' | b';' | b'"' | b'<' | b'>');
        let end = rest.bytes().position(special).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
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
