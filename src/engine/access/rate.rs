//! How often somebody may search what the directory evaluates hidden entries for. Where these cannot be left out of a
//! search, the time that it takes tells something of them; how much can be learned is how often it can be asked.
//!
//! A search counts for what it reaches, never for what it found: a limit that is reached would tell of that.

use super::Snapshot;
use crate::engine::policy::Subject;
use crate::engine::time::Now;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many seconds' worth may come at once.
const BURST: u32 = 10;
const SHARDS: usize = 16;
/// More than these are not remembered: those who have been quiet are forgotten first.
const MAX_KEPT: usize = 4_096;

/// When each subject's next search would be due, were they evenly spread (the generic cell rate algorithm). Shared by all
/// sessions: connections are free, people are not.
#[derive(Debug, Default)]
pub struct SearchRates {
    shards: [Mutex<HashMap<Box<[u8]>, Duration>>; SHARDS],
}

impl SearchRates {
    /// Counts one search of `who` at `now`, on the monotonic clock, where `per_minute` are allowed (0: any number); whether it may go ahead.
    pub fn admit(&self, who: &[u8], per_minute: u32, now: Duration) -> bool {
        let Some(interval) = Duration::from_secs(60).checked_div(per_minute) else { return true };
        let mut hasher = DefaultHasher::new();
        who.hash(&mut hasher);
        let Some(shard) = self.shards.get(hasher.finish() as usize % SHARDS) else { return false };
        let mut due = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let next = due.get(who).copied().unwrap_or_default().max(now);
        // One is always allowed after a pause, however few a minute there are.
        let burst = interval.saturating_mul((per_minute.saturating_mul(BURST) / 60).saturating_sub(1));
        if next.saturating_sub(now) > burst {
            return false;
        }
        if let Some(known) = due.get_mut(who) {
            *known = next.saturating_add(interval);
            return true;
        }
        if due.len() >= MAX_KEPT {
            due.retain(|_, next| *next > now);
        }
        if due.len() >= MAX_KEPT {
            due.clear();
        }
        due.insert(who.into(), next.saturating_add(interval));
        true
    }
}

impl Snapshot {
    /// Counts a search of this subject that the directory evaluates hidden entries for; whether it may go ahead. Those
    /// without a name are told apart by `address`, with or without a port.
    pub fn admits_exposed(&self, subject: &Subject, address: &str, now: Now) -> bool {
        let per_minute = self.policy.exposed_searches;
        match subject {
            Subject::Dn(name) => self.rates.admit(name.key(), per_minute, now.monotonic),
            Subject::Anonymous => self.rates.admit(&network(address), per_minute, now.monotonic),
        }
    }
}

/// An address without its port; of IPv6 the first 64 bits, which are one customer's. No DN's key begins so.
fn network(address: &str) -> Vec<u8> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let mut out = vec![0];
    match host.trim_start_matches('[').trim_end_matches(']') {
        v6 if v6.contains(':') => {
            let groups: Vec<&str> = v6.split(':').take(4).take_while(|group| !group.is_empty()).collect();
            out.extend_from_slice(groups.join(":").as_bytes());
        }
        v4 => out.extend_from_slice(v4.as_bytes()),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(1_000_000 + milliseconds)
    }

    fn count(rates: &SearchRates, who: &[u8], per_minute: u32, at: Duration) -> usize {
        (0..10_000).take_while(|_| rates.admit(who, per_minute, at)).count()
    }

    #[test]
    fn so_many_come_at_once_and_then_so_many_a_minute() {
        let rates = SearchRates::default();
        assert_eq!(count(&rates, b"a", 600, ms(0)), 100);
        assert_eq!(count(&rates, b"a", 600, ms(50)), 0);
        assert_eq!(count(&rates, b"a", 600, ms(1_000)), 10);
        // Somebody else is not held up.
        assert_eq!(count(&rates, b"b", 600, ms(1_000)), 100);
        // Nothing is saved up for longer than a burst.
        assert_eq!(count(&rates, b"a", 600, ms(3_600_000)), 100);
    }

    #[test]
    fn few_are_few_and_none_is_any() {
        let rates = SearchRates::default();
        assert_eq!(count(&rates, b"a", 1, ms(0)), 1);
        assert_eq!(count(&rates, b"a", 1, ms(59_000)), 0);
        assert_eq!(count(&rates, b"a", 1, ms(60_000)), 1);
        assert_eq!(count(&rates, b"a", 0, ms(60_000)), 10_000);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let rates = SearchRates::default();
        for number in 0..200_000_u32 {
            rates.admit(&number.to_be_bytes(), 1, ms(0));
        }
        let kept: usize = rates.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MAX_KEPT, "{kept}");
    }

    #[test]
    fn those_without_a_name_are_told_apart_by_where_they_come_from() {
        for (one, other, same) in [
            ("192.0.2.1:4711", "192.0.2.1:4712", true),
            ("192.0.2.1:4711", "192.0.2.2:4711", false),
            ("[2001:db8:1:2:3::4]:4711", "[2001:db8:1:2:5::6]:1", true),
            ("[2001:db8:1:2:3::4]:4711", "[2001:db8:1:3:3::4]:4711", false),
            ("[::1]:4711", "[::1]:4712", true),
        ] {
            assert_eq!(network(one) == network(other), same, "{one} {other}");
        }
    }
}
