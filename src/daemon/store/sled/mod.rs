//! The store on disk: sled 0.34.
//!
//! sled's `flush` hands data to the kernel but does not fsync it, and another version of sled opens our directory as an
//! empty one without an error. Hence: our own `sync_data` after each flush, and a marker file next to the directory.
//! One thread writes; commits that wait share a flush.
//!
//! After an error of the disk sled takes nothing until it is opened again. The store refuses everything then, and
//! `recover` opens it again once there is room; changes that were applied and not acknowledged are reverted first.

mod open;
mod place;
#[cfg(test)]
mod tests;
mod writer;

use super::ends::Ends;
use super::{Change, GrantStore, List, Listed, MAX_BODY, Publish, Record, StoreError};
use arc_swap::ArcSwapOption;
use nix::fcntl::Flock;
use open::{Opened, State};
use place::{beside, lock};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};
use std::time::{Duration, Instant};
use writer::{Job, Writer};

/// The format of the store and of its marker.
pub const FORMAT: u64 = 1;

/// Commits that share one flush, and commits that may wait in line.
const BATCH: usize = 256;

/// How long a commit waits for a disk that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a store that failed is left alone before it is tried again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The store on disk. Dropping it waits for the commits in line.
#[derive(Debug)]
pub struct SledStore {
    shared: Arc<Shared>,
    ends: Mutex<Option<Ends>>,
    ends_path: PathBuf,
    retry: Mutex<Retry>,
    queue: Option<mpsc::SyncSender<Job>>,
    writer: Option<std::thread::JoinHandle<()>>,
    /// Last, so that it is released when sled is gone.
    _lock: Flock<File>,
}

/// What readers, writer and waiters share.
#[derive(Debug)]
struct Shared {
    /// Held for writing while something is applied and not yet durable and published.
    state: RwLock<State>,
    /// Why nothing is committed at the moment. Apart from the state, which a stuck disk keeps locked.
    failure: ArcSwapOption<String>,
    /// What the next commit says of the log; 0: nothing.
    note: AtomicU64,
}

/// When a store that failed is tried again.
#[derive(Debug)]
struct Retry {
    next: Instant,
    pause: Duration,
}

/// A record as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u64,
    revision: u64,
    body: serde_json::Value,
}

impl SledStore {
    /// Opens the store in the directory `path`, or creates it. One whose disk is full is opened all the same, and
    /// fails until there is room.
    ///
    /// # Errors
    /// It is in use by another process; it has become empty; it is something else; the disk's.
    pub fn open(path: &Path) -> Result<SledStore, StoreError> {
        let parent = open::parent(path);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed(parent))?;
        let lock = lock(path)?;
        let ends_path = beside(path, "ends");
        let ends = match Ends::open(&ends_path) {
            Ok(ends) => Some(ends),
            Err(error) => {
                tracing::error!(file = %ends_path.display(), %error, "no room is reserved for ends");
                None
            }
        };
        let state = match open::open(path) {
            Ok(opened) => State::Open(opened),
            Err(open::Failure::NoRoom(why)) => State::Closed(why),
            Err(open::Failure::Other(error)) => return Err(error),
        };
        SledStore::start(path, state, ends, lock)
    }

    fn start(path: &Path, state: State, ends: Option<Ends>, lock: Flock<File>) -> Result<SledStore, StoreError> {
        let failure = state.failure().map(|why| Arc::new(why.to_owned()));
        let (state, failure) = (RwLock::new(state), ArcSwapOption::new(failure));
        let shared = Arc::new(Shared { state, failure, note: AtomicU64::new(0) });
        let (queue, jobs) = mpsc::sync_channel(BATCH);
        let writer = Writer::new(path, Arc::clone(&shared));
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(&jobs))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        let retry = Mutex::new(Retry { next: Instant::now(), pause: FIRST_PAUSE });
        Ok(SledStore {
            shared,
            ends: Mutex::new(ends),
            ends_path: beside(path, "ends"),
            retry,
            queue: Some(queue),
            writer: Some(writer),
            _lock: lock,
        })
    }

    /// Runs `read` on what is open.
    fn read<T>(&self, read: impl FnOnce(&Opened) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &*self.shared.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(opened) => read(opened),
            State::Closed(why) => Err(StoreError::Failed(why.clone())),
        }
    }

    /// Has the writer do something, and waits for its answer no longer than [`PATIENCE`].
    fn submit(&self, job: impl FnOnce(mpsc::SyncSender<Result<(), StoreError>>) -> Job) -> Result<(), StoreError> {
        let gone = || StoreError::Failed("its writer has stopped".to_owned());
        let deadline = Instant::now() + PATIENCE;
        let (reply, answer) = mpsc::sync_channel(1);
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let mut job = job(reply);
        while let Err(error) = queue.try_send(job) {
            match error {
                mpsc::TrySendError::Full(back) if Instant::now() < deadline => job = back,
                mpsc::TrySendError::Full(_) => return Err(self.stuck()),
                mpsc::TrySendError::Disconnected(_) => return Err(gone()),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        match answer.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(self.stuck()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }

    /// The disk does not answer. What waits for it may be done after all, once it does.
    fn stuck(&self) -> StoreError {
        let why = format!("the disk did not answer within {} seconds", PATIENCE.as_secs());
        self.shared.failure.compare_and_swap(std::ptr::null::<String>(), Some(Arc::new(why.clone())));
        StoreError::Failed(why)
    }

    fn with_ends<T>(&self, run: impl FnOnce(&mut Ends) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.is_none() {
            // There was no room for it at the start.
            *ends = Ends::open(&self.ends_path).ok();
        }
        run(ends.as_mut().ok_or_else(|| StoreError::Failed("no room is reserved for ends".to_owned()))?)
    }
}

impl GrantStore for SledStore {
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError> {
        self.read(|opened| {
            let stored = match opened.records.get(id).map_err(sled_failed)? {
                None => opened.archive.get(id).map_err(sled_failed)?,
                found => found,
            };
            stored.map(|octets| read(id, &octets)).transpose()
        })
    }

    fn scan(&self, visit: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        // The lock is held for one record at a time: a long list must not hold up a revoke.
        let mut after: Option<sled::IVec> = None;
        loop {
            let next = self.read(|opened| {
                let next = match &after {
                    None => opened.records.first(),
                    Some(key) => opened.records.get_gt(key),
                };
                next.map_err(sled_failed)
            });
            let Some((key, octets)) = next? else { return Ok(()) };
            visit(read(&String::from_utf8_lossy(&key), &octets)?);
            after = Some(key);
        }
    }

    fn apply(&self, changes: Vec<Change>, publish: Publish) -> Result<(), StoreError> {
        if let Some(why) = self.failure() {
            return Err(StoreError::Failed(why));
        }
        self.submit(|reply| Job::Commit(writer::Commit { changes, publish, reply }))
    }

    fn list(&self, list: &List, after: &[u8], limit: usize) -> Result<Vec<Listed>, StoreError> {
        let prefix = list.prefix();
        let from = [&prefix[..], after].concat();
        let mut found = Vec::new();
        self.read(|opened| {
            for entry in opened.index.range(from.as_slice()..) {
                let (key, state) = entry.map_err(sled_failed)?;
                let Some(rest) = key.strip_prefix(prefix.as_slice()).filter(|_| found.len() < limit) else { break };
                if after.is_empty() || rest != after {
                    found.push(list.entry(rest, &state));
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn failure(&self) -> Option<String> {
        self.shared.failure.load_full().map(|why| String::clone(&why))
    }

    fn recover(&self) -> Result<(), StoreError> {
        let Some(why) = self.failure() else { return Ok(()) };
        let mut retry = self.retry.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() < retry.next {
            return Err(StoreError::Failed(why));
        }
        let result = self.submit(|reply| Job::Recover { reply });
        match result {
            Ok(()) => retry.pause = FIRST_PAUSE,
            Err(_) => retry.pause = (retry.pause * 2).min(LONGEST_PAUSE),
        }
        retry.next = Instant::now() + retry.pause;
        result
    }

    fn keep_end(&self, end: &[u8]) -> Result<(), StoreError> {
        self.with_ends(|ends| ends.keep(end))
    }

    fn kept_ends(&self) -> Vec<Vec<u8>> {
        self.with_ends(|ends| Ok(ends.records().to_vec())).unwrap_or_default()
    }

    fn forget_ends(&self) -> Result<(), StoreError> {
        match self.kept_ends().is_empty() {
            true => Ok(()),
            false => self.with_ends(Ends::forget),
        }
    }

    fn note(&self, seq: u64) {
        self.shared.note.store(seq, Ordering::Release);
    }

    fn noted(&self) -> Result<u64, StoreError> {
        self.read(Opened::noted)
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
        // Before the lock: closing sled writes.
        *self.shared.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed("closed".to_owned());
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
