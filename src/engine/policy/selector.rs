//! Selectors: `dn:`, `subtree:`, `group:`, `certificate:`, `local:`, `anyone`.

use crate::engine::ldap::Dn;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Names one or more people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this subject.
    Dn(Dn),
    /// This entry and those below it.
    Subtree(Dn),
    /// The members of this group, read from the directory.
    Group(Dn),
    /// The holder of a client certificate with this subject.
    Certificate(Dn),
    /// A user of this machine; only at the control socket.
    Local(String),
    /// Everybody who has a name.
    Anyone,
}

/// What is known of group membership, read from the directory by the daemon.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// By the group's DN.
    pub members: HashMap<Dn, Membership>,
}

/// One group's members at one moment.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The members' DNs.
    pub members: HashSet<Dn>,
    /// When the directory said so, on the monotonic clock. Older than [`GROUP_MAX_AGE`] counts as empty.
    pub read_at: Duration,
}

/// Membership is believed no longer than this.
pub const GROUP_MAX_AGE: Duration = Duration::from_secs(30);
