//! The queue of what is to be told, as it is listed.

use super::words;
use crate::engine::workflow::NoticeKind;
use crate::engine::workflow::telling::Notification;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use crate::engine::workflow::telling::NotificationState;

/// Something that waits to be told, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotificationView {
    /// Its id.
    pub id: String,
    /// `pending`, or `dead`: given up.
    #[schema(schema_with = words::notification_state)]
    pub state: NotificationState,
    /// What is told.
    #[schema(schema_with = words::notice_kind)]
    pub event: NoticeKind,
    /// The request, grant or lock that it is about.
    pub about: String,
    /// To whom: `all` and `mail` (not yet known), `webhook NAME`, or `mail DN`.
    pub receiver: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this it is tried again; absent when it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<DateTime<Utc>>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Query of `GET /v1/notifications`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotificationQuery {
    /// Which; those that wait when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<NotificationState>,
    /// So many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Those after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl NotificationView {
    /// A notification as it is shown.
    pub fn new(one: &Notification) -> NotificationView {
        NotificationView {
            id: one.id.clone(),
            state: one.state,
            event: one.notice.kind(),
            about: one.notice.about().to_owned(),
            receiver: one.to.to_string(),
            at: one.at,
            attempts: one.attempts,
            next: Some(one.next).filter(|_| one.state == NotificationState::Pending),
            error: one.error.clone(),
        }
    }
}
