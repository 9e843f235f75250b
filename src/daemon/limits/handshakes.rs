//! How many connections of one address may begin a TLS handshake within a minute: a handshake costs the gate far more than
//! the client. Time is an argument.

use super::accounts::AddressKey;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many addresses are remembered. When no more fit, those that have nothing left to forget make room.
const MAX_ADDRESSES: usize = 16_384;
/// One handshake, in the unit that levels are kept in: so many parts leak in a minute for each that is allowed.
const ONE: u64 = 60_000;

/// Counts of handshakes.
#[derive(Debug)]
pub struct Handshakes {
    /// So many are forgotten in a minute, and may come at once; 0: nothing is counted.
    per_minute: u32,
    /// Leaky buckets: handshakes, in parts of [`ONE`], and up to when they have leaked (monotonic clock).
    levels: Mutex<HashMap<AddressKey, (u64, Duration)>>,
}

impl Handshakes {
    /// None yet. `per_minute`: from one address; 0: any number.
    pub fn new(per_minute: u32) -> Handshakes {
        Handshakes { per_minute, levels: Mutex::default() }
    }

    /// Counts one more from this address, unless that is too many. What is rejected does not count.
    pub fn allows(&self, address: AddressKey, now: Duration) -> bool {
        if self.per_minute == 0 {
            return true;
        }
        // Each change is whole or not begun.
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= MAX_ADDRESSES && !levels.contains_key(&address) {
            levels.retain(|_, (level, at)| self.leaked(*level, *at, now) > 0);
            // `max_connections` bounds what so many addresses have open.
            if levels.len() >= MAX_ADDRESSES {
                return true;
            }
        }
        let (level, at) = levels.entry(address).or_insert((0, now));
        (*level, *at) = (self.leaked(*level, *at, now), now);
        let sum = level.saturating_add(ONE);
        let fits = sum <= u64::from(self.per_minute).saturating_mul(ONE);
        if fits {
            *level = sum;
        }
        fits
    }

    fn leaked(&self, level: u64, at: Duration, now: Duration) -> u64 {
        // A minute has 60,000 milliseconds, and a handshake as many parts.
        let passed = u64::try_from(now.saturating_sub(at).as_millis()).unwrap_or(u64::MAX);
        level.saturating_sub(passed.saturating_mul(u64::from(self.per_minute)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: u32) -> AddressKey {
        AddressKey::of(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn one_address_has_so_many_at_once_and_so_many_a_minute() {
        let handshakes = Handshakes::new(60);
        let allowed =
            |of: u32, at: u64| (0..1_000).filter(|_| handshakes.allows(address(of), Duration::from_millis(at))).count();
        assert_eq!(allowed(1, 1_000), 60);
        assert_eq!(allowed(2, 1_000), 60, "another address");
        assert_eq!(allowed(1, 1_999), 0);
        assert_eq!(allowed(1, 2_000), 1);
        assert_eq!(allowed(1, 62_000), 60);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_zero_bounds_nothing() {
        let handshakes = Handshakes::new(1);
        let most = u32::try_from(MAX_ADDRESSES).unwrap();
        for number in 0..most + 100 {
            assert!(handshakes.allows(address(number), Duration::ZERO), "{number}");
        }
        assert_eq!(handshakes.levels.lock().unwrap().len(), MAX_ADDRESSES);
        assert!(!handshakes.allows(address(0), Duration::ZERO));
        assert!(handshakes.allows(address(most + 100), Duration::from_secs(60)));
        assert_eq!(handshakes.levels.lock().unwrap().len(), 1, "those of long ago make room");
        let any = Handshakes::new(0);
        assert!((0..1_000).all(|_| any.allows(address(1), Duration::ZERO)));
    }
}
