//! Extending a grant: a request of its own, with its own review, for the same and no more. Its grant
//! begins when the one before ends, so that there is no gap, and is no longer than the role allows.

use super::WorkflowError;
use super::asking::{
    check_duration, check_eligible, check_holder_unlocked, check_lead, check_second_factor, check_text,
};
use super::authority::Context;
use super::ending::is_holder;
use super::request::{Request, RequestState};
use super::stages::{Position, plan};
use crate::engine::grant::basis::Basis;
use crate::engine::grant::history::{Actor, Entry, Happened};
use crate::engine::grant::lifecycle::{Grant, GrantState, LifecycleError, after};
use std::time::Duration;

/// The request to go on with what `grant` opens for `duration` after its end. Never approved by a rule:
/// it is asked anew whether it is still needed.
///
/// # Errors
/// It is somebody else's, it has ended, or the role no longer gives it to the asker.
pub fn extend(
    id: String,
    grant: &Grant,
    duration: Duration,
    reason: &str,
    actor: &Actor,
    context: &Context<'_>,
) -> Result<Request, WorkflowError> {
    let now = context.now.wall;
    if !is_holder(grant, actor, context.policy.naming()) {
        return Err(WorkflowError::NotHolder);
    }
    context.check_unlocked(actor)?;
    check_holder_unlocked(&grant.subject, context)?;
    match grant.state_at(now) {
        GrantState::Scheduled | GrantState::Active => {}
        state @ (GrantState::Expired | GrantState::Released | GrantState::Revoked) => {
            return Err(LifecycleError::Ended(state).into());
        }
    }
    let role = context.policy.role(&grant.role).ok_or_else(|| WorkflowError::RoleGone(grant.role.clone()))?;
    check_eligible(role, &actor.acts, &grant.subject, context)?;
    check_second_factor(role, actor)?;
    check_text("the reason", reason)?;
    if reason.trim().is_empty() {
        return Err(WorkflowError::ReasonMissing);
    }
    let duration = check_duration(role, Some(duration))?;
    // What is active may be extended at any time. What follows one that has not begun would lead ever further ahead.
    if grant.state_at(now) == GrantState::Scheduled {
        check_lead(role, grant.until, now)?;
    }
    grant.scope.check_within(role, context.policy)?;
    grant.scope.openings(context.policy)?;
    Ok(Request {
        id,
        state: RequestState::Pending,
        revision: 1,
        requested_by: actor.acts.clone(),
        really: actor.really.clone(),
        subject: grant.subject.clone(),
        role: grant.role.clone(),
        history: vec![Entry::by(Happened::Requested, actor, now, Some(reason), 0)],
        reason: reason.to_owned(),
        ticket: None,
        scope: grant.scope.clone(),
        duration,
        start: Some(grant.until),
        created: now,
        // Decided after the end, it would open anew what has been closed.
        lapses: after(now, role.request_ttl).min(grant.until),
        approvals: role.approvals.max(1),
        stages: plan(role),
        position: Position { stage: 0, since: now, owed: 0 },
        basis: Basis::Reviews,
        extends: Some(grant.id.clone()),
        by_doing: false,
        reviews: Vec::new(),
        grant: None,
    })
}

/// Whether the grant that a request or a grant extends still leads to it: who ended one early has ended
/// what was to follow.
///
/// # Errors
/// It was released or revoked, or there is none.
pub fn check_extended(extended: Option<&Grant>, id: &str) -> Result<(), WorkflowError> {
    match extended.map(|grant| grant.state) {
        Some(GrantState::Scheduled | GrantState::Active | GrantState::Expired) => Ok(()),
        Some(GrantState::Released | GrantState::Revoked) | None => Err(WorkflowError::ExtendedEnded(id.to_owned())),
    }
}
