//! What is recorded before it is done: operations that depend on access, and where the configuration says so all of them,
//! have a begun line, and nothing of them is forwarded, or shown, before that line is in the log. Knows no files: the
//! driver holds octets back, and says when lines are in the log or cannot be written.

use super::client::{Message, names};
use super::outstanding::{Operation, Purpose};
use super::{Effects, Session};
use crate::engine::access::{Permit, Refusal, Snapshot};
use crate::engine::audit::record::{self, Ending, Verdict, Weight};
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::message::{Envelope, UpstreamMessageId};
use crate::engine::ldap::request::Request;
use crate::engine::policy::Mode;
use crate::engine::time::Now;

/// What the client is told of an operation whose begun line cannot be written.
const UNRECORDED: &str = "operations cannot be recorded: what needs a grant or standing access is refused";

/// How strictly operations are recorded (`[audit]`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordingRules {
    /// Every operation that is forwarded has a begun line, not only those that depend on access (`durable = "each"`).
    pub each: bool,
    /// Nothing is served while nothing can be recorded (`when_full = "refuse"`).
    pub refuses: bool,
}

/// The begun lines of a session.
#[derive(Debug, Default)]
pub(super) struct Recording {
    rules: RecordingRules,
    /// The number of the last begun line.
    last: u64,
    /// Up to this number, begun lines are in the log.
    written: u64,
    /// The number of the operation whose record is being begun.
    current: Option<u64>,
    /// Whether any operation of the session has depended on access.
    used_access: bool,
}

impl Recording {
    /// The number of the operation whose record is being begun, where it has a begun line.
    pub(super) fn number(&self) -> Option<u64> {
        self.current
    }
}

impl Session {
    /// How strictly operations of this session are recorded.
    pub fn record_by(&mut self, rules: RecordingRules) {
        self.recording.rules = rules;
    }

    /// Whether the session uses access: a grant or standing access. While there is little room for records, these
    /// sessions are read for longer than others.
    pub fn uses_access(&self) -> bool {
        self.recording.used_access
    }

    /// Begins the record of an operation that is to be forwarded, and hands its begun line over where it has one.
    /// Returns the record, and the operation's number.
    pub(super) fn begin_recorded(
        &mut self,
        sent: Message<'_>,
        permit: &Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) -> (record::Line, Option<u64>) {
        let uses_access = permit.uses_access();
        let each = self.recording.rules.each && snapshot.recording;
        if !uses_access && !each {
            return (self.begin(sent, permit, snapshot, now), None);
        }
        self.recording.last += 1;
        let number = self.recording.last;
        let line = self.hand_over_begun(sent, permit, number, (snapshot, now), fx);
        fx.hold_upstream |= each || must_be_recorded(permit, snapshot);
        (line, Some(number))
    }

    /// A begun line of the operation of this number, and the record that it begins.
    fn hand_over_begun(
        &mut self,
        sent: Message<'_>,
        permit: &Permit,
        number: u64,
        (snapshot, now): (&Snapshot, Now),
        fx: &mut Effects,
    ) -> record::Line {
        self.recording.current = Some(number);
        let mut line = self.begin(sent, permit, snapshot, now);
        self.recording.current = None;
        let mut weight = Weight::Plain;
        if permit.uses_access() {
            self.recording.used_access = true;
            line.set_access();
            weight = Weight::Access;
        }
        record::begun(&mut fx.records, &line);
        fx.record_ends.push((fx.records.len(), weight));
        line
    }

    /// A search that lasts continues by other access than before: one more begun line says by which, and nothing that is
    /// found from here on is shown before that line is in the log. The ended line is as this one.
    pub(super) fn record_again(&mut self, id: UpstreamMessageId, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        let Some(mut operation) = self.outstanding.take(id) else { return };
        if let Some(again) = operation.again.take() {
            let envelope = Envelope::parse_request(&again.frame);
            let parts =
                envelope.as_ref().ok().and_then(|sent| Some((Request::decode(sent).ok()?, sent.controls().ok()?)));
            if let Some((request, controls)) = parts.filter(|_| operation.permit.uses_access()) {
                let number = operation.number.unwrap_or(self.recording.last + 1);
                self.recording.last = self.recording.last.max(number);
                let sent = Message { id: operation.client_id, request: &request, controls: &controls };
                operation.record = self.hand_over_begun(sent, &operation.permit, number, (snapshot, now), fx);
                operation.number = Some(number);
                fx.hold_client |= must_be_recorded(&operation.permit, snapshot);
            }
            operation.again = Some(again);
        }
        self.outstanding.push_again(operation);
    }

    /// The directory has said who a bind is of, and that depends on access: the client hears of it when it is recorded.
    pub(super) fn record_before_answer(
        &mut self,
        operation: &mut Operation,
        permit: &Permit,
        snapshot: &Snapshot,
        fx: &mut Effects,
    ) {
        if permit.uses_access() {
            self.recording.used_access = true;
            operation.record.set_access();
            fx.hold_client |= must_be_recorded(permit, snapshot);
        }
    }

    /// All lines that were handed over are in the log.
    pub fn on_recorded(&mut self) {
        self.recording.written = self.recording.last;
    }

    /// Lines that were handed over cannot be written. What waits for them is refused: nothing of it was sent. `answers`:
    /// answers waited for them as well, so that the session ends.
    pub fn on_unrecorded(&mut self, answers: bool, now: Now, fx: &mut Effects) {
        if self.closed {
            return;
        }
        let written = std::mem::replace(&mut self.recording.written, self.recording.last);
        let waits = |operation: &&Operation| operation.must_be_recorded && operation.number > Some(written);
        let ids = |operations: &mut dyn Iterator<Item = &Operation>| -> Vec<_> {
            operations.map(|operation| operation.upstream_id).collect()
        };
        let waiting = ids(&mut self.outstanding.iter().filter(waits));
        let sent = ids(&mut self.outstanding.iter().filter(|operation| !waits(operation)));
        // What was given up meanwhile is not outstanding, and not to be sent either.
        fx.withdraw_unsent(|id| !sent.contains(&id));
        if answers {
            fx.withdraw_all();
        }
        let (code, mut bound) = (ResultCode::UNAVAILABLE, false);
        for id in waiting {
            let Some(mut operation) = self.outstanding.take(id) else { continue };
            operation.record.unrecorded();
            operation.ending = Some(Ending::NotSent);
            bound |= match operation.purpose {
                Purpose::Relay | Purpose::Search { .. } => false,
                Purpose::Bind { .. } | Purpose::Sasl(_) | Purpose::Identify(_) => true,
            };
            let result = Session::answer(&mut operation, code, UNRECORDED, fx);
            self.finish(&mut operation, result, now, fx);
        }
        if bound {
            self.binding = false;
            self.become_nobody(fx);
        }
        if answers {
            self.disconnect(code, UNRECORDED, now, fx);
        }
    }

    /// The line of a permitted operation, begun: what was decided, and by what.
    pub(super) fn begin(&mut self, sent: Message<'_>, permit: &Permit, snapshot: &Snapshot, now: Now) -> record::Line {
        let Message { id, request, controls } = sent;
        let mut line = self.line();
        let context = self.context(now, id);
        let monitored = permit.monitored();
        if permit.resources().is_empty() && monitored.is_none() {
            line.begin(&context, request, controls, Verdict::plain("permitted", None));
            return line;
        }
        let missing = monitored.map_or(&[][..], |refusal| &refusal.missing);
        let beyond = missing.iter().filter(|at| !permit.resources().contains(at));
        let resources = names(permit.resources().iter().chain(beyond), snapshot);
        let (decision, reason) = match monitored {
            Some(refusal) => ("monitored", refusal.reason),
            None if !permit.rests_on().is_empty() => ("permitted", "grant"),
            None if !permit.standing().is_empty() => ("permitted", "standing access"),
            // No access is needed for what is redacted: entries, attributes, counts.
            None => ("permitted", "redacted"),
        };
        let verdict = Verdict {
            decision,
            reason: Some(reason),
            resources,
            grants: permit.rests_on().iter().map(|grant| &**grant),
            standing: permit.standing(),
        };
        line.begin(&context, request, controls, verdict);
        line
    }

    /// Why nothing is served while nothing can be recorded, where the configuration says so.
    pub(super) fn unrecordable(&self, request: &Request<'_>, snapshot: &Snapshot) -> Option<Refusal> {
        // RFC 4511 4.3, 4.11: these have no answer, and do nothing.
        let leaves = matches!(request, Request::Unbind | Request::Abandon(_));
        (self.recording.rules.refuses && !snapshot.recording && !leaves).then(|| Refusal {
            code: ResultCode::UNAVAILABLE,
            message: "operations cannot be recorded, and none is served without a record".to_owned(),
            reason: "not recorded",
            missing: Vec::new(),
            asks: None,
        })
    }
}

/// Whether an operation must not be forwarded before its begun line is in the log. While the mode is `monitor` nothing
/// is refused, nor held.
pub(super) fn must_be_recorded(permit: &Permit, snapshot: &Snapshot) -> bool {
    permit.uses_access() && snapshot.policy.mode == Mode::Enforce
}
