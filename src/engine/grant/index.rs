//! The grants that may be active, by subject: an immutable snapshot for the hot path.
//!
//! Whether one *is* active is compared with the clocks at each decision; nothing here expires.

use crate::engine::ldap::Dn;
use crate::engine::policy::{OperationSet, resource::ResourceIndex};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// One opening of a grant.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Which resource (of the policy the index was built for).
    pub resource: ResourceIndex,
    /// For which operations.
    pub operations: OperationSet,
    /// Only at or below this.
    pub base: Option<Dn>,
}

/// One grant, as decisions need it.
#[derive(Debug, Clone)]
pub struct ActiveGrant {
    /// The grant's id.
    pub id: Arc<str>,
    /// The request it came from.
    pub request: Arc<str>,
    /// The role's name.
    pub role: Arc<str>,
    /// Whose it is.
    pub subject: Dn,
    /// First instant, wall clock.
    pub from: DateTime<Utc>,
    /// First instant after it, wall clock.
    pub until: DateTime<Utc>,
    /// First instant after it on the monotonic clock, fixed when it was put in here.
    pub until_monotonic: Duration,
    /// What it opens.
    pub opens: Vec<Opening>,
}

/// Number of shards: a change copies one shard, so its cost does not grow with all grants.
const SHARDS: usize = 256;

/// All grants that have not ended, by subject.
#[derive(Debug, Clone)]
pub struct ActiveGrants {
    shards: Vec<Arc<HashMap<Dn, Vec<Arc<ActiveGrant>>>>>,
}
