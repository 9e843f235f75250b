//! Grants as they are shown and ended.

use super::{DurationText, GrantState, HistoryView, ScopeView};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A grant as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
    #[schema(schema_with = super::words::grant_state)]
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
    /// Activated by its holder without review.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Whether an auditor has signed it off; only of break-glass grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_off: Option<bool>,
    /// Approved by this rule of the role, counted from 1, without asking anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<u32>,
    /// The grant that it takes over from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What else there is to say: that it is in force, and not in the store yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
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
    /// Only break-glass grants that no auditor has signed off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
    /// Those that ended long ago and are in the archive, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// So many at most (1 to 1000; default 500). `Link` says where the next are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Those that come after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Body of `POST /v1/grants/{id}/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeBody {
    /// Why; must say something.
    pub reason: String,
}

/// Body of `POST /v1/grants/{id}/extend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    /// How much longer, from its end on.
    pub duration: DurationText,
    /// Why; must say something.
    pub reason: String,
}

/// Body of `POST /v1/grants/{id}/sign-off`; may be absent altogether.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignOffBody {
    /// What is to be said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
