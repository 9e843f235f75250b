//! Locks: list, set, lift.

use super::Control;
use super::answer::{Answer, blocking, json, read, read_or_default};
use super::identity::Caller;
use super::requests::name;
use crate::api::{LockBody, LockView, NothingBody};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn list(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    let locks = control.broker.locks(&caller.actor)?;
    json(StatusCode::OK, &locks.iter().map(LockView::new).collect::<Vec<_>>())
}

pub(super) async fn lock(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: LockBody = read(body)?;
    let subject = name(&body.subject)?;
    let broker = Arc::clone(&control.broker);
    let locked = subject.clone();
    let lock = blocking(move || broker.lock(&subject, &body.reason, &caller.actor)).await?;
    // Whoever holds a token of theirs is out, too; they may log in again, and hold nothing.
    control.logins.end_all_of(&locked);
    json(StatusCode::CREATED, &LockView::new(&lock))
}

pub(super) async fn unlock(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let NothingBody {} = read_or_default(body)?;
    let subject = name(&id)?;
    let broker = Arc::clone(&control.broker);
    let lock = blocking(move || broker.unlock(&subject, &caller.actor)).await?;
    json(StatusCode::OK, &LockView::new(&lock))
}
