//! The thread that forces the log to disk, so that writing goes on meanwhile. What it is given it does in order: an
//! earlier file before a later one, and the head only after the lines that it speaks of.

use super::buffer::Buffer;
use super::head::Keeper;
use super::{AuditLogError, Failing, Options, Shared, locked};
use crate::engine::audit::chain::Kept;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is to be forced to disk, and what follows from it.
pub(super) struct Job {
    pub(super) file: Arc<File>,
    /// Where the log ends then.
    pub(super) head: Kept,
    /// Lines that are acknowledged then: up to which of each worker.
    pub(super) lines: Vec<(Arc<Buffer>, u64)>,
    /// Notified of the number up to which lines are on disk.
    pub(super) flush: u64,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Until when what is left is tried.
    ends: Option<Instant>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

/// The way to the thread. Dropping it waits for what is left, for a while.
pub(super) struct Syncer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(
        options: &Options,
        shared: Arc<Shared>,
        keeper: Option<Keeper>,
    ) -> Result<Syncer, AuditLogError> {
        let queue = Arc::new(Queue::default());
        let worker =
            Worker { queue: Arc::clone(&queue), shared, keeper, sync: options.sync, retry: options.retry_delay };
        let thread = std::thread::Builder::new()
            .name("audit-sync".to_owned())
            .spawn(move || worker.run())
            .map_err(|source| AuditLogError::Io { path: options.directory.clone(), source })?;
        Ok(Syncer { queue, thread: Some(thread) })
    }

    /// Has a file forced to disk. What waits for the same file is done with it.
    pub(super) fn push(&self, job: Job) {
        let mut state = locked(&self.queue.state);
        match state.jobs.back_mut().filter(|last| Arc::ptr_eq(&last.file, &job.file)) {
            Some(last) => {
                last.head = job.head;
                for (buffer, number) in job.lines {
                    match last.lines.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &buffer)) {
                        Some((_, last)) => *last = number,
                        None => last.lines.push((buffer, number)),
                    }
                }
                last.flush = last.flush.max(job.flush);
            }
            None => state.jobs.push_back(job),
        }
        drop(state);
        self.queue.changed.notify_one();
    }

    /// Waits until all is done, or could not be within `patience`.
    pub(super) fn finish(&mut self, patience: Duration) {
        locked(&self.queue.state).ends = Some(Instant::now() + patience);
        self.queue.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that forces the audit log to disk panicked");
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.finish(Duration::ZERO);
        }
    }
}

struct Worker {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    keeper: Option<Keeper>,
    sync: fn(&File) -> std::io::Result<()>,
    retry: Duration,
}

impl Worker {
    fn run(mut self) {
        while let Some(mut job) = self.next() {
            self.shared.syncing.begin(&self.shared.clock);
            let done = (self.sync)(&job.file);
            self.shared.syncing.end();
            let Err(error) = done else {
                self.done(&mut job);
                continue;
            };
            if self.shared.set_failing(&self.shared.failing_to_sync, true) == Failing::Begins {
                tracing::error!(%error, "the audit log cannot be forced to disk: what needs access is refused until it can");
            }
            if !self.keeps_trying(job) {
                tracing::error!(%error, "the audit log ends with records that could not be forced to disk");
                return;
            }
        }
    }

    /// The next thing to do; `None`: nothing is left, and nothing will come.
    fn next(&self) -> Option<Job> {
        let mut state = locked(&self.queue.state);
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.ends.is_some() {
                return None;
            }
            state = self.queue.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&mut self, job: &mut Job) {
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(job.head);
        }
        self.shared.set_failing(&self.shared.failing_to_sync, false);
        for (buffer, number) in job.lines.drain(..) {
            buffer.acknowledge(number);
        }
        let mut flushes = locked(&self.shared.flushes);
        flushes.done = flushes.done.max(job.flush);
        drop(flushes);
        self.shared.flushed.notify_all();
    }

    /// Puts back what failed, before all that came meanwhile, and waits for a moment; whether to go on.
    fn keeps_trying(&self, job: Job) -> bool {
        let mut state = locked(&self.queue.state);
        state.jobs.push_front(job);
        let over = |ends: Option<Instant>| ends.is_some_and(|ends| Instant::now() >= ends);
        let until = Instant::now() + self.retry;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if over(state.ends) {
                return false;
            }
            (state, _) = self.queue.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        !over(state.ends)
    }
}
