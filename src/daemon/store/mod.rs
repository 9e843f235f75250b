//! Where requests and grants are kept: versioned JSON documents under an id and a revision.
//!
//! A store knows nothing of what the documents say. It promises what `contract` tests:
//! compare-and-swap on revisions over all records of a commit at once; durable before it is
//! acknowledged, seen by readers or published; commits published one at a time, in their order.

#[cfg(test)]
mod contract;
pub mod memory;
pub mod record;

pub mod sled;

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
}

impl Change {
    /// The key of the record that it is about.
    pub fn id(&self) -> &str {
        match self {
            Change::Put(record) => &record.id,
            Change::Remove { id, .. } => id,
        }
    }

    /// The revision that the record must have for the change to be made; 0: there must be none. No
    /// record ever has the revision `None`.
    fn wants(&self) -> Option<u64> {
        match self {
            Change::Put(record) => record.revision.checked_sub(1),
            Change::Remove { revision, .. } => Some(*revision).filter(|revision| *revision > 0),
        }
    }
}

/// What runs when a commit is durable. It must not call the store.
pub type Publish = Box<dyn FnOnce() + Send>;

/// Keeps records. Every call may block on the disk: async code calls it from a blocking thread.
pub trait GrantStore: Send + Sync {
    /// One record, as last committed.
    ///
    /// # Errors
    /// The disk's, or a record that cannot be read.
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError>;

    /// Shows every record to `visit`, in the order of ids.
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

    /// Why nothing can be committed any more, if so.
    fn failure(&self) -> Option<String>;
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
