//! A store in memory, for tests and for nothing else: it keeps the contract except for outliving
//! the process.

use super::{Change, GrantStore, List, Listed, MAX_BODY, Publish, Record, StoreError, index};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    records: BTreeMap<String, Record>,
    archive: BTreeMap<String, Record>,
    index: BTreeMap<Vec<u8>, u8>,
    ends: Vec<Vec<u8>>,
    note: u64,
    noted: u64,
    failure: Option<String>,
    /// Whether the failure is over once it is tried again.
    has_room: bool,
    ends_fail: bool,
    reads: usize,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// From now on behaves as if the disk had failed: nothing is read or written.
    pub fn fail(&self, why: &str) {
        let mut inner = self.lock();
        (inner.failure, inner.has_room) = (Some(why.to_owned()), false);
    }

    /// The disk has room again: trying again helps.
    pub fn has_room(&self) {
        self.lock().has_room = true;
    }

    /// Even the room for ends cannot be written, or can again.
    pub fn fail_ends(&self, fail: bool) {
        self.lock().ends_fail = fail;
    }

    /// Another store that holds the same: what is done to one is not done to the other.
    #[must_use]
    pub fn copy(&self) -> MemoryStore {
        MemoryStore { inner: Mutex::new(self.lock().clone()) }
    }

    /// How many records were read since this was last called.
    pub fn take_reads(&self) -> usize {
        std::mem::take(&mut self.lock().reads)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A `publish` that panicked came after the records were in place: they are whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn works(&self) -> Result<(), StoreError> {
        self.failure.as_ref().map_or(Ok(()), |why| Err(StoreError::Failed(why.clone())))
    }

    fn unlist(&mut self, record: &Record) {
        for (key, _) in index::entries(record, false) {
            self.index.remove(&key);
        }
    }
}

impl GrantStore for MemoryStore {
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let mut inner = self.lock();
        inner.works()?;
        inner.reads += 1;
        Ok(inner.records.get(id).or_else(|| inner.archive.get(id)).cloned())
    }

    fn scan(&self, visit: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        // Copied first, so that `visit` may call the store.
        let records: Vec<Record> = {
            let mut inner = self.lock();
            inner.works()?;
            inner.reads += inner.records.len();
            inner.records.values().cloned().collect()
        };
        records.into_iter().for_each(visit);
        Ok(())
    }

    fn apply(&self, changes: Vec<Change>, publish: Publish) -> Result<(), StoreError> {
        let mut inner = self.lock();
        inner.works()?;
        for change in &changes {
            let has = inner.records.get(change.id()).map_or(0, |current| current.revision);
            if change.wants() != Some(has) {
                return Err(StoreError::Conflict(change.id().to_owned()));
            }
            if let Change::Put(record) = change
                && record.body.to_string().len() > MAX_BODY
            {
                return Err(StoreError::TooLarge(record.id.clone()));
            }
        }
        for change in changes {
            if let Some(before) = inner.records.remove(change.id()) {
                inner.unlist(&before);
                if let Change::Archive { id, .. } = &change {
                    inner.index.extend(index::entries(&before, true));
                    inner.archive.insert(id.clone(), before);
                }
            }
            if let Change::Put(record) = change {
                inner.index.extend(index::entries(&record, false));
                inner.records.insert(record.id.clone(), record);
            }
        }
        inner.noted = inner.note;
        publish();
        Ok(())
    }

    fn list(&self, list: &List, after: &[u8], limit: usize) -> Result<Vec<Listed>, StoreError> {
        let inner = self.lock();
        inner.works()?;
        let prefix = list.prefix();
        let from = [&prefix[..], after].concat();
        let entries = inner.index.range(from.clone()..).filter(|(key, _)| after.is_empty() || **key > from);
        let entries = entries.map_while(|(key, state)| Some(list.entry(key.strip_prefix(&prefix[..])?, &[*state])));
        Ok(entries.take(limit).collect())
    }

    fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    fn recover(&self) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.has_room {
            inner.failure = None;
        }
        inner.works()
    }

    fn keep_end(&self, end: &[u8]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.ends_fail {
            return Err(StoreError::Failed("no room for ends".to_owned()));
        }
        inner.ends.push(end.to_vec());
        Ok(())
    }

    fn kept_ends(&self) -> Vec<Vec<u8>> {
        self.lock().ends.clone()
    }

    fn forget_ends(&self) -> Result<(), StoreError> {
        self.lock().ends.clear();
        Ok(())
    }

    fn note(&self, seq: u64) {
        self.lock().note = seq;
    }

    fn noted(&self) -> Result<u64, StoreError> {
        let inner = self.lock();
        inner.works()?;
        Ok(inner.noted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract() {
        super::super::contract::suite(&|| Box::new(MemoryStore::new()));
        super::super::contract::races(&MemoryStore::new(), 5_000);
    }

    #[test]
    fn commits_nothing_while_it_fails() {
        let store = MemoryStore::new();
        store.fail("no space");
        let result = store.commit(Vec::new(), Box::new(|| panic!("published")));
        assert_eq!(result, Err(StoreError::Failed("no space".to_owned())));
        assert_eq!(store.failure().as_deref(), Some("no space"));
        assert!(store.recover().is_err());
        store.has_room();
        assert_eq!((store.recover(), store.failure()), (Ok(()), None));
        assert_eq!(store.commit(Vec::new(), Box::new(|| {})), Ok(()));
    }
}
