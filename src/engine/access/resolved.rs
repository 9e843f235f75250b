//! What is decided upon, with its names as the directory reads them. A decision compares names with those of the
//! policy, which were resolved when the schema was read. Costs nothing for names of standard types.

use super::{Asked, Snapshot};
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::Request;
use crate::engine::policy::Subject;
use std::borrow::Cow;

/// What of a question had to be read again.
pub(super) struct Resolved<'a> {
    subject: Option<Subject>,
    request: Option<Request<'a>>,
}

impl<'a> Resolved<'a> {
    pub(super) fn of(snapshot: &Snapshot, asked: &Asked<'a>) -> Resolved<'a> {
        let naming = snapshot.policy.naming();
        let subject = match asked.subject {
            Subject::Anonymous => None,
            Subject::Dn(name) => match name.resolved(naming) {
                Cow::Borrowed(_) => None,
                Cow::Owned(name) => Some(Subject::Dn(name)),
            },
        };
        Resolved { subject, request: asked.request.resolved(naming) }
    }

    /// The question in these terms.
    pub(super) fn asked<'b>(&'b self, asked: &Asked<'b>) -> Asked<'b>
    where
        'a: 'b,
    {
        let subject = self.subject.as_ref().unwrap_or(asked.subject);
        let request: &'b Request<'b> = self.request.as_ref().unwrap_or(asked.request);
        Asked { subject, request, ..*asked }
    }
}

/// A name that a control or a value carries.
pub(super) fn name(snapshot: &Snapshot, name: Dn) -> Dn {
    match name.resolved(snapshot.policy.naming()) {
        Cow::Borrowed(_) => name,
        Cow::Owned(name) => name,
    }
}
