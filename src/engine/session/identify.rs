//! Who a bind made of the session: only the directory knows, where its name was not a DN, and where the directory did
//! not say lately whom it takes that spelling of a DN for. It is asked on the session's own connection, and whether
//! that one may bind is decided when it is known who it is.
//!
//! RFC 4532 where the directory answers with a DN. Active Directory says `u:DOMAIN\user`, and Samba's does not know the
//! question: both tell the SIDs of the session in the rootDSE (MS-ADTS 3.1.1.3.2), its own first. Where a DN was bound,
//! the entry that this DN leads to tells its own name.

use super::outstanding::{Operation, Purpose};
use super::sasl::protects_bind;
use super::towards::Word;
use super::{Effects, Identity, Session};
use crate::engine::access::{Decision, Permit, Refusal, Snapshot, decide_bound, unknown_bound};
use crate::engine::audit::record::Verdict;
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::message::Envelope;
use crate::engine::ldap::request::{
    Authentication, BindName, BindRequest, DerefAliases, ExtendedRequest, Request, SearchRequest, SearchScope,
};
use crate::engine::ldap::response::ResultView;
use crate::engine::ldap::{Dn, ResultCode, tag};
use crate::engine::policy::Subject;
use crate::engine::time::Now;

/// A password that nobody has.
const NO_PASSWORD: &[u8] = b"\x00\xff not a password \xff\x00";

/// What was shown for it.
#[derive(Debug)]
pub(super) enum Claim {
    /// A password, with a name that is not a DN, as the client wrote it.
    Name(Vec<u8>),
    /// A password, with this DN.
    Spelling(Dn),
    /// SASL, which carries the name in its credentials.
    Sasl,
    /// A client certificate: for whom, and its subject. The right to bind was decided upon before.
    Certificate { name: Dn, subject: Dn },
}

/// The session's own questions after a bind; the client's answer waits.
#[derive(Debug)]
pub(super) struct Identifying {
    /// The directory's answer to the bind, under the client's id.
    answer: Vec<u8>,
    authentication: &'static str,
    claim: Claim,
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
    /// What the entry is called that the bound DN leads to.
    Entry {
        name: Dn,
        found: Option<Dn>,
    },
    /// What it says to a wrong password for this name.
    Wrong(Vec<u8>),
    /// In which groups this one is: not asked here (see `membership`).
    Groups(Dn),
}

impl Identifying {
    pub(super) fn new(answer: Vec<u8>, authentication: &'static str, claim: Claim) -> Box<Identifying> {
        Box::new(Identifying { answer, authentication, claim, question: Question::WhoAmI })
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
            Question::Entry { found, .. } => *found = Dn::parse(entry.name).ok(),
            Question::WhoAmI | Question::Wrong(_) | Question::Groups(_) => {}
        }
    }

    /// Whether it is known who that is, and not in which groups.
    pub(super) fn awaits_groups(&self) -> bool {
        matches!(self.question, Question::Groups(_))
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
        let mut ask = |request| self.tell(Word::Request(&request, &[]), fx);
        let (id, response_tag) = match &asking.question {
            Question::WhoAmI => (ask(Request::Extended(ExtendedRequest::WhoAmI)), tag::EXTENDED_RESPONSE),
            Question::Sids { .. } => {
                let mut request = search(Dn::root(), SearchScope::Base, b"tokenGroups");
                request.filter = Filter::Present(AttributeDescription(b"objectClass"));
                (ask(Request::Search(request)), tag::SEARCH_RESULT_DONE)
            }
            Question::Whose { sid, context, .. } => {
                let base = snapshot.directory.naming_contexts.get(*context).cloned().unwrap_or_else(Dn::root);
                let mut request = search(base, SearchScope::Subtree, b"1.1");
                let is = |attribute, value| Filter::Equality { attribute: AttributeDescription(attribute), value };
                // Groups have SIDs as well.
                request.filter = Filter::And(vec![is(b"objectSid", sid), is(b"objectClass", b"user")]);
                (ask(Request::Search(request)), tag::SEARCH_RESULT_DONE)
            }
            Question::Entry { name, .. } => {
                let mut request = search(name.clone(), SearchScope::Base, b"1.1");
                request.filter = Filter::Present(AttributeDescription(b"objectClass"));
                (ask(Request::Search(request)), tag::SEARCH_RESULT_DONE)
            }
            Question::Wrong(name) => {
                let authentication = Authentication::Simple(NO_PASSWORD);
                let bind = BindRequest { version: 3, name: BindName::Other(name), authentication };
                (ask(Request::Bind(bind)), tag::BIND_RESPONSE)
            }
            Question::Groups(_) => (operation.upstream_id, tag::BIND_RESPONSE),
        };
        self.binding = true;
        operation.response_tag = response_tag;
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
                // A directory that could say it, but not now. What it says of the entry is no answer then.
                _ if matches!(asking.claim, Claim::Spelling(_)) && is_busy(view.code) => {
                    return self.unknown_now(operation, now, fx);
                }
                _ => match &asking.claim {
                    Claim::Certificate { .. } => return self.unknown(operation, &asking.claim, snapshot, now, fx),
                    Claim::Spelling(name) => Question::Entry { name: name.clone(), found: None },
                    Claim::Name(_) | Claim::Sasl => Question::Sids { own: None },
                },
            },
            Question::Entry { found: Some(own), .. } if succeeded && !own.is_root() => {
                return self.settle(operation, asking, own, snapshot, now, fx);
            }
            // A directory that does not say it (Active Directory, where somebody may not read their own entry) takes
            // a plain name for no other.
            Question::Entry { name, .. } if name.is_plain() => {
                return self.settle(operation, asking, name, snapshot, now, fx);
            }
            Question::Entry { .. } => return self.unknown(operation, &asking.claim, snapshot, now, fx),
            Question::Sids { own: Some(sid) } if succeeded => Question::Whose { sid, context: 0, found: Vec::new() },
            Question::Sids { .. } => return self.unknown(operation, &asking.claim, snapshot, now, fx),
            Question::Whose { sid, context, mut found } => match (found.pop(), found.is_empty()) {
                (Some(own), true) if succeeded => return self.settle(operation, asking, own, snapshot, now, fx),
                (None, _) if context + 1 < snapshot.directory.naming_contexts.len() => {
                    Question::Whose { sid, context: context + 1, found }
                }
                _ => return self.unknown(operation, &asking.claim, snapshot, now, fx),
            },
            Question::Wrong(_) if succeeded => return self.unknown(operation, &asking.claim, snapshot, now, fx),
            // The directory was asked nothing over this connection.
            Question::Groups(_) => return self.unknown(operation, &asking.claim, snapshot, now, fx),
            Question::Wrong(_) => {
                self.answered(operation, envelope, view, snapshot, now, fx);
                return self.become_nobody(fx);
            }
        };
        self.identify(operation, asking, snapshot, fx);
    }

    /// It is known who the session would be: may that one bind?
    pub(super) fn settle(
        &mut self,
        mut operation: Operation,
        asking: Box<Identifying>,
        own: Dn,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let same = match &asking.claim {
            Claim::Spelling(name) => {
                own.resolved(snapshot.policy.naming()).is_surely(&name.resolved(snapshot.policy.naming()))
            }
            Claim::Name(_) | Claim::Sasl | Claim::Certificate { .. } => false,
        };
        // Whether that one may bind is decided here, and not when the bind came.
        let decides = match &asking.claim {
            Claim::Spelling(_) => !same && operation.permit.rests_on().is_empty(),
            Claim::Name(_) | Claim::Sasl => true,
            Claim::Certificate { .. } => false,
        };
        let waits = decides && {
            let bound = decide_bound(snapshot, &own, None, now);
            unknown_bound(snapshot, &own, &bound, now).is_some_and(|person| self.await_person(person, now))
        };
        if waits {
            let asking = Box::new(Identifying { question: Question::Groups(own), ..*asking });
            return self.identify(operation, asking, snapshot, fx);
        }
        let Identifying { answer, authentication, claim, .. } = *asking;
        if let (Claim::Spelling(name), Some(confirmed)) = (&claim, &self.confirmed) {
            confirmed.keep(name, &own, &self.server, now);
        }
        let certificate = match claim {
            // What was decided upon is who it is.
            Claim::Spelling(name) if same => {
                if !operation.permit.still_holds(snapshot, now) {
                    self.outstanding.push_again(operation);
                    return self.disconnect(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, "the grant has ended", now, fx);
                }
                fx.to_client.extend_from_slice(&answer);
                operation.bytes += answer.len() as u64;
                let identity = Identity { subject: Subject::Dn(name), authentication, certificate: None, permit: None };
                return self.finish_bind(operation, identity, now, fx);
            }
            // The name that was bound was held by a grant of somebody else's.
            Claim::Spelling(_) if !operation.permit.rests_on().is_empty() => {
                return self.unknown(operation, &claim, snapshot, now, fx);
            }
            // Whom the directory does things for is the one that was decided upon, or nobody.
            Claim::Certificate { name, subject }
                if own.is_surely(&name) && operation.permit.still_holds(snapshot, now) =>
            {
                Some(subject)
            }
            Claim::Certificate { .. } => return self.unknown(operation, &claim, snapshot, now, fx),
            Claim::Name(_) | Claim::Spelling(_) | Claim::Sasl => match decide_bound(snapshot, &own, None, now) {
                Decision::Permitted(permit) => {
                    amend(&mut operation, &own, Ok(&permit), snapshot);
                    self.record_before_answer(&mut operation, &permit, snapshot, fx);
                    operation.permit = permit;
                    None
                }
                Decision::Refused(refusal) => {
                    amend(&mut operation, &own, Err(&refusal), snapshot);
                    let name = match claim {
                        Claim::Name(name) => Some(name),
                        Claim::Spelling(name) => Some(name.text().as_bytes().to_vec()),
                        Claim::Sasl | Claim::Certificate { .. } => None,
                    };
                    return match name {
                        // The answer must be the one to a wrong password, down to its wording: the directory gives it.
                        Some(name) => {
                            let claim = Claim::Name(Vec::new());
                            let question = Question::Wrong(name);
                            let asking = Box::new(Identifying { answer, authentication, claim, question });
                            self.identify(operation, asking, snapshot, fx)
                        }
                        None => self.sasl_failed(operation, now, fx),
                    };
                }
            },
        };
        fx.to_client.extend_from_slice(&answer);
        operation.bytes += answer.len() as u64;
        let identity = Identity { subject: Subject::Dn(own), authentication, certificate, permit: None };
        self.finish_bind(operation, identity, now, fx);
    }

    /// The directory does not say at the moment who that is.
    fn unknown_now(&mut self, mut operation: Operation, now: Now, fx: &mut Effects) {
        let (code, text) = (ResultCode::UNAVAILABLE, "the directory does not say at the moment who this is; try again");
        operation.bytes += Session::respond(fx, operation.client_id, tag::BIND_RESPONSE, code, text);
        self.finish(&mut operation, Some(code), now, fx);
        self.become_nobody(fx);
    }

    /// The same, once the directory was asked in which groups that one is.
    pub(super) fn settle_again(&mut self, mut operation: Operation, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        self.binding = false;
        match std::mem::replace(&mut operation.purpose, Purpose::Relay) {
            Purpose::Identify(asking) => match *asking {
                Identifying { question: Question::Groups(own), answer, authentication, claim } => {
                    let asking = Identifying::new(answer, authentication, claim);
                    self.settle(operation, asking, own, snapshot, now, fx);
                }
                other => self.unknown(operation, &other.claim, snapshot, now, fx),
            },
            Purpose::Relay | Purpose::Search { .. } | Purpose::Bind { .. } | Purpose::Sasl(_) => {}
        }
    }

    /// Nobody knows who that is, or nobody is to be told.
    fn unknown(&mut self, mut operation: Operation, claim: &Claim, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        let text = match claim {
            Claim::Sasl if protects_bind(snapshot) => return self.sasl_failed(operation, now, fx),
            Claim::Spelling(_) => {
                "the directory does not say whose name this is; bind with the name as the directory writes it"
            }
            Claim::Name(_) | Claim::Sasl => "the directory does not say who this name is; bind with a DN",
            Claim::Certificate { .. } => {
                "the directory does not let the gate act for the identity in the client certificate"
            }
        };
        let code = ResultCode::INVALID_CREDENTIALS;
        operation.bytes += Session::respond(fx, operation.client_id, tag::BIND_RESPONSE, code, text);
        self.finish(&mut operation, Some(code), now, fx);
        self.become_nobody(fx);
    }

    /// The session is who the directory says.
    pub(super) fn finish_bind(&mut self, mut operation: Operation, identity: Identity, now: Now, fx: &mut Effects) {
        self.finish(&mut operation, Some(ResultCode::SUCCESS), now, fx);
        let permit = Some(operation.permit).filter(|permit| !permit.rests_on().is_empty());
        let authentication = match identity.subject {
            Subject::Anonymous => "anonymous",
            Subject::Dn(_) => identity.authentication,
        };
        self.identity = Identity { authentication, permit, ..identity };
    }
}

/// Writes into the line of a bind who that was, and what was decided then.
fn amend(operation: &mut Operation, name: &Dn, decision: Result<&Permit, &Refusal>, snapshot: &Snapshot) {
    let permitted = decision.ok();
    let (decision, reason, resources, grants) = match decision {
        Ok(permit) if permit.monitored().is_some() => ("monitored", Some("not held"), permit.resources(), &[][..]),
        Ok(permit) if permit.resources().is_empty() => ("permitted", None, &[][..], &[][..]),
        Ok(permit) if permit.rests_on().is_empty() => {
            ("permitted", Some("standing access"), permit.resources(), &[][..])
        }
        Ok(permit) => ("permitted", Some("grant"), permit.resources(), permit.rests_on()),
        Err(refusal) => ("refused", Some(refusal.reason), &refusal.missing[..], &[][..]),
    };
    let standing = permitted.map(Permit::standing).unwrap_or_default();
    let resources = super::client::names(resources, snapshot);
    let grants = grants.iter().map(|grant| -> &ActiveGrant { grant });
    operation.record.amend(name, Verdict { decision, reason, resources, grants, standing });
}

/// Whether another try may get an answer.
fn is_busy(code: ResultCode) -> bool {
    matches!(code, ResultCode::BUSY | ResultCode::UNAVAILABLE | ResultCode::OTHER)
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

/// Who the session becomes when the directory says success.
pub(super) fn bind_purpose(bind: &BindRequest<'_>, was_named: bool) -> Purpose {
    let authentication = bind.method();
    let becomes = match (&bind.name, &bind.authentication) {
        // RFC 4513 5.1.1.
        (BindName::Dn(name), Authentication::Simple(_)) if name.is_root() => Some(Subject::Anonymous),
        (BindName::Dn(name), Authentication::Simple(_)) => Some(Subject::Dn(name.clone())),
        (BindName::Dn(_) | BindName::Other(_), _) => None,
    };
    let name = match bind.name {
        BindName::Other(name) => name.to_vec(),
        BindName::Dn(_) => Vec::new(),
    };
    Purpose::Bind { becomes, authentication, was_named, name }
}
