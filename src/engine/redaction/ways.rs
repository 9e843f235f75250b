//! The ways in which what a filter asserts may be hidden: one for each stage of a search, so that each entry
//! is matched by the filter that its own redaction leaves.

use super::filter::{Rewritten, rewrite};
use super::view::{Asserted, View};
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::dn::extended::is_identifier;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::schema::Schema;

/// More ways of hiding than this are two: nothing (but what is hidden everywhere), or everything.
const MAX_WAYS: usize = 8;

/// Active Directory's LDAP_MATCHING_RULE_IN_CHAIN (MS-ADTS 3.1.1.3.4.4): follows a name from entry to entry. 389
/// Directory Server knows it by these names, too.
const IN_CHAIN: &[&str] = &["1.2.840.113556.1.4.1941", "inchainMatch", "inchain"];

/// Which of the assertions are Undefined: a bit for each of [`Ways::asserted`].
pub(crate) type Key = u64;

/// The ways in which assertions of one filter are hidden.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways {
    /// What the filter asserts that is hidden somewhere. Empty: the filter is asked as it is.
    asserted: Vec<Asserted>,
    /// In the order in which they are asked; those with fewer bits first.
    keys: Box<[Key]>,
    /// There are more than there are bits: the first bit stands for all.
    lumped: bool,
}

impl Ways {
    /// Any of `keys` may be what is hidden of `asserted`, which are 64 at most. `lumped`: of everything that is asserted.
    pub(crate) fn new(asserted: Vec<Asserted>, lumped: bool, mut keys: Vec<Key>) -> Ways {
        keys.sort_by_key(|key| (key.count_ones(), *key));
        keys.dedup();
        if keys.len() > MAX_WAYS {
            let always = keys.iter().fold(Key::MAX, |all, key| all & key);
            let ever = keys.iter().fold(0, |all, key| all | key);
            keys = vec![always, ever];
        }
        if keys.iter().all(|key| *key == 0) { Ways::default() } else { Ways { asserted, keys: keys.into(), lumped } }
    }

    /// Whether the filter is asked as it is.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What is asked in each stage, and what is Undefined in it; none: the filter as it is.
    pub(super) fn rewrite<'a>(&self, filter: &Filter<'a>, schema: &Schema) -> Vec<(Key, Rewritten<'a>)> {
        let way = |key: &Key| {
            let rewritten = rewrite(filter, &|assertion| {
                let Some(asserted) = asserted(assertion, schema) else { return false };
                let at = if self.lumped { Some(0) } else { self.asserted.iter().position(|known| *known == asserted) };
                at.is_some_and(|at| key >> at & 1 == 1)
            });
            (*key, rewritten)
        };
        self.keys.iter().map(way).collect()
    }

    /// The stage in which an entry is taken of which this is shown; `None`: in none.
    pub(super) fn stage_of(&self, view: &View, schema: &Schema) -> Option<usize> {
        if self.keys.is_empty() {
            return Some(0);
        }
        let key = self.key_of(view, schema);
        self.keys.iter().position(|stage| stage & key == key)
    }

    /// What of the assertions is Undefined where this is shown.
    pub(super) fn key_of(&self, view: &View, schema: &Schema) -> Key {
        let hidden = self.asserted.iter().enumerate().filter(|(_, asserted)| view.hides(**asserted, schema));
        let bit = |at: usize| if self.lumped { 1 } else { 1 << at };
        hidden.fold(0, |key: Key, (at, _)| key | bit(at))
    }
}

/// What an assertion is about; `None` for and, or, not, and for `(objectClass=*)`, which is True of every
/// entry (RFC 4512 2.4) and so tells nothing.
pub(crate) fn asserted(assertion: &Filter<'_>, schema: &Schema) -> Option<Asserted> {
    let about = |attribute: AttributeDescription<'_>| match schema.canonical(attribute) {
        Some(id) => Asserted::Type(id),
        None => Asserted::Anything,
    };
    match assertion {
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => None,
        Filter::Present(AttributeDescription(name)) if is_object_class(name) => None,
        _ if follows(assertion) => Some(Asserted::OtherEntries),
        Filter::Equality { attribute, .. }
        | Filter::GreaterOrEqual { attribute, .. }
        | Filter::LessOrEqual { attribute, .. }
        | Filter::Approximate { attribute, .. }
        | Filter::Substrings { attribute, .. }
        | Filter::Present(attribute) => Some(about(*attribute)),
        Filter::Extensible { attribute: Some(attribute), .. } => Some(about(*attribute)),
        Filter::Extensible { attribute: None, .. } => Some(Asserted::Anything),
    }
}

fn is_object_class(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"objectClass") || name == b"2.5.4.0"
}

/// Whether an assertion depends on entries that a name in the value of another leads to.
pub(crate) fn follows(assertion: &Filter<'_>) -> bool {
    let is_one = |rule: &[u8]| IN_CHAIN.iter().any(|name| rule.eq_ignore_ascii_case(name.as_bytes()));
    matches!(assertion, Filter::Extensible { rule: Some(rule), .. } if is_one(rule)) || identifies(assertion)
}

/// Whether an assertion's value names an entry by an identifier, so that the directory looks for that entry first.
pub(crate) fn identifies(assertion: &Filter<'_>) -> bool {
    match assertion {
        Filter::Equality { value, .. }
        | Filter::GreaterOrEqual { value, .. }
        | Filter::LessOrEqual { value, .. }
        | Filter::Approximate { value, .. }
        | Filter::Extensible { value, .. } => is_identifier(value),
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::Substrings { .. } | Filter::Present(_) => false,
    }
}
