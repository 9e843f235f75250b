//! Reports over the log as they are shown.

use crate::engine::audit::report::{Granted, Refused, Tally};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Query of `GET /v1/audit/report/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportQuery {
    /// What happened from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// What happened before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// Answer of `GET /v1/audit/report/{id}`: the rows are in the field of the report's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReportView {
    /// `standing`, `grants`, `refused` or `monitored`.
    pub report: String,
    /// Whether time sufficed to read all of the log; if not, what is counted is what was read.
    pub complete: bool,
    /// Lines that found no room in the report: it is bounded.
    pub left_out: u64,
    /// Standing access, whether it was used or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<StandingRow>,
    /// Grants, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantRow>,
    /// What was refused, the most often first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedRow>,
    /// What would have been refused or redacted, the most often first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitored: Vec<RefusedRow>,
}

/// Standing access, and how it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StandingRow {
    /// What it opens.
    pub resource: String,
    /// Why it is there.
    pub reason: String,
    /// Whether the configuration still has it.
    pub configured: bool,
    /// Who holds it, as configured.
    pub who: Vec<String>,
    /// For which operations.
    pub operations: Vec<String>,
    /// Operations that rested on it.
    pub uses: u64,
    /// When the last was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
    /// Who used it; twenty at most.
    pub used_by: Vec<String>,
}

/// One grant, as far as the log tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the fields are those of the events in the log")]
pub struct GrantRow {
    pub grant: String,
    pub request: String,
    pub role: String,
    pub subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub approved_by: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<u32>,
    pub break_glass: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_off_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    pub uses: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
}

/// What somebody was refused, or would have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the fields are those of the log")]
pub struct RefusedRow {
    pub subject: String,
    pub operation: String,
    pub resources: Vec<String>,
    pub reason: String,
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<DateTime<Utc>>,
}

impl GrantRow {
    /// What was gathered of one.
    pub fn new(granted: Granted) -> GrantRow {
        GrantRow {
            grant: granted.grant,
            request: granted.request,
            role: granted.role,
            subject: granted.subject,
            asked_by: granted.asked_by,
            reason: granted.reason,
            approved_by: granted.approved_by,
            automatic: granted.automatic,
            break_glass: granted.break_glass,
            signed_off_by: granted.signed_off_by,
            from: granted.from,
            until: granted.until,
            end: granted.end,
            ended: granted.ended,
            ended_by: granted.ended_by,
            uses: granted.uses.count,
            last_used: granted.uses.last,
        }
    }
}

impl RefusedRow {
    /// What was counted of one.
    pub fn new(refused: Refused, tally: Tally) -> RefusedRow {
        let Refused { subject, operation, resources, reason } = refused;
        RefusedRow { subject, operation, resources, reason, count: tally.count, first: tally.first, last: tally.last }
    }
}
