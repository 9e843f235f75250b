//! LDAP values as the record shows them: filters (RFC 4515) and names (RFC 4514) as the inside of a
//! JSON string, with the values of sensitive attributes masked.

use super::json::{self, CUT, Invalid};
use super::sensitive::is_sensitive;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;

/// What stands in place of a value that is not to be seen.
const MASK: &[u8] = b"***";
/// Octets of one value in a filter.
const VALUE_LIMIT: usize = 512;
/// Octets of an attribute description or matching rule.
const NAME_LIMIT: usize = 256;

/// Writes a filter as a JSON string of about `limit` octets at most.
pub(super) fn filter(out: &mut Vec<u8>, filter: &Filter<'_>, limit: usize) {
    out.push(b'"');
    let end = out.len() + limit;
    part(out, filter, end);
    if out.len() >= end {
        out.extend_from_slice(CUT.as_bytes());
    }
    out.push(b'"');
}

/// Writes nothing once `end` is reached.
fn part(out: &mut Vec<u8>, filter: &Filter<'_>, end: usize) {
    if out.len() >= end {
        return;
    }
    out.push(b'(');
    match filter {
        Filter::And(parts) => {
            out.push(b'&');
            parts.iter().for_each(|inner| part(out, inner, end));
        }
        Filter::Or(parts) => {
            out.push(b'|');
            parts.iter().for_each(|inner| part(out, inner, end));
        }
        Filter::Not(inner) => {
            out.push(b'!');
            part(out, inner, end);
        }
        Filter::Equality { attribute, value } => assertion(out, *attribute, b"=", value),
        Filter::GreaterOrEqual { attribute, value } => assertion(out, *attribute, b">=", value),
        Filter::LessOrEqual { attribute, value } => assertion(out, *attribute, b"<=", value),
        Filter::Approximate { attribute, value } => assertion(out, *attribute, b"~=", value),
        Filter::Present(attribute) => {
            name(out, attribute.0);
            out.extend_from_slice(b"=*");
        }
        Filter::Substrings { attribute, initial, any, last } => {
            let hidden = is_sensitive(attribute.0);
            name(out, attribute.0);
            out.push(b'=');
            initial.iter().for_each(|piece| value(out, piece, hidden));
            out.push(b'*');
            for piece in any.iter().take_while(|_| !hidden) {
                if out.len() >= end {
                    return;
                }
                value(out, piece, hidden);
                out.push(b'*');
            }
            last.iter().for_each(|piece| value(out, piece, hidden));
        }
        Filter::Extensible { rule, attribute, value: asserted, dn_attributes } => {
            attribute.iter().for_each(|attribute| name(out, attribute.0));
            if *dn_attributes {
                out.extend_from_slice(b":dn");
            }
            if let Some(rule) = rule {
                out.push(b':');
                name(out, rule);
            }
            out.extend_from_slice(b":=");
            // Without an attribute it is every attribute that the rule fits.
            value(out, asserted, attribute.is_none_or(|attribute| is_sensitive(attribute.0)));
        }
    }
    out.push(b')');
}

fn assertion(out: &mut Vec<u8>, attribute: AttributeDescription<'_>, operator: &[u8], asserted: &[u8]) {
    name(out, attribute.0);
    out.extend_from_slice(operator);
    value(out, asserted, is_sensitive(attribute.0));
}

fn name(out: &mut Vec<u8>, octets: &[u8]) {
    cut(out, octets, NAME_LIMIT, false);
}

fn value(out: &mut Vec<u8>, octets: &[u8], hidden: bool) {
    cut(out, octets, VALUE_LIMIT, hidden);
}

fn cut(out: &mut Vec<u8>, octets: &[u8], limit: usize, hidden: bool) {
    match octets.split_at_checked(limit) {
        _ if hidden => out.extend_from_slice(MASK),
        Some((head, rest)) if !rest.is_empty() => {
            filter_text(out, head);
            out.extend_from_slice(CUT.as_bytes());
        }
        _ => filter_text(out, octets),
    }
}

/// Octets as RFC 4515 3 writes them, with everything that is not plainly readable as `\xx` as well.
fn filter_text(out: &mut Vec<u8>, octets: &[u8]) {
    let mut rest = octets;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'*' | b'(' | b')' | b'\\' | ..b' ')) {
        let (plain, special) = rest.split_at(at);
        json::text(out, plain, Invalid::Hex);
        if let Some((octet, after)) = special.split_first() {
            json::hex_escape(out, *octet);
            rest = after;
        }
    }
    json::text(out, rest, Invalid::Hex);
}

/// Writes a name as a JSON string: a DN, or what a client gave in its place.
pub(super) fn distinguished_name(out: &mut Vec<u8>, octets: &[u8], limit: usize) {
    if components(octets).all(|component| sensitive_type(component).is_none()) {
        json::string(out, octets, limit);
        return;
    }
    let mut shown = Vec::with_capacity(octets.len());
    for component in components(octets) {
        match sensitive_type(component) {
            None => shown.extend_from_slice(component),
            Some(kind) => {
                shown.extend_from_slice(kind);
                shown.push(b'=');
                shown.extend_from_slice(MASK);
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
                "(|(2.5.4.35=***)(uid<=b))",
            ),
            (
                Filter::Substrings { attribute: uid, initial: Some(b"a"), any: vec![b"b", b"c"], last: Some(b"d") },
                "(uid=a*b*c*d)",
            ),
            (
                Filter::Substrings { attribute: password, initial: Some(b"s"), any: vec![b"3"], last: None },
                "(userPassword;x-old=****)",
            ),
            (
                Filter::Extensible { rule: Some(b"2.5.13.18"), attribute: None, value: b"s3cret", dn_attributes: true },
                "(:dn:2.5.13.18:=***)",
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
        let long = vec![b'x'; 10_000];
        let text = shown(&equality("uid", &long), 8000);
        assert!(text.len() < VALUE_LIMIT + 30 && text.contains(CUT), "{text}");
    }

    #[test]
    fn names() {
        for (name, text) in [
            ("uid=alice,ou=people,dc=example,dc=com", "uid=alice,ou=people,dc=example,dc=com"),
            ("", ""),
            ("DOMAIN\\user", "DOMAIN\\user"),
            ("cn=a\\,userPassword=b,dc=x", "cn=a\\,userPassword=b,dc=x"),
            ("cn=a+userPassword=b\\,c,dc=x", "cn=a+userPassword=***,dc=x"),
            ("UserPassword = b", "UserPassword =***"),
            ("userPassword;x-a=b,dc=x", "userPassword;x-a=***,dc=x"),
            ("cn=a; userPassword=b", "cn=***"),
            ("cn=a;b=c", "cn=a;b=c"),
        ] {
            let mut out = Vec::new();
            distinguished_name(&mut out, name.as_bytes(), 1000);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
