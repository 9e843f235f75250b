//! The log: verify. Every reading of it is recorded before it takes place.

use super::Control;
use super::answer::{Answer, Failure, json};
use super::identity::Caller;
use super::service::sees_everything;
use crate::api::{VerifyQuery, VerifyView};
use crate::daemon::audit_log::LogReader;
use crate::engine::audit::chain::Head;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one call may read.
const READING: Duration = Duration::from_secs(20);

pub(super) async fn verify(
    State(control): State<Arc<Control>>,
    caller: Caller,
    query: Result<Query<VerifyQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let head = query.head.as_deref().map(str::parse::<Head>).transpose();
    let head = head.map_err(|error| Failure::bad_request(format!("head: {error}")))?;
    admit(&control, &caller, "verify", &query)?;
    let verification = read(&control, move |log, deadline| log.verify(head, deadline)).await?;
    json(StatusCode::OK, &VerifyView::new(&verification.verified, verification.complete))
}

/// Lets auditors and administrators in, and records what they are about to read.
fn admit(control: &Control, caller: &Caller, what: &str, query: &impl Serialize) -> Result<(), Failure> {
    if !sees_everything(control, caller) {
        let why = "only auditors and administrators read the log";
        return Err(caller.refused(control, "read the log", what, "not-auditor", why));
    }
    if !control.shared.snapshot.load().recording {
        let why = "that the log is read is recorded, and nothing can be at the moment";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "not-recording", why));
    }
    let query = serde_json::to_value(query).unwrap_or_default();
    control.broker.record_read(what, query, &caller.actor);
    Ok(())
}

/// Reads where it holds nobody up; few at a time.
async fn read<T: Send + 'static>(
    control: &Control,
    work: impl FnOnce(LogReader, Instant) -> std::io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let deadline = Instant::now() + READING;
    let busy = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "the log is being read by others: try again");
    let turn = tokio::time::timeout(READING / 4, control.audit.turn()).await.map_err(|_| busy())?;
    let turn = turn.ok_or_else(busy)?;
    let log = control.audit.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work(log, deadline)
    });
    let failed = |why: String| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "log-unreadable", why);
    let done = done.await.map_err(|_| failed("reading the log was broken off".to_owned()))?;
    done.map_err(|error| failed(format!("the log cannot be read: {error}")))
}
