//! Rules by which a request is approved without asking anybody. All conditions of a rule must hold; what
//! is not known holds nothing. No rule fits: people decide. A rule never refuses anything.
//!
//! A rule approves what is needed soon, and once: nothing that begins later than a request may wait; one grant at most that has
//! not begun, for one subject and for one requester; and nothing that continues another grant that a rule approved. Whoever
//! needs more asks people.

use super::WorkflowError;
use super::authority::{Context, Match, may_be_same};
use super::request::Request;
use crate::engine::grant::basis::Basis;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::{Grant, GrantState, after};
use crate::engine::policy::deciding::{Automatic, Origin};
use crate::engine::policy::role::Role;
use chrono::{DateTime, Utc};

/// The first rule of the role that approves this request, counted from 1. `grants`: those that have not ended, whoever holds
/// them.
pub fn rule_for(role: &Role, request: &Request, actor: &Actor, grants: &[Grant], context: &Context<'_>) -> Option<u32> {
    if !is_soon_and_once(role, request, grants, context) {
        return None;
    }
    let position = role.automatic.iter().position(|rule| fits(rule, request, actor, context))?;
    u32::try_from(position + 1).ok()
}

/// Whether what is asked for begins while a request could still wait, and neither adds to a booking nor continues what a rule
/// approved.
fn is_soon_and_once(role: &Role, request: &Request, grants: &[Grant], context: &Context<'_>) -> bool {
    let (now, naming) = (context.now.wall, context.policy.naming());
    let is_booked = request.start.is_some_and(|start| start > now);
    let begins = request.start.unwrap_or(now).max(now);
    let ends = after(begins, request.duration);
    if begins > after(now, role.request_ttl) {
        return false;
    }
    let subject = request.subject.resolved(naming);
    let mut earlier =
        grants.iter().filter(|grant| grant.role == request.role && matches!(grant.basis, Basis::Automatic(_)));
    earlier.all(|grant| {
        // One person under two names that some directory takes for one is one.
        let is_theirs = grant.subject.resolved(naming).may_be(&subject);
        match grant.state_at(now) {
            GrantState::Scheduled if is_booked => {
                !is_theirs && !may_be_same(&grant.requested_by, &request.requested_by, naming)
            }
            GrantState::Scheduled | GrantState::Active => !is_theirs || is_apart(grant, begins, ends),
            GrantState::Expired | GrantState::Released | GrantState::Revoked => true,
        }
    })
}

/// Whether a grant from `begins` to `ends` lengthens nothing: it lies within the other, or as much time is between them as the
/// other lasts.
fn is_apart(other: &Grant, begins: DateTime<Utc>, ends: DateTime<Utc>) -> bool {
    let lasts = other.until.signed_duration_since(other.from).max(chrono::TimeDelta::zero());
    let is_within = begins >= other.from && ends <= other.until;
    let is_behind = begins.signed_duration_since(other.until) >= lasts;
    let is_before = other.from.signed_duration_since(ends) >= lasts;
    is_within || is_behind || is_before
}

/// Whether the rule that approved a grant, which is to begin now, is still there and still means its requester and what it
/// opens. What a rule says of addresses and tickets was true when it was asked, and cannot be asked again.
///
/// # Errors
/// It is not.
pub fn still_approves(grant: &Grant, role: &Role, context: &Context<'_>) -> Result<Match, WorkflowError> {
    let Basis::Automatic(number) = grant.basis else { return Ok(Match::Yes) };
    let gone = || WorkflowError::RuleGone(number, grant.role.clone());
    let position = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let rule = position.and_then(|position| role.automatic.get(position)).ok_or_else(gone)?;
    let lasts = grant.until.signed_duration_since(grant.from).to_std().unwrap_or_default();
    let mut opened = grant.scope.0.iter().flat_map(|entry| &entry.operations);
    let is_short = rule.max_duration.is_none_or(|most| lasts <= most);
    let is_narrow = rule.operations.is_none_or(|allowed| opened.all(|kind| allowed.contains(*kind)));
    let is_in_time =
        rule.hours.as_ref().is_none_or(|(hours, zone)| hours.iter().any(|hours| hours.contain(grant.from, zone)));
    if !is_short || !is_narrow || !is_in_time {
        return Err(gone());
    }
    match rule.who.as_ref().map_or(Match::Yes, |who| context.matches(who, &grant.requested_by)) {
        Match::No => Err(gone()),
        known @ (Match::Yes | Match::Unknown) => Ok(known),
    }
}

fn fits(rule: &Automatic, request: &Request, actor: &Actor, context: &Context<'_>) -> bool {
    let Automatic { who, addresses, hours, ticket, max_duration, operations } = rule;
    let origin = Origin::of(&actor.from);
    // Asked for now and from now on, or later: the hours must be right both times.
    let moments = [Some(context.now.wall), request.start];
    let mut asked = request.scope.0.iter().flat_map(|entry| &entry.operations);
    who.as_ref().is_none_or(|who| context.is(who, &actor.acts))
        && addresses.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(origin)))
        && hours.as_ref().is_none_or(|(hours, zone)| {
            let within = |moment| hours.iter().any(|hours| hours.contain(moment, zone));
            moments.into_iter().flatten().all(within)
        })
        && ticket.as_ref().is_none_or(|pattern| request.ticket.as_ref().is_some_and(|ticket| pattern.is_match(ticket)))
        && max_duration.is_none_or(|most| request.duration <= most)
        && operations.is_none_or(|allowed| asked.all(|kind| allowed.contains(*kind)))
}
