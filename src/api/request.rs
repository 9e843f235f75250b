//! Requests and their reviews: what is sent and what is shown.

pub use crate::engine::workflow::Verdict as Decision;

use super::{DurationText, RequestState, ScopeView};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/requests`. Who asks is who authenticated, never a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    /// Which role.
    pub role: String,
    /// Why; may be empty only where the role says so.
    #[serde(default)]
    pub reason: String,
    /// For whom (a DN), when not for oneself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The ticket that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// How long; the role's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationText>,
    /// From when; at once on approval when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    /// What to ask for less of.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::object::optional")]
    pub narrow: Option<NarrowBody>,
    /// At once, without review, to be signed off later; for those whom the role lets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Only say what the request would be; nothing is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// How a request is narrower than its role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NarrowBody {
    /// Only at or below this DN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Only these operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<String>>,
    /// Only these attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<String>>,
}

/// Query of `GET /v1/requests`. Conditions narrow what the caller may see; none: everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestQuery {
    /// Only in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RequestState>,
    /// Only those that the caller made or that are for the caller.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mine: bool,
    /// Only those that wait for the caller's review.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_review: bool,
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

/// Body of `POST /v1/requests/{id}/reviews`. Digest and revision are those of the [`RequestView`]
/// that the reviewer saw; a stale one is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBody {
    /// Approve or deny.
    #[schema(schema_with = super::words::decision)]
    pub decision: Decision,
    /// Why; a deny must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest that was seen.
    pub scope_digest: String,
    /// The revision that was seen.
    pub revision: u64,
}

/// Body of `POST /v1/requests/{id}/cancel`; may be absent altogether.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RequestView {
    /// `req-…`; `null` in the answer to a dry run.
    pub id: Option<String>,
    /// Where it stands.
    #[schema(schema_with = super::words::request_state)]
    pub state: RequestState,
    /// Counts its transitions.
    pub revision: u64,
    /// SHA-256 over what is asked, in hexadecimal.
    pub scope_digest: String,
    /// Who asked (DN).
    pub requested_by: String,
    /// The name that really asked, when it acted as `requested_by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub really_by: Option<String>,
    /// Whose the grant will be (DN).
    pub subject: String,
    /// Which role.
    pub role: String,
    /// Why. Typed by a person: escape it for where it is shown.
    pub reason: String,
    /// The ticket. Typed by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What it would open.
    pub scope: Vec<ScopeView>,
    /// Whether nobody typed it: an operation was done without the role (`on_missing`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_doing: bool,
    /// For how long.
    pub duration: DurationText,
    /// From when, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it lapses unless decided.
    pub lapses: DateTime<Utc>,
    /// When it goes on to the next stage, should this one not decide until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<DateTime<Utc>>,
    /// Which stage of the role decides, counted from 1.
    #[serde(default = "first")]
    pub stage: u32,
    /// How many stages the role has.
    #[serde(default = "first")]
    pub stages: u32,
    /// Activated by its holder without review.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Approved by this rule of the role, counted from 1, without asking anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<u32>,
    /// The grant that it is to take over from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// How many approvals it takes.
    pub approvals: u32,
    /// Those given.
    pub reviews: Vec<ReviewView>,
    /// Who can still act on it: selectors of the approvers; empty once it is decided.
    pub waiting_for: Vec<String>,
    /// Whether the caller may review it now.
    pub may_review: bool,
    /// Whether anything in the scope has effects that outlast the grant.
    pub permanent: bool,
    /// The grant, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Everything that happened to it, oldest first.
    pub history: Vec<HistoryView>,
}

/// One review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReviewView {
    /// Who (DN).
    pub who: String,
    /// The name that really reviewed, when it acted as `who`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub really_by: Option<String>,
    /// What.
    #[schema(schema_with = super::words::decision)]
    pub decision: Decision,
    /// Why. Typed by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// In which stage, counted from 1.
    #[serde(default = "first")]
    pub stage: u32,
}

/// One thing that happened to a request or a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryView {
    /// What: `requested`, `approved`, `denied`, `escalated`, `cancelled`, `lapsed`; `granted`, `activated`,
    /// `expired`, `released`, `revoked`, `signed-off`; `locked`, `unlocked`.
    pub event: String,
    /// Who: a DN, `local:<user name>`, or `tidegate` for what time or configuration did.
    pub by: String,
    /// The subject that `by` acted as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_as: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// From where: `local` or an address.
    pub from: String,
    /// Why. Typed by a person, or by Tidegate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The record's revision before; 0 when it did not exist.
    pub revision_before: u64,
    /// And after.
    pub revision_after: u64,
}

fn first() -> u32 {
    1
}
