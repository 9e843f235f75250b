//! The life of a request: pending -> approved | denied | cancelled | lapsed. Nobody reviews their
//! own; approvals are different people's; a review names what it saw.

use super::WorkflowError;
use super::asking::{check_text, eligible};
use super::authority::{Context, Match, is_same, may_be_same};
use super::request::{Request, RequestState, Review, Verdict};
use crate::engine::grant::history::{Actor, Entry, Happened};
use crate::engine::grant::lifecycle::{Approved, Effect, Grant};
use crate::engine::policy::role::Role;

/// What can happen to a request.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A person's word on it.
    Review(Reviewing<'a>),
    /// Who asked takes it back.
    Cancel {
        /// Who.
        actor: &'a Actor,
        /// Why.
        reason: Option<&'a str>,
    },
    /// The clock moved.
    Deadline,
}

/// A person's word on a request.
#[derive(Debug, Clone)]
pub struct Reviewing<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// Approve or deny.
    pub verdict: Verdict,
    /// Why; a deny must say.
    pub reason: Option<&'a str>,
    /// The digest that they saw.
    pub digest: &'a str,
    /// The revision that they saw.
    pub revision: u64,
    /// The id of the grant, should there be one.
    pub grant_id: String,
}

/// A request one transition later, with the grant that came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The request.
    pub request: Request,
    /// The new grant, and what to do about the index.
    pub grant: Option<(Grant, Effect)>,
}

/// The request after `event`.
///
/// # Errors
/// The event does not fit state, time or person. Nothing changes then.
pub fn step(request: &Request, event: &Event<'_>, context: &Context<'_>) -> Result<Step, WorkflowError> {
    let now = context.now.wall;
    match (request.state, event) {
        (RequestState::Pending, Event::Deadline) => {
            if now < request.lapses {
                return Err(WorkflowError::NotYet);
            }
            let entry = Entry::by_itself(Happened::Lapsed, now, None, request.revision);
            Ok(ended(request, RequestState::Lapsed, entry))
        }
        // The deadline is part of the condition: who comes after it is told that it is over.
        (RequestState::Pending, Event::Review(_) | Event::Cancel { .. }) if now >= request.lapses => {
            Err(WorkflowError::Decided(RequestState::Lapsed))
        }
        (RequestState::Pending, Event::Cancel { actor, reason }) => {
            if !is_same(&actor.acts, &request.requested_by) {
                return Err(WorkflowError::NotAsker);
            }
            if let Some(reason) = reason {
                check_text("the reason", reason)?;
            }
            let entry = Entry::by(Happened::Cancelled, actor, now, *reason, request.revision);
            Ok(ended(request, RequestState::Cancelled, entry))
        }
        (RequestState::Pending, Event::Review(reviewing)) => review(request, reviewing, context),
        (
            RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed,
            Event::Review(_) | Event::Cancel { .. } | Event::Deadline,
        ) => Err(WorkflowError::Decided(request.state)),
    }
}

/// Whether this person may review the request now, whatever they would say and have seen.
///
/// # Errors
/// Why not.
pub fn may_review<'a>(request: &Request, actor: &Actor, context: &Context<'a>) -> Result<&'a Role, WorkflowError> {
    match request.state_at(context.now.wall) {
        RequestState::Pending => {}
        state @ (RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed) => {
            return Err(WorkflowError::Decided(state));
        }
    }
    if actor.acts.dn.is_none() {
        return Err(WorkflowError::NoSubject);
    }
    if is_own(request, actor) {
        return Err(WorkflowError::OwnRequest);
    }
    let role = context.policy.role(&request.role).ok_or_else(|| WorkflowError::RoleGone(request.role.clone()))?;
    match context.matches(&role.approvers, &actor.acts) {
        Match::Yes => {}
        Match::No => return Err(WorkflowError::NotApprover(request.role.clone())),
        Match::Unknown => return Err(WorkflowError::MembershipUnknown(request.role.clone())),
    }
    if request.reviews.iter().any(|review| is_by(review, actor)) {
        return Err(WorkflowError::ReviewedAlready(approvals(request, role)));
    }
    Ok(role)
}

/// How many approvals the request takes: as many as the role said when it was made, or says now
/// if that is more.
pub fn approvals(request: &Request, role: &Role) -> u32 {
    request.approvals.max(role.approvals).max(1)
}

fn review(request: &Request, reviewing: &Reviewing<'_>, context: &Context<'_>) -> Result<Step, WorkflowError> {
    let actor = reviewing.actor;
    let role = may_review(request, actor, context)?;
    if reviewing.revision != request.revision || reviewing.digest != request.digest() {
        return Err(WorkflowError::Stale);
    }
    // Saying no closes nothing that a stolen session should not be able to close.
    if role.second_factor.approver && reviewing.verdict == Verdict::Approve && !actor.second_factor {
        return Err(WorkflowError::SecondFactor(role.name.to_string()));
    }
    if let Some(reason) = reviewing.reason {
        check_text("the reason", reason)?;
    }
    let now = context.now.wall;
    let what = match reviewing.verdict {
        Verdict::Approve => Happened::Approved,
        Verdict::Deny => Happened::Denied,
    };
    let entry = Entry::by(what, actor, now, reviewing.reason, request.revision);
    let mut next = request.moved_on(entry);
    next.reviews.push(Review {
        who: actor.acts.clone(),
        really: actor.really.clone(),
        verdict: reviewing.verdict,
        reason: reviewing.reason.map(str::to_owned),
        at: now,
    });
    match reviewing.verdict {
        Verdict::Deny => {
            if reviewing.reason.is_none_or(|reason| reason.trim().is_empty()) {
                return Err(WorkflowError::ReasonMissing);
            }
            next.state = RequestState::Denied;
            Ok(Step { request: next, grant: None })
        }
        Verdict::Approve if next.reviews.len() < usize::try_from(approvals(request, role)).unwrap_or(usize::MAX) => {
            check_still_allowed(request, role, context)?;
            Ok(Step { request: next, grant: None })
        }
        Verdict::Approve => {
            check_still_allowed(request, role, context)?;
            let (grant, effect) = Grant::begin(
                Approved {
                    id: reviewing.grant_id.clone(),
                    request: &request.id,
                    role: &request.role,
                    subject: &request.subject,
                    requested_by: &request.requested_by,
                    scope: &request.scope,
                    start: request.start,
                    duration: request.duration.min(role.max_duration),
                    by: actor,
                },
                now,
            );
            next.state = RequestState::Approved;
            next.grant = Some(grant.id.clone());
            Ok(Step { request: next, grant: Some((grant, effect)) })
        }
    }
}

/// What was asked for may have stopped being possible while it waited.
fn check_still_allowed(request: &Request, role: &Role, context: &Context<'_>) -> Result<(), WorkflowError> {
    request.scope.check_within(role, context.policy)?;
    request.scope.openings(context.policy)?;
    match eligible(role, &request.requested_by, &request.subject, context) {
        Match::Yes => Ok(()),
        Match::No => {
            let who = request.requested_by.to_string();
            Err(WorkflowError::NoLongerEligible(who, request.role.clone()))
        }
        Match::Unknown => Err(WorkflowError::MembershipUnknown(request.role.clone())),
    }
}

/// Whether the request may be the actor's own: asked by them or for them, under any of their
/// names. Only that one and the same operator acts as both sides is let pass, because `act_as`
/// says that they may; both names are on record.
fn is_own(request: &Request, actor: &Actor) -> bool {
    let own = |name| may_be_same(name, &request.requested_by) || name.may_be(&request.subject);
    own(&actor.acts)
        || actor.really.as_ref().is_some_and(own)
        || request.really.as_ref().is_some_and(|really| may_be_same(really, &actor.acts))
}

/// Whether the review may be the actor's, under any of their names (with the same exception).
fn is_by(review: &Review, actor: &Actor) -> bool {
    may_be_same(&review.who, &actor.acts)
        || actor.really.as_ref().is_some_and(|really| may_be_same(really, &review.who))
        || review.really.as_ref().is_some_and(|really| may_be_same(really, &actor.acts))
}

fn ended(request: &Request, state: RequestState, entry: Entry) -> Step {
    Step { request: Request { state, ..request.moved_on(entry) }, grant: None }
}
