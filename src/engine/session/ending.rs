//! How things end: the session itself, and operations with it. What a grant's end does stands in [`super::revoked`].

use super::outstanding::{Operation, Purpose};
use super::towards::Word;
use super::{Effects, Link, Session};
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::message::{ClientMessageId, UpstreamMessageId};
use crate::engine::ldap::{response, tag};
use crate::engine::time::Now;

impl Session {
    /// The client is gone: what was in flight is written down.
    pub fn on_client_lost(&mut self, now: Now, fx: &mut Effects) {
        self.end(now, fx);
    }

    /// Ends the session from outside: an administrator, or the gate's own end.
    pub fn on_kill(&mut self, reason: &str, now: Now, fx: &mut Effects) {
        if !self.closed {
            self.disconnect(ResultCode::UNAVAILABLE, reason, now, fx);
        }
    }

    /// What the client sent cannot be answered, and nothing that comes after it can be trusted.
    pub(super) fn cut_off(
        &mut self,
        id: Option<ClientMessageId>,
        request_tag: Option<u8>,
        reason: &str,
        now: Now,
        fx: &mut Effects,
    ) {
        let mut line = self.line();
        line.begin_malformed(&self.context(now, id), request_tag, reason);
        self.finish_here(line, Some(ResultCode::PROTOCOL_ERROR), 0, fx);
        self.disconnect(ResultCode::PROTOCOL_ERROR, reason, now, fx);
    }

    /// RFC 4511 4.4.1, and nothing after it.
    pub(super) fn disconnect(&mut self, code: ResultCode, text: &str, now: Now, fx: &mut Effects) {
        response::write_notice_of_disconnection(&mut fx.to_client, code, text);
        self.end(now, fx);
    }

    pub(super) fn end(&mut self, now: Now, fx: &mut Effects) {
        self.closed = true;
        self.binding = false;
        while let Some(mut operation) = self.outstanding.take_first() {
            self.keep_last(&operation);
            self.finish(&mut operation, None, now, fx);
        }
        self.drop_held(now, fx);
        if self.link == Link::Open {
            // What was permitted still goes out, and the directory is told that nothing follows.
            self.tell(Word::Unbind, fx);
        }
        fx.close = true;
    }

    /// The client wants no answer (RFC 4511 4.11).
    pub(super) fn abandoned(&mut self, id: UpstreamMessageId, now: Now, fx: &mut Effects) {
        let Some(operation) = self.outstanding.find(id) else { return };
        // The directory need not abandon a write, and this one may wait there. If what it depends on ends before it is
        // answered, the session must still know of it.
        if operation.has_side_effects && operation.depends() && fx.withdraw_unsent(|unsent| unsent == id).is_empty() {
            operation.abandoned = true;
            return;
        }
        let has_side_effects = operation.has_side_effects && operation.depends();
        let Some(mut operation) = self.outstanding.take(id) else { return };
        if !has_side_effects {
            self.abandon_upstream(id, fx);
        }
        self.finish(&mut operation, None, now, fx);
    }

    /// Answers everything in flight with the same code.
    pub(super) fn answer_all(&mut self, code: ResultCode, text: &str, now: Now, fx: &mut Effects) {
        self.binding = false;
        while let Some(mut operation) = self.outstanding.take_first() {
            let result = Session::answer(&mut operation, code, text, fx);
            self.finish(&mut operation, result, now, fx);
        }
    }

    /// Gives an operation the final answer that belongs to it; what the client got.
    pub(super) fn answer(
        operation: &mut Operation,
        code: ResultCode,
        text: &str,
        fx: &mut Effects,
    ) -> Option<ResultCode> {
        if operation.abandoned {
            return None;
        }
        let tag = match operation.purpose {
            Purpose::Identify(_) => tag::BIND_RESPONSE,
            Purpose::Relay | Purpose::Search { .. } | Purpose::Bind { .. } | Purpose::Sasl(_) => operation.response_tag,
        };
        operation.bytes += Session::respond(fx, operation.client_id, tag, code, text);
        Some(code)
    }
}
