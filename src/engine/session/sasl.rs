//! SASL binds (RFC 4511 4.2.1, RFC 4513 5.2): passed step by step, and what they come to.
//!
//! The session is nobody until the directory has said success and who that is (RFC 4532). Where binding
//! is protected, answers do not tell right credentials from wrong ones.

use super::client::Message;
use super::identify::{Claim, Identifying};
use super::outstanding::{Operation, Purpose};
use super::towards::Word;
use super::{Bound, Effects, Session};
use crate::engine::access::{Permit, Refusal, Snapshot};
use crate::engine::ldap::message::Envelope;
use crate::engine::ldap::request::{Authentication, BindRequest, Request};
use crate::engine::ldap::response::{self, ResultView};
use crate::engine::ldap::sasl::{Mechanism, StepError};
use crate::engine::ldap::{ResultCode, tag};
use crate::engine::policy::{Mode, OperationKind};
use crate::engine::time::Now;

/// What a SASL bind that has begun has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversation {
    mechanism: Mechanism,
    /// The client has chosen that there be no security layer.
    no_layer: bool,
}

/// The same for wrong credentials, and for right ones without the right to bind.
const FAILED: &str = "the credentials are wrong, or binding as this subject is protected and not granted";

impl Session {
    /// What must not come now, because a SASL bind has begun. Whatever does not go on with it ends it.
    pub(super) fn out_of_turn(&mut self, request: &Request<'_>, fx: &mut Effects) -> Option<Refusal> {
        let begun = self.conversation?;
        let goes_on = match request {
            Request::Bind(BindRequest { authentication: Authentication::Sasl { mechanism, .. }, .. }) => {
                Mechanism::named(mechanism) == Some(begun.mechanism)
            }
            // RFC 4511 4.2.1: another method or mechanism gives up what was begun.
            Request::Bind(_) => false,
            // No answer to either; the first finds nothing, the second ends it all.
            Request::Abandon(_) | Request::Unbind => return None,
            Request::Search(_)
            | Request::Modify(_)
            | Request::Add(_)
            | Request::Delete(_)
            | Request::Rename(_)
            | Request::Compare(_)
            | Request::Extended(_) => {
                self.become_nobody(fx);
                return Some(Refusal {
                    code: ResultCode::OPERATIONS_ERROR,
                    message: "a SASL bind is in progress; it is given up".to_owned(),
                    reason: "bind in progress",
                    missing: Vec::new(),
                    asks: None,
                });
            }
        };
        if !goes_on {
            // What the directory makes of it need not be believed: the new bind goes over a new connection.
            self.become_nobody(fx);
        }
        None
    }

    /// One step of the client.
    pub(super) fn sasl(&mut self, sent: Message<'_>, permit: Permit, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        let Request::Bind(bind) = sent.request else { return };
        let Authentication::Sasl { mechanism, credentials } = bind.authentication else { return };
        // The decision let only those through that are known.
        let Some(mechanism) = Mechanism::named(mechanism) else { return };
        if mechanism == Mechanism::External {
            return self.external(sent, credentials, snapshot, now, fx);
        }
        let said = match mechanism.read(credentials.unwrap_or_default()) {
            Ok(said) if said.authorization && protects_bind(snapshot) => {
                // Who authenticates could then not be told from whom they act as.
                let message = "acting as somebody else is not available where binding is protected";
                return self.refuse_step(sent, ResultCode::AUTHORIZATION_DENIED, message, snapshot, now, fx);
            }
            Ok(said) => said,
            Err(error) => {
                let code = match error {
                    StepError::Layer | StepError::Unreadable => ResultCode::UNWILLING_TO_PERFORM,
                    StepError::ChannelBinding => ResultCode::AUTH_METHOD_NOT_SUPPORTED,
                };
                return self.refuse_step(sent, code, &error.to_string(), snapshot, now, fx);
            }
        };
        let begun = self.conversation.take();
        if begun.is_none() && self.bound.has_name() {
            self.unlink(fx);
        }
        let no_layer = said.no_layer || begun.is_some_and(|begun| begun.no_layer);
        let authentication = Authentication::Sasl { mechanism: mechanism.name().as_bytes(), credentials };
        let request = Request::Bind(BindRequest { version: bind.version, name: bind.name.clone(), authentication });
        let forwarded: Vec<_> = permit.controls(sent.controls).collect();
        self.binding = true;
        let upstream_id = self.tell(Word::Request(&request, &forwarded), fx);
        let mut operation = self.operation(upstream_id, sent, (permit, None), snapshot, now, fx);
        operation.purpose = Purpose::Sasl(Conversation { mechanism, no_layer });
        self.bound = Bound::Somebody;
        self.outstanding.push(operation);
    }

    /// Refuses a step that must not reach the directory, and gives up its connection with it: whatever it
    /// expects next, it is not what comes.
    fn refuse_step(
        &mut self,
        sent: Message<'_>,
        code: ResultCode,
        message: &str,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let refusal =
            Refusal { code, message: message.to_owned(), reason: "SASL message", missing: Vec::new(), asks: None };
        self.refuse(sent, &refusal, snapshot, now, fx);
    }

    /// The directory's word on a step.
    pub(super) fn sasl_answered(
        &mut self,
        mut operation: Operation,
        envelope: &Envelope<'_>,
        view: &ResultView<'_>,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        let Purpose::Sasl(conversation) = operation.purpose else { return };
        self.binding = false;
        let mechanism = conversation.mechanism;
        let credentials = view.server_sasl_credentials;
        match view.code {
            ResultCode::SASL_BIND_IN_PROGRESS => {
                // Who may not bind must not learn that the password was right.
                if protects_bind(snapshot) && credentials.is_some_and(|said| mechanism.proves_password(said)) {
                    return self.sasl_failed(operation, now, fx);
                }
                let changed = credentials.and_then(|challenge| mechanism.without_layers(challenge));
                let credentials = changed.as_deref().or(credentials);
                let before = fx.to_client.len();
                response::write_bind_result(
                    &mut fx.to_client,
                    operation.client_id,
                    view,
                    credentials,
                    envelope.controls,
                );
                operation.bytes += (fx.to_client.len() - before) as u64;
                self.finish(&mut operation, Some(view.code), now, fx);
                self.conversation = Some(conversation);
            }
            ResultCode::SUCCESS if mechanism.chooses_layer() && !conversation.no_layer => {
                // Of what follows nothing could be read. No directory says this before it was asked for.
                self.sasl_failed(operation, now, fx);
            }
            ResultCode::SUCCESS => {
                let mut answer = Vec::new();
                response::write_bind_result(&mut answer, operation.client_id, view, credentials, envelope.controls);
                let asking = Identifying::new(answer, mechanism.authentication(), Claim::Sasl);
                self.identify(operation, asking, snapshot, fx);
            }
            ResultCode::AUTH_METHOD_NOT_SUPPORTED | ResultCode::BUSY | ResultCode::UNAVAILABLE => {
                self.answered(operation, envelope, view, snapshot, now, fx);
                self.become_nobody(fx);
            }
            _ if protects_bind(snapshot) => self.sasl_failed(operation, now, fx),
            _ => {
                self.answered(operation, envelope, view, snapshot, now, fx);
                self.become_nobody(fx);
            }
        }
    }

    /// The one answer to whoever is not let in.
    pub(super) fn sasl_failed(&mut self, mut operation: Operation, now: Now, fx: &mut Effects) {
        let code = ResultCode::INVALID_CREDENTIALS;
        operation.bytes += Session::respond(fx, operation.client_id, tag::BIND_RESPONSE, code, FAILED);
        self.finish(&mut operation, Some(code), now, fx);
        self.become_nobody(fx);
    }
}

/// Whether binding as anybody is protected.
pub(super) fn protects_bind(snapshot: &Snapshot) -> bool {
    let policy = &snapshot.policy;
    policy.mode == Mode::Enforce && policy.protecting(OperationKind::Bind).len() > 0
}
