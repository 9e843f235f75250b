//! Reading what the broker keeps, as far as the caller may see it.

use super::{Broker, BrokerError};
#[cfg(test)]
use crate::daemon::store::StoreError;
use crate::daemon::store::record::Document;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::Grant;
use crate::engine::workflow::{Match, Request, WorkflowError};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

impl Broker {
    /// One request, if the actor may see it.
    ///
    /// # Errors
    /// There is none that they may see, it is not known whether they may, or it cannot be read.
    pub fn request(&self, id: &str, actor: &Actor) -> Result<Request, BrokerError> {
        match self.load(id)? {
            Some(Document::Request(request)) => {
                self.check_seen(id, &request.role, self.sees_request(&request, actor))?;
                Ok(request)
            }
            Some(Document::Grant(_) | Document::Lock(_) | Document::Notification(_)) | None => {
                Err(BrokerError::NotFound(id.to_owned()))
            }
        }
    }

    /// One grant, if the actor may see it.
    ///
    /// # Errors
    /// There is none that they may see, it is not known whether they may, or it cannot be read.
    pub fn grant(&self, id: &str, actor: &Actor) -> Result<Grant, BrokerError> {
        match self.load(id)? {
            Some(Document::Grant(grant)) => {
                self.check_seen(id, &grant.role, self.sees_grant(&grant, actor))?;
                Ok(grant)
            }
            Some(Document::Request(_) | Document::Lock(_) | Document::Notification(_)) | None => {
                Err(BrokerError::NotFound(id.to_owned()))
            }
        }
    }

    /// The requests that the actor may see and `wanted` takes, oldest first: all that are not in the archive, for
    /// tests. The whole store is read.
    ///
    /// # Errors
    /// They cannot be read.
    #[cfg(test)]
    pub fn requests(&self, actor: &Actor, wanted: impl Fn(&Request) -> bool) -> Result<Vec<Request>, BrokerError> {
        let mut found = Vec::new();
        self.scan(|document| match document {
            Document::Request(request) if self.sees_request(&request, actor) == Match::Yes && wanted(&request) => {
                found.push(request);
            }
            Document::Request(_) | Document::Grant(_) | Document::Lock(_) | Document::Notification(_) => {}
        })?;
        found.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(found)
    }

    /// The grants that the actor may see, oldest first; with `active`, only those that have not ended. For tests: the
    /// whole store is read.
    ///
    /// # Errors
    /// They cannot be read.
    #[cfg(test)]
    pub fn grants(&self, actor: &Actor, active: bool) -> Result<Vec<Grant>, BrokerError> {
        let mut found = Vec::new();
        if active {
            let now = self.clock.now().wall;
            found.extend(self.live.grants().into_iter().filter(|grant| !grant.state_at(now).is_end()));
            found.retain(|grant| self.sees_grant(grant, actor) == Match::Yes);
        } else {
            self.scan(|document| match document {
                Document::Grant(grant) if self.sees_grant(&grant, actor) == Match::Yes => found.push(grant),
                Document::Request(_) | Document::Grant(_) | Document::Lock(_) | Document::Notification(_) => {}
            })?;
        }
        found.sort_by(|a, b| (a.from, &a.id).cmp(&(b.from, &b.id)));
        Ok(found)
    }

    /// Somebody who may be an approver is not told that there is nothing while the directory is away.
    fn check_seen(&self, id: &str, role: &str, seen: Match) -> Result<(), BrokerError> {
        match seen {
            Match::Yes => Ok(()),
            Match::No => Err(BrokerError::NotFound(id.to_owned())),
            Match::Unknown => Err(WorkflowError::MembershipUnknown(role.to_owned()).into()),
        }
    }

    pub(super) fn sees_request(&self, request: &Request, actor: &Actor) -> Match {
        self.with_context(|context| context.may_see(actor, &request.requested_by, &request.subject, &request.role))
    }

    pub(super) fn sees_grant(&self, grant: &Grant, actor: &Actor) -> Match {
        self.with_context(|context| context.may_see(actor, &grant.requested_by, &grant.subject, &grant.role))
    }

    #[cfg(test)]
    pub(super) fn scan(&self, mut visit: impl FnMut(Document)) -> Result<(), StoreError> {
        let mut failed = None;
        self.store.scan(&mut |record| match Document::from_record(record) {
            Ok(document) => visit(document),
            Err(error) => failed = Some(error),
        })?;
        // One that cannot be read may be the end of another: better none than half of them.
        failed.map_or(Ok(()), Err)
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// So many at most.
    pub limit: usize,
    /// Those after this one; from the first on when absent.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    /// In order.
    pub items: Vec<T>,
    /// Whether there are more after it.
    pub more: bool,
}

type Key = (DateTime<Utc>, String);

/// Collects one page out of everything that is shown to it, and holds no more than that.
pub(super) struct Window<T> {
    limit: usize,
    after: Option<Key>,
    found: BTreeMap<Key, T>,
}

impl<T> Window<T> {
    pub(super) fn new(limit: usize, after: Option<Key>) -> Window<T> {
        Window { limit, after, found: BTreeMap::new() }
    }

    /// Whether something with this key can be on the page.
    pub(super) fn is_for(&self, key: &Key) -> bool {
        let full = self.found.len() > self.limit;
        self.after.as_ref().is_none_or(|after| key > after)
            && (!full || self.found.last_key_value().is_some_and(|(last, _)| key < last))
    }

    pub(super) fn take(&mut self, key: Key, item: T) {
        self.found.insert(key, item);
        // One more than fits tells that there are more.
        if self.found.len() > self.limit + 1 {
            self.found.pop_last();
        }
    }

    pub(super) fn finish(self) -> Paged<T> {
        let more = self.found.len() > self.limit;
        Paged { items: self.found.into_values().take(self.limit).collect(), more }
    }
}
