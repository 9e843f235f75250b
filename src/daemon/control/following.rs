//! Who is following the log: what goes on exactly where it was left, by the same query of the same caller, is one
//! reading, and is recorded when it begins and every few minutes.

use crate::api::AuditQuery;
use crate::daemon::audit_log::Part;
use crate::engine::grant::history::Actor;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// After so long it is recorded again.
const RECORDED_EVERY: Duration = Duration::from_secs(300);

/// So many are known at once; the others are recorded with each call.
const KNOWN: usize = 256;

/// Who, from where, and by what query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Following(String);

impl Following {
    pub(super) fn key(query: &AuditQuery, actor: &Actor) -> Following {
        let query = AuditQuery { after: None, limit: None, wait: None, ..query.clone() };
        // Each call comes over a connection of its own.
        let from = actor.from.rsplit_once(':').map_or(&*actor.from, |(address, _)| address);
        Following(format!("{:?}", (actor.by(), actor.acting_as(), from, query)))
    }
}

/// How far each has come.
#[derive(Debug, Default)]
pub struct Follows(Mutex<HashMap<Following, Place>>);

#[derive(Debug, Clone, Copy)]
struct Place {
    next: u64,
    recorded: Duration,
}

impl Follows {
    /// Whether this goes on from where it was left, and was recorded a short while ago. What begins is noted.
    pub(super) fn goes_on(&self, following: &Following, part: Part, now: Duration) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, place| now.saturating_sub(place.recorded) < RECORDED_EVERY);
        known.get(following).is_some_and(|place| part == Part::After(place.next))
    }

    /// It came to here.
    pub(super) fn went_on(&self, following: Following, next: u64, now: Duration) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.get_mut(&following) {
            place.next = next;
        } else if known.len() < KNOWN {
            known.insert(following, Place { next, recorded: now });
        }
    }
}
