//! Reports over the log: each is one pass over its lines.

use super::Control;
use super::answer::{Answer, Failure, json};
use super::audit::{admit, read};
use super::identity::Caller;
use super::known;
use crate::api::{Configurations, REPORTS, ReportQuery, Reporter};
use crate::daemon::configurations;
use crate::engine::audit::reading::Reading;
use crate::engine::policy::Policy;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use std::sync::Arc;

/// What is known of configurations while the gate runs.
struct Known {
    current: Arc<Policy>,
    kept: configurations::Configurations,
}

impl Configurations for Known {
    fn current(&self) -> Option<&Policy> {
        Some(&self.current)
    }

    fn kept(&self, digest: &str) -> Result<Policy, String> {
        self.kept.policy(digest)
    }
}

pub(super) async fn report(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(kind): Path<String>,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let reporter = Reporter::new(&kind, &query).map_err(Failure::bad_request)?;
    let Some(mut reporter) = reporter else {
        let why = format!("there is no such report: there are {}", REPORTS.join(", "));
        return Err(Failure::new(StatusCode::NOT_FOUND, "not-found", why));
    };
    admit(&control, &caller, &format!("report {kind}"), &query)?;
    known::resource(&control, query.resource.as_deref()).await?;
    known::role(&control, query.role.as_deref()).await?;
    let current = Arc::clone(&control.shared.snapshot.load().policy);
    let configurations = Known { current, kept: control.configurations.clone() };
    let view = read(&control, move |log, deadline| {
        let filter = reporter.filter();
        let history = reporter.needs_history();
        let since = filter.since.filter(|_| !history);
        let mut reading = Reading::new(filter, history);
        let complete = log.all(&mut reading, since, deadline, &mut |line| reporter.see(line))?;
        let span = reading.finish(&mut |line| reporter.see(line));
        Ok(reporter.finish(&span, complete, &configurations))
    });
    json(StatusCode::OK, &view.await?)
}
