//! Where requests and grants are kept: versioned JSON documents under an id and a revision.
//!
//! A store knows nothing of what the documents say, but for what they are listed by (`index`). It promises what
//! `contract` tests: compare-and-swap on revisions over all records of a commit at once; durable before it is
//! acknowledged, seen by readers or published; commits published one at a time, in their order. A store that failed
//! can be tried again, and then holds what it acknowledged; ends have room of their own meanwhile (`ends`).

#[cfg(test)]
mod contract;
mod ends;
mod index;
pub mod memory;
pub mod record;

pub mod sled;

pub use index::{Indexed, Kind, List, Listed, Person};

use std::path::PathBuf;

/// The longest document that is kept, in octets of JSON. sled writes larger values to files of
/// their own, which nobody fsyncs.
pub const MAX_BODY: usize = 128 * 1024;

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its key, e.g. `req-7f3k9q2m4x`.
    pub id: String,
    /// 1 when it was created, one more with each change.
    pub revision: u64,
    /// What it says (see `record`).
    pub body: serde_json::Value,
}

/// One change of a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// This record takes the place of the one with the revision before it (none, for revision 1).
    Put(Record),
    /// The record is there no more.
    Remove {
        /// Its key.
        id: String,
        /// The revision that it has.
        revision: u64,
    },
    /// The record is moved to the archive, where it does not change any more.
    Archive {
        /// Its key.
        id: String,
        /// The revision that it has.
        revision: u64,
    },
}

impl Change {
    /// The key of the record that it is about.
    pub fn id(&self) -> &str {
        match self {
            Change::Put(record) => &record.id,
            Change::Remove { id, .. } | Change::Archive { id, .. } => id,
        }
    }

    /// The revision that the record must have for the change to be made; 0: there must be none. No
    /// record ever has the revision `None`.
    fn wants(&self) -> Option<u64> {
        match self {
            Change::Put(record) => record.revision.checked_sub(1),
            Change::Remove { revision, .. } | Change::Archive { revision, .. } => {
                Some(*revision).filter(|revision| *revision > 0)
            }
        }
    }
}

/// What runs when a commit is durable. It must not call the store.
pub type Publish = Box<dyn FnOnce() + Send>;

/// Keeps records. Every call may block on the disk, for a bounded time: async code calls it from a blocking thread.
pub trait GrantStore: Send + Sync {
    /// One record, as last committed; also from the archive.
    ///
    /// # Errors
    /// The disk's, or a record that cannot be read.
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError>;

    /// Shows every record that is not in the archive to `visit`, in the order of ids.
    ///
    /// # Errors
    /// The disk's, or a record that cannot be read; those after it are not shown.
    fn scan(&self, visit: &mut dyn FnMut(Record)) -> Result<(), StoreError>;

    /// Makes the changes, each to another record: all of them or none. When they are durable, runs
    /// `publish`, and only then lets readers see them and returns. `publish` calls of different
    /// commits run one at a time, in the order in which the commits took place. It is not run when an
    /// error is returned.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a record did not have the revision that its change wants. After any
    /// error of the disk nothing is committed any more: [`StoreError::Failed`].
    fn apply(&self, changes: Vec<Change>, publish: Publish) -> Result<(), StoreError>;

    /// The same, where nothing is removed.
    ///
    /// # Errors
    /// As [`GrantStore::apply`].
    fn commit(&self, records: Vec<Record>, publish: Publish) -> Result<(), StoreError> {
        self.apply(records.into_iter().map(Change::Put).collect(), publish)
    }

    /// The first entries of a list after `after` (a key of the same list), in the order of their keys.
    ///
    /// # Errors
    /// The disk's.
    fn list(&self, list: &List, after: &[u8], limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// Why nothing can be committed at the moment, if so.
    fn failure(&self) -> Option<String>;

    /// Tries to make a store that failed work again. It then holds what was acknowledged, and nothing of what failed.
    /// Returns at once when it works, or when it was tried a moment ago.
    ///
    /// # Errors
    /// It still fails.
    fn recover(&self) -> Result<(), StoreError>;

    /// Keeps an end in room that is reserved for that; it is on disk when this returns.
    ///
    /// # Errors
    /// That room is used up, or the disk's.
    fn keep_end(&self, end: &[u8]) -> Result<(), StoreError>;

    /// The ends that were kept and not forgotten, oldest first.
    fn kept_ends(&self) -> Vec<Vec<u8>>;

    /// Forgets them: they are committed.
    ///
    /// # Errors
    /// The disk's.
    fn forget_ends(&self) -> Result<(), StoreError>;

    /// From now on, each commit notes that every step in the log up to line `seq` is committed.
    fn note(&self, seq: u64);

    /// What the last commit on disk said of the log; 0: nothing.
    ///
    /// # Errors
    /// The disk's.
    fn noted(&self) -> Result<u64, StoreError>;
}

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the record first.
    #[error("{0} was changed by somebody else at the same time")]
    Conflict(String),
    /// Another process has the store open.
    #[error("the store {path} is in use by another process{}", pid.map(|pid| format!(" ({pid})")).unwrap_or_default())]
    InUse {
        /// Which store.
        path: PathBuf,
        /// The other process, if it said so.
        pid: Option<u32>,
    },
    /// A store that was in use has become empty.
    #[error(
        "the store {path} is empty, but {marker} says that it was not: restore it from a backup, \
         or remove {marker} to begin anew without any of its grants"
    )]
    Emptied {
        /// Which store.
        path: PathBuf,
        /// The marker that remembers.
        marker: PathBuf,
    },
    /// Not the store that the marker belongs to, or nothing of ours.
    #[error("{path} is not a store of Tidegate, or not the one that was here: {why}")]
    Foreign {
        /// Which store.
        path: PathBuf,
        /// What is odd.
        why: String,
    },
    /// Written by a version that this one does not know.
    #[error("{path} has format {found}; this version reads {}", sled::FORMAT)]
    Format {
        /// Which store.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A record that is not what was written.
    #[error("the record {id} cannot be read: {why}")]
    Corrupt {
        /// Which record.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// More than [`MAX_BODY`].
    #[error("the record {0} is too large")]
    TooLarge(String),
    /// The disk, or what stands between.
    #[error("the store failed: {0}")]
    Failed(String),
}
