//! Who may do what at the control port, and who may see it.

use super::WorkflowError;
use super::locks::Locks;
use crate::engine::Now;
use crate::engine::grant::history::{Actor, Identity};
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use crate::engine::policy::Policy;
use crate::engine::policy::groups::{Belongs, Groups};
use crate::engine::policy::selector::{Person, Selector};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

/// Who administers, audits and acts as others, as configured.
#[derive(Debug, Clone, Default)]
pub struct Authority {
    /// May revoke any grant, reload, and see everything.
    pub administrators: Vec<Selector>,
    /// May see everything.
    pub auditors: Vec<Selector>,
    /// May read what is counted.
    pub metrics: Vec<Selector>,
    /// May act as another subject.
    pub act_as: Vec<Selector>,
    /// Whether those who act as others are taken for those others: else whatever one of them does under
    /// several names is one person's.
    pub trust_act_as: bool,
    /// How many requests of one person may wait at once; `None`: any number.
    pub max_pending: Option<usize>,
    /// How many requests one person may make within an hour, whatever becomes of them; `None`: any number.
    pub requests_per_hour: Option<usize>,
    /// Which subject a user of this machine is: a DN with `{user}` in it.
    pub local_subject: Option<String>,
}

impl Authority {
    /// The subject that a user of this machine is.
    pub fn subject_of(&self, user: &str) -> Option<Dn> {
        subject_by(self.local_subject.as_ref()?, "{user}", user)
    }

    /// Every group that these depend on: what has to be kept fresh.
    pub fn groups(&self) -> BTreeSet<Dn> {
        let lists = [&self.administrators, &self.auditors, &self.metrics, &self.act_as];
        lists.into_iter().flatten().filter_map(Selector::group).cloned().collect()
    }
}

/// What decisions of the workflow read.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// As configured.
    pub policy: &'a Policy,
    /// As configured.
    pub authority: &'a Authority,
    /// As the directory says.
    pub groups: &'a Groups,
    /// What it said of groups before this moment of the monotonic clock is not believed.
    pub since: Duration,
    /// Who is locked.
    pub locks: &'a Locks,
    /// When.
    pub now: Now,
}

/// Whether selectors name somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// They do.
    Yes,
    /// They do not.
    No,
    /// It depends on a group of which the directory has not lately said who is in it.
    Unknown,
}

impl Context<'_> {
    /// Whether any of `selectors` names this person.
    pub fn matches(&self, selectors: &[Selector], identity: &Identity) -> Match {
        if selectors.iter().any(|selector| self.matches_one(selector, identity)) {
            return Match::Yes;
        }
        let unknown = |selector| self.is_unknown(selector, identity);
        if selectors.iter().any(unknown) { Match::Unknown } else { Match::No }
    }

    /// Whether any of `selectors` surely names this person now.
    pub fn is(&self, selectors: &[Selector], identity: &Identity) -> bool {
        match self.matches(selectors, identity) {
            Match::Yes => true,
            Match::No | Match::Unknown => false,
        }
    }

    /// The groups among `selectors` of which it is not known whether this person is in them.
    pub fn unknown_groups(&self, selectors: &[Selector], identity: &Identity) -> Vec<Dn> {
        let unknown = selectors.iter().filter(|selector| self.is_unknown(selector, identity));
        unknown.filter_map(Selector::group).cloned().collect()
    }

    /// Whether the actor (under the name acted as) administers.
    pub fn is_administrator(&self, actor: &Actor) -> bool {
        self.is(&self.authority.administrators, &actor.acts)
    }

    /// Whether the actor (under the name acted as) may see everything: who is locked may not.
    pub fn sees_everything(&self, actor: &Actor) -> bool {
        let may = self.is_administrator(actor) || self.is(&self.authority.auditors, &actor.acts);
        may && self.check_unlocked(actor).is_ok()
    }

    /// Whether the actor may see what `requested_by` asked of `role` for `subject`: those who
    /// asked, hold, may review or administer, and auditors. Who is locked sees their own.
    pub fn may_see(&self, actor: &Actor, requested_by: &Identity, subject: &Dn, role: &str) -> Match {
        if self.is_party(actor, requested_by, subject) {
            return Match::Yes;
        }
        if self.check_unlocked(actor).is_err() {
            return Match::No;
        }
        let approvers = self.policy.role(role).map_or(&[][..], |role| &role.approvers);
        let lists = [approvers, &self.authority.administrators, &self.authority.auditors];
        let found = lists.map(|selectors| self.matches(selectors, &actor.acts));
        let wanted = [Match::Yes, Match::Unknown].into_iter().find(|wanted| found.contains(wanted));
        wanted.unwrap_or(Match::No)
    }

    /// Whether somebody who may be this subject is locked.
    pub fn is_locked(&self, subject: &Dn) -> bool {
        self.locks.of(subject, self.policy.naming()).is_some()
    }

    /// Whether the actor is locked, under any of their names.
    ///
    /// # Errors
    /// They are.
    pub fn check_unlocked(&self, actor: &Actor) -> Result<(), WorkflowError> {
        let names = [Some(&actor.acts), actor.really.as_ref()].into_iter().flatten();
        let locked = names.filter_map(|name| name.dn.as_ref()).find_map(|dn| self.locks.of(dn, self.policy.naming()));
        locked.map_or(Ok(()), |lock| Err(WorkflowError::Locked(lock.subject.text().to_owned())))
    }

    /// Whether something that `one` does may be the doing of `other`, under any of their names. With
    /// `trust_act_as`, that one operator acts as both does not make them one.
    pub(super) fn may_be_one(&self, one: &Actor, other: &Identity, really: Option<&Identity>) -> bool {
        let may_be_same = |one: &Identity, other: &Identity| may_be_same(one, other, self.policy.naming());
        may_be_same(&one.acts, other)
            || one.really.as_ref().is_some_and(|name| may_be_same(name, other))
            || really.is_some_and(|name| may_be_same(&one.acts, name))
            || !self.authority.trust_act_as
                && one.really.as_ref().zip(really).is_some_and(|(one, other)| may_be_same(one, other))
    }

    /// Whether the actor may be this subject, under any of their names.
    pub fn may_be(&self, actor: &Actor, subject: &Dn) -> bool {
        let names = [Some(&actor.acts), actor.really.as_ref()];
        names.into_iter().flatten().any(|name| name.may_be(subject, self.policy.naming()))
    }

    /// Whether the actor asked, or holds.
    pub fn is_party(&self, actor: &Actor, requested_by: &Identity, subject: &Dn) -> bool {
        let naming = self.policy.naming();
        is_same(&actor.acts, requested_by, naming) || actor.acts.is_surely(subject, naming)
    }

    fn matches_one(&self, selector: &Selector, identity: &Identity) -> bool {
        let person = Person {
            subject: identity.dn.as_ref(),
            local_user: identity.local_user.as_deref(),
            certificate: identity.certificate.as_deref(),
        };
        // Selectors of roles are as the directory reads names. Those of the control port are as they were configured.
        let naming = self.policy.naming();
        let resolved = person.subject.map(|dn| dn.resolved(naming));
        let own = selector.resolved(naming);
        let is_another = matches!(resolved, Some(Cow::Owned(_))) || matches!(own, Cow::Owned(_));
        let resolved = Person { subject: resolved.as_deref(), ..person };
        selector.matches(&person, self.groups, self.since)
            || is_another && own.matches(&resolved, self.groups, self.since)
    }

    /// Whether it is not known whether a selector names somebody.
    fn is_unknown(&self, selector: &Selector, identity: &Identity) -> bool {
        let name = identity.dn.as_ref().filter(|name| !name.is_root());
        selector
            .group()
            .zip(name)
            .is_some_and(|(group, name)| self.groups.belongs(group, name, self.since) == Belongs::Unknown)
    }
}

/// The DN that a pattern gives when `value` stands in the place of `placeholder`, whatever is in it.
pub fn subject_by(pattern: &str, placeholder: &str, value: &str) -> Option<Dn> {
    let text = pattern.replace(placeholder, &escaped(value));
    Dn::parse(text.as_bytes()).ok().filter(|dn| !dn.is_root())
}

/// Whether the two are surely one person.
pub(super) fn is_same(one: &Identity, other: &Identity, naming: &Naming) -> bool {
    other.dn.as_ref().is_some_and(|dn| one.is_surely(dn, naming))
}

/// Whether the two may be one person: what keeps people from deciding about themselves asks this.
pub(super) fn may_be_same(one: &Identity, other: &Identity, naming: &Naming) -> bool {
    other.dn.as_ref().is_some_and(|dn| one.may_be(dn, naming))
        || (one.local_user.is_some() && one.local_user == other.local_user)
}

/// A value as it stands in a DN (RFC 4514 2.4): nothing in it can end it. What is not a letter, a
/// digit or a usual sign in user names is written in hexadecimal.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for (position, octet) in value.bytes().enumerate() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => text.push(char::from(octet)),
            b'-' if position > 0 => text.push('-'),
            other => text.push_str(&format!("\\{other:02x}")),
        }
    }
    text
}
