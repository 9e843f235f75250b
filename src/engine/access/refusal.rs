//! Refusals for want of access, and what people are told: which resource, which roles open it that they may request, and
//! the command that asks. The same whether or not the entry exists: nothing here has seen it.

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

/// What clients are told where the policy has them know no names.
const OPAQUE: &str = "this is protected";

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
    let policy = &*snapshot.policy;
    let message = match policy.refusal {
        RefusalStyle::Opaque => OPAQUE.to_owned(),
        // Whoever is only about to bind may be anybody.
        RefusalStyle::Explain if kind == OperationKind::Bind || holder.name().is_none() => {
            format!("{kind} is protected here.")
        }
        RefusalStyle::Explain => Advice::of(policy, holder, kind, missing).message(policy, kind, missing),
    };
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
        return OPAQUE.to_owned();
    }
    let mut names: Vec<&str> = Vec::new();
    for need in missing {
        if let Some(resource) = policy.resource(need.resource).filter(|r| !names.contains(&&*r.name)) {
            names.push(&resource.name);
        }
    }
    format!("{kind} is protected here by {}.", list(&names))
}

/// The roles that would help somebody: only those that they may have. To everybody else, names say what is hidden.
struct Advice<'a> {
    /// That they may request: those that open the most of what is missing first.
    requestable: Vec<&'a Arc<Role>>,
    /// That they may only activate in an emergency.
    emergency: Vec<&'a Arc<Role>>,
    /// Whether there may be more: the directory does not say in which groups they are.
    unknown: bool,
}

impl<'a> Advice<'a> {
    fn of(policy: &'a Policy, holder: &Holder<'_>, kind: OperationKind, missing: &[Need<'_>]) -> Advice<'a> {
        let mut advice = Advice { requestable: Vec::new(), emergency: Vec::new(), unknown: false };
        let mut touching: Vec<(usize, &Arc<Role>)> =
            missing.iter().flat_map(|need| policy.roles_for(need.resource)).collect();
        touching.sort_unstable_by_key(|(at, _)| *at);
        touching.dedup_by_key(|(at, _)| *at);
        let opens = |role: &Role| missing.iter().filter(|need| role_opens(policy, role, **need, kind)).count();
        let mut opening: Vec<(usize, &Arc<Role>)> =
            touching.into_iter().map(|(_, role)| (opens(role), role)).filter(|(opened, _)| *opened > 0).collect();
        opening.sort_by_key(|(opened, _)| std::cmp::Reverse(*opened));
        for (_, role) in opening {
            if holder.is_one_of(&role.eligible) {
                advice.requestable.push(role);
            } else if holder.is_one_of(&role.break_glass) {
                advice.emergency.push(role);
            } else {
                let lists = [&role.eligible, &role.break_glass];
                advice.unknown |= lists.into_iter().any(|list| holder.may_be_one_of(list));
            }
            if advice.requestable.len() > MAX_NAMES {
                break;
            }
        }
        advice
    }

    fn message(&self, policy: &Policy, kind: OperationKind, missing: &[Need<'_>]) -> String {
        let names = |roles: &[&Arc<Role>]| list(&roles.iter().map(|role| &*role.name).collect::<Vec<_>>());
        let protected = || protected_by(policy, kind, missing);
        match (self.requestable.first(), self.emergency.first()) {
            (Some(first), _) => format!(
                "{} Roles that open it: {}. Ask with: tidegate request {} --reason \"…\"",
                protected(),
                names(&self.requestable),
                first.name
            ),
            (None, Some(first)) => format!(
                "{} Only in an emergency: {}. Ask with: tidegate request {} --break-glass --reason \"…\"",
                protected(),
                names(&self.emergency),
                first.name
            ),
            (None, None) if self.unknown => format!(
                "{kind} is protected here. Which roles you may request is not known now: the directory does not say in \
                 which groups you are."
            ),
            (None, None) => format!("{kind} is protected here. You may request no role that opens it."),
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
