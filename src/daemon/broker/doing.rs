//! Requests that are made because an operation was done without a role (`on_missing`): one for all that wait, none
//! for a while after a no; and those who wait for what becomes of one.

use super::membership::names_of;
use super::{Broker, BrokerError, Document};
use crate::engine::Now;
use crate::engine::grant::history::Actor;
use crate::engine::grant::index::ActiveGrants;
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use crate::engine::workflow::asking::{Wish, check_holder_unlocked};
use crate::engine::workflow::{Request, RequestState};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For so long after somebody said no, or after it was taken back, no operation asks for that role again: what tries
/// again and again would ring those who decide again and again. People can ask all the while.
pub(super) const QUIET: Duration = Duration::from_secs(3_600);

/// What an operation asks for.
pub struct Doing<'a> {
    /// Which role.
    pub role: &'a str,
    /// What was done, as the gate says it.
    pub reason: &'a str,
    /// Who did it, from where.
    pub actor: &'a Actor,
    /// Whose grant it would be: who did it.
    pub subject: &'a Dn,
    /// The grants on which the operation was refused.
    pub seen: &'a ActiveGrants,
}

/// What came of it.
pub enum Done {
    /// A request waits, made now or before.
    Waits {
        /// Its id.
        request: String,
        /// Keeps what is to be called registered.
        waiting: Waiting,
    },
    /// It was approved, perhaps by somebody else a moment ago.
    Granted {
        /// The request that was.
        request: String,
    },
    /// No request is made: one was decided a short while ago.
    Lately {
        /// Which.
        request: String,
        /// How: denied or cancelled.
        state: RequestState,
    },
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In this state.
    Decided(RequestState),
    /// Its subject is locked, so that it opens nothing.
    Locked,
}

/// Somebody waits for the end of a request, until this is dropped.
#[derive(Debug)]
pub struct Waiting {
    waiters: Arc<Waiters>,
    request: String,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.waiters.lock();
        if let Some(list) = inner.waiting.get_mut(&self.request) {
            list.retain(|waiter| waiter.number != self.number);
            if list.is_empty() {
                inner.waiting.remove(&self.request);
            }
        }
    }
}

type Tell = Box<dyn FnOnce(&str, End) + Send>;

struct Waiter {
    number: u64,
    subject: Dn,
    tell: Tell,
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Waiter").field(&self.number).finish()
    }
}

/// Those who wait, and what is not asked for again for a while.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    /// By request.
    waiting: HashMap<String, Vec<Waiter>>,
    /// By subject and role: until when, and what was decided.
    quiet: HashMap<(Dn, String), (Duration, String, RequestState)>,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole or not begun.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(self: &Arc<Waiters>, request: &str, subject: &Dn, tell: Tell) -> Waiting {
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        let waiter = Waiter { number, subject: subject.clone(), tell };
        inner.waiting.entry(request.to_owned()).or_default().push(waiter);
        Waiting { waiters: Arc::clone(self), request: request.to_owned(), number }
    }

    /// Documents that are durable now. Whoever waited for one of them is told, and forgotten.
    pub(super) fn publish(&self, documents: &[Document], naming: &Naming, now: Now) {
        for document in documents {
            let told = match document {
                Document::Request(request) if request.state != RequestState::Pending => {
                    self.remember(request, now.wall, now);
                    let list = self.lock().waiting.remove(&request.id).unwrap_or_default();
                    let end = End::Decided(request.state);
                    list.into_iter().map(|waiter| (request.id.clone(), waiter, end)).collect()
                }
                Document::Lock(lock) if lock.locked => self.of(&lock.subject, naming),
                Document::Request(_) | Document::Grant(_) | Document::Lock(_) | Document::Notification(_) => Vec::new(),
            };
            told.into_iter().for_each(|(request, waiter, end)| (waiter.tell)(&request, end));
        }
    }

    /// Takes those out who wait for this subject's requests.
    fn of(&self, subject: &Dn, naming: &Naming) -> Vec<(String, Waiter, End)> {
        let subject = subject.resolved(naming);
        let mut inner = self.lock();
        let mut taken = Vec::new();
        for (request, list) in &mut inner.waiting {
            let theirs = list.extract_if(.., |one| one.subject.resolved(naming).may_be(&subject));
            taken.extend(theirs.map(|waiter| (request.clone(), waiter, End::Locked)));
        }
        taken
    }

    /// The same of what a store held when the process began.
    pub(super) fn remember_document(&self, document: &Document, now: Now) {
        if let Document::Request(request) = document
            && let Some(last) = request.history.last()
        {
            self.remember(request, last.at, now);
        }
    }

    /// Keeps in mind that a request ended in a no, at a time that may lie back.
    pub(super) fn remember(&self, request: &Request, at: DateTime<Utc>, now: Now) {
        match request.state {
            RequestState::Denied | RequestState::Cancelled => {}
            RequestState::Pending | RequestState::Approved | RequestState::Lapsed => return,
        }
        let passed = (now.wall - at).to_std().unwrap_or(Duration::ZERO);
        let Some(left) = QUIET.checked_sub(passed).filter(|left| !left.is_zero()) else { return };
        let until = now.monotonic.saturating_add(left);
        let mut inner = self.lock();
        inner.quiet.retain(|_, (until, ..)| *until > now.monotonic);
        let key = (request.subject.clone(), request.role.clone());
        inner.quiet.insert(key, (until, request.id.clone(), request.state));
    }

    pub(super) fn lately(&self, subject: &Dn, role: &str, naming: &Naming, now: Now) -> Option<(String, RequestState)> {
        let subject = subject.resolved(naming);
        let inner = self.lock();
        let mut theirs = inner.quiet.iter().filter(|((name, of), (until, ..))| {
            *until > now.monotonic && of == role && name.resolved(naming) == subject
        });
        theirs.next().map(|(_, (_, request, state))| (request.clone(), *state))
    }
}

impl Broker {
    /// Asks for a role because an operation was done without it. `tell` is called once the request that waits has
    /// ended, unless what is returned was dropped before; perhaps before this returns. It must not block.
    ///
    /// # Errors
    /// The subject may not ask, is locked, or has too many requests that wait; it cannot be kept.
    pub fn ask_by_doing(
        &self,
        doing: &Doing<'_>,
        tell: impl FnOnce(&str, End) + Send + 'static,
    ) -> Result<Done, BrokerError> {
        let since = self.ask_now(names_of(doing.actor).chain([doing.subject]));
        // One at a time: what two operations ask for at once is one request.
        let mut rates = self.rates();
        let moment = self.moment();
        check_holder_unlocked(doing.subject, &moment.context())?;
        let naming = moment.snapshot.policy.naming();
        let new = |grant: &&Arc<crate::engine::grant::index::ActiveGrant>| {
            *grant.role == *doing.role
                && grant.is_active(moment.now)
                && !doing.seen.get(doing.subject).any(|seen| seen.id == grant.id)
        };
        if let Some(grant) = moment.snapshot.grants.get(doing.subject).find(new) {
            return Ok(Done::Granted { request: grant.request.to_string() });
        }
        let id = match self.live.waiting_for(doing.subject, doing.role, naming, moment.now.wall) {
            Some(id) => id,
            None => {
                if let Some((request, state)) = self.waiters.lately(doing.subject, doing.role, naming, moment.now) {
                    return Ok(Done::Lately { request, state });
                }
                let (role, reason) = (doing.role.to_owned(), doing.reason.to_owned());
                let wish = Wish { role, reason, by_doing: true, ..Wish::default() };
                let asked = self.try_ask(&wish, doing.actor, since, false, &mut rates);
                self.note("request", doing.role, doing.actor, asked)?.id
            }
        };
        let waiting = self.waiters.wait(&id, doing.subject, Box::new(tell));
        // What ends from here on is told. What has ended before is not: a grant may have come of it.
        if self.live.is_pending(&id) && !self.moment().context().is_locked(doing.subject) {
            return Ok(Done::Waits { request: id, waiting });
        }
        check_holder_unlocked(doing.subject, &self.moment().context())?;
        match self.load(&id)? {
            Some(Document::Request(request)) if request.state != RequestState::Approved => {
                Ok(Done::Lately { request: id, state: request.state })
            }
            Some(Document::Request(_) | Document::Grant(_) | Document::Lock(_) | Document::Notification(_)) | None => {
                Ok(Done::Granted { request: id })
            }
        }
    }
}
