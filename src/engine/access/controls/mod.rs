//! The controls that are let through, and what each of them may do. What is not in the list is not
//! understood, and so is refused or left out (RFC 4511 4.1.11).

use super::Refusal;
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::{Control, MAX_CONTROLS, oid};
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::Request;

/// What a control means to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Reads nothing that the operation does not: let through.
    Harmless,
    /// Makes a delete one of everything below.
    TreeDelete,
    /// Tells something of the entries that the operation reaches: only where none of them is hidden.
    Reads,
    /// Tells something of any entry: only where nothing at all is hidden.
    ReadsAnywhere,
    /// Acts as somebody else: refused, critical or not.
    Impersonates,
    /// Comes with answers only: not forwarded, but advertised.
    Answer,
}

/// One control of which it is known what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its OID.
    pub oid: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// What it does.
    pub meaning: Meaning,
}

const fn known(oid: &'static str, name: &'static str, meaning: Meaning) -> Known {
    Known { oid, name, meaning }
}

/// Every control that is understood. The rootDSE advertises no other.
pub const KNOWN: &[Known] = &[
    known(oid::PAGED_RESULTS, "paged results", Meaning::Harmless),
    known(oid::MANAGE_DSA_IT, "ManageDsaIT", Meaning::Harmless),
    known(oid::PASSWORD_POLICY, "password policy", Meaning::Harmless),
    known(oid::SUBENTRIES, "subentries", Meaning::Harmless),
    known(oid::DONT_USE_COPY, "don't use copy", Meaning::Harmless),
    known(oid::SESSION_TRACKING, "session tracking", Meaning::Harmless),
    known(oid::DOMAIN_SCOPE, "domain scope", Meaning::Harmless),
    known(oid::SORT_REQUEST, "sort", Meaning::Harmless),
    known(oid::SORT_RESPONSE, "sort answer", Meaning::Answer),
    known(oid::TREE_DELETE, "tree delete", Meaning::TreeDelete),
    known(oid::ASSERTION, "assertion", Meaning::Reads),
    known(oid::PRE_READ, "pre-read", Meaning::Reads),
    known(oid::POST_READ, "post-read", Meaning::Reads),
    known(oid::MATCHED_VALUES, "matched values", Meaning::Reads),
    known(oid::VLV_REQUEST, "virtual list view", Meaning::Reads),
    known(oid::VLV_RESPONSE, "virtual list view answer", Meaning::Answer),
    known(oid::DEREFERENCE, "dereference", Meaning::ReadsAnywhere),
    known(oid::PROXIED_AUTHORIZATION_V1, "proxied authorization (draft)", Meaning::Impersonates),
    known(oid::PROXIED_AUTHORIZATION_V2, "proxied authorization", Meaning::Impersonates),
];

/// What is known of a control.
pub fn lookup(oid: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.oid == oid)
}

/// Whether clients may be told that the gate supports this control.
pub fn is_advertised(oid: &str) -> bool {
    lookup(oid).is_some_and(|known| known.meaning != Meaning::Impersonates)
}

/// Which controls of a request are let through, by position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Forwarded(u64);

impl Forwarded {
    pub(super) fn contains(self, position: usize) -> bool {
        position < MAX_CONTROLS && self.0 >> position & 1 == 1
    }
}

/// Whether the operation may be told more than it says itself, asked where a control would tell it.
///
/// "Reached" is everything that the operation can touch: of a search its base too, of a rename both names.
/// Of an attribute description every type counts that it covers: subtypes, `*`, `+`, `@class`; an empty list is
/// all user attributes (RFC 4511 4.5.1.8).
#[expect(dead_code, reason = "controls that carry attributes are not read yet")]
pub(super) trait Openness {
    /// Nothing that the operation reaches is hidden from its subject: neither an entry nor an attribute.
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
    /// Whether this attribute may be read of every entry that there is.
    fn attribute_is_open_anywhere(&mut self, attribute: AttributeDescription<'_>) -> bool;
    /// As [`Openness::attribute_is_open_anywhere`], for each.
    fn list_is_open_anywhere(&mut self, attributes: &[AttributeDescription<'_>]) -> bool;
}

/// Decides upon each control.
pub(super) fn screen(
    controls: &[Control<'_>],
    request: &Request<'_>,
    openness: &mut dyn Openness,
) -> Result<Forwarded, Refusal> {
    let mut forwarded = Forwarded::default();
    if controls.len() > MAX_CONTROLS {
        return Err(refusal(ResultCode::PROTOCOL_ERROR, "too many controls".to_owned()));
    }
    for (position, control) in controls.iter().enumerate() {
        let fits = match lookup(control.oid).map(|known| known.meaning) {
            Some(Meaning::Harmless) => true,
            Some(Meaning::TreeDelete) => matches!(request, Request::Delete(_)),
            Some(Meaning::Reads) => openness.reach_is_open(),
            Some(Meaning::ReadsAnywhere) => openness.all_is_open(),
            Some(Meaning::Impersonates) => {
                // RFC 4370 3: authorizationDenied. Refused where it is not critical too, for the
                // client would believe to act as somebody else.
                let message = "proxied authorization is not available".to_owned();
                return Err(refusal(ResultCode::AUTHORIZATION_DENIED, message));
            }
            Some(Meaning::Answer) | None => false,
        };
        if fits {
            forwarded.0 |= 1 << position;
        } else if control.critical {
            let message = format!("control {} is not available here", control.oid);
            return Err(refusal(ResultCode::UNAVAILABLE_CRITICAL_EXTENSION, message));
        }
    }
    Ok(forwarded)
}

fn refusal(code: ResultCode, message: String) -> Refusal {
    Refusal { code, message, reason: "control", missing: Vec::new() }
}
