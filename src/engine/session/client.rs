//! What the client sends: cut, decoded, decided, forwarded or answered.

use super::expected::Expected;
use super::identify::bind_purpose;
use super::lasting;
use super::outstanding::{Operation, Purpose, Redacts};
use super::parts::Parts;
use super::recorded::must_be_recorded;
use super::revoked::has_side_effects;
use super::search::asks_for_pages;
use super::towards::Word;
use super::would::Would;
use super::{Acting, Bound, Effects, Identity, Session};
use crate::engine::access::{self, Asked, Decision, Permit, Refusal, Snapshot};
use crate::engine::audit::record::Verdict;
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::control::Control;
use crate::engine::ldap::message::{ClientMessageId, Envelope, UpstreamMessageId};
use crate::engine::ldap::request::{Authentication, BindName, BindRequest, ExtendedRequest, Request, SearchScope, oid};
use crate::engine::ldap::{Dn, ResultCode};
use crate::engine::ldap::{response, tag};
use crate::engine::policy::resource::ResourceIndex;
use crate::engine::time::Now;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It was processed.
    Done,
    /// It cannot be processed yet: hand it over again after the next answer from the directory.
    Wait,
}

/// A message that was read, as one thing.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    pub(super) id: ClientMessageId,
    pub(super) request: &'m Request<'m>,
    pub(super) controls: &'m [Control<'m>],
}

impl Session {
    /// One message of the client. `followed`: octets of the client wait behind it.
    pub fn on_client(&mut self, frame: &[u8], followed: bool, snapshot: &Snapshot, now: Now, fx: &mut Effects) -> Flow {
        if self.closed || self.bind_has_ended(snapshot, now, fx) {
            return Flow::Done;
        }
        let envelope = Envelope::parse_request(frame);
        // What is malformed takes its turn like what it should have been: a bind that cannot be read
        // gives up the connection that others may wait for.
        let (id, request_tag) = match &envelope {
            Ok(envelope) => (ClientMessageId(envelope.id), envelope.tag),
            Err(malformed) => match malformed.answerable {
                Some(known) => known,
                None => {
                    self.cut_off(None, None, malformed.message, now, fx);
                    return Flow::Done;
                }
            },
        };
        let lets_go = matches!(request_tag, tag::ABANDON_REQUEST | tag::UNBIND_REQUEST);
        if !self.reads_client() && (!lets_go || self.binding || self.awaited_person().is_some()) {
            return Flow::Wait;
        }
        // RFC 4511 4.2.1: what is outstanding completes before a bind is processed. What waits for a role cannot: it
        // was asked for in the name of whoever the session is until now. (With the id of one that waits, see below.)
        if request_tag == tag::BIND_REQUEST && !self.held.uses(id) {
            self.refuse_all_held("bound again", "the session binds again", now, fx);
        }
        if request_tag == tag::BIND_REQUEST && !self.outstanding.is_empty() {
            return Flow::Wait;
        }
        // OpenLDAP keeps one cookie for a connection: pages that are filled up here would lose theirs to another search.
        if self.outstanding.fills_pages() && envelope.as_ref().is_ok_and(asks_for_pages) {
            return Flow::Wait;
        }
        // RFC 4511 4.1.1.1: an id in use must not be used again; which of the two an answer
        // belongs to could not be told.
        let uses = self.outstanding.uses(id) || self.held.uses(id);
        if uses && !lets_go || self.outstanding.exhausted() {
            self.cut_off(Some(id), Some(request_tag), "message id already in use", now, fx);
            return Flow::Done;
        }
        match envelope {
            Ok(envelope) => self.opened(&envelope, followed, snapshot, now, fx),
            Err(malformed) => {
                self.refuse_unread(id, request_tag, ResultCode::PROTOCOL_ERROR, malformed.message, now, fx);
            }
        }
        match self.awaited_person() {
            Some(_) => Flow::Wait,
            None => Flow::Done,
        }
    }

    /// A message whose turn it is.
    fn opened(&mut self, envelope: &Envelope<'_>, followed: bool, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        let id = ClientMessageId(envelope.id);
        let controls = match envelope.controls() {
            Ok(controls) => controls,
            Err(malformed) => {
                return self.refuse_unread(id, envelope.tag, ResultCode::PROTOCOL_ERROR, malformed.message, now, fx);
            }
        };
        match Request::decode_within(envelope, self.bounds.filter_parts) {
            Ok(request) => {
                self.decided(Message { id, request: &request, controls: &controls }, followed, snapshot, now, fx);
                self.acting = None;
            }
            Err(error) => self.refuse_unread(id, envelope.tag, error.code, &error.message, now, fx),
        }
    }

    /// What stands where a message should be is not one, or is too large.
    pub fn on_client_garbage(&mut self, reason: &str, now: Now, fx: &mut Effects) {
        if !self.closed {
            self.cut_off(None, None, reason, now, fx);
        }
    }

    fn decided(&mut self, sent: Message<'_>, followed: bool, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        let Message { request, controls, .. } = sent;
        if matches!(request, Request::Bind(_)) {
            // RFC 4511 4.2.1: from here until the directory's success the session is nobody. What
            // the directory's connection is bound as ends with the bind that goes over it, or with it.
            self.identity = Identity::nobody();
            self.cursors.clear();
        }
        let bounded = self.bounds.refusal(request).or_else(|| self.unrecordable(request, snapshot));
        if let Some(refusal) = bounded.or_else(|| self.out_of_turn(request, fx)) {
            return self.refuse(sent, &refusal, snapshot, now, fx);
        }
        if self.origin.tls.is_none() && !served_in_clear(request) {
            let refusal = Refusal {
                code: ResultCode::CONFIDENTIALITY_REQUIRED,
                message: "TLS first: use StartTLS, or the ldaps port".to_owned(),
                reason: "no TLS",
                missing: Vec::new(),
                asks: None,
            };
            return self.refuse(sent, &refusal, snapshot, now, fx);
        }
        if let Request::Extended(ExtendedRequest::StartTls) = request {
            return self.start_tls(sent, followed, now, fx);
        }
        let Identity { subject, certificate, .. } = &self.identity;
        let asked = Asked { subject, request, controls, now, certificate: certificate.as_ref() };
        self.acting = access::acts_for(snapshot, &asked).map(|other| Acting::new(other, &self.identity));
        let decision = access::decide(snapshot, &asked);
        if let Some(person) = access::unknown_person(snapshot, &asked, &decision)
            && self.await_person(&person, now)
        {
            return;
        }
        match decision {
            Decision::Refused(refusal) if refusal.asks.is_some() => self.hold(sent, refusal, snapshot, now, fx),
            Decision::Refused(refusal) => self.refuse(sent, &refusal, snapshot, now, fx),
            Decision::Permitted(permit) => match request {
                Request::Unbind => {
                    let line = self.begin(sent, &permit, snapshot, now);
                    self.finish_here(line, None, 0, fx);
                    self.end(now, fx);
                }
                Request::Abandon(target) => self.abandon(sent, *target, permit, snapshot, now, fx),
                Request::Extended(ExtendedRequest::Cancel(target)) => {
                    self.cancel(sent, *target, permit, snapshot, now, fx);
                }
                Request::Bind(BindRequest { authentication: Authentication::Sasl { .. }, .. }) => {
                    self.sasl(sent, permit, snapshot, now, fx);
                }
                Request::Bind(_)
                | Request::Search(_)
                | Request::Modify(_)
                | Request::Add(_)
                | Request::Delete(_)
                | Request::Rename(_)
                | Request::Compare(_)
                | Request::Extended(_) => self.forward(sent, permit, snapshot, now, fx),
            },
        }
    }

    /// What is encoded is what was decided upon.
    pub(super) fn forward(
        &mut self,
        sent: Message<'_>,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        match sent.request {
            Request::Search(search) if !permit.redaction().is_empty() || !self.cursors.is_empty() => {
                self.forward_search(sent, search, permit, snapshot, now, fx);
            }
            request => self.forward_as_it_is(sent, request, permit, snapshot, now, fx),
        }
    }

    /// Keeps what is needed for the answer to what goes to the directory.
    pub(super) fn track(
        &mut self,
        upstream_id: UpstreamMessageId,
        sent: Message<'_>,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let operation = self.operation(upstream_id, sent, (permit, None), snapshot, now, fx);
        self.outstanding.push(operation);
    }

    /// An operation at its beginning. Its begun line, where it has one, is handed over before anything of it is sent.
    pub(super) fn operation(
        &mut self,
        upstream_id: UpstreamMessageId,
        sent: Message<'_>,
        (permit, parts): (Permit, Option<Box<Parts>>),
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) -> Operation {
        let Message { id, request, .. } = sent;
        let (record, number) = self.begin_recorded(sent, &permit, snapshot, now, fx);
        let must_be_recorded = must_be_recorded(&permit, snapshot);
        let again = permit.replicates().then(|| Box::new(lasting::again(sent, &permit, snapshot)));
        let would = Would::of(&permit, request, snapshot);
        let purpose = match request {
            Request::Bind(bind) => {
                self.binding = true;
                let was_named = self.bound.has_name();
                self.bound = if bind.name == BindName::Dn(Dn::root()) { Bound::Nobody } else { Bound::Somebody };
                bind_purpose(bind, was_named)
            }
            Request::Search(search) => {
                let offered = self.offered(search, snapshot);
                let expected = Expected::of(sent, &permit, parts.as_ref().is_some_and(|parts| parts.are_several()));
                let redacts = Redacts::of(&permit, search, parts, offered, snapshot);
                Purpose::Search { redacts: redacts.map(|redacts| Redacts { expected, ..redacts }) }
            }
            _ => Purpose::Relay,
        };
        Operation {
            upstream_id,
            client_id: id,
            response_tag: tag::response_to(request.tag()).unwrap_or(tag::EXTENDED_RESPONSE),
            purpose,
            permit,
            would,
            has_side_effects: has_side_effects(request),
            abandoned: false,
            ending: None,
            again,
            record,
            number,
            must_be_recorded,
            started: self.waited_since.unwrap_or(now.monotonic),
            entries: 0,
            withheld: 0,
            cut: 0,
            bytes: 0,
            weight: 0,
        }
    }

    /// RFC 4511 4.11: no answer. A bind cannot be abandoned: nothing is read while one is in flight.
    fn abandon(
        &mut self,
        sent: Message<'_>,
        target: ClientMessageId,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let line = self.begin(sent, &permit, snapshot, now);
        self.finish_here(line, None, 0, fx);
        let Some(upstream_target) = self.outstanding.find_client(target) else {
            return self.abandon_held(target, now, fx);
        };
        self.abandoned(upstream_target, now, fx);
    }

    /// RFC 3909. The directory answers both the cancel and what it cancels.
    fn cancel(
        &mut self,
        sent: Message<'_>,
        target: ClientMessageId,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let Message { controls, .. } = sent;
        let Some(upstream_target) = self.outstanding.find_client(target) else {
            if self.held.uses(target) {
                let line = self.begin(sent, &permit, snapshot, now);
                self.cancel_held(target, now, fx);
                let bytes = Session::respond(fx, sent.id, tag::EXTENDED_RESPONSE, ResultCode::SUCCESS, "");
                return self.finish_here(line, Some(ResultCode::SUCCESS), bytes, fx);
            }
            let refusal = Refusal {
                code: ResultCode::NO_SUCH_OPERATION,
                message: "no such operation in progress".to_owned(),
                reason: "nothing to cancel",
                missing: Vec::new(),
                asks: None,
            };
            return self.refuse(sent, &refusal, snapshot, now, fx);
        };
        if self.outstanding.find(upstream_target).is_some_and(|operation| operation.parts().is_some()) {
            return self.cancel_parts(sent, upstream_target, permit, snapshot, now, fx);
        }
        if matches!(self.bound, Bound::Asserted(_)) {
            return self.cancel_here(sent, upstream_target, permit, snapshot, now, fx);
        }
        let forwarded: Vec<_> = permit.controls(controls).collect();
        let upstream_id = self.tell(Word::Cancel(upstream_target, &forwarded), fx);
        self.track(upstream_id, sent, permit, snapshot, now, fx);
    }

    /// Tells the directory to stop; its late answers will meet an id that is gone.
    pub(super) fn abandon_upstream(&mut self, target: UpstreamMessageId, fx: &mut Effects) {
        self.tell(Word::Abandon(target), fx);
    }

    /// RFC 4511 4.14. Octets behind the request came in clear and would be taken for TLS: close.
    fn start_tls(&mut self, sent: Message<'_>, followed: bool, now: Now, fx: &mut Effects) {
        let Message { id, request, controls } = sent;
        let (code, message) = if self.origin.tls.is_some() {
            (ResultCode::OPERATIONS_ERROR, "TLS is already established")
        } else if !self.outstanding.is_empty() || !self.held.is_empty() {
            (ResultCode::OPERATIONS_ERROR, "operations are outstanding")
        } else if controls.iter().any(|control| control.critical) {
            (ResultCode::UNAVAILABLE_CRITICAL_EXTENSION, "no control is understood here")
        } else if followed {
            (ResultCode::PROTOCOL_ERROR, "octets behind the StartTLS request")
        } else {
            (ResultCode::SUCCESS, "")
        };
        let decision = if code == ResultCode::SUCCESS { "permitted" } else { "refused" };
        let mut line = self.line();
        let verdict = Verdict {
            decision,
            reason: Some(message).filter(|reason| !reason.is_empty()),
            ..Verdict::plain(decision, None)
        };
        line.begin(&self.context(now, id), request, controls, verdict);
        let before = fx.to_client.len();
        if followed && self.origin.tls.is_none() {
            self.finish_here(line, Some(code), 0, fx);
            return self.disconnect(code, message, now, fx);
        }
        let name = Some(oid::START_TLS);
        response::write_extended_result(&mut fx.to_client, id, code, message, name, None);
        self.finish_here(line, Some(code), (fx.to_client.len() - before) as u64, fx);
        fx.start_tls = code == ResultCode::SUCCESS;
    }

    /// Answers an operation that has no permit.
    pub(super) fn refuse(
        &mut self,
        sent: Message<'_>,
        refusal: &Refusal,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let Message { id, request, controls } = sent;
        let mut line = self.line();
        let resources = names(&refusal.missing, snapshot);
        let grants = std::iter::empty::<&ActiveGrant>();
        let verdict = Verdict { decision: "refused", reason: Some(refusal.reason), resources, grants, standing: &[] };
        line.begin(&self.context(now, id), request, controls, verdict);
        let (code, bytes) = match tag::response_to(request.tag()) {
            Some(response_tag) => {
                (Some(refusal.code), Session::respond(fx, id, response_tag, refusal.code, &refusal.message))
            }
            None => (None, 0),
        };
        self.finish_here(line, code, bytes, fx);
        if matches!(request, Request::Bind(_)) {
            self.become_nobody(fx);
        }
    }

    /// Answers what could not be read as a request, but whose id and operation are known.
    fn refuse_unread(
        &mut self,
        id: ClientMessageId,
        request_tag: u8,
        code: ResultCode,
        message: &str,
        now: Now,
        fx: &mut Effects,
    ) {
        let mut line = self.line();
        line.begin_malformed(&self.context(now, id), Some(request_tag), message);
        let (code, bytes) = match tag::response_to(request_tag) {
            Some(response_tag) => (Some(code), Session::respond(fx, id, response_tag, code, message)),
            None => (None, 0),
        };
        self.finish_here(line, code, bytes, fx);
        if request_tag == tag::BIND_REQUEST {
            self.become_nobody(fx);
        }
    }
}

pub(super) fn names<'a>(
    resources: impl IntoIterator<Item = &'a ResourceIndex>,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = &'a str> {
    resources.into_iter().filter_map(|at| snapshot.policy.resource(*at)).map(|resource| &*resource.name)
}

/// Before StartTLS: the rootDSE, StartTLS, and leaving.
fn served_in_clear(request: &Request<'_>) -> bool {
    match request {
        Request::Search(search) => search.base.is_root() && search.scope == SearchScope::Base,
        Request::Extended(extended) => *extended == ExtendedRequest::StartTls,
        Request::Unbind | Request::Abandon(_) => true,
        Request::Bind(_)
        | Request::Modify(_)
        | Request::Add(_)
        | Request::Delete(_)
        | Request::Rename(_)
        | Request::Compare(_) => false,
    }
}
