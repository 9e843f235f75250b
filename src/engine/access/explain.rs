//! What would happen to an operation now, and why: the decision with its grounds spelled out.

use super::holding::{Held, Holder};
use super::refusal::role_opens;
use super::resolved::Resolved;
use super::{Asked, Decision, Snapshot, decide};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::{Request, SearchScope};
use crate::engine::policy::OperationKind;
use crate::engine::policy::requirement::{Need, Requirement, Spot, Touches};
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::policy::role::Role;
use std::sync::Arc;

/// A decision and its grounds.
#[derive(Debug)]
pub struct Explanation {
    /// What would happen.
    pub decision: Decision,
    /// The resources that the operation touches or, if it is a search, reaches.
    pub touched: Vec<Touched>,
}

/// One resource that an operation touches.
#[derive(Debug, Clone)]
pub struct Touched {
    /// Which.
    pub resource: ResourceIndex,
    /// What it is held by, as far as the operation needs it.
    pub held: Option<HeldBy>,
    /// The roles whose grant, not narrowed, would do, and that the subject may request.
    pub roles: Vec<Arc<Role>>,
    /// Those that the subject may only activate in an emergency.
    pub emergency: Vec<Arc<Role>>,
}

/// What a resource is held by.
#[derive(Debug, Clone)]
pub enum HeldBy {
    /// Standing access, with the reason that was configured.
    Standing(String),
    /// An active grant.
    Grant(Arc<ActiveGrant>),
}

/// Decides, and says why.
pub fn explain(snapshot: &Snapshot, asked: &Asked<'_>) -> Explanation {
    let resolved = Resolved::of(snapshot, asked);
    let asked = &resolved.asked(asked);
    let mut touched: Vec<Touched> = Vec::new();
    let requirement = Requirement::of(asked.request, asked.controls, asked.subject);
    if let Some(requirement) = requirement.map(|requirement| requirement.resolved(snapshot.policy.naming())) {
        let holder = Holder::of(snapshot, asked);
        let mut add = |need: Need<'_>| touched.push(look(snapshot, &holder, need, requirement.kind));
        requirement.needs(&snapshot.policy, &mut add);
        if let Touches::Reach { base, scope, .. } = &requirement.touches {
            for need in reached(snapshot, base, *scope) {
                add(need);
            }
        }
    }
    let decision = decide(snapshot, asked);
    if let (Decision::Permitted(permit), Request::Search(search)) = (&decision, asked.request) {
        // Of those that protect attributes, the ones that are asked for, or asserted: only the decision knows.
        let holder = Holder::of(snapshot, asked);
        for resource in permit.resources() {
            let need = Need { resource: *resource, spot: Spot::Tree(&search.base), attributes: None, leaving: false };
            touched.push(look(snapshot, &holder, need, OperationKind::Search));
        }
    }
    let mut seen = Vec::new();
    touched.retain(|touched| {
        let first = !seen.contains(&touched.resource);
        seen.push(touched.resource);
        first
    });
    Explanation { decision, touched }
}

fn reached<'a>(snapshot: &Snapshot, base: &'a Dn, scope: SearchScope) -> impl Iterator<Item = Need<'a>> {
    let reached = snapshot.policy.reached(base, scope, Some(OperationKind::Search));
    reached.map(move |resource| Need { resource, spot: Spot::Tree(base), attributes: None, leaving: false })
}

fn look(snapshot: &Snapshot, holder: &Holder<'_>, need: Need<'_>, kind: OperationKind) -> Touched {
    // Where several are needed, the first stands for them.
    let held = holder.hold(need, kind).and_then(|held| held.into_iter().next()).map(|held| match held {
        Held::Standing(standing) => HeldBy::Standing(standing.reason.to_string()),
        Held::Grant(grant, _) => HeldBy::Grant(Arc::clone(grant)),
    });
    let policy = &snapshot.policy;
    let opening = policy.roles_for(need.resource).map(|(_, role)| role);
    let (mut roles, mut emergency) = (Vec::new(), Vec::new());
    for role in opening.filter(|role| role_opens(policy, role, need, kind)) {
        if holder.is_one_of(&role.eligible) {
            roles.push(Arc::clone(role));
        } else if holder.is_one_of(&role.break_glass) {
            emergency.push(Arc::clone(role));
        }
    }
    Touched { resource: need.resource, held, roles, emergency }
}
