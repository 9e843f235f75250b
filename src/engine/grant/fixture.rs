//! A small company for tests: a policy, its people and the time.

use super::history::{Actor, Identity};
use crate::engine::Now;
use crate::engine::ldap::Dn;
use crate::engine::policy::groups::{Groups, Membership};
use crate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use crate::engine::policy::role::{Allow, Role, SecondFactor};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{Mode, OperationKind, OperationSet, Policy, RefusalStyle};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

/// A person's DN: `uid=NAME,ou=people,dc=x`.
pub(crate) fn uid(name: &str) -> Dn {
    dn(&format!("uid={name},ou=people,dc=x"))
}

/// A person who acts under their own name.
pub(crate) fn person(name: &str) -> Actor {
    Actor::own(Identity { local_user: Some(name.to_owned()), ..Identity::of_dn(uid(name)) }, "local")
}

/// A person who acts under somebody else's name.
pub(crate) fn person_as(name: &str, acted_as: &str) -> Actor {
    let really = person(name);
    Actor { acts: Identity::of_dn(uid(acted_as)), really: Some(really.acts.clone()), ..really }
}

/// So many seconds into the test, on both clocks.
pub(crate) fn at(seconds: i64) -> Now {
    let start = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap();
    Now {
        wall: start + TimeDelta::seconds(seconds),
        monotonic: Duration::from_secs(1_000_000u64.saturating_add_signed(seconds)),
    }
}

pub(crate) fn resource(name: &str, base: &str, scope: ResourceScope) -> Resource {
    Resource {
        name: name.into(),
        base: dn(base),
        scope,
        operations: OperationSet::all(),
        attributes: None,
        on_missing: None,
    }
}

pub(crate) fn allow(resource: u32, operations: &[OperationKind], base: Option<&str>) -> Allow {
    Allow {
        resource: ResourceIndex(resource),
        operations: operations.iter().copied().collect(),
        base: base.map(dn),
        attributes: None,
    }
}

pub(crate) fn selectors(texts: &[&str]) -> Vec<Selector> {
    texts.iter().map(|text| Selector::parse(text).unwrap()).collect()
}

/// `payroll` (0), `people` (1, directly below), `writes` (2, everywhere).
pub(crate) fn resources() -> Vec<Resource> {
    vec![
        resource("payroll", "ou=payroll,dc=x", ResourceScope::Subtree),
        resource("people", "ou=people,dc=x", ResourceScope::One),
        resource("writes", "dc=x", ResourceScope::Subtree),
    ]
}

/// The role `editor`: one approval by a lead, four hours at most.
pub(crate) fn editor() -> Role {
    use OperationKind::{Compare, Modify, Search};
    Role {
        name: "editor".into(),
        description: "Correct payroll records".to_owned(),
        allow: vec![
            allow(0, &[Search, Compare, Modify], None),
            allow(2, &[Modify], Some("ou=payroll,dc=x")),
            allow(1, &[Search], None),
        ],
        eligible: selectors(&["group:cn=hr,dc=x", "local:olga"]),
        approvers: selectors(&["group:cn=leads,dc=x"]),
        beneficiaries: selectors(&["dn:cn=sync,dc=x"]),
        approvals: 1,
        stages: Vec::new(),
        automatic: Vec::new(),
        break_glass: Vec::new(),
        max_duration: 4 * HOUR,
        default_duration: HOUR,
        request_ttl: 8 * HOUR,
        max_lead: Duration::from_secs(14 * 24 * 3_600),
        reason_required: true,
        ticket_pattern: None,
        second_factor: SecondFactor::default(),
        replicate: false,
        on_missing: None,
    }
}

/// The role `vault`: two approvals by anyone at all.
pub(crate) fn vault() -> Role {
    Role {
        name: "vault".into(),
        approvals: 2,
        eligible: selectors(&["anyone"]),
        approvers: selectors(&["anyone"]),
        beneficiaries: Vec::new(),
        ..editor()
    }
}

pub(crate) fn policy_of(resources: Vec<Resource>, roles: Vec<Role>) -> Policy {
    let roles = roles.into_iter().map(Arc::new).collect();
    Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, Vec::new(), roles)
}

pub(crate) fn policy() -> Policy {
    policy_of(resources(), vec![editor(), vault()])
}

/// `hr`: anna, bert, lena. `leads`: lena, lars. As the directory said at `read`.
pub(crate) fn groups(read: Now) -> Groups {
    let group =
        |names: &[&str]| Membership { members: names.iter().map(|name| uid(name)).collect(), read_at: read.monotonic };
    Groups::of_listed(HashMap::from([
        (dn("cn=hr,dc=x"), group(&["anna", "bert", "lena"])),
        (dn("cn=leads,dc=x"), group(&["lena", "lars"])),
    ]))
}
