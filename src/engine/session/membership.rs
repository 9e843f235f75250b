//! Operations that wait until the directory has said in which groups somebody is. The session says about whom it is to
//! be asked; its driver has it asked, within bounds, and says when that is done. Then the operation is decided again.

use super::outstanding::Purpose;
use super::{Effects, Session};
use crate::engine::access::Snapshot;
use crate::engine::ldap::Dn;
use crate::engine::policy::Subject;
use crate::engine::time::Now;
use std::time::Duration;

/// Nobody is waited for again before this has passed, whatever came of it the last time.
const PAUSE: Duration = Duration::from_secs(2);

/// About whom the directory is asked.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// Nothing of the client is taken up until this is known.
    person: Option<Dn>,
    /// Who was asked about last, and until when that is enough.
    last: Option<(Dn, Duration)>,
}

impl Session {
    /// Somebody in whose name nothing can be decided before it is known in which groups they are. Once the directory
    /// was asked, or could not be, [`Session::on_membership`] must be called.
    pub fn awaited_person(&self) -> Option<&Dn> {
        self.awaited.person.as_ref()
    }

    /// People whose groups decide about something that lasts, so that they have to be kept up to date.
    pub fn lasting_people(&self) -> impl Iterator<Item = &Dn> {
        let lasting = || self.outstanding.iter().filter(|operation| operation.rests_on_more());
        let own = lasting().next().map(|_| &self.identity.subject);
        let others = lasting().filter_map(|operation| operation.permit.acts_for());
        own.into_iter().chain(others).chain(self.unwritten.people()).filter_map(Subject::name)
    }

    /// The directory was asked about the one who is awaited; what it said is in the snapshot.
    pub fn on_membership(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        let Some(person) = self.awaited.person.take() else { return };
        self.awaited.last = Some((person, now.monotonic.saturating_add(PAUSE)));
        let waits = |purpose: &Purpose| matches!(purpose, Purpose::Identify(asking) if asking.awaits_groups());
        let id = self.outstanding.iter().find(|one| waits(&one.purpose)).map(|one| one.upstream_id);
        if let Some(operation) = id.and_then(|id| self.outstanding.take(id)) {
            self.settle_again(operation, snapshot, now, fx);
        }
    }

    /// Has the directory asked about `person`, unless it was a moment ago.
    pub(super) fn await_person(&mut self, person: &Dn, now: Now) -> bool {
        let lately = |(last, until): &(Dn, Duration)| last.is_surely(person) && now.monotonic < *until;
        if self.awaited.last.as_ref().is_some_and(lately) {
            return false;
        }
        self.awaited.person = Some(person.clone());
        true
    }
}
