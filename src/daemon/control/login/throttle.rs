//! How often may be tried: back-off for each name from each address, and for each address. Never
//! for a name as such: strangers elsewhere do not lock anybody out; and who logged in from an address
//! before is not held up there by what others try. Pure: time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Keys that are remembered at once; the one that was idle longest makes room.
const MAX_KEYS: usize = 10_000;

/// From where somebody tries. One IPv6 customer has a whole /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::daemon::control) enum Place {
    /// The Unix socket, by user id.
    Local(u32),
    /// A network address.
    Network(IpAddr),
}

impl Place {
    pub(in crate::daemon::control) fn of(address: IpAddr) -> Place {
        Place::Network(match address.to_canonical() {
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & 0xffff_ffff_ffff_ffff_0000_0000_0000_0000))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// How much may be tried.
#[derive(Debug, Clone, Copy)]
pub(in crate::daemon::control) struct Allowance {
    /// So many failures are free.
    pub(in crate::daemon::control) free: u32,
    /// After them the wait doubles from four seconds up to this.
    pub(in crate::daemon::control) longest: Duration,
    /// One failure is forgotten each time that so long has passed: not all of them at once, or
    /// waiting for that would be the faster way to guess.
    pub(in crate::daemon::control) forgotten: Duration,
}

/// The answer to who may not try now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon::control) struct Held {
    /// For so long.
    pub(in crate::daemon::control) wait: Duration,
    /// Nobody of that key was told since the last try: so that whoever does not listen fills no log.
    pub(in crate::daemon::control) is_news: bool,
}

/// Failures by key, and how long each key has to wait.
#[derive(Debug)]
pub(in crate::daemon::control) struct Throttle<K> {
    allowance: Allowance,
    keys: Mutex<HashMap<K, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Duration,
    /// Up to when failures have been forgotten.
    forgotten: Duration,
    /// Somebody was told to wait since the last try.
    told: bool,
}

impl<K: Copy + Eq + Hash> Throttle<K> {
    pub(in crate::daemon::control) fn new(allowance: Allowance) -> Throttle<K> {
        Throttle { allowance, keys: Mutex::default() }
    }

    /// Lets somebody try, and counts it as a failure until [`Throttle::forgive`] says otherwise, so
    /// that tries at the same time count as well. An error is how long to wait; that is not counted.
    pub(in crate::daemon::control) fn admit(&self, key: K, now: Duration) -> Result<(), Held> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(&key) && keys.len() >= MAX_KEYS {
            keys.retain(|_, failures| {
                failures.forget(self.allowance.forgotten, now);
                failures.count > 0
            });
            if keys.len() >= MAX_KEYS
                && let Some(idle) = keys.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| *key)
            {
                keys.remove(&idle);
            }
        }
        let failures = keys.entry(key).or_insert(Failures { count: 0, last: now, forgotten: now, told: false });
        failures.forget(self.allowance.forgotten, now);
        let (since, wait) = (now.saturating_sub(failures.last), self.wait(failures.count));
        if since < wait {
            let is_news = !std::mem::replace(&mut failures.told, true);
            return Err(Held { wait: wait.saturating_sub(since), is_news });
        }
        *failures = Failures { count: failures.count.saturating_add(1), last: now, told: false, ..*failures };
        Ok(())
    }

    /// It was no failure after all: everything that was held against the key is forgotten.
    pub(in crate::daemon::control) fn forgive(&self, key: &K) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// It was no failure after all; those before it were.
    pub(in crate::daemon::control) fn take_back(&self, key: &K) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = keys.get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    fn wait(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.allowance.free) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(4 << over.min(20)).min(self.allowance.longest),
        }
    }
}

impl Failures {
    /// Forgets one for each `every` that has passed.
    fn forget(&mut self, every: Duration, now: Duration) {
        let passed = now.saturating_sub(self.forgotten).as_nanos() / every.as_nanos().max(1);
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.count = self.count.saturating_sub(passed);
        // Time in which there was nothing to forget is not saved up.
        self.forgotten = if self.count == 0 { now } else { self.forgotten + every * passed };
    }
}

/// Who has shown the right password where: the oldest makes room.
#[derive(Debug)]
pub(in crate::daemon::control) struct Regulars<K>(Mutex<HashMap<K, Duration>>);

impl<K> Default for Regulars<K> {
    fn default() -> Regulars<K> {
        Regulars(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Regulars<K> {
    /// Takes down that somebody did.
    pub(in crate::daemon::control) fn add(&self, key: K, now: Duration) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(&key)
            && keys.len() >= MAX_KEYS
            && let Some(oldest) = keys.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key)
        {
            keys.remove(&oldest);
        }
        keys.insert(key, now);
    }

    /// Whether somebody did.
    pub(in crate::daemon::control) fn contain(&self, key: &K) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn throttle() -> Throttle<u32> {
        Throttle::new(Allowance { free: 3, longest: seconds(60), forgotten: seconds(100) })
    }

    fn held(wait: u64, is_news: bool) -> Result<(), Held> {
        Err(Held { wait: seconds(wait), is_news })
    }

    #[test]
    fn failures_cost_more_and_more_time() {
        let throttle = Throttle::new(Allowance { free: 3, longest: seconds(60), forgotten: seconds(100_000) });
        for _ in 0..3 {
            assert_eq!(throttle.admit(1, seconds(0)), Ok(()));
        }
        assert_eq!(throttle.admit(1, seconds(0)), held(4, true));
        assert_eq!(throttle.admit(2, seconds(0)), Ok(()), "somebody else is not held up");
        let mut now = 0;
        for (number, wait) in [4, 8, 16, 32, 60, 60].into_iter().enumerate() {
            assert_eq!(throttle.admit(1, seconds(now + wait - 1)), held(1, number > 0), "{wait}");
            assert_eq!(throttle.admit(1, seconds(now + wait - 1)), held(1, false), "told once for each try");
            now += wait;
            assert_eq!(throttle.admit(1, seconds(now)), Ok(()), "{wait}");
        }
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
        let throttle = throttle();
        let tries = |at: u64| (0..10).take_while(|_| throttle.admit(1, seconds(at)).is_ok()).count();
        assert_eq!(tries(0), 3);
        assert_eq!(tries(99), 1, "the wait is over");
        assert_eq!(tries(100), 0, "one is forgotten, and three are left");
        assert_eq!(tries(100 + 2 * 100), 2);
        assert_eq!(tries(100_000), 3, "not more than are free, however long it was");
    }

    #[test]
    fn who_was_there_before_is_remembered_and_not_for_ever() {
        let regulars = Regulars::default();
        regulars.add(1, seconds(1));
        regulars.add(2, seconds(0));
        assert!(regulars.contain(&1) && regulars.contain(&2) && !regulars.contain(&3));
        for key in 3..=MAX_KEYS as u32 + 1 {
            regulars.add(key, seconds(2));
        }
        assert!(regulars.contain(&1) && !regulars.contain(&2), "the oldest makes room");
    }

    #[test]
    fn success_is_not_held_against_anybody() {
        let throttle = throttle();
        for _ in 0..20 {
            assert_eq!(throttle.admit(1, seconds(0)), Ok(()));
            throttle.take_back(&1);
        }
        for _ in 0..2 {
            assert_eq!(throttle.admit(1, seconds(0)), Ok(()));
        }
        throttle.forgive(&1);
        for _ in 0..3 {
            assert_eq!(throttle.admit(1, seconds(0)), Ok(()));
        }
        assert!(throttle.admit(1, seconds(0)).is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = throttle();
        for key in 0..MAX_KEYS as u32 + 10 {
            assert_eq!(throttle.admit(key, seconds(u64::from(key) / 200)), Ok(()));
        }
        assert_eq!(throttle.keys.lock().expect("no panic").len(), MAX_KEYS);
    }

    #[test]
    fn one_network_is_one_place() {
        let place = |text: &str| Place::of(text.parse().expect("an address"));
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:2"));
        assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
        assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
    }
}
