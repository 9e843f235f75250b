//! Refusals for want of access, and what people are told: which resource, which roles open it, and the
//! command that asks. The same whether or not the entry exists: nothing here has seen it.

use super::Snapshot;
use super::holding::Holder;
use crate::engine::ldap::ResultCode;
use crate::engine::policy::requirement::{Need, Spot};
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::role::{Allow, Role};
use crate::engine::policy::{OperationKind, OperationSet, Policy, RefusalStyle};
use std::sync::Arc;

/// More names than this are not told.
const MAX_NAMES: usize = 5;

/// The answer to an operation that has no permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the client gets.
    pub code: ResultCode,
    /// What the client is told (already opaque where the policy says so).
    pub message: String,
    /// Why, for the record: a fixed word or two.
    pub reason: &'static str,
    /// The resources that are touched and not held.
    pub missing: Vec<ResourceIndex>,
}

/// Says what is missing for an operation of this kind.
pub(super) fn not_held(
    snapshot: &Snapshot,
    holder: &Holder<'_>,
    kind: OperationKind,
    missing: &[Need<'_>],
    reason: &'static str,
) -> Refusal {
    let message = match snapshot.policy.refusal {
        RefusalStyle::Opaque => "this is protected".to_owned(),
        RefusalStyle::Explain => explain(&snapshot.policy, holder, kind, missing),
    };
    let mut resources: Vec<ResourceIndex> = Vec::with_capacity(missing.len());
    for need in missing {
        if !resources.contains(&need.resource) {
            resources.push(need.resource);
        }
    }
    Refusal { code: ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message, reason, missing: resources }
}

fn explain(policy: &Policy, holder: &Holder<'_>, kind: OperationKind, missing: &[Need<'_>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for need in missing {
        if let Some(resource) = policy.resource(need.resource).filter(|r| !names.contains(&&*r.name)) {
            names.push(&resource.name);
        }
    }
    let mut message = format!("{kind} is protected here by {}.", list(&names));
    // Those that open the most of it first; of these, those that this subject may ask for.
    let opens = |role: &Role| missing.iter().filter(|need| role_opens(policy, role, **need, kind)).count();
    let mut roles: Vec<(usize, bool, &Arc<Role>)> =
        policy.roles.iter().map(|role| (opens(role), holder.is_one_of(&role.eligible), role)).collect();
    roles.retain(|(opened, _, _)| *opened > 0);
    roles.sort_by_key(|(opened, eligible, _)| std::cmp::Reverse((*opened, *eligible)));
    match roles.first() {
        None => message.push_str(" No role opens it."),
        Some((_, _, first)) => {
            let names: Vec<&str> = roles.iter().map(|(_, _, role)| &*role.name).collect();
            message.push_str(&format!(
                " Roles that open it: {}. Ask with: tidegate request {} --reason \"…\"",
                list(&names),
                first.name
            ));
        }
    }
    message
}

fn list(names: &[&str]) -> String {
    let told = names.get(..MAX_NAMES).unwrap_or(names);
    let rest = if told.len() < names.len() { ", …" } else { "" };
    format!("{}{rest}", told.join(", "))
}

/// Whether a grant of `role`, not narrowed, would do for `need`.
pub(super) fn role_opens(policy: &Policy, role: &Role, need: Need<'_>, kind: OperationKind) -> bool {
    let Some(resource) = policy.resource(need.resource) else { return false };
    let fits = |operations: OperationSet| {
        operations.contains(kind) || (need.leaving && operations.contains_all(resource.operations))
    };
    let spans = |allow: &Allow| {
        allow.base.as_ref().is_none_or(|base| {
            resource.base.is_surely_within(base)
                || match need.spot {
                    Spot::Entry(name) | Spot::Tree(name) => name.is_surely_within(base),
                    Spot::Everywhere => false,
                }
        })
    };
    role.allow.iter().any(|allow| allow.resource == need.resource && fits(allow.operations) && spans(allow))
}
