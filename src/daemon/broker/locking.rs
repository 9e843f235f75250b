//! Locks: set, lifted and listed.

use super::{Broker, BrokerError, Document};
use crate::engine::grant::history::Actor;
use crate::engine::ldap::Dn;
use crate::engine::workflow::locks::{self, Lock};
use crate::engine::workflow::{Context, WorkflowError};

impl Broker {
    /// Locks a subject: from the instant it is durable, its grants open nothing, and they end.
    ///
    /// # Errors
    /// The actor does not administer, gives no reason, or it is locked already; it cannot be kept.
    pub fn lock(&self, subject: &Dn, reason: &str, actor: &Actor) -> Result<Lock, BrokerError> {
        let result = self.relock(subject, |before, context| locks::lock(before, subject, reason, actor, context));
        self.settle();
        self.note("lock", subject.text(), actor, result)
    }

    /// Lifts a lock. What it ended stays ended.
    ///
    /// # Errors
    /// The actor does not administer, or there is no lock; it cannot be kept.
    pub fn unlock(&self, subject: &Dn, actor: &Actor) -> Result<Lock, BrokerError> {
        let result = self.relock(subject, |before, context| locks::unlock(before, subject, actor, context));
        self.note("unlock", subject.text(), actor, result)
    }

    /// The locks that are in force, by subject.
    ///
    /// # Errors
    /// The actor neither administers nor audits.
    pub fn locks(&self, actor: &Actor) -> Result<Vec<Lock>, BrokerError> {
        if !self.with_context(|context| context.sees_everything(actor)) {
            return Err(WorkflowError::NotAdministrator.into());
        }
        let mut found: Vec<Lock> = self.shared.locks.load().iter().cloned().collect();
        found.sort_by(|one, other| one.subject.cmp(&other.subject));
        Ok(found)
    }

    fn relock(
        &self,
        subject: &Dn,
        decide: impl Fn(Option<&Lock>, &Context<'_>) -> Result<Lock, WorkflowError>,
    ) -> Result<Lock, BrokerError> {
        self.attempt(|| {
            let before = match self.load(&Lock::id_of(subject))? {
                Some(Document::Lock(lock)) => Some(lock),
                Some(Document::Request(_) | Document::Grant(_) | Document::Notification(_)) | None => None,
            };
            let lock = decide(before.as_ref(), &self.moment().context())?;
            self.commit_and_tell(vec![Document::Lock(lock.clone())], Vec::new())?;
            Ok(lock)
        })
    }
}
