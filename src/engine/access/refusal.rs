//! Refusals for want of access, and what people are told: which resource, which roles open it, and the
//! command that asks. The same whether or not the entry exists: nothing here has seen it.

use super::Snapshot;
use super::holding::Holder;
use crate::engine::ldap::ResultCode;
use crate::engine::policy::asking::OnMissing;
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
    /// What is asked for in the place of the operation, where that is configured.
    pub asks: Option<Box<Asks>>,
}

/// A role that is asked for because an operation was done without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asks {
    /// Which.
    pub role: Arc<str>,
    /// Whether the operation waits for it; never [`OnMissing::Refuse`].
    pub then: OnMissing,
    /// Others that would do as well, and come later in the configuration.
    pub also: Vec<Arc<str>>,
    /// The beginning of what the client is told, whatever becomes of it (already opaque where the policy says so).
    pub told: String,
}

impl Asks {
    /// Whether this role is asked for, or could be.
    pub fn would_do(&self, role: &str) -> bool {
        *self.role == *role || self.also.iter().any(|also| **also == *role)
    }
}

/// Says what is missing for an operation of this kind.
pub(super) fn not_held(
    snapshot: &Snapshot,
    holder: &Holder<'_>,
    kind: OperationKind,
    missing: &[Need<'_>],
    reason: &'static str,
) -> Refusal {
    let mut message = protected_by(&snapshot.policy, kind, missing);
    if snapshot.policy.refusal == RefusalStyle::Explain {
        message.push_str(&opened_by(&snapshot.policy, holder, kind, missing));
    }
    let mut resources: Vec<ResourceIndex> = Vec::with_capacity(missing.len());
    for need in missing {
        if !resources.contains(&need.resource) {
            resources.push(need.resource);
        }
    }
    Refusal { code: ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message, reason, missing: resources, asks: None }
}

/// What is missing, as far as the policy says that clients may know.
pub(super) fn protected_by(policy: &Policy, kind: OperationKind, missing: &[Need<'_>]) -> String {
    if policy.refusal == RefusalStyle::Opaque {
        return "this is protected".to_owned();
    }
    let mut names: Vec<&str> = Vec::new();
    for need in missing {
        if let Some(resource) = policy.resource(need.resource).filter(|r| !names.contains(&&*r.name)) {
            names.push(&resource.name);
        }
    }
    format!("{kind} is protected here by {}.", list(&names))
}

fn opened_by(policy: &Policy, holder: &Holder<'_>, kind: OperationKind, missing: &[Need<'_>]) -> String {
    // Those that open the most of it first; of these, those that this subject may ask for.
    let opens = |role: &Role| missing.iter().filter(|need| role_opens(policy, role, **need, kind)).count();
    let mut roles: Vec<(usize, bool, &Arc<Role>)> =
        policy.roles.iter().map(|role| (opens(role), holder.is_one_of(&role.eligible), role)).collect();
    roles.retain(|(opened, _, _)| *opened > 0);
    roles.sort_by_key(|(opened, eligible, _)| std::cmp::Reverse((*opened, *eligible)));
    match roles.first() {
        None => " No role opens it.".to_owned(),
        Some((_, _, first)) => {
            let names: Vec<&str> = roles.iter().map(|(_, _, role)| &*role.name).collect();
            format!(" Roles that open it: {}. Ask with: tidegate request {} --reason \"…\"", list(&names), first.name)
        }
    }
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
