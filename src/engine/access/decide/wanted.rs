//! What a search asks for and asserts, in terms of the schema.

use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::SearchRequest;
use crate::engine::ldap::schema::{Schema, TypeId};
use crate::engine::policy::attributes::TypeSet;
use crate::engine::redaction::{Asserted, asserted, counts_children, follows};
use std::collections::HashSet;

/// What can be seen of a search without its schema.
pub(super) struct Glance {
    /// It asks for, or asserts, how much is below an entry.
    pub(super) counts: bool,
    /// Its filter follows names from entry to entry.
    pub(super) follows: bool,
}

impl Glance {
    pub(super) fn at(search: &SearchRequest<'_>) -> Glance {
        let asked = |requested: &AttributeDescription<'_>| match requested.0 {
            // Everything that is operational (RFC 3673); all of a class (RFC 4529), which may have them.
            b"+" | [b'@', ..] => true,
            _ => counts_children(*requested),
        };
        let mut glance = Glance { counts: search.attributes.iter().any(asked), follows: false };
        search.filter.walk(&mut |part| {
            glance.counts |= part.attribute().is_some_and(counts_children) || is_about_anything(part);
            glance.follows |= follows(part);
        });
        glance
    }
}

/// What a search may return, and what its filter is about.
pub(super) struct Wanted {
    /// Any attribute may be returned.
    any: bool,
    /// These, and their subtypes.
    types: Vec<TypeId>,
    /// What the filter asserts, each once.
    pub(super) asserted: Vec<Asserted>,
}

impl Wanted {
    /// A list of requested attributes alone.
    pub(super) fn list(attributes: &[AttributeDescription<'_>], schema: &Schema) -> Wanted {
        // An empty list asks for everything but what is operational (RFC 4511 4.5.1.8).
        let mut wanted = Wanted { any: attributes.is_empty(), types: Vec::new(), asserted: Vec::new() };
        attributes.iter().for_each(|requested| wanted.request(*requested, schema));
        wanted
    }

    pub(super) fn of(search: &SearchRequest<'_>, schema: &Schema) -> Wanted {
        let mut wanted = Wanted::list(&search.attributes, schema);
        wanted.asserted = about(&search.filter, schema);
        wanted
    }

    /// One element of the list of requested attributes.
    fn request(&mut self, requested: AttributeDescription<'_>, schema: &Schema) {
        match requested.0 {
            // RFC 3673: `+` is everything that is operational.
            b"*" | b"+" => self.any = true,
            // RFC 4511 4.5.1.8: nothing; beside others it means nothing.
            b"1.1" => {}
            // RFC 4529.
            [b'@', ..] => match schema.class_attributes(requested) {
                Some(class) if !class.open => self.types.extend(class.must.into_iter().chain(class.may)),
                // Perhaps of all of them.
                Some(_) | None => self.any = true,
            },
            _ => match schema.canonical(requested) {
                Some(id) => self.types.push(id),
                None => self.any = true,
            },
        }
    }

    /// Whether anything of a set may be returned.
    pub(super) fn may_return(&self, types: &TypeSet, schema: &Schema) -> bool {
        (self.any && !types.is_empty()) || self.types.iter().any(|id| types.meets(*id, schema))
    }

    /// Whether the filter may be about anything of a set.
    pub(super) fn asserts(&self, types: &TypeSet, schema: &Schema) -> bool {
        self.asserted.iter().any(|asserted| is_about(*asserted, types, schema))
    }
}

/// What a filter asserts, each once, in the order in which it comes first. Filters may be long.
pub(super) fn about(filter: &Filter<'_>, schema: &Schema) -> Vec<Asserted> {
    let (mut list, mut seen) = (Vec::new(), HashSet::new());
    filter.walk(&mut |part| {
        let new = asserted(part, schema).filter(|asserted| list.last() != Some(asserted) && seen.insert(*asserted));
        list.extend(new);
    });
    list
}

/// Whether this part alone is about every attribute.
fn is_about_anything(part: &Filter<'_>) -> bool {
    matches!(part, Filter::Extensible { attribute: None, .. })
}

/// Whether an assertion may be about anything of a set.
pub(super) fn is_about(asserted: Asserted, types: &TypeSet, schema: &Schema) -> bool {
    match asserted {
        Asserted::Type(id) => types.meets(id, schema),
        Asserted::Anything => !types.is_empty(),
        // Of that the whole directory is to be open.
        Asserted::OtherEntries => false,
    }
}
