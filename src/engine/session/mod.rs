//! One client's session, sans-IO: messages, news and time go in, [`Effects`] come out.
//!
//! Invariants: nothing goes to the directory without a `Permit`; the subject is who the directory
//! last confirmed, and nobody from the moment a bind is asked for; ids of the two sides never mix.
//! A session cannot change a grant.

mod asking;
pub mod bounds;
mod client;
mod confirmed;
mod effects;
mod ending;
mod entries;
mod expected;
mod external;
mod held;
mod identify;
mod lasting;
mod membership;
mod outstanding;
mod pages;
mod parts;
mod recorded;
mod referrals;
mod revoked;
mod sasl;
mod search;
mod towards;
mod trial;
mod unwritten;
mod upstream;
mod would;

pub use asking::{Answer, Asking};
pub use client::Flow;
pub use confirmed::{CONFIRMED_FOR, Confirmations, Confirmed, ConfirmedNames};
pub use effects::{Effects, whole_messages};
pub use external::Certificate;
pub use held::MAX_HELD_OCTETS;
pub use recorded::RecordingRules;

use super::access::{Dependence, Permit};
use super::audit::record::{self, Ending, Outcome, RecordContext};
use super::ldap::message::ClientMessageId;
use super::ldap::{Dn, ResultCode};
use super::ldap::{response, tag};
use super::policy::Subject;
use super::time::Now;
use bounds::Bounds;
use held::HeldOperations;
use membership::Awaited;
use outstanding::{Operation, Outstanding};
use pages::Cursors;
use recorded::Recording;
use sasl::Conversation;
use std::sync::Arc;
use std::time::Duration;
use unwritten::Unwritten;

/// The largest message of somebody without a name, in octets.
pub const ANONYMOUS_MESSAGE_BYTES: usize = 256 * 1024;

/// Where a session comes from. What the log says about each of its operations.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The session's id.
    pub session: String,
    /// Address and port of the client.
    pub connection_from: String,
    /// Protocol version and cipher suite; `None` before StartTLS.
    pub tls: Option<String>,
}

/// Who the session is.
#[derive(Debug)]
struct Identity {
    subject: Subject,
    /// How that was shown: `anonymous`, `simple`, `sasl:` and the mechanism.
    authentication: &'static str,
    /// The subject of the client certificate that showed it, where one did.
    certificate: Option<Dn>,
    /// What the bind was permitted on, where that was a grant.
    permit: Option<Permit>,
}

impl Identity {
    fn nobody() -> Identity {
        Identity { subject: Subject::Anonymous, authentication: "anonymous", certificate: None, permit: None }
    }
}

/// For whom one operation is done, where a control says so (RFC 4370).
#[derive(Debug)]
struct Acting {
    subject: Subject,
    /// How the session's own subject was shown, and who that is.
    authentication: String,
}

impl Acting {
    fn new(subject: Subject, own: &Identity) -> Acting {
        let name = match &own.subject {
            Subject::Anonymous => "anonymous",
            Subject::Dn(name) => name.text(),
        };
        Acting { subject, authentication: format!("{} as {name}", own.authentication) }
    }
}

/// The connection to the directory, as far as the session cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// None, and none needed so far.
    None,
    /// Asked for; what is to be sent waits.
    Opening,
    /// There.
    Open,
}

/// Whom the directory takes the connection for.
#[derive(Debug)]
enum Bound {
    /// Nobody: losing it loses nothing.
    Nobody,
    /// Somebody bound over it, or is about to: losing it loses an identity.
    Somebody,
    /// The gate's own account; what is said over it is said for this name (RFC 4370).
    Asserted(Dn),
}

impl Bound {
    fn has_name(&self) -> bool {
        match self {
            Bound::Nobody => false,
            Bound::Somebody | Bound::Asserted(_) => true,
        }
    }
}

/// One client's session.
#[derive(Debug)]
pub struct Session {
    origin: Origin,
    identity: Identity,
    /// For whom the operation is that is being looked at.
    acting: Option<Acting>,
    link: Link,
    bound: Bound,
    /// What a SASL bind has come to, while it is the client's turn.
    conversation: Option<Conversation>,
    /// What the client showed in the TLS handshake.
    certificate: Option<Certificate>,
    /// What the directory said lately of names that are bound; `None`: names are taken as they are bound.
    confirmed: Option<Arc<dyn Confirmations>>,
    /// Which directory server answers, for the log.
    server: Arc<str>,
    outstanding: Outstanding,
    /// Answers that depend on something and may still wait for the client.
    unwritten: Unwritten,
    /// What operations depended on that were in flight when the session ended, while its last octets are written.
    last: Vec<Dependence>,
    /// Operations that wait for a role.
    held: HeldOperations,
    /// About whose groups the directory is to be asked first.
    awaited: Awaited,
    /// When the operation came that is let through at this moment, if it has waited.
    waited_since: Option<Duration>,
    /// Searches in pages that go on with the next page; they end with whoever the session was.
    cursors: Cursors,
    /// Where referrals are to lead; `None`: they are not passed.
    refers_to: Option<Arc<str>>,
    /// A bind (or the question who it bound as) is in flight: nothing else is processed.
    binding: bool,
    closed: bool,
    /// What it may take.
    pub bounds: Bounds,
    /// What is recorded before it is forwarded.
    recording: Recording,
    /// Buffers for records, used again.
    spare: Vec<record::Line>,
}

impl Session {
    /// A session at its beginning: nobody, nothing in flight, no connection to the directory.
    pub fn new(origin: Origin) -> Session {
        Session {
            origin,
            identity: Identity::nobody(),
            acting: None,
            link: Link::None,
            bound: Bound::Nobody,
            conversation: None,
            certificate: None,
            confirmed: None,
            server: "".into(),
            outstanding: Outstanding::default(),
            unwritten: Unwritten::default(),
            last: Vec::new(),
            held: HeldOperations::default(),
            awaited: Awaited::default(),
            waited_since: None,
            cursors: Cursors::default(),
            refers_to: None,
            binding: false,
            closed: false,
            bounds: Bounds::default(),
            recording: Recording::default(),
            spare: Vec::new(),
        }
    }

    /// Whom the session acts as.
    pub fn subject(&self) -> &Subject {
        &self.identity.subject
    }

    /// How the subject was shown: `anonymous`, `simple`, or `sasl:` and the mechanism.
    pub fn authentication(&self) -> &'static str {
        self.identity.authentication
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The begun log lines of what is in flight (JSON members without the closing brace), and of what waits for a
    /// role: their decision is `held`.
    pub fn in_flight(&self) -> impl Iterator<Item = &[u8]> {
        self.outstanding.iter().map(|operation| operation.record.as_slice()).chain(self.held.lines())
    }

    /// Whether the next message of the client can be taken.
    pub fn reads_client(&self) -> bool {
        let room = self.outstanding.len() < self.bounds.operations_of(&self.identity.subject);
        let waits = self.binding || self.closed || self.awaited_person().is_some();
        !waits && room && !self.outstanding.keeps_too_much() && !self.unwritten.is_full()
    }

    /// Whether a bind is in flight: nothing that comes behind it is looked at until it is answered.
    pub fn is_binding(&self) -> bool {
        self.binding
    }

    /// The largest message that is taken from the client now: who has no name yet gets less, as
    /// from most directories, so that strangers cannot fill the memory.
    pub fn message_limit(&self, configured: usize) -> usize {
        match self.identity.subject {
            Subject::Anonymous => configured.min(ANONYMOUS_MESSAGE_BYTES),
            Subject::Dn(_) => configured,
        }
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The handshake with the client is done (`ldaps`, or after StartTLS).
    pub fn tls_established(&mut self, description: String) {
        self.origin.tls = Some(description);
    }

    /// The client showed this certificate in the handshake, and it was found to be good.
    pub fn client_certificate(&mut self, certificate: Certificate) {
        self.certificate = Some(certificate);
    }

    /// From now on the directory is asked whom it takes a name for that somebody binds with, where these do not know.
    pub fn confirm_names(&mut self, confirmed: Arc<dyn Confirmations>) {
        self.confirmed = Some(confirmed);
    }

    fn context(&self, now: Now, message_id: impl Into<Option<ClientMessageId>>) -> RecordContext<'_> {
        let (subject, authentication) = match &self.acting {
            Some(acting) => (&acting.subject, &*acting.authentication),
            None => (&self.identity.subject, self.identity.authentication),
        };
        RecordContext {
            now,
            session: &self.origin.session,
            connection_from: &self.origin.connection_from,
            tls: self.origin.tls.as_deref().unwrap_or("none"),
            subject,
            authentication,
            certificate: self.identity.certificate.as_ref(),
            message_id: message_id.into(),
            number: self.recording.number(),
        }
    }

    /// A final answer made here.
    fn respond(fx: &mut Effects, id: ClientMessageId, response_tag: u8, code: ResultCode, message: &str) -> u64 {
        let before = fx.to_client.len();
        if response_tag == tag::EXTENDED_RESPONSE {
            response::write_extended_result(&mut fx.to_client, id, code, message, None, None);
        } else {
            response::write_result(&mut fx.to_client, id, response_tag, code, "", message);
        }
        (fx.to_client.len() - before) as u64
    }

    /// Completes an operation's line and hands it over.
    fn finish(&mut self, operation: &mut Operation, result: Option<ResultCode>, now: Now, fx: &mut Effects) {
        if result.is_some() && operation.depends() && operation.ending.is_none() && operation.is_relayed() {
            self.unwritten.add(operation, &self.identity, fx);
        }
        let sent = !self.server.is_empty() && operation.ending != Some(Ending::NotSent);
        let outcome = Outcome {
            upstream: sent.then_some(&*self.server),
            result,
            ending: operation.ending,
            entries: operation.entries,
            // References that are dropped whatever the mode are no loss by enforcing.
            withheld: operation.would.as_ref().map_or(operation.withheld, |would| would.withheld),
            cut: operation.would.as_ref().map_or(operation.cut, |would| would.cut),
            would: operation.would.as_ref().map(|would| would.told()),
            bytes: operation.bytes,
            duration: now.monotonic.saturating_sub(operation.started),
        };
        let mut line = std::mem::take(&mut operation.record);
        // Counted is what was left out, not what would be.
        let counted = record::Done { withheld: operation.withheld, cut: operation.cut, ..line.finish(&outcome, true) };
        self.hand_over(line, counted, fx);
    }

    /// The line of an operation that was answered here.
    fn finish_here(&mut self, mut line: record::Line, result: Option<ResultCode>, bytes: u64, fx: &mut Effects) {
        let outcome = Outcome { result, bytes, ..Outcome::default() };
        let done = line.finish(&outcome, false);
        self.hand_over(line, done, fx);
    }

    fn hand_over(&mut self, mut line: record::Line, done: record::Done, fx: &mut Effects) {
        fx.done.push(done);
        fx.records.extend_from_slice(&line);
        fx.record_ends.push((fx.records.len(), line.weight()));
        // 16 KiB at most: an idle session keeps little.
        if self.spare.len() < 8 && line.capacity() <= 2048 {
            line.clear();
            self.spare.push(line);
        }
    }

    fn line(&mut self) -> record::Line {
        self.spare.pop().unwrap_or_else(record::Line::with_room)
    }

    /// Becomes nobody, here and towards the directory. Whatever a bind ends in but success comes
    /// here (RFC 4511 4.2.1), and no directory's own idea of what a failed bind leaves is trusted:
    /// a connection that had a name is given up.
    fn become_nobody(&mut self, fx: &mut Effects) {
        self.identity = Identity::nobody();
        self.cursors.clear();
        self.conversation = None;
        if self.bound.has_name() {
            self.unlink(fx);
        }
    }

    /// Gives the connection to the directory up, and what was to be sent over it.
    fn unlink(&mut self, fx: &mut Effects) {
        self.link = Link::None;
        self.bound = Bound::Nobody;
        self.conversation = None;
        fx.clear_upstream();
        fx.connect = false;
        fx.drop_upstream = true;
    }
}

#[cfg(test)]
mod tests;
