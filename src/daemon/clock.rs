//! The only reader of time. Its monotonic clock goes on over restarts (`kept`), so that an end that is fixed on it
//! stays where it is whatever somebody does to the wall clock while nothing runs.

pub mod kept;

use crate::engine::Now;
use chrono::{DateTime, TimeDelta, Utc};
use kept::Kept;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Reads both clocks. Clones share the start, what it goes on from and, in tests, the offset.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    /// Nanoseconds that the monotonic clock showed at the start.
    before: Arc<AtomicU64>,
    /// Milliseconds that the wall clock is made to be off. Zero but in tests.
    wall_offset: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::new_without_default, reason = "starting a clock is an act, not a default")]
    pub fn new() -> Clock {
        Clock { start: Instant::now(), before: Arc::default(), wall_offset: Arc::default() }
    }

    /// One reading of both.
    pub fn now(&self) -> Now {
        let wall: DateTime<Utc> = Utc::now();
        let wall = match self.wall_offset.load(Ordering::Relaxed) {
            0 => wall,
            offset => wall.checked_add_signed(TimeDelta::milliseconds(offset)).unwrap_or(wall),
        };
        let before = Duration::from_nanos(self.before.load(Ordering::Relaxed));
        Now { wall, monotonic: before.saturating_add(self.start.elapsed()) }
    }

    /// Goes on from where a clock before it was, and from how long that is ago, as far as the wall clock
    /// knows: one that was set back since then makes that nothing, never less. For the start, before anybody
    /// has read it.
    pub fn go_on(&self, kept: Kept) {
        let away = (self.now().wall - kept.wall).to_std().unwrap_or(Duration::ZERO);
        let before = u64::try_from(kept.monotonic.saturating_add(away).as_nanos()).unwrap_or(u64::MAX);
        // A year short of the end, so that it can go on.
        self.before.store(before.min(u64::MAX - 365 * 86_400 * 1_000_000_000), Ordering::Relaxed);
    }

    /// Sets the wall clock off by this much, as an administrator might set the machine's.
    pub fn set_wall_offset(&self, offset: TimeDelta) {
        self.wall_offset.store(offset.num_milliseconds(), Ordering::Relaxed);
    }

    /// Lets time pass on both clocks: a test has no hour to wait.
    #[cfg(test)]
    pub(crate) fn pass(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.before.fetch_add(nanos, Ordering::Relaxed);
        self.wall_offset.fetch_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// What a clock shows that goes on from one that showed an hour and the wall clock of so long ago.
    fn gone_on(seconds_ago: i64) -> Duration {
        let clock = Clock::new();
        clock.go_on(Kept { monotonic: HOUR, wall: clock.now().wall - TimeDelta::seconds(seconds_ago) });
        clock.now().monotonic
    }

    #[test]
    fn it_goes_on_over_a_restart_and_never_goes_back() {
        let second = Duration::from_secs(1);
        assert!(Clock::new().now().monotonic < HOUR);
        for (seconds_ago, least) in [(0, HOUR), (60, HOUR + 60 * second), (-60, HOUR), (-1_000_000, HOUR)] {
            let found = gone_on(seconds_ago);
            assert!(found >= least && found < least + 30 * second, "{seconds_ago}: {found:?}");
        }
        let clock = Clock::new();
        clock.go_on(Kept { monotonic: Duration::MAX, wall: clock.now().wall });
        assert!(clock.now().monotonic <= clock.now().monotonic, "the end of time is no trap");
    }

    #[test]
    fn setting_the_wall_clock_leaves_the_other() {
        let clock = Clock::new();
        let before = clock.now();
        clock.set_wall_offset(TimeDelta::hours(-2));
        let after = clock.now();
        assert!(after.wall < before.wall && after.monotonic >= before.monotonic);
    }
}
