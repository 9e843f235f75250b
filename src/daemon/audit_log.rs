//! The operation log: JSON lines in a directory, appended to by one thread, rotated by size.
//!
//! Workers put lines into buffers of their own; who must, waits until a line is in the log, or on disk. The writer
//! numbers the lines and chains them; another thread forces them to disk. When lines cannot be written, the log says so
//! ([`AuditLog::recording`]) and continues to try. Only then are lines lost, and what is lost is counted and recorded.
//! Knows nothing of what the lines say, but for `seq`.

mod buffer;
mod current;
mod file;
mod files;
mod goes_on;
mod handle;
mod head;
mod pages;
mod read;
mod repair;
mod sync;
mod writer;

pub use handle::{AuditHandle, NotRecording};
pub use pages::{LogPage, Part};
pub use read::{LogReader, Verification};

use super::broker::{EventSink, LastLine};
use super::clock::Clock;
use crate::engine::audit::repeats::Repeats;
use crate::engine::audit::transition::Transition;
use buffer::Buffer;
use std::fs::File;
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
    /// A line counts as in the log when it is on disk (`true`), or when it is in the file, which a crash of the process
    /// does not undo (`false`).
    pub sync_each: bool,
    /// How a file is forced to disk.
    pub sync: fn(&File) -> std::io::Result<()>,
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
            sync_each: false,
            sync: File::sync_data,
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

/// How long a call waits for its line to be on disk.
const SETTLING: Duration = Duration::from_secs(2);

/// A disk that takes so long for one thing takes nothing.
const STALLED: Duration = Duration::from_secs(10);

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
    /// Opens the log, making the directory if need be, and continues after the last complete line. What
    /// a crash or a power cut has torn behind the last line that was on disk is set aside in a file of its own, and a line
    /// says so. Where there is no room for that, the log is open and does not record until there is.
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
            failing_to_write: AtomicBool::new(false),
            failing_to_sync: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
            reopen: AtomicBool::new(false),
            writing: Busy::default(),
            syncing: Busy::default(),
            sync_each: options.sync_each,
            lost: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
            repeats: Mutex::default(),
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

    /// How many refused operations were summed instead of recorded one by one.
    pub fn repeated(&self) -> u64 {
        self.shared.repeated.load(Ordering::Relaxed)
    }

    /// For how long sessions were not read because there was little room for their records, all together.
    pub fn held_back(&self) -> Duration {
        Duration::from_micros(self.shared.held_back.load(Ordering::Relaxed))
    }

    /// Notices a disk that takes nothing any more, and does not say so. To be called now and then.
    pub fn check_stalled(&self) {
        let Shared { writing, syncing, clock, sync_each, .. } = &*self.shared;
        if writing.is_longer_than(STALLED, clock) {
            self.shared.set_failing(&self.shared.failing_to_write, true);
        }
        if *sync_each && syncing.is_longer_than(STALLED, clock) {
            self.shared.set_failing(&self.shared.failing_to_sync, true);
        }
    }

    /// Begins a new file where the one that is written was moved: whoever moved it says so by HUP, as programs that rotate
    /// logs do. Else changes nothing.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.shared.wake(true);
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

    fn written(&self) -> u64 {
        *self.shared.written.borrow()
    }

    fn settle(&self) {
        // What cannot be written now is told by other means.
        if self.recording() && !self.flush(SETTLING) {
            tracing::warn!("a step of the workflow is not on disk in the audit log yet: the disk is slow");
        }
    }

    fn transitions(&self, after: u64, visit: &mut dyn FnMut(Transition)) -> std::io::Result<Option<LastLine>> {
        self.reader().transitions(after, visit)
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("recording", &self.recording()).finish_non_exhaustive()
    }
}

/// Whether a thread is at work on something that may take long, and since when.
#[derive(Debug, Default)]
struct Busy(AtomicU64);

impl Busy {
    fn begin(&self, clock: &Clock) {
        self.0.store(millis(clock), Ordering::Relaxed);
    }

    fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn is_longer_than(&self, length: Duration, clock: &Clock) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since != 0 && u128::from(millis(clock).saturating_sub(since)) > length.as_millis()
    }
}

/// Never 0.
fn millis(clock: &Clock) -> u64 {
    u64::try_from(clock.now().monotonic.as_millis()).unwrap_or(u64::MAX - 1) + 1
}

/// What became of whether something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    Begins,
    Ends,
    AsBefore,
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
    /// None of the three that follow.
    recording: AtomicBool,
    failing_to_write: AtomicBool,
    failing_to_sync: AtomicBool,
    /// The writer has ended.
    ended: AtomicBool,
    /// Recording was interrupted, and no line tells of it yet.
    interrupted: AtomicBool,
    /// Somebody has moved the file that is written, and says so.
    reopen: AtomicBool,
    writing: Busy,
    syncing: Busy,
    sync_each: bool,
    /// All lines lost since the start.
    lost: AtomicU64,
    /// Refused operations that were summed since the start.
    repeated: AtomicU64,
    /// For how long sessions were not read for want of room, in microseconds.
    held_back: AtomicU64,
    /// What was refused lately.
    repeats: Mutex<Repeats>,
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
        AuditHandle::new(buffer, Arc::clone(self))
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

    /// Whether a refused or trivial operation is summed with others that are alike.
    fn sums(&self, line: &[u8]) -> bool {
        let mut repeats = locked(&self.repeats);
        let first = repeats.is_empty();
        if repeats.see(line, self.clock.now()) {
            return false;
        }
        drop(repeats);
        self.repeated.fetch_add(1, Ordering::Relaxed);
        if first {
            // It knows from then on that there is something to be written in a second.
            self.wake(false);
        }
        true
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

    /// Notes whether something fails (one of `failing_to_write`, `failing_to_sync`, `ended`), and what follows from it.
    fn set_failing(&self, what: &AtomicBool, failing: bool) -> Failing {
        if what.load(Ordering::Acquire) == failing {
            return Failing::AsBefore;
        }
        let guard = locked(&self.state_change);
        if what.swap(failing, Ordering::AcqRel) == failing {
            return Failing::AsBefore;
        }
        let fails = [&self.failing_to_write, &self.failing_to_sync, &self.ended];
        let recording = !fails.iter().any(|fails| fails.load(Ordering::Acquire));
        if self.recording.swap(recording, Ordering::AcqRel) != recording {
            if !recording {
                self.interrupted.store(true, Ordering::Release);
            }
            (self.on_state_change)(recording);
        }
        drop(guard);
        if recording {
            self.wake(true);
        }
        for buffer in &*locked(&self.buffers) {
            buffer.for_lines.wake();
            buffer.for_room.wake();
        }
        if failing { Failing::Begins } else { Failing::Ends }
    }
}

/// No code panics while it holds one of these locks half way through a change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
