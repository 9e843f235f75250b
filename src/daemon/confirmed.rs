//! What the directory said lately of the names that people bind with, for all sessions.
//!
//! A lock for one of several parts, taken once a bind. What is asked and believed is the engine's business
//! ([`ConfirmedNames`]).

use crate::engine::Now;
use crate::engine::ldap::Dn;
use crate::engine::session::{Confirmations, Confirmed, ConfirmedNames};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PARTS: usize = 16;
/// How many spellings a part has room for: 65,536 in all.
const SPELLINGS: usize = 4096;

/// Shared by all sessions of a gate.
#[derive(Debug)]
pub struct SharedNames {
    parts: [Mutex<ConfirmedNames>; PARTS],
    hasher: RandomState,
}

impl Default for SharedNames {
    fn default() -> SharedNames {
        let parts = std::array::from_fn(|_| Mutex::new(ConfirmedNames::new(SPELLINGS)));
        SharedNames { parts, hasher: RandomState::new() }
    }
}

impl SharedNames {
    /// Forgets everything.
    pub fn clear(&self) {
        self.parts.iter().for_each(|part| lock(part).clear());
    }

    fn part(&self, spelling: &Dn) -> MutexGuard<'_, ConfirmedNames> {
        let [first, ..] = &self.parts;
        let at = self.hasher.hash_one(spelling.text()) as usize % PARTS;
        lock(self.parts.get(at).unwrap_or(first))
    }
}

fn lock(part: &Mutex<ConfirmedNames>) -> MutexGuard<'_, ConfirmedNames> {
    // Each change is whole or not begun.
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Confirmations for SharedNames {
    fn look_up(&self, spelling: &Dn, server: &str, now: Now) -> Confirmed {
        self.part(spelling).look_up(spelling, server, now)
    }

    fn keep(&self, spelling: &Dn, name: &Dn, server: &Arc<str>, now: Now) {
        self.part(spelling).keep(spelling, name, server, now);
    }
}
