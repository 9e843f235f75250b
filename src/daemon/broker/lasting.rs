//! How long an active grant lasts on the monotonic clock.

use crate::daemon::store::record::Document;
use crate::engine::Now;
use crate::engine::grant::lifecycle::{Grant, GrantState};
use std::time::Duration;

/// Fixes the end of a grant that becomes active on the monotonic clock, before it is written down: over a restart,
/// too, setting the wall clock back lengthens nothing.
pub(super) fn fix_end(document: &mut Document, now: Now) {
    if let Document::Grant(grant) = document
        && grant.until_monotonic.is_none()
    {
        grant.until_monotonic = until_monotonic(grant, None, now);
    }
}

/// The end of an active grant on the monotonic clock; never later than it was `before`, or was fixed to be. A wall
/// clock that is behind what happened to the grant last was set back while nothing ran.
pub(super) fn until_monotonic(grant: &Grant, before: Option<Duration>, now: Now) -> Option<Duration> {
    (grant.state == GrantState::Active).then(|| {
        let wall = grant.history.last().map_or(now.wall, |entry| entry.at.max(now.wall));
        let left = (grant.until - wall).to_std().unwrap_or(Duration::ZERO);
        let until = now.monotonic.saturating_add(left);
        [before, grant.until_monotonic].into_iter().flatten().fold(until, Duration::min)
    })
}
