//! Who ends a grant, and what the configuration ends or keeps from beginning.

use super::WorkflowError;
use super::asking::{check_holder_unlocked, check_text, eligible};
use super::authority::{Context, Match, is_same};
use super::extending::check_extended;
use crate::engine::grant::basis::Basis;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::{Effect, Event, Grant, GrantState, LifecycleError};
use crate::engine::ldap::dn::Naming;
use crate::engine::policy::role::Role;

/// What is to become of a grant whose start has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This.
    Moved(Box<Grant>, Effect),
    /// Nothing yet: whether its holder qualifies is not known. It stays scheduled, and its time runs.
    Undecided,
}

/// Its holder, or who asked for it, is done.
///
/// # Errors
/// Somebody else's, or over already.
pub fn release(grant: &Grant, actor: &Actor, context: &Context<'_>) -> Result<(Grant, Effect), WorkflowError> {
    if !is_holder(grant, actor, context.policy.naming()) {
        return Err(WorkflowError::NotHolder);
    }
    Ok(grant.step(Event::Release(actor), context.now.wall)?)
}

/// An administrator, or an approver of the role, ends somebody's grant.
///
/// # Errors
/// Neither, no reason, or over already.
pub fn revoke(
    grant: &Grant,
    actor: &Actor,
    reason: &str,
    context: &Context<'_>,
) -> Result<(Grant, Effect), WorkflowError> {
    let approvers = context.policy.role(&grant.role).map_or(&[][..], |role| &role.approvers);
    let lists = [approvers, &context.authority.administrators];
    let found = lists.map(|selectors| context.matches(selectors, &actor.acts));
    if !found.contains(&Match::Yes) {
        return Err(if is_holder(grant, actor, context.policy.naming()) {
            WorkflowError::OwnGrant
        } else if found.contains(&Match::Unknown) {
            WorkflowError::MembershipUnknown(grant.role.clone())
        } else {
            WorkflowError::NotRevoker
        });
    }
    context.check_unlocked(actor)?;
    check_text("the reason", reason)?;
    if reason.trim().is_empty() {
        return Err(WorkflowError::ReasonMissing);
    }
    Ok(grant.step(Event::Revoke(actor, reason), context.now.wall)?)
}

/// The clock reached the grant's next deadline: it becomes active, or it is over.
///
/// # Errors
/// It is not time yet, or there is nothing left to happen.
pub fn on_deadline(grant: &Grant, extended: Option<&Grant>, context: &Context<'_>) -> Result<Outcome, LifecycleError> {
    let now = context.now.wall;
    let event = match grant.state_at(now) {
        GrantState::Scheduled if now < grant.ready() || grant.state == GrantState::Active => {
            return Err(LifecycleError::NotYet);
        }
        GrantState::Scheduled => match qualifies_to_begin(grant, extended, context) {
            Ok((_, Match::Unknown)) => return Ok(Outcome::Undecided),
            Ok((role, Match::Yes)) => grant.step(Event::Activate { max_duration: role.max_duration }, now),
            Ok((_, Match::No)) => grant.step(Event::Disallow(&no_longer_eligible(grant).to_string()), now),
            Err(error) => grant.step(Event::Disallow(&error.to_string()), now),
        },
        GrantState::Active | GrantState::Expired | GrantState::Released | GrantState::Revoked => {
            grant.step(Event::Deadline, now)
        }
    };
    event.map(|(next, effect)| Outcome::Moved(Box::new(next), effect))
}

/// The configuration changed: the grant after it, if it no longer allows it. Group membership
/// that is not known at the moment ends nothing.
///
/// # Errors
/// It has ended already.
pub fn on_policy(grant: &Grant, context: &Context<'_>) -> Result<Option<(Grant, Effect)>, LifecycleError> {
    let Some(why) = why_disallowed(grant, context) else { return Ok(None) };
    grant.step(Event::Disallow(&why.to_string()), context.now.wall).map(Some)
}

/// Why the configuration does not allow the grant, if it surely does not.
pub fn why_disallowed(grant: &Grant, context: &Context<'_>) -> Option<WorkflowError> {
    match qualifies(grant, context) {
        Ok((_, Match::Yes | Match::Unknown)) => None,
        Ok((_, Match::No)) => Some(no_longer_eligible(grant)),
        Err(error) => Some(error),
    }
}

/// Whether the configuration allows the grant, as far as is known of who is in which group.
pub fn allowed(grant: &Grant, context: &Context<'_>) -> Match {
    qualifies(grant, context).map_or(Match::No, |(_, found)| found)
}

/// Whether role, resources and holder still allow the grant.
fn qualifies<'a>(grant: &Grant, context: &Context<'a>) -> Result<(&'a Role, Match), WorkflowError> {
    let role = context.policy.role(&grant.role).ok_or_else(|| WorkflowError::RoleGone(grant.role.clone()))?;
    check_holder_unlocked(&grant.subject, context)?;
    grant.scope.openings(context.policy)?;
    grant.scope.check_within(role, context.policy)?;
    let found = match grant.basis {
        Basis::Reviews | Basis::Automatic(_) => eligible(role, &grant.requested_by, &grant.subject, context),
        Basis::BreakGlass => context.matches(&role.break_glass, &grant.requested_by),
    };
    Ok((role, found))
}

/// The same, and whether those who approved it may still approve it.
fn qualifies_to_begin<'a>(
    grant: &Grant,
    extended: Option<&Grant>,
    context: &Context<'a>,
) -> Result<(&'a Role, Match), WorkflowError> {
    let (role, found) = qualifies(grant, context)?;
    if let Some(id) = &grant.extends {
        check_extended(extended, id)?;
    }
    let mut all = match super::automatic::still_approves(grant, role, context)? {
        Match::Unknown if found == Match::Yes => Match::Unknown,
        Match::Yes | Match::No | Match::Unknown => found,
    };
    for who in &grant.approved_by {
        match context.matches(&role.approvers, who) {
            Match::Yes => {}
            Match::No => return Err(WorkflowError::ReviewerGone(who.to_string(), grant.role.clone())),
            Match::Unknown if all == Match::Yes => all = Match::Unknown,
            Match::Unknown => {}
        }
    }
    Ok((role, all))
}

fn no_longer_eligible(grant: &Grant) -> WorkflowError {
    WorkflowError::NoLongerEligible(grant.requested_by.to_string(), grant.role.clone())
}

/// Whether the actor holds it, or asked for it.
pub(super) fn is_holder(grant: &Grant, actor: &Actor, naming: &Naming) -> bool {
    actor.acts.is_surely(&grant.subject, naming) || is_same(&actor.acts, &grant.requested_by, naming)
}

/// An auditor has seen what was done with a break-glass grant.
///
/// # Errors
/// They are no auditor, it may be their own, or there is nothing to sign off (yet, or any more).
pub fn sign_off(
    grant: &Grant,
    actor: &Actor,
    note: Option<&str>,
    context: &Context<'_>,
) -> Result<(Grant, Effect), WorkflowError> {
    let own =
        context.may_be_one(actor, &grant.requested_by, grant.really.as_ref()) || context.may_be(actor, &grant.subject);
    if own {
        return Err(WorkflowError::OwnSignOff);
    }
    match context.matches(&context.authority.auditors, &actor.acts) {
        Match::Yes => {}
        Match::No => return Err(WorkflowError::NotAuditor),
        Match::Unknown => return Err(WorkflowError::MembershipUnknown(grant.role.clone())),
    }
    context.check_unlocked(actor)?;
    if let Some(note) = note {
        check_text("the reason", note)?;
    }
    Ok(grant.step(Event::SignOff(actor, note), context.now.wall)?)
}
