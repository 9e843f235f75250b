//! What a reload takes over, opens, closes and ends; what a configuration would.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/reload`; may be absent altogether.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadBody {
    /// Only say what would happen; nothing is taken over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Answer of `POST /v1/reload`. One that fails is a problem (422) with every error in `errors`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReloadView {
    /// Nothing was taken over: this is what would happen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What was taken over, a line each: `policy`, `certificates`, …
    pub reloaded: Vec<String>,
    /// What is different, and what it does.
    #[serde(default)]
    pub difference: DifferenceView,
}

/// What a configuration does, compared with the one in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DifferenceView {
    /// The configuration in force before: the first sixteen hexadecimal digits of its SHA-256.
    pub before: String,
    /// The other one.
    pub after: String,
    /// What somebody can do that they could not, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opens: Vec<String>,
    /// What opens, closes, or does both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// What somebody can do no longer, and nobody instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<String>,
    /// Grants that end because the configuration does not allow them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<EndView>,
    /// How many sessions have something under way, or are bound, that rests on these grants: that is cut.
    #[serde(default)]
    pub sessions_cut: usize,
    /// What is different and needs a restart, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs_restart: Vec<String>,
}

/// A grant that a configuration does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndView {
    /// `grant-…`.
    pub grant: String,
    /// Whose it is (DN).
    pub subject: String,
    /// Which role.
    pub role: String,
    /// Why it ends.
    pub reason: String,
}

/// Body of `POST /v1/policy/lint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LintBody {
    /// The text of a configuration. Paths in it are the gate's, relative to the folder of the one in force.
    pub configuration: String,
    /// What errors call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Also say what it would do, compared with the one in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub against_running: bool,
}

/// Answer of `POST /v1/policy/lint`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LintView {
    /// Everything that is wrong, a line each.
    pub errors: Vec<String>,
    /// What is valid and looks wrong, a line each.
    pub warnings: Vec<String>,
    /// What it would do; absent where it was not asked for, or there are errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceView>,
}
