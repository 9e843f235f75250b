//! The life of a grant, as a pure state machine. Time is an argument; what was decided is a value.

use serde::{Deserialize, Serialize};

/// Where a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantState {
    /// Approved; begins later.
    Scheduled,
    /// Opens what it opens, while time says so too.
    Active,
    /// Its time was over.
    Expired,
    /// Ended early by its holder.
    Released,
    /// Ended by somebody else, or because the configuration stopped allowing it.
    Revoked,
}
