//! Operations that wait for a role which they asked for (`on_missing`). Nothing of them is with the directory: each is
//! kept as it was read, and decided upon anew, from the beginning, whenever grants change. Knows what it is told of
//! the request, not who decides on it.

use super::asking::{Answer, Asking, reason};
use super::client::Message;
use super::search::asks_for_pages;
use super::{Effects, Identity, Session};
use crate::engine::access::{self, Asked, Asks, Decision, Refusal, Snapshot};
use crate::engine::audit::record::{self, Outcome, Verdict};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::message::{self, ClientMessageId, Envelope, UpstreamMessageId};
use crate::engine::ldap::request::Request;
use crate::engine::ldap::{ResultCode, tag};
use crate::engine::policy::asking::OnMissing;
use crate::engine::policy::{Policy, RefusalStyle, Subject};
use crate::engine::time::Now;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;

/// How many octets of requests of one session may wait.
pub const MAX_HELD_OCTETS: usize = 256 * 1024;

/// An operation that only waits until its request is kept waits no longer than this.
const FILING: Duration = Duration::from_secs(30);

/// One operation that waits.
#[derive(Debug)]
pub(super) struct Held {
    number: u64,
    client_id: ClientMessageId,
    /// The tag of its final response.
    response_tag: u8,
    /// The request with all its controls, encoded from what was decided upon.
    frame: Vec<u8>,
    asks: Box<Asks>,
    /// The names of the resources that are missing.
    missing: Vec<Arc<str>>,
    /// What was asked, once that is known.
    request: Option<String>,
    started: Duration,
    /// When it has waited for long enough, on either clock.
    ends: (DateTime<Utc>, Duration),
    /// Its begun line, for those who look at what waits. Never handed over.
    line: record::Line,
}

/// All that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct HeldOperations {
    list: Vec<Held>,
    last: u64,
    /// By what they were decided last; `None`: they are to be decided again.
    seen: Option<Box<Snapshot>>,
}

/// Why one that waits gets no further.
struct No<'a> {
    code: ResultCode,
    /// For the record: a fixed word or two.
    reason: &'static str,
    /// For the client, after what is missing.
    told: &'a str,
}

impl HeldOperations {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn uses(&self, id: ClientMessageId) -> bool {
        self.list.iter().any(|held| held.client_id == id)
    }

    pub(super) fn ends(&self) -> impl Iterator<Item = (DateTime<Utc>, Duration)> {
        self.list.iter().map(|held| held.ends)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.list.iter().map(|held| held.line.as_slice())
    }

    fn take(&mut self, fits: impl Fn(&Held) -> bool) -> Option<Held> {
        let at = self.list.iter().position(fits)?;
        Some(self.list.remove(at))
    }

    pub(super) fn octets(&self) -> usize {
        self.list.iter().map(|held| held.frame.len() + held.line.len()).sum()
    }
}

impl Session {
    /// How many operations wait for a role.
    pub fn held(&self) -> usize {
        self.held.list.len()
    }

    /// Whether the operation still waits that asked under this number.
    pub fn is_held(&self, number: u64) -> bool {
        self.held.list.iter().any(|held| held.number == number)
    }

    /// Has an operation wait for the role that its refusal says it asks for, if there is room.
    pub(super) fn hold(
        &mut self,
        sent: Message<'_>,
        mut refusal: Refusal,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let (Subject::Dn(subject), Some(asks)) = (&self.identity.subject, refusal.asks.take()) else {
            return self.refuse(sent, &refusal, snapshot, now, fx);
        };
        let subject = subject.clone();
        let Some(response_tag) = tag::response_to(sent.request.tag()) else {
            return self.refuse(sent, &refusal, snapshot, now, fx);
        };
        let mut frame = Vec::new();
        message::write_request(&mut frame, UpstreamMessageId(sent.id.0), sent.request, sent.controls);
        let missing: Vec<_> = refusal.missing.iter().filter_map(|at| snapshot.policy.resource(*at)).collect();
        let mut line = self.line();
        let resources = missing.iter().map(|resource| &*resource.name);
        let verdict = verdict("held", "not held", resources);
        line.begin(&self.context(now, sent.id), sent.request, sent.controls, verdict);
        if self.held.list.len() >= snapshot.policy.held.per_session {
            return self.refuse_full(sent, &asks, refusal, "too many operations wait already", snapshot, now, fx);
        }
        if self.held.octets() + frame.len() + line.len() > MAX_HELD_OCTETS {
            return self.refuse_full(sent, &asks, refusal, "it is too large to wait", snapshot, now, fx);
        }
        let waits = match asks.then {
            OnMissing::Hold(length) => length,
            OnMissing::Refuse | OnMissing::Request => FILING,
        };
        let wall = TimeDelta::from_std(waits).ok().and_then(|waits| now.wall.checked_add_signed(waits));
        self.held.last += 1;
        let number = self.held.last;
        fx.asks.push(Asking {
            number,
            role: Arc::clone(&asks.role),
            subject,
            certificate: self.identity.certificate.clone(),
            from: self.origin.connection_from.clone(),
            reason: reason(sent.request, &self.origin.connection_from),
            seen: Arc::clone(&snapshot.grants),
        });
        self.held.list.push(Held {
            number,
            client_id: sent.id,
            response_tag,
            frame,
            asks,
            missing: missing.into_iter().map(|resource| Arc::clone(&resource.name)).collect(),
            request: None,
            started: now.monotonic,
            ends: (wall.unwrap_or(DateTime::<Utc>::MAX_UTC), now.monotonic.saturating_add(waits)),
            line,
        });
        self.held.seen = Some(Box::new(snapshot.clone()));
    }

    /// There is no room for it: nothing is asked for.
    #[expect(clippy::too_many_arguments, reason = "what every refusal takes, and why")]
    fn refuse_full(
        &mut self,
        sent: Message<'_>,
        asks: &Asks,
        refusal: Refusal,
        why: &str,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let refusal = Refusal { message: told(asks, why), reason: "too much waits", ..refusal };
        self.refuse(sent, &refusal, snapshot, now, fx);
    }

    /// What came of asking. Whatever no longer waits is past caring.
    pub fn on_asked(&mut self, number: u64, answer: Answer, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        if self.closed || self.bind_has_ended(snapshot, now, fx) {
            return;
        }
        let Some(mut held) = self.held.take(|held| held.number == number) else { return };
        let (code, explains) = (ResultCode::INSUFFICIENT_ACCESS_RIGHTS, explains(&snapshot.policy));
        match answer {
            Answer::Waits { request } => {
                let told = format!("request {request} waits for approval; try again once it is approved");
                held.request = Some(request);
                match held.asks.then {
                    OnMissing::Hold(_) => self.keep_on(held),
                    OnMissing::Refuse | OnMissing::Request => {
                        self.refuse_held(held, No { code, reason: "asked for", told: &told }, now, fx);
                    }
                }
            }
            Answer::Granted { request } => {
                let told = format!("request {request} was approved, and does not open this");
                held.request = Some(request);
                if let Some(held) = self.resume(held, snapshot, now, fx) {
                    self.refuse_held(held, No { code, reason: "not held", told: &told }, now, fx);
                }
            }
            Answer::Ended { request, how, before } => {
                let mut told = format!("request {request} was {how}");
                if before {
                    told.push_str(" a short while ago, and is not made again");
                    if explains {
                        told.push_str(&format!("; ask with: tidegate request {} --reason \"…\"", held.asks.role));
                    }
                }
                held.request = Some(request);
                self.refuse_held(held, No { code, reason: how, told: &told }, now, fx);
            }
            Answer::Refused { why } => {
                let told = if explains { format!("it was not asked for: {why}") } else { String::new() };
                self.refuse_held(held, No { code, reason: "not asked for", told: &told }, now, fx);
            }
            Answer::TooMany => {
                let told = "too many operations wait already";
                self.refuse_held(held, No { code, reason: "too much waits", told }, now, fx);
            }
        }
    }

    /// Puts one back among those that wait, in its place.
    fn keep_on(&mut self, mut held: Held) {
        record::name_asked(&mut held.line, &held.asks.role, held.request.as_deref());
        let at = self.held.list.partition_point(|other| other.number < held.number);
        self.held.list.insert(at, held);
    }

    /// Grants changed, or time passed: what has waited for long enough is refused, what may go on goes on.
    pub(super) fn look_at_held(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        if self.held.is_empty() || self.bind_has_ended(snapshot, now, fx) {
            return;
        }
        let over = |held: &Held| now.wall >= held.ends.0 || now.monotonic >= held.ends.1;
        while let Some(held) = self.held.take(over) {
            let code = ResultCode::INSUFFICIENT_ACCESS_RIGHTS;
            let told = match &held.request {
                Some(request) => {
                    format!("request {request} was not decided in time, and waits on; try again once it is approved")
                }
                None => "it could not be asked for in time".to_owned(),
            };
            self.refuse_held(held, No { code, reason: "out of time", told: &told }, now, fx);
        }
        if self.held.seen.as_ref().is_some_and(|seen| super::lasting::is_as_it_was(seen, snapshot)) {
            return;
        }
        self.held.seen = Some(Box::new(snapshot.clone()));
        let mut kept = Vec::new();
        for held in std::mem::take(&mut self.held.list) {
            kept.extend(self.resume(held, snapshot, now, fx));
        }
        self.held.list = kept;
    }

    /// Whether any waits only for another operation of its session.
    pub(super) fn has_ready(&self) -> bool {
        self.held.seen.is_none() && !self.held.is_empty()
    }

    /// Decides upon one anew. What comes back still waits: nothing changed for it.
    fn resume(&mut self, held: Held, snapshot: &Snapshot, now: Now, fx: &mut Effects) -> Option<Held> {
        let read = Envelope::parse_request(&held.frame).ok();
        let read =
            read.and_then(|read| Some((read, read.controls().ok()?, Request::decode_within(&read, usize::MAX).ok()?)));
        let Some((envelope, controls, request)) = read else {
            let no = No { code: ResultCode::OTHER, reason: "not understood", told: "it cannot be read again" };
            self.refuse_held(held, no, now, fx);
            return None;
        };
        let Identity { subject, certificate, .. } = &self.identity;
        let asked = Asked { subject, request: &request, controls: &controls, now, certificate: certificate.as_ref() };
        match access::decide(snapshot, &asked) {
            // As when it came (`on_client`): pages that are filled up here would lose their cookie to it.
            Decision::Permitted(_) if self.outstanding.fills_pages() && asks_for_pages(&envelope) => {
                self.held.seen = None;
                Some(held)
            }
            Decision::Permitted(_) if self.outstanding.exhausted() => {
                let told = "this connection has asked for all that it can";
                self.refuse_held(held, No { code: ResultCode::BUSY, reason: "no ids left", told }, now, fx);
                None
            }
            Decision::Permitted(permit) => {
                let sent = Message { id: held.client_id, request: &request, controls: &controls };
                self.waited_since = Some(held.started);
                self.forward(sent, permit, snapshot, now, fx);
                self.waited_since = None;
                None
            }
            Decision::Refused(Refusal { asks: Some(asks), .. }) if asks.would_do(&held.asks.role) => Some(held),
            // For another reason than before: the role is gone, or nobody's to ask for, or would no longer do.
            Decision::Refused(refusal) => {
                let no = No { code: refusal.code, reason: refusal.reason, told: &refusal.message };
                self.refuse_held_with(&held, &no, no.told, now, fx);
                None
            }
        }
    }

    /// The client gives one up: no answer.
    pub(super) fn abandon_held(&mut self, target: ClientMessageId, now: Now, fx: &mut Effects) {
        if let Some(held) = self.held.take(|held| held.client_id == target) {
            self.record_held(&held, "abandoned", None, 0, now, fx);
        }
    }

    /// RFC 3909: one that waits is cancelled here, for the directory knows nothing of it. Whether there was one.
    pub(super) fn cancel_held(&mut self, target: ClientMessageId, now: Now, fx: &mut Effects) -> bool {
        let Some(held) = self.held.take(|held| held.client_id == target) else { return false };
        let code = ResultCode::CANCELED;
        self.refuse_held_with(&held, &No { code, reason: "cancelled by the client", told: "" }, "", now, fx);
        true
    }

    /// Refuses all that wait: who the session is ends.
    pub(super) fn refuse_all_held(&mut self, reason: &'static str, told: &str, now: Now, fx: &mut Effects) {
        let code = ResultCode::INSUFFICIENT_ACCESS_RIGHTS;
        while let Some(held) = self.held.take(|_| true) {
            self.refuse_held(held, No { code, reason, told }, now, fx);
        }
    }

    /// Gives all up that wait, without an answer: the session ends.
    pub(super) fn drop_held(&mut self, now: Now, fx: &mut Effects) {
        while let Some(held) = self.held.take(|_| true) {
            self.record_held(&held, "session ended", None, 0, now, fx);
        }
    }

    fn refuse_held(&mut self, held: Held, no: No<'_>, now: Now, fx: &mut Effects) {
        let told = told(&held.asks, no.told);
        self.refuse_held_with(&held, &no, &told, now, fx);
    }

    fn refuse_held_with(&mut self, held: &Held, no: &No<'_>, told: &str, now: Now, fx: &mut Effects) {
        let bytes = Session::respond(fx, held.client_id, held.response_tag, no.code, told);
        self.record_held(held, no.reason, Some(no.code), bytes, now, fx);
    }

    /// The line of one that gets no further; it is decided at this instant.
    fn record_held(
        &mut self,
        held: &Held,
        reason: &'static str,
        result: Option<ResultCode>,
        bytes: u64,
        now: Now,
        fx: &mut Effects,
    ) {
        let mut line = self.line();
        let context = self.context(now, held.client_id);
        let read = Envelope::parse_request(&held.frame).ok();
        match read.and_then(|read| Some((read.controls().ok()?, Request::decode_within(&read, usize::MAX).ok()?))) {
            Some((controls, request)) => {
                let verdict = verdict("refused", reason, held.missing.iter().map(|name| &**name));
                line.begin(&context, &request, &controls, verdict);
            }
            None => line.begin_malformed(&context, None, reason),
        }
        record::name_asked(&mut line, &held.asks.role, held.request.as_deref());
        // Each names a request, and is not summed with others.
        line.set_access();
        let duration = now.monotonic.saturating_sub(held.started);
        let done = line.finish(&Outcome { result, bytes, duration, ..Outcome::default() }, false);
        self.hand_over(line, done, fx);
    }
}

fn verdict<'a, R: Iterator<Item = &'a str>>(
    decision: &'static str,
    reason: &'static str,
    resources: R,
) -> Verdict<'a, R, std::iter::Empty<&'static ActiveGrant>> {
    Verdict { decision, reason: Some(reason), resources, grants: std::iter::empty(), standing: &[] }
}

/// What the client is told: what is missing, and then this.
fn told(asks: &Asks, why: &str) -> String {
    let missing = asks.told.trim_end_matches('.');
    if why.is_empty() { missing.to_owned() } else { format!("{missing}: {why}") }
}

fn explains(policy: &Policy) -> bool {
    match policy.refusal {
        RefusalStyle::Explain => true,
        RefusalStyle::Opaque => false,
    }
}
