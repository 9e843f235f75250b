//! Who a bind made of the session, where its name was not a DN: only the directory knows. It is asked on the
//! session's own connection, and whether that one may bind is decided when it is known who it is.
//!
//! RFC 4532 where the directory answers with a DN. Active Directory says `u:DOMAIN\user`, and Samba's does not know the
//! question: both tell the SIDs of the session in the rootDSE (MS-ADTS 3.1.1.3.2), its own first.

use super::outstanding::{Operation, Purpose};
use super::{Effects, Identity, Session};
use crate::engine::access::{self, Asked, Decision, Permit, Refusal, Snapshot};
use crate::engine::audit::record::{self, Verdict};
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::message::{self, Envelope};
use crate::engine::ldap::request::{
    Authentication, BindName, BindRequest, DerefAliases, ExtendedRequest, Request, SearchRequest, SearchScope,
};
use crate::engine::ldap::response::ResultView;
use crate::engine::ldap::{Dn, ResultCode, tag};
use crate::engine::policy::Subject;
use crate::engine::time::Now;

/// A password that nobody has.
const NO_PASSWORD: &[u8] = b"\x00\xff not a password \xff\x00";

/// The session's own questions after a bind whose name was not a DN; the client's answer waits.
#[derive(Debug)]
pub(super) struct Identifying {
    /// The directory's answer to the bind, under the client's id.
    answer: Vec<u8>,
    authentication: &'static str,
    /// As the client wrote it; empty for SASL, which carries the name in its credentials.
    name: Vec<u8>,
    question: Question,
}

/// What the directory was asked last.
#[derive(Debug)]
enum Question {
    WhoAmI,
    /// Which SIDs the session has.
    Sids {
        own: Option<Vec<u8>>,
    },
    /// Whose a SID is: asked in one naming context after the other.
    Whose {
        sid: Vec<u8>,
        context: usize,
        found: Vec<Dn>,
    },
    /// What it says to a wrong password.
    Wrong,
}

impl Identifying {
    pub(super) fn new(answer: Vec<u8>, authentication: &'static str, name: Vec<u8>) -> Box<Identifying> {
        Box::new(Identifying { answer, authentication, name, question: Question::WhoAmI })
    }

    /// An entry that answers a question.
    pub(super) fn entry(&mut self, body: &[u8]) {
        let Ok(entry) = Entry::decode(body) else { return };
        match &mut self.question {
            Question::Sids { own } => {
                let sids = entry.attributes.iter().find(|a| a.description.0.eq_ignore_ascii_case(b"tokenGroups"));
                let first = sids.and_then(|sids| sids.values.first());
                *own = first.filter(|sid| (12..=68).contains(&sid.len())).map(|sid| sid.to_vec());
            }
            Question::Whose { found, .. } => found.extend(Dn::parse(entry.name).ok()),
            Question::WhoAmI | Question::Wrong => {}
        }
    }
}

impl Session {
    /// Asks the next question.
    pub(super) fn identify(
        &mut self,
        mut operation: Operation,
        asking: Box<Identifying>,
        snapshot: &Snapshot,
        fx: &mut Effects,
    ) {
        let id = self.outstanding.next_id();
        let out = &mut fx.to_upstream;
        operation.response_tag = match &asking.question {
            Question::WhoAmI => {
                message::write_request(out, id, &Request::Extended(ExtendedRequest::WhoAmI), &[]);
                tag::EXTENDED_RESPONSE
            }
            Question::Sids { .. } => {
                let mut request = search(Dn::root(), SearchScope::Base, b"tokenGroups");
                request.filter = Filter::Present(AttributeDescription(b"objectClass"));
                message::write_request(out, id, &Request::Search(request), &[]);
                tag::SEARCH_RESULT_DONE
            }
            Question::Whose { sid, context, .. } => {
                let base = snapshot.directory.naming_contexts.get(*context).cloned().unwrap_or_else(Dn::root);
                let mut request = search(base, SearchScope::Subtree, b"1.1");
                let is = |attribute, value| Filter::Equality { attribute: AttributeDescription(attribute), value };
                // Groups have SIDs as well.
                request.filter = Filter::And(vec![is(b"objectSid", sid), is(b"objectClass", b"user")]);
                message::write_request(out, id, &Request::Search(request), &[]);
                tag::SEARCH_RESULT_DONE
            }
            Question::Wrong => {
                let authentication = Authentication::Simple(NO_PASSWORD);
                let bind = BindRequest { version: 3, name: BindName::Other(&asking.name), authentication };
                message::write_request(out, id, &Request::Bind(bind), &[]);
                tag::BIND_RESPONSE
            }
        };
        self.binding = true;
        operation.purpose = Purpose::Identify(asking);
        operation.upstream_id = id;
        self.outstanding.push(operation);
    }

    /// The end of an answer to one of the questions.
    pub(super) fn identified(
        &mut self,
        mut operation: Operation,
        envelope: &Envelope<'_>,
        view: &ResultView<'_>,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let Purpose::Identify(mut asking) = std::mem::replace(&mut operation.purpose, Purpose::Relay) else { return };
        self.binding = false;
        let succeeded = view.code == ResultCode::SUCCESS;
        asking.question = match std::mem::replace(&mut asking.question, Question::WhoAmI) {
            // RFC 4513 5.2.1.8: `dn:` and a DN, or nothing for nobody. `u:` cannot be matched with a grant.
            Question::WhoAmI => match view.value.unwrap_or_default().strip_prefix(b"dn:").map(Dn::parse) {
                Some(Ok(own)) if succeeded && !own.is_root() => {
                    return self.settle(operation, asking, own, snapshot, now, fx);
                }
                _ => Question::Sids { own: None },
            },
            Question::Sids { own: Some(sid) } if succeeded => Question::Whose { sid, context: 0, found: Vec::new() },
            Question::Sids { .. } => return self.unknown(operation, now, fx),
            Question::Whose { sid, context, mut found } => match (found.pop(), found.is_empty()) {
                (Some(own), true) if succeeded => return self.settle(operation, asking, own, snapshot, now, fx),
                (None, _) if context + 1 < snapshot.directory.naming_contexts.len() => {
                    Question::Whose { sid, context: context + 1, found }
                }
                _ => return self.unknown(operation, now, fx),
            },
            Question::Wrong if succeeded => return self.unknown(operation, now, fx),
            Question::Wrong => {
                self.answered(operation, envelope, view, snapshot, now, fx);
                return self.become_nobody(fx);
            }
        };
        self.identify(operation, asking, snapshot, fx);
    }

    /// It is known who the session would be: may that one bind?
    fn settle(
        &mut self,
        mut operation: Operation,
        mut asking: Box<Identifying>,
        own: Dn,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let bind = BindRequest {
            version: 3,
            name: BindName::Dn(own.clone()),
            authentication: Authentication::Simple(NO_PASSWORD),
        };
        let request = Request::Bind(bind);
        let asked = Asked { subject: &Subject::Anonymous, request: &request, controls: &[], now };
        match access::decide(snapshot, &asked) {
            Decision::Permitted(permit) => {
                if !permit.resources().is_empty() {
                    operation.record = self.decided_late(&operation, &request, Ok(&permit), snapshot, now);
                }
                operation.permit = permit;
                fx.to_client.extend_from_slice(&asking.answer);
                operation.bytes += asking.answer.len() as u64;
                self.finish_bind(operation, Subject::Dn(own), asking.authentication, now, fx);
            }
            Decision::Refused(refusal) => {
                operation.record = self.decided_late(&operation, &request, Err(&refusal), snapshot, now);
                if asking.name.is_empty() {
                    return self.unknown(operation, now, fx);
                }
                // The answer must be the one to a wrong password (as for names that are DNs), down to its
                // wording: the directory gives it.
                asking.question = Question::Wrong;
                self.identify(operation, asking, snapshot, fx);
            }
        }
    }

    /// The line of a bind for which more than the directory's word was needed.
    fn decided_late(
        &mut self,
        operation: &Operation,
        request: &Request<'_>,
        decision: Result<&Permit, &Refusal>,
        snapshot: &Snapshot,
        now: Now,
    ) -> Vec<u8> {
        let (decision, reason, resources, grants) = match decision {
            Ok(permit) if permit.monitored().is_some() => ("monitored", "not held", permit.resources(), &[][..]),
            Ok(permit) if permit.rests_on().is_empty() => ("permitted", "standing access", permit.resources(), &[][..]),
            Ok(permit) => ("permitted", "grant", permit.resources(), permit.rests_on()),
            Err(refusal) => ("refused", refusal.reason, &refusal.missing[..], &[][..]),
        };
        let resources = super::client::names(resources, snapshot);
        let grants = grants.iter().map(|grant| -> &ActiveGrant { grant });
        let mut line = self.line();
        let verdict = Verdict { decision, reason: Some(reason), resources, grants };
        record::begin(&mut line, &self.context(now, operation.client_id), request, &[], verdict);
        line
    }

    /// Nobody knows who that is, or nobody is to be told.
    fn unknown(&mut self, mut operation: Operation, now: Now, fx: &mut Effects) {
        let text = "the directory does not say who this name is; bind with a DN";
        let code = ResultCode::INVALID_CREDENTIALS;
        operation.bytes += Session::respond(fx, operation.client_id, tag::BIND_RESPONSE, code, text);
        self.finish(&mut operation, Some(code), now, fx);
        self.become_nobody(fx);
    }

    /// The session is who the directory says.
    pub(super) fn finish_bind(
        &mut self,
        mut operation: Operation,
        subject: Subject,
        authentication: &'static str,
        now: Now,
        fx: &mut Effects,
    ) {
        let authentication = if subject == Subject::Anonymous { "anonymous" } else { authentication };
        self.finish(&mut operation, Some(ResultCode::SUCCESS), now, fx);
        let permit = Some(operation.permit).filter(|permit| !permit.rests_on().is_empty());
        self.identity = Identity { subject, authentication, permit };
    }
}

fn search(base: Dn, scope: SearchScope, attribute: &'static [u8]) -> SearchRequest<'static> {
    SearchRequest {
        base,
        scope,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter: Filter::And(Vec::new()),
        attributes: vec![AttributeDescription(attribute)],
    }
}
