//! Filters as text (RFC 4515), for records and explanations: values of sensitive attributes are masked,
//! and nothing that a terminal or a log could take for something else is left unescaped.

use super::Filter;
use crate::engine::ldap::attribute::AttributeDescription;
use std::fmt::{self, Write};

/// What stands in place of a value that is not to be seen.
pub const MASK: &str = "<masked>";

impl Filter<'_> {
    /// Writes the text of RFC 4515. Values asserted of attributes for which `masked` says so are not
    /// shown, nor are those of an extensible match without an attribute, which may be about any.
    /// Besides what RFC 4515 wants escaped, control and text-direction characters are.
    ///
    /// # Errors
    /// When `out` takes no more; nothing further is written to it then.
    pub fn write_text<W: Write>(&self, out: &mut W, masked: &dyn Fn(&AttributeDescription<'_>) -> bool) -> fmt::Result {
        out.write_char('(')?;
        match self {
            Filter::And(parts) => list(out, '&', parts, masked)?,
            Filter::Or(parts) => list(out, '|', parts, masked)?,
            Filter::Not(part) => list(out, '!', std::slice::from_ref(&**part), masked)?,
            Filter::Equality { attribute, value } => assertion(out, *attribute, "=", value, masked)?,
            Filter::GreaterOrEqual { attribute, value } => assertion(out, *attribute, ">=", value, masked)?,
            Filter::LessOrEqual { attribute, value } => assertion(out, *attribute, "<=", value, masked)?,
            Filter::Approximate { attribute, value } => assertion(out, *attribute, "~=", value, masked)?,
            Filter::Present(attribute) => {
                escape(out, attribute.0)?;
                out.write_str("=*")?;
            }
            Filter::Substrings { attribute, initial, any, last } => {
                escape(out, attribute.0)?;
                out.write_char('=')?;
                let hide = masked(attribute);
                let between = any.iter().map(Some).chain([last.as_ref()]);
                for (position, part) in std::iter::once(initial.as_ref()).chain(between).enumerate() {
                    if position > 0 {
                        out.write_char('*')?;
                    }
                    if let Some(part) = part {
                        value(out, part, hide)?;
                    }
                }
            }
            Filter::Extensible { rule, attribute, value: asserted, dn_attributes } => {
                if let Some(attribute) = attribute {
                    escape(out, attribute.0)?;
                }
                if *dn_attributes {
                    out.write_str(":dn")?;
                }
                if let Some(rule) = rule {
                    out.write_char(':')?;
                    escape(out, rule)?;
                }
                out.write_str(":=")?;
                value(out, asserted, attribute.as_ref().is_none_or(masked))?;
            }
        }
        out.write_char(')')
    }
}

/// Every value masked, whatever its attribute: debug output ends up in logs.
impl fmt::Debug for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_text(f, &|_| true)
    }
}

fn list<W: Write>(
    out: &mut W,
    operator: char,
    parts: &[Filter<'_>],
    masked: &dyn Fn(&AttributeDescription<'_>) -> bool,
) -> fmt::Result {
    out.write_char(operator)?;
    parts.iter().try_for_each(|part| part.write_text(out, masked))
}

fn assertion<W: Write>(
    out: &mut W,
    attribute: AttributeDescription<'_>,
    operator: &str,
    asserted: &[u8],
    masked: &dyn Fn(&AttributeDescription<'_>) -> bool,
) -> fmt::Result {
    escape(out, attribute.0)?;
    out.write_str(operator)?;
    value(out, asserted, masked(&attribute))
}

fn value<W: Write>(out: &mut W, octets: &[u8], hide: bool) -> fmt::Result {
    if hide { out.write_str(MASK) } else { escape(out, octets) }
}

/// RFC 4515 3: UTF-8 as it is, but for what has a meaning in the text; anything else as `\xx`.
fn escape<W: Write>(out: &mut W, octets: &[u8]) -> fmt::Result {
    // All of them are looked at, without a way out in between: that can be done many at a time.
    let special = |octet: u8| {
        !(b' '..=b'~').contains(&octet) | (octet == b'(') | (octet == b')') | (octet == b'*') | (octet == b'\\')
    };
    match std::str::from_utf8(octets) {
        // Nearly every value.
        Ok(text) if !octets.iter().fold(false, |found, octet| found | special(*octet)) => out.write_str(text),
        Ok(_) | Err(_) => escape_each(out, octets),
    }
}

fn escape_each<W: Write>(out: &mut W, octets: &[u8]) -> fmt::Result {
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            if must_be_escaped(character) {
                character.encode_utf8(&mut [0; 4]).bytes().try_for_each(|octet| hex(out, octet))?;
            } else {
                out.write_char(character)?;
            }
        }
        chunk.invalid().iter().try_for_each(|octet| hex(out, *octet))?;
    }
    Ok(())
}

fn must_be_escaped(character: char) -> bool {
    matches!(character, '(' | ')' | '*' | '\\')
        || character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn hex<W: Write>(out: &mut W, octet: u8) -> fmt::Result {
    out.write_char('\\')?;
    let digits = [octet >> 4, octet & 0x0f];
    digits
        .iter()
        .filter_map(|nibble| char::from_digit(u32::from(*nibble), 16))
        .try_for_each(|digit| out.write_char(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(filter: &Filter<'_>) -> String {
        let mut out = String::new();
        let masked =
            |attribute: &AttributeDescription<'_>| attribute.attribute_type().eq_ignore_ascii_case(b"userPassword");
        filter.write_text(&mut out, &masked).unwrap();
        out
    }

    fn equality<'a>(attribute: &'a str, value: &'a [u8]) -> Filter<'a> {
        Filter::Equality { attribute: AttributeDescription(attribute.as_bytes()), value }
    }

    #[test]
    fn every_kind_has_its_text() {
        let attribute = AttributeDescription(b"cn;lang-de");
        for (filter, expected) in [
            (equality("cn", b"x"), "(cn=x)"),
            (Filter::GreaterOrEqual { attribute, value: b"x" }, "(cn;lang-de>=x)"),
            (Filter::LessOrEqual { attribute, value: b"x" }, "(cn;lang-de<=x)"),
            (Filter::Approximate { attribute, value: b"x" }, "(cn;lang-de~=x)"),
            (Filter::Present(attribute), "(cn;lang-de=*)"),
            (Filter::And(vec![]), "(&)"),
            (Filter::Or(vec![equality("a", b""), equality("b", b"2")]), "(|(a=)(b=2))"),
            (Filter::Not(Box::new(Filter::And(vec![equality("a", b"1")]))), "(!(&(a=1)))"),
            (
                Filter::Substrings { attribute, initial: Some(b"a"), any: vec![b"b", b"c"], last: Some(b"d") },
                "(cn;lang-de=a*b*c*d)",
            ),
            (Filter::Substrings { attribute, initial: None, any: vec![b"b"], last: None }, "(cn;lang-de=*b*)"),
            (Filter::Substrings { attribute, initial: Some(b"a"), any: vec![], last: None }, "(cn;lang-de=a*)"),
            (Filter::Substrings { attribute, initial: None, any: vec![], last: Some(b"d") }, "(cn;lang-de=*d)"),
            (
                Filter::Extensible {
                    rule: Some(b"2.5.13.2"),
                    attribute: Some(attribute),
                    value: b"x",
                    dn_attributes: true,
                },
                "(cn;lang-de:dn:2.5.13.2:=x)",
            ),
            (
                Filter::Extensible { rule: None, attribute: Some(attribute), value: b"x", dn_attributes: false },
                "(cn;lang-de:=x)",
            ),
        ] {
            assert_eq!(text(&filter), expected);
        }
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_escaped() {
        for (value, expected) in [
            (&b"a*(b)\\\0"[..], r"(cn=a\2a\28b\29\5c\00)"),
            ("Müller".as_bytes(), "(cn=Müller)"),
            (b"\xff\xfe x", r"(cn=\ff\fe x)"),
            (b"\xc3", r"(cn=\c3)"),
            (b"\x1b[31m\r\n\x7f", r"(cn=\1b[31m\0d\0a\7f)"),
            ("\u{9b}\u{202e}".as_bytes(), r"(cn=\c2\9b\e2\80\ae)"),
        ] {
            assert_eq!(text(&equality("cn", value)), expected);
        }
        assert_eq!(text(&equality("c)(n\n", b"x")), r"(c\29\28n\0a=x)");
    }

    #[test]
    fn sensitive_values_are_not_shown() {
        let attribute = AttributeDescription(b"USERPASSWORD;binary");
        let rule = Some(&b"caseExactMatch"[..]);
        for (filter, expected) in [
            (Filter::Not(Box::new(equality("userPassword", b"secret"))), "(!(userPassword=<masked>))"),
            (
                Filter::Substrings { attribute, initial: Some(b"s"), any: vec![b"c"], last: None },
                "(USERPASSWORD;binary=<masked>*<masked>*)",
            ),
            (
                Filter::Extensible { rule, attribute: Some(attribute), value: b"s", dn_attributes: false },
                "(USERPASSWORD;binary:caseExactMatch:=<masked>)",
            ),
            (
                Filter::Extensible { rule, attribute: None, value: b"s", dn_attributes: false },
                "(:caseExactMatch:=<masked>)",
            ),
        ] {
            assert_eq!(text(&filter), expected);
        }
        assert_eq!(format!("{:?}", equality("cn", b"x")), "(cn=<masked>)");
    }
}
