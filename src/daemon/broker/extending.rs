//! Grants that take over from others, and grants that are looked at when they are over.

use super::membership::{names_in_grant, names_of};
use super::{Broker, BrokerError, Document};
use crate::daemon::store::StoreError;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::{Event, Grant, GrantState};
use crate::engine::workflow::review::Step;
use crate::engine::workflow::{Request, ending, extending};
use std::time::Duration;

impl Broker {
    /// Asks for more time: a request with a review of its own, whose grant begins when this one ends.
    ///
    /// # Errors
    /// It is somebody else's or over; the role does not allow it; it cannot be kept.
    pub fn extend(&self, id: &str, duration: Duration, reason: &str, actor: &Actor) -> Result<Request, BrokerError> {
        let result = self.try_extend(id, duration, reason, actor);
        self.note("extend", id, actor, result)
    }

    fn try_extend(&self, id: &str, duration: Duration, reason: &str, actor: &Actor) -> Result<Request, BrokerError> {
        let people = self.extended(Some(id))?.iter().flat_map(names_in_grant).cloned().collect::<Vec<_>>();
        let since = self.ask_now(names_of(actor).chain(&people));
        let mut rates = self.rates();
        self.attempt(|| {
            let grant = self.grant(id, actor)?;
            let moment = self.moment_since(since);
            let id = super::new_id("req")?;
            let request = extending::extend(id, &grant, duration, reason, actor, &moment.context())?;
            self.keep_asked(Step::waits(request), &moment, false, &mut rates)
        })
    }

    /// An auditor has seen what was done with a break-glass grant.
    ///
    /// # Errors
    /// They are no auditor or it is their own; there is nothing to sign off; it cannot be kept.
    pub fn sign_off(&self, id: &str, note: Option<&str>, actor: &Actor) -> Result<Grant, BrokerError> {
        // Over by the clock may not have been written down yet.
        if self.grant(id, actor).is_ok_and(|grant| grant.state != grant.state_at(self.clock.now().wall)) {
            self.settle();
        }
        let since = self.ask_now(names_of(actor));
        let result = self.end(id, actor, since, |grant, context| ending::sign_off(grant, actor, note, context));
        self.note("sign off", id, actor, result)
    }

    /// The grant of that id.
    pub(super) fn extended(&self, id: Option<&str>) -> Result<Option<Grant>, StoreError> {
        let Some(id) = id else { return Ok(None) };
        Ok(match self.load(id)? {
            Some(Document::Grant(grant)) => Some(grant),
            Some(Document::Request(_) | Document::Lock(_) | Document::Notification(_)) | None => None,
        })
    }

    /// A grant, and with it, where it ends early, those that were to take over from it, and so on.
    pub(super) fn with_following(&self, first: Grant) -> Result<Vec<Document>, StoreError> {
        let now = self.clock.now().wall;
        let mut grants = vec![first];
        let mut looked_at = 0;
        while let Some(grant) = grants.get(looked_at).cloned() {
            looked_at += 1;
            match grant.state {
                GrantState::Released | GrantState::Revoked => {}
                GrantState::Scheduled | GrantState::Active | GrantState::Expired => continue,
            }
            for id in self.live.following(&grant.id) {
                let follower = self.extended(Some(&id))?;
                // One that is over by itself needs no end.
                grants.extend(
                    follower.and_then(|follower| follower.step(Event::With(&grant), now).ok()).map(|one| one.0),
                );
            }
        }
        Ok(grants.into_iter().map(Document::Grant).collect())
    }
}
