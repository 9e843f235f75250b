//! The life of a grant, as a pure state machine: scheduled -> active -> expired | released |
//! revoked. Time is an argument; who may do what was decided before (`workflow`).

use super::basis::Basis;
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
    /// Who really asked, when that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub really: Option<Identity>,
    /// Why it was requested, as the requester wrote it. Empty for grants of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The ticket that its request names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What it opens.
    pub scope: Scope,
    /// On what its request was approved.
    #[serde(default, skip_serializing_if = "Basis::is_reviews")]
    pub basis: Basis,
    /// Who approved it: they must still be approvers when it becomes active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<Identity>,
    /// The grant that it takes over from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Whether an auditor has signed it off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed_off: bool,
    /// Whether its holder was told that it is about to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warned: bool,
    /// Where it stands. Whether it opens anything is compared with the time as well.
    pub state: GrantState,
    /// Counts transitions, from 1.
    pub revision: u64,
    /// First instant. Fixed when the grant becomes active; until then as approved.
    pub from: DateTime<Utc>,
    /// First instant after it. Fixed like `from`; becomes earlier when the role's cap did, never later.
    pub until: DateTime<Utc>,
    /// First instant after it on the monotonic clock, fixed when it is written down as active; never later than
    /// what the wall clock said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_monotonic: Option<Duration>,
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
    /// It is about to end: its holder is to be told so, once.
    Warn,
    /// Its holder is done.
    Release(&'a Actor),
    /// Somebody who may ends it.
    Revoke(&'a Actor, &'a str),
    /// Holder, role or resource no longer qualify, for this reason.
    Disallow(&'a str),
    /// The grant that it was to take over from ended early, as this one shows.
    With(&'a Grant),
    /// An auditor has seen what was done with it; what they say about that.
    SignOff(&'a Actor, Option<&'a str>),
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
    /// What was done with it cannot be judged while more can be done.
    #[error("the grant has not ended: it is signed off when it has")]
    NotEnded,
    /// It was reviewed before.
    #[error("only a break-glass grant is signed off")]
    NotBreakGlass,
    /// Once is enough.
    #[error("the grant is signed off already")]
    SignedOff,
    /// Once is enough.
    #[error("its holder was told already that it is about to end")]
    Warned,
}

/// How long before its time a grant that takes over from another is made ready, so that there is no
/// gap. It opens nothing before its time.
const MADE_READY: TimeDelta = TimeDelta::seconds(10);

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
    /// Who really asked, when that is somebody else.
    pub really: Option<&'a Identity>,
    /// Why it was requested.
    pub reason: &'a str,
    /// The ticket that the request names.
    pub ticket: Option<&'a str>,
    /// What it opens.
    pub scope: &'a Scope,
    /// When it is to begin, if not at once.
    pub start: Option<DateTime<Utc>>,
    /// For how long; capped already.
    pub duration: Duration,
    /// Who gave the last approval; `None`: nobody did.
    pub by: Option<&'a Actor>,
    /// On what it was approved.
    pub basis: Basis,
    /// Who approved it.
    pub approved_by: Vec<Identity>,
    /// The grant that it takes over from.
    pub extends: Option<String>,
}

impl Grant {
    /// A new grant: active at once, or scheduled when its start lies ahead. A start that passed
    /// while the request waited does not eat into the time.
    pub fn begin(approved: Approved<'_>, now: DateTime<Utc>) -> (Grant, Effect) {
        let from = approved.start.map_or(now, |start| start.max(now));
        let active = from <= now;
        let granted = match approved.by {
            Some(actor) => Entry::by(Happened::Granted, actor, now, None, 0),
            None => Entry::by_itself(Happened::Granted, now, None, 0),
        };
        let mut history = vec![granted];
        if active {
            history.push(Entry::by_itself(Happened::Activated, now, None, 0));
        }
        let grant = Grant {
            id: approved.id,
            request: approved.request.to_owned(),
            role: approved.role.to_owned(),
            subject: approved.subject.clone(),
            requested_by: approved.requested_by.clone(),
            really: approved.really.cloned(),
            reason: approved.reason.to_owned(),
            ticket: approved.ticket.map(str::to_owned),
            scope: approved.scope.clone(),
            basis: approved.basis,
            approved_by: approved.approved_by,
            extends: approved.extends,
            signed_off: false,
            warned: false,
            state: if active { GrantState::Active } else { GrantState::Scheduled },
            revision: 1,
            from,
            until: after(from, approved.duration),
            until_monotonic: None,
            ended: None,
            history,
        };
        (grant, if active { Effect::Open } else { Effect::Nothing })
    }

    /// Where the grant stands at `now`: what is over by the clock is expired, whether or not
    /// anybody has written that down yet.
    pub fn state_at(&self, now: DateTime<Utc>) -> GrantState {
        match self.state {
            GrantState::Scheduled | GrantState::Active if now >= self.until => GrantState::Expired,
            // Made ready before its time.
            GrantState::Active if now < self.from => GrantState::Scheduled,
            state @ (GrantState::Scheduled
            | GrantState::Active
            | GrantState::Expired
            | GrantState::Released
            | GrantState::Revoked) => state,
        }
    }

    /// Whether an auditor still has to look at it.
    pub fn is_unsigned(&self) -> bool {
        self.basis.is_break_glass() && !self.signed_off
    }

    /// When it can become active: at its time, or a little before if it takes over from another.
    pub fn ready(&self) -> DateTime<Utc> {
        match self.extends {
            Some(_) => self.from.checked_sub_signed(MADE_READY).unwrap_or(self.from),
            None => self.from,
        }
    }

    /// When the clock next does something to it.
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        match self.state {
            GrantState::Scheduled => Some(self.ready()),
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
                if now < self.ready() {
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
            (
                GrantState::Scheduled | GrantState::Active,
                Event::Release(_) | Event::Revoke(..) | Event::With(_) | Event::Warn,
            ) if over => Err(LifecycleError::Ended(GrantState::Expired)),
            (GrantState::Scheduled, Event::Warn) => Err(LifecycleError::NotYet),
            (GrantState::Active, Event::Warn) => {
                if self.warned {
                    return Err(LifecycleError::Warned);
                }
                let entry = Entry::by_itself(Happened::Warned, now, None, self.revision);
                Ok((Grant { warned: true, ..self.moved_on(entry) }, Effect::Nothing))
            }
            (GrantState::Scheduled | GrantState::Active, Event::Release(actor)) => {
                let entry = Entry::by(Happened::Released, actor, now, None, self.revision);
                Ok(self.end(GrantState::Released, entry))
            }
            (GrantState::Scheduled | GrantState::Active, Event::Revoke(actor, reason)) => {
                let entry = Entry::by(Happened::Revoked, actor, now, Some(reason), self.revision);
                Ok(self.end(GrantState::Revoked, entry))
            }
            (GrantState::Scheduled | GrantState::Active, Event::With(other)) => Ok(self.end_with(other, now)),
            (GrantState::Scheduled | GrantState::Active, Event::Disallow(reason)) => {
                if over {
                    return Ok(self.expire(now, self.until));
                }
                let entry = Entry::by_itself(Happened::Revoked, now, Some(reason), self.revision);
                Ok(self.end(GrantState::Revoked, entry))
            }
            (GrantState::Scheduled | GrantState::Active, Event::SignOff(..)) => Err(match self.basis {
                Basis::Reviews | Basis::Automatic(_) => LifecycleError::NotBreakGlass,
                Basis::BreakGlass => LifecycleError::NotEnded,
            }),
            (GrantState::Expired | GrantState::Released | GrantState::Revoked, Event::SignOff(actor, note)) => {
                match (self.basis, self.signed_off) {
                    (Basis::Reviews | Basis::Automatic(_), _) => Err(LifecycleError::NotBreakGlass),
                    (Basis::BreakGlass, true) => Err(LifecycleError::SignedOff),
                    (Basis::BreakGlass, false) => {
                        let entry = Entry::by(Happened::SignedOff, actor, now, note, self.revision);
                        Ok((Grant { signed_off: true, ..self.moved_on(entry) }, Effect::Nothing))
                    }
                }
            }
            (
                GrantState::Expired | GrantState::Released | GrantState::Revoked,
                Event::Activate { .. }
                | Event::Deadline
                | Event::Warn
                | Event::Release(_)
                | Event::Revoke(..)
                | Event::Disallow(_)
                | Event::With(_),
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

    /// By the same hand and for the same reason as another.
    fn end_with(&self, other: &Grant, now: DateTime<Utc>) -> (Grant, Effect) {
        let (state, what) = match other.state {
            GrantState::Released => (GrantState::Released, Happened::Released),
            GrantState::Scheduled | GrantState::Active | GrantState::Expired | GrantState::Revoked => {
                (GrantState::Revoked, Happened::Revoked)
            }
        };
        let why = format!("the grant {} that it extends was {}", other.id, what.word());
        let own = Entry::by_itself(what, now, Some(&why), self.revision);
        let entry = match other.history.last().filter(|last| last.what == what) {
            Some(last) => {
                Entry { by: last.by.clone(), acting_as: last.acting_as.clone(), from: last.from.clone(), ..own }
            }
            None => own,
        };
        self.end(state, entry)
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
