//! Reading what the broker keeps, as far as the caller may see it.

use super::{Broker, BrokerError};
use crate::daemon::store::StoreError;
use crate::daemon::store::record::Document;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::Grant;
use crate::engine::workflow::{Match, Request, WorkflowError};

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
            Some(Document::Grant(_)) | None => Err(BrokerError::NotFound(id.to_owned())),
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
            Some(Document::Request(_)) | None => Err(BrokerError::NotFound(id.to_owned())),
        }
    }

    /// The requests that the actor may see and `wanted` takes, oldest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn requests(&self, actor: &Actor, wanted: impl Fn(&Request) -> bool) -> Result<Vec<Request>, BrokerError> {
        let mut found = Vec::new();
        self.scan(|document| match document {
            Document::Request(request) if self.sees_request(&request, actor) == Match::Yes && wanted(&request) => {
                found.push(request);
            }
            Document::Request(_) | Document::Grant(_) => {}
        })?;
        found.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(found)
    }

    /// The grants that the actor may see, oldest first; with `active`, only those that have not ended.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn grants(&self, actor: &Actor, active: bool) -> Result<Vec<Grant>, BrokerError> {
        let mut found = Vec::new();
        if active {
            let now = self.clock.now().wall;
            found.extend(self.live.grants().into_iter().filter(|grant| !grant.state_at(now).is_end()));
            found.retain(|grant| self.sees_grant(grant, actor) == Match::Yes);
        } else {
            self.scan(|document| match document {
                Document::Grant(grant) if self.sees_grant(&grant, actor) == Match::Yes => found.push(grant),
                Document::Request(_) | Document::Grant(_) => {}
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

    fn sees_request(&self, request: &Request, actor: &Actor) -> Match {
        self.with_context(|context| context.may_see(actor, &request.requested_by, &request.subject, &request.role))
    }

    fn sees_grant(&self, grant: &Grant, actor: &Actor) -> Match {
        self.with_context(|context| context.may_see(actor, &grant.requested_by, &grant.subject, &grant.role))
    }

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
