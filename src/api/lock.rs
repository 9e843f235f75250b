//! Locks as they are set and shown.

use super::HistoryView;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/locks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockBody {
    /// Whom (a DN, spelled in any way).
    pub subject: String,
    /// Why; must say something.
    pub reason: String,
    /// Lock the subject although the directory shows no entry of this name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// A lock as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LockView {
    /// Who is locked (DN).
    pub subject: String,
    /// Whether it is in force.
    pub locked: bool,
    /// Why. Typed by a person.
    pub reason: String,
    /// Counts its transitions.
    pub revision: u64,
    /// What else there is to say: that it is in force, and not in the store yet; or that the directory could not be
    /// asked whether there is such a subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Each time it was set and lifted, oldest first.
    pub history: Vec<HistoryView>,
}
