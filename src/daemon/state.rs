//! What decisions read, shared by every session: the current snapshot and its generation.
//!
//! Readers load one pointer. Writers are few (broker, group reader, reload, recorder) and go
//! one at a time, so that no writer undoes another's change.

use crate::engine::access::Snapshot;
use crate::engine::policy::groups::Groups;
use crate::engine::workflow::{Authority, Locks};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The snapshot that decisions are made on, and the signal that it was replaced.
#[derive(Debug)]
pub struct Shared {
    /// What decisions read: `shared.snapshot.load()`.
    pub snapshot: ArcSwap<Snapshot>,
    /// Counts snapshots. A running session watches it (see [`Shared::watch`]) and looks again at
    /// what its operations rest on when it changes.
    pub generation: watch::Sender<u64>,
    /// Who administers, audits and acts as others.
    pub authority: ArcSwap<Authority>,
    /// Who is locked.
    pub locks: ArcSwap<Locks>,
    writer: Mutex<()>,
}

impl Shared {
    /// Starts with `snapshot`, generation 0, and nobody who administers.
    pub fn new(snapshot: Snapshot) -> Shared {
        Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            generation: watch::Sender::new(0),
            authority: ArcSwap::from_pointee(Authority::default()),
            locks: ArcSwap::from_pointee(Locks::default()),
            writer: Mutex::new(()),
        }
    }

    /// Replaces the snapshot by what `change` makes of the current one, then moves the
    /// generation on. Whoever sees the new generation sees the new snapshot.
    pub fn update(&self, change: impl FnOnce(&Snapshot) -> Snapshot) {
        self.update_if(|snapshot| Some(change(snapshot)));
    }

    /// The same, unless `change` makes nothing of it. No other writer comes in between either way.
    pub fn update_if(&self, change: impl FnOnce(&Snapshot) -> Option<Snapshot>) {
        // Poisoned means that a `change` panicked: the snapshot it would have replaced is whole.
        let guard = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = change(&self.snapshot.load()) {
            self.snapshot.store(Arc::new(next));
            self.generation.send_modify(|generation| *generation = generation.wrapping_add(1));
        }
        drop(guard);
    }

    /// Replaces what is known of groups by what `change` makes of it, if anything. Sessions are told only if an answer
    /// has changed: whoever is asked about for the first time waits for it anyway.
    pub fn update_groups(&self, change: impl FnOnce(&Groups) -> Option<Groups>) {
        let guard = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.snapshot.load();
        if let Some(groups) = change(&snapshot.groups) {
            let same = groups.says_the_same(&snapshot.groups);
            let next = Snapshot { groups: Arc::new(groups), ..Snapshot::clone(&snapshot) };
            self.snapshot.store(Arc::new(next));
            if !same {
                self.generation.send_modify(|generation| *generation = generation.wrapping_add(1));
            }
        }
        drop(guard);
    }

    /// Makes running sessions look again although nothing was replaced.
    pub fn nudge(&self) {
        self.generation.send_modify(|generation| *generation = generation.wrapping_add(1));
    }

    /// Told of every later change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}
