//! How things end: grants while something rests on them, the session itself.

use super::lasting;
use super::outstanding::Purpose;
use super::towards::Word;
use super::{Effects, Link, Session};
use crate::engine::access::{Permit, Snapshot};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::message::ClientMessageId;
use crate::engine::ldap::{response, tag};
use crate::engine::time::Now;
use chrono::{DateTime, Utc};
use std::time::Duration;

impl Session {
    /// Whether anything in flight, or the bind, rests on a grant or on how things are while it lasts; or waits for one.
    pub fn rests_on_grants(&self) -> bool {
        self.identity.permit.is_some()
            || !self.held.is_empty()
            || self.outstanding.iter().any(|o| o.rests_on_more() || !o.permit.rests_on().is_empty())
    }

    /// The grants that the bind rests on.
    pub fn bind_rests_on(&self) -> impl Iterator<Item = &ActiveGrant> {
        self.identity.permit.iter().flat_map(Permit::rests_on).map(|grant| &**grant)
    }

    /// The earliest moment, on either clock, at which something ends that [`Session::on_change`] cuts.
    pub fn next_end(&self) -> Option<(DateTime<Utc>, Duration)> {
        let identity = self.identity.permit.iter().filter_map(Permit::ends);
        let cut = self.outstanding.iter().filter(|operation| operation.is_cut());
        let operations = cut.filter_map(|operation| operation.permit.ends());
        identity.chain(operations).chain(self.held.ends()).reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
    }

    /// Grants changed, or time passed: what rests on a grant that has ended is cut, what waits for one is decided anew.
    pub fn on_change(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        if self.closed {
            return;
        }
        if self.bind_has_ended(snapshot, now, fx) {
            return;
        }
        let identity = &self.identity;
        let ended: Vec<_> = self
            .outstanding
            .iter_mut()
            .filter_map(|operation| {
                let ended = operation.is_cut() && !lasting::still_holds(operation, identity, snapshot, now);
                ended.then_some(operation.upstream_id)
            })
            .collect();
        for id in ended {
            let Some(mut operation) = self.outstanding.take(id) else { continue };
            self.abandon_upstream(id, fx);
            // Nothing more of it is passed, what waits for a slow client included.
            let withdrawn = fx.withdraw(operation.client_id);
            operation.entries = operation.entries.saturating_sub(withdrawn.entries);
            operation.withheld += withdrawn.entries;
            operation.bytes = operation.bytes.saturating_sub(withdrawn.bytes);
            let code = ResultCode::INSUFFICIENT_ACCESS_RIGHTS;
            let text = match operation.rests_on_more() {
                true => "what this search rested on has ended or changed",
                false => "the grant that this search rested on has ended",
            };
            operation.bytes += Session::respond(fx, operation.client_id, tag::SEARCH_RESULT_DONE, code, text);
            operation.record.end();
            self.finish(&mut operation, Some(code), now, fx);
        }
        self.look_at_held(snapshot, now, fx);
    }

    /// Whether the grant has ended that the bind rests on; the session has ended with it then. Asked before anything is
    /// decided in the name of whoever the session is: news of the end may come behind what is to be decided.
    pub(super) fn bind_has_ended(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) -> bool {
        let ended = self.identity.permit.as_mut().is_some_and(|permit| !permit.renew(snapshot, now));
        if ended {
            let text = "the grant that this session's bind rested on has ended";
            fx.withdraw_all();
            self.disconnect(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, text, now, fx);
        }
        ended
    }

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
            self.finish(&mut operation, None, now, fx);
        }
        self.drop_held(now, fx);
        if self.link == Link::Open {
            // What was permitted still goes out, and the directory is told that nothing follows.
            self.tell(Word::Unbind, fx);
        }
        fx.close = true;
    }

    /// Answers everything in flight with the same code.
    pub(super) fn answer_all(&mut self, code: ResultCode, text: &str, now: Now, fx: &mut Effects) {
        self.binding = false;
        while let Some(mut operation) = self.outstanding.take_first() {
            let tag = match operation.purpose {
                Purpose::Identify(_) => tag::BIND_RESPONSE,
                Purpose::Relay | Purpose::Search { .. } | Purpose::Bind { .. } | Purpose::Sasl(_) => {
                    operation.response_tag
                }
            };
            operation.bytes += Session::respond(fx, operation.client_id, tag, code, text);
            self.finish(&mut operation, Some(code), now, fx);
        }
    }
}
