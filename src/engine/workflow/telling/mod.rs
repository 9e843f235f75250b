//! Telling people: what waits to be told (this file), who is told (`people`), in what words (`words`), as
//! what mail (`mail`). Knows no network; when to try again is decided here, with time and chance as
//! arguments.

pub mod mail;
pub mod people;
pub mod words;

use super::request::{Request, RequestState};
use super::{Lock, Notice};
use crate::engine::grant::history::dn_text;
use crate::engine::grant::lifecycle::{Grant, GrantState};
use crate::engine::ldap::Dn;
use crate::engine::text::visible;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long something is tried before it is given up.
pub const GIVE_UP: TimeDelta = TimeDelta::hours(24);

/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);

/// The longest pause, whatever a receiver asks for.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);

/// The longest text of a failure that is kept, in characters.
const MAX_ERROR: usize = 300;

/// To whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Receiver {
    /// Everybody who is to be told; not yet made into one delivery each.
    All,
    /// A webhook of the configuration.
    Webhook {
        /// Its name.
        name: String,
    },
    /// Everybody who is told by mail; who that is, is yet to be found out.
    People,
    /// One person, by mail.
    Person {
        /// Who.
        #[serde(with = "dn_text")]
        dn: Dn,
    },
}

/// The word or two for lists and records.
impl std::fmt::Display for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Receiver::All => f.write_str("all"),
            Receiver::Webhook { name } => write!(f, "webhook {name}"),
            Receiver::People => f.write_str("mail"),
            Receiver::Person { dn } => write!(f, "mail {}", dn.text()),
        }
    }
}

/// Whether it is still tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotificationState {
    /// It is.
    Pending,
    /// It was given up: a dead letter.
    Dead,
}

/// Something that is to be told to somebody. What was told is no longer there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// `note-…`: the same at every try.
    pub id: String,
    /// Counts changes, from 1.
    pub revision: u64,
    /// What is told.
    pub notice: Notice,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// To whom.
    pub to: Receiver,
    /// Whether it is still tried.
    pub state: NotificationState,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it is tried.
    pub since: DateTime<Utc>,
    /// Not before this.
    pub next: DateTime<Utc>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a try went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was told.
    Delivered,
    /// Nobody needs to hear it any more.
    Overtaken,
    /// Not now.
    Later {
        /// Why.
        why: String,
        /// How long the receiver asks to be left alone.
        after: Option<TimeDelta>,
    },
    /// Not like this.
    Never {
        /// Why.
        why: String,
    },
}

/// What is on record of what a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// A request, and its grant if there is one.
    Request(Box<Request>, Option<Box<Grant>>),
    /// A grant, and the request it came from.
    Grant(Box<Grant>, Box<Request>),
    /// A lock.
    Lock(Box<Lock>),
}

impl Notification {
    /// That something happened, for everybody who is to be told.
    pub fn new(id: String, notice: Notice, at: DateTime<Utc>) -> Notification {
        Notification {
            id,
            revision: 1,
            notice,
            at,
            to: Receiver::All,
            state: NotificationState::Pending,
            attempts: 0,
            since: at,
            next: at,
            error: None,
        }
    }

    /// The same for one receiver.
    pub fn for_one(&self, id: String, to: Receiver, now: DateTime<Utc>) -> Notification {
        Notification { id, to, since: now, next: now, ..Notification::new(String::new(), self.notice.clone(), self.at) }
    }

    /// What is left to be done after a try; `None`: nothing. `chance` is any number.
    pub fn after(&self, outcome: &Outcome, now: DateTime<Utc>, chance: u64) -> Option<Notification> {
        let attempts = self.attempts.saturating_add(1);
        let tried = |why: &str| Notification {
            revision: self.revision.saturating_add(1),
            attempts,
            error: Some(visible(why).chars().take(MAX_ERROR).collect()),
            ..self.clone()
        };
        match outcome {
            Outcome::Delivered | Outcome::Overtaken => None,
            Outcome::Never { why } => Some(Notification { state: NotificationState::Dead, ..tried(why) }),
            Outcome::Later { why, after } => {
                let next = now.checked_add_signed(pause(attempts, *after, chance)).unwrap_or(now);
                // A clock that was set back does not make it immortal: the attempts are counted, too.
                let over = next.signed_duration_since(self.since) > GIVE_UP || attempts >= MOST_ATTEMPTS;
                let state = if over { NotificationState::Dead } else { NotificationState::Pending };
                Some(Notification { state, next, ..tried(why) })
            }
        }
    }

    /// The same, given up for a reason that is not a receiver's.
    pub fn given_up(&self, why: &str) -> Notification {
        let revision = self.revision.saturating_add(1);
        Notification { revision, state: NotificationState::Dead, error: Some(why.to_owned()), ..self.clone() }
    }

    /// The same, tried from the beginning.
    pub fn again(&self, now: DateTime<Utc>) -> Notification {
        Notification {
            revision: self.revision.saturating_add(1),
            state: NotificationState::Pending,
            attempts: 0,
            since: now,
            next: now,
            ..self.clone()
        }
    }
}

/// More tries than fit into [`GIVE_UP`] with the pauses that there are.
const MOST_ATTEMPTS: u32 = 100;

/// How long to wait after so many tries: doubling, up to an hour, and up to half of it taken off by
/// chance, so that those who failed together do not all come back together. A receiver may ask for more,
/// up to an hour.
fn pause(attempts: u32, asked: Option<TimeDelta>, chance: u64) -> TimeDelta {
    let doublings = attempts.saturating_sub(1).min(20);
    let whole = FIRST_PAUSE.checked_mul(1 << doublings).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
    let half = whole.num_milliseconds() / 2;
    let part = i64::try_from(chance % u64::try_from(half + 1).unwrap_or(1)).unwrap_or(0);
    let own = TimeDelta::milliseconds(half + part);
    asked.map_or(own, |asked| own.max(asked.min(LONGEST_PAUSE)))
}

impl Notice {
    /// Whether nobody needs to hear it any more at `now`: what it asks people to do can no longer be done.
    pub fn is_overtaken(&self, facts: &Facts, now: DateTime<Utc>) -> bool {
        match (self, facts) {
            (Notice::Waits { stage, .. }, Facts::Request(request, _)) => {
                request.state_at(now) != RequestState::Pending
                    || request.position_at(now).is_none_or(|position| position.stage != *stage)
            }
            (Notice::Ending { .. }, Facts::Grant(grant, _)) => grant.state_at(now) != GrantState::Active,
            (Notice::Locked { .. }, Facts::Lock(lock)) => !lock.locked,
            (
                Notice::BreakGlass { .. }
                | Notice::Approved { .. }
                | Notice::Denied { .. }
                | Notice::Lapsed { .. }
                | Notice::Revoked { .. },
                _,
            ) => false,
            (Notice::Waits { .. } | Notice::Ending { .. } | Notice::Locked { .. }, _) => true,
        }
    }
}
