//! A worker's way to the log: it appends lines, waits for them where it must, and learns when there is little room.

use super::buffer::{Appended, Buffer};
use super::{Shared, URGENT_BYTES};
use crate::engine::audit::record::{self, Weight};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

/// One worker's way to the log. Clones share a buffer.
#[derive(Clone)]
pub struct AuditHandle {
    buffer: Arc<Buffer>,
    shared: Arc<Shared>,
}

impl AuditHandle {
    pub(super) fn new(buffer: Arc<Buffer>, shared: Arc<Shared>) -> AuditHandle {
        AuditHandle { buffer, shared }
    }

    /// Appends one record as [`record::begun`] or [`record::begin`] and [`record::finish`] write it: without
    /// `{"seq":N,`, with its line end. Takes a lock that only the writer ever contends for; does not touch the disk.
    /// Returns the line's number among those of this worker; `None`: it found no room, or was summed with others.
    pub fn append(&self, line: &[u8], weight: Weight) -> Option<u64> {
        if matches!(weight, Weight::Refused | Weight::Trivial) && self.shared.sums(line) {
            return None;
        }
        let records = self.shared.recording.load(Ordering::Acquire);
        let Appended::Kept { number, before } = self.buffer.append(line, weight, records, self.shared.max_buffer_bytes)
        else {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        if before == 0 {
            self.shared.wake(false);
        }
        if before < URGENT_BYTES && before + line.len() >= URGENT_BYTES {
            self.shared.wake(true);
        }
        Some(number)
    }

    /// Has the writer write at once.
    pub fn hurry(&self) {
        self.shared.wake(true);
    }

    /// Whether this worker's line of this number, and all before it, are in the log. `Err`: they cannot be written.
    pub fn is_written(&self, number: u64) -> Result<bool, NotRecording> {
        if self.buffer.acknowledged() >= number {
            return Ok(true);
        }
        if self.shared.recording.load(Ordering::Acquire) { Ok(false) } else { Err(NotRecording) }
    }

    /// Has a task woken when more lines are in the log, or cannot be written. `round` is the task's, at first 0.
    pub fn wait_for_lines(&self, round: &mut u64, waker: &Waker) {
        self.buffer.for_lines.register(round, waker);
    }

    /// Whether there is so little room that a client must not be read whose session `uses_access`, or does not.
    pub fn is_full_for(&self, uses_access: bool) -> bool {
        let (filled, most) = (self.buffer.filled(), self.shared.max_buffer_bytes);
        let limit = if uses_access { most / 4 * 3 } else { most / 2 };
        filled >= limit && self.shared.recording.load(Ordering::Acquire)
    }

    /// Has a task woken when there is more room. `round` is the task's, at first 0.
    pub fn wait_for_room(&self, round: &mut u64, waker: &Waker) {
        self.buffer.for_room.register(round, waker);
    }

    /// A session was not read for so long.
    pub fn was_held_back(&self, length: Duration) {
        let length = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        self.shared.held_back.fetch_add(length, Ordering::Relaxed);
    }

    /// Records a step of the workflow or of the gate itself: an object whose field `event` says what happened.
    pub fn event(&self, event: &serde_json::Value) {
        let mut line = Vec::with_capacity(256);
        record::event(&mut line, self.shared.clock.now(), event);
        self.append(&line, Weight::Access);
    }
}

impl std::fmt::Debug for AuditHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditHandle")
    }
}

/// Lines cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRecording;
