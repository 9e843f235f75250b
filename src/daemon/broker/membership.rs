//! What decisions need to know of groups: asked of the directory before they are made. Whoever decides now decides on
//! what the directory says now.

use super::{Broker, Document, Moment};
use crate::daemon::store::StoreError;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::{Effect, Event, Grant, GrantState};
use crate::engine::ldap::Dn;
use crate::engine::policy::groups::{GROUP_FRESH, GROUP_MAX_AGE, Groups, Membership};
use crate::engine::time::format_duration;
use crate::engine::workflow::ending::{self, Outcome};
use crate::engine::workflow::{Context, Request, WorkflowError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A call that decides waits for the directory no longer than this.
const WAIT: Duration = Duration::from_secs(3);

/// Asks the directory in which groups people are.
pub trait Lookup: Send + Sync {
    /// Asks about all of `people` of whom nothing is known from `since` (monotonic clock) or later, and waits until
    /// that is in the snapshot, but no longer than `wait`. Blocks.
    fn ask(&self, people: &[Dn], since: Duration, wait: Duration);
}

/// What the broker goes by where the directory does not say who is in a group.
#[derive(Debug)]
pub(super) struct Unknown {
    /// For how long that ends nothing, in milliseconds.
    after: AtomicU64,
}

impl Default for Unknown {
    fn default() -> Unknown {
        Unknown { after: AtomicU64::new(300_000) }
    }
}

impl Unknown {
    pub(super) fn after(&self) -> Duration {
        Duration::from_millis(self.after.load(Ordering::Relaxed))
    }
}

impl Broker {
    /// From here on, the directory is asked about people before a decision depends on their groups.
    pub fn ask_of_groups(&self, lookup: Arc<dyn Lookup>) {
        // Once: nothing else is known at the start.
        let _ = self.lookup.set(lookup);
    }

    /// From here on, what depends on a group ends when it has not been known for this long who is in it.
    pub fn end_unknown_after(&self, time: Duration) {
        self.unknown.after.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Everybody whose groups decide whether a grant that has not ended may stay. Each once or more often.
    pub fn people_in_use(&self) -> Vec<Dn> {
        let policy = Arc::clone(&self.shared.snapshot.load().policy);
        let roles = policy.roles.iter().filter(|role| role.is_held_by_group()).map(|role| &*role.name);
        let mut people = self.live.people_of(&roles.collect());
        people.sort_unstable_by(|one, other| one.text().cmp(other.text()));
        people.dedup_by(|one, other| one.text() == other.text());
        people
    }

    /// Sees to it that something is known of the groups of `people`, where decisions need it. Blocks.
    pub fn know(&self, people: &[&Dn]) {
        let now = self.clock.now().monotonic;
        let snapshot = self.shared.snapshot.load();
        let unknown = people.iter().filter(|name| !snapshot.groups.is_settled(name, now));
        let unknown: Vec<Dn> = unknown.map(|name| Dn::clone(name)).collect();
        if !unknown.is_empty() {
            self.ask_about(&unknown, now.saturating_sub(GROUP_FRESH));
        }
    }

    /// Whether [`Broker::know`] would wait for anything.
    pub fn knows(&self, people: &[&Dn]) -> bool {
        let now = self.clock.now().monotonic;
        let groups = Arc::clone(&self.shared.snapshot.load().groups);
        !self.has_groups() || people.iter().all(|name| groups.is_settled(name, now))
    }

    /// Runs `read` as [`Broker::with_context`] does, with `listed` groups besides.
    pub fn with_listed<T>(&self, listed: HashMap<Dn, Membership>, read: impl FnOnce(&Context<'_>) -> T) -> T {
        let moment = self.moment();
        let mut groups = Groups::clone(&moment.snapshot.groups);
        groups.members.extend(listed);
        read(&Context { groups: &groups, ..moment.context() })
    }

    /// Has the directory asked about `people` now. What a decision on them may go by is from this moment of the
    /// monotonic clock on. Blocks.
    pub(super) fn ask_now<'d>(&self, people: impl IntoIterator<Item = &'d Dn>) -> Duration {
        let now = self.clock.now().monotonic;
        if self.lookup.get().is_none() || !self.has_groups() {
            return now.saturating_sub(GROUP_MAX_AGE);
        }
        let mut asked: Vec<Dn> = Vec::new();
        for name in people {
            if !name.is_root() && !asked.iter().any(|known| known.is_surely(name)) {
                asked.push(name.clone());
            }
        }
        self.ask_about(&asked, now);
        now
    }

    /// As [`Broker::ask_now`], about an actor and everybody whose groups decide about a request.
    pub(super) fn ask_about_request(&self, id: &str, actor: &Actor) -> Result<Duration, StoreError> {
        let people: Vec<Dn> = match self.load(id)? {
            Some(Document::Request(request)) => names_in_request(&request).cloned().collect(),
            Some(Document::Grant(_) | Document::Lock(_) | Document::Notification(_)) | None => Vec::new(),
        };
        Ok(self.ask_now(names_of(actor).chain(&people)))
    }

    /// Grants whose time has come: those that become active last, once the directory was asked about everybody on whom
    /// that depends.
    pub(super) fn settle_grants(&self, due: &[String]) {
        let beginning = self.beginning(due);
        let begins = |id: &String| beginning.iter().any(|grant| grant.id == *id);
        for id in due.iter().filter(|id| !begins(id)) {
            self.settle_grant(id, self.moment().since);
        }
        if beginning.is_empty() {
            return;
        }
        let since = self.ask_now(beginning.iter().flat_map(names_in_grant));
        beginning.iter().for_each(|grant| self.settle_grant(&grant.id, since));
    }

    /// A grant's time has come, or is over.
    pub(super) fn settle_grant(&self, id: &str, since: Duration) {
        let done = self.end_unseen(id, since, |grant, context| {
            let extended = self.extended(grant.extends.as_deref())?;
            match ending::on_deadline(grant, extended.as_ref(), context).map_err(WorkflowError::from)? {
                Outcome::Moved(grant, effect) => Ok(Some((*grant, effect))),
                Outcome::Undecided => {
                    let waited = (context.now.wall - grant.ready()).to_std().unwrap_or(Duration::ZERO);
                    let is_lost = waited >= self.unknown.after();
                    Ok(if is_lost { Some(self.lost(grant, context)?) } else { None })
                }
            }
        });
        self.log_failure(id, done.err());
    }

    /// Ends a grant of which it has not been known for too long whether its holder may have it.
    pub(super) fn lost(&self, grant: &Grant, context: &Context<'_>) -> Result<(Grant, Effect), WorkflowError> {
        let time = format_duration(self.unknown.after());
        let why = format!(
            "the directory has not said for {time} who is in the groups of the role {:?} (group_unknown_after)",
            grant.role
        );
        Ok(grant.step(Event::Disallow(&why), context.now.wall)?)
    }

    /// What is true now, and what was said of groups since that moment.
    pub(super) fn moment_since(&self, since: Duration) -> Moment {
        Moment { since, ..self.moment() }
    }

    fn ask_about(&self, people: &[Dn], since: Duration) {
        if let Some(lookup) = self.lookup.get().filter(|_| self.has_groups()) {
            lookup.ask(people, since, WAIT);
        }
    }

    /// Whether any group decides about anything.
    fn has_groups(&self) -> bool {
        let snapshot = self.shared.snapshot.load();
        !snapshot.groups.asked.names().is_empty()
            || !snapshot.policy.groups().is_empty()
            || !self.shared.authority.load().groups().is_empty()
    }

    /// Grants among these that are to become active.
    pub(super) fn beginning(&self, ids: &[String]) -> Vec<Grant> {
        let now = self.clock.now().wall;
        let grants = ids.iter().filter_map(|id| self.live.grant(id));
        grants
            .filter(|grant| grant.state == GrantState::Scheduled && grant.state_at(now) != GrantState::Expired)
            .collect()
    }
}

/// Everybody whose groups decide about what an actor does.
pub(super) fn names_of(actor: &Actor) -> impl Iterator<Item = &Dn> {
    [Some(&actor.acts), actor.really.as_ref()].into_iter().flatten().filter_map(|name| name.dn.as_ref())
}

/// Everybody whose groups decide about a request.
fn names_in_request(request: &Request) -> impl Iterator<Item = &Dn> {
    let reviewers = request.reviews.iter().filter_map(|review| review.who.dn.as_ref());
    [Some(&request.subject), request.requested_by.dn.as_ref()].into_iter().flatten().chain(reviewers)
}

/// Everybody whose groups decide whether a grant becomes active.
pub(super) fn names_in_grant(grant: &Grant) -> impl Iterator<Item = &Dn> {
    let approvers = grant.approved_by.iter().filter_map(|who| who.dn.as_ref());
    [Some(&grant.subject), grant.requested_by.dn.as_ref()].into_iter().flatten().chain(approvers)
}
