//! What ended long ago is moved out of the way of what has not: into the archive, where it is found by its id, and by
//! lists that include the archive.

use super::Broker;
use crate::daemon::store::{Change, List, StoreError};
use chrono::TimeDelta;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long after its end something is moved, unless the configuration says otherwise.
pub(super) const AFTER: Duration = Duration::from_secs(30 * 86_400);

/// How many records are moved in one commit.
const AT_ONCE: usize = 100;

impl Broker {
    /// From here on, what has ended is moved to the archive after so long.
    pub fn archive_after(&self, after: Duration) {
        self.archive_after.store(after.as_secs(), Ordering::Relaxed);
    }

    /// Moves what is due, or a part of it: whether there may be more.
    pub(super) fn archive(&self) -> bool {
        match self.try_archive() {
            Ok(moved) => moved == AT_ONCE,
            Err(error) => {
                tracing::warn!(%error, "what ended long ago cannot be archived");
                false
            }
        }
    }

    fn try_archive(&self) -> Result<usize, StoreError> {
        let after = i64::try_from(self.archive_after.load(Ordering::Relaxed)).ok().and_then(TimeDelta::try_seconds);
        let Some(before) = after.and_then(|after| self.clock.now().wall.checked_sub_signed(after)) else {
            return Ok(0);
        };
        let before = List::key(Some(before), "");
        // The oldest entry shows whether anything is due.
        let first = self.store.list(&List::Ended, &[], 1)?;
        if first.first().is_none_or(|first| first.key >= before) {
            return Ok(0);
        }
        let mut changes = Vec::new();
        for one in self.store.list(&List::Ended, &[], AT_ONCE)? {
            if one.key < before
                && let Some(record) = self.store.get(&one.id)?
            {
                changes.push(Change::Archive { id: one.id, revision: record.revision });
            }
        }
        let count = changes.len();
        match self.store.apply(changes, Box::new(|| {})) {
            Ok(()) => Ok(count),
            // Somebody changed one of them: the next time.
            Err(StoreError::Conflict(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }
}
