//! The store on disk: sled 0.34.
//!
//! sled's `flush` hands data to the kernel but does not fsync it, so that a power cut loses
//! acknowledged records, and another version of sled opens our directory as an empty one without an
//! error. Hence: our own `sync_data` after each flush, and a marker file next to the directory that
//! remembers that there is something in it. One thread writes; commits that wait share a flush.

mod place;
#[cfg(test)]
mod tests;

use super::{Change, GrantStore, MAX_BODY, Publish, Record, StoreError};
use nix::fcntl::Flock;
use place::{beside, check_format, lock, read_marker, refuse_foreign_files, sync_directory, write_marker};
use serde::{Deserialize, Serialize};
use sled::transaction::{ConflictableTransactionError, TransactionError};
use std::fs::{File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, mpsc};

/// The format of the store and of its marker.
pub const FORMAT: u64 = 1;

/// Commits that share one flush, and commits that may wait in line.
const BATCH: usize = 256;

/// The store on disk. Dropping it waits for the commits in line.
#[derive(Debug)]
pub struct SledStore {
    records: sled::Tree,
    /// Held for writing while something is applied and not yet durable and published.
    durable: Arc<RwLock<()>>,
    failure: Arc<OnceLock<String>>,
    queue: Option<mpsc::SyncSender<Commit>>,
    writer: Option<std::thread::JoinHandle<()>>,
    /// Last, so that it is released when sled is gone.
    _lock: Flock<File>,
}

/// One commit in line.
struct Commit {
    changes: Vec<Change>,
    publish: Publish,
    reply: mpsc::SyncSender<Result<(), StoreError>>,
}

/// A record as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u64,
    revision: u64,
    body: serde_json::Value,
}

impl SledStore {
    /// Opens the store in the directory `path`, or creates it.
    ///
    /// # Errors
    /// It is in use by another process; it has become empty; it is something else; the disk's.
    pub fn open(path: &Path) -> Result<SledStore, StoreError> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed(parent))?;
        let lock = lock(path)?;
        let marker = beside(path, "format");
        let known = read_marker(path, &marker)?;
        refuse_foreign_files(path)?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        let db = sled::Config::new()
            .path(path)
            // The writer flushes, and nobody else.
            .flush_every_ms(None)
            .cache_capacity(32 * 1024 * 1024)
            .open()
            .map_err(|error| StoreError::Failed(format!("{}: {error}", path.display())))?;
        let file = File::open(path.join("db")).map_err(failed(path))?;
        // sled leaves it to the umask, and the directory may have been made by somebody else.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed(path))?;
        let format = check_format(&db, path, &marker, known.as_ref())?;
        if known.is_none() {
            // Durable before the marker says so, and the marker before anything is acknowledged.
            db.flush().map_err(sled_failed)?;
            file.sync_all().map_err(failed(path))?;
            for directory in [path.join("blobs").as_path(), path, parent] {
                sync_directory(directory)?;
            }
            write_marker(&marker, &format)?;
            sync_directory(parent)?;
        }
        let records = db.open_tree("records").map_err(sled_failed)?;
        SledStore::start(db, records, file, lock)
    }

    fn start(db: sled::Db, records: sled::Tree, file: File, lock: Flock<File>) -> Result<SledStore, StoreError> {
        let durable = Arc::new(RwLock::new(()));
        let failure = Arc::new(OnceLock::new());
        let (queue, commits) = mpsc::sync_channel(BATCH);
        let writer =
            Writer { db, records: records.clone(), file, durable: Arc::clone(&durable), failure: Arc::clone(&failure) };
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(&commits))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(SledStore { records, durable, failure, queue: Some(queue), writer: Some(writer), _lock: lock })
    }
}

impl GrantStore for SledStore {
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let _durable = self.durable.read().unwrap_or_else(PoisonError::into_inner);
        let stored = self.records.get(id).map_err(sled_failed)?;
        stored.map(|octets| read(id, &octets)).transpose()
    }

    fn scan(&self, visit: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        // The lock is held for one record at a time: a long list must not hold up a revoke.
        let mut after: Option<sled::IVec> = None;
        loop {
            let durable = self.durable.read().unwrap_or_else(PoisonError::into_inner);
            let next = match &after {
                None => self.records.first(),
                Some(key) => self.records.get_gt(key),
            };
            let Some((key, octets)) = next.map_err(sled_failed)? else { return Ok(()) };
            drop(durable);
            visit(read(&String::from_utf8_lossy(&key), &octets)?);
            after = Some(key);
        }
    }

    fn apply(&self, changes: Vec<Change>, publish: Publish) -> Result<(), StoreError> {
        let gone = || StoreError::Failed("its writer has stopped".to_owned());
        let (reply, answer) = mpsc::sync_channel(1);
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Commit { changes, publish, reply }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Closing the queue lets the writer finish what is in line and end.
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // It panicked or it did not: there is nothing left to do about it.
            let _ = writer.join();
        }
    }
}

/// The thread that writes.
struct Writer {
    db: sled::Db,
    records: sled::Tree,
    file: File,
    durable: Arc<RwLock<()>>,
    failure: Arc<OnceLock<String>>,
}

impl Writer {
    fn run(&self, commits: &mpsc::Receiver<Commit>) {
        while let Ok(first) = commits.recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = commits.try_recv()
            {
                batch.push(next);
            }
            self.write(batch);
        }
    }

    /// Applies the batch, makes it durable once, publishes in order, answers.
    fn write(&self, batch: Vec<Commit>) {
        let guard = self.durable.write().unwrap_or_else(PoisonError::into_inner);
        let mut results: Vec<Result<(), StoreError>> = Vec::with_capacity(batch.len());
        for commit in &batch {
            results.push(self.apply(&commit.changes));
        }
        if results.iter().any(Result::is_ok)
            && let Err(error) = self.make_durable()
        {
            self.fail(&error);
        }
        let mut replies = Vec::with_capacity(batch.len());
        for (commit, result) in batch.into_iter().zip(results) {
            // What was applied before the disk failed may or may not come back after a restart:
            // it is not acknowledged, and nobody opens anything by it.
            let result = result.and_then(|()| self.still_works());
            if result.is_ok() {
                (commit.publish)();
            }
            replies.push((commit.reply, result));
        }
        drop(guard);
        for (reply, result) in replies {
            // Nobody waits for the answer any more: it was published all the same.
            let _ = reply.send(result);
        }
    }

    fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.still_works()?;
        let mut writes = Vec::with_capacity(changes.len());
        for change in changes {
            let octets = match change {
                Change::Put(record) => Some(written(record)?),
                Change::Remove { .. } => None,
            };
            writes.push((change, octets));
        }
        let swapped = self.records.transaction(|tree| {
            for (change, octets) in &writes {
                let id = change.id();
                let has = match tree.get(id.as_bytes())? {
                    None => 0,
                    Some(current) => read(id, &current).map_err(ConflictableTransactionError::Abort)?.revision,
                };
                if change.wants() != Some(has) {
                    return Err(ConflictableTransactionError::Abort(StoreError::Conflict(id.to_owned())));
                }
                match octets {
                    Some(octets) => tree.insert(id.as_bytes(), octets.as_slice())?,
                    None => tree.remove(id.as_bytes())?,
                };
            }
            Ok(())
        });
        swapped.map_err(|error| match error {
            TransactionError::Abort(error) => error,
            TransactionError::Storage(error) => {
                self.fail(&error.to_string());
                sled_failed(error)
            }
        })
    }

    fn make_durable(&self) -> Result<(), String> {
        self.db.flush().map_err(|error| error.to_string())?;
        self.file.sync_data().map_err(|error| error.to_string())
    }

    /// From here on nothing is committed: after a failed fsync nobody knows what the disk holds.
    fn fail(&self, why: &str) {
        // The first failure is the one to tell.
        let _ = self.failure.set(why.to_owned());
    }

    fn still_works(&self) -> Result<(), StoreError> {
        match self.failure.get() {
            None => Ok(()),
            Some(why) => Err(StoreError::Failed(why.clone())),
        }
    }
}

/// The octets that are kept of a record.
fn written(record: &Record) -> Result<Vec<u8>, StoreError> {
    let stored = Stored { version: FORMAT, revision: record.revision, body: record.body.clone() };
    let octets = serde_json::to_vec(&stored)
        .map_err(|error| StoreError::Corrupt { id: record.id.clone(), why: error.to_string() })?;
    if octets.len() > MAX_BODY {
        return Err(StoreError::TooLarge(record.id.clone()));
    }
    Ok(octets)
}

fn read(id: &str, octets: &[u8]) -> Result<Record, StoreError> {
    let corrupt = |why: String| StoreError::Corrupt { id: id.to_owned(), why };
    let stored: Stored = serde_json::from_slice(octets).map_err(|error| corrupt(error.to_string()))?;
    if stored.version != FORMAT {
        return Err(corrupt(format!("it has version {}", stored.version)));
    }
    Ok(Record { id: id.to_owned(), revision: stored.revision, body: stored.body })
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let path = path.display().to_string();
    move |error| StoreError::Failed(format!("{path}: {error}"))
}

fn sled_failed(error: sled::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}
