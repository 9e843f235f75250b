//! Reports over the log: each is one pass over its lines.

use super::Control;
use super::answer::{Answer, Failure, json};
use super::audit::{admit, read};
use super::identity::Caller;
use crate::api::{GrantRow, RefusedRow, ReportQuery, ReportView, StandingRow};
use crate::daemon::audit_log::LogReader;
use crate::engine::audit::query::Filter;
use crate::engine::audit::report::{Grants, Refusals, Standings, Use};
use crate::engine::policy::Policy;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use std::collections::BTreeMap;
use std::io::Result as Read;
use std::sync::Arc;
use std::time::Instant;

pub(super) async fn report(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(kind): Path<String>,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let make: fn(&LogReader, Filter, Instant, &Policy) -> Read<ReportView> = match &*kind {
        "standing" => standing,
        "grants" => grants,
        "refused" => refused,
        "monitored" => monitored,
        _ => {
            let why = "there is no such report: there are standing, grants, refused and monitored";
            return Err(Failure::new(StatusCode::NOT_FOUND, "not-found", why));
        }
    };
    admit(&control, &caller, &format!("report {kind}"), &query)?;
    let filter = Filter { since: query.since, until: query.until, ..Filter::default() };
    let policy = Arc::clone(&control.shared.snapshot.load().policy);
    let view = read(&control, move |log, deadline| {
        log.settle();
        make(&log, filter, deadline, &policy)
    });
    json(StatusCode::OK, &ReportView { report: kind, ..view.await? })
}

fn grants(log: &LogReader, mut filter: Filter, deadline: Instant, _: &Policy) -> Read<ReportView> {
    let mut grants = Grants::default();
    let complete = log.all(&mut filter, deadline, &mut |line| grants.see(line))?;
    let (rows, left_out) = grants.finish();
    let grants = rows.into_iter().map(GrantRow::new).collect();
    Ok(ReportView { complete, left_out, grants, ..ReportView::default() })
}

fn refused(log: &LogReader, filter: Filter, deadline: Instant, _: &Policy) -> Read<ReportView> {
    let (refused, left_out, complete) = decided("refused", log, filter, deadline)?;
    Ok(ReportView { complete, left_out, refused, ..ReportView::default() })
}

fn monitored(log: &LogReader, filter: Filter, deadline: Instant, _: &Policy) -> Read<ReportView> {
    let (monitored, left_out, complete) = decided("monitored", log, filter, deadline)?;
    Ok(ReportView { complete, left_out, monitored, ..ReportView::default() })
}

fn decided(what: &str, log: &LogReader, filter: Filter, deadline: Instant) -> Read<(Vec<RefusedRow>, u64, bool)> {
    let mut filter = Filter { decision: Some(what.to_owned()), ..filter };
    let mut refusals = Refusals::default();
    let complete = log.all(&mut filter, deadline, &mut |line| refusals.see(line))?;
    let (rows, left_out) = refusals.finish();
    Ok((rows.into_iter().map(|(row, tally)| RefusedRow::new(row, tally)).collect(), left_out, complete))
}

fn standing(log: &LogReader, mut filter: Filter, deadline: Instant, policy: &Policy) -> Read<ReportView> {
    let mut standings = Standings::default();
    let complete = log.all(&mut filter, deadline, &mut |line| standings.see(line))?;
    let (used, left_out) = standings.finish();
    Ok(ReportView { complete, left_out, standing: rows(policy, used), ..ReportView::default() })
}

/// All that is configured, and what was used and is configured no more.
fn rows(policy: &Policy, mut used: BTreeMap<(String, String), Use>) -> Vec<StandingRow> {
    let row = |resource: String, reason: String, used: Use| StandingRow {
        resource,
        reason,
        configured: false,
        who: Vec::new(),
        operations: Vec::new(),
        uses: used.tally.count,
        last_used: used.tally.last,
        used_by: used.subjects.into_iter().collect(),
    };
    let mut rows = Vec::new();
    for standing in &policy.standing {
        let resource = policy.resource(standing.resource).map(|resource| resource.name.to_string()).unwrap_or_default();
        let reason = standing.reason.to_string();
        let found = used.remove(&(resource.clone(), reason.clone())).unwrap_or_default();
        rows.push(StandingRow {
            configured: true,
            who: standing.who.iter().map(ToString::to_string).collect(),
            operations: standing.operations.names().map(str::to_owned).collect(),
            ..row(resource, reason, found)
        });
    }
    rows.extend(used.into_iter().map(|((resource, reason), used)| row(resource, reason, used)));
    rows
}
