//! The access decision: required against held. The only maker of a [`Permit`].
//!
//! Pure, and never remembered: whoever asks again gets a new decision on the snapshot of that moment.

mod acting;
mod asking;
mod bound;
pub mod controls;
mod decide;
mod explain;
mod holding;
mod membership;
mod rate;
mod refusal;
mod resolved;
pub mod root_dse;
mod trials;
mod understood;

use super::Now;
use super::grant::index::ActiveGrants;
use super::ldap::Dn;
use super::ldap::control::Control;
use super::ldap::request::Request;
use super::policy::groups::Groups;
use super::policy::{Policy, Subject};
use std::sync::Arc;

pub use super::policy::DirectoryFacts;
pub use acting::{acts_for, may_still_act};
pub use bound::decide_bound;
pub use decide::{Dependence, Permit, decide, standing_holds};
pub use explain::{Explanation, HeldBy, Touched, explain};
pub use membership::{unknown_bound, unknown_person};
pub use rate::SearchRates;
pub use refusal::{Asks, Refusal};
pub use trials::{TrialKey, Trials};
pub use understood::EXTENSIONS;

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
    /// Whether operations can be recorded. While they cannot, what needs a grant or standing access is refused.
    pub recording: bool,
    /// How often the searches of each subject reached what is hidden; shared by all snapshots.
    pub rates: Arc<SearchRates>,
    /// For whom the directory was seen to evaluate filters that exclude entries; shared by all snapshots.
    pub trials: Arc<Trials>,
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
    /// The subject of the client certificate that shows who this is, where one does.
    pub certificate: Option<&'a Dn>,
}

/// Permit or refusal.
#[derive(Debug)]
pub enum Decision {
    /// May be forwarded.
    Permitted(Permit),
    /// Must be answered here.
    Refused(Refusal),
}

#[cfg(test)]
mod tests;
