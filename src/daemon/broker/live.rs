//! What has not ended: kept in memory, so that deadlines and changes of the configuration find it
//! without reading the store.

use super::lasting::until_monotonic;
use crate::daemon::state::Shared;
use crate::daemon::store::record::Document;
use crate::engine::Now;
use crate::engine::access::Snapshot;
use crate::engine::grant::history::Identity;
use crate::engine::grant::index::{ActiveGrant, ActiveGrants};
use crate::engine::grant::lifecycle::{Grant, GrantState};
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use crate::engine::policy::Policy;
use crate::engine::policy::groups::{GROUP_MAX_AGE, Groups};
use crate::engine::workflow::{Authority, Context, Lock, Match, Request, RequestState, ending};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Grants that depend on groups are compared with them at least this often.
const LOOK_AT_ALL: Duration = Duration::from_secs(10);

/// Requests that wait and grants that have not ended.
#[derive(Debug, Default)]
pub(super) struct Live {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Requests that wait.
    pending: BTreeMap<String, Request>,
    /// Break-glass grants that have ended and that no auditor has signed off.
    unsigned: BTreeMap<String, Grant>,
    /// What was known of groups when every grant was last compared with it.
    seen: Option<Arc<Groups>>,
    /// When that was, on the monotonic clock.
    seen_at: Duration,
    grants: BTreeMap<String, LiveGrant>,
    /// Grants that the policy does not allow as they are: kept out of the index, to be ended.
    doubtful: BTreeSet<String>,
    /// Of these, those of which it has not been known for too long whether the policy allows them.
    lost: BTreeSet<String>,
    /// Grants of which the directory has not said yet whether the policy allows them: they stay as
    /// they are, to be looked at again. Since when, on the monotonic clock.
    unsure: BTreeMap<String, Duration>,
}

#[derive(Debug)]
struct LiveGrant {
    grant: Grant,
    /// Its end on the monotonic clock, fixed when it was first seen active. Never computed again:
    /// by then the wall clock may have been set back.
    until_monotonic: Option<Duration>,
}

/// What is to be looked at now.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) requests: Vec<String>,
    pub(super) grants: Vec<String>,
    pub(super) doubtful: Vec<String>,
    /// When to look again.
    pub(super) next: Option<DateTime<Utc>>,
}

impl Live {
    /// Takes over what a store held when the process began. The index follows with [`Live::install`].
    pub(super) fn restore(&self, documents: Vec<Document>, shared: &Shared, now: Now) {
        let mut inner = self.lock();
        for document in documents {
            match document {
                Document::Request(request) if request.state == RequestState::Pending => {
                    inner.pending.insert(request.id.clone(), request);
                }
                Document::Lock(lock) => shared.locks.store(Arc::new(shared.locks.load().with(&lock))),
                Document::Grant(grant) if grant.state.is_end() && grant.is_unsigned() => {
                    inner.unsigned.insert(grant.id.clone(), grant);
                }
                Document::Grant(grant) if !grant.state.is_end() => {
                    let until_monotonic = until_monotonic(&grant, None, now);
                    inner.grants.insert(grant.id.clone(), LiveGrant { grant, until_monotonic });
                }
                Document::Request(_) | Document::Grant(_) | Document::Notification(_) => {}
            }
        }
    }

    /// Takes over documents that are durable now, and brings the index in line with them.
    pub(super) fn publish(&self, documents: &[Document], shared: &Shared, now: Now) {
        let mut opens_or_closes = false;
        for document in documents {
            match document {
                Document::Request(request) => {
                    let mut inner = self.lock();
                    if request.state == RequestState::Pending {
                        inner.pending.insert(request.id.clone(), request.clone());
                    } else {
                        inner.pending.remove(&request.id);
                    }
                }
                Document::Grant(_) => opens_or_closes = true,
                Document::Lock(lock) => self.apply(lock, shared),
                Document::Notification(_) => {}
            }
        }
        if !opens_or_closes {
            return;
        }
        shared.update(|snapshot| {
            let mut inner = self.lock();
            let mut grants = ActiveGrants::clone(&snapshot.grants);
            for document in documents {
                if let Document::Grant(grant) = document {
                    grants = inner.take(grant, &grants, shared, snapshot, now);
                }
            }
            Snapshot { grants: Arc::new(grants), ..snapshot.clone() }
        });
    }

    /// A lock was set or lifted. From the same instant on, the subject's grants open nothing.
    fn apply(&self, lock: &Lock, shared: &Shared) {
        shared.update_if(|snapshot| {
            shared.locks.store(Arc::new(shared.locks.load().with(lock)));
            if !lock.locked {
                return None;
            }
            let mut inner = self.lock();
            let naming = snapshot.policy.naming();
            let locked = lock.subject.resolved(naming);
            let is_locked = |grant: &Grant| grant.subject.resolved(naming).may_be(&locked);
            let held = inner.grants.values().filter(|live| is_locked(&live.grant));
            let held: Vec<Grant> = held.map(|live| live.grant.clone()).collect();
            let mut grants = ActiveGrants::clone(&snapshot.grants);
            for grant in held {
                grants = grants.without(&grant.subject, &grant.id);
                inner.doubtful.insert(grant.id);
            }
            Some(Snapshot { grants: Arc::new(grants), ..snapshot.clone() })
        });
    }

    /// Replaces the policy and, in the same instant, the index by one that fits it. Grants that the
    /// policy does not allow are left out and become doubtful.
    pub(super) fn install(&self, policy: Arc<Policy>, shared: &Shared, now: Now) {
        shared.update(|snapshot| {
            let mut inner = self.lock();
            let inner = &mut *inner;
            // What the directory's attributes are called does not change with the configuration.
            let schema = snapshot.policy.schema();
            let policy = match Arc::ptr_eq(policy.schema(), schema) {
                true => Arc::clone(&policy),
                false => Arc::new(policy.with_schema(Arc::clone(schema))),
            };
            let next = Snapshot { policy, grants: Arc::new(ActiveGrants::new()), ..snapshot.clone() };
            let unsure = std::mem::take(&mut inner.unsure);
            (inner.doubtful, inner.lost) = Default::default();
            for (id, live) in &inner.grants {
                match allowed(&live.grant, shared, &next, now) {
                    Match::Yes => {}
                    Match::No => _ = inner.doubtful.insert(id.clone()),
                    Match::Unknown => {
                        let since = unsure.get(id).copied().unwrap_or(now.monotonic);
                        inner.unsure.insert(id.clone(), since);
                    }
                }
            }
            let grants: ActiveGrants = (inner.grants.values())
                .filter(|live| !inner.doubtful.contains(&live.grant.id))
                .filter_map(|live| live.active(&next.policy).map(Arc::new))
                .collect();
            Snapshot { grants: Arc::new(grants.resolved(next.policy.naming())), ..next }
        });
    }

    /// Looks again at what was unsure, and at everything when the directory has said anew who is in which
    /// group: what turns out not to be allowed is closed and doubtful; so is what has been unsure for longer than
    /// `unknown_after`.
    pub(super) fn look_again(&self, shared: &Shared, unknown_after: Duration, now: Now) {
        shared.update_if(|snapshot| {
            let mut inner = self.lock();
            let mut grants = None;
            let unsure = std::mem::take(&mut inner.unsure);
            let mut again: Vec<String> = unsure.keys().cloned().collect();
            let same = |seen: &Arc<Groups>| Arc::ptr_eq(seen, &snapshot.groups) || seen.says_the_same(&snapshot.groups);
            // What is known grows old as well.
            let is_old = now.monotonic.saturating_sub(inner.seen_at) >= LOOK_AT_ALL
                && snapshot.policy.roles.iter().any(|role| role.is_held_by_group());
            if is_old || !inner.seen.as_ref().is_some_and(same) {
                (inner.seen, inner.seen_at) = (Some(Arc::clone(&snapshot.groups)), now.monotonic);
                again = inner.grants.keys().filter(|id| !inner.doubtful.contains(*id)).cloned().collect();
            }
            for id in again {
                let since = unsure.get(&id).copied().unwrap_or(now.monotonic);
                let is_lost = now.monotonic.saturating_sub(since) >= unknown_after;
                let Some(grant) = inner.grants.get(&id).map(|live| live.grant.clone()) else { continue };
                match allowed(&grant, shared, snapshot, now) {
                    Match::Yes => {}
                    Match::Unknown if !is_lost => _ = inner.unsure.insert(id, since),
                    found @ (Match::No | Match::Unknown) => {
                        if found == Match::Unknown {
                            inner.lost.insert(id.clone());
                        }
                        let before = grants.as_ref().unwrap_or(&*snapshot.grants);
                        grants = Some(before.without(&grant.subject, &id));
                        inner.doubtful.insert(id);
                    }
                }
            }
            grants.map(|grants| Snapshot { grants: Arc::new(grants), ..snapshot.clone() })
        });
    }

    /// A grant that was doubtful is allowed after all.
    pub(super) fn reconsider(&self, id: &str, shared: &Shared, now: Now) {
        shared.update(|snapshot| {
            let mut inner = self.lock();
            inner.doubtful.remove(id);
            inner.lost.remove(id);
            let grants = match inner.grants.get(id).map(|live| live.grant.clone()) {
                Some(grant) => Arc::new(inner.take(&grant, &snapshot.grants, shared, snapshot, now)),
                None => Arc::clone(&snapshot.grants),
            };
            Snapshot { grants, ..snapshot.clone() }
        });
    }

    /// What the clock, or a changed policy, has something to do with.
    pub(super) fn due(&self, now: DateTime<Utc>) -> Due {
        let inner = self.lock();
        let mut due = Due { doubtful: inner.doubtful.iter().cloned().collect(), ..Due::default() };
        let mut look = |id: &String, at: Option<DateTime<Utc>>, list: fn(&mut Due) -> &mut Vec<String>| match at {
            Some(at) if at <= now => list(&mut due).push(id.clone()),
            Some(at) => due.next = Some(due.next.map_or(at, |next| next.min(at))),
            None => {}
        };
        for (id, request) in &inner.pending {
            look(id, request.next_deadline(), |due| &mut due.requests);
        }
        for (id, live) in &inner.grants {
            look(id, live.grant.next_deadline(), |due| &mut due.grants);
        }
        due
    }

    /// Active grants that end within `before` and whose holders have not been told so. Not those that are no
    /// longer than that as a whole, nor those that another takes over from.
    pub(super) fn about_to_end(&self, now: DateTime<Utc>, before: TimeDelta) -> Vec<String> {
        let inner = self.lock();
        let soon = |grant: &Grant| {
            grant.state_at(now) == GrantState::Active
                && !grant.warned
                && grant.until.signed_duration_since(now) <= before
                && grant.until.signed_duration_since(grant.from) > before
        };
        let grants = || inner.grants.values().map(|live| &live.grant);
        let followed = |grant: &Grant| grants().any(|other| other.extends.as_deref() == Some(&grant.id));
        grants().filter(|grant| soon(grant) && !followed(grant)).map(|grant| grant.id.clone()).collect()
    }

    /// Whether it has not been known for too long whether the policy allows this grant.
    pub(super) fn is_lost(&self, id: &str) -> bool {
        self.lock().lost.contains(id)
    }

    /// The grant of this id, if it has not ended, as last written down.
    pub(super) fn grant(&self, id: &str) -> Option<Grant> {
        self.lock().grants.get(id).map(|live| live.grant.clone())
    }

    /// Who holds, and who requested, the grants of these roles that have not ended.
    pub(super) fn people_of(&self, roles: &BTreeSet<&str>) -> Vec<Dn> {
        let mut people = Vec::new();
        if roles.is_empty() {
            return people;
        }
        let inner = self.lock();
        let grants = inner.grants.values().map(|live| &live.grant);
        for grant in grants.filter(|grant| roles.contains(grant.role.as_str())) {
            people.push(grant.subject.clone());
            let requester = grant.requested_by.dn.iter().filter(|requester| !requester.is_surely(&grant.subject));
            people.extend(requester.cloned());
        }
        people
    }

    /// How many grants have not ended.
    pub(super) fn count(&self) -> usize {
        self.lock().grants.len()
    }

    /// The grants that have not ended, as last written down.
    pub(super) fn grants(&self) -> Vec<Grant> {
        self.lock().grants.values().map(|live| live.grant.clone()).collect()
    }

    /// The grants of a role that rules approved and that have not ended, as last written down.
    pub(super) fn by_rules(&self, role: &str) -> Vec<Grant> {
        let inner = self.lock();
        let grants = inner.grants.values().map(|live| &live.grant);
        grants.filter(|grant| grant.role == role && grant.basis.rule().is_some()).cloned().collect()
    }

    /// Break-glass grants that nobody has signed off, ended or not.
    pub(super) fn unsigned(&self) -> Vec<Grant> {
        let inner = self.lock();
        let live = inner.grants.values().map(|live| &live.grant).filter(|grant| grant.is_unsigned());
        inner.unsigned.values().chain(live).cloned().collect()
    }

    /// The grants that have not ended and take over from this one.
    pub(super) fn following(&self, id: &str) -> Vec<String> {
        let inner = self.lock();
        let follows = |live: &&LiveGrant| live.grant.extends.as_deref() == Some(id);
        inner.grants.values().filter(follows).map(|live| live.grant.id.clone()).collect()
    }

    /// The requests that wait, as last written down.
    pub(super) fn pending(&self) -> Vec<Request> {
        self.lock().pending.values().cloned().collect()
    }

    /// What has not ended, by its id, as last written down.
    pub(super) fn document(&self, id: &str, shared: &Shared) -> Option<Document> {
        let inner = self.lock();
        let request = || inner.pending.get(id).cloned().map(Document::Request);
        let live = || inner.grants.get(id).map(|live| live.grant.clone());
        let grant = || live().or_else(|| inner.unsigned.get(id).cloned()).map(Document::Grant);
        let lock = || shared.locks.load().iter().find(|lock| lock.id == id).cloned().map(Document::Lock);
        request().or_else(grant).or_else(lock)
    }

    /// Whether the grant is over by the clock, and that is not written down.
    pub(super) fn is_over(&self, id: &str, now: DateTime<Utc>) -> bool {
        self.lock().grants.get(id).is_some_and(|live| live.grant.state_at(now).is_end())
    }

    /// Whether the request waits, as last written down.
    pub(super) fn is_pending(&self, id: &str) -> bool {
        self.lock().pending.contains_key(id)
    }

    /// A request that waits and would open the role for the subject once it is approved; the oldest.
    pub(super) fn waiting_for(&self, subject: &Dn, role: &str, naming: &Naming, now: DateTime<Utc>) -> Option<String> {
        let subject = subject.resolved(naming);
        let fits = |request: &&Request| {
            request.role == role
                && request.subject.resolved(naming).is_surely(&subject)
                && request.extends.is_none()
                && request.start.is_none_or(|start| start <= now)
                && request.state_at(now) == RequestState::Pending
        };
        let inner = self.lock();
        let oldest = inner.pending.values().filter(fits).min_by_key(|request| (request.created, &request.id));
        oldest.map(|request| request.id.clone())
    }

    /// How many of the requests that wait this person made. Names that are one name to this directory are one person.
    pub(super) fn waiting_of(&self, who: &Identity, naming: &Naming, now: DateTime<Utc>) -> usize {
        let Some(who) = who.dn.as_ref().map(|name| name.resolved(naming)) else { return 0 };
        let same = |request: &&Request| request.requested_by.dn.iter().any(|name| name.resolved(naming) == who);
        let waits = |request: &&Request| request.state_at(now) == RequestState::Pending;
        self.lock().pending.values().filter(same).filter(waits).count()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole or not begun.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes over one grant; the index with it or without it.
    fn take(
        &mut self,
        grant: &Grant,
        index: &ActiveGrants,
        shared: &Shared,
        snapshot: &Snapshot,
        now: Now,
    ) -> ActiveGrants {
        let before = self.grants.get(&grant.id).and_then(|live| live.until_monotonic);
        let unsure_since = self.unsure.get(&grant.id).copied();
        self.forget(&grant.id);
        if grant.state.is_end() {
            if grant.is_unsigned() {
                self.unsigned.insert(grant.id.clone(), grant.clone());
            }
            return index.without(&grant.subject, &grant.id);
        }
        let live = LiveGrant { grant: grant.clone(), until_monotonic: until_monotonic(grant, before, now) };
        // The policy may have changed between the decision and now.
        let active = match allowed(grant, shared, snapshot, now) {
            Match::Yes => live.active(&snapshot.policy),
            Match::Unknown => {
                self.unsure.insert(grant.id.clone(), unsure_since.unwrap_or(now.monotonic));
                live.active(&snapshot.policy)
            }
            Match::No => {
                self.doubtful.insert(grant.id.clone());
                None
            }
        };
        self.grants.insert(grant.id.clone(), live);
        match active {
            Some(active) => index.with(Arc::new(active)),
            None => index.without(&grant.subject, &grant.id),
        }
    }

    fn forget(&mut self, id: &str) {
        self.grants.remove(id);
        self.doubtful.remove(id);
        self.lost.remove(id);
        self.unsure.remove(id);
        self.unsigned.remove(id);
    }
}

impl LiveGrant {
    /// The grant as decisions read it; nothing unless it is active and its resources are there.
    fn active(&self, policy: &Policy) -> Option<ActiveGrant> {
        let grant = &self.grant;
        Some(ActiveGrant {
            id: grant.id.as_str().into(),
            request: grant.request.as_str().into(),
            role: grant.role.as_str().into(),
            subject: grant.subject.clone(),
            from: grant.from,
            until: grant.until,
            until_monotonic: self.until_monotonic?,
            break_glass: grant.basis.is_break_glass(),
            opens: grant.scope.openings(policy).ok()?,
        })
    }
}

/// Whether the snapshot's policy allows the grant. Who administers has no part in that.
fn allowed(grant: &Grant, shared: &Shared, snapshot: &Snapshot, now: Now) -> Match {
    let (authority, locks) = (Authority::default(), shared.locks.load());
    let (policy, groups) = (&snapshot.policy, &snapshot.groups);
    let since = now.monotonic.saturating_sub(GROUP_MAX_AGE);
    let context = Context { policy, authority: &authority, groups, since, locks: &locks, now };
    ending::allowed(grant, &context)
}
