//! What each operation touches: one file an operation. Knows nothing of who asks or what they hold,
//! except that a password without a name is one's own.
//!
//! Entries only; what attributes an operation touches will be told here too.

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
use crate::engine::ldap::control::Control;
use crate::engine::ldap::request::{ExtendedRequest, Request, SearchScope};
use std::borrow::Cow;

/// What one operation touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement<'a> {
    /// The kind that resources are asked for.
    pub kind: OperationKind,
    /// Where.
    pub touches: Touches<'a>,
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
        /// Whether aliases, or the values of an attribute, may lead it anywhere.
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
    /// Whether entries are taken out of it that it protects for other operations than renaming:
    /// the right to all of these will do as well.
    pub leaving: bool,
}

impl<'a> Requirement<'a> {
    /// What `request` of `subject` touches; `None` is nothing that can be protected.
    pub fn of(request: &'a Request<'_>, controls: &[Control<'_>], subject: &'a Subject) -> Option<Requirement<'a>> {
        let (kind, touches) = match request {
            Request::Bind(request) => (OperationKind::Bind, bind::touches(request)?),
            Request::Search(request) => (OperationKind::Search, search::touches(request, controls)?),
            Request::Modify(request) => (OperationKind::Modify, modify::touches(request)),
            Request::Add(request) => (OperationKind::Add, add::touches(request)),
            Request::Delete(entry) => (OperationKind::Delete, delete::touches(entry, controls)),
            Request::Rename(request) => (OperationKind::Rename, rename::touches(request)),
            Request::Compare(request) => (OperationKind::Compare, compare::touches(request)),
            Request::Extended(ExtendedRequest::Password { identity, .. }) => {
                (OperationKind::Password, password::touches(*identity, subject)?)
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
        Some(Requirement { kind, touches })
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
        let mut each = |resource, spot| visit(Need { resource, spot, leaving: false });
        match &self.touches {
            Touches::Entry(entry) => policy.touched(entry, self.kind).for_each(|at| each(at, Spot::Entry(entry))),
            Touches::Reach { base, .. } => policy.touched(base, self.kind).for_each(|at| each(at, Spot::Entry(base))),
            Touches::Tree(base) => {
                policy.reached(base, SearchScope::Subtree, Some(self.kind)).for_each(|at| each(at, Spot::Tree(base)))
            }
            Touches::Move { from, to } => rename::needs(policy, from, to, &mut visit),
            Touches::Unknown => policy.protecting(self.kind).for_each(|at| each(at, Spot::Everywhere)),
        }
    }
}
