//! Everything that is said to the directory, in one place: nothing is written to it elsewhere.
//!
//! Over a connection that is the gate's own, every operation carries the assertion whose it is, and it
//! is critical (RFC 4370): without it, or where it is not understood, it would be done as the gate.

use super::{Bound, Effects, Link, Session};
use crate::engine::ldap::control::{self, Control, oid};
use crate::engine::ldap::message::{self, UpstreamMessageId};
use crate::engine::ldap::request::Request;
use crate::engine::ldap::tag;

/// What is said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'w> {
    /// An operation, and the controls that were permitted with it.
    Request(&'w Request<'w>, &'w [Control<'w>]),
    /// A part of a search: its body and the content of its controls, as they were encoded when they were
    /// permitted.
    Search(&'w [u8], &'w [u8]),
    /// RFC 3909, of what the directory knows by this id.
    Cancel(UpstreamMessageId, &'w [Control<'w>]),
    /// RFC 4511 4.11, of what the directory knows by this id.
    Abandon(UpstreamMessageId),
    /// The session's leave.
    Unbind,
}

impl Session {
    /// Says it, over a connection that is opened where there is none; returns under which id.
    pub(super) fn tell(&mut self, word: Word<'_>, fx: &mut Effects) -> UpstreamMessageId {
        if matches!((&self.bound, word), (Bound::Asserted(_), Word::Request(Request::Bind(_), _))) {
            // What is bound by it must not be the gate's own connection, nor asked for in another's name.
            self.unlink(fx);
        }
        let id = self.outstanding.next_id();
        let authorization = match &self.bound {
            Bound::Nobody | Bound::Somebody => None,
            Bound::Asserted(name) => Some([b"dn:", name.text().as_bytes()].concat()),
        };
        let assertion = authorization.as_deref().map(|value| Control {
            oid: oid::PROXIED_AUTHORIZATION_V2,
            critical: true,
            value: Some(value),
        });
        let with_assertion =
            |controls: &[Control<'_>], out: &mut Vec<u8>, write: &dyn Fn(&mut Vec<u8>, &[Control<'_>])| match assertion
            {
                None => write(out, controls),
                Some(assertion) => {
                    let all: Vec<_> = controls.iter().copied().chain([assertion]).collect();
                    write(out, &all);
                }
            };
        let out = &mut fx.to_upstream;
        match word {
            Word::Request(request, controls) => {
                with_assertion(controls, out, &|out, controls| message::write_request(out, id, request, controls));
            }
            Word::Cancel(target, controls) => {
                with_assertion(controls, out, &|out, controls| message::write_cancel(out, id, target, controls));
            }
            Word::Search(body, controls) => {
                let mut all = controls.to_vec();
                control::write_controls(&mut all, assertion.as_slice());
                let all = Some(all.as_slice()).filter(|all| !all.is_empty());
                message::write_message(out, id.0, tag::SEARCH_REQUEST, body, all);
            }
            // RFC 4370 3: not with these. They name nothing but the connection's own operations.
            Word::Abandon(target) => message::write_abandon(out, id, target),
            Word::Unbind => message::write_request(out, id, &Request::Unbind, &[]),
        }
        if self.link == Link::None {
            self.link = Link::Opening;
            fx.connect = true;
            fx.as_proxy = assertion.is_some();
        }
        id
    }
}
