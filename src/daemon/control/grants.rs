//! Grants: list, show, release, revoke, extend, sign off.

use super::Control;
use super::answer::{Answer, Page, UNWRITTEN, blocking, json, page_of, read, read_or_default};
use super::identity::Caller;
use crate::api::{ExtendBody, GrantQuery, GrantView, NothingBody, RevokeBody, SignOffBody, routes};
use crate::daemon::broker::Which;
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
    let page = Page::new(query.limit, query.after.clone())?;
    let broker = Arc::clone(&control.broker);
    let which = match (query.unsigned, query.active, query.archived) {
        (true, _, _) => Which::Unsigned,
        (false, true, _) => Which::Active,
        (false, false, false) => Which::All,
        (false, false, true) => Which::Archived,
    };
    let found = blocking(move || broker.grants_page(&caller.actor, which, &page)).await?;
    let next = found.more.then(|| found.items.last().map(|grant| grant.id.clone())).flatten();
    let views: Vec<GrantView> = found.items.iter().map(|grant| view(&control, grant)).collect();
    let flags = [(query.active, "active=true"), (query.unsigned, "unsigned=true"), (query.archived, "archived=true")];
    page_of(&views, routes::GRANTS, flags, query.limit, next)
}

pub(super) async fn show(State(control): State<Arc<Control>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let broker = Arc::clone(&control.broker);
    let grant = blocking(move || broker.grant(&id, &caller.actor)).await?;
    json(StatusCode::OK, &view(&control, &grant))
}

pub(super) async fn release(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let NothingBody {} = read_or_default(body)?;
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

pub(super) async fn extend(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: ExtendBody = read(body)?;
    let (broker, actor) = (Arc::clone(&control.broker), caller.actor.clone());
    let request = blocking(move || broker.extend(&id, body.duration.0, &body.reason, &actor)).await?;
    json(StatusCode::CREATED, &super::requests::view(&control, &caller, &request))
}

pub(super) async fn sign_off(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: SignOffBody = read_or_default(body)?;
    let broker = Arc::clone(&control.broker);
    let grant = blocking(move || broker.sign_off(&id, body.reason.as_deref(), &caller.actor)).await?;
    json(StatusCode::OK, &view(&control, &grant))
}

fn view(control: &Control, grant: &Grant) -> GrantView {
    let note = control.broker.is_unwritten(&grant.id).then(|| UNWRITTEN.to_owned());
    GrantView { note, ..GrantView::new(grant, control.clock.now().wall) }
}
