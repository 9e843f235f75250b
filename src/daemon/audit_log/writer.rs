//! The one thread that writes: gathers lines, numbers them, writes, forces to disk, rotates, retries.

use super::file::{self, Resumed};
use super::{AuditLogError, Buffer, Lines, Options, Shared, locked};
use crate::engine::audit::record;
use nix::fcntl::Flock;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the end of the process waits for a disk that does not take what is left.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    options: Options,
    shared: Arc<Shared>,
    file: File,
    /// Octets in `file`.
    length: u64,
    next_seq: u64,
    /// Numbered lines; `written` octets of them are in the file already.
    batch: Vec<u8>,
    written: usize,
    /// Changes places with a worker's buffer, so that both keep their memory.
    spare: Lines,
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
        let resumed = file::resume(&options.directory);
        let Resumed { file, length, next_seq, torn } =
            resumed.map_err(|source| AuditLogError::Io { path: options.directory.clone(), source })?;
        let mut writer = Writer {
            options,
            shared,
            file,
            length,
            next_seq,
            batch: Vec::new(),
            written: 0,
            spare: Lines::default(),
            unsynced_since: None,
            untold: 0,
            failing: false,
            interrupted: false,
            _lock: lock,
        };
        if torn > 0 {
            writer.number_event(&json!({"event": "audit.repaired", "torn_bytes": torn}));
        }
        Ok(writer)
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.options.directory.clone()
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
        self.gather();
        self.rotate_if_full()?;
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

    /// Takes every buffer's lines into the batch. Lines of one worker keep their order.
    fn gather(&mut self) {
        // Before the buffers are emptied: who appends after that says so anew.
        self.shared.wanted.store(false, Ordering::Release);
        let buffers: Vec<Arc<Buffer>> = {
            let mut buffers = locked(&self.shared.buffers);
            // Nobody can append to a buffer that only this list knows.
            buffers.retain(|buffer| Arc::strong_count(buffer) > 1 || !locked(&buffer.lines).ends.is_empty());
            buffers.clone()
        };
        for buffer in buffers {
            std::mem::swap(&mut *locked(&buffer.lines), &mut self.spare);
            let mut lines = std::mem::take(&mut self.spare);
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
            self.spare = lines;
        }
        if self.interrupted || self.untold > 0 {
            let lost = std::mem::take(&mut self.untold);
            self.interrupted = false;
            self.number_event(&json!({"event": "audit.resumed", "lost": lost}));
        }
    }

    fn number(&mut self, line: &[u8]) {
        self.batch.extend_from_slice(b"{\"seq\":");
        record::number(&mut self.batch, self.next_seq);
        self.batch.push(b',');
        self.batch.extend_from_slice(line);
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
            if self.file.metadata()?.nlink() == 0 {
                tracing::error!("somebody removed the audit log's file; it goes on in a new one");
                self.file = file::create(&self.options.directory, self.next_seq)?;
                self.length = 0;
            }
        }
        Ok(())
    }

    /// Begins a new file when the batch would make this one too long. The batch holds whole lines only here.
    fn rotate_if_full(&mut self) -> std::io::Result<()> {
        let full = self.length + self.batch.len() as u64 > self.options.max_file_bytes;
        if self.batch.is_empty() || self.length == 0 || !full {
            return Ok(());
        }
        self.sync()?;
        let lines = self.batch.iter().filter(|byte| **byte == b'\n').count() as u64;
        match file::create(&self.options.directory, self.next_seq - lines) {
            Ok(file) => {
                self.file = file;
                self.length = 0;
            }
            // The old one still takes lines: better than none.
            Err(error) => tracing::warn!(%error, "the audit log cannot begin a new file; it goes on with the old one"),
        }
        Ok(())
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
