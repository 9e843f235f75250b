//! The only reader of time.

use crate::engine::Now;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// Reads both clocks. Clones share the start and, in tests, the offset.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    /// Milliseconds that the wall clock is made to be off. Zero but in tests.
    wall_offset: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::new_without_default, reason = "starting a clock is an act, not a default")]
    pub fn new() -> Clock {
        Clock { start: Instant::now(), wall_offset: Arc::new(AtomicI64::new(0)) }
    }

    /// One reading of both.
    pub fn now(&self) -> Now {
        let wall: DateTime<Utc> = Utc::now();
        let wall = match self.wall_offset.load(Ordering::Relaxed) {
            0 => wall,
            offset => wall.checked_add_signed(TimeDelta::milliseconds(offset)).unwrap_or(wall),
        };
        Now { wall, monotonic: self.start.elapsed() }
    }

    /// Sets the wall clock off by this much, as an administrator might set the machine's.
    pub fn set_wall_offset(&self, offset: TimeDelta) {
        self.wall_offset.store(offset.num_milliseconds(), Ordering::Relaxed);
    }
}
