//! The controls that are let through, and what each of them may do. What is not in the [list](known) is not
//! understood, and so is refused or left out (RFC 4511 4.1.11). What is, is read, decided upon, and forwarded
//! as it was read.

mod known;

use super::{Asked, Refusal, acting};
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::oid::PROXIED_AUTHORIZATION_V2;
use crate::engine::ldap::control::value::{Value, ValueError};
use crate::engine::ldap::control::{Control, MAX_CONTROLS};
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::Request;
use crate::engine::ldap::{Dn, ResultCode};
use crate::engine::policy::Policy;

pub use known::{KNOWN, Known, Meaning, lookup};

/// Whether clients may be told that the gate supports this control.
pub fn is_advertised(oid: &str, policy: &Policy) -> bool {
    lookup(oid).is_some_and(|known| match known.meaning {
        Meaning::Impersonates => known.oid == PROXIED_AUTHORIZATION_V2 && !policy.proxied_authorization.is_empty(),
        Meaning::Never => false,
        Meaning::Harmless
        | Meaning::Sorts
        | Meaning::Counts
        | Meaning::Reads
        | Meaning::ReadsAnywhere
        | Meaning::Identifies
        | Meaning::Dereferences
        | Meaning::Redirects
        | Meaning::Options
        | Meaning::Replicates
        | Meaning::ReplicatesAll
        | Meaning::Manages
        | Meaning::Answer => true,
    })
}

/// A control of the request that is let through: which, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forwarded {
    position: usize,
    value: Option<Box<[u8]>>,
}

impl Forwarded {
    /// The control to send, where `asked` are those of the request.
    pub(super) fn control<'c>(&'c self, asked: &'c [Control<'_>]) -> Option<Control<'c>> {
        let Control { oid, critical, .. } = *asked.get(self.position)?;
        Some(Control { oid, critical, value: self.value.as_deref() })
    }
}

/// What comes of the controls of a request.
#[derive(Debug, Default)]
pub(super) struct Screened {
    pub(super) forwarded: Vec<Forwarded>,
    /// One of them hands on what is reached, perhaps for ever.
    pub(super) replicates: bool,
}

/// Whether the operation may be told more than it says itself, asked where a control would tell it.
///
/// "Reached" is everything that the operation can touch: of a search its base too, of a rename both names.
/// Of an attribute description every type counts that it covers: subtypes, `*`, `+`, `@class`; an empty list is
/// all user attributes (RFC 4511 4.5.1.8).
pub(super) trait Openness {
    /// No entry that the operation reaches is hidden from its subject, or shown in part.
    fn reach_is_open(&mut self) -> bool;
    /// Nothing is hidden from its subject anywhere.
    fn all_is_open(&mut self) -> bool;
    /// Whether no entry that is reached *and shown* hides this attribute. Entries that are hidden as a whole
    /// do not count: they are dropped. (Who reads the target itself asks [`Openness::reach_is_open`] too.)
    fn attribute_is_open(&mut self, attribute: AttributeDescription<'_>) -> bool;
    /// As [`Openness::attribute_is_open`], for each.
    fn list_is_open(&mut self, attributes: &[AttributeDescription<'_>]) -> bool;
    /// As [`Openness::attribute_is_open`], for everything that a filter asserts something about.
    fn filter_is_open(&mut self, filter: &Filter<'_>) -> bool;
    /// Whether these attributes may be read of every entry that there is.
    fn list_is_open_anywhere(&mut self, attributes: &[AttributeDescription<'_>]) -> bool;
    /// Has the redaction look at the entries that a dereference control names, wherever these lie.
    fn redact_dereferenced(&mut self);
    /// Whether all that is reached and protected from searching is held by what may replicate.
    fn reach_may_be_replicated(&mut self) -> bool;
    /// Whether all that is protected from searching is held by what may replicate.
    fn all_may_be_replicated(&mut self) -> bool;
    /// Whether whatever is protected at the entries that are written, from whatever operation, is held.
    fn target_is_held(&mut self) -> bool;
}

/// Decides upon each control.
///
/// `acts`: one of them says for whom it is done, and may; the decision is made for that one.
pub(super) fn screen(asked: &Asked<'_>, acts: Option<&Dn>, openness: &mut dyn Openness) -> Result<Screened, Refusal> {
    let mut screened = Screened::default();
    // RFC 4511 4.1.11: of an unbind, criticality must be ignored. The session's own is sent without any.
    if asked.controls.is_empty() || matches!(asked.request, Request::Unbind) {
        return Ok(screened);
    }
    if asked.controls.len() > MAX_CONTROLS {
        return Err(refusal(ResultCode::PROTOCOL_ERROR, "too many controls".to_owned()));
    }
    let (mut sort_left_out, mut views) = (false, None);
    for (position, control) in asked.controls.iter().enumerate() {
        let known = lookup(control.oid);
        if known.is_some_and(|known| known.meaning == Meaning::Impersonates) {
            // There is one of them at most, and it is critical.
            let Some(name) = acts else { return Err(acting::denied(acting::UNAVAILABLE, Vec::new())) };
            let value = [b"dn:", name.text().as_bytes()].concat();
            screened.forwarded.push(Forwarded { position, value: Some(value.into_boxed_slice()) });
            continue;
        }
        let Some(known) = known.filter(|known| known.fits(asked.request)) else {
            leave_out(control)?;
            continue;
        };
        let value = Value::decode(known.syntax, control.value).map_err(|error| unreadable(known, error))?;
        if !is_open(known.meaning, &value, openness) {
            sort_left_out |= known.meaning == Meaning::Sorts;
            leave_out(control)?;
            continue;
        }
        if known.meaning == Meaning::Counts {
            views = Some(position);
        }
        screened.replicates |= matches!(known.meaning, Meaning::Replicates | Meaning::ReplicatesAll);
        screened.forwarded.push(Forwarded { position, value: value.encode().map(Vec::into_boxed_slice) });
    }
    // A view of a list that is not sorted is an error to the directory, which would tell what was left out.
    if let Some(position) = views.filter(|_| sort_left_out) {
        asked.controls.get(position).map_or(Ok(()), leave_out)?;
        screened.forwarded.retain(|forwarded| forwarded.position != position);
    }
    Ok(screened)
}

/// Whether a control tells and changes nothing that is not open.
fn is_open(meaning: Meaning, value: &Value<'_>, openness: &mut dyn Openness) -> bool {
    match meaning {
        Meaning::Harmless => true,
        Meaning::Sorts => match value {
            Value::SortKeys(keys) => keys.iter().all(|key| openness.attribute_is_open(key.attribute)),
            _ => false,
        },
        Meaning::Counts => openness.reach_is_open(),
        Meaning::Reads => openness.reach_is_open() && is_readable(value, openness),
        Meaning::ReadsAnywhere => openness.all_is_open(),
        Meaning::Identifies => openness.list_is_open_anywhere(&IDENTIFIERS),
        Meaning::Dereferences => match value {
            // The names that the source holds are told again beside the entry.
            Value::Dereferences(all) if all.iter().all(|one| openness.attribute_is_open(one.source)) => {
                openness.redact_dereferenced();
                true
            }
            _ => false,
        },
        Meaning::Redirects => match value {
            Value::SourceAttribute(attribute) => openness.attribute_is_open(*attribute),
            _ => false,
        },
        Meaning::Options => match value {
            Value::Number(0 | SEARCH_DOMAIN_SCOPE) => true,
            _ => openness.all_is_open(),
        },
        Meaning::Replicates => openness.reach_may_be_replicated(),
        Meaning::ReplicatesAll => openness.all_may_be_replicated(),
        Meaning::Manages => openness.target_is_held(),
        Meaning::Impersonates | Meaning::Answer | Meaning::Never => false,
    }
}

/// What MS-ADTS 3.1.1.3.4.1.5 puts beside names.
const IDENTIFIERS: [AttributeDescription<'_>; 2] =
    [AttributeDescription(b"objectGUID"), AttributeDescription(b"objectSid")];

/// MS-ADTS 3.1.1.3.4.1.12: no continuation references. The other flag searches every tree there is.
const SEARCH_DOMAIN_SCOPE: i32 = 1;

/// Whether what a control reads is hidden nowhere that the operation reaches.
fn is_readable(value: &Value<'_>, openness: &mut dyn Openness) -> bool {
    match value {
        Value::Filter(filter) => openness.filter_is_open(filter),
        Value::ValueFilters(filters) => filters.iter().all(|filter| openness.filter_is_open(filter)),
        Value::Attributes(attributes) => openness.list_is_open(attributes),
        _ => false,
    }
}

/// What becomes of a control that is not available: refused when critical, or not forwarded.
fn leave_out(control: &Control<'_>) -> Result<(), Refusal> {
    if !control.critical {
        return Ok(());
    }
    let message = match lookup(control.oid) {
        Some(known) => format!("control {} ({}) is not available here", control.oid, known.name),
        None => format!("control {} is not available here", control.oid),
    };
    Err(refusal(ResultCode::UNAVAILABLE_CRITICAL_EXTENSION, message))
}

fn unreadable(known: &Known, error: ValueError) -> Refusal {
    let code = match error {
        ValueError::FilterLimit => ResultCode::ADMIN_LIMIT_EXCEEDED,
        _ => ResultCode::PROTOCOL_ERROR,
    };
    refusal(code, format!("{}: {}", known.name, error.describe()))
}

fn refusal(code: ResultCode, message: String) -> Refusal {
    Refusal { code, message, reason: "control", missing: Vec::new(), asks: None }
}
