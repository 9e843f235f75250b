//! Ends that a record does not have although they happened: the store did not take them, or lost them. They are made up
//! for from what was kept elsewhere, and never open anything.

use super::{Lock, Request, RequestState};
use crate::engine::grant::history::{Entry, Happened};
use crate::engine::grant::lifecycle::{Grant, GrantState};
use crate::engine::ldap::Dn;

/// The grant, ended by this; `None`: it has ended, or this is no end of a grant.
pub fn end_grant(grant: &Grant, end: &Entry) -> Option<Grant> {
    let state = match end.what {
        Happened::Expired => GrantState::Expired,
        Happened::Released => GrantState::Released,
        Happened::Revoked => GrantState::Revoked,
        Happened::Requested
        | Happened::Approved
        | Happened::Denied
        | Happened::Cancelled
        | Happened::Lapsed
        | Happened::Escalated
        | Happened::Granted
        | Happened::Activated
        | Happened::Warned
        | Happened::SignedOff
        | Happened::Locked
        | Happened::Unlocked => return None,
    };
    if grant.state.is_end() {
        return None;
    }
    let entry = behind(end, grant.revision);
    let mut next = Grant { state, revision: entry.after, ended: Some(end.at.min(grant.until)), ..grant.clone() };
    next.history.push(entry);
    Some(next)
}

/// The request, decided by this; `None`: it does not wait, or this does not end a request without a grant.
pub fn end_request(request: &Request, end: &Entry) -> Option<Request> {
    let state = match end.what {
        Happened::Denied => RequestState::Denied,
        Happened::Cancelled => RequestState::Cancelled,
        Happened::Lapsed => RequestState::Lapsed,
        Happened::Requested
        | Happened::Approved
        | Happened::Escalated
        | Happened::Granted
        | Happened::Activated
        | Happened::Warned
        | Happened::Expired
        | Happened::Released
        | Happened::Revoked
        | Happened::SignedOff
        | Happened::Locked
        | Happened::Unlocked => return None,
    };
    if request.state != RequestState::Pending {
        return None;
    }
    let entry = behind(end, request.revision);
    let mut next = Request { state, revision: entry.after, ..request.clone() };
    next.history.push(entry);
    Some(next)
}

/// The lock of a subject, set by this; `before` is what is on record of it. `None`: it is set, or this sets none.
pub fn set_lock(before: Option<&Lock>, subject: &Dn, end: &Entry) -> Option<Lock> {
    if end.what != Happened::Locked || before.is_some_and(|before| before.locked) {
        return None;
    }
    let entry = behind(end, before.map_or(0, |before| before.revision));
    let mut history = before.map(|before| before.history.clone()).unwrap_or_default();
    let (revision, reason) = (entry.after, entry.reason.clone().unwrap_or_default());
    history.push(entry);
    Some(Lock { id: Lock::id_of(subject), revision, subject: subject.clone(), locked: true, reason, history })
}

/// What happened, as the next thing that happened to a record of this revision.
fn behind(end: &Entry, revision: u64) -> Entry {
    Entry { before: revision, after: revision.saturating_add(1), ..end.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::grant::fixture::{at, person, uid};

    #[test]
    fn a_lock_is_set_over_what_is_on_record_and_once() {
        let entry = |what| Entry::by(what, &person("root"), at(0).wall, Some("why"), 7);
        let locked = entry(Happened::Locked);
        let first = set_lock(None, &uid("anna"), &locked).unwrap();
        assert_eq!((first.locked, first.revision, first.reason.as_str()), (true, 1, "why"));
        assert_eq!(set_lock(Some(&first), &uid("anna"), &locked), None);
        assert_eq!(set_lock(None, &uid("anna"), &entry(Happened::Unlocked)), None);
        let lifted = Lock { locked: false, revision: 2, ..first };
        let again = set_lock(Some(&lifted), &uid("anna"), &locked).unwrap();
        assert_eq!((again.locked, again.revision, again.history.len()), (true, 3, 2));
    }
}
