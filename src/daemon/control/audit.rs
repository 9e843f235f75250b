//! The log: search, follow, verify. Every reading of it is recorded before it takes place.

use super::Control;
use super::answer::{Answer, Failure, Page, json};
use super::following::Following;
use super::identity::Caller;
use super::known;
use super::requests::name;
use super::service::sees_everything;
use crate::api::{AcknowledgeBody, AuditOrder, AuditPage, AuditQuery, DoneView, VerifyQuery, VerifyView};
use crate::daemon::audit_log::{LogPage, LogReader, Part};
use crate::engine::audit::chain::Head;
use crate::engine::audit::query::{DECISIONS, Filter, Line, OPERATIONS, Who};
use crate::engine::audit::reading::Reading;
use crate::engine::workflow::WorkflowError;
use crate::engine::workflow::asking::check_text;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one call may read.
const READING: Duration = Duration::from_secs(20);

/// How long one call may wait for a line.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Lines that come close behind each other are shown together.
const GATHERING: Duration = Duration::from_millis(50);

pub(super) async fn search(
    State(control): State<Arc<Control>>,
    caller: Caller,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let filter = filter_of(&query)?;
    if let (Some(since), Some(until)) = (query.since, query.until)
        && since >= until
    {
        return Err(Failure::bad_request("nothing is at or after since and before until"));
    }
    let limit = Page::new(query.limit, None)?.limit;
    let mut part = part_of(&query)?;
    let until = Instant::now() + query.wait.map_or(Duration::ZERO, |wait| wait.0);
    let following = Following::key(&query, &caller.actor);
    if control.follows.goes_on(&following, part, control.clock.now().monotonic) {
        may_read(&control, &caller, "search")?;
    } else {
        admit(&control, &caller, "search", &query)?;
        known::resource(&control, query.resource.as_deref()).await?;
        known::role(&control, query.role.as_deref()).await?;
    }
    let mut settled = false;
    let page = loop {
        let (mut filter, first) = (filter.clone(), !std::mem::replace(&mut settled, true));
        let work = move |log: LogReader, deadline| {
            if first {
                log.settle();
            }
            log.page(&mut filter, part, limit, deadline)
        };
        let page = read(&control, work).await?;
        let (Part::After(after), Some(left)) = (part, until.checked_duration_since(Instant::now())) else { break page };
        if !page.lines.is_empty() || page.more || left.is_zero() {
            break page;
        }
        let after = page.next.unwrap_or(after);
        part = Part::After(after);
        let written = tokio::select! {
            written = control.audit.written_after(after, left) => written,
            () = control.stopping.cancelled() => false,
        };
        if !written {
            break LogPage { next: Some(after), ..page };
        }
        tokio::time::sleep(GATHERING).await;
    };
    if let Part::After(after) = part
        && query.wait.is_some()
    {
        control.follows.went_on(following, page.next.unwrap_or(after), control.clock.now().monotonic);
    }
    let records = page.lines.into_iter().filter_map(|line| RawValue::from_string(line).ok()).collect();
    json(StatusCode::OK, &AuditPage { records, next: page.next, more: page.more })
}

fn filter_of(query: &AuditQuery) -> Result<Filter, Failure> {
    let one_of = |name: &str, value: &Option<String>, words: &[&str]| match value {
        Some(value) if !words.contains(&&**value) => {
            Err(Failure::bad_request(format!("{name} takes one of: {}", words.join(", "))))
        }
        Some(_) | None => Ok(value.clone()),
    };
    known::event(query.event.as_deref())?;
    known::id("grant", "grant-", query.grant.as_deref())?;
    known::id("request", "req-", query.request.as_deref())?;
    let subject = match query.subject.as_deref() {
        None => None,
        Some("anonymous") => Some(Who::Anonymous),
        Some(text) => Some(Who::Dn(name(text)?)),
    };
    Ok(Filter {
        subject,
        grant: query.grant.clone(),
        request: query.request.clone(),
        role: query.role.clone(),
        resource: query.resource.clone(),
        since: query.since,
        until: query.until,
        operation: one_of("operation", &query.operation, OPERATIONS)?,
        decision: one_of("decision", &query.decision, DECISIONS)?,
        code: query.result,
        event: query.event.clone(),
        session: query.session.clone(),
        ..Filter::default()
    })
}

fn part_of(query: &AuditQuery) -> Result<Part, Failure> {
    let wrong = |why: &str| Err(Failure::bad_request(why));
    if query.wait.is_some_and(|wait| wait.0 > LONGEST_WAIT) {
        return wrong("wait takes 20s at most");
    }
    match query.order.unwrap_or_default() {
        AuditOrder::Newest if query.after.is_some() => wrong("after goes with order=oldest"),
        AuditOrder::Newest if query.wait.is_some() => wrong("wait goes with order=oldest"),
        AuditOrder::Newest => Ok(Part::Before(query.before.unwrap_or(u64::MAX))),
        AuditOrder::Oldest if query.before.is_some() => wrong("before goes with order=newest"),
        AuditOrder::Oldest => Ok(Part::After(query.after.unwrap_or(0))),
    }
}

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

/// Somebody says what became of a file of the log. That is recorded, and verifying goes by it.
pub(super) async fn acknowledge(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let AcknowledgeBody { name, reason } = super::answer::read(body)?;
    may_read(&control, &caller, "acknowledge")?;
    let refused =
        |error: WorkflowError| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, error.word(), error.to_string());
    check_text("the reason", &reason).map_err(refused)?;
    if reason.trim().is_empty() {
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "reason-missing", "a reason is needed"));
    }
    let wanted = name.clone();
    let found = read(&control, move |log, deadline| {
        let mut found = false;
        let mut see = |line: &Line| {
            let is_one = matches!(line.event.as_deref(), Some("audit.lost" | "audit.moved" | "audit.emptied"))
                && line.file.as_ref() == Some(&wanted)
                || line.event.as_deref() == Some("audit.broken") && line.head.as_ref() == Some(&wanted);
            found |= is_one;
        };
        // Events only.
        let never = DateTime::<Utc>::MIN_UTC;
        let mut reading = Reading::new(Filter { until: Some(never), ..Filter::default() }, true);
        log.all(&mut reading, None, deadline, &mut see)?;
        Ok(found)
    });
    if !found.await? {
        let why = format!("no file {name:?} of the log is known to be moved, emptied or deleted");
        return Err(Failure::new(StatusCode::NOT_FOUND, "not-found", why));
    }
    control.broker.record_done("audit.acknowledged", &name, &reason, &caller.actor);
    json(StatusCode::OK, &DoneView { done: "acknowledged".to_owned() })
}

/// Lets auditors and administrators in, and records what they are about to read.
pub(super) fn admit(control: &Control, caller: &Caller, what: &str, query: &impl Serialize) -> Result<(), Failure> {
    may_read(control, caller, what)?;
    let query = serde_json::to_value(query).unwrap_or_default();
    control.broker.record_read(what, query, &caller.actor);
    Ok(())
}

/// Lets auditors and administrators in.
fn may_read(control: &Control, caller: &Caller, what: &str) -> Result<(), Failure> {
    if !sees_everything(control, caller) {
        let why = "only auditors and administrators read the log";
        return Err(caller.refused(control, "read the log", what, "not-auditor", why));
    }
    if !control.shared.snapshot.load().recording {
        let why = "that the log is read is recorded, and nothing can be at the moment";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "not-recording", why));
    }
    Ok(())
}

/// Reads where it holds nobody up; few at a time.
pub(super) async fn read<T: Send + 'static>(
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
