//! Sessions and the caller.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One client connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionView {
    /// Its id, as in the log.
    pub id: String,
    /// The client's address and port.
    pub connection_from: String,
    /// Protocol version and cipher suite; absent before StartTLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// The subject it is bound as (DN); empty: anonymous.
    pub subject: String,
    /// How: `anonymous`, `simple`, a SASL mechanism.
    pub authentication: String,
    /// When it was accepted.
    pub since: DateTime<Utc>,
    /// The grants that its bind rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// What it waits for.
    pub outstanding: Vec<OutstandingView>,
}

/// One operation that is being answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutstandingView {
    /// The client's message id.
    pub message_id: i32,
    /// Which operation.
    pub operation: String,
    /// The entry or base it names.
    pub target: String,
    /// The grants it rests on.
    pub grants: Vec<String>,
    /// Whether it waits for a role that it asked for (`on_missing`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// The request that it waits for, once that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// Answer of `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MeView {
    /// The subject that the caller is (DN); absent where the configuration maps to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The local user, at the control socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_user: Option<String>,
    /// The subject of the client certificate, at the control port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The name behind `subject`, when the caller acts as another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub really: Option<String>,
    /// Whether the caller administers.
    pub administrator: bool,
    /// Whether the caller may see everything.
    pub auditor: bool,
    /// Whether the second factor was shown a short while ago.
    #[serde(default)]
    pub second_factor: bool,
}

/// Body of `POST /v1/sessions/{id}/kill`; may be absent altogether.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KillBody {
    /// Why; the client is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Answer of `POST /v1/sessions/{id}/kill`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KillView {
    /// The session that was told to end.
    pub killed: String,
}
