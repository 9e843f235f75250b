//! A store in memory, for tests and for nothing else: it keeps the contract except for outliving
//! the process.

use super::{Change, GrantStore, MAX_BODY, Publish, Record, StoreError};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    records: BTreeMap<String, Record>,
    failure: Option<String>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// From now on behaves as if the disk had failed.
    pub fn fail(&self, why: &str) {
        self.lock().failure = Some(why.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A `publish` that panicked came after the records were in place: they are whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GrantStore for MemoryStore {
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.lock().records.get(id).cloned())
    }

    fn scan(&self, visit: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        // Copied first, so that `visit` may call the store.
        let records: Vec<Record> = self.lock().records.values().cloned().collect();
        records.into_iter().for_each(visit);
        Ok(())
    }

    fn apply(&self, changes: Vec<Change>, publish: Publish) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if let Some(why) = &inner.failure {
            return Err(StoreError::Failed(why.clone()));
        }
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
            match change {
                Change::Put(record) => inner.records.insert(record.id.clone(), record),
                Change::Remove { id, .. } => inner.records.remove(&id),
            };
        }
        publish();
        Ok(())
    }

    fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
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
    fn commits_nothing_once_it_failed() {
        let store = MemoryStore::new();
        store.fail("no space");
        let result = store.commit(Vec::new(), Box::new(|| panic!("published")));
        assert_eq!(result, Err(StoreError::Failed("no space".to_owned())));
        assert_eq!(store.failure().as_deref(), Some("no space"));
    }
}
