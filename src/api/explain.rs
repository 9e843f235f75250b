//! What would happen to an operation now, and why.

use super::DurationText;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/explain`: one operation of one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainBody {
    /// Whose operation (DN); empty: anonymous.
    #[serde(rename = "as")]
    pub as_subject: String,
    /// `bind`, `search`, `compare`, `add`, `modify`, `delete`, `rename` or `password`.
    pub operation: String,
    /// The entry, or the base of a search.
    pub target: String,
    /// Of a search: `base`, `one` or `subtree` (default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Of a search: RFC 4515; `(objectClass=*)` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Of a search: what is asked for. Of compare, add and modify: what is touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// Of a rename: the new name (a DN of one part).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_rdn: Option<String>,
    /// Of a rename: the new parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_superior: Option<String>,
}

/// Permit or refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExplainDecision {
    /// It would be forwarded.
    Permitted,
    /// It would be answered by the gate.
    Refused,
}

/// A role that an operation asks for when it is done without it (`on_missing`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AsksView {
    /// Which.
    pub role: String,
    /// How long the operation waits for it; absent: it is refused at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_for: Option<DurationText>,
}

/// A grant that the permit would rest on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeldBy {
    /// The grant.
    pub grant: String,
    /// Its request.
    pub request: String,
    /// Its role.
    pub role: String,
    /// When it ends.
    pub until: DateTime<Utc>,
}

/// Answer of `POST /v1/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExplainView {
    /// Permitted or refused.
    pub decision: ExplainDecision,
    /// The LDAP result code that a refusal would have; 0 when permitted.
    pub code: u32,
    /// What the client would be told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Why, in a fixed word or two. `redacted`, of a permitted search: something is left out that is not named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The resources that the operation touches, as far as the decision says. To those who neither administer nor audit,
    /// only those that they hold, or that a role opens that they may request.
    pub resources: Vec<String>,
    /// Those of them that are not held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The roles that open what is missing and that the subject may request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Those that the subject may only activate in an emergency (`break_glass`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub break_glass_roles: Vec<String>,
    /// The role that the operation would ask for, and whether it would wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<AsksView>,
    /// The grants it would rest on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<HeldBy>,
    /// Resources whose entries would be taken out of a search's answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
    /// In monitor mode: it is permitted, but enforcing would refuse or redact it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub monitored: bool,
}
