//! How a decision is made: what is not understood first, then what is missing, then what is hidden.

mod permit;

use super::controls::{self, Openness};
use super::holding::{Held, Holder, longest};
use super::refusal::not_held;
use super::{Asked, Decision, Refusal, Snapshot, understood};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::Dn;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::{Request, SearchScope};
use crate::engine::policy::requirement::{Need, Requirement, Spot, Touches};
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::{Mode, OperationKind, OperationSet};
use std::sync::Arc;

pub use permit::Permit;

/// Decides upon one operation.
pub fn decide(snapshot: &Snapshot, asked: &Asked<'_>) -> Decision {
    match permit(snapshot, asked) {
        Ok(permit) => Decision::Permitted(permit),
        Err(refusal) => Decision::Refused(refusal),
    }
}

fn permit(snapshot: &Snapshot, asked: &Asked<'_>) -> Result<Permit, Refusal> {
    understood::check(asked.request, &snapshot.policy)?;
    let requirement = Requirement::of(asked.request, asked.controls, asked.subject)
        .filter(|_| !understood::is_subschema_read(snapshot, asked));
    if let Some(requirement) = &requirement {
        understood::check_targets(snapshot, requirement)?;
    }
    let holder = Holder::of(snapshot, asked);
    let mut deciding = Deciding {
        snapshot,
        holder: &holder,
        requirement: requirement.as_ref(),
        permit: Permit::blank(),
        missing: Vec::new(),
        hides: false,
        hidden: Vec::new(),
    };
    deciding.look();
    let screened = controls::screen(asked, &mut deciding)?;
    deciding.permit.forwarded = screened.forwarded;
    deciding.permit.replicates = screened.replicates;
    if matches!(asked.request, Request::Search(search) if search.base.is_root() && search.scope == SearchScope::Base) {
        deciding.permit.redaction.mark_root_dse();
    }
    deciding.conclude()
}

/// A decision on its way.
struct Deciding<'a> {
    snapshot: &'a Snapshot,
    holder: &'a Holder<'a>,
    requirement: Option<&'a Requirement<'a>>,
    permit: Permit,
    /// What is touched and not held.
    missing: Vec<Need<'a>>,
    /// Whether anything is reached and, at least in part, not shown.
    hides: bool,
    /// What that is, when monitoring, but for what only aliases could lead to.
    hidden: Vec<Need<'a>>,
}

impl<'a> Deciding<'a> {
    /// Finds out what is touched, held, missing and hidden.
    fn look(&mut self) {
        let Some(requirement) = self.requirement else { return };
        let (policy, kind) = (&*self.snapshot.policy, requirement.kind);
        requirement.needs(policy, |need| {
            push(&mut self.permit.resources, need.resource);
            match self.holder.hold(need, kind) {
                Some(held) => rest_on(&mut self.permit.rests_on, held),
                None => self.missing.push(need),
            }
        });
        if let Touches::Reach { base, scope, aliases } = &requirement.touches {
            self.look_below(base, *scope, *aliases);
        }
    }

    /// Finds out what a search reaches and must not show.
    fn look_below(&mut self, base: &'a Dn, scope: SearchScope, aliases: bool) {
        let policy = &*self.snapshot.policy;
        // Where aliases lead only the directory knows.
        let around = if aliases { Spot::Everywhere } else { Spot::Tree(base) };
        // Those around the base are in the list already; those below it come once each.
        let at_base = self.permit.resources.len();
        let reached = policy.reached(base, scope, Some(OperationKind::Search));
        self.permit.resources.reserve(reached.size_hint().0);
        for resource in reached {
            if !self.permit.resources.iter().take(at_base).any(|other| *other == resource) {
                self.permit.resources.push(resource);
            }
            if !self.is_shown(resource, around) {
                self.hides = true;
                // Only what is said of it needs to know what; it may be much.
                if policy.mode == Mode::Monitor {
                    self.hidden.push(Need { resource, spot: around, leaving: false });
                }
            }
        }
        if aliases {
            let elsewhere = |at: &ResourceIndex| policy.resource(*at).is_some_and(|r| !r.meets(base, scope));
            for resource in policy.protecting(OperationKind::Search).filter(elsewhere) {
                // That an alias may lead there is no news when monitoring: most never do.
                self.hides |= !self.is_shown(resource, around);
            }
        }
        if aliases || base.is_root() {
            self.permit.redaction.keep_to_trees(&self.snapshot.directory);
        }
    }

    /// Has the redaction show what is held of a resource; whether that is all that is reached of it.
    fn is_shown(&mut self, resource: ResourceIndex, around: Spot<'a>) -> bool {
        let Some(protected) = self.snapshot.policy.resource(resource) else { return false };
        let openings = || self.holder.openings(resource, searching);
        // Of most resources most hold nothing, and a search may reach many.
        if openings().next().is_none() {
            return false;
        }
        if let Some(held) = longest(openings().filter(|held| held.spans(around, &protected.base))) {
            rest_on(&mut self.permit.rests_on, held);
            // It spans all that is reached, so nothing narrower needs to be asked of each entry.
            self.permit.redaction.open(resource, None);
            return true;
        }
        for held in openings() {
            let Held::Grant(_, Some(narrowed)) = held else { continue };
            let reached = match around {
                Spot::Tree(base) => narrowed.is_within(base),
                Spot::Entry(_) | Spot::Everywhere => true,
            };
            if reached {
                rest_on(&mut self.permit.rests_on, held);
                self.permit.redaction.open(resource, Some(narrowed));
            }
        }
        false
    }

    /// Weighs what was found.
    fn conclude(mut self) -> Result<Permit, Refusal> {
        let kind = self.requirement.map_or(OperationKind::Search, |requirement| requirement.kind);
        let not_held = |needs: &[Need<'_>], reason| not_held(self.snapshot, self.holder, kind, needs, reason);
        match self.snapshot.policy.mode {
            Mode::Enforce if !self.missing.is_empty() => return Err(not_held(&self.missing, "not held")),
            Mode::Enforce => {
                if self.hides {
                    self.permit.redaction.hide();
                }
                if !self.snapshot.recording && !self.permit.rests_on.is_empty() {
                    return Err(unrecorded());
                }
            }
            Mode::Monitor if !self.missing.is_empty() => {
                self.permit.monitored = Some(Box::new(not_held(&self.missing, "not held")));
            }
            Mode::Monitor if !self.hidden.is_empty() => {
                self.permit.monitored = Some(Box::new(not_held(&self.hidden, "redacted")));
            }
            Mode::Monitor => {}
        }
        if !self.permit.rests_on.is_empty() {
            self.permit.policy = Some(Arc::clone(&self.snapshot.policy));
        }
        Ok(self.permit)
    }
}

impl Openness for Deciding<'_> {
    fn reach_is_open(&mut self) -> bool {
        let Some(requirement) = self.requirement else { return true };
        if self.snapshot.policy.mode == Mode::Monitor {
            return true;
        }
        match &requirement.touches {
            Touches::Reach { .. } => !self.hides,
            Touches::Unknown => self.all_is_open(),
            Touches::Entry(_) | Touches::Tree(_) | Touches::Move { .. } => requirement.targets().all(|target| {
                let policy = &*self.snapshot.policy;
                policy
                    .touched(target, OperationKind::Search)
                    .all(|resource| self.is_open(Need { resource, spot: Spot::Entry(target), leaving: false }))
            }),
        }
    }

    fn all_is_open(&mut self) -> bool {
        if self.snapshot.policy.mode == Mode::Monitor {
            return true;
        }
        let policy = &*self.snapshot.policy;
        policy
            .protecting(OperationKind::Search)
            .all(|resource| self.is_open(Need { resource, spot: Spot::Everywhere, leaving: false }))
    }

    // A resource is entries as a whole: what is shown of one hides no attribute.
    fn attribute_is_open(&mut self, _attribute: AttributeDescription<'_>) -> bool {
        true
    }

    fn list_is_open(&mut self, attributes: &[AttributeDescription<'_>]) -> bool {
        attributes.iter().all(|attribute| self.attribute_is_open(*attribute))
    }

    fn filter_is_open(&mut self, filter: &Filter<'_>) -> bool {
        let mut open = true;
        filter.walk(&mut |part| open &= part.attribute().is_none_or(|attribute| self.attribute_is_open(attribute)));
        open
    }

    fn attribute_is_open_anywhere(&mut self, _attribute: AttributeDescription<'_>) -> bool {
        self.all_is_open()
    }

    fn list_is_open_anywhere(&mut self, attributes: &[AttributeDescription<'_>]) -> bool {
        attributes.iter().all(|attribute| self.attribute_is_open_anywhere(*attribute))
    }

    fn redact_dereferenced(&mut self) {
        let policy = &*self.snapshot.policy;
        // What is open of a resource here need not be open of it there.
        let here = std::mem::take(&mut self.permit.redaction);
        let mut hidden = false;
        for resource in policy.protecting(OperationKind::Search) {
            hidden |= !self.is_shown(resource, Spot::Everywhere);
        }
        if hidden && policy.mode == Mode::Enforce {
            self.permit.redaction.hide();
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
        policy.mode == Mode::Monitor
            || policy
                .reached(base, *scope, Some(OperationKind::Search))
                .all(|at| self.may_replicate(at, Spot::Tree(base)))
    }

    fn all_may_be_replicated(&mut self) -> bool {
        let policy = &*self.snapshot.policy;
        policy.mode == Mode::Monitor
            || policy.protecting(OperationKind::Search).all(|at| self.may_replicate(at, Spot::Everywhere))
    }

    fn target_is_held(&mut self) -> bool {
        let Some(requirement) = self.requirement else { return false };
        let policy = &*self.snapshot.policy;
        policy.mode == Mode::Monitor
            || requirement.targets().all(|target| {
                OperationKind::ALL.into_iter().filter(|kind| *kind != OperationKind::Bind).all(|kind| {
                    let mut touched = policy.touched(target, kind);
                    touched.all(|resource| {
                        let need = Need { resource, spot: Spot::Entry(target), leaving: false };
                        let held = self.holder.hold(need, kind);
                        held.inspect(|held| rest_on(&mut self.permit.rests_on, *held)).is_some()
                    })
                })
            })
    }
}

impl Deciding<'_> {
    /// Whether something may be read; if by a grant, the permit rests on that too.
    fn is_open(&mut self, need: Need<'_>) -> bool {
        let held = self.holder.hold(need, OperationKind::Search);
        held.inspect(|held| rest_on(&mut self.permit.rests_on, *held)).is_some()
    }

    /// Whether something is held by what may replicate.
    fn may_replicate(&mut self, resource: ResourceIndex, spot: Spot<'_>) -> bool {
        let policy = &*self.snapshot.policy;
        let Some(protected) = policy.resource(resource) else { return false };
        let replicating = |held: &Held<'_>| match held {
            Held::Standing(standing) => standing.replicate,
            Held::Grant(grant, _) => policy.role(&grant.role).is_some_and(|role| role.replicate),
        };
        let enough = |held: &Held<'_>| replicating(held) && held.spans(spot, &protected.base);
        let held = longest(self.holder.openings(resource, searching).filter(enough));
        held.inspect(|held| rest_on(&mut self.permit.rests_on, *held)).is_some()
    }
}

fn searching(operations: OperationSet) -> bool {
    operations.contains(OperationKind::Search)
}

fn rest_on(grants: &mut Vec<Arc<ActiveGrant>>, held: Held<'_>) {
    if let Some(grant) = held.grant()
        && !grants.iter().any(|other| Arc::ptr_eq(other, grant))
    {
        grants.push(Arc::clone(grant));
    }
}

fn push(resources: &mut Vec<ResourceIndex>, resource: ResourceIndex) {
    if !resources.contains(&resource) {
        resources.push(resource);
    }
}

fn unrecorded() -> Refusal {
    Refusal {
        code: ResultCode::UNAVAILABLE,
        message: "operations cannot be recorded, so that nothing that needs a grant is possible".to_owned(),
        reason: "not recorded",
        missing: Vec::new(),
    }
}
