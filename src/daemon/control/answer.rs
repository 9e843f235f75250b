//! Answers: JSON, or problem details (RFC 9457) with a status that says what kind of no it is.

use crate::api::routes::{LINT, PAGE};
use crate::api::{Object, Problem, problem};
use crate::daemon::broker::BrokerError;
pub(super) use crate::daemon::broker::Page;
use crate::daemon::store::StoreError;
use crate::engine::workflow::WorkflowError;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long one call may take, its body's arrival included.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest page of a list.
const LONGEST_PAGE: usize = 1_000;

/// What is said of an end that the store has not taken yet.
pub(super) const UNWRITTEN: &str =
    "in force; the store cannot be written at the moment: it is kept beside it, and written first when it can";

/// What every handler returns.
pub(super) type Answer = Result<Response, Failure>;

/// A problem on its way to the caller.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Box<Problem>);

impl Failure {
    pub(super) fn new(status: StatusCode, word: &str, detail: impl Into<String>) -> Failure {
        let title = status.canonical_reason().unwrap_or("Error");
        Failure(Box::new(Problem::new(status.as_u16(), title, word, detail)))
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn forbidden(word: &str, detail: impl Into<String>) -> Failure {
        Failure::new(StatusCode::FORBIDDEN, word, detail)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after;
        let mut response = (status, Json(self.0)).into_response();
        super::guard::say_when(response.headers_mut(), retry_after);
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(problem::MEDIA_TYPE));
        response
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Failure {
        let mut failure = Failure::new(status_of(&error), error.word(), error.to_string());
        if let BrokerError::Workflow(WorkflowError::TooManyRequests(_, wait)) = error {
            failure.0.retry_after = Some(wait.as_secs() + 1);
        }
        failure
    }
}

impl From<BytesRejection> for Failure {
    fn from(rejection: BytesRejection) -> Failure {
        Failure::new(rejection.status(), "bad-request", rejection.body_text())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Failure {
        Failure::bad_request(rejection.body_text())
    }
}

fn status_of(error: &BrokerError) -> StatusCode {
    match error {
        BrokerError::NotFound(_) => StatusCode::NOT_FOUND,
        BrokerError::Workflow(error) => status_of_workflow(error),
        BrokerError::Store(StoreError::Conflict(_)) => StatusCode::CONFLICT,
        BrokerError::Store(StoreError::TooLarge(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        BrokerError::Store(_) | BrokerError::EndNotKept(_) | BrokerError::NotRecording | BrokerError::Random(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

fn status_of_workflow(error: &WorkflowError) -> StatusCode {
    match error {
        WorkflowError::NoSubject
        | WorkflowError::NotEligible(_)
        | WorkflowError::SecondFactor(_)
        | WorkflowError::NotBeneficiary { .. }
        | WorkflowError::OwnRequest
        | WorkflowError::NotApprover(_)
        | WorkflowError::NotAsker
        | WorkflowError::NotHolder
        | WorkflowError::NotRevoker
        | WorkflowError::OwnGrant
        | WorkflowError::NotBreakGlass(_)
        | WorkflowError::Locked(_)
        | WorkflowError::NotAdministrator
        | WorkflowError::NotAuditor
        | WorkflowError::OwnSignOff => StatusCode::FORBIDDEN,
        WorkflowError::NotLocked(_) => StatusCode::NOT_FOUND,
        WorkflowError::TooManyRequests(..) => StatusCode::TOO_MANY_REQUESTS,
        WorkflowError::UnknownRole(_)
        | WorkflowError::ReasonMissing
        | WorkflowError::BadText(_)
        | WorkflowError::BadTicket(_)
        | WorkflowError::Scope(_)
        | WorkflowError::NoDuration
        | WorkflowError::TooLong(_)
        | WorkflowError::StartInPast
        | WorkflowError::BreakGlassForm
        | WorkflowError::LongTicket
        | WorkflowError::TooManyNames(_)
        | WorkflowError::LongBase
        | WorkflowError::StartBeyondLead(..)
        | WorkflowError::StartTooFar => StatusCode::UNPROCESSABLE_ENTITY,
        WorkflowError::Decided(_)
        | WorkflowError::ReviewedAlready(_)
        | WorkflowError::Stale
        | WorkflowError::RoleGone(_)
        | WorkflowError::NoLongerEligible(..)
        | WorkflowError::Lifecycle(_)
        | WorkflowError::StagesChanged(_)
        | WorkflowError::ReviewerGone(..)
        | WorkflowError::RuleGone(..)
        | WorkflowError::TooManyPending(_)
        | WorkflowError::LockedAlready(_)
        | WorkflowError::LastAdministrator(_)
        | WorkflowError::ExtendedEnded(_)
        | WorkflowError::NotYet => StatusCode::CONFLICT,
        WorkflowError::MembershipUnknown(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    Ok((status, Json(value)).into_response())
}

impl Page {
    /// Reads what a query says.
    pub(super) fn new(limit: Option<usize>, after: Option<String>) -> Result<Page, Failure> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=LONGEST_PAGE).contains(&limit) {
            return Err(Failure::bad_request(format!("limit takes 1 to {LONGEST_PAGE}")));
        }
        Ok(Page { limit, after })
    }
}

/// A page of a list; `Link` (RFC 8288) says where the next one is.
pub(super) fn page_of<const N: usize>(
    views: &impl Serialize,
    route: &str,
    conditions: [(bool, &str); N],
    limit: Option<usize>,
    next: Option<String>,
) -> Answer {
    let mut response = (StatusCode::OK, Json(views)).into_response();
    if let Some(after) = next {
        let mut query: Vec<String> =
            conditions.iter().filter(|(set, _)| *set).map(|(_, condition)| (*condition).to_owned()).collect();
        query.extend(limit.map(|limit| format!("limit={limit}")));
        query.push(format!("after={after}"));
        let link = format!("<{route}?{}>; rel=\"next\"", query.join("&"));
        if let Ok(link) = header::HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

/// Reads a JSON body, an object; unknown fields are the type's to refuse.
pub(super) fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Failure> {
    let read: Result<Object<T>, _> = serde_json::from_slice(&body?);
    read.map(|body| body.0).map_err(|error| Failure::bad_request(format!("the body does not fit: {error}")))
}

/// Reads a JSON body that may be left out.
pub(super) fn read_or_default<T: DeserializeOwned + Default>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Failure> {
    let body = body?;
    if body.is_empty() { Ok(T::default()) } else { read(Ok(body)) }
}

/// Runs what may block on the disk where it holds nobody up. It runs to its end even when the
/// caller goes away.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BrokerError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Failure::from),
        Err(_) => Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the call was broken off")),
    }
}

/// Says of an answer that the request was read to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadToItsEnd;

/// Reads all of a request before anybody looks at it: what is left unread when it is answered takes
/// the connection with it, and the call that comes behind.
pub(super) async fn read_all(request: Request, next: Next) -> Response {
    let mut request = request;
    if request.uri().path() == LINT {
        DefaultBodyLimit::max(super::MAX_CONFIGURATION).apply(&mut request);
    }
    let (parts, body) = request.into_parts();
    // With the bound on bodies, which stands among the extensions.
    let whole = Request::from_parts(parts.clone(), body);
    let mut response = match Bytes::from_request(whole, &()).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(rejection) => return Failure::from(rejection).into_response(),
    };
    response.extensions_mut().insert(ReadToItsEnd);
    response
}

/// Bounds the time that one call may take.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(CALL_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the call took too long").into_response(),
    }
}

pub(super) async fn no_such_call() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "no-such-call", "there is no such call")
}

pub(super) async fn no_such_method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", "there is no such method for this call")
}
