//! One worker's lines on their way to the writer, and who waits for them: for their being in the log, or for room.
//!
//! While the log can be written nothing is lost: a buffer that fills up has its worker stop reading, those who use no
//! access first. Only while it cannot be written are lines lost, and those of operations that use access last.

use super::locked;
use crate::engine::audit::record::Weight;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

/// Lines that wait for the writer.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    pub(super) ends: Vec<usize>,
    /// Lines that found no room since the writer last looked.
    pub(super) lost: u64,
    /// How many lines were ever appended, the last of `ends` included.
    pub(super) appended: u64,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// It is this worker's line of this number. `before` octets were waiting before it.
    Kept { number: u64, before: usize },
    /// It found no room.
    Lost,
}

#[derive(Debug, Default)]
pub(super) struct Buffer {
    lines: Mutex<Lines>,
    /// Octets that wait.
    filled: AtomicUsize,
    /// How many lines are in the log, counted as `Lines::appended`.
    acknowledged: AtomicU64,
    /// Who waits for lines to be in the log.
    pub(super) for_lines: Waiting,
    /// Who waits for room.
    pub(super) for_room: Waiting,
}

impl Buffer {
    /// Appends a line. While the log `records` there is room for every line: it is for whoever reads clients to stop.
    /// Else there are `most` octets, of which those that use no access get half.
    pub(super) fn append(&self, line: &[u8], weight: Weight, records: bool, most: usize) -> Appended {
        let mut lines = locked(&self.lines);
        let before = lines.bytes.len();
        let room = match weight {
            Weight::Access => most,
            Weight::Plain | Weight::Refused | Weight::Trivial => most / 2,
        };
        if !records && before + line.len() > room {
            lines.lost += 1;
            return Appended::Lost;
        }
        lines.bytes.extend_from_slice(line);
        lines.ends.push(before + line.len());
        lines.appended += 1;
        self.filled.store(before + line.len(), Ordering::Relaxed);
        Appended::Kept { number: lines.appended, before }
    }

    /// Octets that wait.
    pub(super) fn filled(&self) -> usize {
        self.filled.load(Ordering::Relaxed)
    }

    /// Whether lines wait.
    pub(super) fn is_empty(&self) -> bool {
        locked(&self.lines).ends.is_empty()
    }

    /// Changes places with `taken`, which is empty.
    pub(super) fn take(&self, taken: &mut Lines) {
        let mut lines = locked(&self.lines);
        taken.appended = lines.appended;
        std::mem::swap(&mut *lines, taken);
        self.filled.store(0, Ordering::Relaxed);
        drop(lines);
        if !taken.ends.is_empty() {
            self.for_room.wake();
        }
    }

    /// How many lines are in the log.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// All lines up to this number are in the log.
    pub(super) fn acknowledge(&self, number: u64) {
        self.acknowledged.store(number, Ordering::Release);
        self.for_lines.wake();
    }
}

/// Tasks that wait.
#[derive(Debug)]
pub(super) struct Waiting(Mutex<(u64, Vec<Waker>)>);

impl Default for Waiting {
    fn default() -> Waiting {
        Waiting(Mutex::new((1, Vec::new())))
    }
}

impl Waiting {
    /// Has a task woken the next time. `round`, at first 0, is the task's: however often it asks, it is kept once.
    pub(super) fn register(&self, round: &mut u64, waker: &Waker) {
        let mut waiting = locked(&self.0);
        if std::mem::replace(round, waiting.0) != waiting.0 {
            waiting.1.push(waker.clone());
        }
    }

    /// Wakes all that wait.
    pub(super) fn wake(&self) {
        let wakers = {
            let mut waiting = locked(&self.0);
            waiting.0 += 1;
            std::mem::take(&mut waiting.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_reserve_for_lines_of_access_while_nothing_can_be_written() {
        let buffer = Buffer::default();
        let line = [b'x'; 10];
        let append = |weight, records| buffer.append(&line, weight, records, 100);
        // While it records all have room, beyond any bound.
        for number in 1..=20 {
            assert_eq!(append(Weight::Plain, true), Appended::Kept { number, before: (number as usize - 1) * 10 });
        }
        let mut taken = Lines::default();
        buffer.take(&mut taken);
        assert_eq!((taken.ends.len(), taken.appended, taken.lost), (20, 20, 0));
        let kept = |weight| (0..20).filter(|_| append(weight, false) != Appended::Lost).count();
        assert_eq!([Weight::Plain, Weight::Refused, Weight::Access].map(kept), [5, 0, 5]);
        let mut taken = Lines::default();
        buffer.take(&mut taken);
        assert_eq!((taken.ends.len(), taken.appended, taken.lost, buffer.filled()), (10, 30, 50, 0));
    }

    #[test]
    fn a_task_that_waits_is_kept_once_a_round() {
        let (waiting, waker) = (Waiting::default(), Waker::noop());
        let (mut one, mut other) = (0, 0);
        for _ in 0..3 {
            waiting.register(&mut one, waker);
            waiting.register(&mut other, waker);
        }
        assert_eq!(locked(&waiting.0).1.len(), 2);
        waiting.wake();
        waiting.register(&mut one, waker);
        assert_eq!(locked(&waiting.0).1.len(), 1);
    }
}
