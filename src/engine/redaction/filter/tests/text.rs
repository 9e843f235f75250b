//! Filters from and to the text of RFC 4515, as far as these tests use it.

use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;

pub(super) fn parse(text: &str) -> Filter<'_> {
    let (filter, rest) = parse_next(text);
    assert!(rest.is_empty(), "left over: {rest}");
    filter
}

pub(super) fn write(filter: &Filter<'_>) -> String {
    let mut out = String::new();
    filter.write_text(&mut out, &|_| false).unwrap();
    out
}

pub(super) fn encode(filter: &Filter<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    filter.encode(&mut out);
    out
}

fn parse_next<'a>(text: &'a str) -> (Filter<'a>, &'a str) {
    let inner = text.strip_prefix('(').expect("a filter begins with a parenthesis");
    let list: fn(Vec<Filter<'a>>) -> Filter<'a> = match inner.as_bytes()[0] {
        b'&' => Filter::And,
        b'|' => Filter::Or,
        b'!' => |mut parts| Filter::Not(Box::new(parts.remove(0))),
        _ => {
            let (item, rest) = inner.split_once(')').expect("a filter ends");
            return (assertion(item), rest);
        }
    };
    let (mut parts, mut rest) = (Vec::new(), &inner[1..]);
    while !rest.starts_with(')') {
        let (part, after) = parse_next(rest);
        parts.push(part);
        rest = after;
    }
    (list(parts), &rest[1..])
}

fn assertion(item: &str) -> Filter<'_> {
    let (name, value) = item.split_once('=').expect("an assertion has a value");
    let value = value.as_bytes();
    if let Some(name) = name.strip_suffix(':') {
        return extensible(name, value);
    }
    let attribute = AttributeDescription(name.trim_end_matches(['>', '<', '~']).as_bytes());
    match (name.as_bytes().last(), value) {
        (Some(b'>'), _) => Filter::GreaterOrEqual { attribute, value },
        (Some(b'<'), _) => Filter::LessOrEqual { attribute, value },
        (Some(b'~'), _) => Filter::Approximate { attribute, value },
        (_, b"*") => Filter::Present(attribute),
        (_, [initial @ .., b'*']) => Filter::Substrings { attribute, initial: Some(initial), any: vec![], last: None },
        (_, value) => Filter::Equality { attribute, value },
    }
}

/// `type:dn:rule`, each of which may be missing.
fn extensible<'a>(name: &'a str, value: &'a [u8]) -> Filter<'a> {
    let mut fields = name.split(':');
    let attribute = fields.next().filter(|name| !name.is_empty());
    let attribute = attribute.map(|name| AttributeDescription(name.as_bytes()));
    let mut rule = fields.next();
    let dn_attributes = rule == Some("dn");
    if dn_attributes {
        rule = fields.next();
    }
    Filter::Extensible { rule: rule.map(str::as_bytes), attribute, value, dn_attributes }
}
