//! How often may be tried: back-off for each name from each address, and for each address. Never
//! for a name as such: strangers elsewhere do not lock anybody out. Pure: time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is forgotten when nothing was tried for so long.
const MEMORY: Duration = Duration::from_secs(15 * 60);
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
}

impl<K: Copy + Eq + Hash> Throttle<K> {
    pub(in crate::daemon::control) fn new(allowance: Allowance) -> Throttle<K> {
        Throttle { allowance, keys: Mutex::default() }
    }

    /// Lets somebody try, and counts it as a failure until [`Throttle::forgive`] says otherwise, so
    /// that tries at the same time count as well. An error is how long to wait; that is not counted.
    pub(in crate::daemon::control) fn admit(&self, key: K, now: Duration) -> Result<(), Duration> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(&key) && keys.len() >= MAX_KEYS {
            keys.retain(|_, failures| now.saturating_sub(failures.last) < MEMORY);
            if keys.len() >= MAX_KEYS
                && let Some(idle) = keys.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| *key)
            {
                keys.remove(&idle);
            }
        }
        let failures = keys.entry(key).or_insert(Failures { count: 0, last: now });
        let since = now.saturating_sub(failures.last);
        if since >= MEMORY {
            failures.count = 0;
        }
        let wait = self.wait(failures.count);
        if since < wait {
            return Err(wait.saturating_sub(since));
        }
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn throttle() -> Throttle<u32> {
        Throttle::new(Allowance { free: 3, longest: seconds(60) })
    }

    #[test]
    fn failures_cost_more_and_more_time() {
        let throttle = throttle();
        for _ in 0..3 {
            assert_eq!(throttle.admit(1, seconds(0)), Ok(()));
        }
        assert_eq!(throttle.admit(1, seconds(0)), Err(seconds(4)));
        assert_eq!(throttle.admit(2, seconds(0)), Ok(()), "somebody else is not held up");
        let mut now = 0;
        for wait in [4, 8, 16, 32, 60, 60] {
            assert_eq!(throttle.admit(1, seconds(now + wait - 1)), Err(seconds(1)), "{wait}");
            now += wait;
            assert_eq!(throttle.admit(1, seconds(now)), Ok(()), "{wait}");
        }
        assert_eq!(throttle.admit(1, seconds(now) + MEMORY), Ok(()));
        assert_eq!(throttle.admit(1, seconds(now) + MEMORY), Ok(()), "all is forgotten by then");
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
            assert_eq!(throttle.admit(key, seconds(u64::from(key) / 100)), Ok(()));
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
