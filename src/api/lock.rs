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
    /// What else there is to say: that it is in force, and not in the store yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Each time it was set and lifted, oldest first.
    pub history: Vec<HistoryView>,
}
