//! How often binds may fail before the directory is no longer asked: for one name from one address, and for one address.
//! Never for a name as such: strangers elsewhere lock nobody out. Knows no passwords; time is an argument.

use super::accounts::AddressAccount;
use crate::engine::ldap::request::{BindName, BindRequest};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Names that fail from one address count together up to so many times the number for one name.
const NAMES_OF_ADDRESS: u32 = 50;
/// A number for each power of two: threads that count at the same time seldom wait for each other.
const SHARDS: usize = 16;
/// So many are remembered in each. When no more fit, those that have nothing left to forget make room.
const MAX_KEYS: usize = 2_048;
/// One failure, in the unit that levels are kept in.
const ONE: u64 = 60_000;

/// Counts of failed binds.
#[derive(Debug)]
pub struct FailedBinds {
    /// So many are forgotten in a minute, and may fail at once; 0: nothing is counted.
    per_minute: u32,
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Level>>; SHARDS],
}

/// A leaky bucket.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Failures, in parts of [`ONE`].
    failures: u64,
    /// Up to when they have leaked.
    at: Duration,
    /// The right password was shown: what others from the same address do does not count.
    is_known: bool,
}

/// What one bind counts under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    pair: u64,
    /// `None`: the address stands for many.
    address: Option<u64>,
}

impl FailedBinds {
    /// Nothing has failed yet. `per_minute`: for one name from one address; 0: failures are not counted.
    pub fn new(per_minute: u32) -> FailedBinds {
        FailedBinds { per_minute, hasher: RandomState::new(), shards: Default::default() }
    }

    /// Whether failures are counted at all.
    pub fn counts(&self) -> bool {
        self.per_minute > 0
    }

    /// What a bind counts under: the name in its coarse form, so that other spellings of it are no further attempts.
    pub fn attempt(&self, bind: &BindRequest<'_>, from: &AddressAccount) -> Attempt {
        let key = from.key();
        let pair = match &bind.name {
            BindName::Dn(name) => self.hash((key, name.key())),
            BindName::Other(name) => self.hash((key, name.to_ascii_lowercase())),
        };
        Attempt { pair, address: (!from.is_shared).then(|| self.hash(key)) }
    }

    /// Whether the directory may be asked.
    pub fn may_try(&self, attempt: Attempt, now: Duration) -> bool {
        let (failures, is_known) = self.read(attempt.pair, self.per_minute, now);
        // One more must fit whole: the moment that has passed since the last counts for nothing.
        let room = |failures: u64, most: u32| failures + ONE <= u64::from(most) * ONE;
        if !room(failures, self.per_minute) {
            return false;
        }
        let most = self.per_minute.saturating_mul(NAMES_OF_ADDRESS);
        is_known || attempt.address.is_none_or(|key| room(self.read(key, most, now).0, most))
    }

    /// The directory took the password, or did not.
    pub fn tried(&self, attempt: Attempt, succeeded: bool, now: Duration) {
        if succeeded {
            let mut shard = self.shard(attempt.pair);
            if shard.len() < MAX_KEYS || shard.contains_key(&attempt.pair) {
                shard.insert(attempt.pair, Level { failures: 0, at: now, is_known: true });
            }
            return;
        }
        self.fail(attempt.pair, self.per_minute, now);
        if let Some(address) = attempt.address {
            self.fail(address, self.per_minute.saturating_mul(NAMES_OF_ADDRESS), now);
        }
    }

    fn read(&self, key: u64, per_minute: u32, now: Duration) -> (u64, bool) {
        match self.shard(key).get_mut(&key) {
            Some(level) => {
                level.leak(per_minute, now);
                (level.failures, level.is_known)
            }
            None => (0, false),
        }
    }

    fn fail(&self, key: u64, per_minute: u32, now: Duration) {
        let mut shard = self.shard(key);
        if !shard.contains_key(&key) && shard.len() >= MAX_KEYS {
            // Each leaks at least as fast as one for a name does.
            let slowest = self.per_minute;
            shard.retain(|_, level| {
                level.leak(slowest, now);
                level.failures > 0
            });
            // The address counts all the same.
            if shard.len() >= MAX_KEYS {
                return;
            }
        }
        let level = shard.entry(key).or_insert(Level { at: now, ..Level::default() });
        level.leak(per_minute, now);
        level.failures = level.failures.saturating_add(ONE);
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, HashMap<u64, Level>> {
        let [first, ..] = &self.shards;
        let shard = self.shards.get((key % SHARDS as u64) as usize).unwrap_or(first);
        // Nothing that holds the lock can leave the map half changed.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }
}

impl Level {
    fn leak(&mut self, per_minute: u32, now: Duration) {
        let passed = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        // A minute has 60,000 milliseconds, and a failure as many parts.
        self.failures = self.failures.saturating_sub(passed.saturating_mul(u64::from(per_minute)));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::accounts::Ledger;
    use super::*;
    use crate::engine::ldap::Dn;
    use crate::engine::ldap::request::Authentication;
    use crate::engine::policy::deciding::AddressRange;

    struct World {
        binds: FailedBinds,
        ledger: Ledger,
    }

    impl World {
        fn new() -> World {
            let shared = vec![AddressRange::parse("10.0.0.1").expect("an address")];
            World { binds: FailedBinds::new(20), ledger: Ledger::new(0, shared) }
        }

        fn attempt(&self, name: &str, from: &str) -> Attempt {
            let name = BindName::Dn(Dn::parse(name.as_bytes()).expect("a name"));
            let bind = BindRequest { version: 3, name, authentication: Authentication::Simple(b"x") };
            self.binds.attempt(&bind, &self.ledger.address(from.parse().expect("an address")))
        }

        /// How many of `count` wrong binds reach the directory.
        fn fail(&self, name: &str, from: &str, count: usize, seconds: u64) -> usize {
            let (attempt, now) = (self.attempt(name, from), Duration::from_secs(seconds));
            let tries = (0..count).filter(|_| {
                let asked = self.binds.may_try(attempt, now);
                if asked {
                    self.binds.tried(attempt, false, now);
                }
                asked
            });
            tries.count()
        }
    }

    #[test]
    fn wrong_passwords_of_one_name_from_one_address_stop_reaching_the_directory() {
        let world = World::new();
        assert_eq!(world.fail("uid=a,dc=x", "192.0.2.1", 100, 0), 20);
        assert_eq!(world.fail("UID=A, dc=X", "192.0.2.1", 100, 0), 0, "another spelling is no other name");
        assert_eq!(world.fail("uid=a,dc=x", "192.0.2.2", 100, 0), 20, "nobody is locked out elsewhere");
        assert_eq!(world.fail("uid=b,dc=x", "192.0.2.1", 100, 0), 20, "nor is anybody else");
        assert_eq!(world.fail("uid=a,dc=x", "192.0.2.1", 100, 30), 10, "half a minute forgets half");
        assert_eq!(world.fail("uid=a,dc=x", "192.0.2.1", 100, 3_600), 20, "no more than are free, however long it was");
    }

    #[test]
    fn many_names_from_one_address_are_bound_and_who_was_there_before_is_not() {
        let world = World::new();
        let known = world.attempt("uid=known,dc=x", "192.0.2.1");
        world.binds.tried(known, true, Duration::ZERO);
        let asked: usize = (0..5_000).map(|n| world.fail(&format!("uid=n{n},dc=x"), "192.0.2.1", 1, 0)).sum();
        assert_eq!(asked, 1_000);
        assert!(world.binds.may_try(known, Duration::ZERO));
        assert_eq!(world.fail("uid=n1,dc=x", "192.0.2.2", 1, 0), 1, "another address");
        let shared: usize = (0..5_000).map(|n| world.fail(&format!("uid=n{n},dc=x"), "10.0.0.1", 1, 0)).sum();
        assert_eq!(shared, 5_000, "an address behind which are many");
    }

    #[test]
    fn a_right_password_forgets_the_wrong_ones() {
        let world = World::new();
        assert_eq!(world.fail("uid=a,dc=x", "192.0.2.1", 19, 0), 19);
        world.binds.tried(world.attempt("uid=a,dc=x", "192.0.2.1"), true, Duration::ZERO);
        assert_eq!(world.fail("uid=a,dc=x", "192.0.2.1", 100, 0), 20);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let world = World::new();
        for n in 0..SHARDS as u64 * MAX_KEYS as u64 + 6_000 {
            world.binds.fail(world.binds.hash(n), 20, Duration::ZERO);
        }
        assert!(world.binds.shards.iter().all(|shard| shard.lock().expect("no panic").len() <= MAX_KEYS));
        world.binds.fail(7, 20, Duration::from_secs(60));
        assert_eq!(world.binds.shard(7).len(), 1, "what has leaked makes room");
    }
}
