//! Where the directory refers to another server (RFC 4511 4.1.10, 4.5.3): a client that went there would go around the
//! gate. It is told nothing of it, or where it is configured so, that it is to come here.

use super::outstanding::Operation;
use super::{Effects, Session};
use crate::engine::access::Snapshot;
use crate::engine::ldap::ber::{self, Reader};
use crate::engine::ldap::message::{self, Envelope};
use crate::engine::ldap::response::ResultView;
use crate::engine::ldap::url::LdapUrl;
use crate::engine::ldap::{Dn, ResultCode, response, tag};
use std::sync::Arc;

impl Session {
    /// From now on referrals are rewritten to this URL (scheme, host and port), the gate's own; `None`: none is passed.
    pub fn refer_to(&mut self, url: Option<Arc<str>>) {
        self.refers_to = url;
    }

    /// Rewrites the URIs of a referral, as far as they lead to trees that are served; their encoding, empty if none does.
    /// `may_name`: which names may be shown.
    fn rewritten(&self, uris: &[u8], needs_name: bool, may_name: impl Fn(&Dn) -> bool, snapshot: &Snapshot) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(own) = &self.refers_to else { return out };
        let mut reader = Reader::new(uris);
        while !reader.is_empty() {
            let Ok(uri) = reader.octets() else { break };
            let Some(url) = LdapUrl::parse(uri) else { continue };
            let leads_here = match &url.name {
                Some(name) => snapshot.directory.holds(name) && may_name(name),
                None => !needs_name,
            };
            if leads_here {
                ber::write_octets(&mut out, url.at(own).as_bytes());
            }
        }
        out
    }

    /// What a continuation reference becomes; `None`: nothing.
    ///
    /// The entry that it comes from is not named. Where anything is hidden, it may be that one that refers, and nothing
    /// is passed.
    pub(super) fn reference(&self, operation: &Operation, uris: &[u8], snapshot: &Snapshot) -> Option<Vec<u8>> {
        let told_before = operation.parts().is_some_and(|parts| parts.stage() > 0 || parts.trial.is_some());
        let redaction = operation.permit.redaction();
        if self.refers_to.is_none() || told_before || redaction.hides_protected() || redaction.expects_strays() {
            return None;
        }
        let may_name = |name: &Dn| redaction.shows_name(&snapshot.policy, &name.resolved(snapshot.policy.naming()));
        Some(self.rewritten(uris, true, may_name, snapshot)).filter(|uris| !uris.is_empty())
    }

    /// A result that refers to somewhere else: referred to here, or refused.
    pub(super) fn refer(
        &self,
        operation: &mut Operation,
        view: &ResultView<'_>,
        snapshot: &Snapshot,
        fx: &mut Effects,
    ) -> ResultCode {
        let uris = self.rewritten(view.referrals.unwrap_or_default(), false, |_| true, snapshot);
        if view.code == ResultCode::REFERRAL && !uris.is_empty() {
            let mut body = Vec::new();
            response::write_result_body(&mut body, view.code, "", "");
            ber::write_element(&mut body, response::REFERRAL, &uris);
            let before = fx.to_client.len();
            message::write_message(&mut fx.to_client, operation.client_id.0, operation.response_tag, &body, None);
            operation.bytes += (fx.to_client.len() - before) as u64;
            return view.code;
        }
        let code = if view.code == ResultCode::REFERRAL { ResultCode::UNWILLING_TO_PERFORM } else { view.code };
        let text = "the directory refers to another server, which is not reachable through here";
        operation.bytes += Session::respond(fx, operation.client_id, operation.response_tag, code, text);
        code
    }
}

/// Passes a continuation reference on.
pub(super) fn pass_reference(operation: &mut Operation, uris: &[u8], fx: &mut Effects) {
    let envelope = Envelope { id: 0, tag: tag::SEARCH_RESULT_REFERENCE, body: uris, controls: None };
    super::upstream::pass(operation, &envelope, fx);
}
