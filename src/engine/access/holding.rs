//! What somebody holds at one moment: standing access, and grants that are active.
//!
//! This opens, so names are compared finely ([`Dn::is_surely_within`]).

use super::{Asked, Snapshot};
use crate::engine::Now;
use crate::engine::grant::index::{ActiveGrant, Opening};
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::request::{Authentication, BindName, BindRequest, Request};
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::attributes::{AttributeNames, TypeSet};
use crate::engine::policy::groups::{Belongs, GROUP_MAX_AGE};
use crate::engine::policy::requirement::{Need, Spot};
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::selector::{Person, Selector};
use crate::engine::policy::{OperationKind, OperationSet, Standing, Subject};
use std::cell::OnceCell;
use std::sync::Arc;

/// The one whose standing access and grants count.
pub(super) struct Holder<'a> {
    snapshot: &'a Snapshot,
    /// Nobody holds nothing.
    name: Option<&'a Dn>,
    /// The subject of the certificate that showed the name.
    certificate: Option<&'a Dn>,
    now: Now,
    /// What their active grants open, looked up when first asked for.
    opened: OnceCell<Vec<(&'a Arc<ActiveGrant>, &'a Opening)>>,
}

/// What somebody holds a resource by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held<'a> {
    /// A permanent exception, for the whole resource.
    Standing(&'a Standing),
    /// A grant, perhaps only below a base or for some attributes.
    Grant(&'a Arc<ActiveGrant>, &'a Opening),
}

impl<'a> Holder<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, asked: &Asked<'a>) -> Holder<'a> {
        let name = match asked.request {
            // Who binds is the one whose access counts; the session's subject is nobody by then
            // (RFC 4511 4.2.1).
            Request::Bind(BindRequest { authentication: Authentication::Sasl { .. }, .. }) => None,
            Request::Bind(BindRequest { name: BindName::Dn(name), .. }) => Some(name),
            Request::Bind(BindRequest { name: BindName::Other(_), .. }) => None,
            _ => match asked.subject {
                Subject::Anonymous => None,
                Subject::Dn(name) => Some(name),
            },
        };
        let name = name.filter(|name| !name.is_root());
        Holder { snapshot, name, certificate: asked.certificate, now: asked.now, opened: OnceCell::new() }
    }

    /// Who that is.
    pub(super) fn name(&self) -> Option<&'a Dn> {
        self.name
    }

    fn opened(&self) -> &[(&'a Arc<ActiveGrant>, &'a Opening)] {
        self.opened.get_or_init(|| {
            let grants = self.name.into_iter().flat_map(|name| self.snapshot.grants.get(name));
            let active = grants.filter(|grant| grant.is_active(self.now));
            active.flat_map(|grant| grant.opens.iter().map(move |opening| (grant, opening))).collect()
        })
    }

    /// Whether this is one of those whom `selectors` name.
    pub(super) fn is_one_of(&self, selectors: &[Selector]) -> bool {
        let person = Person { subject: self.name, certificate: self.certificate, local_user: None };
        let since = self.now.monotonic.saturating_sub(GROUP_MAX_AGE);
        selectors.iter().any(|selector| selector.matches(&person, &self.snapshot.groups, since))
    }

    /// Whether it is not known who is in a group that `selectors` name, and this is none of those whom they surely name.
    pub(super) fn may_be_one_of(&self, selectors: &[Selector]) -> bool {
        let Some(name) = self.name.filter(|_| !self.is_one_of(selectors)) else { return false };
        let since = self.now.monotonic.saturating_sub(GROUP_MAX_AGE);
        selectors.iter().any(|selector| match selector {
            Selector::Group(group) => self.snapshot.groups.belongs(group, name, since) == Belongs::Unknown,
            Selector::Dn(_)
            | Selector::Subtree(_)
            | Selector::Certificate(_)
            | Selector::Local(_)
            | Selector::Anyone => false,
        })
    }

    /// Everything that opens a part of a resource now, for operations that `fit`.
    pub(super) fn openings(
        &self,
        resource: ResourceIndex,
        fit: impl Fn(OperationSet) -> bool + Copy,
    ) -> impl Iterator<Item = Held<'a>> {
        let policy = &*self.snapshot.policy;
        let standing = policy
            .standing_for(resource)
            .filter(move |standing| fit(standing.operations) && self.is_one_of(&standing.who))
            .map(Held::Standing);
        let opened = self
            .opened()
            .iter()
            .filter(move |(_, opening)| opening.resource == resource && fit(opening.operations))
            .map(|(grant, opening)| Held::Grant(grant, opening));
        standing.chain(opened)
    }

    /// What `need` is held by, if it is: of several the one that lasts longest. More than one where
    /// each of them opens only some of its attributes.
    pub(super) fn hold(&self, need: Need<'_>, kind: OperationKind) -> Option<Vec<Held<'a>>> {
        let policy = &*self.snapshot.policy;
        let protected = policy.resource(need.resource)?;
        let fit = move |operations: OperationSet| {
            operations.contains(kind) || (need.leaving && operations.contains_all(protected.operations))
        };
        let spanning = || self.openings(need.resource, fit).filter(|held| held.spans(need.spot, &protected.base));
        if let Some(held) = longest(spanning().filter(|held| held.attributes().is_none())) {
            return Some(vec![held]);
        }
        // Of an attribute resource all that is touched as a whole are its attributes.
        let whole = protected.attributes.as_ref().filter(|_| need.attributes.is_none());
        let touched: Vec<AttributeDescription<'_>> = match (need.attributes, whole) {
            (Some(part), _) => part.touched(kind, policy, need.resource).collect(),
            (None, Some(names)) => names.iter().map(|name| AttributeDescription(name.as_bytes())).collect(),
            (None, None) => return None,
        };
        let types = policy.types(need.resource);
        let opens = |held: &Held<'_>, touched| held.opens(touched, types, policy.schema());
        if touched.is_empty() {
            return longest(spanning()).map(|held| vec![held]);
        }
        if let Some(held) = longest(spanning().filter(|held| touched.iter().all(|touched| opens(held, *touched)))) {
            return Some(vec![held]);
        }
        touched.into_iter().map(|touched| longest(spanning().filter(|held| opens(held, touched)))).collect()
    }
}

impl Held<'_> {
    /// Whether this reaches all of `spot` in the resource that begins at `base`.
    pub(super) fn spans(&self, spot: Spot<'_>, base: &Dn) -> bool {
        let Some(narrowed) = self.base() else { return true };
        base.is_surely_within(narrowed)
            || match spot {
                Spot::Entry(entry) => entry.is_surely_within(narrowed),
                Spot::Tree(top) => top.is_surely_within(narrowed),
                Spot::Everywhere => false,
            }
    }

    /// Whether this opens all that is protected of what `description` names: of `types`, where only these are.
    fn opens(&self, description: AttributeDescription<'_>, types: Option<&TypeSet>, schema: &Schema) -> bool {
        let Some(names) = self.attributes() else { return true };
        let opened = TypeSet::of(names, schema);
        match (schema.canonical(description), types) {
            (None, _) => false,
            (Some(id), None) => opened.contains(id),
            (Some(id), Some(types)) => {
                schema.subtypes(id).iter().filter(|id| types.contains(**id)).all(|id| opened.contains(*id))
            }
        }
    }

    /// Whether this opens all that a resource protects: `types`, where only these are.
    pub(super) fn opens_all(&self, types: Option<&TypeSet>, schema: &Schema) -> bool {
        match (self.attributes(), types) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(names), Some(types)) => {
                let mut left = types.clone();
                left.remove(&TypeSet::of(names, schema));
                left.is_empty()
            }
        }
    }

    /// Where it begins, if it opens only a part of the resource.
    pub(super) fn base(&self) -> Option<&Dn> {
        match self {
            Held::Standing(_) => None,
            Held::Grant(_, opening) => opening.base.as_ref(),
        }
    }

    /// The attributes, if it opens only some.
    pub(super) fn attributes(&self) -> Option<&AttributeNames> {
        match self {
            Held::Standing(_) => None,
            Held::Grant(_, opening) => opening.attributes.as_ref(),
        }
    }
}

/// Standing access, or the grant that ends last.
pub(super) fn longest<'a>(held: impl Iterator<Item = Held<'a>>) -> Option<Held<'a>> {
    held.reduce(|one, other| match (one, other) {
        (Held::Standing(_), _) => one,
        (_, Held::Standing(_)) => other,
        (Held::Grant(a, _), Held::Grant(b, _)) => {
            if b.until > a.until {
                other
            } else {
                one
            }
        }
    })
}
