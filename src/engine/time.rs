//! Time as the engine sees it: a value that the caller read, never a clock.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// One reading of both clocks. A grant is active only while both agree (so that setting the
/// wall clock back lengthens nothing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// The wall clock.
    pub wall: DateTime<Utc>,
    /// The monotonic clock: time since the process started.
    pub monotonic: Duration,
}
