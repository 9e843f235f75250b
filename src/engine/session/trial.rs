//! Trying with the requester's own rights, before the first search that excludes hidden entries by name, whether the directory
//! evaluates such filters for them. Where it does not, the search is asked as it was written, and counted as exposed.

use super::client::Message;
use super::outstanding::Operation;
use super::search::TOO_OFTEN;
use super::{Effects, Session};
use crate::engine::access::{Permit, Snapshot, TrialKey};
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::control::{self, Control, oid};
use crate::engine::ldap::request::{Request, SearchRequest};
use crate::engine::ldap::{Dn, ResultCode};
use crate::engine::policy::Subject;
use crate::engine::redaction::{Plan, trial};
use crate::engine::time::Now;

/// A search for one entry, any at all that the search reaches.
#[derive(Debug)]
pub(super) struct Trial {
    key: TrialKey,
    pub(super) body: Vec<u8>,
    /// The content of a controls element.
    pub(super) controls: Vec<u8>,
    /// Whether the directory has sent an entry.
    pub(super) found: bool,
}

impl Trial {
    /// `tree`: one in which the directory was seen to exclude entries.
    fn new<'c>(
        key: TrialKey,
        search: &SearchRequest<'_>,
        tree: &Dn,
        controls: impl Iterator<Item = Control<'c>>,
    ) -> Trial {
        let any = SearchRequest {
            size_limit: 1,
            types_only: true,
            filter: trial(tree),
            attributes: vec![AttributeDescription(b"1.1")],
            ..search.clone()
        };
        let mut body = Vec::new();
        Request::Search(any).write_body(&mut body);
        let on_whose_behalf = [oid::PROXIED_AUTHORIZATION_V2, oid::MANAGE_DSA_IT];
        let kept: Vec<Control<'_>> = controls.filter(|control| on_whose_behalf.contains(&control.oid)).collect();
        let mut encoded = Vec::new();
        control::write_controls(&mut encoded, &kept);
        Trial { key, body, controls: encoded, found: false }
    }
}

impl Session {
    /// Has a plan exclude nothing where that is known to find nothing. `Some`: it has to be tried first. `goes_on`: pages of
    /// the search were shown before.
    pub(super) fn try_first(
        &self,
        plan: &mut Plan<'_>,
        sent: Message<'_>,
        permit: &Permit,
        goes_on: bool,
        snapshot: &Snapshot,
        now: Now,
    ) -> Option<Trial> {
        let Request::Search(search) = sent.request else { return None };
        if !plan.excludes() {
            return None;
        }
        let key = TrialKey::of(self.searches_as(permit), &search.base, search.scope);
        match snapshot.evaluates(&key, goes_on, now) {
            None if !goes_on => {
                let tree = snapshot.directory.excludes.first()?;
                Some(Trial::new(key, search, tree, permit.controls(sent.controls)))
            }
            Some(true) | None => None,
            Some(false) => {
                plan.exclude_nothing();
                None
            }
        }
    }

    /// For whom a search is done.
    pub(super) fn searches_as<'s>(&'s self, permit: &'s Permit) -> &'s Subject {
        permit.acts_for().unwrap_or(&self.identity.subject)
    }

    /// The directory has answered a trial.
    pub(super) fn tried(
        &mut self,
        mut operation: Operation,
        trial: &Trial,
        code: ResultCode,
        snapshot: &Snapshot,
        now: Now,
        fx: &mut Effects,
    ) {
        // Any other end leaves it open.
        if trial.found || code == ResultCode::SUCCESS {
            snapshot.trials.remember(trial.key, trial.found, now.monotonic);
        }
        if !trial.found {
            if let Some(parts) = operation.parts_mut() {
                parts.exclude_nothing();
            }
            let subject = self.searches_as(&operation.permit);
            if !snapshot.admits_exposed(subject, &self.origin.connection_from, now) {
                return self.end_search(operation, ResultCode::BUSY, TOO_OFTEN, now, fx);
            }
        }
        self.ask(operation, now, fx);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parts::Parts;
    use super::*;
    use crate::engine::ldap::filter::Filter;
    use crate::engine::ldap::request::{DerefAliases, SearchScope};
    use crate::engine::redaction::Stages;

    /// The directory is asked the trial first, whatever else is to be asked, and the search itself is as it was.
    #[test]
    fn a_trial_is_asked_before_all_stages_and_changes_none() {
        let tree: Dn = "dc=x".parse().unwrap();
        let search = SearchRequest {
            base: tree.clone(),
            scope: SearchScope::Subtree,
            deref: DerefAliases::Never,
            size_limit: 7,
            time_limit: 0,
            types_only: false,
            filter: Filter::Present(AttributeDescription(b"cn")),
            attributes: vec![AttributeDescription(b"mail")],
        };
        let controls = [
            Control { oid: oid::SORT_REQUEST, critical: false, value: Some(b"sort") },
            Control { oid: oid::PROXIED_AUTHORIZATION_V2, critical: true, value: Some(b"dn:cn=a") },
        ];
        let parts = || Parts::new(&search, Stages::AsAsked, controls.iter().copied());
        let (mut plain, mut tried) = (parts(), parts());
        let key = TrialKey::of(&Subject::Anonymous, &tree, search.scope);
        let trial = Trial::new(key, &search, &tree, controls.iter().copied());
        let (body, sent) = (trial.body.clone(), trial.controls.clone());
        tried.trial = Some(Box::new(trial));
        assert_eq!(tried.digest(), plain.digest(), "it is the same search");
        assert_eq!(tried.kept(), plain.kept() + body.len() + sent.len());
        assert_eq!(tried.request(), Some((body, sent.clone())));
        // For whom it is asked, and nothing about the order of what is found.
        let has = |octets: &[u8], part: &[u8]| octets.windows(part.len()).any(|window| window == part);
        assert!(has(&sent, b"dn:cn=a") && !has(&sent, b"sort"));
        tried.trial = None;
        assert_eq!((tried.request(), tried.requests()), (plain.request(), 2));
    }
}
