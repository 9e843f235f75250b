//! A request: one person asking for one role, with a reason. What it asks for never changes.

use super::stages::{Planned, Position};
use crate::engine::grant::basis::Basis;
use crate::engine::grant::history::{Entry, Identity, dn_text};
use crate::engine::grant::scope::{Scope, reach_word};
use crate::engine::ldap::Dn;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// Waits for reviews.
    Pending,
    /// Has all its approvals; there is a grant.
    Approved,
    /// Somebody said no.
    Denied,
    /// Taken back by who asked.
    Cancelled,
    /// Nobody decided in time.
    Lapsed,
}

/// The word for records and messages.
impl std::fmt::Display for RequestState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RequestState::Pending => "pending",
            RequestState::Approved => "approved",
            RequestState::Denied => "denied",
            RequestState::Cancelled => "cancelled",
            RequestState::Lapsed => "lapsed",
        })
    }
}

/// A reviewer's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No; one is enough.
    Deny,
}

/// One person's approve or deny.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// In whose name.
    pub who: Identity,
    /// Who really did it, when that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub really: Option<Identity>,
    /// What.
    pub verdict: Verdict,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// In which stage of its role, counted from 0.
    #[serde(default)]
    pub stage: usize,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `req-…`.
    pub id: String,
    /// Where it stands, as last written down.
    pub state: RequestState,
    /// Counts transitions, from 1.
    pub revision: u64,
    /// Who asked: who authenticated.
    pub requested_by: Identity,
    /// Who really asked, when that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub really: Option<Identity>,
    /// Whose the grant will be.
    #[serde(with = "dn_text")]
    pub subject: Dn,
    /// Which role, by name.
    pub role: String,
    /// Why.
    pub reason: String,
    /// The ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What it would open.
    pub scope: Scope,
    /// For how long.
    pub duration: Duration,
    /// From when, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it lapses unless decided. Does not eat into the access time.
    pub lapses: DateTime<Utc>,
    /// How many approvals it takes, as the role said when it was made.
    pub approvals: u32,
    /// The stages that decide, as the role had them when it was made.
    #[serde(default)]
    pub stages: Vec<Planned>,
    /// Which of them decides, as last written down.
    #[serde(default)]
    pub position: Position,
    /// On what it is approved, if it is.
    #[serde(default, skip_serializing_if = "Basis::is_reviews")]
    pub basis: Basis,
    /// The grant that it is to take over from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Nobody typed it: an operation was done without the role.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_doing: bool,
    /// Those given so far.
    pub reviews: Vec<Review>,
    /// The grant that came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Everything that happened to it, oldest first.
    pub history: Vec<Entry>,
}

impl Request {
    /// Where the request stands at `now`: what is over by the clock has lapsed, whether or not
    /// anybody has written that down yet.
    pub fn state_at(&self, now: DateTime<Utc>) -> RequestState {
        let over = || now >= self.lapses || self.position_at(now).is_none();
        if self.state == RequestState::Pending && over() { RequestState::Lapsed } else { self.state }
    }

    /// SHA-256, in hexadecimal, over all that a reviewer decides upon. Same digest, same request.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        // Each part with its length before it: no two requests have the same octets.
        let mut part = |octets: &[u8]| {
            hash.update((octets.len() as u64).to_be_bytes());
            hash.update(octets);
        };
        part(b"tidegate request 1");
        part(self.id.as_bytes());
        part(self.role.as_bytes());
        part(self.requested_by.to_string().as_bytes());
        part(self.really.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
        part(self.subject.text().as_bytes());
        part(self.reason.as_bytes());
        part(self.ticket.as_deref().unwrap_or_default().as_bytes());
        part(&self.duration.as_nanos().to_be_bytes());
        part(self.start.map(|start| start.to_rfc3339()).unwrap_or_default().as_bytes());
        part(self.extends.as_deref().unwrap_or_default().as_bytes());
        for entry in &self.scope.0 {
            part(entry.resource.as_bytes());
            part(entry.base.text().as_bytes());
            part(reach_word(entry.reach).as_bytes());
            let words: Vec<&str> = entry.operations.iter().map(|kind| kind.name()).collect();
            part(words.join(" ").as_bytes());
            let names: Vec<&str> = entry.attributes.iter().flat_map(|names| names.iter()).collect();
            part(names.join(" ").as_bytes());
        }
        hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// This, one transition later.
    pub(super) fn moved_on(&self, entry: Entry) -> Request {
        let mut next = Request { revision: entry.after, ..self.clone() };
        next.history.push(entry);
        next
    }
}
