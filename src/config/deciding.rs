//! How a role's requests are decided: `approvers`, `[[role.stage]]`, `[[role.automatic]]`, `break_glass`.

use super::policy::{needed, operations, pattern, plain, selectors};
use super::raw::{Located, Section};
use super::value::{FromText, TimeZone, list_of};
use crate::engine::policy::deciding::{AddressError, AddressRange, Automatic, Stage};
use crate::engine::policy::hours::Hours;
use crate::engine::policy::selector::Selector;
use chrono_tz::Tz;
use std::time::Duration;

/// What a role says about that.
pub(super) struct Deciding {
    pub(super) approvers: Vec<Selector>,
    pub(super) approvals: u32,
    pub(super) stages: Vec<Stage>,
    pub(super) automatic: Vec<Automatic>,
    pub(super) break_glass: Vec<Selector>,
}

/// Reads it; `example` is how approvers would be written.
pub(super) fn deciding(section: &Section<'_>, example: &str) -> Deciding {
    let (approvers, approvals, stages) = if section.has("stage") {
        for key in ["approvers", "approvals"] {
            if let Some(at) = section.forbidden(key) {
                section.problem(at, format!("{key}: the role has stages, each with its own; leave it out"));
            }
        }
        let stages = stages(section, example);
        let mut all: Vec<Selector> = Vec::new();
        for selector in stages.iter().flat_map(|stage| &stage.approvers) {
            if !all.contains(selector) {
                all.push(selector.clone());
            }
        }
        let needed = stages.iter().filter(|stage| !stage.escalation).map(|stage| stage.approvals);
        (all, needed.sum(), stages)
    } else {
        let approvers = plain(needed(section, "approvers", "nobody could approve it", example));
        (approvers, approvals(section), Vec::new())
    };
    let break_glass = selectors(section, "break_glass");
    Deciding { approvers, approvals, stages, automatic: automatic(section), break_glass }
}

fn approvals(section: &Section<'_>) -> u32 {
    u32::try_from(section.number("approvals", 1, 1..=100)).unwrap_or(u32::MAX)
}

fn stages(section: &Section<'_>, example: &str) -> Vec<Stage> {
    let place = section.place();
    let lines = section.sections("stage", |number| format!("{place}: stage {number}"));
    if lines.is_empty() {
        section.problem(section.at(), "stage: none is defined; define at least one under [[role.stage]]");
    }
    let mut stages: Vec<Stage> = Vec::new();
    for line in lines {
        let approvers = plain(needed(&line, "approvers", "nobody could approve it", example));
        let approvals = approvals(&line);
        let after = line.optional::<Duration>("after").map(|found| found.value);
        let escalation = line.optional::<bool>("escalation");
        if let Some(found) = escalation.as_ref().filter(|found| found.value) {
            match stages.last() {
                None => line.problem(found.at, "escalation: there is no stage before it that it could stand in for"),
                Some(before) if before.after.is_none() => {
                    let message = "the stage before has no `after`, so that it never comes to this one";
                    line.problem(found.at, format!("escalation: {message}; give that one after = \"30m\""));
                }
                Some(_) => {}
            }
        }
        line.finish();
        stages.push(Stage { approvers, approvals, after, escalation: escalation.is_some_and(|found| found.value) });
    }
    stages
}

fn automatic(section: &Section<'_>) -> Vec<Automatic> {
    let place = section.place();
    let rules = section.sections("automatic", |number| format!("{place}: automatic {number}"));
    rules.into_iter().map(rule).collect()
}

fn rule(section: Section<'_>) -> Automatic {
    let conditions = ["who", "addresses", "hours", "ticket", "max_duration", "operations"];
    if !conditions.iter().any(|key| section.has(key)) {
        let message = "has no condition, so that every request would be approved; name at least one of";
        section.problem(section.at(), format!("{message}: {}", conditions.join(", ")));
    }
    for key in ["who", "addresses", "hours"] {
        if section.is_empty_list(key) {
            section.problem(section.at(), format!("{key}: it is empty, so that the rule never fits; leave it out"));
        }
    }
    let who = section.list::<Selector>("who").map(values);
    let addresses = section.list::<AddressRange>("addresses").map(values);
    let hours = list_of::<HoursText>(&section, "hours");
    let zone = section.optional::<TimeZone>("time_zone");
    let hours = match (hours, zone) {
        (Some(hours), Some(zone)) => Some((hours.into_iter().flat_map(|hours| hours.value.0).collect(), zone.value.0)),
        (Some(hours), None) if !section.has("time_zone") => {
            let at = hours.first().map_or(section.at(), |first| first.at);
            section.problem(at, "hours: time_zone is missing; write it like time_zone = \"Europe/Berlin\"");
            Some((Vec::new(), Tz::UTC))
        }
        // What is wrong with either was said.
        (Some(_), None) => Some((Vec::new(), Tz::UTC)),
        (None, Some(zone)) => {
            section.problem(zone.at, "time_zone: it says nothing without hours; leave it out or add hours");
            None
        }
        (None, None) => None,
    };
    let ticket = section.optional::<String>("ticket").and_then(|found| pattern(&section, "ticket", &found));
    let max_duration = section.optional::<Duration>("max_duration").map(|found| found.value);
    let operations = operations(&section);
    section.finish();
    Automatic { who, addresses, hours, ticket, max_duration, operations }
}

fn values<T>(list: Located<Vec<Located<T>>>) -> Vec<T> {
    list.value.into_iter().map(|found| found.value).collect()
}

/// One text of `hours`.
struct HoursText(Vec<Hours>);

impl FromText for HoursText {
    const EXAMPLE: &'static str = "\"Mon-Fri 08:00-18:00\"";

    fn from_text(text: &str) -> Result<HoursText, String> {
        Hours::parse_list(text).map(HoursText).map_err(|error| error.to_string())
    }
}

impl FromText for AddressRange {
    const EXAMPLE: &'static str = "\"10.0.0.0/8\"";

    fn from_text(text: &str) -> Result<AddressRange, String> {
        AddressRange::parse(text).map_err(|error| match error {
            AddressError::Form => {
                format!("{text:?} is {error}; write it like {}, or \"local\" for the control socket", Self::EXAMPLE)
            }
            AddressError::Bits => format!("{text:?} is {error}; write where the range begins"),
        })
    }
}
