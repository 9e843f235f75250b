//! The operation log: JSON lines in a directory, appended to by one thread, rotated by size.
//!
//! Workers put finished lines into buffers of their own; nothing there waits for the disk. The writer
//! numbers the lines and chains them. When they cannot be written it says so ([`AuditLog::recording`]) and goes on
//! trying; nothing is lost before a buffer is full, and what is lost is counted and recorded.
//! Knows nothing of what the lines say, but for `seq`.

mod file;
mod files;
mod head;
mod pages;
mod read;
mod writer;

pub use pages::{LogPage, Part};
pub use read::{LogReader, Verification};

use super::broker::EventSink;
use super::clock::Clock;
use crate::engine::audit::record;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// Where and how to keep the log.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory; made (mode 0700) when it is not there.
    pub directory: PathBuf,
    /// Where the end of the log is noted, so that it shows when somebody cuts something off it: not in the
    /// directory, which others may be given. Nowhere if absent.
    pub head: Option<PathBuf>,
    /// A new file is begun before one grows beyond this many octets.
    pub max_file_bytes: u64,
    /// How many octets one worker's buffer holds while the disk does not take them.
    pub max_buffer_bytes: usize,
    /// How long the writer lets lines gather before it writes them.
    pub batch_delay: Duration,
    /// How often, at most, what was written is forced to disk.
    pub sync_interval: Duration,
    /// How long the writer waits after an error before it tries again.
    pub retry_delay: Duration,
}

impl Options {
    /// What is usual, in `directory`.
    pub fn new(directory: PathBuf) -> Options {
        Options {
            directory,
            head: None,
            max_file_bytes: 64 << 20,
            max_buffer_bytes: 8 << 20,
            batch_delay: Duration::from_millis(5),
            sync_interval: Duration::from_secs(1),
            retry_delay: Duration::from_millis(250),
        }
    }
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AuditLogError {
    /// The directory or a file in it.
    #[error("audit log {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two writers would number lines twice.
    #[error("audit log {0}: another process is writing it")]
    Locked(PathBuf),
}

/// A buffer above this wakes the writer at once.
const URGENT_BYTES: usize = 64 * 1024;

/// Told, from whichever thread noticed, when [`AuditLog::recording`] changes.
pub type OnStateChange = Box<dyn Fn(bool) + Send + Sync>;

/// The log, open. Dropping it writes what is still in the buffers.
pub struct AuditLog {
    shared: Arc<Shared>,
    own: AuditHandle,
    directory: PathBuf,
    head: Option<PathBuf>,
    turns: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl AuditLog {
    /// Opens the log, making the directory if need be, and goes on after the last complete line. A last line
    /// that a crash cut short is kept and ended, and a line says so.
    ///
    /// # Errors
    /// When the directory or its last file cannot be read or written, or when another process has it open.
    pub fn open(options: Options, clock: Clock, on_state_change: OnStateChange) -> Result<AuditLog, AuditLogError> {
        let shared = Arc::new(Shared {
            buffers: Mutex::default(),
            writer: Mutex::new(None),
            wanted: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            recording: AtomicBool::new(true),
            lost: AtomicU64::new(0),
            flushes: Mutex::default(),
            flushed: Condvar::new(),
            written: watch::Sender::new(0),
            max_buffer_bytes: options.max_buffer_bytes,
            state_change: Mutex::new(()),
            on_state_change,
            clock,
        });
        let own = shared.handle();
        let (directory, head) = (options.directory.clone(), options.head.clone());
        let writer = writer::Writer::open(options, Arc::clone(&shared))?;
        let thread = std::thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| AuditLogError::Io { path: directory.clone(), source })?;
        *locked(&shared.writer) = Some(thread.thread().clone());
        // Nobody could wake it before.
        shared.wake(true);
        let turns = Arc::new(Semaphore::new(read::TURNS));
        Ok(AuditLog { shared, own, directory, head, turns, thread: Some(thread) })
    }

    /// A buffer of its own for one worker.
    pub fn handle(&self) -> AuditHandle {
        self.shared.handle()
    }

    /// Whether what is appended now can be expected to reach the disk.
    pub fn recording(&self) -> bool {
        self.shared.recording.load(Ordering::Acquire)
    }

    /// How many lines were lost since the start.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything that was appended before is on disk; `false` when that took longer than `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.shared.flush(timeout)
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the audit log's writer panicked");
        }
    }
}

/// Steps of the workflow go to the same log as operations.
impl EventSink for AuditLog {
    fn event(&self, event: serde_json::Value) {
        self.own.event(&event);
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("recording", &self.recording()).finish_non_exhaustive()
    }
}

/// One worker's way to the log. Clones share a buffer.
#[derive(Clone)]
pub struct AuditHandle {
    buffer: Arc<Buffer>,
    shared: Arc<Shared>,
}

impl AuditHandle {
    /// Appends one record as [`record::begin`] and [`record::finish`] write it: without `{"seq":N,`, with its
    /// line end. Takes a lock that only the writer ever contends for; does not touch the disk.
    pub fn append(&self, line: &[u8]) {
        let mut lines = locked(&self.buffer.lines);
        let before = lines.bytes.len();
        if before + line.len() > self.shared.max_buffer_bytes {
            lines.lost += 1;
            drop(lines);
            self.shared.overflowed();
            return;
        }
        lines.bytes.extend_from_slice(line);
        lines.ends.push(before + line.len());
        drop(lines);
        if before == 0 {
            self.shared.wake(false);
        }
        if before < URGENT_BYTES && before + line.len() >= URGENT_BYTES {
            self.shared.wake(true);
        }
    }

    /// Records a step of the workflow or of the gate itself: an object whose field `event` says what happened.
    pub fn event(&self, event: &serde_json::Value) {
        let mut line = Vec::with_capacity(256);
        record::event(&mut line, self.shared.clock.now(), event);
        self.append(&line);
    }
}

impl std::fmt::Debug for AuditHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditHandle")
    }
}

/// Lines that wait for the writer.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
    /// Lines that found no room since the writer last looked.
    lost: u64,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Flushes {
    wanted: u64,
    done: u64,
}

/// What workers, the writer and the owner share.
struct Shared {
    buffers: Mutex<Vec<Arc<Buffer>>>,
    writer: Mutex<Option<Thread>>,
    /// Something is there to be written.
    wanted: AtomicBool,
    /// It should not wait.
    urgent: AtomicBool,
    stopping: AtomicBool,
    recording: AtomicBool,
    /// All lines lost since the start.
    lost: AtomicU64,
    flushes: Mutex<Flushes>,
    flushed: Condvar,
    /// The number of the last line that is in a file.
    written: watch::Sender<u64>,
    max_buffer_bytes: usize,
    /// Held while the state changes and that is told, so that two changes are told in their order.
    state_change: Mutex<()>,
    on_state_change: OnStateChange,
    clock: Clock,
}

impl Shared {
    fn handle(self: &Arc<Shared>) -> AuditHandle {
        let buffer = Arc::new(Buffer::default());
        locked(&self.buffers).push(Arc::clone(&buffer));
        AuditHandle { buffer, shared: Arc::clone(self) }
    }

    /// Called when a buffer becomes non-empty, not for every line.
    fn wake(&self, urgent: bool) {
        if urgent {
            self.urgent.store(true, Ordering::Release);
        }
        if (!self.wanted.swap(true, Ordering::AcqRel) || urgent)
            && let Some(thread) = &*locked(&self.writer)
        {
            thread.unpark();
        }
    }

    /// A line found no room: the disk is stuck, even if the writer cannot say so because it waits for it.
    #[cold]
    fn overflowed(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        if self.recording.load(Ordering::Acquire) {
            self.set_recording(false);
        }
    }

    fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut flushes = locked(&self.flushes);
        flushes.wanted += 1;
        let mine = flushes.wanted;
        self.wake(true);
        while flushes.done < mine {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return false;
            };
            let waited = self.flushed.wait_timeout(flushes, left);
            (flushes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
    fn set_recording(&self, recording: bool) {
        let guard = locked(&self.state_change);
        if self.recording.swap(recording, Ordering::AcqRel) != recording {
            (self.on_state_change)(recording);
        }
        drop(guard);
    }
}

/// No code panics while it holds one of these locks half way through a change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
