//! For whom the directory evaluates filters that exclude entries by name. Its access control may keep somebody from the names
//! that such filters assert: then they are Undefined, and a search that excludes anything finds nothing at all.
//!
//! Knows what trials found and for how long that holds, not how they are made.

use super::Snapshot;
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::SearchScope;
use crate::engine::policy::Subject;
use crate::engine::time::Now;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long it holds that such filters are evaluated.
const HOLDS: Duration = Duration::from_secs(300);
/// How long it holds that they are not: access may have been given since.
const FAILED_HOLDS: Duration = Duration::from_secs(60);
const SHARDS: usize = 16;
/// More than these are not remembered: they are tried again.
const MAX_KEPT: usize = 4_096;

/// Whose search of what: a digest, so that it takes the same room whatever the names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrialKey([u8; 32]);

/// What trials found, over all sessions.
#[derive(Debug, Default)]
pub struct Trials {
    shards: [Mutex<HashMap<TrialKey, Found>>; SHARDS],
}

#[derive(Debug, Clone, Copy)]
struct Found {
    evaluated: bool,
    /// On the monotonic clock.
    at: Duration,
}

impl TrialKey {
    /// The key of a search of this base and scope on behalf of a subject.
    pub fn of(subject: &Subject, base: &Dn, scope: SearchScope) -> TrialKey {
        let mut hash = Sha256::new();
        match subject {
            Subject::Anonymous => hash.update([0]),
            Subject::Dn(name) => {
                hash.update([1]);
                hash.update((name.key().len() as u64).to_be_bytes());
                hash.update(name.key());
            }
        }
        hash.update([scope as u8]);
        hash.update(base.key());
        TrialKey(hash.finalize().into())
    }
}

impl Trials {
    /// Whether filters that exclude are evaluated there. `None`: it is not known, or no longer. `goes_on`: a search in pages
    /// that was begun is asked as it was, however long ago it was tried.
    pub fn found(&self, key: &TrialKey, goes_on: bool, now: Duration) -> Option<bool> {
        let shard = self.shard(key)?.lock().unwrap_or_else(PoisonError::into_inner);
        let found = shard.get(key)?;
        (goes_on || found.holds(now)).then_some(found.evaluated)
    }

    /// Remembers what a trial found.
    pub fn remember(&self, key: TrialKey, evaluated: bool, now: Duration) {
        let Some(shard) = self.shard(&key) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= MAX_KEPT {
            shard.retain(|_, found| found.holds(now));
        }
        if shard.len() >= MAX_KEPT {
            shard.clear();
        }
        shard.insert(key, Found { evaluated, at: now });
    }

    fn shard(&self, key: &TrialKey) -> Option<&Mutex<HashMap<TrialKey, Found>>> {
        self.shards.get(usize::from(key.0[0]) % SHARDS)
    }
}

impl Found {
    fn holds(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) < if self.evaluated { HOLDS } else { FAILED_HOLDS }
    }
}

impl Snapshot {
    /// As [`Trials::found`], of all searches of this snapshot's sessions.
    pub fn evaluates(&self, key: &TrialKey, goes_on: bool, now: Now) -> Option<bool> {
        self.trials.found(key, goes_on, now.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(subject: &str, base: &str, scope: SearchScope) -> TrialKey {
        let subject = match subject {
            "" => Subject::Anonymous,
            name => Subject::Dn(name.parse().unwrap()),
        };
        TrialKey::of(&subject, &base.parse().unwrap(), scope)
    }

    #[test]
    fn a_trial_holds_for_its_subject_base_and_scope_and_for_a_while() {
        let seconds = Duration::from_secs;
        for (evaluated, holds) in [(true, 299), (false, 59)] {
            let trials = Trials::default();
            let tried = key("cn=a", "dc=x", SearchScope::Subtree);
            assert_eq!(trials.found(&tried, true, seconds(0)), None);
            trials.remember(tried, evaluated, seconds(1));
            assert_eq!(trials.found(&tried, false, seconds(holds + 1)), Some(evaluated));
            assert_eq!(trials.found(&tried, false, seconds(holds + 2)), None);
            assert_eq!(trials.found(&tried, true, seconds(holds + 2)), Some(evaluated));
            assert_eq!(trials.found(&key("CN=A", "DC=X", SearchScope::Subtree), false, seconds(2)), Some(evaluated));
            for (subject, base, scope) in [
                ("", "dc=x", SearchScope::Subtree),
                ("cn=b", "dc=x", SearchScope::Subtree),
                ("cn=a", "dc=y", SearchScope::Subtree),
                ("cn=a", "dc=x", SearchScope::One),
            ] {
                assert_eq!(trials.found(&key(subject, base, scope), true, seconds(2)), None, "{subject} {base}");
            }
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let trials = Trials::default();
        for number in 0..100_000_u32 {
            trials.remember(TrialKey(Sha256::digest(number.to_be_bytes()).into()), true, Duration::ZERO);
        }
        let kept: usize = trials.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MAX_KEPT, "{kept}");
    }
}
