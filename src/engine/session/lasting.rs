//! Searches that may last for ever: sync, persistent search, notification. No decision outlives what it was made
//! by, so these are decided upon again whenever anything changes: grants, policy, groups, the directory.

use super::Identity;
use super::client::Message;
use super::outstanding::{Again, Operation, Purpose, Redacts};
use crate::engine::access::root_dse::Offered;
use crate::engine::access::{self, Asked, Decision, Permit, Snapshot};
use crate::engine::ldap::control::Control;
use crate::engine::ldap::message::{self, Envelope, UpstreamMessageId};
use crate::engine::ldap::request::Request;
use crate::engine::policy::StandingName;
use crate::engine::time::Now;
use std::sync::Arc;

/// What it takes to decide again: the request with those controls that were forwarded.
pub(super) fn again(sent: Message<'_>, permit: &Permit, snapshot: &Snapshot) -> Again {
    let mut frame = Vec::new();
    let controls: Vec<Control<'_>> = permit.controls(sent.controls).collect();
    message::write_request(&mut frame, UpstreamMessageId(sent.id.0), sent.request, &controls);
    Again { frame, snapshot: snapshot.clone() }
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ends.
    Ends,
    /// It continues.
    Continues,
    /// It continues, by other access than before.
    ContinuesOtherwise,
}

/// Whether an operation may continue. `identity` is the session's.
pub(super) fn look_again(operation: &mut Operation, identity: &Identity, snapshot: &Snapshot, now: Now) -> Fate {
    // Only what lasts is decided again.
    let before = operation.again.is_some().then(|| Access::of(&operation.permit));
    if !still_holds(operation, identity, snapshot, now) {
        return Fate::Ends;
    }
    match before {
        Some(before) if !before.is_of(&operation.permit) => Fate::ContinuesOtherwise,
        Some(_) | None => Fate::Continues,
    }
}

/// The grants and the standing access that a permit depends on, in no order.
struct Access {
    grants: Vec<Arc<str>>,
    standing: Vec<StandingName>,
}

impl Access {
    fn of(permit: &Permit) -> Access {
        let grants = permit.rests_on().iter().map(|grant| Arc::clone(&grant.id)).collect();
        Access { grants, standing: permit.standing().to_vec() }
    }

    fn is_of(&self, permit: &Permit) -> bool {
        let grants = permit.rests_on();
        self.grants.len() == grants.len()
            && grants.iter().all(|grant| self.grants.contains(&grant.id))
            && self.standing.len() == permit.standing().len()
            && permit.standing().iter().all(|name| self.standing.contains(name))
    }
}

fn still_holds(operation: &mut Operation, identity: &Identity, snapshot: &Snapshot, now: Now) -> bool {
    let certificate = identity.certificate.as_ref();
    let acts =
        operation.permit.acts_for().is_none() || access::may_still_act(snapshot, &identity.subject, certificate, now);
    let holder = operation.permit.acts_for().unwrap_or(&identity.subject);
    // Who binds is not who the session is; their standing access is looked at when the directory has answered.
    let stands = !operation.is_relayed()
        || access::standing_holds(operation.permit.standings(), holder, certificate, snapshot, now);
    let holds = acts && stands && operation.permit.renew(snapshot, now);
    let Some(again) = &mut operation.again else { return holds };
    if holds && is_as_it_was(&again.snapshot, snapshot) {
        return true;
    }
    let Ok(envelope) = Envelope::parse_request(&again.frame) else { return false };
    let (Ok(controls), Ok(request)) = (envelope.controls(), Request::decode_within(&envelope, usize::MAX)) else {
        return false;
    };
    let Request::Search(search) = &request else { return false };
    let Identity { subject, certificate, .. } = identity;
    let asked = Asked { subject, request: &request, controls: &controls, now, certificate: certificate.as_ref() };
    let Decision::Permitted(permit) = access::decide(snapshot, &asked) else { return false };
    let Purpose::Search { redacts } = &mut operation.purpose else { return false };
    // What the directory runs cannot be changed: it goes on as it is, or not at all.
    let same = permit.controls(&controls).count() == controls.len()
        && permit.redaction().is_empty() == operation.permit.redaction().is_empty()
        && redacts.as_ref().is_none_or(|redacts| redacts.parts.is_none());
    if !permit.replicates() || !same {
        return false;
    }
    *redacts = Redacts::of(&permit, search, None, Offered::default(), snapshot);
    operation.permit = permit;
    again.snapshot = snapshot.clone();
    true
}

pub(super) fn is_as_it_was(then: &Snapshot, now: &Snapshot) -> bool {
    Arc::ptr_eq(&then.policy, &now.policy)
        && Arc::ptr_eq(&then.grants, &now.grants)
        && (Arc::ptr_eq(&then.groups, &now.groups) || then.groups.says_the_same(&now.groups))
        && Arc::ptr_eq(&then.directory, &now.directory)
        && then.recording == now.recording
}
