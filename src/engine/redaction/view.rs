//! What is shown of one entry: all of it, some of its attributes, or nothing.

use super::Redaction;
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::request::SearchScope;
use crate::engine::ldap::schema::{Schema, TypeId};
use crate::engine::policy::attributes::TypeSet;
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::{OperationKind, Policy};

/// Attributes that say how many entries are below another, or whether any is: what is hidden there
/// would be counted. Names and OIDs, in lower case.
const COUNTS_OF_CHILDREN: &[&str] = &[
    "hassubordinates",
    "2.5.18.9",
    "numsubordinates",
    "1.3.1.1.4.1.453.16.2.103",
    "subordinatecount",
    "tombstonenumsubordinates",
    "msds-approx-immed-subordinates",
    "1.2.840.113556.1.4.1669",
];

/// Whether a description names a count of what is below an entry.
pub(crate) fn counts_children(description: AttributeDescription<'_>) -> bool {
    let name = description.attribute_type();
    let bare = match name.split_at_checked(4) {
        Some((prefix, oid)) if prefix.eq_ignore_ascii_case(b"oid.") => oid,
        _ => name,
    };
    COUNTS_OF_CHILDREN.iter().any(|listed| bare.eq_ignore_ascii_case(listed.as_bytes()))
}

/// Whether a type is one of these.
pub(crate) fn counts(id: TypeId, schema: &Schema) -> bool {
    let described = |name: &str| counts_children(AttributeDescription(name.as_bytes()));
    schema.facts(id).is_some_and(|facts| facts.names.iter().chain(&facts.oid).any(|name| described(name)))
}

/// What an assertion in a filter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asserted {
    /// A type and its subtypes.
    Type(TypeId),
    /// Any attribute: an extensible match without one, or a name that the schema does not know.
    Anything,
    /// What other entries hold too (a matching rule that follows names).
    OtherEntries,
}

/// What is not shown of one entry that is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    pub(super) hidden: TypeSet,
    pub(super) only: Option<TypeSet>,
    pub(super) children: bool,
}

impl View {
    /// Whether all of it is shown.
    pub fn is_whole(&self) -> bool {
        self.hidden.is_empty() && self.only.is_none() && !self.children
    }

    /// Whether values under this description are shown. What the schema does not know may be anything.
    pub fn shows(&self, description: AttributeDescription<'_>, schema: &Schema) -> bool {
        let known = match schema.canonical(description) {
            None => self.hidden.is_empty() && self.only.is_none(),
            Some(id) => !self.hidden.contains(id) && self.only.as_ref().is_none_or(|only| only.contains(id)),
        };
        known && !(self.children && counts_children(description))
    }

    /// Whether an assertion may touch what is not shown.
    pub(super) fn hides(&self, asserted: Asserted, schema: &Schema) -> bool {
        match asserted {
            Asserted::OtherEntries => true,
            Asserted::Anything => !self.is_whole(),
            Asserted::Type(id) => {
                let is_hidden = |id: &TypeId| {
                    self.hidden.contains(*id)
                        || self.only.as_ref().is_some_and(|only| !only.contains(*id))
                        || self.children && counts(*id, schema)
                };
                schema.subtypes(id).iter().any(is_hidden)
            }
        }
    }
}

/// A part of a resource that is shown although it is protected.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) resource: ResourceIndex,
    /// Only at or below this.
    pub(super) base: Option<Dn>,
    /// Only these.
    pub(super) attributes: Option<TypeSet>,
}

impl Redaction {
    /// What is shown of the entry of this name; `None`: nothing. `expected`: it lies where the search was decided to
    /// reach, so that what is hidden there is known; without, all that its name says counts.
    pub(super) fn view(&self, policy: &Policy, entry: &Dn, expected: bool) -> Option<View> {
        let mut view = View::default();
        let judges = self.judges && !expected;
        if self.hides || judges {
            for resource in policy.touched(entry, OperationKind::Search) {
                let shown = self.shown(resource, entry)?;
                if let Shown::These(shown) = shown {
                    match &mut view.only {
                        Some(only) => only.keep(&shown),
                        None => view.only = Some(shown),
                    }
                }
            }
        }
        if self.cuts || judges {
            for resource in policy.attributes_touched(entry, OperationKind::Search) {
                let Some(types) = policy.types(resource) else { continue };
                let mut hidden = types.clone();
                match self.shown(resource, entry) {
                    Some(Shown::All) => continue,
                    Some(Shown::These(shown)) => hidden.remove(&shown),
                    None => {}
                }
                view.hidden.add(&hidden);
            }
        }
        if self.children {
            let mut below = policy.reached(entry, SearchScope::One, Some(OperationKind::Search));
            view.children = below.any(|resource| !self.shows_all(resource));
        }
        Some(view)
    }

    fn shown(&self, resource: ResourceIndex, entry: &Dn) -> Option<Shown> {
        let mut these: Option<TypeSet> = None;
        for open in self.open.iter().filter(|open| open.resource == resource) {
            if !open.base.as_ref().is_none_or(|base| entry.is_surely_within(base)) {
                continue;
            }
            match &open.attributes {
                None => return Some(Shown::All),
                Some(attributes) => these.get_or_insert_default().add(attributes),
            }
        }
        these.map(Shown::These)
    }

    pub(super) fn shows_all(&self, resource: ResourceIndex) -> bool {
        let all = |open: &Open| open.resource == resource && open.base.is_none() && open.attributes.is_none();
        self.open.iter().any(all)
    }
}

/// What of a resource is shown at an entry.
enum Shown {
    All,
    These(TypeSet),
}
