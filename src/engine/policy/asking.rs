//! What becomes of an operation that is refused for want of a role: whether that role is asked for in its place, and
//! whether the operation waits until it is decided. Knows nothing of who asks.

use super::Policy;
use super::resource::ResourceIndex;
use super::role::Role;
use std::time::Duration;

/// What becomes of an operation for which a role is missing. The least comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnMissing {
    /// It is refused.
    Refuse,
    /// It is refused, and a request is made.
    Request,
    /// A request is made, and it waits for so long at most.
    Hold(Duration),
}

/// How many operations may wait at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBounds {
    /// Of one session.
    pub per_session: usize,
    /// Of all of them together.
    pub in_all: usize,
}

impl Default for HeldBounds {
    fn default() -> HeldBounds {
        HeldBounds { per_session: 8, in_all: 1024 }
    }
}

impl Role {
    /// Whether an operation says all that a request for it has to say: no ticket, and no code of the one who asks.
    pub fn can_be_asked_by_doing(&self) -> bool {
        self.ticket_pattern.is_none() && !self.second_factor.requester
    }
}

impl Policy {
    /// What becomes of an operation for which these resources are missing and `role` would open them: what the role
    /// itself says, else the least that any of the resources says.
    pub fn on_missing(&self, role: &Role, missing: impl Iterator<Item = ResourceIndex>) -> OnMissing {
        if !role.can_be_asked_by_doing() {
            return OnMissing::Refuse;
        }
        let said = missing.filter_map(|at| self.resource(at)?.on_missing);
        role.on_missing.or_else(|| said.min()).unwrap_or(OnMissing::Refuse)
    }
}
