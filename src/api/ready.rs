//! Whether the gate serves, and what.

use crate::engine::access::DirectoryFacts;
use crate::engine::ldap::Dn;
use serde::{Deserialize, Serialize};

/// What a gate that is ready says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReadyView {
    /// `ready`.
    pub status: String,
    /// The directory's trees that are served: DNs.
    pub trees: Vec<String>,
    /// Those that are not; only at the control socket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutView>,
}

/// A tree of the directory that is not served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeftOutView {
    /// Its DN.
    pub tree: String,
    /// Why.
    pub why: String,
}

impl ReadyView {
    /// What is served, by these facts.
    pub fn of(facts: &DirectoryFacts) -> ReadyView {
        let left_out = facts.left_out.iter();
        ReadyView {
            status: "ready".to_owned(),
            trees: facts.naming_contexts.iter().map(Dn::to_string).collect(),
            left_out: left_out
                .map(|left_out| LeftOutView { tree: left_out.context.to_string(), why: left_out.why.clone() })
                .collect(),
        }
    }
}
