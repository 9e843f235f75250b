//! What a decision comes to when it is yes. Visible to the decision: that it made it. To everybody
//! else: what it rests on, and what comes with it.

use super::super::controls::Forwarded;
use super::super::{Refusal, Snapshot};
use super::dependence::Dependence;
use crate::engine::Now;
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::Dn;
use crate::engine::ldap::control::Control;
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::{OperationSet, Policy, StandingName, Subject};
use crate::engine::redaction::Redaction;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// The standing access that a permit depends on, and for which operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    names: Vec<StandingName>,
    /// As many as there are names.
    kinds: Vec<OperationSet>,
}

impl Standings {
    /// Each, with the operations that it was needed for.
    pub fn iter(&self) -> impl Iterator<Item = (&StandingName, OperationSet)> {
        self.names.iter().zip(self.kinds.iter().copied())
    }

    fn add(&mut self, name: &StandingName, kinds: OperationSet) {
        match self.names.iter().position(|known| known == name).and_then(|at| self.kinds.get_mut(at)) {
            Some(known) => *known = known.iter().chain(kinds.iter()).collect(),
            None => {
                self.names.push(name.clone());
                self.kinds.push(kinds);
            }
        }
    }
}

/// The proof that one operation may be forwarded. [`super::decide`] makes it, and nothing else can:
///
/// ```
/// fn needs_one(permit: tidegate::engine::access::Permit) {}
/// ```
/// ```compile_fail
/// let made_up = tidegate::engine::access::Permit::default();
/// ```
/// ```compile_fail
/// let made_up = tidegate::engine::access::Permit::blank();
/// ```
#[derive(Debug)]
pub struct Permit {
    pub(super) rests_on: Vec<Arc<ActiveGrant>>,
    /// Most rest on none, and a permit is handed on by value.
    standing: Option<Box<Standings>>,
    /// The policy that it rests on, where it rests on a grant.
    pub(super) policy: Option<Arc<Policy>>,
    pub(super) resources: Vec<ResourceIndex>,
    pub(super) redaction: Redaction,
    pub(super) monitored: Option<Box<Monitored>>,
    pub(super) forwarded: Vec<Forwarded>,
    pub(super) replicates: bool,
    pub(super) acts_for: Option<Subject>,
}

/// What enforcing would do.
#[derive(Debug)]
pub(super) struct Monitored {
    pub(super) refusal: Refusal,
    /// What it would take out of the answer, where it would not refuse.
    pub(super) would_redact: Option<Redaction>,
}

impl Monitored {
    pub(super) fn new(refusal: Refusal) -> Box<Monitored> {
        Box::new(Monitored { refusal, would_redact: None })
    }
}

impl Permit {
    /// Rests on nothing, redacts nothing, lets no control through: where a decision begins.
    pub(super) fn blank() -> Permit {
        Permit {
            rests_on: Vec::new(),
            standing: None,
            policy: None,
            resources: Vec::new(),
            redaction: Redaction::default(),
            monitored: None,
            forwarded: Vec::new(),
            replicates: false,
            acts_for: None,
        }
    }

    /// It is one to act for somebody else: it rests on the right to be that one, too.
    pub(super) fn act_as(&mut self, subject: Subject, bound: Permit) {
        self.acts_for = Some(subject);
        bound.standings().into_iter().flat_map(Standings::iter).for_each(|(name, kinds)| self.stand_on(name, kinds));
        self.policy = self.policy.take().or(bound.policy);
        for grant in bound.rests_on {
            if !self.rests_on.iter().any(|other| Arc::ptr_eq(other, &grant)) {
                self.rests_on.push(grant);
            }
        }
        bound.resources.into_iter().for_each(|resource| super::push(&mut self.resources, resource));
        self.monitored = self.monitored.take().or(bound.monitored);
    }

    /// Whom the operation is done for, where that is not the session's subject (RFC 4370).
    pub fn acts_for(&self) -> Option<&Subject> {
        self.acts_for.as_ref()
    }

    /// The grants without which this would have been refused or redacted.
    pub fn rests_on(&self) -> &[Arc<ActiveGrant>] {
        &self.rests_on
    }

    /// The standing access that it rests on as well.
    pub fn standing(&self) -> &[StandingName] {
        self.standing.as_ref().map_or(&[], |standing| &standing.names)
    }

    /// The same, with the operations that it was needed for.
    pub fn standings(&self) -> Option<&Standings> {
        self.standing.as_deref()
    }

    /// Whether it depends on access: on a grant or on standing access. Such an operation is recorded before anything
    /// of it is forwarded.
    pub fn uses_access(&self) -> bool {
        !self.rests_on.is_empty() || self.standing.is_some()
    }

    /// It depends on this, too, for operations of these kinds.
    pub(super) fn stand_on(&mut self, name: &StandingName, kinds: OperationSet) {
        self.standing.get_or_insert_default().add(name, kinds);
    }

    /// Whether anything can end that this permit depends on: a grant, standing access, or the right to act for others.
    /// While the mode is `monitor` nothing does: it would be permitted without.
    pub fn depends(&self) -> bool {
        self.policy.is_some() || self.standing.is_some() || self.acts_for.is_some()
    }

    /// What it depends on, for `subject` whose session it is.
    pub fn dependence(&self, subject: &Subject, certificate: Option<&Dn>) -> Dependence {
        Dependence {
            grants: self.rests_on.clone(),
            policy: self.policy.clone(),
            standing: self.standing.as_deref().cloned(),
            acts_for: self.acts_for.clone(),
            subject: subject.clone(),
            certificate: certificate.cloned(),
        }
    }

    /// The resources that the operation touches.
    pub fn resources(&self) -> &[ResourceIndex] {
        &self.resources
    }

    /// What has to be taken out of the answer.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// What would have been refused, or redacted, were it not for monitoring.
    pub fn monitored(&self) -> Option<&Refusal> {
        self.monitored.as_ref().map(|monitored| &monitored.refusal)
    }

    /// What enforcing would take out of the answer, while the mode is `monitor` and the operation would be permitted.
    /// [`Permit::redaction`] is what is taken out of it now.
    pub fn would_redact(&self) -> Option<&Redaction> {
        self.monitored.as_ref()?.would_redact.as_ref()
    }

    /// The controls to forward, of those that were decided upon, as they were read.
    pub fn controls<'c>(&'c self, asked: &'c [Control<'_>]) -> impl Iterator<Item = Control<'c>> {
        self.forwarded.iter().filter_map(move |forwarded| forwarded.control(asked))
    }

    /// Whether a control has the directory hand on what the search reaches: what it says besides entries is
    /// passed on, and it may last for ever, so that it is decided upon again whenever anything changes.
    pub fn replicates(&self) -> bool {
        self.replicates
    }

    /// The earliest end of the grants that it depends on, on the wall clock and on the monotonic one.
    pub fn ends(&self) -> Option<(DateTime<Utc>, Duration)> {
        self.policy.as_ref()?;
        earliest(&self.rests_on)
    }

    /// Whether the grants that it depends on are still there and active, or another grant of the same role that
    /// opens the same has taken over (an extension leaves no gap).
    pub fn still_holds(&self, snapshot: &Snapshot, now: Now) -> bool {
        let Some(policy) = &self.policy else { return true };
        self.rests_on.iter().all(|grant| successor(grant, policy, snapshot, now).is_some())
    }

    /// As [`Permit::still_holds`]; and what has taken over is what it depends on from now on, so that the
    /// end of that is waited for, not one that has passed.
    pub fn renew(&mut self, snapshot: &Snapshot, now: Now) -> bool {
        renew(&mut self.rests_on, self.policy.as_ref(), snapshot, now)
    }
}

pub(super) fn earliest(grants: &[Arc<ActiveGrant>]) -> Option<(DateTime<Utc>, Duration)> {
    let wall = grants.iter().map(|grant| grant.until).min()?;
    let monotonic = grants.iter().map(|grant| grant.until_monotonic).min()?;
    Some((wall, monotonic))
}

/// Whether all `grants` still hold; those that others have taken over are replaced by them. Without a `policy` nothing
/// was needed.
pub(super) fn renew(
    grants: &mut [Arc<ActiveGrant>],
    policy: Option<&Arc<Policy>>,
    snapshot: &Snapshot,
    now: Now,
) -> bool {
    let Some(policy) = policy else { return true };
    grants.iter_mut().all(|grant| {
        let successor = successor(grant, policy, snapshot, now);
        if let Some(other) = successor.filter(|other| !Arc::ptr_eq(other, grant)) {
            *grant = Arc::clone(other);
        }
        successor.is_some()
    })
}

/// The grant itself as it is now, or of those that have taken over the one that lasts longest.
/// `policy` is the one that was decided by: what is opened means nothing in another.
fn successor<'s>(
    grant: &ActiveGrant,
    policy: &Arc<Policy>,
    snapshot: &'s Snapshot,
    now: Now,
) -> Option<&'s Arc<ActiveGrant>> {
    let same_policy = Arc::ptr_eq(policy, &snapshot.policy);
    let opens_the_same = |other: &ActiveGrant| {
        other.opens.len() == grant.opens.len() && other.opens.iter().zip(&grant.opens).all(|(a, b)| a.is_surely(b))
    };
    let stands_for = |other: &&Arc<ActiveGrant>| {
        other.id == grant.id || same_policy && other.role == grant.role && opens_the_same(other)
    };
    let active = snapshot.grants.get(&grant.subject).filter(|other| other.is_active(now));
    active.filter(stands_for).max_by_key(|other| (other.id == grant.id, other.until))
}
