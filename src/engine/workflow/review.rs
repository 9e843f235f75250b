//! The life of a request: pending -> approved | denied | cancelled | lapsed. Nobody reviews their
//! own; approvals are different people's; a review names what it saw.

use super::asking::{approved, check_holder_unlocked, check_text, eligible};
use super::authority::{Context, Match, is_same};
use super::extending::check_extended;
use super::request::{Request, RequestState, Review, Verdict};
use super::stages::{Position, deciding};
use super::{Notice, WorkflowError};
use crate::engine::grant::history::{Actor, Entry, Happened, Identity};
use crate::engine::grant::lifecycle::{Effect, Grant};
use crate::engine::policy::role::Role;
use chrono::{DateTime, Utc};

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
    /// The grant that the request is to take over from.
    pub extended: Option<Box<Grant>>,
}

/// A request one transition later, with the grant that came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The request.
    pub request: Request,
    /// The new grant, and what to do about the index.
    pub grant: Option<(Grant, Effect)>,
    /// What people are to be told of.
    pub notices: Vec<Notice>,
}

impl Step {
    /// A request that waits for a stage that has not been told so yet.
    pub fn waits(request: Request) -> Step {
        let notice = Notice::Waits { request: request.id.clone(), stage: request.position.stage };
        Step { request, grant: None, notices: vec![notice] }
    }

    fn quiet(request: Request) -> Step {
        Step { request, grant: None, notices: Vec::new() }
    }

    fn telling(mut self, notice: Notice) -> Step {
        self.notices.push(notice);
        self
    }
}

/// The request after `event`.
///
/// # Errors
/// The event does not fit state, time or person. Nothing changes then.
pub fn step(request: &Request, event: &Event<'_>, context: &Context<'_>) -> Result<Step, WorkflowError> {
    let now = context.now.wall;
    match (request.state, event) {
        (RequestState::Pending, Event::Deadline) => {
            let position = request.position_at(now).filter(|_| now < request.lapses);
            match position {
                None => {
                    let entry = Entry::by_itself(Happened::Lapsed, now, None, request.revision);
                    let lapsed = ended(request, RequestState::Lapsed, entry);
                    Ok(lapsed.telling(Notice::Lapsed { request: request.id.clone() }))
                }
                Some(position) if position == request.position => Err(WorkflowError::NotYet),
                Some(position) => {
                    let next = Request { position, ..request.moved_on(escalated(request, &position, now)) };
                    Ok(Step::waits(next))
                }
            }
        }
        // The deadline is part of the condition: who comes after it is told that it is over.
        (RequestState::Pending, Event::Review(_) | Event::Cancel { .. })
            if request.state_at(now) == RequestState::Lapsed =>
        {
            Err(WorkflowError::Decided(RequestState::Lapsed))
        }
        (RequestState::Pending, Event::Cancel { actor, reason }) => {
            if !is_same(&actor.acts, &request.requested_by, context.policy.naming()) {
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

/// Whether this person may review the request now, whatever they would say and have seen; as which
/// stage's approver.
///
/// # Errors
/// Why not.
pub fn may_review<'a>(
    request: &Request,
    actor: &Actor,
    context: &Context<'a>,
) -> Result<(&'a Role, Position), WorkflowError> {
    match request.state_at(context.now.wall) {
        RequestState::Pending => {}
        state @ (RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed) => {
            return Err(WorkflowError::Decided(state));
        }
    }
    if actor.acts.dn.is_none() {
        return Err(WorkflowError::NoSubject);
    }
    context.check_unlocked(actor)?;
    if is_own(request, actor, context) {
        return Err(WorkflowError::OwnRequest);
    }
    let position = request.position_at(context.now.wall).ok_or(WorkflowError::Decided(RequestState::Lapsed))?;
    let role = context.policy.role(&request.role).ok_or_else(|| WorkflowError::RoleGone(request.role.clone()))?;
    let stage = deciding(request, &position, role)?;
    match context.matches(&stage.approvers, &actor.acts) {
        Match::Yes => {}
        Match::No => return Err(WorkflowError::NotApprover(request.role.clone())),
        Match::Unknown => return Err(WorkflowError::MembershipUnknown(request.role.clone())),
    }
    if request.reviews.iter().any(|review| context.may_be_one(actor, &review.who, review.really.as_ref())) {
        return Err(WorkflowError::ReviewedAlready(request.needed_in_all(&position, role)));
    }
    Ok((role, position))
}

fn review(request: &Request, reviewing: &Reviewing<'_>, context: &Context<'_>) -> Result<Step, WorkflowError> {
    let actor = reviewing.actor;
    let (role, position) = may_review(request, actor, context)?;
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
    let mut next = reviewed(request, reviewing, &position, context);
    match reviewing.verdict {
        Verdict::Deny => {
            if reviewing.reason.is_none_or(|reason| reason.trim().is_empty()) {
                return Err(WorkflowError::ReasonMissing);
            }
            next.state = RequestState::Denied;
            let notice = Notice::Denied { request: next.id.clone() };
            Ok(Step::quiet(next).telling(notice))
        }
        Verdict::Approve => {
            check_still_allowed(request, role, context)?;
            if let Some(extended) = &request.extends {
                check_extended(reviewing.extended.as_deref(), extended)?;
            }
            approve(next, &position, role, reviewing, context)
        }
    }
}

/// The request with the review in it, whatever comes of it.
fn reviewed(request: &Request, reviewing: &Reviewing<'_>, position: &Position, context: &Context<'_>) -> Request {
    let (actor, now) = (reviewing.actor, context.now.wall);
    let what = match reviewing.verdict {
        Verdict::Approve => Happened::Approved,
        Verdict::Deny => Happened::Denied,
    };
    let entry = Entry::by(what, actor, now, reviewing.reason, request.revision);
    let mut next = Request { position: *position, ..request.moved_on(entry) };
    if *position != request.position {
        // The stage's time was over, and nobody had written that down yet.
        let before = next.history.len().saturating_sub(1);
        next.history.insert(before, escalated(request, position, now));
    }
    next.reviews.push(Review {
        who: actor.acts.clone(),
        really: actor.really.clone(),
        verdict: reviewing.verdict,
        reason: reviewing.reason.map(str::to_owned),
        at: now,
        stage: position.stage,
    });
    next
}

/// One more has approved: the stage may be done, and the request with it.
fn approve(
    mut next: Request,
    position: &Position,
    role: &Role,
    reviewing: &Reviewing<'_>,
    context: &Context<'_>,
) -> Result<Step, WorkflowError> {
    let now = context.now.wall;
    if next.given(position.stage) < next.needed_by(position, role) {
        return Ok(Step::quiet(next));
    }
    if let Some(stage) = next.stage_after(position.stage) {
        next.position = Position { stage, since: now, owed: 0 };
        return Ok(Step::waits(next));
    }
    check_reviewers(&next, role, context)?;
    let approved_by: Vec<Identity> = next.reviews.iter().map(|review| review.who.clone()).collect();
    let duration = next.duration.min(role.max_duration);
    let by = Some(reviewing.actor);
    let (grant, effect) = Grant::begin(approved(&next, reviewing.grant_id.clone(), duration, by, approved_by), now);
    next.state = RequestState::Approved;
    next.grant = Some(grant.id.clone());
    let notices = vec![Notice::Approved { request: next.id.clone() }];
    Ok(Step { request: next, grant: Some((grant, effect)), notices })
}

/// Reviews count if they were valid when they were given; but who has lost the office in between has not
/// approved what begins now.
fn check_reviewers(request: &Request, role: &Role, context: &Context<'_>) -> Result<(), WorkflowError> {
    for review in &request.reviews {
        let stage = deciding(request, &Position { stage: review.stage, ..request.position }, role)?;
        match context.matches(&stage.approvers, &review.who) {
            Match::Yes => {}
            Match::No => return Err(WorkflowError::ReviewerGone(review.who.to_string(), request.role.clone())),
            Match::Unknown => return Err(WorkflowError::MembershipUnknown(request.role.clone())),
        }
    }
    Ok(())
}

/// What was asked for may have stopped being possible while it waited.
fn check_still_allowed(request: &Request, role: &Role, context: &Context<'_>) -> Result<(), WorkflowError> {
    request.scope.check_within(role, context.policy)?;
    request.scope.openings(context.policy)?;
    check_holder_unlocked(&request.subject, context)?;
    match eligible(role, &request.requested_by, &request.subject, context) {
        Match::Yes => Ok(()),
        Match::No => {
            let who = request.requested_by.to_string();
            Err(WorkflowError::NoLongerEligible(who, request.role.clone()))
        }
        Match::Unknown => Err(WorkflowError::MembershipUnknown(request.role.clone())),
    }
}

/// Whether the request may be the actor's own: asked by them or for them, under any of their names.
fn is_own(request: &Request, actor: &Actor, context: &Context<'_>) -> bool {
    context.may_be_one(actor, &request.requested_by, request.really.as_ref()) || context.may_be(actor, &request.subject)
}

/// That the request went on to the stage at `position`.
fn escalated(request: &Request, position: &Position, now: DateTime<Utc>) -> Entry {
    let why = format!("stage {} decides now", position.stage + 1);
    Entry::by_itself(Happened::Escalated, now, Some(&why), request.revision)
}

fn ended(request: &Request, state: RequestState, entry: Entry) -> Step {
    Step::quiet(Request { state, ..request.moved_on(entry) })
}
