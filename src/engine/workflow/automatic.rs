//! Rules by which a request is approved without asking anybody. All conditions of a rule must hold; what
//! is not known holds nothing. No rule fits: people decide. A rule never refuses anything.

use super::authority::Context;
use super::request::Request;
use crate::engine::grant::history::Actor;
use crate::engine::policy::deciding::{Automatic, Origin};
use crate::engine::policy::role::Role;

/// The first rule of the role that approves this request, counted from 1.
pub fn rule_for(role: &Role, request: &Request, actor: &Actor, context: &Context<'_>) -> Option<u32> {
    let position = role.automatic.iter().position(|rule| fits(rule, request, actor, context))?;
    u32::try_from(position + 1).ok()
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
