//! What is to be told, in memory: the queue that the store keeps, by what is due and for whom.

use super::Document;
use crate::engine::workflow::NoticeKind;
use crate::engine::workflow::telling::{Notification, NotificationState, Receiver};
use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How many may wait, and how many dead letters are kept.
pub(super) const MOST_PENDING: usize = if cfg!(test) { 10 } else { 10_000 };
pub(super) const MOST_DEAD: usize = if cfg!(test) { 5 } else { 1_000 };

/// What somebody is to be told of, as configured. By default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Notices of these kinds.
    pub kinds: BTreeSet<NoticeKind>,
    /// How long before it ends a grant's holder is warned; `None`: not.
    pub warn_before: Option<TimeDelta>,
}

/// One after the other within a lane; lanes do not wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Finding out who is told.
    Spread,
    /// A webhook, by name.
    Webhook(String),
    /// Mail.
    Mail,
}

impl Lane {
    /// The lane of a receiver.
    pub fn of(receiver: &Receiver) -> Lane {
        match receiver {
            Receiver::All | Receiver::People => Lane::Spread,
            Receiver::Webhook { name } => Lane::Webhook(name.clone()),
            Receiver::Person { .. } => Lane::Mail,
        }
    }
}

/// What is to be tried now.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// The first of each lane that is not busy.
    pub now: BTreeMap<Lane, Notification>,
    /// When the next one is due.
    pub next: Option<DateTime<Utc>>,
}

/// The queue, as the store has it.
#[derive(Default)]
pub(super) struct Outbox {
    inner: Mutex<BTreeMap<String, Notification>>,
    pub(super) wanted: ArcSwap<Wanted>,
    pub(super) changed: Arc<Notify>,
}

impl Outbox {
    /// Takes over a document that is durable now.
    pub(super) fn keep(&self, document: &Document) {
        match document {
            Document::Notification(notification) => {
                self.lock().insert(notification.id.clone(), notification.clone());
                self.changed.notify_one();
            }
            Document::Request(_) | Document::Grant(_) | Document::Lock(_) => {}
        }
    }

    /// What is there no more.
    pub(super) fn forget(&self, id: &str) {
        self.lock().remove(id);
        self.changed.notify_one();
    }

    /// What is due at `now` in lanes that are not busy.
    pub(super) fn due(&self, now: DateTime<Utc>, busy: &BTreeSet<Lane>) -> Due {
        let mut due = Due::default();
        let inner = self.lock();
        let mut first: BTreeMap<Lane, &Notification> = BTreeMap::new();
        for one in inner.values().filter(|one| one.state == NotificationState::Pending) {
            let lane = Lane::of(&one.to);
            if busy.contains(&lane) {
                continue;
            }
            if one.next > now {
                due.next = Some(due.next.map_or(one.next, |next| next.min(one.next)));
                continue;
            }
            let earlier = first.get(&lane).is_none_or(|first| (one.next, one.at) < (first.next, first.at));
            if earlier {
                first.insert(lane, one);
            }
        }
        due.now = first.into_iter().map(|(lane, one)| (lane, one.clone())).collect();
        due
    }

    /// Those in this state, oldest first.
    pub(super) fn list(&self, state: NotificationState) -> Vec<Notification> {
        let mut found: Vec<_> = self.lock().values().filter(|one| one.state == state).cloned().collect();
        found.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        found
    }

    /// How many wait and how many are dead letters.
    pub(super) fn count(&self) -> (usize, usize) {
        let inner = self.lock();
        let pending = inner.values().filter(|one| one.state == NotificationState::Pending).count();
        (pending, inner.len() - pending)
    }

    pub(super) fn get(&self, id: &str) -> Option<Notification> {
        self.lock().get(id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Notification>> {
        // Each change is one call of the map's.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
