//! EXTERNAL (RFC 4513 5.2.3): answered here from the client's certificate, and asserted to the directory
//! with every operation (RFC 4370) over a connection that is the gate's own.

use super::client::Message;
use super::identify::{Claim, Identifying};
use super::outstanding::Purpose;
use super::towards::Word;
use super::{Bound, Effects, Session};
use crate::engine::access::root_dse::{self, Offered};
use crate::engine::access::{Decision, Permit, Refusal, Snapshot, decide_bound};
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::message::UpstreamMessageId;
use crate::engine::ldap::request::{ExtendedRequest, Request, SearchRequest};
use crate::engine::ldap::sasl::Mechanism;
use crate::engine::ldap::{Dn, ResultCode, response, tag};
use crate::engine::time::Now;

/// A client's certificate that was verified: whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its subject, or why that cannot be told.
    pub subject: Result<Dn, &'static str>,
    /// Whom it stands for in the directory, or why that cannot be told.
    pub name: Result<Dn, &'static str>,
}

impl Session {
    /// Whether this client could authenticate with EXTERNAL: what the rootDSE says.
    fn offers_external(&self, snapshot: &Snapshot) -> bool {
        self.origin.tls.is_some()
            && self.certificate.is_some()
            && snapshot.directory.proxied_authorization
            && snapshot.policy.mechanisms.contains(Mechanism::External)
    }

    /// Which mechanisms the rootDSE is to show to this client: before TLS none, for all need it.
    pub(super) fn offered(&self, search: &SearchRequest<'_>, snapshot: &Snapshot) -> Offered {
        if self.origin.tls.is_none() {
            return Offered::default();
        }
        let asks = |attribute: &AttributeDescription<'_>| root_dse::names_mechanisms(*attribute) || attribute.0 == b"+";
        let external = search.attributes.iter().any(asks) && self.offers_external(snapshot);
        Offered { mechanisms: snapshot.policy.mechanisms, external, types_only: search.types_only }
    }

    /// A bind with EXTERNAL. The directory is asked whether it takes the assertion before the client is told.
    pub(super) fn external(
        &mut self,
        sent: Message<'_>,
        credentials: Option<&[u8]>,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        // For the record, until it is known.
        self.identity.certificate = self.certificate.as_ref().and_then(|shown| shown.subject.clone().ok());
        let (name, subject, permit) = match self.shown(credentials, snapshot, now) {
            Ok(shown) => shown,
            Err(refusal) => return self.refuse(sent, &refusal, snapshot, now, fx),
        };
        // Whatever there is, it is not the gate's own connection for this name.
        if self.link != super::Link::None {
            self.unlink(fx);
        }
        let asserted = name.clone();
        self.bound = Bound::Asserted(name.clone());
        self.binding = true;
        let upstream_id = self.tell(Word::Request(&Request::Extended(ExtendedRequest::WhoAmI), &[]), fx);
        let mut operation = self.operation(upstream_id, sent, (permit, None), snapshot, now, fx);
        self.identity.certificate = None;
        let mut answer = Vec::new();
        response::write_result(&mut answer, sent.id, tag::BIND_RESPONSE, ResultCode::SUCCESS, "", "");
        let claim = Claim::Certificate { name, subject };
        let asking = Identifying::new(answer, Mechanism::External.authentication(), claim);
        operation.purpose = Purpose::Identify(asking);
        operation.response_tag = tag::EXTENDED_RESPONSE;
        self.bound = Bound::Asserted(asserted);
        self.outstanding.push(operation);
    }

    /// Whom the certificate stands for, its subject, and the permit to bind.
    fn shown(&self, credentials: Option<&[u8]>, snapshot: &Snapshot, now: Now) -> Result<(Dn, Dn, Permit), Refusal> {
        let refusal = |code, message: &str, reason| Refusal {
            code,
            message: message.to_owned(),
            reason,
            missing: Vec::new(),
            asks: None,
        };
        let Some(certificate) = &self.certificate else {
            // RFC 4513 5.2.3.
            let message = "EXTERNAL needs a client certificate, and none was shown";
            return Err(refusal(ResultCode::INAPPROPRIATE_AUTHENTICATION, message, "no client certificate"));
        };
        let (subject, name) = match (&certificate.subject, &certificate.name) {
            (Ok(subject), Ok(name)) => (subject, name),
            (Err(why), _) | (_, Err(why)) => {
                return Err(refusal(ResultCode::INVALID_CREDENTIALS, why, "client certificate"));
            }
        };
        // RFC 4513 5.2.3.2: an identity that is asserted besides must be the same.
        let asserted = credentials.filter(|asserted| !asserted.is_empty());
        let same = |asserted: &[u8]| {
            let (prefix, asserted) = asserted.split_at_checked(3).unwrap_or_default();
            prefix.eq_ignore_ascii_case(b"dn:") && Dn::parse(asserted).is_ok_and(|asserted| asserted.is_surely(name))
        };
        if asserted.is_some_and(|asserted| !same(asserted)) {
            let message = "the client certificate is not that of the identity that is asked for";
            return Err(refusal(ResultCode::INVALID_CREDENTIALS, message, "authorization identity"));
        }
        if !snapshot.directory.proxied_authorization {
            let message =
                "the directory does not offer proxied authorization (RFC 4370), by which EXTERNAL is passed on";
            return Err(refusal(ResultCode::UNAVAILABLE, message, "no proxied authorization"));
        }
        match decide_bound(snapshot, name, Some(subject), now) {
            Decision::Permitted(permit) => Ok((name.clone(), subject.clone(), permit)),
            Decision::Refused(refusal) => Err(refusal),
        }
    }

    /// A cancel where the directory cannot be asked for one: it takes no assertion with it.
    pub(super) fn cancel_here(
        &mut self,
        sent: Message<'_>,
        target: UpstreamMessageId,
        permit: Permit,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let searches =
            |operation: &mut super::outstanding::Operation| matches!(operation.purpose, Purpose::Search { .. });
        if !self.outstanding.find(target).is_some_and(searches) {
            let message = "only searches can be cancelled".to_owned();
            let code = ResultCode::CANNOT_CANCEL;
            let refusal = Refusal { code, message, reason: "not a search", missing: Vec::new(), asks: None };
            return self.refuse(sent, &refusal, snapshot, now, fx);
        }
        let line = self.begin(sent, &permit, snapshot, now);
        if let Some(mut operation) = self.outstanding.take(target) {
            self.abandon_upstream(target, fx);
            let code = ResultCode::CANCELED;
            operation.bytes += Session::respond(fx, operation.client_id, tag::SEARCH_RESULT_DONE, code, "");
            self.finish(&mut operation, Some(code), now, fx);
        }
        let bytes = Session::respond(fx, sent.id, tag::EXTENDED_RESPONSE, ResultCode::SUCCESS, "");
        self.finish_here(line, Some(ResultCode::SUCCESS), bytes, fx);
    }
}
