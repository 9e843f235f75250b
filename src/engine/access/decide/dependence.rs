//! What an operation depends on while it runs, and while its answer waits for the client: grants, standing access, and
//! the right to act for others. Knows whether all of it is still there, not what happens when it is not.

use super::super::{Permit, Snapshot, may_still_act};
use super::permit::{Standings, earliest, renew};
use crate::engine::Now;
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::Dn;
use crate::engine::policy::groups::GROUP_MAX_AGE;
use crate::engine::policy::selector::Person;
use crate::engine::policy::{Mode, OperationSet, Policy, Subject};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// What a permit depends on, without the permit.
#[derive(Debug, Clone)]
pub struct Dependence {
    pub(super) grants: Vec<Arc<ActiveGrant>>,
    /// The policy of the decision; `None` where no grant was needed.
    pub(super) policy: Option<Arc<Policy>>,
    pub(super) standing: Option<Standings>,
    /// For whom the operation was done, where that is not `subject`.
    pub(super) acts_for: Option<Subject>,
    /// Who the session was.
    pub(super) subject: Subject,
    /// The subject of the client certificate that showed it.
    pub(super) certificate: Option<Dn>,
}

impl Dependence {
    /// The grants.
    pub fn grants(&self) -> &[Arc<ActiveGrant>] {
        &self.grants
    }

    /// Who the session was.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Those whose groups may decide whether all of it is still there.
    pub fn people(&self) -> impl Iterator<Item = &Subject> {
        let more = self.acts_for.is_some() || self.standing.is_some();
        [Some(&self.subject), self.acts_for.as_ref()].into_iter().flatten().filter(move |_| more)
    }

    /// Whether `permit` depends on exactly this, in a session of `subject`.
    pub fn is_of(&self, permit: &Permit, subject: &Subject, certificate: Option<&Dn>) -> bool {
        let same_policy = match (&self.policy, &permit.policy) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_policy
            && self.grants.len() == permit.rests_on.len()
            && self.grants.iter().zip(&permit.rests_on).all(|(one, other)| Arc::ptr_eq(one, other))
            && self.standing.as_ref() == permit.standings()
            && same(self.acts_for.as_ref(), permit.acts_for())
            && same(Some(&self.subject), Some(subject))
            && self.certificate.as_ref().map(Dn::text) == certificate.map(Dn::text)
    }

    /// The earliest end of the grants, on the wall clock and on the monotonic one.
    pub fn ends(&self) -> Option<(DateTime<Utc>, Duration)> {
        self.policy.as_ref()?;
        earliest(&self.grants)
    }

    /// Whether all of it is still there. Grants that others have taken over are replaced by them.
    pub fn renew(&mut self, snapshot: &Snapshot, now: Now) -> bool {
        let certificate = self.certificate.as_ref();
        let acts = self.acts_for.is_none() || may_still_act(snapshot, &self.subject, certificate, now);
        let holder = self.acts_for.as_ref().unwrap_or(&self.subject);
        acts && renew(&mut self.grants, self.policy.as_ref(), snapshot, now)
            && standing_holds(self.standing.as_ref(), holder, certificate, snapshot, now)
    }
}

/// Whether `subject` still has this standing access: after a reload it is known again by its resource and its reason, and
/// must still open the operations that it was needed for, or all that the resource protects.
pub fn standing_holds(
    standing: Option<&Standings>,
    subject: &Subject,
    certificate: Option<&Dn>,
    snapshot: &Snapshot,
    now: Now,
) -> bool {
    let Some(standing) = standing.filter(|_| snapshot.policy.mode != Mode::Monitor) else { return true };
    let Subject::Dn(name) = subject else { return false };
    let policy = &*snapshot.policy;
    let name = name.resolved(policy.naming());
    let person = Person { subject: Some(&name), certificate, local_user: None };
    let since = now.monotonic.saturating_sub(GROUP_MAX_AGE);
    standing.iter().all(|((resource, reason), kinds)| {
        let mut named = policy.indexed().filter(|(_, known)| known.name == *resource);
        named.any(|(at, protected)| {
            let opens = |held: OperationSet| held.contains_all(kinds) || held.contains_all(protected.operations);
            policy.standing_for(at).any(|held| {
                held.reason == *reason
                    && opens(held.operations)
                    && held.who.iter().any(|who| who.matches(&person, &snapshot.groups, since))
            })
        })
    })
}

fn same(one: Option<&Subject>, other: Option<&Subject>) -> bool {
    match (one, other) {
        (Some(Subject::Dn(one)), Some(Subject::Dn(other))) => one.text() == other.text(),
        (Some(Subject::Anonymous), Some(Subject::Anonymous)) | (None, None) => true,
        _ => false,
    }
}
