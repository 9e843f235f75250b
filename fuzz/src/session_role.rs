//! A role that one subject asks for by doing.

use std::time::Duration;
use tidegate::engine::ldap::Dn;
use tidegate::engine::policy::OperationSet;
use tidegate::engine::policy::asking::OnMissing;
use tidegate::engine::policy::resource::ResourceIndex;
use tidegate::engine::policy::role::{Allow, Role, SecondFactor};
use tidegate::engine::policy::selector::Selector;

/// Opens the first resource; operations wait for it for six seconds.
pub(super) fn held(subject: Dn) -> Role {
    let allow = Allow { resource: ResourceIndex(0), operations: OperationSet::all(), base: None, attributes: None };
    let hour = Duration::from_secs(3_600);
    Role {
        name: "role".into(),
        description: String::new(),
        allow: vec![allow],
        eligible: vec![Selector::Dn(subject)],
        approvers: Vec::new(),
        beneficiaries: Vec::new(),
        approvals: 1,
        stages: Vec::new(),
        automatic: Vec::new(),
        break_glass: Vec::new(),
        max_duration: hour,
        default_duration: hour,
        request_ttl: hour,
        max_lead: hour,
        reason_required: false,
        ticket_pattern: None,
        second_factor: SecondFactor::default(),
        replicate: false,
        on_missing: Some(OnMissing::Hold(Duration::from_secs(6))),
    }
}
