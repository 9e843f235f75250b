//! What the engine's words look like in the document that describes the API: the engine itself
//! knows no such documents.

use super::{Decision, GrantState, RequestState};
use crate::engine::workflow::NoticeKind;
use crate::engine::workflow::telling::NotificationState;
use serde::Serialize;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

fn words<T: Serialize>(all: impl IntoIterator<Item = T>) -> Object {
    let words = all.into_iter().filter_map(|word| serde_json::to_value(word).ok());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// The states of a request.
pub fn request_state() -> Object {
    use RequestState::{Approved, Cancelled, Denied, Lapsed, Pending};
    words([Pending, Approved, Denied, Cancelled, Lapsed])
}

/// Whether a notification is still tried.
pub fn notification_state() -> Object {
    words([NotificationState::Pending, NotificationState::Dead])
}

pub(super) fn notice_kind() -> Object {
    words(NoticeKind::ALL)
}

pub(super) fn grant_state() -> Object {
    use GrantState::{Active, Expired, Released, Revoked, Scheduled};
    words([Scheduled, Active, Expired, Released, Revoked])
}

pub(super) fn decision() -> Object {
    words([Decision::Approve, Decision::Deny])
}
