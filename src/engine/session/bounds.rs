//! What one session may take, and what happens when it takes more or takes too long. Measures; whether it is too much is
//! the driver's to say. Functions rather than methods: the session is large enough.

use super::{Bound, Effects, Identity, Link, Session};
use crate::engine::access::Refusal;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::filter::MAX_NODES;
use crate::engine::ldap::request::Request;
use crate::engine::policy::Subject;
use crate::engine::time::Now;

/// The most operations of one session in flight that can be configured.
pub const MAX_OPERATIONS: usize = 65_536;

/// How many of them there may be of a client without a name.
const ANONYMOUS_OPERATIONS: usize = 32;

/// Bounds of one session.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many operations may be in flight; past that, the client is not read.
    pub operations: usize,
    /// How many parts the filter of a search may have; more are answered with `adminLimitExceeded`.
    pub filter_parts: usize,
    /// Binds are answered with `busy`: too many have failed.
    pub refuses_binds: bool,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { operations: 1024, filter_parts: MAX_NODES, refuses_binds: false }
    }
}

impl Bounds {
    /// How many operations of `subject` may be in flight.
    pub(super) fn operations_of(&self, subject: &Subject) -> usize {
        match subject {
            Subject::Anonymous => self.operations.min(ANONYMOUS_OPERATIONS),
            Subject::Dn(_) => self.operations,
        }
    }

    /// Why a request is not looked at any further.
    pub(super) fn refusal(&self, request: &Request<'_>) -> Option<Refusal> {
        (self.refuses_binds && matches!(request, Request::Bind(_))).then(|| Refusal {
            code: ResultCode::BUSY,
            message: "too many binds have failed; try again in a minute".to_owned(),
            reason: "too many failed binds",
            missing: Vec::new(),
            asks: None,
        })
    }
}

/// How many octets the session keeps: requests and log lines of operations in flight and of those that wait, and what was
/// looked ahead of pages.
pub fn kept_octets(session: &Session) -> usize {
    session.outstanding.octets() + session.held.octets() + session.cursors.octets()
}

/// Ends the session because it takes too much, or too long: a line in the log, and a Notice of Disconnection.
pub fn end(session: &mut Session, code: ResultCode, reason: &str, now: Now, fx: &mut Effects) {
    if session.closed {
        return;
    }
    let mut line = session.line();
    line.begin_malformed(&session.context(now, None), None, reason);
    session.finish_here(line, Some(code), 0, fx);
    session.disconnect(code, reason, now, fx);
}

/// The directory has not answered a bind in time. What it would say later must not count, so its connection is given up,
/// and the session is nobody (RFC 4511 4.2.1).
pub fn on_bind_timeout(session: &mut Session, now: Now, fx: &mut Effects) {
    if session.closed || !session.binding {
        return;
    }
    session.link = Link::None;
    session.bound = Bound::Nobody;
    session.conversation = None;
    session.cursors.clear();
    session.identity = Identity::nobody();
    fx.to_upstream.clear();
    fx.connect = false;
    fx.drop_upstream = true;
    session.answer_all(ResultCode::UNAVAILABLE, "the directory has not answered the bind in time", now, fx);
}
