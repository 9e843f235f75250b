//! One operation, or one step of the workflow, as a JSON line. Written by hand: this is the hot path.
//!
//! A record is written in two parts, so that nothing of the request need be kept until it ends:
//! [`begin`] when it is decided, [`finish`] when it is answered. The log's writer puts `{"seq":N,` in
//! front and `,"chain":…` at the end. Names and order of the fields are a contract:
//! `seq time session connection_from tls subject authentication certificate message_id operation target scope filter
//! attributes controls changes decision reason resources role grant request standing break_glass upstream result ending entries withheld
//! cut bytes duration_us`; what does not apply is `null`.

mod amend;
mod ending;
mod line;
mod verdict;

pub use amend::{amend, name_asked};
pub use ending::Ending;
pub use line::{Decided, Done, Kind, Line};

use super::json;
use super::ldap_text;
use crate::engine::Now;
use crate::engine::grant::index::ActiveGrant;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::Control;
use crate::engine::ldap::message::ClientMessageId;
use crate::engine::ldap::request::{
    Attribute, BindName, Change, ChangeKind, ExtendedRequest, RenameRequest, Request, SearchRequest, SearchScope,
};
use crate::engine::ldap::{Dn, ResultCode};
use crate::engine::policy::{StandingName, Subject};
use std::borrow::Borrow;
use std::time::Duration;
use verdict::write_verdict;

/// Octets of a name, a reason or an address; longer ones keep head and tail.
const TEXT_LIMIT: usize = 4096;
/// Octets of a filter's text, about.
const FILTER_LIMIT: usize = 16 * 1024;
/// Octets of one attribute name or OID in a list.
const ITEM_LIMIT: usize = 256;
/// Octets of a list, about; what is left out is counted.
const LIST_LIMIT: usize = 16 * 1024;

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
    /// Search entries and references kept from it.
    pub withheld: u64,
    /// Attributes taken out of the entries that were passed.
    pub cut: u64,
    /// Octets passed to the client.
    pub bytes: u64,
    /// From the decision to the answer.
    pub duration: Duration,
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
    write_context(out, &RecordContext { authentication, ..*context });
    write_request(out, request);
    out.extend_from_slice(b",\"controls\":");
    write_controls(out, controls);
    out.extend_from_slice(b",\"changes\":");
    write_changes(out, request);
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
}

const NOT_A_SEARCH: &[u8] = b",\"scope\":null,\"filter\":null,\"attributes\":null";

/// `operation target scope filter attributes`.
fn write_request(out: &mut Vec<u8>, request: &Request<'_>) {
    match request {
        Request::Search(search) => return write_search(out, search),
        Request::Bind(bind) => {
            operation(out, b"bind");
            match &bind.name {
                BindName::Dn(dn) => ldap_text::distinguished_name(out, dn.text().as_bytes(), TEXT_LIMIT),
                BindName::Other(name) => ldap_text::distinguished_name(out, name, TEXT_LIMIT),
            }
        }
        Request::Unbind => {
            operation(out, b"unbind");
            out.extend_from_slice(b"null");
        }
        Request::Modify(modify) => entry(out, b"modify", modify.entry.text()),
        Request::Add(add) => entry(out, b"add", add.entry.text()),
        Request::Delete(dn) => entry(out, b"delete", dn.text()),
        Request::Rename(rename) => entry(out, b"rename", rename.entry.text()),
        Request::Compare(compare) => {
            entry(out, b"compare", compare.entry.text());
            out.extend_from_slice(b",\"scope\":null,\"filter\":null,\"attributes\":");
            return write_attributes(out, &[compare.attribute]);
        }
        Request::Abandon(id) => {
            operation(out, b"abandon");
            out.push(b'"');
            json::signed(out, i64::from(id.0));
            out.push(b'"');
        }
        Request::Extended(extended) => write_extended(out, extended),
    }
    out.extend_from_slice(NOT_A_SEARCH);
}

fn operation(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(b",\"operation\":\"");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\",\"target\":");
}

fn entry(out: &mut Vec<u8>, name: &[u8], dn: &str) {
    operation(out, name);
    ldap_text::distinguished_name(out, dn.as_bytes(), TEXT_LIMIT);
}

fn write_search(out: &mut Vec<u8>, search: &SearchRequest<'_>) {
    entry(out, b"search", search.base.text());
    out.extend_from_slice(match search.scope {
        SearchScope::Base => b",\"scope\":\"base\",\"filter\":",
        SearchScope::One => b",\"scope\":\"one\",\"filter\":",
        SearchScope::Subtree => b",\"scope\":\"subtree\",\"filter\":",
        SearchScope::Subordinate => b",\"scope\":\"subordinate\",\"filter\":",
    });
    ldap_text::filter(out, &search.filter, FILTER_LIMIT);
    out.extend_from_slice(b",\"attributes\":");
    write_attributes(out, &search.attributes);
}

/// The target of an extended operation is its OID, but of a password change whose password it is
/// (`null`: the session's own).
fn write_extended(out: &mut Vec<u8>, extended: &ExtendedRequest<'_>) {
    match extended {
        ExtendedRequest::Password { identity, old: _, new: _ } => {
            operation(out, b"password");
            match identity {
                Some(identity) => ldap_text::distinguished_name(out, identity, TEXT_LIMIT),
                None => out.extend_from_slice(b"null"),
            }
        }
        ExtendedRequest::StartTls => extension(out, "1.3.6.1.4.1.1466.20037"),
        ExtendedRequest::WhoAmI => extension(out, "1.3.6.1.4.1.4203.1.11.3"),
        ExtendedRequest::Cancel(_) => extension(out, "1.3.6.1.1.8"),
        ExtendedRequest::Other { oid, value: _ } => extension(out, oid),
    }
}

fn extension(out: &mut Vec<u8>, oid: &str) {
    operation(out, b"extended");
    json::string(out, oid.as_bytes(), ITEM_LIMIT);
}

fn write_attributes(out: &mut Vec<u8>, attributes: &[AttributeDescription<'_>]) {
    list(out, attributes, |out, attribute| json::string(out, attribute.0, ITEM_LIMIT));
}

/// OIDs, a critical one followed by ` critical`. Never values.
fn write_controls(out: &mut Vec<u8>, controls: &[Control<'_>]) {
    list(out, controls, |out, control| {
        json::string(out, control.oid.as_bytes(), ITEM_LIMIT);
        if control.critical {
            out.pop();
            out.extend_from_slice(b" critical\"");
        }
    });
}

/// What is written: kinds and attribute names, and where a rename leads. Never values.
fn write_changes(out: &mut Vec<u8>, request: &Request<'_>) {
    match request {
        Request::Modify(modify) => list(out, &modify.changes, |out, Change { kind, attribute }| {
            let kind: &[u8] = match kind {
                ChangeKind::Add => b"add ",
                ChangeKind::Delete => b"delete ",
                ChangeKind::Replace => b"replace ",
                ChangeKind::Increment => b"increment ",
            };
            change(out, kind, attribute);
        }),
        Request::Add(add) => list(out, &add.attributes, |out, attribute| change(out, b"add ", attribute)),
        Request::Rename(rename) => write_rename(out, rename),
        Request::Bind(_)
        | Request::Unbind
        | Request::Search(_)
        | Request::Delete(_)
        | Request::Compare(_)
        | Request::Abandon(_)
        | Request::Extended(_) => out.extend_from_slice(b"null"),
    }
}

fn change(out: &mut Vec<u8>, kind: &[u8], attribute: &Attribute<'_>) {
    out.push(b'"');
    out.extend_from_slice(kind);
    let start = out.len();
    json::string(out, attribute.description.0, ITEM_LIMIT);
    out.remove(start);
}

fn write_rename(out: &mut Vec<u8>, rename: &RenameRequest) {
    let mut item = |start: &[u8], dn: &str| {
        out.extend_from_slice(start);
        let at = out.len();
        ldap_text::distinguished_name(out, dn.as_bytes(), TEXT_LIMIT);
        out.remove(at);
    };
    item(b"[\"rename to ", rename.new_rdn.text());
    if let Some(parent) = &rename.new_superior {
        item(b",\"move to ", parent.text());
    }
    out.extend_from_slice(if rename.delete_old_rdn { b",\"delete old name\"]" } else { b"]" });
}

fn optional(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => json::string(out, text, TEXT_LIMIT),
        None => out.extend_from_slice(b"null"),
    }
}

/// An array of strings; `null` when there is nothing; what goes beyond the limit is counted in a last item.
fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    if items.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    let end = out.len() + LIST_LIMIT;
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
