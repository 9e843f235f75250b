//! Errors as the control API tells them: problem details of RFC 9457.

use serde::{Deserialize, Serialize};

/// The media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem (RFC 9457 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, thiserror::Error)]
#[error("{}", detail.as_deref().unwrap_or(title))]
pub struct Problem {
    /// `urn:tidegate:problem:` and a fixed word, e.g. `stale-review`: what programs look at.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and, where it can be said, what would be right. Plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every error, where there can be several (a configuration that does not load).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// In how many seconds trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem of `word` with HTTP `status`.
    pub fn new(status: u16, title: &str, word: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("urn:tidegate:problem:{word}"),
            title: title.to_owned(),
            status,
            detail: Some(detail.into()),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// The fixed word in `type`, e.g. `stale-review`.
    pub fn word(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}
