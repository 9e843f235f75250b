//! Our filters against those that slapd writes into its log and hands to its back end.

use super::compare::known_name;
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::filter::Filter;

/// Takes our filter off the beginning of what slapd wrote. It writes `?` before what it takes for Undefined, and
/// has worked out what is so without looking at an entry.
pub(super) fn match_filter(ours: &Filter<'_>, text: &mut &[u8]) -> bool {
    let computed = worked_out(ours);
    for (written, value) in
        [("(?=undefined)", None), ("(?=error)", None), ("(?=true)", Some(true)), ("(?=false)", Some(false))]
    {
        if let Some(rest) = text.strip_prefix(written.as_bytes()) {
            *text = rest;
            return match value {
                Some(value) => computed == Some(value),
                None => may_be_undefined(ours),
            };
        }
    }
    let list = |open: &[u8], parts: &[Filter<'_>], text: &mut &[u8]| {
        take(text, open) && parts.iter().all(|part| match_filter(part, text)) && take(text, b")")
    };
    let assertion = |name: &AttributeDescription<'_>, sign: &[u8], value: &[u8], text: &mut &[u8]| {
        take_name(text, name.0).is_some_and(|how| take(text, sign) && take_value(text, value, how) && take(text, b")"))
    };
    match ours {
        Filter::And(parts) => list(b"(&", parts, text),
        Filter::Or(parts) => list(b"(|", parts, text),
        Filter::Not(part) => list(b"(!", std::slice::from_ref(part), text),
        Filter::Equality { attribute, value } => assertion(attribute, b"=", value, text),
        Filter::GreaterOrEqual { attribute, value } => assertion(attribute, b">=", value, text),
        Filter::LessOrEqual { attribute, value } => assertion(attribute, b"<=", value, text),
        Filter::Approximate { attribute, value } => assertion(attribute, b"~=", value, text),
        Filter::Present(attribute) => take_name(text, attribute.0).is_some() && take(text, b"=*)"),
        Filter::Substrings { attribute, initial, any, last } => take_name(text, attribute.0).is_some_and(|how| {
            take(text, b"=")
                && initial.is_none_or(|part| take_value(text, part, how))
                && take(text, b"*")
                && any.iter().all(|part| take_value(text, part, how) && take(text, b"*"))
                && last.is_none_or(|part| take_value(text, part, how))
                && take(text, b")")
        }),
        Filter::Extensible { rule, attribute, value, dn_attributes } => {
            let how = match attribute {
                Some(attribute) => take_name(text, attribute.0),
                None => take_name(text, b""),
            };
            how.is_some_and(|how| {
                (!dn_attributes || take(text, b":dn"))
                    && rule.is_none_or(|rule| take(text, b":") && take(text, rule))
                    && take(text, b":=")
                    && take_value(text, value, how)
                    && take(text, b")")
            })
        }
    }
}

/// What a filter is whatever the entry (RFC 4526), as far as slapd works it out.
fn worked_out(filter: &Filter<'_>) -> Option<bool> {
    match filter {
        Filter::And(parts) if parts.is_empty() => Some(true),
        Filter::Or(parts) if parts.is_empty() => Some(false),
        Filter::Not(part) => worked_out(part).map(|value| !value),
        _ => None,
    }
}

fn may_be_undefined(filter: &Filter<'_>) -> bool {
    match filter {
        Filter::And(_) | Filter::Or(_) => false,
        Filter::Not(part) => may_be_undefined(part),
        _ => true,
    }
}

fn take(text: &mut &[u8], what: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(what) else { return false };
    *text = rest;
    true
}

/// A parenthesis and a name, as given or as slapd knows it. Says how values of that attribute are written.
fn take_name(text: &mut &[u8], ours: &[u8]) -> Option<Written> {
    if !take(text, b"(") {
        return None;
    }
    let undefined = take(text, b"?");
    let name = known_name(ours);
    let octets = [&b"blob"[..], b"other", b"third", b"userpassword"].iter().any(|known| name.starts_with(known));
    let taken = [ours, known_name(ours).as_slice()].iter().any(|name| {
        let found = text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if found {
            *text = &text[name.len()..];
        }
        found
    });
    taken.then_some(if undefined || octets { Written::Exactly } else { Written::Normalised })
}

#[derive(Clone, Copy)]
enum Written {
    /// As they came.
    Exactly,
    /// In the normal form of a syntax that is not octets.
    Normalised,
}

/// A value, with `\xx` for what must not stand for itself.
fn take_value(text: &mut &[u8], value: &[u8], written: Written) -> bool {
    if matches!(written, Written::Normalised) {
        let end = text.iter().position(|octet| b"*)".contains(octet)).unwrap_or(text.len());
        *text = &text[end..];
        return true;
    }
    value.iter().all(|octet| {
        let escaped = format!("\\{octet:02x}");
        match text.get(..3) {
            Some(start) if start.eq_ignore_ascii_case(escaped.as_bytes()) => take(text, start),
            _ => !b"*()\\\0".contains(octet) && take(text, &[*octet]),
        }
    })
}
