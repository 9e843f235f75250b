//! Requests: ask, list, show, review, cancel.

use super::Control;
use super::answer::{Answer, Failure, Page, blocking, json, page_of, read, read_or_default};
use super::identity::Caller;
use crate::api::{CancelBody, RequestBody, RequestQuery, RequestState, RequestView, ReviewBody, routes};
use crate::daemon::broker::{RequestList, Word};
use crate::engine::grant::scope::Narrowing;
use crate::engine::ldap::Dn;
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::workflow::asking::Wish;
use crate::engine::workflow::{Request, review};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn ask(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: RequestBody = read(body)?;
    let dry_run = body.dry_run;
    let wish = wish(body)?;
    let (broker, actor) = (Arc::clone(&control.broker), caller.actor.clone());
    let request = blocking(move || broker.ask(&wish, &actor, dry_run)).await?;
    let status = if dry_run { StatusCode::OK } else { StatusCode::CREATED };
    json(status, &view(&control, &caller, &request))
}

pub(super) async fn list(
    State(control): State<Arc<Control>>,
    caller: Caller,
    query: Result<Query<RequestQuery>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let (broker, actor) = (Arc::clone(&control.broker), caller.actor.clone());
    let page = Page::new(query.limit, query.after.clone())?;
    let wanted = query.clone();
    let found = blocking(move || {
        let list = RequestList {
            // What waits is at hand.
            waiting: wanted.to_review || wanted.state == Some(RequestState::Pending),
            mine: wanted.mine,
            state: wanted.state,
            archived: wanted.archived,
        };
        broker.requests_page(&actor, list, &page, |request| {
            broker.with_context(|context| {
                let state = request.state_at(context.now.wall);
                let mine = context.is_party(&actor, &request.requested_by, &request.subject);
                wanted.state.is_none_or(|wanted| wanted == state)
                    && (!wanted.mine || mine)
                    && (!wanted.to_review || review::may_review(request, &actor, context).is_ok())
            })
        })
    })
    .await?;
    let next = found.more.then(|| found.items.last().map(|request| request.id.clone())).flatten();
    let views: Vec<RequestView> = found.items.iter().map(|request| view(&control, &caller, request)).collect();
    let state = query.state.map(|state| format!("state={state}")).unwrap_or_default();
    let flags = [
        (query.state.is_some(), state.as_str()),
        (query.mine, "mine=true"),
        (query.to_review, "to_review=true"),
        (query.archived, "archived=true"),
    ];
    page_of(&views, routes::REQUESTS, flags, query.limit, next)
}

pub(super) async fn show(State(control): State<Arc<Control>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let (broker, actor) = (Arc::clone(&control.broker), caller.actor.clone());
    let request = blocking(move || broker.request(&id, &actor)).await?;
    json(StatusCode::OK, &view(&control, &caller, &request))
}

pub(super) async fn review(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: ReviewBody = read(body)?;
    let (broker, actor) = (Arc::clone(&control.broker), caller.actor.clone());
    let request = blocking(move || {
        let word = Word {
            verdict: body.decision,
            reason: body.reason.as_deref(),
            digest: &body.scope_digest,
            revision: body.revision,
        };
        broker.review(&id, word, &actor)
    })
    .await?;
    json(StatusCode::OK, &view(&control, &caller, &request))
}

pub(super) async fn cancel(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: CancelBody = read_or_default(body)?;
    let (broker, actor) = (Arc::clone(&control.broker), caller.actor.clone());
    let request = blocking(move || broker.cancel(&id, body.reason.as_deref(), &actor)).await?;
    json(StatusCode::OK, &view(&control, &caller, &request))
}

pub(super) fn view(control: &Control, caller: &Caller, request: &Request) -> RequestView {
    control.broker.with_context(|context| RequestView::new(request, &caller.actor, context))
}

fn wish(body: RequestBody) -> Result<Wish, Failure> {
    let narrow = body.narrow.unwrap_or_default();
    let operations = narrow.operations.map(|words| {
        words.iter().map(|word| word.parse().map_err(|error| bad(word, &error))).collect::<Result<Vec<_>, _>>()
    });
    Ok(Wish {
        role: body.role,
        reason: body.reason,
        subject: body.subject.as_deref().map(name).transpose()?,
        ticket: body.ticket,
        duration: body.duration.map(|duration| duration.0),
        start: body.start,
        break_glass: body.break_glass,
        by_doing: false,
        narrowing: Narrowing {
            base: narrow.base.as_deref().map(name).transpose()?,
            operations: operations.transpose()?,
            attributes: narrow.attributes.map(|names| attributes(&names)).transpose()?,
        },
    })
}

fn attributes(names: &[String]) -> Result<AttributeNames, Failure> {
    AttributeNames::new(names).map_err(|error| Failure::bad_request(error.to_string()))
}

/// A DN that somebody typed; the empty one is nobody's.
pub(super) fn name(text: &str) -> Result<Dn, Failure> {
    match Dn::parse(text.as_bytes()) {
        Ok(dn) if !dn.is_root() => Ok(dn),
        Ok(_) => Err(Failure::bad_request("a distinguished name must not be empty")),
        Err(error) => Err(bad(text, &error)),
    }
}

fn bad(text: &str, error: &impl std::fmt::Display) -> Failure {
    Failure::bad_request(format!("{text:?}: {error}"))
}
