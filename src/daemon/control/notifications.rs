//! What waits to be told: list, try again.

use super::Control;
use super::answer::{Answer, Page, blocking, json, page_of, read_or_default};
use super::identity::Caller;
use crate::api::{NothingBody, NotificationQuery, NotificationView, routes};
use crate::engine::workflow::telling::NotificationState;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn list(
    State(control): State<Arc<Control>>,
    caller: Caller,
    query: Result<Query<NotificationQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let page = Page::new(query.limit, query.after.clone())?;
    let state = query.state.unwrap_or(NotificationState::Pending);
    let found = control.broker.notifications(&caller.actor, state, &page)?;
    let next = found.more.then(|| found.items.last().map(|one| one.id.clone())).flatten();
    let views: Vec<NotificationView> = found.items.iter().map(NotificationView::new).collect();
    let flags = [(state == NotificationState::Dead, "state=dead")];
    page_of(&views, routes::NOTIFICATIONS, flags, query.limit, next)
}

pub(super) async fn retry(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let NothingBody {} = read_or_default(body)?;
    let broker = Arc::clone(&control.broker);
    let one = blocking(move || broker.retry_notification(&id, &caller.actor)).await?;
    json(StatusCode::OK, &NotificationView::new(&one))
}
