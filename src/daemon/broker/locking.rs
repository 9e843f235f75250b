//! Locks: set, lifted and listed.

use super::membership::names_of;
use super::{Broker, BrokerError, Document};
use crate::daemon::store::StoreError;
use crate::engine::grant::history::{Actor, Identity};
use crate::engine::ldap::Dn;
use crate::engine::workflow::locks::{self, Lock};
use crate::engine::workflow::{Context, Match, WorkflowError};
use std::sync::{Arc, PoisonError};

impl Broker {
    /// Locks a subject: from the instant it is durable, its grants open nothing, and they end. If the store does not
    /// take it, it is in force all the same. `others`: administrators who are known by name; only
    /// needed where administrators lock themselves.
    ///
    /// # Errors
    /// The actor does not administer, gives no reason, or is the last who administers; or it is locked already; it
    /// cannot be kept.
    pub fn lock(&self, subject: &Dn, reason: &str, actor: &Actor, others: &[Dn]) -> Result<Lock, BrokerError> {
        let since = self.ask_now(names_of(actor));
        let decide = |before: Option<&Lock>, context: &Context<'_>| {
            let lock = locks::lock(before, subject, reason, actor, context)?;
            locks::check_leaves_administrator(subject, actor, others, context)?;
            Ok(lock)
        };
        // Of two administrators who lock each other at the same time, the second is locked before their turn comes.
        let named = Identity::of_dn(subject.clone());
        let administers =
            self.with_context(|context| context.matches(&context.authority.administrators, &named) != Match::No);
        // Poisoned: nothing is kept in it.
        let one_at_a_time = administers.then(|| self.locking.lock().unwrap_or_else(PoisonError::into_inner));
        let result = self.relock(subject, true, since, decide);
        drop(one_at_a_time);
        self.settle();
        self.note("lock", subject.text(), actor, result)
    }

    /// Lifts a lock. What it ended stays ended.
    ///
    /// # Errors
    /// The actor does not administer, or there is no lock; it cannot be kept.
    pub fn unlock(&self, subject: &Dn, actor: &Actor) -> Result<Lock, BrokerError> {
        let since = self.ask_now(names_of(actor));
        let decide = |before: Option<&Lock>, context: &Context<'_>| locks::unlock(before, subject, actor, context);
        let result = self.relock(subject, false, since, decide);
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
        locks: bool,
        since: std::time::Duration,
        decide: impl Fn(Option<&Lock>, &Context<'_>) -> Result<Lock, WorkflowError>,
    ) -> Result<Lock, BrokerError> {
        self.attempt(|| {
            let policy = Arc::clone(&self.shared.snapshot.load().policy);
            // One that is in force may have been set under another of the subject's names.
            let id = self.shared.locks.load().of_name(subject, policy.naming()).map(|lock| lock.id.clone());
            let before = match self.load(&id.unwrap_or_else(|| Lock::id_of(subject))) {
                Ok(Some(Document::Lock(lock))) => Some(lock),
                Ok(Some(Document::Request(_) | Document::Grant(_) | Document::Notification(_)) | None) => None,
                // None is in force, and one that was lifted is found when this one is written down.
                Err(StoreError::Failed(_)) if locks => None,
                Err(error) => return Err(error.into()),
            };
            let lock = decide(before.as_ref(), &self.moment_since(since).context())?;
            let documents = vec![Document::Lock(lock.clone())];
            match self.commit_and_tell(documents.clone(), Vec::new()) {
                Err(StoreError::Failed(why)) if locks => self.keep_ends(&documents, StoreError::Failed(why))?,
                result => result?,
            }
            Ok(lock)
        })
    }
}
