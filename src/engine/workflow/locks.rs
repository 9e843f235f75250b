//! Locks: an administrator's stop on a subject. It ends and prevents every grant of the subject until it is
//! lifted, and the subject can neither ask nor decide. One record a subject, however it is spelled.

use super::WorkflowError;
use super::asking::check_text;
use super::authority::Context;
use crate::engine::grant::history::{Actor, Entry, Happened, dn_text};
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use crate::engine::policy::selector::Selector;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// A stop on a subject, or one that was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// `lock-…`: the same for every way to write the subject.
    pub id: String,
    /// Counts transitions, from 1.
    pub revision: u64,
    /// Who is locked, as the administrator wrote it.
    #[serde(with = "dn_text")]
    pub subject: Dn,
    /// Whether it is in force.
    pub locked: bool,
    /// Why.
    pub reason: String,
    /// Every time it was set and lifted, oldest first.
    pub history: Vec<Entry>,
}

/// The locks that are in force.
#[derive(Debug, Clone, Default)]
pub struct Locks(HashMap<Dn, Lock>);

impl Lock {
    /// The id of the lock of a subject.
    pub fn id_of(subject: &Dn) -> String {
        let digest = Sha256::digest(subject.key());
        let letters: String = digest.iter().take(10).map(|octet| format!("{octet:02x}")).collect();
        format!("lock-{letters}")
    }
}

impl Locks {
    /// The lock of whoever may be this subject, names read as `naming` says.
    pub fn of(&self, subject: &Dn, naming: &Naming) -> Option<&Lock> {
        if self.0.is_empty() {
            return None;
        }
        let subject = subject.resolved(naming);
        let may_be = |lock: &&Lock| lock.subject.resolved(naming).may_be(&subject);
        self.0.get(&*subject).or_else(|| self.0.values().find(may_be))
    }

    /// The lock of exactly this subject, however it is written, names read as `naming` says.
    pub fn of_name(&self, subject: &Dn, naming: &Naming) -> Option<&Lock> {
        let subject = subject.resolved(naming);
        self.0.values().find(|lock| lock.subject.resolved(naming) == subject)
    }

    /// These, and what became of one.
    #[must_use]
    pub fn with(&self, lock: &Lock) -> Locks {
        let mut locks = self.0.clone();
        if lock.locked {
            locks.insert(lock.subject.clone(), lock.clone());
        } else {
            locks.remove(&lock.subject);
        }
        Locks(locks)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Lock> {
        self.0.values()
    }
}

/// Locks a subject; `before` is what is on record of it.
///
/// # Errors
/// The actor does not administer, no reason is given, or it is locked already.
pub fn lock(
    before: Option<&Lock>,
    subject: &Dn,
    reason: &str,
    actor: &Actor,
    context: &Context<'_>,
) -> Result<Lock, WorkflowError> {
    check_administers(actor, context)?;
    check_text("the reason", reason)?;
    if reason.trim().is_empty() {
        return Err(WorkflowError::ReasonMissing);
    }
    if before.is_some_and(|before| before.locked) {
        return Err(WorkflowError::LockedAlready(subject.text().to_owned()));
    }
    let revision = before.map_or(0, |before| before.revision);
    let entry = Entry::by(Happened::Locked, actor, context.now.wall, Some(reason), revision);
    let mut history = before.map(|before| before.history.clone()).unwrap_or_default();
    forget_old(&mut history);
    let next = entry.after;
    history.push(entry);
    let (id, subject, reason) = (Lock::id_of(subject), subject.clone(), reason.to_owned());
    Ok(Lock { id, revision: next, subject, locked: true, reason, history })
}

/// Checks that somebody still administers once `subject` is locked. Whoever locks another administrator is one
/// themselves; only those who lock themselves can be the last. `others`: administrators who are known by name, from
/// `dn:` and `group:` selectors. Who holds a certificate or is in a subtree is not known, and is not counted.
///
/// # Errors
/// Nobody would be left.
pub fn check_leaves_administrator(
    subject: &Dn,
    actor: &Actor,
    others: &[Dn],
    context: &Context<'_>,
) -> Result<(), WorkflowError> {
    let naming = context.policy.naming();
    let subject_resolved = subject.resolved(naming);
    let stays = |name: &Dn| !context.is_locked(name) && !name.resolved(naming).may_be(&subject_resolved);
    let actor_stays = actor.acts.dn.as_ref().is_none_or(stays);
    let is_left = |selector: &Selector| match selector {
        Selector::Local(user) => context.authority.subject_of(user).is_none_or(|name| stays(&name)),
        Selector::Anyone => true,
        Selector::Dn(_) | Selector::Group(_) | Selector::Subtree(_) | Selector::Certificate(_) => false,
    };
    if actor_stays || context.authority.administrators.iter().any(is_left) || others.iter().any(stays) {
        return Ok(());
    }
    Err(WorkflowError::LastAdministrator(subject.text().to_owned()))
}

/// Lifts a lock.
///
/// # Errors
/// The actor does not administer, or there is none.
pub fn unlock(
    before: Option<&Lock>,
    subject: &Dn,
    actor: &Actor,
    context: &Context<'_>,
) -> Result<Lock, WorkflowError> {
    check_administers(actor, context)?;
    let Some(before) = before.filter(|before| before.locked) else {
        return Err(WorkflowError::NotLocked(subject.text().to_owned()));
    };
    let entry = Entry::by(Happened::Unlocked, actor, context.now.wall, None, before.revision);
    let mut next = Lock { locked: false, revision: entry.after, ..before.clone() };
    next.history.push(entry);
    Ok(next)
}

/// Whether the actor may do what administrators do: who is locked may not, their own lock included.
///
/// # Errors
/// They may not.
pub fn check_administers(actor: &Actor, context: &Context<'_>) -> Result<(), WorkflowError> {
    if !context.is_administrator(actor) {
        return Err(WorkflowError::NotAdministrator);
    }
    context.check_unlocked(actor)
}

/// A record has bounds, and a subject can be locked any number of times: the log has all of it.
fn forget_old(history: &mut Vec<Entry>) {
    const KEPT: usize = 20;
    history.drain(..history.len().saturating_sub(KEPT));
}
