//! Ends that the store does not take: in force at once, kept in the room that is reserved for them, and written first
//! when the store works again.

use super::{ATTEMPTS, Broker, BrokerError, Document, events};
use crate::daemon::store::StoreError;
use crate::engine::grant::history::{Entry, Happened, TIDEGATE};
use crate::engine::ldap::Dn;
use crate::engine::workflow::Lock;
use crate::engine::workflow::ends::{end_grant, end_request, set_lock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The longest reason that is kept in the reserved room, in characters. The log has all of it.
const LONGEST_REASON: usize = 300;

/// Ends that are in force and not in the store.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    ends: Mutex<BTreeMap<String, End>>,
    /// Held while one is kept in the reserved room, or that room is given back.
    keeping: Mutex<()>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// What it is about, ended; `None` while the store has not been read.
    pub(super) document: Option<Document>,
    pub(super) kept: Kept,
}

/// What is kept of an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) id: String,
    /// Of a lock: whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    pub(super) entry: Entry,
}

impl Unwritten {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, End>> {
        // Each change is one call of the map's.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an end made of a record.
    pub(super) fn get(&self, id: &str) -> Option<Document> {
        self.lock().get(id).and_then(|end| end.document.clone())
    }

    /// Whether an end of this id waits to be written.
    pub(super) fn is_waiting(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    pub(super) fn insert(&self, end: End) {
        self.lock().insert(end.kept.id.clone(), end);
    }

    pub(super) fn all(&self) -> Vec<End> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl Kept {
    /// What is kept of the end that a document came to; `None`: it has not ended just now.
    fn of(document: &Document) -> Option<Kept> {
        let (last, subject) = match document {
            Document::Grant(grant) if grant.state.is_end() => (grant.history.last()?, None),
            Document::Lock(lock) if lock.locked => (lock.history.last()?, Some(lock.subject.text().to_owned())),
            Document::Request(_) | Document::Grant(_) | Document::Lock(_) | Document::Notification(_) => return None,
        };
        let ends = matches!(last.what, Happened::Expired | Happened::Released | Happened::Revoked | Happened::Locked);
        let reason = last.reason.as_ref().map(|reason| reason.chars().take(LONGEST_REASON).collect());
        let entry = Entry { reason, ..last.clone() };
        ends.then(|| Kept { id: document.id().to_owned(), subject, entry })
    }

    /// What it makes of what is on record; `None`: nothing, it has ended.
    pub(super) fn apply(&self, stored: Option<&Document>) -> Option<Document> {
        match stored {
            Some(Document::Grant(grant)) => end_grant(grant, &self.entry).map(Document::Grant),
            Some(Document::Request(request)) => end_request(request, &self.entry).map(Document::Request),
            Some(Document::Lock(lock)) => set_lock(Some(lock), &lock.subject, &self.entry).map(Document::Lock),
            Some(Document::Notification(_)) => None,
            None => {
                let subject = Dn::parse(self.subject.as_ref()?.as_bytes()).ok()?;
                // Under the id that it was given, whatever schema the name is read by now.
                let lock = set_lock(None, &subject, &self.entry)?;
                Some(Document::Lock(Lock { id: self.id.clone(), ..lock }))
            }
        }
    }
}

impl Broker {
    /// How many ends are in force that the store has not taken yet.
    pub fn unwritten_ends(&self) -> usize {
        self.unwritten.count()
    }

    /// Whether this is one of them: a grant's or a lock's id.
    pub fn is_unwritten(&self, id: &str) -> bool {
        self.unwritten.get(id).is_some()
    }

    /// Puts ends in force that the store did not take. What people did is on disk when this returns; what time and
    /// configuration did is done by them again.
    ///
    /// # Errors
    /// They are in force, and written first when the store works again, but not on disk; or these are no ends.
    pub(super) fn keep_ends(&self, documents: &[Document], error: StoreError) -> Result<(), BrokerError> {
        let ends: Vec<(&Document, Kept)> =
            documents.iter().filter_map(|document| Some((document, Kept::of(document)?))).collect();
        if ends.len() != documents.len() {
            return Err(error.into());
        }
        // In force before anything waits for the disk.
        for (document, kept) in &ends {
            self.unwritten.insert(End { document: Some(Document::clone(document)), kept: kept.clone() });
        }
        self.live.publish(documents, &self.shared, self.clock.now());
        self.waiters.publish(documents, self.shared.snapshot.load().policy.naming(), self.clock.now());
        for mut event in documents.iter().flat_map(events::of_document) {
            event["stored"] = false.into();
            self.events.event(event);
        }
        self.changed.notify_one();
        let _keeping = self.unwritten.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, kept) in ends.iter().filter(|(_, kept)| kept.entry.by != TIDEGATE) {
            let octets = serde_json::to_vec(kept).map_err(|error| StoreError::Failed(error.to_string()));
            if let Err(why) = octets.and_then(|octets| self.store.keep_end(&octets)) {
                tracing::error!(id = %kept.id, %why, "an end is in force, but not on disk");
                return Err(BrokerError::EndNotKept(error));
            }
            tracing::warn!(id = %kept.id, %error, "the store did not take an end: it is kept beside it");
        }
        Ok(())
    }

    /// Writes to the store what it has not taken yet. Returns how many ends that were.
    ///
    /// # Errors
    /// The store fails. What is left is written the next time.
    pub(super) fn write_ends(&self) -> Result<usize, StoreError> {
        let mut count = 0;
        for end in self.unwritten.all() {
            match self.write_end(&end) {
                Ok(()) => count += 1,
                Err(error @ StoreError::Failed(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(id = %end.kept.id, %error, "an end cannot be written to the store");
                    continue;
                }
            }
            self.unwritten.lock().remove(&end.kept.id);
        }
        let _keeping = self.unwritten.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if self.unwritten.is_empty() {
            self.store.forget_ends()?;
        }
        Ok(count)
    }

    fn write_end(&self, end: &End) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let stored = self.store.get(&end.kept.id)?.map(Document::from_record).transpose()?;
            let Some(ended) = end.kept.apply(stored.as_ref()) else { return Ok(()) };
            let mut documents = vec![ended];
            documents.extend(self.to_be_told(&documents, Vec::new())?);
            let records = documents.iter().map(Document::to_record).collect::<Result<_, _>>()?;
            let (live, shared, clock) = (self.live.clone(), self.shared.clone(), self.clock.clone());
            let outbox = self.outbox.clone();
            let publish = move || {
                live.publish(&documents, &shared, clock.now());
                documents.iter().for_each(|document| outbox.keep(document));
            };
            match self.store.commit(records, Box::new(publish)) {
                Err(StoreError::Conflict(_)) => {}
                result => return result,
            }
        }
        Err(StoreError::Conflict(end.kept.id.clone()))
    }
}
