//! The access decision: required against held. The only maker of a [`Permit`].
//!
//! Pure, and never remembered: whoever asks again gets a new decision on the snapshot of that moment.

pub mod controls;
mod decide;
mod explain;
mod holding;
mod refusal;
mod understood;

use super::Now;
use super::grant::index::{ActiveGrant, ActiveGrants};
use super::ldap::Dn;
use super::ldap::control::Control;
use super::ldap::request::Request;
use super::policy::resource::ResourceIndex;
use super::policy::selector::Groups;
use super::policy::{Policy, Subject};
use super::redaction::Redaction;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

pub use decide::decide;
pub use explain::{Explanation, HeldBy, Touched, explain};
pub use refusal::Refusal;
pub use understood::{EXTENSIONS, SASL_MECHANISMS};

/// What the directory said of itself, as far as decisions need it.
#[derive(Debug, Clone, Default)]
pub struct DirectoryFacts {
    /// What is reachable. Empty: not known yet, so that nothing but rootDSE and subschema is.
    pub naming_contexts: Vec<Dn>,
    /// The subschema subentry.
    pub subschema: Option<Dn>,
}

impl DirectoryFacts {
    /// Whether a name lies in a tree that is served.
    pub fn holds(&self, name: &Dn) -> bool {
        self.naming_contexts.iter().any(|context| name.is_surely_within(context))
    }
}

/// Everything a decision reads: immutable, replaced as a whole.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// As configured.
    pub policy: Arc<Policy>,
    /// As approved.
    pub grants: Arc<ActiveGrants>,
    /// As the directory says.
    pub groups: Arc<Groups>,
    /// As the directory says.
    pub directory: Arc<DirectoryFacts>,
    /// Whether operations can be recorded. While they cannot, what needs a grant is refused.
    pub recording: bool,
}

/// What is decided upon.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub subject: &'a Subject,
    /// What.
    pub request: &'a Request<'a>,
    /// With which controls.
    pub controls: &'a [Control<'a>],
    /// When.
    pub now: Now,
}

/// Permit or refusal.
#[derive(Debug)]
pub enum Decision {
    /// May be forwarded.
    Permitted(Permit),
    /// Must be answered here.
    Refused(Refusal),
}

/// The proof that one operation may be forwarded. Made by [`decide`] and nowhere else.
#[derive(Debug, Default)]
pub struct Permit {
    rests_on: Vec<Arc<ActiveGrant>>,
    /// The policy that it rests on, where it rests on a grant.
    policy: Option<Arc<Policy>>,
    resources: Vec<ResourceIndex>,
    redaction: Redaction,
    monitored: Option<Box<Refusal>>,
    forwarded: controls::Forwarded,
}

impl Permit {
    /// The grants without which this would have been refused or redacted.
    pub fn rests_on(&self) -> &[Arc<ActiveGrant>] {
        &self.rests_on
    }

    /// The resources that the operation touches.
    pub fn resources(&self) -> &[ResourceIndex] {
        &self.resources
    }

    /// What has to be taken out of the answer.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// What would have been refused, or redacted, were it not for monitoring.
    pub fn monitored(&self) -> Option<&Refusal> {
        self.monitored.as_deref()
    }

    /// The controls to forward, of those that were decided upon.
    pub fn controls<'c, 'a>(&self, asked: &'c [Control<'a>]) -> impl Iterator<Item = &'c Control<'a>> {
        let forwarded = self.forwarded;
        asked.iter().enumerate().filter(move |(position, _)| forwarded.contains(*position)).map(|(_, control)| control)
    }

    /// The earliest end of what it rests on, on the wall clock and on the monotonic one.
    pub fn ends(&self) -> Option<(DateTime<Utc>, Duration)> {
        let wall = self.rests_on.iter().map(|grant| grant.until).min()?;
        let monotonic = self.rests_on.iter().map(|grant| grant.until_monotonic).min()?;
        Some((wall, monotonic))
    }

    /// Whether what it rests on is still there and active, or another grant of the same role that
    /// opens the same has taken over (an extension leaves no gap).
    pub fn still_holds(&self, snapshot: &Snapshot, now: Now) -> bool {
        let same_policy = self.policy.as_ref().is_some_and(|policy| Arc::ptr_eq(policy, &snapshot.policy));
        self.rests_on.iter().all(|grant| {
            snapshot.grants.get(&grant.subject).any(|other| {
                let takes_over = same_policy && other.role == grant.role && other.opens == grant.opens;
                other.is_active(now) && (other.id == grant.id || takes_over)
            })
        })
    }
}

#[cfg(test)]
mod tests;
