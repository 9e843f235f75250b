//! What the directory sends: matched to its operation, redacted, passed on under the client's id.

use super::entries::{Counted, entry_found};
use super::identify::{Claim, Identifying};
use super::outstanding::{Operation, Purpose};
use super::referrals::pass_reference;
use super::search::tells_through_alias;
use super::{Bound, Confirmed, Effects, Identity, Link, Session};
use crate::engine::access::{self, Asked, Decision, Snapshot};
use crate::engine::ldap::dn::Dn;
use crate::engine::ldap::message::{self, Envelope, UpstreamMessageId};
use crate::engine::ldap::request::Request;
use crate::engine::ldap::response::{ResultView, SYNC_INFO, intermediate_name};
use crate::engine::ldap::{ResultCode, tag};
use crate::engine::policy::resource::ResourceScope;
use crate::engine::policy::{Mode, OperationKind, Subject};
use crate::engine::time::Now;
use std::sync::Arc;

impl Session {
    /// The connection that was asked for is there.
    pub fn on_upstream_connected(&mut self, server: Arc<str>) {
        if self.link == Link::Opening {
            self.link = Link::Open;
        }
        self.server = server;
    }

    /// No directory server could be reached: what waited for one is answered, the session goes on.
    pub fn on_upstream_failed(&mut self, now: Now, fx: &mut Effects) {
        self.link = Link::None;
        self.bound = Bound::Nobody;
        self.conversation = None;
        self.cursors.clear();
        fx.clear_upstream();
        self.answer_all(ResultCode::UNAVAILABLE, "the directory cannot be reached", now, fx);
    }

    /// The connection to the directory ended. With it went the identity, so the client must go too
    /// when it had one: its next operation must not run as anybody else.
    pub fn on_upstream_lost(&mut self, now: Now, fx: &mut Effects) {
        if self.closed {
            return;
        }
        let named = self.bound.has_name();
        self.link = Link::None;
        self.bound = Bound::Nobody;
        self.conversation = None;
        self.cursors.clear();
        fx.clear_upstream();
        if named && !self.binding {
            self.disconnect(ResultCode::UNAVAILABLE, "the connection to the directory was lost", now, fx);
        } else {
            self.refuse_all_held("directory lost", "the connection to the directory was lost", now, fx);
            self.identity = Identity::nobody();
            self.answer_all(ResultCode::UNAVAILABLE, "the connection to the directory was lost", now, fx);
        }
    }

    /// One message of the directory.
    pub fn on_upstream(&mut self, frame: &[u8], snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        if self.closed {
            return;
        }
        let Ok(envelope) = Envelope::parse_response(frame) else {
            return self.on_upstream_garbage(now, fx);
        };
        if envelope.id == 0 {
            return self.unsolicited(&envelope, now, fx);
        }
        let id = UpstreamMessageId(envelope.id);
        // An id that is not there was abandoned.
        let Some(operation) = self.outstanding.find(id) else { return };
        if operation.abandoned && !tag::is_final_response(envelope.tag) {
            return;
        }
        match envelope.tag {
            tag::SEARCH_RESULT_ENTRY => match &mut operation.purpose {
                Purpose::Identify(asking) => asking.entry(envelope.body),
                Purpose::Search { .. } => {
                    if entry_found(operation, &envelope, fx) == Counted::OverTheLimit {
                        self.limit_reached(id, now, fx);
                    }
                }
                Purpose::Relay | Purpose::Bind { .. } | Purpose::Sasl(_) => self.on_upstream_garbage(now, fx),
            },
            tag::INTERMEDIATE_RESPONSE if is_sync_info(operation, &envelope) => pass(operation, &envelope, fx),
            // Nothing else that is let through has intermediate responses: what one says is not understood.
            tag::INTERMEDIATE_RESPONSE => operation.withheld += 1,
            tag::SEARCH_RESULT_REFERENCE => self.referred(id, envelope.body, snapshot, fx),
            found if found == operation.response_tag => {
                if let Some(operation) = self.outstanding.take(id) {
                    self.completed(operation, &envelope, snapshot, now, fx);
                }
                if self.has_ready() && !self.closed {
                    self.look_at_held(snapshot, now, fx);
                }
            }
            _ => self.on_upstream_garbage(now, fx),
        }
    }

    /// A continuation reference would lead the client around the gate.
    fn referred(&mut self, id: UpstreamMessageId, uris: &[u8], snapshot: &Snapshot, fx: &mut Effects) {
        let rewritten = match self.outstanding.find_ref(id) {
            Some(operation) => self.reference(operation, uris, snapshot),
            None => None,
        };
        let Some(operation) = self.outstanding.find(id) else { return };
        match rewritten {
            Some(uris) => pass_reference(operation, &uris, fx),
            // It comes again with what is asked after a trial.
            None if operation.parts().is_some_and(|parts| parts.trial.is_some()) => {}
            None => operation.withheld += 1,
        }
    }

    /// What the directory sent is not LDAP: nothing that comes after it can be trusted.
    pub fn on_upstream_garbage(&mut self, now: Now, fx: &mut Effects) {
        fx.drop_upstream = true;
        self.on_upstream_lost(now, fx);
    }

    /// RFC 4511 4.4: the directory takes its leave, or says something that nobody asked for.
    fn unsolicited(&mut self, envelope: &Envelope<'_>, now: Now, fx: &mut Effects) {
        let Ok(view) = ResultView::peek(envelope.tag, envelope.body) else {
            return self.on_upstream_garbage(now, fx);
        };
        if view.is_notice_of_disconnection() {
            let text = String::from_utf8_lossy(view.message).into_owned();
            self.disconnect(view.code, &text, now, fx);
        }
    }

    /// A final answer.
    fn completed(
        &mut self,
        mut operation: Operation,
        envelope: &Envelope<'_>,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let Ok(view) = ResultView::peek(envelope.tag, envelope.body) else {
            self.outstanding.push_again(operation);
            return self.on_upstream_garbage(now, fx);
        };
        match operation.purpose {
            _ if operation.abandoned => self.finish(&mut operation, None, now, fx),
            Purpose::Search { .. } if operation.parts().is_some() => {
                self.part_answered(operation, envelope, &view, snapshot, now, fx);
            }
            Purpose::Relay | Purpose::Search { .. } => self.answered(operation, envelope, &view, snapshot, now, fx),
            Purpose::Bind { .. } => self.bound(operation, envelope, &view, snapshot, now, fx),
            Purpose::Sasl(_) => self.sasl_answered(operation, envelope, &view, snapshot, now, fx),
            Purpose::Identify(_) => self.identified(operation, envelope, &view, snapshot, now, fx),
        }
    }

    pub(super) fn answered(
        &mut self,
        mut operation: Operation,
        envelope: &Envelope<'_>,
        view: &ResultView<'_>,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let expected = operation.expected();
        if tells_through_alias(&operation, envelope, view) {
            let mut controls = Vec::new();
            expected.write_empty(&mut controls);
            return self.end_search_with(operation, (ResultCode::SUCCESS, ""), &controls, now, fx);
        }
        let completed = expected.complete(envelope.controls);
        let envelope = &Envelope { controls: completed.as_deref().or(envelope.controls), ..*envelope };
        let mut code = view.code;
        let hides_match =
            !view.matched_dn.is_empty() && !self.may_see(view.matched_dn, operation.permit.acts_for(), snapshot, now);
        if view.code == ResultCode::REFERRAL || view.referrals.is_some() {
            code = self.refer(&mut operation, view, snapshot, fx);
        } else if hides_match {
            operation.bytes += Session::respond(fx, operation.client_id, operation.response_tag, code, "");
        } else {
            pass(&mut operation, envelope, fx);
        }
        self.finish(&mut operation, Some(code), now, fx);
    }

    /// The directory's word on a bind. Until here the session was nobody, and without success it stays so.
    fn bound(
        &mut self,
        mut operation: Operation,
        envelope: &Envelope<'_>,
        view: &ResultView<'_>,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let Purpose::Bind { becomes, authentication, was_named, name } =
            std::mem::replace(&mut operation.purpose, Purpose::Relay)
        else {
            return;
        };
        self.binding = false;
        if view.code != ResultCode::SUCCESS {
            // RFC 4511 4.2.1 says that a failed bind leaves nobody. A connection that had a name
            // before is given up all the same, so that this need not be believed.
            self.bound = if was_named { Bound::Somebody } else { Bound::Nobody };
            self.answered(operation, envelope, view, snapshot, now, fx);
            return self.become_nobody(fx);
        }
        let answer = |operation: &Operation| {
            let mut answer = Vec::new();
            let id = operation.client_id.0;
            message::write_message(&mut answer, id, envelope.tag, envelope.body, envelope.controls);
            answer
        };
        let Some(subject) = becomes else {
            let asking = Identifying::new(answer(&operation), authentication, Claim::Name(name));
            return self.identify(operation, asking, snapshot, fx);
        };
        if let (Some(confirmed), Subject::Dn(spelling)) = (&self.confirmed, &subject) {
            match confirmed.look_up(spelling, &self.server, now) {
                Confirmed::Same => {}
                Confirmed::Unknown => {
                    let claim = Claim::Spelling(spelling.clone());
                    let asking = Identifying::new(answer(&operation), authentication, claim);
                    return self.identify(operation, asking, snapshot, fx);
                }
                Confirmed::Other(own) => {
                    let claim = Claim::Spelling(spelling.clone());
                    let asking = Identifying::new(answer(&operation), authentication, claim);
                    return self.settle(operation, asking, own, snapshot, now, fx);
                }
            }
        }
        if !operation.permit.still_holds(snapshot, now) {
            self.outstanding.push_again(operation);
            return self.disconnect(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, "the grant has ended", now, fx);
        }
        pass(&mut operation, envelope, fx);
        self.finish_bind(operation, Identity { subject, authentication, certificate: None, permit: None }, now, fx);
    }

    /// Whether a name in an answer may be shown: to the session's subject, or to the one it `acts` for.
    fn may_see(&self, name: &[u8], acts: Option<&Subject>, snapshot: &Snapshot, now: Now) -> bool {
        use crate::engine::ldap::attribute::AttributeDescription;
        use crate::engine::ldap::filter::Filter;
        use crate::engine::ldap::request::{DerefAliases, SearchRequest, SearchScope};
        let Ok(base) = Dn::parse(name) else { return false };
        // Were the next entry below there, its name would be in the place of this one. Where that may
        // be hidden while what lies below it is not, this one would say that it is not there.
        let hides_one_below = |at| snapshot.policy.resource(at).is_some_and(|r| r.scope != ResourceScope::Subtree);
        let policy = &*snapshot.policy;
        if policy.mode == Mode::Enforce
            && policy.reached(&base, SearchScope::One, Some(OperationKind::Search)).any(hides_one_below)
        {
            return false;
        }
        let search = Request::Search(SearchRequest {
            base,
            scope: SearchScope::Base,
            deref: DerefAliases::Never,
            size_limit: 0,
            time_limit: 0,
            types_only: false,
            filter: Filter::Present(AttributeDescription(b"objectClass")),
            attributes: Vec::new(),
        });
        let Identity { subject, certificate, .. } = &self.identity;
        let subject = acts.unwrap_or(subject);
        let asked = Asked { subject, request: &search, controls: &[], now, certificate: certificate.as_ref() };
        matches!(access::decide(snapshot, &asked), Decision::Permitted(_))
    }
}

/// Passes a part of an answer on under the client's id, byte for byte.
pub(super) fn pass(operation: &mut Operation, envelope: &Envelope<'_>, fx: &mut Effects) {
    let before = fx.to_client.len();
    message::write_message(&mut fx.to_client, operation.client_id.0, envelope.tag, envelope.body, envelope.controls);
    operation.bytes += (fx.to_client.len() - before) as u64;
}

/// Whether this is what a sync says besides entries (RFC 4533 2.5), to who asked for one.
fn is_sync_info(operation: &Operation, envelope: &Envelope<'_>) -> bool {
    operation.permit.replicates() && intermediate_name(envelope.body) == Ok(Some(SYNC_INFO.as_bytes()))
}
