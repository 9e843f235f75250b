//! What each operation touches: one file an operation. Knows nothing of who asks or what they hold,
//! except that a password without a name is one's own.
//!
//! Of a search only where it goes: the attributes that it asks for and asserts are redacted, not required.

mod add;
mod bind;
mod compare;
mod delete;
mod modify;
mod password;
mod rename;
mod search;

use super::resource::ResourceIndex;
use super::{OperationKind, Policy, Subject};
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::Control;
use crate::engine::ldap::dn::Naming;
use crate::engine::ldap::request::{ExtendedRequest, Request, SearchScope};
use std::borrow::Cow;

/// What one operation touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement<'a> {
    /// The kind that resources are asked for.
    pub kind: OperationKind,
    /// Where.
    pub touches: Touches<'a>,
    /// What of the entries there.
    pub part: Part<'a>,
}

/// What of an entry is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// The entry as such, whatever is in it; and, for resources that protect attributes, these.
    Whole(Vec<Cow<'a, [u8]>>),
    /// These attributes.
    Attributes(Vec<Cow<'a, [u8]>>),
}

impl Part<'_> {
    /// The attributes that are touched as attributes.
    pub fn attributes(&self) -> impl Iterator<Item = AttributeDescription<'_>> {
        let (Part::Whole(list) | Part::Attributes(list)) = self;
        list.iter().map(|description| AttributeDescription(description))
    }

    /// Those that an operation of this kind touches of a resource: what a password is called in other directories
    /// is nothing unknown, unless the resource names it.
    pub fn touched<'p>(
        &'p self,
        kind: OperationKind,
        policy: &'p Policy,
        at: ResourceIndex,
    ) -> impl Iterator<Item = AttributeDescription<'p>> {
        let names = policy.resource(at).and_then(|resource| resource.attributes.as_ref());
        self.attributes().filter(move |touched| {
            let is_it = |name: &str| name.as_bytes().eq_ignore_ascii_case(touched.0);
            kind != OperationKind::Password
                || policy.schema().canonical(*touched).is_some()
                || names.is_some_and(|names| names.iter().any(is_it))
        })
    }
}

/// Where an operation touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touches<'a> {
    /// One entry.
    Entry(Cow<'a, Dn>),
    /// An entry and everything below it.
    Tree(&'a Dn),
    /// Everything that a search can reach; redacted, not refused, except at its base.
    Reach {
        /// Where it begins.
        base: &'a Dn,
        /// How far it goes.
        scope: SearchScope,
        /// Whether aliases, the values of an attribute or the directory's configuration may lead it anywhere.
        aliases: bool,
    },
    /// An entry and everything below it, before and after.
    Move {
        /// The name before.
        from: &'a Dn,
        /// The name after.
        to: Dn,
    },
    /// An entry that only the directory could name: any that is protected.
    Unknown,
}

/// What must be held of a resource for an operation to go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot<'a> {
    /// It at this entry.
    Entry(&'a Dn),
    /// It wherever it lies at or below this.
    Tree(&'a Dn),
    /// All of it.
    Everywhere,
}

/// One resource that an operation touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a> {
    /// Which.
    pub resource: ResourceIndex,
    /// How much of it.
    pub spot: Spot<'a>,
    /// The attributes; `None`: all that it protects there.
    pub attributes: Option<&'a Part<'a>>,
    /// Whether entries are taken out of it that it protects for other operations than renaming:
    /// the right to all of these will do as well.
    pub leaving: bool,
}

impl<'a> Requirement<'a> {
    /// What `request` of `subject` touches; `None` is nothing that can be protected.
    pub fn of(request: &'a Request<'_>, controls: &[Control<'_>], subject: &'a Subject) -> Option<Requirement<'a>> {
        let (kind, touches, part) = match request {
            Request::Bind(request) => (OperationKind::Bind, bind::touches(request)?, Part::Whole(vec![])),
            // Seeing anything of its base is enough; the rest is redacted.
            Request::Search(request) => {
                (OperationKind::Search, search::touches(request, controls)?, Part::Attributes(vec![]))
            }
            Request::Modify(request) => (OperationKind::Modify, modify::touches(request), modify::part(request)),
            Request::Add(request) => (OperationKind::Add, add::touches(request), add::part(request)),
            // Attribute resources do not stop a delete.
            Request::Delete(entry) => (OperationKind::Delete, delete::touches(entry, controls), Part::Whole(vec![])),
            Request::Rename(request) => (OperationKind::Rename, rename::touches(request), rename::part(request)),
            Request::Compare(request) => (OperationKind::Compare, compare::touches(request), compare::part(request)),
            Request::Extended(ExtendedRequest::Password { identity, .. }) => {
                (OperationKind::Password, password::touches(*identity, subject)?, password::part())
            }
            Request::Extended(
                ExtendedRequest::StartTls
                | ExtendedRequest::WhoAmI
                | ExtendedRequest::Cancel(_)
                | ExtendedRequest::Other { .. },
            )
            | Request::Unbind
            | Request::Abandon(_) => return None,
        };
        Some(Requirement { kind, touches, part })
    }

    /// The same, with a name that was read of a value as the directory reads it; those of the request are so already.
    #[must_use]
    pub fn resolved(mut self, naming: &Naming) -> Requirement<'a> {
        if let Touches::Entry(Cow::Owned(entry)) = &mut self.touches {
            entry.resolve(naming);
        }
        self
    }

    /// The names that the operation goes to: each must lie in a tree that is served.
    pub fn targets(&self) -> impl Iterator<Item = &Dn> {
        let (one, two) = match &self.touches {
            Touches::Entry(entry) => (Some(&**entry), None),
            Touches::Tree(base) | Touches::Reach { base, .. } => (Some(*base), None),
            Touches::Move { from, to } => (Some(*from), Some(to)),
            Touches::Unknown => (None, None),
        };
        one.into_iter().chain(two)
    }

    /// Calls `visit` for every resource that must be held. Of a search these are the ones around its
    /// base: what it reaches besides is redacted.
    pub fn needs<'r>(&'r self, policy: &Policy, mut visit: impl FnMut(Need<'r>)) {
        let entries = match &self.part {
            Part::Whole(_) => None,
            Part::Attributes(_) => Some(&self.part),
        };
        let mut each = |resource, spot| visit(Need { resource, spot, attributes: entries, leaving: false });
        match &self.touches {
            Touches::Entry(entry) => {
                policy.touched(entry, self.kind).for_each(|at| each(at, Spot::Entry(entry)));
                if self.kind == OperationKind::Delete {
                    delete::needs_below(policy, entry, &mut visit);
                }
            }
            Touches::Reach { base, .. } => policy.touched(base, self.kind).for_each(|at| each(at, Spot::Entry(base))),
            Touches::Tree(base) => {
                policy.reached(base, SearchScope::Subtree, Some(self.kind)).for_each(|at| each(at, Spot::Tree(base)))
            }
            Touches::Move { from, to } => rename::needs(policy, from, to, &mut visit),
            Touches::Unknown => policy.protecting(self.kind).for_each(|at| each(at, Spot::Everywhere)),
        }
        self.attribute_needs(policy, &mut visit);
    }

    /// The same for resources that protect attributes: those of which an attribute is touched.
    fn attribute_needs<'r>(&'r self, policy: &Policy, visit: &mut impl FnMut(Need<'r>)) {
        let meets = |at: &ResourceIndex| {
            let (types, schema) = (policy.types(*at), policy.schema());
            let mut touched = self.part.touched(self.kind, policy, *at);
            types.is_some_and(|types| touched.any(|touched| types.may_meet(touched, schema)))
        };
        let attributes = Some(&self.part);
        let mut each = |resource, spot| visit(Need { resource, spot, attributes, leaving: false });
        match &self.touches {
            Touches::Entry(entry) => {
                policy.attributes_touched(entry, self.kind).filter(meets).for_each(|at| each(at, Spot::Entry(entry)));
            }
            Touches::Move { from, to } => {
                for name in [from, to] {
                    let touched = policy.attributes_touched(name, self.kind).filter(meets);
                    touched.for_each(|at| each(at, Spot::Entry(name)));
                }
                rename::crossings(policy, from, to, visit);
            }
            Touches::Unknown => {
                policy.attributes_protecting(self.kind).filter(meets).for_each(|at| each(at, Spot::Everywhere));
            }
            Touches::Tree(_) | Touches::Reach { .. } => {}
        }
    }
}
