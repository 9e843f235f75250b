//! The access decision: required against held. The only maker of a [`Permit`].

use super::grant::index::{ActiveGrant, ActiveGrants};
use super::ldap::control::Control;
use super::ldap::request::Request;
use super::ldap::{Dn, ResultCode};
use super::policy::resource::ResourceIndex;
use super::policy::selector::Groups;
use super::policy::{Policy, Subject};
use super::time::Now;
use std::sync::Arc;

/// What the directory said of itself, as far as decisions need it.
#[derive(Debug, Clone, Default)]
pub struct DirectoryFacts {
    /// What is reachable. Empty: not known yet, so that nothing but rootDSE and subschema is.
    pub naming_contexts: Vec<Dn>,
    /// The subschema subentry.
    pub subschema: Option<Dn>,
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

/// The proof that one operation may be forwarded. Made by [`decide`] and nowhere else.
#[derive(Debug)]
pub struct Permit {
    rests_on: Vec<Arc<ActiveGrant>>,
    resources: Vec<ResourceIndex>,
    redaction: super::redaction::Redaction,
    monitored: Option<Refusal>,
    upstream_controls: Vec<usize>,
}

/// The answer to an operation that has no permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the client gets.
    pub code: ResultCode,
    /// What the client is told (already opaque where the policy says so).
    pub message: String,
    /// Why, for the record: a fixed word or two.
    pub reason: &'static str,
    /// The resources that are touched and not held.
    pub missing: Vec<ResourceIndex>,
}

/// Permit or refusal.
#[derive(Debug)]
pub enum Decision {
    /// May be forwarded.
    Permitted(Permit),
    /// Must be answered here.
    Refused(Refusal),
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
