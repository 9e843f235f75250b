//! One operation, or one step of the workflow, as a JSON line. Written by hand: this is the hot path.
//! A record is written in two parts, so that nothing of the request need be kept until it ends:
//! [`begin`] when it is decided, [`finish`] when it is answered. The log's writer puts `{"seq":N,` in
//! front and `,"chain":…` at the end. Names and order of the fields are a contract:
//! `seq time session connection_from tls subject authentication certificate message_id operation target scope filter
//! attributes controls changes decision reason resources role grant request standing break_glass upstream result ending entries withheld
//! cut bytes duration_us`, and behind `message_id`, where there is a begun line, `phase operation_id`; what does not apply is `null`.
//! A search that is only monitored ends with `would_redact undecided`.

mod amend;
mod begun;
mod ending;
mod line;
mod request;
mod verdict;

pub use amend::{amend, name_asked};
pub use begun::begun;
pub use ending::Ending;
pub use line::{Decided, Done, Kind, Line, Weight};

use super::json;
use super::ldap_text;
use crate::engine::Now;
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::control::Control;
use crate::engine::ldap::message::ClientMessageId;
use crate::engine::ldap::request::Request;
use crate::engine::ldap::{Dn, ResultCode};
use crate::engine::policy::{StandingName, Subject};
use request::{NOT_A_SEARCH, Room, write_changes, write_controls, write_request};
use std::borrow::Borrow;
use std::time::Duration;
use verdict::write_verdict;

/// Octets of a name, a reason or an address; longer ones keep head and tail.
const TEXT_LIMIT: usize = 4096;
/// Octets of one attribute name or OID in a list.
const ITEM_LIMIT: usize = 256;
/// Octets of a list, about; what is left out is counted.
const LIST_LIMIT: usize = 4096;

/// Who asked, how, and when.
#[derive(Debug, Clone, Copy)]
pub struct RecordContext<'a> {
    /// When the operation was decided.
    pub now: Now,
    /// The session's id.
    pub session: &'a str,
    /// Address and port of the client.
    pub connection_from: &'a str,
    /// Protocol and cipher suite of the client's connection, or `none`.
    pub tls: &'a str,
    /// Who the session was when the operation was decided.
    pub subject: &'a Subject,
    /// How that was shown: `anonymous`, `simple`, or `sasl:` and the mechanism. In the record of a bind: how it
    /// is to be shown.
    pub authentication: &'a str,
    /// The subject of the client certificate that showed it, where one did.
    pub certificate: Option<&'a Dn>,
    /// The id the client gave; `None` when it could not be read.
    pub message_id: Option<ClientMessageId>,
    /// The number of the operation in its session, where it has a [begun line](begun).
    pub number: Option<u64>,
}

/// What was decided, and on what it rests.
///
/// `resources` becomes an array. `role`, `grant` and `request` come from `grants`: each is one string, with
/// commas between when the permit rests on several grants (the same position in each is the same grant), so
/// that a reader always finds the same type.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a, R, G> {
    /// `permitted`, `refused`, or `monitored` (would have been refused).
    pub decision: &'static str,
    /// Why, in a word or two.
    pub reason: Option<&'a str>,
    /// Names of the resources that were touched (and, for a refusal, not held).
    pub resources: R,
    /// The grants that the permit rests on.
    pub grants: G,
    /// The standing access that it rests on.
    pub standing: &'a [StandingName],
}

impl Verdict<'static, std::iter::Empty<&'static str>, std::iter::Empty<&'static ActiveGrant>> {
    /// A verdict that no resource and no grant has to do with.
    pub fn plain(decision: &'static str, reason: Option<&'static str>) -> Self {
        Verdict { decision, reason, resources: std::iter::empty(), grants: std::iter::empty(), standing: &[] }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome<'a> {
    /// The directory that was asked; `None` when none was.
    pub upstream: Option<&'a str>,
    /// What the client was answered; `None` when it was not.
    pub result: Option<ResultCode>,
    /// What became of it when something that it depended on ended; `None`: it came to its own end.
    pub ending: Option<Ending>,
    /// Search entries passed to the client.
    pub entries: u64,
    /// Search entries and references kept from it; while monitoring, those that enforcing would keep from it.
    pub withheld: u64,
    /// Attributes taken out of the entries that were passed; while monitoring, those that enforcing would.
    pub cut: u64,
    /// What enforcing would take out of the answer, where that was found out.
    pub would: Option<Would<'a>>,
    /// Octets passed to the client.
    pub bytes: u64,
    /// From the decision to the answer.
    pub duration: Duration,
}

/// What enforcing would take out of an answer that was passed on: its numbers are in [`Outcome::withheld`] and
/// [`Outcome::cut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Would<'a> {
    /// The names of the attributes, as the directory wrote them; no more than are told apart.
    pub attributes: &'a [String],
    /// Entries of which it cannot be told whether they would be found: the filter would be asked without what it
    /// asserts on protected attributes, and what it asserts besides is not in the answer.
    pub undecided: u64,
}

/// Writes the first part: `"time":…` up to and including `"request":…`.
pub fn begin<'a, R, G>(
    out: &mut Vec<u8>,
    context: &RecordContext<'_>,
    request: &Request<'_>,
    controls: &[Control<'_>],
    verdict: Verdict<'a, R, G>,
) where
    R: IntoIterator<Item = &'a str>,
    G: IntoIterator<Item: Borrow<ActiveGrant>, IntoIter: Clone>,
{
    let authentication = match request {
        Request::Bind(bind) => bind.method(),
        Request::Unbind
        | Request::Search(_)
        | Request::Modify(_)
        | Request::Add(_)
        | Request::Delete(_)
        | Request::Rename(_)
        | Request::Compare(_)
        | Request::Abandon(_)
        | Request::Extended(_) => context.authentication,
    };
    let room = Room::of(context.subject);
    write_context(out, &RecordContext { authentication, ..*context });
    write_request(out, request, room);
    out.extend_from_slice(b",\"controls\":");
    write_controls(out, controls, room);
    out.extend_from_slice(b",\"changes\":");
    write_changes(out, request, room);
    write_verdict(out, verdict);
}

/// Writes the first part for a message that could not be decoded: all that is known of it is, perhaps, the
/// tag of its operation. It counts as refused.
pub fn begin_malformed(out: &mut Vec<u8>, context: &RecordContext<'_>, tag: Option<u8>, reason: &str) {
    write_context(out, context);
    // RFC 4511 4.2 to 4.12: the application tags of requests.
    let operation: &[u8] = match tag {
        Some(0x60) => b"\"bind\"",
        Some(0x42) => b"\"unbind\"",
        Some(0x63) => b"\"search\"",
        Some(0x66) => b"\"modify\"",
        Some(0x68) => b"\"add\"",
        Some(0x4a) => b"\"delete\"",
        Some(0x6c) => b"\"rename\"",
        Some(0x6e) => b"\"compare\"",
        Some(0x50) => b"\"abandon\"",
        Some(0x77) => b"\"extended\"",
        Some(_) | None => b"null",
    };
    out.extend_from_slice(b",\"operation\":");
    out.extend_from_slice(operation);
    out.extend_from_slice(b",\"target\":null");
    out.extend_from_slice(NOT_A_SEARCH);
    out.extend_from_slice(b",\"controls\":null,\"changes\":null");
    let (resources, grants) = (std::iter::empty(), std::iter::empty::<&ActiveGrant>());
    write_verdict(out, Verdict { decision: "refused", reason: Some(reason), resources, grants, standing: &[] });
}

/// Writes the rest of the line, line end included.
pub fn finish(out: &mut Vec<u8>, outcome: &Outcome<'_>) {
    out.extend_from_slice(b",\"upstream\":");
    optional(out, outcome.upstream.map(str::as_bytes));
    out.extend_from_slice(b",\"result\":");
    match outcome.result {
        Some(code) => json::number(out, u64::from(code.0)),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"ending\":");
    match outcome.ending {
        Some(ending) => {
            out.push(b'"');
            out.extend_from_slice(ending.name().as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"entries\":");
    json::number(out, outcome.entries);
    out.extend_from_slice(b",\"withheld\":");
    json::number(out, outcome.withheld);
    out.extend_from_slice(b",\"cut\":");
    json::number(out, outcome.cut);
    out.extend_from_slice(b",\"bytes\":");
    json::number(out, outcome.bytes);
    out.extend_from_slice(b",\"duration_us\":");
    json::number(out, u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX));
    if let Some(would) = outcome.would {
        out.extend_from_slice(b",\"would_redact\":[");
        for (position, name) in would.attributes.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            json::string(out, name.as_bytes(), ITEM_LIMIT);
        }
        out.extend_from_slice(b"],\"undecided\":");
        json::number(out, would.undecided);
    }
    out.extend_from_slice(b"}\n");
}

/// Writes a step of the workflow, or of the gate itself, as a whole line but for `{"seq":N,`: `"time":…`
/// and then the fields of `event` (an object that says in `event` what happened; anything else becomes the
/// field `event`). The caller answers for there being no secret in it.
pub fn event(out: &mut Vec<u8>, now: Now, event: &serde_json::Value) {
    out.extend_from_slice(b"\"time\":");
    json::time(out, now.wall);
    if let Some(fields) = event.as_object() {
        for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "seq" | "time")) {
            out.push(b',');
            json::string(out, name.as_bytes(), TEXT_LIMIT);
            out.push(b':');
            json::value(out, value, TEXT_LIMIT);
        }
    } else {
        out.extend_from_slice(b",\"event\":");
        json::value(out, event, TEXT_LIMIT);
    }
    out.extend_from_slice(b"}\n");
}

/// Writes a number, as the log does for `seq`.
pub fn number(out: &mut Vec<u8>, value: u64) {
    json::number(out, value);
}

fn write_context(out: &mut Vec<u8>, context: &RecordContext<'_>) {
    out.extend_from_slice(b"\"time\":");
    json::time(out, context.now.wall);
    out.extend_from_slice(b",\"session\":");
    json::string(out, context.session.as_bytes(), TEXT_LIMIT);
    out.extend_from_slice(b",\"connection_from\":");
    json::string(out, context.connection_from.as_bytes(), TEXT_LIMIT);
    out.extend_from_slice(b",\"tls\":");
    json::string(out, context.tls.as_bytes(), TEXT_LIMIT);
    out.extend_from_slice(b",\"subject\":");
    match context.subject {
        Subject::Anonymous => out.extend_from_slice(b"\"anonymous\""),
        Subject::Dn(dn) => ldap_text::distinguished_name(out, dn.text().as_bytes(), TEXT_LIMIT),
    }
    out.extend_from_slice(b",\"authentication\":");
    json::string(out, context.authentication.as_bytes(), TEXT_LIMIT);
    out.extend_from_slice(b",\"certificate\":");
    match context.certificate {
        Some(subject) => ldap_text::distinguished_name(out, subject.text().as_bytes(), TEXT_LIMIT),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"message_id\":");
    match context.message_id {
        Some(id) => json::signed(out, i64::from(id.0)),
        None => out.extend_from_slice(b"null"),
    }
    if let Some(number) = context.number {
        write_phase(out, context.session, number);
    }
}

/// What the record of an operation with a begun line says besides.
const PHASE_ENDED: &[u8] = b",\"phase\":\"ended\"";

fn write_phase(out: &mut Vec<u8>, session: &str, number: u64) {
    out.extend_from_slice(PHASE_ENDED);
    out.extend_from_slice(b",\"operation_id\":\"");
    json::text(out, session.as_bytes());
    out.push(b'-');
    json::number(out, number);
    out.push(b'"');
}

fn optional(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => json::string(out, text, TEXT_LIMIT),
        None => out.extend_from_slice(b"null"),
    }
}

/// An array of strings; `null` when there is nothing; what goes beyond the limit is counted in a last item.
fn list<T>(out: &mut Vec<u8>, limit: usize, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    if items.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    let end = out.len() + limit;
    for (position, item) in items.iter().enumerate() {
        out.push(if position == 0 { b'[' } else { b',' });
        if out.len() > end {
            out.extend_from_slice(b"\"and ");
            json::number(out, (items.len() - position) as u64);
            out.extend_from_slice(b" more");
            out.extend_from_slice(json::CUT.as_bytes());
            out.push(b'"');
            break;
        }
        write(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests;
