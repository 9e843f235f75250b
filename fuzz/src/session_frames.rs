//! Requests of the fuzzed session's client, and messages cut out of octets.

use super::dn;
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::filter::Filter;
use tidegate::engine::ldap::frame::frame_length;
use tidegate::engine::ldap::message::Envelope;
use tidegate::engine::ldap::request::{
    Authentication, BindName, BindRequest, DerefAliases, Request, SearchRequest, SearchScope,
};

pub(super) fn search(base: &str) -> Request<'static> {
    Request::Search(SearchRequest {
        base: dn(base),
        scope: SearchScope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter: Filter::Present(AttributeDescription(b"objectClass")),
        attributes: Vec::new(),
    })
}

pub(super) fn bind(name: &str) -> Request<'static> {
    let authentication = Authentication::Simple(if name.is_empty() { b"" } else { b"secret" });
    Request::Bind(BindRequest { version: 3, name: BindName::Dn(dn(name)), authentication })
}

/// Cuts octets into messages.
pub(super) fn each(mut octets: &[u8], mut look: impl FnMut(Envelope<'_>)) {
    while let Some(length) = frame_length(octets, usize::MAX).expect("messages") {
        let (frame, rest) = octets.split_at(length);
        octets = rest;
        let envelope = Envelope::parse_response(frame).or_else(|_| Envelope::parse_request(frame));
        look(envelope.expect("a whole message"));
    }
    assert!(octets.is_empty(), "half a message");
}
