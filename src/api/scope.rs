//! What a role, request or grant opens, in terms of the directory.

use serde::{Deserialize, Serialize};

/// One line of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScopeView {
    /// The resource's name.
    pub resource: String,
    /// The DN where it begins.
    pub base: String,
    /// How far it goes: `base`, `one` or `subtree`.
    pub scope: String,
    /// The operations it opens.
    pub operations: Vec<String>,
    /// Only these attributes; absent: the entries as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<String>>,
    /// What in it has effects that outlast the grant (e.g. writing `member`), for a person to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permanent: Vec<String>,
}
