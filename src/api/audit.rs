//! The log as it is read over the control API.

use super::DurationText;
use crate::engine::audit::chain::{Finding, Verified};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// In which order lines are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// Query of `GET /v1/audit`: lines that fit everything that is set. Of `GET /v1/audit/report/{kind}`, `since` and
/// `until` only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// What rested on this grant or is about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// The same, of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The same, of a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What this one (a DN, spelled in any way; or `anonymous`) did, or what was done to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What touched this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// From this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Only this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only this decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Only what the client was answered with this result code.
    #[serde(default, alias = "code", skip_serializing_if = "Option::is_none")]
    pub result: Option<u32>,
    /// Only this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Only this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Which lines come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<AuditOrder>,
    /// So many at most (1 to 1000; default 500).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// With the newest first: those before this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// With the oldest first: those after this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// With the oldest first: wait so long for one, 20s at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<DurationText>,
}

/// Answer of `GET /v1/audit`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditPage {
    /// Lines, octet for octet as they are in the log.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<Box<RawValue>>,
    /// The number of the last line that was looked at: `before` or `after` of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Whether there is more to be looked at now. A page may be empty although there is: one call reads for so long only.
    pub more: bool,
}

/// One of the answer of `GET /v1/audit/configurations`; with its text, the answer of `GET /v1/audit/configurations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigurationView {
    /// The first sixteen hexadecimal digits of its SHA-256, as in `started` and `reloaded`.
    pub digest: String,
    /// When it was first in force.
    pub since: DateTime<Utc>,
    /// Whether it is in force now.
    pub in_force: bool,
    /// The file as it was; absent in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Body of `POST /v1/audit/acknowledge`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeBody {
    /// The file that was moved, emptied or deleted, as verifying names it; or the head that the log did not end with.
    pub name: String,
    /// What became of it; must say something.
    pub reason: String,
}

/// Query of `GET /v1/audit/verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyQuery {
    /// A head (`SEQ:CHAIN`) that was noted elsewhere: the log must still contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

/// Answer of `GET /v1/audit/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifyView {
    /// Whether all of it was read and nothing is wrong.
    pub sound: bool,
    /// Whether time sufficed to read all of it.
    pub complete: bool,
    /// Files that were read.
    pub files: u64,
    /// Lines in them.
    pub lines: u64,
    /// Of these, lines of versions that did not chain them: nothing vouches for them.
    pub unchained: u64,
    /// The number of the first line of the chain; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// The last line, `SEQ:CHAIN`: what to note elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// How many things are wrong.
    pub found: u64,
    /// What is wrong; the first hundred.
    pub findings: Vec<FindingView>,
    /// What is to be known besides.
    pub notes: Vec<String>,
}

/// One thing that is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindingView {
    /// The file's name; empty when there is none.
    pub file: String,
    /// Which line of it, from 1; 0: the file as a whole.
    pub line: u64,
    /// The number that the line says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl VerifyView {
    /// What verifying came to, and whether all of the log was read.
    pub fn new(verified: &Verified, complete: bool) -> VerifyView {
        VerifyView {
            sound: complete && verified.found == 0,
            complete,
            files: verified.files,
            lines: verified.lines,
            unchained: verified.unchained,
            first: verified.first,
            head: verified.last.map(|head| head.to_string()),
            found: verified.found,
            findings: verified.findings.iter().map(FindingView::new).collect(),
            notes: verified.notes.clone(),
        }
    }
}

impl FindingView {
    fn new(finding: &Finding) -> FindingView {
        let Finding { file, line, seq, what } = finding;
        FindingView { file: file.clone(), line: *line, seq: *seq, what: what.to_string() }
    }
}
