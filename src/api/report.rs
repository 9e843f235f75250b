//! Reports over the log as they are shown.

use super::ScopeView;
use crate::engine::audit::report::access::{Could, Did, PolicyChange};
use crate::engine::audit::report::grants::Granted;
use crate::engine::audit::report::monitored::{Losses, Watched};
use crate::engine::audit::report::{Refused, Tally};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Query of `GET /v1/audit/report/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportQuery {
    /// What happened, or lasted, from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// What happened, or lasted, before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// What was so at this moment; in the place of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Of the report `access`: which resource. Of those of grants: only what opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Only what this one (a DN, spelled in any way; or `anonymous`) did, or holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only of this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// Answer of `GET /v1/audit/report/{id}`: the rows are in the field of the report's name; those of `break-glass` and
/// `unused` are in `grants`, those of `access` in `could` and `did`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReportView {
    /// The report's name.
    pub report: String,
    /// Whether all of the log was read that there is; if not, `read` says which part was.
    pub complete: bool,
    /// Lines that found no room in the report: it is bounded.
    pub left_out: u64,
    /// What was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<SpanView>,
    /// What is to be known besides: above all what is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Standing access, whether it was used or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<StandingRow>,
    /// Grants, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantRow>,
    /// What was refused, the most often first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedRow>,
    /// What enforcing would refuse or redact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitored: Vec<MonitoredRow>,
    /// Who could use the resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub could: Vec<CouldRow>,
    /// Who did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did: Vec<DidRow>,
    /// Changes of the configuration, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyRow>,
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SpanView {
    /// The number of the first line.
    pub first: u64,
    /// When it was written.
    pub from: DateTime<Utc>,
    /// The number of the last line.
    pub last: u64,
    /// When it was written.
    pub to: DateTime<Utc>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// As it was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// What it opens; absent: no event in the log says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<ScopeView>>,
    pub approved_by: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<u32>,
    pub break_glass: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_off_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_off: Option<DateTime<Utc>>,
    /// What the auditor said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_off_reason: Option<String>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<DateTime<Utc>>,
    /// Whether it ever opened anything; absent: its events are not in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<bool>,
    /// Absent of one that ended before it began.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// Operations within the period that depended on it.
    pub uses: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
}

/// What somebody was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the fields are those of the log")]
pub struct RefusedRow {
    /// `gate`, `directory`, `login` or `workflow`.
    pub by: String,
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
            ticket: granted.ticket,
            duration: granted.duration,
            scope: granted.scope.and_then(|scope| serde_json::from_value(scope).ok()),
            approved_by: granted.approved_by,
            automatic: granted.automatic,
            break_glass: granted.break_glass,
            signed_off_by: granted.signed_off_by,
            signed_off: granted.signed_off,
            signed_off_reason: granted.signed_off_reason,
            granted: granted.granted,
            began: granted.began,
            from: granted.from,
            until: granted.until,
            end: granted.end,
            ended: granted.ended,
            ended_by: granted.ended_by,
            end_reason: granted.end_reason,
            uses: granted.uses.count,
            last_used: granted.uses.last,
        }
    }
}

impl RefusedRow {
    /// What was counted of one.
    pub fn new(refused: Refused, tally: Tally) -> RefusedRow {
        let Refused { by, subject, operation, resources, reason } = refused;
        let Tally { count, first, last } = tally;
        RefusedRow { by: by.word().to_owned(), subject, operation, resources, reason, count, first, last }
    }
}

/// What enforcing would take away from somebody's application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the fields are those of the log")]
pub struct MonitoredRow {
    /// `refused`: the operations would be refused. `loses`: entries or attributes would be missing from the answers.
    /// `nothing`: the answers would be the same. `unknown`: the records do not say.
    pub outcome: String,
    pub subject: String,
    /// Of the client, without its port.
    pub address: String,
    pub operation: String,
    pub resources: Vec<String>,
    pub reason: String,
    /// Operations.
    pub count: u64,
    /// Entries that would be missing, over all of them.
    pub withheld: u64,
    /// Attributes that would be missing from the other entries.
    pub cut: u64,
    /// Their names.
    pub attributes: Vec<String>,
    /// Entries of which it cannot be told whether they would be found.
    pub undecided: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<DateTime<Utc>>,
}

impl MonitoredRow {
    /// What was counted of one.
    pub fn new(watched: Watched, losses: Losses) -> MonitoredRow {
        let Watched { outcome, subject, address, operation, resources, reason } = watched;
        let Losses { tally, withheld, cut, attributes, undecided } = losses;
        MonitoredRow {
            outcome: outcome.word().to_owned(),
            subject,
            address,
            operation,
            resources,
            reason,
            count: tally.count,
            withheld,
            cut,
            attributes: attributes.into_iter().collect(),
            undecided,
            first: tally.first,
            last: tally.last,
        }
    }
}

/// Somebody who could use a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CouldRow {
    /// `grant`, `break-glass`, `standing access`, `monitor mode` or `not protected`.
    pub basis: String,
    /// Names; of standing access, selectors as they are configured; `everybody`.
    pub who: Vec<String>,
    /// Since when, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Until when; absent: it had not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Operations that it opened; empty: all.
    pub operations: Vec<String>,
    /// Why, as it was requested or is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The grant with its approvers, its scope and how often it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Box<GrantRow>>,
    /// The configuration by which it was so, by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
}

impl CouldRow {
    /// What was found of one.
    pub fn new(could: Could) -> CouldRow {
        let Could { basis, who, from, until, operations, reason, grant, configuration } = could;
        let grant = grant.map(|grant| Box::new(GrantRow::new(*grant)));
        CouldRow { basis: basis.word().to_owned(), who, from, until, operations, reason, grant, configuration }
    }
}

/// Somebody who used a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DidRow {
    /// Who.
    pub subject: String,
    /// From where, without the port.
    pub address: String,
    /// As in [`CouldRow`].
    pub basis: String,
    /// The grants, or the reason of the standing access.
    pub by: String,
    /// What was done.
    pub operations: Vec<String>,
    /// How often.
    pub count: u64,
    /// When first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<DateTime<Utc>>,
    /// When last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<DateTime<Utc>>,
}

impl DidRow {
    /// What was counted of one.
    pub fn new(did: Did) -> DidRow {
        let Did { subject, address, by, basis, operations, tally } = did;
        let (basis, operations) = (basis.word().to_owned(), operations.into_iter().collect());
        DidRow { subject, address, basis, by, operations, count: tally.count, first: tally.first, last: tally.last }
    }
}

/// A configuration that came into force, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PolicyRow {
    /// When.
    pub time: DateTime<Utc>,
    /// `started`, `reloaded` or `reload failed`.
    pub event: String,
    /// Who had it reloaded: a name, or a signal. Absent of a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `enforce` or `monitor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The digest of the configuration that was in force before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The digest of the one that is from then on: `tidegate audit configuration` shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// What somebody can do that they could not.
    pub opens: Vec<String>,
    /// What opens, closes, or does both.
    pub changes: Vec<String>,
    /// What somebody can no longer do.
    pub closes: Vec<String>,
    /// Why it was not taken over.
    pub errors: Vec<String>,
}

impl PolicyRow {
    /// What an event says.
    pub fn new(change: PolicyChange) -> PolicyRow {
        let PolicyChange { time, event, by, mode, before, configuration, opens, changes, closes, errors } = change;
        PolicyRow { time, event, by, mode, before, configuration, opens, changes, closes, errors }
    }
}
