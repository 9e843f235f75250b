//! Roles as those who may request them see them.

use super::{DurationText, ScopeView};
use serde::{Deserialize, Serialize};

/// A role that the caller may request, with its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RoleView {
    /// Its name.
    pub name: String,
    /// The groups (DNs) that decide whether the caller may request it, where the directory has not said who is in them.
    /// Empty: the caller may request it. Otherwise it cannot be told, and the other members say nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_groups: Vec<String>,
    /// For people.
    pub description: String,
    /// What it opens, at the widest.
    pub scope: Vec<ScopeView>,
    /// Who decides (selectors).
    pub approvers: Vec<String>,
    /// How many different approvers it takes.
    pub approvals: u32,
    /// Its stages, where it has several; empty: the approvers decide together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageView>,
    /// Whether the caller may activate it at once, without review.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Whether that is all that the caller may do with it: they may not request it in the ordinary way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass_only: bool,
    /// For whom, other than oneself, one may ask (selectors).
    pub beneficiaries: Vec<String>,
    /// The longest grant.
    pub max_duration: DurationText,
    /// How long a grant is when the request does not say.
    pub default_duration: DurationText,
    /// How long a request may wait for its reviews.
    pub request_ttl: DurationText,
    /// How far ahead a grant may begin.
    pub max_lead: DurationText,
    /// Whether whoever asks must show a second factor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// Whether a request must give a reason.
    pub reason_required: bool,
    /// What a ticket must look like; absent: none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_pattern: Option<String>,
}

/// One group of approvers of several that decide one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StageView {
    /// Who decides in it (selectors).
    pub approvers: Vec<String>,
    /// How many different approvers it takes.
    pub approvals: u32,
    /// How long it has until the request goes on, or, from the last one, lapses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationText>,
    /// Whether it decides only in place of the one before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalation: bool,
}
