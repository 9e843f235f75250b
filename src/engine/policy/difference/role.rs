//! What is different about a role: what it opens, who may ask, who decides, for how long.

use super::{Difference, join, listed, no_longer_held, not_covered, operations, way};
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::asking::OnMissing;
use crate::engine::policy::deciding::{AddressRange, Automatic, Stage};
use crate::engine::policy::role::{Allow, Role, SecondFactor};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{OperationSet, Policy};
use crate::engine::time::format_duration;
use std::sync::Arc;

pub(super) fn compare_all(old: &Policy, new: &Policy, roles: &[Arc<Role>], found: &mut Difference) {
    for before in roles {
        match new.role(&before.name) {
            Some(after) => compare((old, before), (new, after), found),
            None => found.closes(format!("role {:?} is gone: nobody can request it", before.name)),
        }
    }
    for after in new.roles.iter().filter(|after| old.role(&after.name).is_none()) {
        found.opens(format!("role {:?} is new: {}", after.name, summary(after, new)));
    }
}

/// A whole role in a line.
fn summary(role: &Role, policy: &Policy) -> String {
    let opens: Vec<String> = role.allow.iter().map(|allow| opened(allow, allow.operations, policy)).collect();
    let mut text = format!("{} for up to {}", opens.join("; "), format_duration(role.max_duration));
    text +=
        &format!("; eligible: {}; approvals: {} of {}", join(&role.eligible), role.approvals, join(&role.approvers));
    for rule in &role.automatic {
        text += &format!("; approved without asking anybody: {}", conditions(rule));
    }
    if !role.break_glass.is_empty() {
        text += &format!("; break_glass: {}", join(&role.break_glass));
    }
    text
}

fn compare((old, before): (&Policy, &Role), (new, after): (&Policy, &Role), found: &mut Difference) {
    let Role {
        name,
        // For people.
        description: _,
        allow: _,
        eligible,
        // Of each stage.
        approvers: _,
        beneficiaries,
        approvals: _,
        stages: _,
        automatic,
        break_glass,
        max_duration,
        default_duration,
        request_ttl,
        max_lead,
        reason_required,
        ticket_pattern,
        second_factor,
        replicate,
        on_missing,
    } = before;
    let role = format!("role {name:?}");
    compare_allow((old, before), (new, after), &role, found);
    for (key, list, now) in [
        ("eligible", eligible, &after.eligible),
        ("beneficiaries", beneficiaries, &after.beneficiaries),
        ("break_glass", break_glass, &after.break_glass),
    ] {
        found.people(&format!("{role}: {key}"), list, now);
    }
    compare_deciding(before, after, &role, found);
    compare_automatic(automatic, &after.automatic, &role, found);
    for (key, was, is) in [
        ("max_duration", max_duration, &after.max_duration),
        ("default_duration", default_duration, &after.default_duration),
        ("request_ttl", request_ttl, &after.request_ttl),
        ("max_lead", max_lead, &after.max_lead),
    ] {
        found.amount(was, is, || format!("{role}: {key} is {}, was {}", format_duration(*is), format_duration(*was)));
    }
    found.amount(&!reason_required, &!after.reason_required, || match after.reason_required {
        true => format!("{role}: a reason must be given"),
        false => format!("{role}: no reason need be given"),
    });
    match (ticket_pattern, &after.ticket_pattern) {
        (None, None) => {}
        (Some(_), None) => found.opens(format!("{role}: no ticket is asked for")),
        (None, Some(pattern)) => {
            found.closes(format!("{role}: a ticket that matches {:?} is asked for", pattern.as_str()))
        }
        (Some(was), Some(is)) if was.as_str() == is.as_str() => {}
        (Some(was), Some(is)) => {
            found.changes(format!("{role}: ticket_pattern is {:?}, was {:?}", is.as_str(), was.as_str()));
        }
    }
    let SecondFactor { requester, approver } = *second_factor;
    for (who, was, is) in
        [("requester", requester, after.second_factor.requester), ("approver", approver, after.second_factor.approver)]
    {
        found.amount(&!was, &!is, || match is {
            true => format!("{role}: a second factor of the {who} is demanded"),
            false => format!("{role}: no second factor of the {who} is demanded"),
        });
    }
    found.amount(replicate, &after.replicate, || match after.replicate {
        true => format!("{role}: what it opens may be replicated"),
        false => format!("{role}: what it opens may not be replicated"),
    });
    compare_asking(*on_missing, after.on_missing, &role, found);
}

/// Who asks by doing is asked for no reason; where a rule approves, it opens.
fn compare_asking(was: Option<OnMissing>, is: Option<OnMissing>, role: &str, found: &mut Difference) {
    let text = || format!("{role}: on_missing is {}, was {}", way(is), way(was));
    match (was, is) {
        (None, None) => {}
        (Some(was), Some(is)) => found.amount(&was, &is, text),
        (Some(_), None) | (None, Some(_)) => found.changes(text()),
    }
}

fn compare_allow((old, before): (&Policy, &Role), (new, after): (&Policy, &Role), role: &str, found: &mut Difference) {
    let schema = old.schema();
    for allow in &after.allow {
        let lacks = lacks((new, allow), (old, &before.allow), schema);
        if !lacks.is_empty() {
            found.opens(format!("{role} opens {}", opened(allow, lacks, new)));
        }
    }
    for allow in &before.allow {
        let lacks = lacks((old, allow), (new, &after.allow), schema);
        if !lacks.is_empty() {
            let direction = no_longer_held(allow.resource, old, new);
            found.note(direction, format!("{role} no longer opens {}", opened(allow, lacks, old)));
        }
    }
}

/// The operations of a line that no line of the others surely opens in all of the same.
fn lacks((policy, allow): (&Policy, &Allow), (other, lines): (&Policy, &[Allow]), schema: &Schema) -> OperationSet {
    let Allow { resource, operations, base, attributes } = allow;
    let Some(resource) = policy.resource(*resource) else { return *operations };
    let opens = |line: &Allow| {
        let same = other.resource(line.resource).is_some_and(|other| other.name == resource.name);
        let base = line.base.as_ref().is_none_or(|wide| base.as_ref().unwrap_or(&resource.base).is_surely_within(wide));
        let attributes = line.attributes.as_ref().is_none_or(|wide| {
            let narrow = attributes.as_ref().or(resource.attributes.as_ref());
            narrow.is_some_and(|narrow| narrow.is_within(wide, schema))
        });
        same && base && attributes
    };
    let open = |kind| lines.iter().any(|line| line.operations.contains(kind) && opens(line));
    operations.iter().filter(|kind| !open(*kind)).collect()
}

/// What a line opens, in words.
fn opened(allow: &Allow, operations: OperationSet, policy: &Policy) -> String {
    let name = policy.resource(allow.resource).map_or("", |resource| &resource.name);
    let mut text = format!("{} in {name:?}", self::operations(operations));
    if let Some(base) = &allow.base {
        text += &format!(" at and below {base}");
    }
    if let Some(names) = &allow.attributes {
        text += &format!(", only {}", listed(names));
    }
    text
}

fn compare_deciding(before: &Role, after: &Role, role: &str, found: &mut Difference) {
    let (old, new) = (before.plan(), after.plan());
    if old.len() != new.len() {
        let text = format!("{role} is decided on in {}, was in {}", stages(&new), stages(&old));
        // With fewer approvals it is surely easier to have; with more it may be, if it is other people.
        if after.approvals < before.approvals {
            found.opens(text)
        } else {
            found.changes(text)
        }
        return;
    }
    for (position, (before, after)) in old.iter().zip(new.iter()).enumerate() {
        let place = match old.len() {
            1 => role.to_owned(),
            _ => format!("{role}: stage {}", position + 1),
        };
        let Stage { approvers, approvals, after: time, escalation } = before;
        found.people(&format!("{place}: approvers"), approvers, &after.approvers);
        found.amount(&after.approvals, approvals, || {
            format!("{place}: it takes {} approvals, took {approvals}", after.approvals)
        });
        if *time != after.after {
            let shown = |time: &Option<_>| time.map_or("no end".to_owned(), format_duration);
            found.changes(format!("{place}: after is {}, was {}", shown(&after.after), shown(time)));
        }
        if *escalation != after.escalation {
            let text = if after.escalation { "decides in place of" } else { "decides after" };
            found.changes(format!("{place}: it {text} the one before"));
        }
    }
}

fn stages(plan: &[Stage]) -> String {
    let stage = |stage: &Stage| format!("{} of {}", stage.approvals, join(&stage.approvers));
    let all: Vec<String> = plan.iter().map(stage).collect();
    format!(
        "{} ({})",
        if all.len() == 1 { "1 stage".to_owned() } else { format!("{} stages", all.len()) },
        all.join("; ")
    )
}

/// Which rule fits first does not matter: one that fits approves.
fn compare_automatic(old: &[Automatic], new: &[Automatic], role: &str, found: &mut Difference) {
    for rule in new.iter().filter(|rule| !old.iter().any(|other| fits_wherever(other, rule))) {
        found.opens(format!("{role} is approved without asking anybody: {}", conditions(rule)));
    }
    for rule in old.iter().filter(|rule| !new.iter().any(|other| fits_wherever(other, rule))) {
        found.closes(format!("{role} is no longer approved without asking anybody: {}", conditions(rule)));
    }
}

/// Whether `one` surely fits wherever `other` does.
fn fits_wherever(one: &Automatic, other: &Automatic) -> bool {
    let Automatic { who, addresses, hours, ticket, max_duration, operations } = one;
    let within = |range: &AddressRange, ranges: &[AddressRange]| ranges.iter().any(|wide| range.is_within(wide));
    condition(who, &other.who, |wide: &Vec<Selector>, narrow| not_covered(narrow, wide).is_empty())
        && condition(addresses, &other.addresses, |wide: &Vec<AddressRange>, narrow| {
            narrow.iter().all(|range| within(range, wide))
        })
        && condition(hours, &other.hours, |wide, narrow| wide == narrow)
        && condition(ticket, &other.ticket, |wide, narrow| wide.as_str() == narrow.as_str())
        && condition(max_duration, &other.max_duration, |wide, narrow| narrow <= wide)
        && condition(operations, &other.operations, |wide, narrow| wide.contains_all(*narrow))
}

/// No condition is the widest.
fn condition<T>(wide: &Option<T>, narrow: &Option<T>, holds: impl FnOnce(&T, &T) -> bool) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => holds(wide, narrow),
    }
}

/// The conditions of a rule, in words.
fn conditions(rule: &Automatic) -> String {
    let Automatic { who, addresses, hours, ticket, max_duration, operations } = rule;
    let list = |shown: Vec<String>| shown.join(", ");
    let all = [
        who.as_ref().map(|who| format!("for {}", join(who))),
        addresses.as_ref().map(|ranges| format!("from {}", list(ranges.iter().map(ToString::to_string).collect()))),
        hours.as_ref().map(|(hours, zone)| format!("{} {zone}", list(hours.iter().map(ToString::to_string).collect()))),
        ticket.as_ref().map(|pattern| format!("with a ticket that matches {:?}", pattern.as_str())),
        max_duration.as_ref().map(|longest| format!("for up to {}", format_duration(*longest))),
        operations.as_ref().map(|operations| format!("for {}", self::operations(*operations))),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_with_fewer_conditions_fits_wherever_one_with_more_does() {
        let none =
            Automatic { who: None, addresses: None, hours: None, ticket: None, max_duration: None, operations: None };
        let some = Automatic { who: Some(vec![Selector::Anyone]), ..none.clone() };
        assert!(fits_wherever(&none, &some) && !fits_wherever(&some, &none));
        let ranges = |text: &[&str]| text.iter().map(|text| AddressRange::parse(text).unwrap()).collect::<Vec<_>>();
        let from = |text: &[&str]| Automatic { addresses: Some(ranges(text)), ..none.clone() };
        for (wide, narrow, expected) in [
            (&["10.0.0.0/8"][..], &["10.1.0.0/16"][..], true),
            (&["10.0.0.0/8", "local"], &["local"], true),
            (&["10.0.0.0/8"], &["10.0.0.0/7"], false),
            (&["0.0.0.0/0"], &["::1"], false),
            (&["0.0.0.0/0"], &["local"], false),
            (&["local"], &["127.0.0.1"], false),
        ] {
            assert_eq!(fits_wherever(&from(wide), &from(narrow)), expected, "{wide:?} {narrow:?}");
        }
    }
}
