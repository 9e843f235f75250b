//! The life of a grant, as a pure state machine: scheduled -> active -> expired | released |
//! revoked. Time is an argument; who may do what was decided before (`workflow`).

use super::history::{Actor, Entry, Happened, Identity, dn_text};
use super::scope::Scope;
use crate::engine::ldap::Dn;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantState {
    /// Approved; begins later.
    Scheduled,
    /// Opens what it opens, while time says so too.
    Active,
    /// Its time was over.
    Expired,
    /// Ended early by its holder.
    Released,
    /// Ended by somebody else, or because the configuration stopped allowing it.
    Revoked,
}

/// The word for records and messages.
impl std::fmt::Display for GrantState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            GrantState::Scheduled => "scheduled",
            GrantState::Active => "active",
            GrantState::Expired => "expired",
            GrantState::Released => "released",
            GrantState::Revoked => "revoked",
        })
    }
}

/// An approved request's window of access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `grant-…`.
    pub id: String,
    /// The request it came from.
    pub request: String,
    /// Which role, by name.
    pub role: String,
    /// Whose it is.
    #[serde(with = "dn_text")]
    pub subject: Dn,
    /// Who asked for it.
    pub requested_by: Identity,
    /// What it opens.
    pub scope: Scope,
    /// Where it stands. Whether it opens anything is compared with the time as well.
    pub state: GrantState,
    /// Counts transitions, from 1.
    pub revision: u64,
    /// First instant. Fixed when the grant becomes active; until then as approved.
    pub from: DateTime<Utc>,
    /// First instant after it. Fixed like `from`; becomes earlier when the role's cap did, never later.
    pub until: DateTime<Utc>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    /// Everything that happened to it, oldest first.
    pub history: Vec<Entry>,
}

/// What can happen to a grant.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Its start has come, holder and role qualify, and the role allows at most this long.
    Activate {
        /// The role's cap as configured now.
        max_duration: Duration,
    },
    /// The clock moved.
    Deadline,
    /// Its holder is done.
    Release(&'a Actor),
    /// Somebody who may ends it.
    Revoke(&'a Actor, &'a str),
    /// Holder, role or resource no longer qualify, for this reason.
    Disallow(&'a str),
}

/// What is to be done about the index that decisions read, once the transition is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// Put the grant in.
    Open,
    /// Take the grant out.
    Close,
}

/// Why an event does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleError {
    /// It has ended already.
    #[error("the grant is {0} already")]
    Ended(GrantState),
    /// It began already.
    #[error("the grant is active already")]
    Active,
    /// Its time has not come.
    #[error("it is not time yet")]
    NotYet,
}

impl GrantState {
    /// Whether nothing can happen any more.
    pub fn is_end(self) -> bool {
        match self {
            GrantState::Scheduled | GrantState::Active => false,
            GrantState::Expired | GrantState::Released | GrantState::Revoked => true,
        }
    }
}

/// What an approved request comes to.
#[derive(Debug, Clone)]
pub struct Approved<'a> {
    /// The new grant's id.
    pub id: String,
    /// The request.
    pub request: &'a str,
    /// Which role.
    pub role: &'a str,
    /// Whose it will be.
    pub subject: &'a Dn,
    /// Who asked.
    pub requested_by: &'a Identity,
    /// What it opens.
    pub scope: &'a Scope,
    /// When it is to begin, if not at once.
    pub start: Option<DateTime<Utc>>,
    /// For how long; capped already.
    pub duration: Duration,
    /// Who gave the last approval.
    pub by: &'a Actor,
}

impl Grant {
    /// A new grant: active at once, or scheduled when its start lies ahead. A start that passed
    /// while the request waited does not eat into the time.
    pub fn begin(approved: Approved<'_>, now: DateTime<Utc>) -> (Grant, Effect) {
        let from = approved.start.map_or(now, |start| start.max(now));
        let active = from <= now;
        let mut history = vec![Entry::by(Happened::Granted, approved.by, now, None, 0)];
        if active {
            history.push(Entry::by_itself(Happened::Activated, now, None, 0));
        }
        let grant = Grant {
            id: approved.id,
            request: approved.request.to_owned(),
            role: approved.role.to_owned(),
            subject: approved.subject.clone(),
            requested_by: approved.requested_by.clone(),
            scope: approved.scope.clone(),
            state: if active { GrantState::Active } else { GrantState::Scheduled },
            revision: 1,
            from,
            until: after(from, approved.duration),
            ended: None,
            history,
        };
        (grant, if active { Effect::Open } else { Effect::Nothing })
    }

    /// Where the grant stands at `now`: what is over by the clock is expired, whether or not
    /// anybody has written that down yet.
    pub fn state_at(&self, now: DateTime<Utc>) -> GrantState {
        if !self.state.is_end() && now >= self.until { GrantState::Expired } else { self.state }
    }

    /// When the clock next does something to it.
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        match self.state {
            GrantState::Scheduled => Some(self.from.min(self.until)),
            GrantState::Active => Some(self.until),
            GrantState::Expired | GrantState::Released | GrantState::Revoked => None,
        }
    }

    /// The grant after `event`, and what to do about the index.
    ///
    /// # Errors
    /// The event does not fit state and time. Nothing changes then.
    pub fn step(&self, event: Event<'_>, now: DateTime<Utc>) -> Result<(Grant, Effect), LifecycleError> {
        let over = now >= self.until;
        match (self.state, event) {
            (GrantState::Scheduled, Event::Activate { max_duration }) => {
                if now < self.from {
                    return Err(LifecycleError::NotYet);
                }
                let until = self.until.min(after(self.from, max_duration));
                if now >= until { Ok(self.expire(now, until)) } else { Ok(self.activate(now, until)) }
            }
            (GrantState::Active, Event::Activate { .. }) => Err(LifecycleError::Active),
            (GrantState::Scheduled | GrantState::Active, Event::Deadline) => {
                if over {
                    Ok(self.expire(now, self.until))
                } else {
                    Err(LifecycleError::NotYet)
                }
            }
            // The deadline is part of the condition: who comes after it is told that it is over.
            (GrantState::Scheduled | GrantState::Active, Event::Release(_) | Event::Revoke(..)) if over => {
                Err(LifecycleError::Ended(GrantState::Expired))
            }
            (GrantState::Scheduled | GrantState::Active, Event::Release(actor)) => {
                let entry = Entry::by(Happened::Released, actor, now, None, self.revision);
                Ok(self.end(GrantState::Released, entry))
            }
            (GrantState::Scheduled | GrantState::Active, Event::Revoke(actor, reason)) => {
                let entry = Entry::by(Happened::Revoked, actor, now, Some(reason), self.revision);
                Ok(self.end(GrantState::Revoked, entry))
            }
            (GrantState::Scheduled | GrantState::Active, Event::Disallow(reason)) => {
                if over {
                    return Ok(self.expire(now, self.until));
                }
                let entry = Entry::by_itself(Happened::Revoked, now, Some(reason), self.revision);
                Ok(self.end(GrantState::Revoked, entry))
            }
            (
                GrantState::Expired | GrantState::Released | GrantState::Revoked,
                Event::Activate { .. } | Event::Deadline | Event::Release(_) | Event::Revoke(..) | Event::Disallow(_),
            ) => Err(LifecycleError::Ended(self.state)),
        }
    }

    fn activate(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> (Grant, Effect) {
        let entry = Entry::by_itself(Happened::Activated, now, None, self.revision);
        (Grant { state: GrantState::Active, until, ..self.moved_on(entry) }, Effect::Open)
    }

    fn expire(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> (Grant, Effect) {
        let entry = Entry::by_itself(Happened::Expired, now, None, self.revision);
        // It ended when its time was over, however late that is written down.
        let grant = Grant { state: GrantState::Expired, until, ended: Some(until), ..self.moved_on(entry) };
        (grant, Effect::Close)
    }

    fn end(&self, state: GrantState, entry: Entry) -> (Grant, Effect) {
        (Grant { state, ended: Some(entry.at), ..self.moved_on(entry) }, Effect::Close)
    }

    fn moved_on(&self, entry: Entry) -> Grant {
        let mut next = Grant { revision: entry.after, ..self.clone() };
        next.history.push(entry);
        next
    }
}

/// `duration` after `from`; the end of time, should it lie beyond.
pub fn after(from: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| from.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests;
