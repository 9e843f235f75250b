//! Locks: list, set, lift.

use super::Control;
use super::answer::{Answer, UNWRITTEN, blocking, json, read, read_or_default};
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
    let result = blocking(move || broker.lock(&subject, &body.reason, &caller.actor)).await;
    // Whoever holds a token of theirs is out, too; they may log in again, and hold nothing. So if the lock is in force
    // and could not be written down.
    let is_kept = result.as_ref().err().is_none_or(|failure| failure.0.status == 503);
    let policy = control.shared.snapshot.load().policy.clone();
    if is_kept && control.shared.locks.load().of(&locked, policy.naming()).is_some() {
        control.logins.end_all_of(&locked);
    }
    let lock = result?;
    let note = control.broker.is_unwritten(&lock.id).then(|| UNWRITTEN.to_owned());
    json(StatusCode::CREATED, &LockView { note, ..LockView::new(&lock) })
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
