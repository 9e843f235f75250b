//! The one thread that writes: gathers lines, numbers and chains them, writes, forces to disk, rotates, retries.

use super::file::{self, Resumed};
use super::head::{self, Keeper};
use super::{AuditLogError, Buffer, Lines, Options, Shared, locked};
use crate::engine::audit::chain::{self, Head, Kept, Link};
use crate::engine::audit::record;
use nix::fcntl::Flock;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the end of the process waits for a disk that does not take what is left.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(2);

/// Octets of a line of the writer's own, about.
const OWN_LINE: usize = 256;

pub(super) struct Writer {
    options: Options,
    shared: Arc<Shared>,
    file: File,
    /// Octets in `file`.
    length: u64,
    next_seq: u64,
    /// The chain value of the line before.
    chain: Link,
    /// The first line of the chain.
    chained_from: u64,
    /// Whether the next line says what the chain value before it is.
    first: bool,
    /// Where the end of what is on disk is noted.
    keeper: Option<Keeper>,
    /// Numbered lines; `written` octets of them are in the file already.
    batch: Vec<u8>,
    written: usize,
    /// Change places with the workers' buffers, so that all keep their memory.
    taken: Vec<Lines>,
    /// Since when something is written and not forced to disk.
    unsynced_since: Option<Instant>,
    /// Lines lost that no line tells of yet.
    untold: u64,
    /// Whether the last attempt ended in an error.
    failing: bool,
    /// Whether recording was interrupted and no line tells of it yet.
    interrupted: bool,
    /// Released when the writer ends.
    _lock: Flock<File>,
}

/// However the writer ends: what is appended from then on is not recorded.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.set_recording(false);
    }
}

impl Writer {
    pub(super) fn open(options: Options, shared: Arc<Shared>) -> Result<Writer, AuditLogError> {
        let lock = file::claim(&options.directory)?;
        let directory = options.directory.clone();
        let io = |source| AuditLogError::Io { path: directory.clone(), source };
        let resumed = file::resume(&options.directory).map_err(io)?;
        let (mut kept, mut keeper) = (None, None);
        if let Some(path) = &options.head {
            let io = |source| AuditLogError::Io { path: path.clone(), source };
            kept = head::read(path).map_err(io)?;
            keeper = Some(Keeper::open(path).map_err(io)?);
        }
        let goes_on =
            GoesOn::after(&resumed, kept, keeper.is_some()).map_err(|error| io(std::io::Error::other(error)))?;
        let file = match resumed.file {
            Some(file) => file,
            None => file::create(&options.directory, goes_on.seq).map_err(io)?,
        };
        let mut writer = Writer {
            options,
            shared,
            file,
            length: resumed.length,
            next_seq: goes_on.seq,
            chain: goes_on.chain,
            chained_from: goes_on.from,
            first: goes_on.first || resumed.length == 0,
            keeper,
            batch: Vec::new(),
            written: 0,
            taken: Vec::new(),
            unsynced_since: None,
            untold: 0,
            failing: false,
            interrupted: false,
            _lock: lock,
        };
        if goes_on.begins {
            writer.keep_head();
        }
        if let Some((bytes, digest)) = resumed.torn {
            let digest = digest.to_string();
            writer.number_event(&json!({"event": "audit.repaired", "torn_bytes": bytes, "torn_digest": digest}));
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
            let outcome = self.write_all(flush, stopping);
            match outcome {
                Ok(()) => self.succeeded(),
                Err(error) => self.failed(&error),
            }
            if stopping {
                self.last_words();
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
        while !self.shared.wanted.load(Ordering::Acquire) {
            match self.unsynced_since.map(|since| self.options.sync_interval.saturating_sub(since.elapsed())) {
                None => std::thread::park(),
                Some(left) if left.is_zero() => return,
                Some(left) => std::thread::park_timeout(left),
            }
        }
        let until = Instant::now() + self.options.batch_delay;
        while !self.shared.urgent.swap(false, Ordering::AcqRel) {
            match until.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => std::thread::park_timeout(left),
                Some(_) | None => break,
            }
        }
    }

    /// Writes what an error left over, then what has gathered; forces it to disk when that is due.
    fn write_all(&mut self, flush: u64, stopping: bool) -> std::io::Result<()> {
        self.write_batch()?;
        self.take();
        self.rotate_if_full()?;
        self.number_all();
        self.write_batch()?;
        let due = self.unsynced_since.is_some_and(|since| since.elapsed() >= self.options.sync_interval);
        let asked = locked(&self.shared.flushes).done < flush;
        if due || asked || stopping {
            self.sync()?;
        }
        if asked {
            locked(&self.shared.flushes).done = flush;
            self.shared.flushed.notify_all();
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
            buffers.retain(|buffer| Arc::strong_count(buffer) > 1 || !locked(&buffer.lines).ends.is_empty());
            buffers.clone()
        };
        // All of these are empty.
        self.taken.resize_with(buffers.len(), Lines::default);
        for (buffer, taken) in buffers.iter().zip(&mut self.taken) {
            std::mem::swap(&mut *locked(&buffer.lines), taken);
        }
    }

    /// Puts what was taken into the batch. Lines of one worker keep their order.
    fn number_all(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        for lines in &mut taken {
            self.untold += lines.lost;
            let mut start = 0;
            for end in &lines.ends {
                if let Some(line) = lines.bytes.get(start..*end) {
                    self.number(line);
                }
                start = *end;
            }
            lines.bytes.clear();
            lines.ends.clear();
            lines.lost = 0;
        }
        self.taken = taken;
        if self.interrupted || self.untold > 0 {
            let lost = std::mem::take(&mut self.untold);
            self.interrupted = false;
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
            match self.file.write(rest) {
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
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        if self.unsynced_since.is_some() {
            self.file.sync_data()?;
            self.unsynced_since = None;
            // Everything that is numbered is in the file when this is called.
            self.keep_head();
            if self.file.metadata()?.nlink() == 0 {
                tracing::error!("somebody removed the audit log's file; it goes on in a new one");
                self.begin(file::create(&self.options.directory, self.next_seq)?);
            }
        }
        Ok(())
    }

    fn keep_head(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            let head = Head { seq: self.next_seq - 1, chain: self.chain };
            keeper.keep(Kept { from: self.chained_from, head });
        }
    }

    /// Begins a new file when what was taken would make this one too long. Everything before is written.
    fn rotate_if_full(&mut self) -> std::io::Result<()> {
        let lines: usize = self.taken.iter().map(|taken| taken.ends.len()).sum();
        let octets: usize = self.taken.iter().map(|taken| taken.bytes.len()).sum();
        let own = if self.interrupted || self.untold > 0 { OWN_LINE } else { 0 };
        // Of each line also its number, with what stands around it, and its chain value.
        let coming = octets + own + lines * (chain::CLOSING + self.next_seq.ilog10() as usize + 10);
        if coming == 0 || self.length == 0 || self.length + coming as u64 <= self.options.max_file_bytes {
            return Ok(());
        }
        self.sync()?;
        match file::create(&self.options.directory, self.next_seq) {
            Ok(file) => self.begin(file),
            // The old one still takes lines: better than none.
            Err(error) => tracing::warn!(%error, "the audit log cannot begin a new file; it goes on with the old one"),
        }
        Ok(())
    }

    fn begin(&mut self, file: File) {
        self.file = file;
        self.length = 0;
        // So that each file can be verified without the one before.
        self.first = true;
    }

    fn succeeded(&mut self) {
        self.failing = false;
        if !self.shared.recording.load(Ordering::Acquire) {
            tracing::warn!("the audit log can be written again");
            self.shared.set_recording(true);
        }
    }

    fn failed(&mut self, error: &std::io::Error) {
        // First, and whatever becomes of the telling.
        self.shared.set_recording(false);
        if !self.failing {
            tracing::error!(%error, "the audit log cannot be written: what needs a grant is refused until it can");
        }
        self.failing = true;
        self.interrupted = true;
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

/// Where a log that was opened goes on.
struct GoesOn {
    seq: u64,
    chain: Link,
    from: u64,
    first: bool,
    /// Whether a chain begins here.
    begins: bool,
    /// What has to be said of it.
    event: Option<serde_json::Value>,
}

impl GoesOn {
    /// No number is given twice, whatever became of the files, and the chain goes on from the last line that the
    /// gate knows of. `keeps`: whether it should have kept one.
    fn after(resumed: &Resumed, kept: Option<Kept>, keeps: bool) -> Result<GoesOn, getrandom::Error> {
        let next = resumed.last.map_or(resumed.first_seq, |(last, _)| last + 1).max(resumed.first_seq);
        let chain = resumed.last.and_then(|(_, chain)| chain);
        let (Some(kept), last) = (kept, resumed.last.map(|(last, _)| last)) else {
            let Some(chain) = chain else {
                let mut random = [0; 32];
                getrandom::fill(&mut random)?;
                let chain = Link::new(random);
                return Ok(GoesOn { seq: next, chain, from: next, first: true, begins: true, event: None });
            };
            let event = keeps.then(|| json!({"event": "audit.headless"}));
            return Ok(GoesOn { seq: next, chain, from: next, first: false, begins: false, event });
        };
        let Kept { from, head } = kept;
        let as_left = match last.unwrap_or_default() {
            last if last == head.seq => chain.is_none_or(|chain| chain == head.chain),
            last => last > head.seq,
        };
        if as_left {
            let (first, chain) = (chain.is_none(), chain.unwrap_or(head.chain));
            return Ok(GoesOn { seq: next, chain, from, first, begins: false, event: None });
        }
        let event = json!({"event": "audit.broken", "head": head.to_string(), "last": last});
        let seq = next.max(head.seq.saturating_add(1));
        Ok(GoesOn { seq, chain: head.chain, from, first: true, begins: false, event: Some(event) })
    }
}
