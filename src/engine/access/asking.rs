//! Which role is asked for because an operation was done without it. Only what is refused for want of access asks, and
//! only in the name of whoever the session is: nobody, and whoever is only about to bind, asks for nothing.

use super::holding::Holder;
use super::refusal::{Asks, protected_by, role_opens};
use super::{Asked, Snapshot};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::grant::scope::Scope;
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::Request;
use crate::engine::policy::asking::OnMissing;
use crate::engine::policy::requirement::Need;
use crate::engine::policy::role::Role;
use crate::engine::policy::{OperationKind, Policy};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// The first role, in the order of the configuration, that would open all that is missing, that the subject may ask
/// for, and for which this is configured.
pub(super) fn asks(
    snapshot: &Snapshot,
    asked: &Asked<'_>,
    holder: &Holder<'_>,
    kind: OperationKind,
    missing: &[Need<'_>],
) -> Option<Box<Asks>> {
    let policy = &*snapshot.policy;
    // A grant would not be looked at.
    if !snapshot.recording {
        return None;
    }
    // Before the directory's success a bind is anybody's.
    let subject = holder.name().filter(|_| !matches!(asked.request, Request::Bind(_)))?;
    // Each opens all that is missing, the first of it too.
    let candidates = missing.first().into_iter().flat_map(|need| policy.roles_for(need.resource));
    let mut found = candidates.map(|(_, role)| role).filter_map(|role| {
        let then = policy.on_missing(role, missing.iter().map(|need| need.resource));
        let does = then != OnMissing::Refuse
            && missing.iter().all(|need| role_opens(policy, role, *need, kind))
            && holder.is_one_of(&role.eligible)
            && would_do(snapshot, asked, subject, role, kind, missing);
        does.then(|| (Arc::clone(&role.name), then))
    });
    let (role, then) = found.next()?;
    let also = found.map(|(name, _)| name).collect();
    Some(Box::new(Asks { role, then, also, told: protected_by(policy, kind, missing) }))
}

/// Whether everything that is missing would be held with a grant of the role besides what is held anyway: what a
/// role opens only in part (some attributes) is found out as for a grant that is there.
fn would_do(
    snapshot: &Snapshot,
    asked: &Asked<'_>,
    subject: &Dn,
    role: &Role,
    kind: OperationKind,
    missing: &[Need<'_>],
) -> bool {
    let Some(grant) = imagined(&snapshot.policy, subject, role) else { return false };
    let held = snapshot.grants.get(subject).cloned();
    let grants = Arc::new(held.chain([Arc::new(grant)]).collect());
    let with = Snapshot { grants, ..snapshot.clone() };
    let holder = Holder::of(&with, asked);
    missing.iter().all(|need| holder.hold(*need, kind).is_some())
}

/// A grant of the role, for ever. It is seen by nobody.
fn imagined(policy: &Policy, subject: &Dn, role: &Role) -> Option<ActiveGrant> {
    let opens = Scope::of_role(role, policy).ok()?.openings(policy).ok()?;
    Some(ActiveGrant {
        id: "".into(),
        request: "".into(),
        role: Arc::clone(&role.name),
        subject: subject.clone(),
        from: DateTime::<Utc>::MIN_UTC,
        until: DateTime::<Utc>::MAX_UTC,
        until_monotonic: Duration::MAX,
        break_glass: false,
        opens,
    })
}
