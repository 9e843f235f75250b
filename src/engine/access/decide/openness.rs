//! What a control may tell: what of the entries and attributes that it would read is open.

use super::super::controls::Openness;
use super::super::holding::{Held, longest};
use super::reach::Reach;
use super::wanted::{Wanted, about, is_about};
use super::{Deciding, rest_on, searching};
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::SearchScope;
use crate::engine::policy::attributes::TypeSet;
use crate::engine::policy::requirement::{Need, Spot, Touches};
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::{Mode, OperationKind, Policy};
use crate::engine::redaction::{Asserted, counts_children, follows, identifies};

impl Openness for Deciding<'_> {
    fn reach_is_open(&mut self) -> bool {
        let Some(requirement) = self.requirement else { return true };
        if self.mode == Mode::Monitor {
            return true;
        }
        match &requirement.touches {
            Touches::Reach { .. } if self.hides => false,
            // What a view leads to would be counted, and sorted by.
            Touches::Reach { scope, .. } if *scope != SearchScope::Base && self.snapshot.policy.has_views() => {
                self.snapshot.policy.protecting(OperationKind::Search).all(|resource| self.is_open_everywhere(resource))
            }
            Touches::Reach { .. } => true,
            Touches::Unknown => self.all_is_open(),
            Touches::Entry(_) | Touches::Tree(_) | Touches::Move { .. } => requirement.targets().all(|target| {
                let policy = &*self.snapshot.policy;
                policy.touched(target, OperationKind::Search).all(|resource| {
                    self.is_open(Need { resource, spot: Spot::Entry(target), attributes: None, leaving: false })
                })
            }),
        }
    }

    fn all_is_open(&mut self) -> bool {
        self.is_all_open()
    }

    fn attribute_is_open(&mut self, attribute: AttributeDescription<'_>) -> bool {
        self.list_is_open(&[attribute])
    }

    fn list_is_open(&mut self, attributes: &[AttributeDescription<'_>]) -> bool {
        let policy = &*self.snapshot.policy;
        let wanted = Wanted::list(attributes, policy.schema());
        // What is below may be hidden whatever is reached.
        if attributes.iter().any(|attribute| counts_children(*attribute)) && !self.is_all_open() {
            return false;
        }
        self.attributes_are_open(&|types| wanted.may_return(types, policy.schema()))
    }

    fn filter_is_open(&mut self, filter: &Filter<'_>) -> bool {
        let schema = self.snapshot.policy.schema();
        let about = about(filter, schema);
        let mut counts = false;
        filter.walk(&mut |part| counts |= part.attribute().is_some_and(counts_children));
        let anywhere = counts || about.contains(&Asserted::OtherEntries);
        (!anywhere || self.is_all_open())
            && self.attributes_are_open(&|types| about.iter().any(|asserted| is_about(*asserted, types, schema)))
    }

    fn list_is_open_anywhere(&mut self, attributes: &[AttributeDescription<'_>]) -> bool {
        let policy = &*self.snapshot.policy;
        let wanted = Wanted::list(attributes, policy.schema());
        let meets =
            |at: &ResourceIndex| policy.types(*at).is_none_or(|types| wanted.may_return(types, policy.schema()));
        self.mode == Mode::Monitor || everywhere(policy).filter(meets).all(|resource| self.is_open_everywhere(resource))
    }

    fn redact_dereferenced(&mut self) {
        let policy = &*self.snapshot.policy;
        let root = Dn::root();
        let anywhere = Reach { base: &root, scope: SearchScope::Subtree, aliases: true };
        // What is open of a resource here need not be open of it there.
        let here = std::mem::take(&mut self.permit.redaction);
        let (mut hides, mut cuts) = (false, false);
        for resource in everywhere(policy) {
            let hidden = !self.is_shown(resource, anywhere, &mut Vec::new());
            match policy.types(resource) {
                Some(_) => cuts |= hidden,
                None => hides |= hidden,
            }
        }
        if hides && self.mode == Mode::Enforce {
            self.permit.redaction.hide();
            self.permit.redaction.hide_counts();
        }
        if cuts && self.mode == Mode::Enforce {
            self.permit.redaction.cut();
        }
        self.permit.redaction.keep_to_trees(&self.snapshot.directory);
        let there = std::mem::replace(&mut self.permit.redaction, here);
        self.permit.redaction.look_at_dereferenced(there);
    }

    fn reach_may_be_replicated(&mut self) -> bool {
        let Some(Touches::Reach { base, scope, aliases }) = self.requirement.map(|requirement| &requirement.touches)
        else {
            return false;
        };
        if *aliases {
            return self.all_may_be_replicated();
        }
        let policy = &*self.snapshot.policy;
        // Of attributes those that are asked for, or asserted: they were found.
        let attributes = self.permit.resources.clone().into_iter().filter(|at| policy.types(*at).is_some());
        self.mode == Mode::Monitor
            || policy
                .reached(base, *scope, Some(OperationKind::Search))
                .chain(attributes)
                .all(|at| self.may_replicate(at, Spot::Tree(base)))
    }

    fn all_may_be_replicated(&mut self) -> bool {
        let policy = &*self.snapshot.policy;
        self.mode == Mode::Monitor || everywhere(policy).all(|at| self.may_replicate(at, Spot::Everywhere))
    }

    fn target_is_held(&mut self) -> bool {
        let Some(requirement) = self.requirement else { return false };
        let policy = &*self.snapshot.policy;
        self.mode == Mode::Monitor
            || requirement.targets().all(|target| {
                OperationKind::ALL.into_iter().filter(|kind| *kind != OperationKind::Bind).all(|kind| {
                    policy.touched(target, kind).chain(policy.attributes_touched(target, kind)).all(|resource| {
                        let need = Need { resource, spot: Spot::Entry(target), attributes: None, leaving: false };
                        self.is_held(need, kind)
                    })
                })
            })
    }
}

/// What MS-ADTS 3.1.1.3.4.1.5 puts beside names, and 3.1.1.3.1.2.4 in their place.
pub(super) const IDENTIFIERS: [AttributeDescription<'_>; 2] =
    [AttributeDescription(b"objectGUID"), AttributeDescription(b"objectSid")];

/// Everything that protects searching.
pub(super) fn everywhere(policy: &Policy) -> impl Iterator<Item = ResourceIndex> {
    policy.protecting(OperationKind::Search).chain(policy.attributes_protecting(OperationKind::Search))
}

impl Deciding<'_> {
    /// Whether nothing is hidden anywhere, neither entry nor attribute.
    pub(super) fn is_all_open(&mut self) -> bool {
        let policy = &*self.snapshot.policy;
        self.mode == Mode::Monitor || everywhere(policy).all(|resource| self.is_open_everywhere(resource))
    }

    /// Whether a filter may follow names from entry to entry: no entry is hidden anywhere, and of attributes only
    /// such as cannot hold names and are not asserted.
    pub(super) fn may_follow(&mut self, filter: &Filter<'_>) -> bool {
        let policy = &*self.snapshot.policy;
        let schema = &**policy.schema();
        let mut from = Vec::new();
        filter.walk(&mut |part| {
            if follows(part) {
                from.extend(part.attribute());
            }
            if identifies(part) {
                from.extend(IDENTIFIERS);
            }
        });
        let is_apart = |types: &TypeSet| {
            !types.may_hold_names(schema) && !from.iter().any(|attribute| types.may_meet(*attribute, schema))
        };
        self.mode == Mode::Monitor
            || everywhere(policy)
                .all(|resource| policy.types(resource).is_some_and(is_apart) || self.is_open_everywhere(resource))
    }

    /// Whether the attributes that `meets` says are asked for are hidden at no entry that is reached and shown.
    fn attributes_are_open(&mut self, meets: &dyn Fn(&TypeSet) -> bool) -> bool {
        let Some(requirement) = self.requirement else { return true };
        let policy = &*self.snapshot.policy;
        if self.mode == Mode::Monitor {
            return true;
        }
        let kind = Some(OperationKind::Search);
        match &requirement.touches {
            Touches::Reach { base, scope, aliases: false } => {
                let spot = Spot::Tree(base);
                policy.attributes_reached(base, *scope, kind).all(|at| self.types_are_open(at, spot, meets))
                    && policy.reached(base, *scope, kind).all(|at| self.is_open_as_shown(at, spot))
            }
            Touches::Reach { aliases: true, .. } | Touches::Unknown => {
                everywhere(policy).all(|at| match policy.types(at) {
                    Some(_) => self.types_are_open(at, Spot::Everywhere, meets),
                    None => self.is_open_as_shown(at, Spot::Everywhere),
                })
            }
            Touches::Entry(_) | Touches::Tree(_) | Touches::Move { .. } => requirement.targets().all(|target| {
                let spot = Spot::Entry(target);
                policy.attributes_touched(target, OperationKind::Search).all(|at| self.types_are_open(at, spot, meets))
                    && policy.touched(target, OperationKind::Search).all(|at| self.is_open_as_shown(at, spot))
            }),
        }
    }

    /// Whether of an attribute resource nothing is asked for, or all of it is open there.
    fn types_are_open(&mut self, resource: ResourceIndex, spot: Spot<'_>, meets: &dyn Fn(&TypeSet) -> bool) -> bool {
        !self.snapshot.policy.types(resource).is_some_and(meets)
            || self.is_open(Need { resource, spot, attributes: None, leaving: false })
    }

    /// Whether a resource of entries hides no attribute of those that it shows: it shows none, or all of them.
    fn is_open_as_shown(&mut self, resource: ResourceIndex, spot: Spot<'_>) -> bool {
        let in_part = self.holder.openings(resource, searching).any(|held| held.attributes().is_some());
        !in_part || self.is_open(Need { resource, spot, attributes: None, leaving: false })
    }

    fn is_open_everywhere(&mut self, resource: ResourceIndex) -> bool {
        self.is_open(Need { resource, spot: Spot::Everywhere, attributes: None, leaving: false })
    }

    /// Whether something may be read; if by a grant, the permit rests on that too.
    fn is_open(&mut self, need: Need<'_>) -> bool {
        self.is_held(need, OperationKind::Search)
    }

    pub(super) fn is_held(&mut self, need: Need<'_>, kind: OperationKind) -> bool {
        let Some(held) = self.holder.hold(need, kind) else { return false };
        held.into_iter().for_each(|held| rest_on(&mut self.permit, &self.snapshot.policy, held, kind));
        true
    }

    /// Whether something is held, all of it, by what may replicate.
    fn may_replicate(&mut self, resource: ResourceIndex, spot: Spot<'_>) -> bool {
        let policy = &*self.snapshot.policy;
        let Some(protected) = policy.resource(resource) else { return false };
        let replicating = |held: &Held<'_>| match held {
            Held::Standing(standing) => standing.replicate,
            Held::Grant(grant, _) => policy.role(&grant.role).is_some_and(|role| role.replicate),
        };
        let whole = |held: &Held<'_>| held.opens_all(policy.types(resource), policy.schema());
        let enough = |held: &Held<'_>| replicating(held) && whole(held) && held.spans(spot, &protected.base);
        let held = longest(self.holder.openings(resource, searching).filter(enough));
        held.inspect(|held| rest_on(&mut self.permit, policy, *held, OperationKind::Search)).is_some()
    }
}
