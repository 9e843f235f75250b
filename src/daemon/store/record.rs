//! Requests, grants, locks and what is to be told as documents of a store, and back. What cannot be read is an error, never a
//! default.

use super::{Record, StoreError};
use crate::engine::grant::lifecycle::Grant;
use crate::engine::workflow::telling::Notification;
use crate::engine::workflow::{Lock, Request};
use serde::{Deserialize, Serialize};

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Document {
    /// A request.
    Request(Request),
    /// A grant.
    Grant(Grant),
    /// A lock.
    Lock(Lock),
    /// Something that is to be told to somebody.
    Notification(Notification),
}

impl Document {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Document::Request(request) => &request.id,
            Document::Grant(grant) => &grant.id,
            Document::Lock(lock) => &lock.id,
            Document::Notification(notification) => &notification.id,
        }
    }

    /// Its revision.
    pub fn revision(&self) -> u64 {
        match self {
            Document::Request(request) => request.revision,
            Document::Grant(grant) => grant.revision,
            Document::Lock(lock) => lock.revision,
            Document::Notification(notification) => notification.revision,
        }
    }

    /// As a record to commit.
    ///
    /// # Errors
    /// It has no JSON form, or none that says the same when it is read: one record that cannot be
    /// read keeps the whole store from being taken over.
    pub fn to_record(&self) -> Result<Record, StoreError> {
        let body = serde_json::to_value(self).map_err(|error| corrupt(self.id(), &error.to_string()))?;
        let record = Record { id: self.id().to_owned(), revision: self.revision(), body };
        if Document::from_record(record.clone())? != *self {
            return Err(corrupt(self.id(), "it would be read as something else"));
        }
        Ok(record)
    }

    /// From a record that was read.
    ///
    /// # Errors
    /// It is not what was written.
    pub fn from_record(record: Record) -> Result<Document, StoreError> {
        let document: Document =
            serde_json::from_value(record.body).map_err(|error| corrupt(&record.id, &error.to_string()))?;
        if document.id() != record.id || document.revision() != record.revision {
            return Err(corrupt(&record.id, "its id or revision is not that of its key"));
        }
        Ok(document)
    }
}

fn corrupt(id: &str, why: &str) -> StoreError {
    StoreError::Corrupt { id: id.to_owned(), why: why.to_owned() }
}
