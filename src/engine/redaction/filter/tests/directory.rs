//! A directory of one entry that evaluates filters in three-valued logic (RFC 4511 4.5.1.7), or in
//! two-valued logic, as some do.

use crate::engine::ldap::filter::Filter;
use std::collections::BTreeMap;

/// In this order an and is the least of its parts and an or the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    False,
    Undefined,
    True,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Truth::True } else { Truth::False }
    }
}

/// The attributes that have a schema; of these, `NO_ORDER` has no ordering rule. Others are Undefined.
pub(super) const KNOWN: [&str; 4] = ["a", "b", "c", "d"];
const NO_ORDER: &str = "c";

pub(super) fn evaluate(filter: &Filter<'_>, leaf: &dyn Fn(&Filter<'_>) -> Truth) -> Truth {
    match filter {
        Filter::And(parts) => parts.iter().map(|part| evaluate(part, leaf)).min().unwrap_or(Truth::True),
        Filter::Or(parts) => parts.iter().map(|part| evaluate(part, leaf)).max().unwrap_or(Truth::False),
        Filter::Not(part) => match evaluate(part, leaf) {
            Truth::True => Truth::False,
            Truth::Undefined => Truth::Undefined,
            Truth::False => Truth::True,
        },
        other => leaf(other),
    }
}

/// Whether an assertion could tell anything of these attributes. Names compare by type, case ignored.
pub(super) fn hides(leaf: &Filter<'_>, hidden: &[&str]) -> bool {
    if let Filter::Extensible { attribute: None, .. } | Filter::Extensible { dn_attributes: true, .. } = leaf {
        return !hidden.is_empty();
    }
    let attribute = leaf.attribute().expect("asked about assertions only");
    hidden.iter().any(|name| attribute.attribute_type().eq_ignore_ascii_case(name.as_bytes()))
}

/// An entry: its attributes and what its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) attributes: BTreeMap<&'static str, Vec<&'static str>>,
    pub(super) name: (&'static str, &'static str),
}

impl Entry {
    /// This entry, but what it says of `hidden` is what `other` says.
    pub(super) fn with_hidden_of(&self, other: &Entry, hidden: &[&str]) -> Entry {
        let mut mixed = self.clone();
        mixed.attributes.retain(|name, _| !hidden.contains(name));
        mixed.attributes.extend(other.attributes.clone().into_iter().filter(|(name, _)| hidden.contains(name)));
        if hidden.contains(&self.name.0) && self.name.0 == other.name.0 {
            mixed.name = other.name;
        }
        mixed
    }

    /// What the directory makes of an assertion. `undefined` is what it has for an assertion that it
    /// cannot evaluate.
    pub(super) fn assert(&self, leaf: &Filter<'_>, undefined: Truth) -> Truth {
        if let Filter::Extensible { attribute, value, dn_attributes, .. } = leaf {
            let about = |name: &str| attribute.is_none_or(|attribute| attribute.attribute_type() == name.as_bytes());
            if !KNOWN.iter().any(|name| about(name)) {
                return undefined;
            }
            let inside = self.attributes.iter().any(|(name, values)| about(name) && has(values, |it| it == *value));
            let named = *dn_attributes && about(self.name.0) && self.name.1.as_bytes() == *value;
            return (inside || named).into();
        }
        let name = leaf.attribute().expect("an assertion").attribute_type();
        let Some(name) = KNOWN.iter().find(|known| known.as_bytes() == name) else { return undefined };
        let values = self.attributes.get(name).map_or(&[][..], Vec::as_slice);
        match leaf {
            Filter::GreaterOrEqual { .. } | Filter::LessOrEqual { .. } if *name == NO_ORDER => undefined,
            Filter::GreaterOrEqual { value, .. } => has(values, |it| it >= *value).into(),
            Filter::LessOrEqual { value, .. } => has(values, |it| it <= *value).into(),
            Filter::Equality { value, .. } | Filter::Approximate { value, .. } => has(values, |it| it == *value).into(),
            Filter::Present(_) => (!values.is_empty()).into(),
            Filter::Substrings { initial, .. } => has(values, |it| it.starts_with(initial.unwrap_or_default())).into(),
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::Extensible { .. } => {
                panic!("not an assertion that gets here")
            }
        }
    }
}

fn has(values: &[&str], test: impl Fn(&[u8]) -> bool) -> bool {
    values.iter().any(|value| test(value.as_bytes()))
}
