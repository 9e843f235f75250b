//! The one thread that writes: gathers lines, numbers and chains them, writes, rotates, retries. Another thread forces
//! what it wrote to disk.

use super::buffer::{Buffer, Lines};
use super::current::{Current, Left, Vanished};
use super::file;
use super::goes_on::GoesOn;
use super::head::{self, Keeper};
use super::repair::Torn;
use super::sync::{Job, Syncer};
use super::{AuditLogError, Failing, Options, Shared, locked};
use crate::engine::audit::chain::{self, Head, Kept, Link};
use crate::engine::audit::record;
use nix::fcntl::Flock;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the end of the process waits for a disk that does not take what is left.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(2);

/// How often it is looked whether sums of refused operations are to be written.
const SUMS_EVERY: Duration = Duration::from_millis(500);

/// Octets of a line of the writer's own, about.
const OWN_LINE: usize = 256;

pub(super) struct Writer {
    options: Options,
    shared: Arc<Shared>,
    file: Arc<File>,
    current: Current,
    /// The file that was moved last, until whoever moved it says so.
    moved: Option<Left>,
    /// What is to be set aside before anything is written, and the line before it.
    torn: Option<Torn>,
    torn_behind: u64,
    /// Octets in `file`.
    length: u64,
    next_seq: u64,
    /// The chain value of the line before.
    chain: Link,
    /// The first line of the chain.
    chained_from: u64,
    /// Whether the next line says what the chain value before it is.
    first: bool,
    /// Has what is written forced to disk.
    syncer: Syncer,
    /// Numbered lines; `written` octets of them are in the file already.
    batch: Vec<u8>,
    written: usize,
    /// Change places with the workers' buffers, so that all keep their memory.
    taken: Vec<Lines>,
    /// Whose they are.
    sources: Vec<Arc<Buffer>>,
    /// Lines in `batch`: up to which of each worker.
    unacknowledged: Vec<(Arc<Buffer>, u64)>,
    /// Lines that are written, and acknowledged when they are on disk.
    unsynced: Vec<(Arc<Buffer>, u64)>,
    /// Since when something is written and not handed over to be forced to disk.
    unsynced_since: Option<Instant>,
    /// Lines lost that no line tells of yet.
    untold: u64,
    /// Whether the last attempt ended in an error.
    failing: bool,
    /// Released when the writer ends.
    _lock: Flock<File>,
}

/// However the writer ends: what is appended from then on is not recorded.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.set_failing(&self.0.ended, true);
    }
}

impl Writer {
    pub(super) fn open(options: Options, shared: Arc<Shared>) -> Result<Writer, AuditLogError> {
        let lock = file::claim(&options.directory)?;
        let directory = options.directory.clone();
        let io = |source| AuditLogError::Io { path: directory.clone(), source };
        let (mut kept, mut keeper) = (None, None);
        if let Some(path) = &options.head {
            let io = |source| AuditLogError::Io { path: path.clone(), source };
            kept = head::read(path).map_err(io)?;
            keeper = Some(Keeper::open(path).map_err(io)?);
        }
        let mut resumed = file::resume(&options.directory, kept).map_err(io)?;
        let goes_on =
            GoesOn::after(&resumed, kept, keeper.is_some()).map_err(|error| io(std::io::Error::other(error)))?;
        let (file, current) = match resumed.file.take() {
            Some((file, path)) => (file, Current::new(path, resumed.first_seq)),
            None => {
                let path = options.directory.join(chain::file_name(goes_on.seq));
                (file::create(&options.directory, goes_on.seq).map_err(io)?, Current::new(path, goes_on.seq))
            }
        };
        if let (Some(keeper), true) = (&mut keeper, goes_on.begins) {
            keeper.keep(Kept { from: goes_on.from, head: Head { seq: goes_on.seq - 1, chain: goes_on.chain } });
        }
        let gone = resumed.torn.as_ref().is_some_and(|torn| torn.greatest().is_some());
        let syncer = Syncer::start(&options, Arc::clone(&shared), keeper)?;
        let mut writer = Writer {
            options,
            shared,
            file: Arc::new(file),
            current,
            moved: None,
            torn: resumed.torn.take(),
            torn_behind: resumed.last.map_or(0, |(last, _)| last),
            length: resumed.length,
            next_seq: goes_on.seq,
            chain: goes_on.chain,
            chained_from: goes_on.from,
            first: goes_on.first || resumed.length == 0 || gone,
            syncer,
            batch: Vec::new(),
            written: 0,
            taken: Vec::new(),
            sources: Vec::new(),
            unacknowledged: Vec::new(),
            unsynced: Vec::new(),
            unsynced_since: None,
            untold: 0,
            failing: false,
            _lock: lock,
        };
        if let Err(error) = writer.set_torn_aside() {
            writer.failed(&error);
        }
        if let Some(event) = goes_on.event {
            tracing::error!(%event, "the audit log is not as it was left");
            writer.number_event(&event);
        }
        Ok(writer)
    }

    pub(super) fn run(mut self) {
        let _ended = Ended(Arc::clone(&self.shared));
        loop {
            self.wait();
            let stopping = self.shared.stopping.load(Ordering::Acquire);
            let flush = locked(&self.shared.flushes).wanted;
            self.shared.writing.begin(&self.shared.clock);
            let outcome = self.write_all(flush, stopping);
            self.shared.writing.end();
            match outcome {
                Ok(()) => self.succeeded(),
                Err(error) => self.failed(&error),
            }
            if stopping {
                self.last_words();
                self.syncer.finish(PATIENCE_AT_THE_END);
                // What is appended from now on is not recorded. Nobody is left to be told.
                self.shared.recording.store(false, Ordering::Release);
                return;
            }
        }
    }

    /// Returns when there is something to do, having let lines gather for a moment.
    fn wait(&mut self) {
        if self.failing {
            std::thread::park_timeout(self.options.retry_delay);
            return;
        }
        let sums_until = (!locked(&self.shared.repeats).is_empty()).then(|| Instant::now() + SUMS_EVERY);
        while !self.shared.wanted.load(Ordering::Acquire) {
            let sync = self.unsynced_since.map(|since| self.options.sync_interval.saturating_sub(since.elapsed()));
            let sums = sums_until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = sync.into_iter().chain(sums).fold(self.current.next_look(), Duration::min);
            if left.is_zero() {
                return;
            }
            std::thread::park_timeout(left);
        }
        let until = Instant::now() + self.options.batch_delay;
        while !self.shared.urgent.swap(false, Ordering::AcqRel) {
            match until.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => std::thread::park_timeout(left),
                Some(_) | None => break,
            }
        }
    }

    /// Writes what an error left over, then what has gathered; has it forced to disk when that is due.
    fn write_all(&mut self, flush: u64, stopping: bool) -> std::io::Result<()> {
        self.set_torn_aside()?;
        self.write_batch()?;
        self.leave_vanished()?;
        self.take();
        self.rotate_if_full();
        self.number_all(stopping);
        self.write_batch()?;
        let due = self.unsynced_since.is_some_and(|since| since.elapsed() >= self.options.sync_interval);
        let asked = locked(&self.shared.flushes).done < flush;
        if due || asked || stopping || !self.unsynced.is_empty() {
            self.sync(flush);
        }
        Ok(())
    }

    /// Takes every buffer's lines.
    fn take(&mut self) {
        // Before the buffers are emptied: who appends after that says so anew.
        self.shared.wanted.store(false, Ordering::Release);
        let buffers: Vec<Arc<Buffer>> = {
            let mut buffers = locked(&self.shared.buffers);
            // Nobody can append to a buffer that only this list knows.
            self.sources.clear();
            buffers.retain(|buffer| Arc::strong_count(buffer) > 1 || !buffer.is_empty());
            buffers.clone()
        };
        // All of these are empty.
        self.taken.resize_with(buffers.len(), Lines::default);
        buffers.iter().zip(&mut self.taken).for_each(|(buffer, taken)| buffer.take(taken));
        self.sources = buffers;
    }

    /// Puts what was taken into the batch. Lines of one worker keep their order. `stopping`: sums of refused operations
    /// do not wait for others.
    fn number_all(&mut self, stopping: bool) {
        let mut taken = std::mem::take(&mut self.taken);
        for (lines, source) in taken.iter_mut().zip(std::mem::take(&mut self.sources)) {
            self.untold += lines.lost;
            let mut start = 0;
            for end in &lines.ends {
                if let Some(line) = lines.bytes.get(start..*end) {
                    self.number(line);
                }
                start = *end;
            }
            if !lines.ends.is_empty() {
                self.unacknowledged.push((source, lines.appended));
            }
            lines.bytes.clear();
            lines.ends.clear();
            lines.lost = 0;
        }
        self.taken = taken;
        let mut sums = Vec::new();
        locked(&self.shared.repeats).due(stopping, self.shared.clock.now(), |line| sums.push(line.to_vec()));
        sums.iter().for_each(|line| self.number(line));
        let recovered = !self.shared.failing_to_sync.load(Ordering::Acquire);
        if self.untold > 0 || recovered && self.shared.interrupted.load(Ordering::Acquire) {
            let lost = std::mem::take(&mut self.untold);
            self.shared.interrupted.store(false, Ordering::Release);
            self.number_event(&json!({"event": "audit.resumed", "lost": lost}));
        }
    }

    fn number(&mut self, line: &[u8]) {
        let start = self.batch.len();
        self.batch.extend_from_slice(b"{\"seq\":");
        record::number(&mut self.batch, self.next_seq);
        self.batch.push(b',');
        self.batch.extend_from_slice(line.strip_suffix(b"}\n").unwrap_or(line));
        self.chain = chain::close(&mut self.batch, start, self.chain, std::mem::take(&mut self.first));
        self.next_seq += 1;
    }

    fn number_event(&mut self, event: &serde_json::Value) {
        let mut line = Vec::new();
        record::event(&mut line, self.shared.clock.now(), event);
        self.number(&line);
    }

    /// Goes on exactly where the last attempt ended, in the same file.
    fn write_batch(&mut self) -> std::io::Result<()> {
        while let Some(rest) = self.batch.get(self.written..).filter(|rest| !rest.is_empty()) {
            match (&*self.file).write(rest) {
                Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count;
                    self.length += count as u64;
                    self.unsynced_since.get_or_insert_with(Instant::now);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.written > 0 {
            self.shared.written.send_replace(self.next_seq - 1);
        }
        self.batch.clear();
        self.written = 0;
        // What a long interruption made grow is given back.
        self.batch.shrink_to(1 << 20);
        if self.options.sync_each {
            self.unsynced.append(&mut self.unacknowledged);
        } else {
            self.unacknowledged.drain(..).for_each(|(buffer, number)| buffer.acknowledge(number));
        }
        Ok(())
    }

    /// Has everything that is numbered, and in the file when this is called, forced to disk.
    fn sync(&mut self, flush: u64) {
        self.unsynced_since = None;
        let head = Head { seq: self.next_seq - 1, chain: self.chain };
        self.syncer.push(Job {
            file: Arc::clone(&self.file),
            head: Kept { from: self.chained_from, head },
            lines: std::mem::take(&mut self.unsynced),
            flush,
        });
    }

    /// Before anything else is written.
    fn set_torn_aside(&mut self) -> std::io::Result<()> {
        let Some(torn) = &self.torn else { return Ok(()) };
        // Until then nothing is numbered but what the start itself has to say.
        let last = self.torn_behind;
        let event = torn.set_aside(&self.file, last)?;
        self.length = self.file.metadata()?.len();
        self.torn = None;
        if let Some(event) = event {
            self.number_event(&event);
        }
        Ok(())
    }

    /// Continues in a new file where the one that is written was moved, emptied or deleted.
    fn leave_vanished(&mut self) -> std::io::Result<()> {
        let said = self.shared.reopen.load(Ordering::Acquire);
        if let Some(how) = self.current.look(&self.file, self.length, said)? {
            let head = Head { seq: self.next_seq - 1, chain: self.chain };
            let left = Left::new(&self.current, Arc::clone(&self.file), self.length, head);
            let has_lines = self.length > 0;
            self.sync(0);
            self.current.remove_substitute()?;
            let file = file::create(&self.options.directory, self.next_seq)?;
            self.begin(file);
            match how {
                _ if !has_lines => {}
                Vanished::Moved if said => self.moved = Some(left),
                Vanished::Moved => {
                    self.number_event(&left.vanished(how));
                    self.moved = Some(left);
                }
                Vanished::Deleted | Vanished::Emptied => self.number_event(&left.vanished(how)),
            }
        }
        if self.shared.reopen.swap(false, Ordering::AcqRel)
            && let Some(left) = self.moved.take()
        {
            let event = left.reopened().unwrap_or_else(|| left.vanished(Vanished::Deleted));
            self.number_event(&event);
        }
        Ok(())
    }

    /// Begins a new file when what was taken would make this one too long. Everything before is written.
    fn rotate_if_full(&mut self) {
        let lines: usize = self.taken.iter().map(|taken| taken.ends.len()).sum();
        let octets: usize = self.taken.iter().map(|taken| taken.bytes.len()).sum();
        let told = self.shared.interrupted.load(Ordering::Acquire) || self.untold > 0;
        let own = if told { OWN_LINE } else { 0 };
        // Of each line also its number, with what stands around it, and its chain value.
        let coming = octets + own + lines * (chain::CLOSING + self.next_seq.ilog10() as usize + 10);
        if coming == 0 || self.length == 0 || self.length + coming as u64 <= self.options.max_file_bytes {
            return;
        }
        self.sync(0);
        match file::create(&self.options.directory, self.next_seq) {
            Ok(file) => self.begin(file),
            // The old one still takes lines: better than none.
            Err(error) => {
                tracing::warn!(%error, "the audit log cannot begin a new file; it continues with the old one")
            }
        }
    }

    fn begin(&mut self, file: File) {
        self.file = Arc::new(file);
        self.current = Current::new(self.options.directory.join(chain::file_name(self.next_seq)), self.next_seq);
        self.length = 0;
        // So that each file can be verified without the one before.
        self.first = true;
    }

    fn succeeded(&mut self) {
        self.failing = false;
        if self.shared.set_failing(&self.shared.failing_to_write, false) == Failing::Ends {
            tracing::warn!("the audit log can be written again");
        }
    }

    fn failed(&mut self, error: &std::io::Error) {
        self.shared.set_failing(&self.shared.failing_to_write, true);
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "the audit log cannot be written: what needs access is refused until it can");
        }
    }

    /// Keeps trying for a while to write what is left.
    fn last_words(&mut self) {
        let deadline = Instant::now() + PATIENCE_AT_THE_END;
        while let Err(error) = self.write_all(u64::MAX, true) {
            if Instant::now() > deadline {
                let bytes = self.batch.len() - self.written;
                tracing::error!(%error, bytes, "the audit log ends with records that could not be written");
                return;
            }
            std::thread::sleep(self.options.retry_delay);
        }
    }
}
