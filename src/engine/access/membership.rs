//! Whether a decision was made without knowing well enough in which groups somebody is, although that might change it.
//!
//! A decision never waits: what is not known opens nothing. Whoever made it may ask the directory, and decide again.

use super::holding::Holder;
use super::{Asked, Decision, Snapshot};
use crate::engine::Now;
use crate::engine::ldap::control::oid;
use crate::engine::ldap::request::Request;
use crate::engine::ldap::{Dn, ResultCode};

/// Somebody whose groups are not known, or not by a new answer, where knowing them might change `decision`.
pub fn unknown_person(snapshot: &Snapshot, asked: &Asked<'_>, decision: &Decision) -> Option<Dn> {
    let by_group = snapshot.policy.by_group();
    if !by_group.access && !by_group.eligible {
        return None;
    }
    let is_proxied = |control: &crate::engine::ldap::control::Control<'_>| control.oid == oid::PROXIED_AUTHORIZATION_V2;
    let proxied = asked.controls.iter().find(|control| is_proxied(control));
    let (refused, restricted) = match decision {
        // A control may be refused for what a group would open: replication, say.
        Decision::Refused(refusal) => {
            let by_control = refusal.code == ResultCode::UNAVAILABLE_CRITICAL_EXTENSION;
            (!refusal.missing.is_empty() || by_control, proxied.is_some())
        }
        Decision::Permitted(permit) => {
            let redaction = permit.redaction();
            let redacts = redaction.hides_protected() || redaction.cuts() || permit.monitored().is_some();
            // What a group opens must not stay open by an old answer.
            let stands = !permit.standing().is_empty() || proxied.is_some();
            (false, stands || redacts || !redaction.is_empty() && !redaction.is_root_dse())
        }
    };
    // Who only binds is told of no role.
    let for_role = refused && by_group.eligible && !matches!(asked.request, Request::Bind(_));
    if !(by_group.access && (refused || restricted) || for_role) {
        return None;
    }
    let unknown = |name: &Dn| !name.is_root() && !snapshot.groups.is_settled(name, asked.now.monotonic);
    if let Some(own) = Holder::of(snapshot, asked).name().filter(|name| unknown(name)) {
        return Some(own.clone());
    }
    // RFC 4370: the value names whom the operation is for.
    proxied.and_then(|control| Dn::parse(control.value?.get(3..)?).ok()).filter(unknown)
}

/// The same for somebody who has been authenticated, and whose right to bind was decided.
pub fn unknown_bound<'n>(snapshot: &Snapshot, name: &'n Dn, decision: &Decision, now: Now) -> Option<&'n Dn> {
    let restricted = match decision {
        Decision::Refused(_) => true,
        Decision::Permitted(permit) => permit.monitored().is_some(),
    };
    let unknown = snapshot.policy.by_group().access && !snapshot.groups.is_settled(name, now.monotonic);
    (restricted && unknown).then_some(name)
}
