//! Standing access that another policy gives or takes: by whom it is for, for it has no name.

use super::{Difference, covers, join, no_longer_held, operations};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{OperationSet, Policy, Standing};

pub(super) fn compare(old: &Policy, new: &Policy, found: &mut Difference) {
    for (standing, text) in only_in(new, old) {
        found.opens(format!("standing access: {text} permanently ({})", standing.reason));
    }
    for (standing, text) in only_in(old, new) {
        let direction = no_longer_held(standing.resource, old, new);
        found.note(direction, format!("standing access: no longer {text} permanently ({})", standing.reason));
    }
}

/// What one policy's standing access opens and the other's surely does not, in words.
fn only_in<'p>(one: &'p Policy, other: &'p Policy) -> Vec<(&'p Standing, String)> {
    let mut lines = Vec::new();
    for standing in &one.standing {
        let Standing { who, resource, operations: _, reason: _, replicate } = standing;
        let name = one.resource(*resource).map_or("", |resource| &resource.name);
        // Those who lack the same are told of in one line.
        let mut lacking: Vec<(OperationSet, Vec<&Selector>)> = Vec::new();
        for selector in who {
            let lacks = lacks(standing, selector, name, other);
            match lacking.iter_mut().find(|(operations, _)| *operations == lacks) {
                Some((_, selectors)) => selectors.push(selector),
                None => lacking.push((lacks, vec![selector])),
            }
        }
        for (lacks, selectors) in lacking.into_iter().filter(|(lacks, _)| !lacks.is_empty()) {
            let replication = if *replicate { ", replication included" } else { "" };
            let text = format!("{} for {} in {name:?}{replication}", join(selectors), operations(lacks));
            lines.push((standing, text));
        }
    }
    lines
}

/// The operations that the other policy's standing access does not surely open for them.
fn lacks(standing: &Standing, who: &Selector, resource: &str, other: &Policy) -> OperationSet {
    let held = |kind| {
        other.standing.iter().any(|held| {
            other.resource(held.resource).is_some_and(|held| *held.name == *resource)
                && held.operations.contains(kind)
                && (held.replicate || !standing.replicate)
                && held.who.iter().any(|selector| covers(selector, who))
        })
    };
    standing.operations.iter().filter(|kind| !held(*kind)).collect()
}
