//! `on_missing` and `hold_for` of roles and resources, and how many operations may wait.

use super::raw::Section;
use super::value::{FromText, one_of};
use crate::engine::policy::asking::{HeldBounds, OnMissing};
use crate::engine::time::format_duration;
use std::time::Duration;

/// How long an operation waits when nothing is said.
const HOLD_FOR: Duration = Duration::from_secs(60);
/// No client waits for longer: it would find a request that was approved and an operation that it gave up.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Refuse,
    Request,
    Hold,
}

impl FromText for Written {
    const EXAMPLE: &'static str = "\"hold\"";

    fn from_text(text: &str) -> Result<Written, String> {
        let known = [("refuse", Written::Refuse), ("request", Written::Request), ("hold", Written::Hold)];
        one_of(text, "way", &known)
    }
}

/// What becomes of an operation for which this is missing; `None`: nothing is said. `asks_for_more`: what a request
/// has to say that an operation does not.
pub(super) fn on_missing(section: &Section<'_>, asks_for_more: &[(&str, bool)]) -> Option<OnMissing> {
    let written = section.optional::<Written>("on_missing");
    let length = section.optional::<Duration>("hold_for");
    let holds = written.as_ref().is_some_and(|found| found.value == Written::Hold);
    if let Some(found) = &length {
        if !holds {
            section.problem(found.at, "hold_for: nothing is held; write on_missing = \"hold\" too, or leave it out");
        } else if found.value < Duration::from_secs(1) || found.value > LONGEST {
            let [is, most] = [found.value, LONGEST].map(format_duration);
            section.problem(found.at, format!("hold_for: {is} is out of bounds; use 1s to {most}"));
        }
    }
    let written = written?;
    if written.value != Written::Refuse {
        for (what, _) in asks_for_more.iter().filter(|(_, demanded)| *demanded) {
            let message = format!("an operation says nothing of {what}; leave one of the two out");
            section.problem(written.at, format!("on_missing: the role cannot be asked for by doing: {message}"));
        }
    }
    Some(match written.value {
        Written::Refuse => OnMissing::Refuse,
        Written::Request => OnMissing::Request,
        Written::Hold => OnMissing::Hold(length.map_or(HOLD_FOR, |found| found.value)),
    })
}

/// `max_held_per_session` and `max_held` of `[policy]`.
pub(super) fn bounds(section: &Section<'_>) -> HeldBounds {
    let usual = HeldBounds::default();
    let number = |key, usual: usize, most| {
        let found = section.number(key, u64::try_from(usual).unwrap_or(u64::MAX), 1..=most);
        usize::try_from(found).unwrap_or(usize::MAX)
    };
    HeldBounds {
        per_session: number("max_held_per_session", usual.per_session, 64),
        in_all: number("max_held", usual.in_all, 65_536),
    }
}
