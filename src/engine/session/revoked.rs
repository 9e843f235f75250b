//! What becomes of a session when grants end, or whatever else operations depend on. All of it ends at that moment: what
//! is not sent is withdrawn, what reads is abandoned, what waits for the client is withheld. A write that is with the
//! directory may still wait there: the connection is closed, so that the directory drops its queue, and the session ends.

use super::effects::Fate;
use super::lasting;
use super::outstanding::Operation;
use super::{Effects, Session};
use crate::engine::access::{Permit, Snapshot};
use crate::engine::audit::record::Ending;
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::message::{ClientMessageId, UpstreamMessageId};
use crate::engine::ldap::request::{ExtendedRequest, Request};
use crate::engine::ldap::{ResultCode, tag};
use crate::engine::time::Now;
use chrono::{DateTime, Utc};
use std::time::Duration;

const ENDED: ResultCode = ResultCode::INSUFFICIENT_ACCESS_RIGHTS;
const UNKNOWN: &str = "what this operation depends on ended while the directory had it: it may have been done, or not";
const NOT_SENT: &str = "the connection to the directory was closed before this was sent: it was not done";
const CLOSED: &str = "the connection to the directory was closed: the outcome is not known";
const NOTICE: &str = "a grant ended while a write that depends on it was with the directory";

/// Why the session ends.
enum Why {
    /// These operations depend on what has ended, and one of them may still be done.
    Operations(Vec<UpstreamMessageId>),
    /// The bind depends on it, and so all of them do.
    Bind,
}

impl Session {
    /// Whether anything can end that something of the session depends on, or that is waited for: operations in flight,
    /// answers that wait for the client, the bind. While this is so, the session must be told of changes
    /// ([`Session::on_change`]).
    pub fn rests_on_grants(&self) -> bool {
        self.identity.permit.is_some()
            || !self.held.is_empty()
            || self.outstanding.depends()
            || !self.unwritten.is_empty()
            || !self.last.is_empty()
    }

    /// The grants that the bind rests on.
    pub fn bind_rests_on(&self) -> impl Iterator<Item = &ActiveGrant> {
        self.identity.permit.iter().flat_map(Permit::rests_on).map(|grant| &**grant)
    }

    /// The earliest moment, on either clock, at which something ends that [`Session::on_change`] acts upon.
    pub fn next_end(&self) -> Option<(DateTime<Utc>, Duration)> {
        let identity = self.identity.permit.iter().filter_map(Permit::ends);
        let operations = self.outstanding.iter().filter_map(|operation| operation.permit.ends());
        let answers = self.unwritten.ends();
        let last = self.last.iter().filter_map(|on| on.ends());
        let all = identity.chain(operations).chain(answers).chain(last).chain(self.held.ends());
        all.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
    }

    /// Grants changed, or time passed: what depends on something that has ended is ended, what waits for a grant is
    /// decided again. `fx.client_written` and `fx.upstream_written` say what cannot be withdrawn any more.
    pub fn on_change(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        if self.closed {
            return self.change_after_the_end(snapshot, now, fx);
        }
        if self.bind_has_ended(snapshot, now, fx) {
            return;
        }
        self.withhold_unwritten(snapshot, now, fx);
        if self.outstanding.depends() {
            let identity = &self.identity;
            let (mut ended, mut changed) = (Vec::new(), Vec::new());
            for operation in self.outstanding.iter_mut().filter(|operation| operation.depends()) {
                match lasting::look_again(operation, identity, snapshot, now) {
                    lasting::Fate::Ends => ended.push(operation.upstream_id),
                    lasting::Fate::Continues => {}
                    lasting::Fate::ContinuesOtherwise => changed.push(operation.upstream_id),
                }
            }
            if !ended.is_empty() {
                self.end_operations(ended, now, fx);
            }
            changed.into_iter().for_each(|id| self.record_again(id, snapshot, now, fx));
        }
        if !self.closed {
            self.look_at_held(snapshot, now, fx);
        }
    }

    /// Ends operations that depend on what has ended; `ended` rises.
    fn end_operations(&mut self, ended: Vec<UpstreamMessageId>, now: Now, fx: &mut Effects) {
        if self.binding {
            return self.end_bind(now, fx);
        }
        let unsent = fx.withdraw_unsent(|id| ended.binary_search(&id).is_ok());
        let may_be_done = |operation: &Operation| {
            operation.has_side_effects
                && ended.binary_search(&operation.upstream_id).is_ok()
                && unsent.binary_search(&operation.upstream_id).is_err()
        };
        if self.outstanding.iter().any(may_be_done) {
            return self.end_session(Why::Operations(ended), &unsent, now, fx);
        }
        self.withdraw_entries(|id| ended.binary_search(&id).is_ok(), fx);
        for id in ended {
            let Some(mut operation) = self.outstanding.take(id) else { continue };
            if unsent.binary_search(&id).is_ok() && operation.is_first_request() {
                operation.ending = Some(Ending::NotSent);
            } else {
                operation.ending = Some(Ending::Abandoned);
            }
            if unsent.binary_search(&id).is_err() {
                self.abandon_upstream(id, fx);
            }
            let text = ended_text(&operation);
            self.end_operation(operation, ENDED, text, now, fx);
        }
    }

    /// A bind in flight depends on what has ended: it binds nobody, whatever the directory makes of it, which it does
    /// not say: right credentials would be told from wrong ones.
    fn end_bind(&mut self, now: Now, fx: &mut Effects) {
        let unsent = fx.withdraw_unsent(|_| true);
        self.binding = false;
        while let Some(mut operation) = self.outstanding.take_first() {
            let sent = unsent.binary_search(&operation.upstream_id).is_err();
            operation.ending = Some(if sent { Ending::ConnectionClosed } else { Ending::NotSent });
            self.end_operation(operation, ENDED, "the grant that this bind depends on has ended", now, fx);
        }
        self.become_nobody(fx);
        self.unlink(fx);
    }

    /// Closes the connection to the directory, so that it drops what it has not begun, says of each operation what is
    /// true, and ends the session. `unsent` were withdrawn before.
    fn end_session(&mut self, why: Why, unsent: &[UpstreamMessageId], now: Now, fx: &mut Effects) {
        self.withdraw_entries(
            |id| match &why {
                Why::Bind => true,
                Why::Operations(ended) => ended.binary_search(&id).is_ok(),
            },
            fx,
        );
        let others_unsent = fx.withdraw_unsent(|_| true);
        self.refuse_all_held("session ended", "the session ends", now, fx);
        while let Some(mut operation) = self.outstanding.take_first() {
            let id = operation.upstream_id;
            let sent = unsent.binary_search(&id).is_err() && others_unsent.binary_search(&id).is_err();
            let has_ended = match &why {
                Why::Bind => true,
                Why::Operations(ended) => ended.binary_search(&id).is_ok(),
            };
            operation.ending = Some(if sent { Ending::ConnectionClosed } else { Ending::NotSent });
            let (code, text) = match (has_ended, sent) {
                (true, true) if operation.has_side_effects => (ResultCode::UNAVAILABLE, UNKNOWN),
                (true, _) => (ENDED, ended_text(&operation)),
                (false, true) => (ResultCode::UNAVAILABLE, CLOSED),
                (false, false) => (ResultCode::UNAVAILABLE, NOT_SENT),
            };
            match has_ended {
                true => self.end_operation(operation, code, text, now, fx),
                false => {
                    let result = Session::answer(&mut operation, code, text, fx);
                    self.finish(&mut operation, result, now, fx);
                }
            }
        }
        self.unlink(fx);
        match why {
            Why::Operations(_) => self.disconnect(ResultCode::UNAVAILABLE, NOTICE, now, fx),
            Why::Bind => {
                self.disconnect(ENDED, "the grant that this session's bind depends on has ended", now, fx);
            }
        }
    }

    /// Withdraws what was found by operations, as far as it waits for the client.
    fn withdraw_entries(&mut self, ended: impl Fn(UpstreamMessageId) -> bool, fx: &mut Effects) {
        let ended =
            self.outstanding.iter_mut().filter(|operation| ended(operation.upstream_id) && !operation.abandoned);
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable_by_key(|operation| operation.client_id);
        fx.review_unwritten(|envelope, length| {
            let id = ClientMessageId(envelope.id);
            let Ok(at) = ended.binary_search_by_key(&id, |operation| operation.client_id) else { return Fate::Kept };
            let Some(operation) = ended.get_mut(at).filter(|_| !tag::is_final_response(envelope.tag)) else {
                return Fate::Kept;
            };
            if envelope.tag == tag::SEARCH_RESULT_ENTRY {
                operation.entries = operation.entries.saturating_sub(1);
                operation.withheld += 1;
            }
            operation.bytes = operation.bytes.saturating_sub(length as u64);
            Fate::Withdrawn
        });
    }

    /// The last of an operation that depended on what has ended.
    fn end_operation(&mut self, mut operation: Operation, code: ResultCode, text: &str, now: Now, fx: &mut Effects) {
        let result = Session::answer(&mut operation, code, text, fx);
        operation.record.end();
        self.finish(&mut operation, result, now, fx);
    }

    /// Whether the grant has ended that the bind depends on; the session has ended with it then. Asked before anything is
    /// decided in the name of whoever the session is: news of the end may come behind what is to be decided.
    pub(super) fn bind_has_ended(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) -> bool {
        let ended = self.identity.permit.as_mut().is_some_and(|permit| !permit.renew(snapshot, now));
        if ended {
            self.withhold_all(fx);
            self.end_session(Why::Bind, &[], now, fx);
        }
        ended
    }

    /// The session has ended, and its last octets are still on their way: nothing more of it, where what they depend on
    /// ends before they are written.
    fn change_after_the_end(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        let bind = self.identity.permit.as_mut().is_some_and(|permit| !permit.renew(snapshot, now));
        let last = self.last.iter_mut().any(|on| !on.renew(snapshot, now));
        if bind || last || self.unwritten.any_ended(snapshot, now) {
            self.identity.permit = None;
            self.last.clear();
            self.unwritten.clear();
            fx.withdraw_all();
            fx.clear_upstream();
            fx.drop_upstream = true;
        }
    }

    /// The session ends: what an operation in flight depends on is looked at until the last octet is written.
    pub(super) fn keep_last(&mut self, operation: &Operation) {
        let (subject, certificate) = (&self.identity.subject, self.identity.certificate.as_ref());
        let same = |on: &super::Dependence| on.is_of(&operation.permit, subject, certificate);
        if operation.depends() && !self.last.iter().any(same) {
            self.last.push(operation.permit.dependence(subject, certificate));
        }
    }
}

fn ended_text(operation: &Operation) -> &'static str {
    match operation.rests_on_more() {
        true => "what this operation depends on has ended or changed",
        false => "the grant that this operation depends on has ended",
    }
}

/// Whether a directory may change something for this request, or do something else that lasts. Of an extended operation
/// that is not known, it may.
pub(super) fn has_side_effects(request: &Request<'_>) -> bool {
    match request {
        Request::Modify(_)
        | Request::Add(_)
        | Request::Delete(_)
        | Request::Rename(_)
        | Request::Extended(ExtendedRequest::Password { .. } | ExtendedRequest::Other { .. }) => true,
        Request::Bind(_)
        | Request::Unbind
        | Request::Search(_)
        | Request::Compare(_)
        | Request::Abandon(_)
        | Request::Extended(ExtendedRequest::StartTls | ExtendedRequest::WhoAmI | ExtendedRequest::Cancel(_)) => false,
    }
}
