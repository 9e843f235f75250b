//! Asking for a role: who may, for whom, and for what part of it. Nothing that is asked for is
//! ever adjusted: what does not fit is an error.

use super::authority::{Context, Match};
use super::request::{Request, RequestState};
use super::review::Step;
use super::stages::{Position, plan};
use super::{MAX_BASE, MAX_NARROWED, MAX_TEXT, MAX_TICKET, Notice, WorkflowError, automatic};
use crate::engine::grant::basis::Basis;
use crate::engine::grant::history::{Actor, Entry, Happened, Identity};
use crate::engine::grant::lifecycle::{Approved, Grant, after};
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
    /// At once, without review, to be signed off later.
    pub break_glass: bool,
    /// Not typed by a person: an operation was done without the role.
    pub by_doing: bool,
}

/// In which time requests of one person are counted.
pub const RATE_PERIOD: Duration = Duration::from_secs(3_600);

/// What is new when a request is made.
#[derive(Debug, Clone)]
pub struct NewIds {
    /// Of the request.
    pub request: String,
    /// Of the grant, should there be one.
    pub grant: String,
}

/// Makes a request of a wish. Where a rule of the role approves it, or the glass is broken, there is a
/// grant at once. `grants`: those that rules approved and that have not ended, whoever holds them.
///
/// # Errors
/// The asker may not, or asks for what the role does not give.
pub fn ask(
    ids: NewIds,
    wish: Wish,
    actor: &Actor,
    grants: &[Grant],
    context: &Context<'_>,
) -> Result<Step, WorkflowError> {
    let NewIds { request: id, grant: grant_id } = ids;
    let asker = actor.acts.dn.clone().ok_or(WorkflowError::NoSubject)?;
    let role = context.policy.role(&wish.role).ok_or_else(|| WorkflowError::UnknownRole(wish.role.clone()))?;
    context.check_unlocked(actor)?;
    if wish.break_glass {
        check_break_glass(role, &wish, actor, context)?;
    }
    let subject = wish.subject.unwrap_or(asker);
    check_holder_unlocked(&subject, context)?;
    if !wish.break_glass {
        check_eligible(role, &actor.acts, &subject, context)?;
    }
    // An emergency is no reason to do without: it is what somebody with a stolen session would claim.
    check_second_factor(role, actor)?;
    check_texts(role, &wish.reason, wish.ticket.as_deref(), wish.break_glass)?;
    let duration = check_duration(role, wish.duration)?;
    check_start(role, wish.start, duration, context.now.wall)?;
    check_narrowing(&wish.narrowing)?;
    let mut narrowing = wish.narrowing;
    // As the directory reads it: any name of an attribute type will do.
    narrowing.base.iter_mut().for_each(|base| base.resolve(context.policy.naming()));
    let scope = Scope::of_role(role, context.policy)?.narrowed(&narrowing, context.policy.schema())?;
    let now = context.now.wall;
    let request = Request {
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
        stages: plan(role),
        position: Position { stage: 0, since: now, owed: 0 },
        basis: Basis::Reviews,
        extends: None,
        by_doing: wish.by_doing,
        reviews: Vec::new(),
        grant: None,
    };
    if wish.break_glass {
        return Ok(approved_at_once(request, Basis::BreakGlass, Some(actor), grant_id, now));
    }
    match automatic::rule_for(role, &request, actor, grants, context) {
        Some(rule) => Ok(approved_at_once(request, Basis::Automatic(rule), None, grant_id, now)),
        None => Ok(Step::waits(request)),
    }
}

/// A request that nobody is asked about, with its grant.
fn approved_at_once(
    mut request: Request,
    basis: Basis,
    by: Option<&Actor>,
    grant_id: String,
    now: DateTime<Utc>,
) -> Step {
    request.basis = basis;
    request.state = RequestState::Approved;
    if let Some(rule) = basis.rule() {
        let why = format!("automatically, by rule {rule} of the role");
        request.history.push(Entry::by_itself(Happened::Approved, now, Some(&why), 0));
    }
    let (grant, effect) = Grant::begin(approved(&request, grant_id, request.duration, by, Vec::new()), now);
    request.grant = Some(grant.id.clone());
    let notices = match basis {
        Basis::BreakGlass => vec![Notice::BreakGlass { request: request.id.clone(), grant: grant.id.clone() }],
        Basis::Reviews | Basis::Automatic(_) => vec![Notice::Approved { request: request.id.clone() }],
    };
    Step { request, grant: Some((grant, effect)), notices }
}

/// What a request comes to.
pub(super) fn approved<'a>(
    request: &'a Request,
    grant_id: String,
    duration: Duration,
    by: Option<&'a Actor>,
    approved_by: Vec<Identity>,
) -> Approved<'a> {
    Approved {
        id: grant_id,
        request: &request.id,
        role: &request.role,
        subject: &request.subject,
        requested_by: &request.requested_by,
        really: request.really.as_ref(),
        reason: &request.reason,
        ticket: request.ticket.as_deref(),
        scope: &request.scope,
        start: request.start,
        duration,
        by,
        basis: request.basis,
        approved_by,
        extends: request.extends.clone(),
    }
}

/// Whether somebody who has made `made` requests within an hour, the first of them `ago`, may make one more. Whatever became of
/// them counts.
///
/// # Errors
/// That would be too many; it says after how long they may.
pub fn check_rate(made: usize, ago: Duration, context: &Context<'_>) -> Result<(), WorkflowError> {
    match context.authority.requests_per_hour {
        Some(most) if made >= most => Err(WorkflowError::TooManyRequests(made, RATE_PERIOD.saturating_sub(ago))),
        Some(_) | None => Ok(()),
    }
}

/// Whether somebody who has `waiting` requests may make one more that waits.
///
/// # Errors
/// That would be too many.
pub fn check_pending(waiting: usize, context: &Context<'_>) -> Result<(), WorkflowError> {
    match context.authority.max_pending {
        Some(most) if waiting >= most => Err(WorkflowError::TooManyPending(waiting)),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn check_second_factor(role: &Role, actor: &Actor) -> Result<(), WorkflowError> {
    if role.second_factor.requester && !actor.second_factor {
        return Err(WorkflowError::SecondFactor(role.name.to_string()));
    }
    Ok(())
}

/// Whether the one whose grant it would be is not locked.
///
/// # Errors
/// They are.
pub fn check_holder_unlocked(subject: &Dn, context: &Context<'_>) -> Result<(), WorkflowError> {
    let lock = context.locks.of(subject, context.policy.naming());
    lock.map_or(Ok(()), |lock| Err(WorkflowError::Locked(lock.subject.text().to_owned())))
}

/// Emergencies are one's own and now.
fn check_break_glass(role: &Role, wish: &Wish, actor: &Actor, context: &Context<'_>) -> Result<(), WorkflowError> {
    match context.matches(&role.break_glass, &actor.acts) {
        Match::Yes => {}
        Match::No => return Err(WorkflowError::NotBreakGlass(role.name.to_string())),
        Match::Unknown => return Err(WorkflowError::MembershipUnknown(role.name.to_string())),
    }
    let naming = context.policy.naming();
    let own = wish.subject.as_ref().is_none_or(|subject| actor.acts.is_surely(subject, naming));
    if own && wish.start.is_none() { Ok(()) } else { Err(WorkflowError::BreakGlassForm) }
}

/// Whether `asker` may have `role` opened for `subject`, as configured now.
pub(super) fn eligible(role: &Role, asker: &Identity, subject: &Dn, context: &Context<'_>) -> Match {
    match context.matches(&role.eligible, asker) {
        Match::Yes if asker.is_surely(subject, context.policy.naming()) => Match::Yes,
        Match::Yes => context.matches(&role.beneficiaries, &Identity::of_dn(subject.clone())),
        other @ (Match::No | Match::Unknown) => other,
    }
}

pub(super) fn check_eligible(
    role: &Role,
    asker: &Identity,
    subject: &Dn,
    context: &Context<'_>,
) -> Result<(), WorkflowError> {
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

/// In an emergency a reason must be given, whatever the role says, and no ticket can be waited for.
fn check_texts(role: &Role, reason: &str, ticket: Option<&str>, emergency: bool) -> Result<(), WorkflowError> {
    check_text("the reason", reason)?;
    if (role.reason_required || emergency) && reason.trim().is_empty() {
        return Err(WorkflowError::ReasonMissing);
    }
    if let Some(ticket) = ticket {
        check_text("the ticket", ticket)?;
        if ticket.chars().count() > MAX_TICKET {
            return Err(WorkflowError::LongTicket);
        }
    }
    match &role.ticket_pattern {
        Some(_) if emergency && ticket.is_none() => Ok(()),
        Some(pattern) if !ticket.is_some_and(|ticket| pattern.is_match(ticket)) => {
            Err(WorkflowError::BadTicket(pattern.as_str().to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

/// What is narrowed by names takes few of them.
fn check_narrowing(narrowing: &Narrowing) -> Result<(), WorkflowError> {
    let named = narrowing.attributes.as_ref().map_or(0, |names| names.iter().count());
    if named > MAX_NARROWED {
        return Err(WorkflowError::TooManyNames(named));
    }
    match &narrowing.base {
        Some(base) if base.text().len() > MAX_BASE => Err(WorkflowError::LongBase),
        Some(_) | None => Ok(()),
    }
}

/// Text that a person typed: of bearable length, and without what could drive a terminal or
/// forge a line (line ends and tabs aside).
///
/// # Errors
/// It is not.
pub fn check_text(what: &'static str, text: &str) -> Result<(), WorkflowError> {
    let forbidden = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.chars().count() > MAX_TEXT || text.chars().any(forbidden) {
        return Err(WorkflowError::BadText(what));
    }
    Ok(())
}

pub(super) fn check_duration(role: &Role, wanted: Option<Duration>) -> Result<Duration, WorkflowError> {
    match wanted {
        None => Ok(role.default_duration.min(role.max_duration)),
        Some(wanted) if wanted.is_zero() => Err(WorkflowError::NoDuration),
        Some(wanted) if wanted > role.max_duration => Err(WorkflowError::TooLong(format_duration(role.max_duration))),
        Some(wanted) => Ok(wanted),
    }
}

/// Whether a grant may be requested now that begins at `start`.
pub(super) fn check_lead(role: &Role, start: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), WorkflowError> {
    if start > after(now, role.max_lead) {
        return Err(WorkflowError::StartBeyondLead(role.name.to_string(), format_duration(role.max_lead)));
    }
    Ok(())
}

fn check_start(
    role: &Role,
    start: Option<DateTime<Utc>>,
    duration: Duration,
    now: DateTime<Utc>,
) -> Result<(), WorkflowError> {
    let Some(start) = start else { return Ok(()) };
    if start < now {
        return Err(WorkflowError::StartInPast);
    }
    check_lead(role, start, now)?;
    if after(start, duration) == DateTime::<Utc>::MAX_UTC { Err(WorkflowError::StartTooFar) } else { Ok(()) }
}
