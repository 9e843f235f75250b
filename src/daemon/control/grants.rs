//! Grants: list, show, release, revoke.

use super::Control;
use super::answer::{Answer, blocking, json, read};
use super::identity::Caller;
use crate::api::{GrantQuery, GrantView, RevokeBody};
use crate::engine::grant::lifecycle::Grant;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn list(
    State(control): State<Arc<Control>>,
    caller: Caller,
    query: Result<Query<GrantQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let broker = Arc::clone(&control.broker);
    let found = blocking(move || broker.grants(&caller.actor, query.active)).await?;
    let views: Vec<GrantView> = found.iter().map(|grant| view(&control, grant)).collect();
    json(StatusCode::OK, &views)
}

pub(super) async fn show(State(control): State<Arc<Control>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let broker = Arc::clone(&control.broker);
    let grant = blocking(move || broker.grant(&id, &caller.actor)).await?;
    json(StatusCode::OK, &view(&control, &grant))
}

pub(super) async fn release(State(control): State<Arc<Control>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let broker = Arc::clone(&control.broker);
    let grant = blocking(move || broker.release(&id, &caller.actor)).await?;
    json(StatusCode::OK, &view(&control, &grant))
}

pub(super) async fn revoke(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: RevokeBody = read(body)?;
    let broker = Arc::clone(&control.broker);
    let grant = blocking(move || broker.revoke(&id, &body.reason, &caller.actor)).await?;
    json(StatusCode::OK, &view(&control, &grant))
}

fn view(control: &Control, grant: &Grant) -> GrantView {
    GrantView::new(grant, control.clock.now().wall)
}
