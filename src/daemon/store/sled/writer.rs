//! The thread that writes: applies commits, makes them durable together, publishes them in order. Closes what failed,
//! and opens it again.

use super::open::{NOTE_KEY, Opened, State, open_again};
use super::{BATCH, Shared, read, sled_failed, written};
use crate::daemon::store::{Change, Publish, Record, StoreError, index};
use sled::Transactional as _;
use sled::transaction::{ConflictableTransactionError, TransactionError, TransactionalTree};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};

/// A job for the writer.
pub(super) enum Job {
    Commit(Commit),
    Recover { reply: mpsc::SyncSender<Result<(), StoreError>> },
}

/// One commit in line.
pub(super) struct Commit {
    pub(super) changes: Vec<Change>,
    pub(super) publish: Publish,
    pub(super) reply: mpsc::SyncSender<Result<(), StoreError>>,
}

/// The trees that a commit writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tree {
    Records,
    Archive,
    Lists,
}

/// What stood somewhere before something was written there.
#[derive(Debug, Clone)]
struct Before {
    tree: Tree,
    key: Vec<u8>,
    value: Option<sled::IVec>,
}

pub(super) struct Writer {
    path: PathBuf,
    shared: Arc<Shared>,
    /// What was applied and not acknowledged when the disk failed, latest last: it may or may not be on disk.
    unacknowledged: Vec<Before>,
}

impl Writer {
    pub(super) fn new(path: &Path, shared: Arc<Shared>) -> Writer {
        Writer { path: path.to_owned(), shared, unacknowledged: Vec::new() }
    }

    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        let mut next = jobs.recv().ok();
        while let Some(job) = next.take() {
            let mut batch = Vec::new();
            let mut recover = None;
            let mut job = Some(job);
            while let Some(one) = job.take() {
                match one {
                    Job::Commit(commit) => batch.push(commit),
                    Job::Recover { reply } => {
                        recover = Some(reply);
                        break;
                    }
                }
                job = if batch.len() < BATCH { jobs.try_recv().ok() } else { None };
            }
            if !batch.is_empty() {
                self.write(batch);
            }
            if let Some(reply) = recover {
                // Nobody may be waiting any more.
                let _ = reply.send(self.recover());
            }
            next = jobs.recv().ok();
        }
    }

    /// Applies the batch, makes it durable once, publishes in order, answers.
    fn write(&mut self, batch: Vec<Commit>) {
        let shared = Arc::clone(&self.shared);
        let mut guard = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut results: Vec<Result<(), StoreError>> = Vec::with_capacity(batch.len());
        let mut failure = guard.failure().map(str::to_owned);
        if let State::Open(opened) = &*guard {
            let mut applied = Vec::new();
            for commit in &batch {
                let result = match &failure {
                    None => self.apply(opened, &commit.changes, &mut applied),
                    Some(why) => Err(Unapplied::Failed(why.clone())),
                };
                results.push(result.map_err(|error| match error {
                    Unapplied::Refused(error) => error,
                    Unapplied::Failed(why) => {
                        failure.get_or_insert_with(|| why.clone());
                        StoreError::Failed(why)
                    }
                }));
            }
            if failure.is_none()
                && results.iter().any(Result::is_ok)
                && let Err(why) = make_durable(opened)
            {
                failure = Some(why);
            }
            if failure.is_some() {
                self.unacknowledged.append(&mut applied);
            }
        }
        if let Some(why) = &failure {
            // What was applied before the disk failed may or may not come back after a restart:
            // it is not acknowledged, and nobody opens anything by it.
            results.resize(batch.len(), Ok(()));
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(StoreError::Failed(why.clone()));
            }
            self.close(&mut guard, why);
        }
        let mut replies = Vec::with_capacity(batch.len());
        for (commit, result) in batch.into_iter().zip(results) {
            if result.is_ok() {
                (commit.publish)();
            }
            replies.push((commit.reply, result));
        }
        if failure.is_none() {
            // The disk answers, after all.
            self.shared.failure.store(None);
        }
        drop(guard);
        for (reply, result) in replies {
            // Nobody waits for the answer any more: it was published all the same.
            let _ = reply.send(result);
        }
    }

    fn apply(&self, opened: &Opened, changes: &[Change], applied: &mut Vec<Before>) -> Result<(), Unapplied> {
        let mut writes = Vec::with_capacity(changes.len());
        for change in changes {
            let octets = match change {
                Change::Put(record) => Some(written(record).map_err(Unapplied::Refused)?),
                Change::Remove { .. } | Change::Archive { .. } => None,
            };
            writes.push((change, octets));
        }
        let note = self.shared.note.load(Ordering::Acquire);
        let before = RefCell::new(Vec::new());
        let trees = (&opened.records, &opened.archive, &opened.index);
        let swapped = trees.transaction(|(records, archive, lists)| {
            let mut before = before.borrow_mut();
            before.clear();
            let mut trees = Trees { records, archive, lists, before: &mut before };
            for (change, octets) in &writes {
                trees.make(change, octets.as_deref())?;
            }
            if note > 0 {
                trees.put(Tree::Lists, NOTE_KEY, &note.to_be_bytes())?;
            }
            Ok(())
        });
        match swapped {
            Ok(()) => {
                applied.append(&mut before.into_inner());
                Ok(())
            }
            Err(TransactionError::Abort(error)) => Err(Unapplied::Refused(error)),
            Err(TransactionError::Storage(error)) => {
                applied.append(&mut before.into_inner());
                Err(Unapplied::Failed(error.to_string()))
            }
        }
    }

    /// From here on nothing is committed or read: after a failed fsync nobody knows what the disk holds.
    fn close(&self, state: &mut State, why: &str) {
        // The first failure is the one to report.
        if state.failure().is_none() {
            tracing::error!(%why, "the store failed; it is tried again until it works");
            let open = std::mem::replace(state, State::Closed(why.to_owned()));
            // sled panics where it cannot sync what it has.
            if catch_unwind(AssertUnwindSafe(|| drop(open))).is_err() {
                tracing::warn!("the store could not be closed in order");
            }
        }
        self.shared.failure.store(Some(Arc::new(why.to_owned())));
    }

    fn recover(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let mut guard = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        if guard.failure().is_some() {
            let opened = open_again(&self.path)?;
            if let Err(why) = self.take_back(&opened) {
                // Closed again, in order or not.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(opened)));
                return Err(StoreError::Failed(why));
            }
            self.unacknowledged.clear();
            *guard = State::Open(opened);
            tracing::info!("the store works again");
        }
        self.shared.failure.store(None);
        Ok(())
    }

    /// Reverts changes that were applied and never acknowledged.
    fn take_back(&self, opened: &Opened) -> Result<(), String> {
        for before in self.unacknowledged.iter().rev() {
            let tree = match before.tree {
                Tree::Records => &opened.records,
                Tree::Archive => &opened.archive,
                Tree::Lists => &opened.index,
            };
            let written = match &before.value {
                Some(value) => tree.insert(&before.key, value),
                None => tree.remove(&before.key),
            };
            written.map_err(|error| error.to_string())?;
        }
        make_durable(opened)
    }
}

/// Why a commit was not applied.
enum Unapplied {
    /// It does not fit.
    Refused(StoreError),
    /// The disk's.
    Failed(String),
}

/// The trees within a transaction, and what stood there before it.
struct Trees<'a> {
    records: &'a TransactionalTree,
    archive: &'a TransactionalTree,
    lists: &'a TransactionalTree,
    before: &'a mut Vec<Before>,
}

type Result1<T> = Result<T, ConflictableTransactionError<StoreError>>;

impl Trees<'_> {
    fn make(&mut self, change: &Change, octets: Option<&[u8]>) -> Result1<()> {
        let id = change.id();
        let abort = ConflictableTransactionError::Abort;
        let current = self.records.get(id.as_bytes())?;
        let current: Option<Record> = current.map(|octets| read(id, &octets)).transpose().map_err(abort)?;
        if change.wants() != Some(current.as_ref().map_or(0, |record| record.revision)) {
            return Err(abort(StoreError::Conflict(id.to_owned())));
        }
        let before = current.as_ref().map(|record| index::entries(record, false)).unwrap_or_default();
        let after = match (change, &current) {
            (Change::Put(record), _) => {
                self.put(Tree::Records, id.as_bytes(), octets.unwrap_or_default())?;
                index::entries(record, false)
            }
            (Change::Remove { .. }, _) | (Change::Archive { .. }, None) => {
                self.remove(Tree::Records, id.as_bytes())?;
                Vec::new()
            }
            (Change::Archive { .. }, Some(record)) => {
                let octets = written(record).map_err(abort)?;
                self.remove(Tree::Records, id.as_bytes())?;
                self.put(Tree::Archive, id.as_bytes(), &octets)?;
                index::entries(record, true)
            }
        };
        for (key, _) in before.iter().filter(|(key, _)| !after.iter().any(|(other, _)| other == key)) {
            self.remove(Tree::Lists, key)?;
        }
        for (key, state) in after.iter().filter(|entry| !before.contains(entry)) {
            self.put(Tree::Lists, key, &[*state])?;
        }
        Ok(())
    }

    fn tree(&self, tree: Tree) -> &TransactionalTree {
        match tree {
            Tree::Records => self.records,
            Tree::Archive => self.archive,
            Tree::Lists => self.lists,
        }
    }

    fn put(&mut self, tree: Tree, key: &[u8], octets: &[u8]) -> Result1<()> {
        let value = self.tree(tree).insert(key, octets)?;
        self.before.push(Before { tree, key: key.to_vec(), value });
        Ok(())
    }

    fn remove(&mut self, tree: Tree, key: &[u8]) -> Result1<()> {
        let value = self.tree(tree).remove(key)?;
        self.before.push(Before { tree, key: key.to_vec(), value });
        Ok(())
    }
}

fn make_durable(opened: &Opened) -> Result<(), String> {
    opened.db.flush().map_err(|error| sled_failed(error).to_string())?;
    opened.file.sync_data().map_err(|error| error.to_string())
}
