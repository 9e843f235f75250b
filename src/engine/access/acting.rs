//! For whom an operation is done, where a control says so (RFC 4370), and whether whoever asks may say it.
//!
//! The decision is then the one for that other: what the one who asks holds does not count.

use super::holding::Holder;
use super::resolved::{self, Resolved};
use super::{Asked, Decision, Permit, Refusal, Snapshot, decide_bound};
use crate::engine::Now;
use crate::engine::ldap::control::{Control, oid};
use crate::engine::ldap::request::{ExtendedRequest, Request};
use crate::engine::ldap::{Dn, ResultCode};
use crate::engine::policy::Subject;
use crate::engine::policy::resource::ResourceIndex;

/// What whoever may not is told.
pub(super) const UNAVAILABLE: &str = "proxied authorization is not available";

/// Whom an operation is done for, and the right to be that one.
#[derive(Debug)]
pub(super) struct Acting {
    pub(super) subject: Subject,
    pub(super) permit: Permit,
}

/// Whom the operation is asked to be done for, if anybody but the subject, and if the subject may say so.
/// For the record: a decision finds it out itself.
pub fn acts_for(snapshot: &Snapshot, asked: &Asked<'_>) -> Option<Subject> {
    named(snapshot, &Resolved::of(snapshot, asked).asked(asked)).ok().flatten().map(Subject::Dn)
}

/// The same, with the right to bind as that one: acting is not a way around a login that is protected.
pub(super) fn acting(snapshot: &Snapshot, asked: &Asked<'_>) -> Result<Option<Acting>, Refusal> {
    let Some(name) = named(snapshot, asked)? else { return Ok(None) };
    match decide_bound(snapshot, &name, None, asked.now) {
        Decision::Permitted(permit) => Ok(Some(Acting { subject: Subject::Dn(name), permit })),
        Decision::Refused(refusal) if refusal.code == ResultCode::UNAVAILABLE => Err(refusal),
        Decision::Refused(refusal) => {
            Err(Refusal { reason: "not held", ..denied("binding as this one is protected", refusal.missing) })
        }
    }
}

fn named(snapshot: &Snapshot, asked: &Asked<'_>) -> Result<Option<Dn>, Refusal> {
    let speaks =
        |control: &&Control<'_>| matches!(control.oid, oid::PROXIED_AUTHORIZATION_V2 | oid::PROXIED_AUTHORIZATION_V1);
    let mut found = asked.controls.iter().filter(speaks);
    // RFC 4511 4.1.11: of an unbind nothing is refused.
    let (Some(control), false) = (found.next(), matches!(asked.request, Request::Unbind)) else { return Ok(None) };
    let no = |why: &str| Err(denied(why, Vec::new()));
    if !may_act(snapshot, asked) {
        return no(UNAVAILABLE);
    }
    // Not critical, it would be done as the one who asks by a directory that does not know it.
    if !control.critical || control.oid != oid::PROXIED_AUTHORIZATION_V2 || found.next().is_some() {
        return no("proxied authorization is one critical control of RFC 4370");
    }
    if !may_stand_on(asked.request) {
        return no("proxied authorization is not available with this operation");
    }
    if !snapshot.directory.proxied_authorization {
        return no("the directory does not offer proxied authorization (RFC 4370)");
    }
    // RFC 4513 5.2.1.8. What another form names, and nobody at all, cannot be decided upon.
    let (prefix, name) = control.value.unwrap_or_default().split_at_checked(3).unwrap_or_default();
    match Dn::parse(name) {
        Ok(name) if prefix.eq_ignore_ascii_case(b"dn:") && !name.is_root() => Ok(Some(resolved::name(snapshot, name))),
        Ok(_) | Err(_) => no("proxied authorization is for names that are DNs"),
    }
}

/// Whether the subject is one of those who may act for others. Who came with a certificate is acted for as it is.
fn may_act(snapshot: &Snapshot, asked: &Asked<'_>) -> bool {
    asked.certificate.is_none()
        && *asked.subject != Subject::Anonymous
        && Holder::of(snapshot, asked).is_one_of(&snapshot.policy.proxied_authorization)
}

/// Whether the subject is still one of those who may act for others, whatever they do.
pub fn may_still_act(snapshot: &Snapshot, subject: &Subject, certificate: Option<&Dn>, now: Now) -> bool {
    let asked = Asked { subject, request: &Request::Unbind, controls: &[], now, certificate };
    may_act(snapshot, &Resolved::of(snapshot, &asked).asked(&asked))
}

fn may_stand_on(request: &Request<'_>) -> bool {
    match request {
        Request::Search(_)
        | Request::Modify(_)
        | Request::Add(_)
        | Request::Delete(_)
        | Request::Rename(_)
        | Request::Compare(_)
        | Request::Extended(
            ExtendedRequest::WhoAmI | ExtendedRequest::Password { .. } | ExtendedRequest::Other { .. },
        ) => true,
        Request::Bind(_)
        | Request::Unbind
        | Request::Abandon(_)
        | Request::Extended(ExtendedRequest::StartTls | ExtendedRequest::Cancel(_)) => false,
    }
}

/// RFC 4370 3.
pub(super) fn denied(why: &str, missing: Vec<ResourceIndex>) -> Refusal {
    Refusal { code: ResultCode::AUTHORIZATION_DENIED, message: why.to_owned(), reason: "control", missing, asks: None }
}
