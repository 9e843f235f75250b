//! Grants as they are shown and ended.

use super::{GrantState, HistoryView, ScopeView};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A grant as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// `grant-…`.
    pub id: String,
    /// The request it came from.
    pub request: String,
    /// Whose it is (DN).
    pub subject: String,
    /// Who asked for it (DN).
    pub requested_by: String,
    /// Which role.
    pub role: String,
    /// Where it stands, by the clock of this answer.
    pub state: GrantState,
    /// Counts its transitions.
    pub revision: u64,
    /// First instant.
    pub from: DateTime<Utc>,
    /// First instant after it.
    pub until: DateTime<Utc>,
    /// When it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    /// What it opens.
    pub scope: Vec<ScopeView>,
    /// Whether anything in the scope has effects that outlast the grant.
    pub permanent: bool,
    /// Everything that happened to it, oldest first.
    pub history: Vec<HistoryView>,
}

/// Query of `GET /v1/grants`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantQuery {
    /// Only those that have not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub active: bool,
}

/// Body of `POST /v1/grants/{id}/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeBody {
    /// Why; must say something.
    pub reason: String,
}
