//! From request to grant: eligibility, scope, review. Pure; knows no session and no store.

use serde::{Deserialize, Serialize};

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// Waits for reviews.
    Pending,
    /// Has all its approvals; there is a grant.
    Approved,
    /// Somebody said no.
    Denied,
    /// Taken back by who asked.
    Cancelled,
    /// Nobody decided in time.
    Lapsed,
}
