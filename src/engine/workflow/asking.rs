//! Asking for a role: who may, for whom, and for what part of it. Nothing that is asked for is
//! ever adjusted: what does not fit is an error.

use super::authority::{Context, Match};
use super::request::{Request, RequestState};
use super::{MAX_TEXT, WorkflowError};
use crate::engine::grant::history::{Actor, Entry, Happened, Identity};
use crate::engine::grant::lifecycle::after;
use crate::engine::grant::scope::{Narrowing, Scope};
use crate::engine::ldap::Dn;
use crate::engine::policy::role::Role;
use crate::engine::time::format_duration;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// What somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Which role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// For whom, when not for oneself.
    pub subject: Option<Dn>,
    /// The ticket.
    pub ticket: Option<String>,
    /// How long; the role's default when absent.
    pub duration: Option<Duration>,
    /// From when; at once when absent.
    pub start: Option<DateTime<Utc>>,
    /// How narrower than the role.
    pub narrowing: Narrowing,
}

/// Makes a request of a wish.
///
/// # Errors
/// The asker may not, or asks for what the role does not give.
pub fn ask(id: String, wish: Wish, actor: &Actor, context: &Context<'_>) -> Result<Request, WorkflowError> {
    let asker = actor.acts.dn.clone().ok_or(WorkflowError::NoSubject)?;
    let role = context.policy.role(&wish.role).ok_or_else(|| WorkflowError::UnknownRole(wish.role.clone()))?;
    let subject = wish.subject.unwrap_or(asker);
    check_eligible(role, &actor.acts, &subject, context)?;
    if role.second_factor.requester && !actor.second_factor {
        return Err(WorkflowError::SecondFactor(role.name.to_string()));
    }
    check_texts(role, &wish.reason, wish.ticket.as_deref())?;
    let duration = check_duration(role, wish.duration)?;
    check_start(wish.start, duration, context.now.wall)?;
    let scope = Scope::of_role(role, context.policy)?.narrowed(&wish.narrowing)?;
    let now = context.now.wall;
    Ok(Request {
        id,
        state: RequestState::Pending,
        revision: 1,
        requested_by: actor.acts.clone(),
        really: actor.really.clone(),
        subject,
        role: role.name.to_string(),
        history: vec![Entry::by(Happened::Requested, actor, now, Some(&wish.reason), 0)],
        reason: wish.reason,
        ticket: wish.ticket,
        scope,
        duration,
        start: wish.start,
        created: now,
        lapses: after(now, role.request_ttl),
        approvals: role.approvals.max(1),
        reviews: Vec::new(),
        grant: None,
    })
}

/// Whether `asker` may have `role` opened for `subject`, as configured now.
pub(super) fn eligible(role: &Role, asker: &Identity, subject: &Dn, context: &Context<'_>) -> Match {
    match context.matches(&role.eligible, asker) {
        Match::Yes if asker.is_surely(subject) => Match::Yes,
        Match::Yes => context.matches(&role.beneficiaries, &Identity::of_dn(subject.clone())),
        other @ (Match::No | Match::Unknown) => other,
    }
}

fn check_eligible(role: &Role, asker: &Identity, subject: &Dn, context: &Context<'_>) -> Result<(), WorkflowError> {
    let name = || role.name.to_string();
    match context.matches(&role.eligible, asker) {
        Match::Yes => {}
        Match::No => return Err(WorkflowError::NotEligible(name())),
        Match::Unknown => return Err(WorkflowError::MembershipUnknown(name())),
    }
    match eligible(role, asker, subject, context) {
        Match::Yes => Ok(()),
        Match::No => Err(WorkflowError::NotBeneficiary { role: name(), subject: subject.text().to_owned() }),
        Match::Unknown => Err(WorkflowError::MembershipUnknown(name())),
    }
}

fn check_texts(role: &Role, reason: &str, ticket: Option<&str>) -> Result<(), WorkflowError> {
    check_text("the reason", reason)?;
    if role.reason_required && reason.trim().is_empty() {
        return Err(WorkflowError::ReasonMissing);
    }
    if let Some(ticket) = ticket {
        check_text("the ticket", ticket)?;
    }
    match &role.ticket_pattern {
        Some(pattern) if !ticket.is_some_and(|ticket| pattern.is_match(ticket)) => {
            Err(WorkflowError::BadTicket(pattern.as_str().to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

/// Text that a person typed: of bearable length, and without what could drive a terminal or
/// forge a line (line ends and tabs aside).
pub(super) fn check_text(what: &'static str, text: &str) -> Result<(), WorkflowError> {
    let forbidden = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.chars().count() > MAX_TEXT || text.chars().any(forbidden) {
        return Err(WorkflowError::BadText(what));
    }
    Ok(())
}

fn check_duration(role: &Role, wanted: Option<Duration>) -> Result<Duration, WorkflowError> {
    match wanted {
        None => Ok(role.default_duration.min(role.max_duration)),
        Some(wanted) if wanted.is_zero() => Err(WorkflowError::NoDuration),
        Some(wanted) if wanted > role.max_duration => Err(WorkflowError::TooLong(format_duration(role.max_duration))),
        Some(wanted) => Ok(wanted),
    }
}

fn check_start(start: Option<DateTime<Utc>>, duration: Duration, now: DateTime<Utc>) -> Result<(), WorkflowError> {
    let Some(start) = start else { return Ok(()) };
    if start < now {
        return Err(WorkflowError::StartInPast);
    }
    if after(start, duration) == DateTime::<Utc>::MAX_UTC { Err(WorkflowError::StartTooFar) } else { Ok(()) }
}
