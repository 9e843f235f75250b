//! How many requests and grants there are, for those who watch the gate.

use super::Broker;
use crate::engine::grant::lifecycle::GrantState;
use crate::engine::workflow::RequestState;
use std::sync::atomic::Ordering;

/// How many there are now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that wait.
    pub pending: usize,
    /// Grants that are active.
    pub active: usize,
    /// Grants that are to begin.
    pub scheduled: usize,
    /// Break-glass grants that nobody has signed off.
    pub unsigned: usize,
    /// Subjects that are locked.
    pub locked: usize,
    /// How often a transition was decided again because somebody else was faster, since the start.
    pub conflicts: u64,
}

impl Broker {
    /// Counts them.
    pub fn counts(&self) -> Counts {
        let now = self.clock.now().wall;
        let grants = self.live.grants();
        let in_state = |state| grants.iter().filter(|grant| grant.state_at(now) == state).count();
        let waits = |request: &&crate::engine::workflow::Request| request.state_at(now) == RequestState::Pending;
        Counts {
            pending: self.live.pending().iter().filter(waits).count(),
            active: in_state(GrantState::Active),
            scheduled: in_state(GrantState::Scheduled),
            unsigned: self.live.unsigned().len(),
            locked: self.shared.locks.load().iter().count(),
            conflicts: self.conflicts.load(Ordering::Relaxed),
        }
    }
}
