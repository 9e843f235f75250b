//! LDAP values as the record shows them: filters (RFC 4515) and names (RFC 4514) as JSON strings,
//! with the values of sensitive attributes masked.

use super::json::{self, CUT};
use super::sensitive::{SHORTEST, is_sensitive};
use crate::engine::ldap::filter::{Filter, MASK};
use std::fmt;

/// Writes a filter as a JSON string; what goes beyond about `limit` octets is cut.
pub(super) fn filter(out: &mut Vec<u8>, filter: &Filter<'_>, limit: usize) {
    out.push(b'"');
    let end = out.len() + limit;
    if filter.write_text(&mut Limited { out, end }, &|attribute| is_sensitive(attribute.0)).is_err() {
        out.extend_from_slice(CUT.as_bytes());
    }
    out.push(b'"');
}

/// The inside of a JSON string that takes so much and no more.
struct Limited<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
}

impl fmt::Write for Limited<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.out.len());
        if text.len() <= room {
            json::text(self.out, text.as_bytes());
            return Ok(());
        }
        let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last();
        json::text(self.out, text.get(..cut.unwrap_or(0)).unwrap_or_default().as_bytes());
        Err(fmt::Error)
    }

    fn write_char(&mut self, character: char) -> fmt::Result {
        // Most are brackets.
        if matches!(character, '#'..='[') && self.out.len() < self.end {
            self.out.push(character as u8);
            return Ok(());
        }
        self.write_str(character.encode_utf8(&mut [0; 4]))
    }
}

/// Writes a name as a JSON string: a DN, or what a client gave in its place.
pub(super) fn distinguished_name(out: &mut Vec<u8>, octets: &[u8], limit: usize) {
    if may_be_sensitive(octets) {
        masked(out, octets, limit);
    } else {
        json::string(out, octets, limit);
    }
}

/// Whether any attribute type in the name is long enough to be a sensitive one. Says yes too often, when
/// separators are escaped; then a closer look is taken.
fn may_be_sensitive(octets: &[u8]) -> bool {
    let mut rest = octets.iter();
    loop {
        // A `;` before the `=` is an option's.
        let before = rest.len();
        match rest.find(|octet| matches!(octet, b',' | b'+' | b'=')) {
            None => return false,
            Some(b'=') if before - rest.len() > SHORTEST => return true,
            Some(b'=') if !rest.any(|octet| matches!(octet, b',' | b'+' | b';')) => return false,
            Some(_) => {}
        }
    }
}

#[cold]
fn masked(out: &mut Vec<u8>, octets: &[u8], limit: usize) {
    let mut shown = Vec::with_capacity(octets.len());
    for component in components(octets) {
        match sensitive_type(component) {
            None => shown.extend_from_slice(component),
            Some(kind) => {
                shown.extend_from_slice(kind);
                shown.push(b'=');
                shown.extend_from_slice(MASK.as_bytes());
                // The separator belongs to its component.
                shown.extend(component.last().filter(|byte| matches!(byte, b',' | b'+')));
            }
        }
    }
    json::string(out, &shown, limit);
}

/// The parts `type=value` of a name, each with the separator that ends it.
fn components(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    octets.split_inclusive(move |byte| {
        let separates = !escaped && matches!(byte, b',' | b'+');
        escaped = !escaped && *byte == b'\\';
        separates
    })
}

/// The attribute type of a component whose value must not be seen.
fn sensitive_type(component: &[u8]) -> Option<&[u8]> {
    let (kind, value) = component.split_at(component.iter().position(|byte| *byte == b'=')?);
    // RFC 2253 4: older forms of names have `;` between the parts.
    let hidden = is_sensitive(kind.trim_ascii())
        || value.split(|byte| *byte == b';').skip(1).any(|part| {
            let (kind, value) = part.split_at(part.iter().position(|byte| *byte == b'=').unwrap_or(part.len()));
            !value.is_empty() && is_sensitive(kind.trim_ascii())
        });
    hidden.then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ldap::attribute::AttributeDescription;

    fn equality<'a>(attribute: &'a str, value: &'a [u8]) -> Filter<'a> {
        Filter::Equality { attribute: AttributeDescription(attribute.as_bytes()), value }
    }

    fn shown(of: &Filter<'_>, limit: usize) -> String {
        let mut out = Vec::new();
        filter(&mut out, of, limit);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn filters() {
        let uid = AttributeDescription(b"uid");
        let password = AttributeDescription(b"userPassword;x-old");
        for (filter, text) in [
            (Filter::And(vec![]), "(&)"),
            (Filter::Present(AttributeDescription(b"objectClass")), "(objectClass=*)"),
            (Filter::Not(Box::new(equality("cn", b"a*(b)\\\0\n"))), "(!(cn=a\\2a\\28b\\29\\5c\\00\\0a))"),
            (equality("objectGUID", b"\xfe\xffa\xc3\xa4"), "(objectGUID=\\fe\\ffa\u{e4})"),
            (
                Filter::Or(vec![equality("2.5.4.35", b"s3cret"), Filter::LessOrEqual { attribute: uid, value: b"b" }]),
                "(|(2.5.4.35=<masked>)(uid<=b))",
            ),
            (
                Filter::Substrings { attribute: uid, initial: Some(b"a"), any: vec![b"b", b"c"], last: Some(b"d") },
                "(uid=a*b*c*d)",
            ),
            (
                Filter::Substrings { attribute: password, initial: Some(b"s"), any: vec![b"3"], last: None },
                "(userPassword;x-old=<masked>*<masked>*)",
            ),
            (
                Filter::Extensible { rule: Some(b"2.5.13.18"), attribute: None, value: b"s3cret", dn_attributes: true },
                "(:dn:2.5.13.18:=<masked>)",
            ),
            (Filter::Extensible { rule: None, attribute: Some(uid), value: b"x", dn_attributes: false }, "(uid:=x)"),
        ] {
            assert_eq!(shown(&filter, 1000), text);
        }
    }

    #[test]
    fn long_filters_are_cut() {
        let many = Filter::Or((0..1000).map(|_| equality("uid", b"somebody")).collect());
        let text = shown(&many, 100);
        assert!(text.ends_with(CUT) && text.len() < 130, "{text}");
        let text = shown(&equality("uid", "\u{e4}".repeat(1000).as_bytes()), 100);
        assert!(text.ends_with(&format!("\u{e4}{CUT}")) && text.len() < 130, "{text}");
    }

    #[test]
    fn names_are_looked_at_closely_where_a_type_is_long_enough() {
        for (name, closely) in [
            ("uid=alice,ou=people,dc=example,dc=com", false),
            ("cn=userPassword=x,dc=x", false),
            ("cn=x,userPassword=x", true),
            ("cn=x+2.5.4.35=x", true),
            ("cn=a; userPassword=b", true),
            ("employeeNumber=1", true),
            ("2.5.4.35;x-a=b", true),
            ("cn=a,2.5.4.35;x-a=b", true),
            ("userPassword", false),
        ] {
            assert_eq!(may_be_sensitive(name.as_bytes()), closely, "{name}");
        }
    }

    #[test]
    fn names() {
        for (name, text) in [
            ("uid=alice,ou=people,dc=example,dc=com", "uid=alice,ou=people,dc=example,dc=com"),
            ("", ""),
            ("DOMAIN\\user", "DOMAIN\\user"),
            ("cn=a\\,userPassword=b,dc=x", "cn=a\\,userPassword=b,dc=x"),
            ("cn=a+userPassword=b\\,c,dc=x", "cn=a+userPassword=<masked>,dc=x"),
            ("UserPassword = b", "UserPassword =<masked>"),
            ("userPassword;x-a=b,dc=x", "userPassword;x-a=<masked>,dc=x"),
            ("cn=a; userPassword=b", "cn=<masked>"),
            ("cn=a;b=c", "cn=a;b=c"),
        ] {
            let mut out = Vec::new();
            distinguished_name(&mut out, name.as_bytes(), 1000);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
