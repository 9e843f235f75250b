//! New requests, one at a time; and how many of them people made lately, whatever became of them.

use super::{Broker, BrokerError, Document, Moment, new_id};
use crate::daemon::store::{MAX_BODY, StoreError};
use crate::engine::Now;
use crate::engine::grant::history::Actor;
use crate::engine::grant::scope::Scope;
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;
use crate::engine::workflow::asking::{NewIds, RATE_PERIOD, Wish, ask, check_pending, check_rate};
use crate::engine::workflow::review::Step;
use crate::engine::workflow::{Request, RequestState};
use std::collections::{HashMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

/// The longest document of a new request, in octets, besides what its role opens.
const MAX_ASKED: usize = 8 * 1_024;
/// The longest document of a new request, with it. The rest of what the store takes is left for reviews, and for the end of the
/// grant: nobody may ask for something that cannot be revoked for good.
const MAX_DOCUMENT: usize = MAX_BODY / 2;

/// When people made requests: monotonic times within the last [`RATE_PERIOD`], oldest first. Break-glass requests are counted
/// by themselves: whoever uses up somebody's requests does not keep them from an emergency.
#[derive(Debug, Default)]
pub(super) struct Rates {
    made: HashMap<(Dn, bool), VecDeque<Duration>>,
}

impl Rates {
    /// How many requests like this one its requester made lately, and how long ago the first of them was; `None`: none. Names
    /// that are one name to this directory are one person.
    pub(super) fn lately(&mut self, request: &Request, naming: &Naming, now: Now) -> Option<(usize, Duration)> {
        let who = request.requested_by.dn.as_ref()?.resolved(naming);
        let is_emergency = request.basis.is_break_glass();
        let theirs =
            self.made.iter_mut().filter(|((name, kind), _)| *kind == is_emergency && name.resolved(naming) == who);
        let (mut count, mut first) = (0, None);
        for (_, made) in theirs {
            forget(made, now);
            count += made.len();
            first = first.into_iter().chain(made.front().copied()).min();
        }
        Some((count, now.monotonic.saturating_sub(first?)))
    }

    /// One more was made.
    pub(super) fn note(&mut self, request: &Request, now: Now) {
        let Some(key) = key(request) else { return };
        // What is over for everybody takes no memory for long.
        if !self.made.contains_key(&key) {
            self.made.retain(|_, made| {
                forget(made, now);
                !made.is_empty()
            });
        }
        self.made.entry(key).or_default().push_back(now.monotonic);
    }

    /// One that was made before the process began.
    pub(super) fn restore(&mut self, request: &Request, now: Now) {
        // What seems to be made later than now was made before the clock was set back.
        let ago = now.wall.signed_duration_since(request.created).to_std().unwrap_or_default();
        let (Some(key), true) = (key(request), ago < RATE_PERIOD) else { return };
        let made = self.made.entry(key).or_default();
        let at = now.monotonic.saturating_sub(ago);
        let behind = made.partition_point(|other| *other <= at);
        made.insert(behind, at);
    }
}

/// Who made it, and whether in an emergency.
fn key(request: &Request) -> Option<(Dn, bool)> {
    Some((request.requested_by.dn.clone()?, request.basis.is_break_glass()))
}

fn forget(made: &mut VecDeque<Duration>, now: Now) {
    while made.front().is_some_and(|first| now.monotonic.saturating_sub(*first) >= RATE_PERIOD) {
        made.pop_front();
    }
}

impl Broker {
    /// Whoever holds this is the only one who asks.
    pub(super) fn rates(&self) -> MutexGuard<'_, Rates> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock on asking; with what the directory says of groups `since` then.
    pub(super) fn try_ask(
        &self,
        wish: &Wish,
        actor: &Actor,
        since: Duration,
        dry_run: bool,
        rates: &mut Rates,
    ) -> Result<Request, BrokerError> {
        self.attempt(|| {
            let moment = self.moment_since(since);
            let id = |kind| if dry_run { Ok(String::new()) } else { new_id(kind) };
            let ids = NewIds { request: id("req")?, grant: id("grant")? };
            let step = ask(ids, wish.clone(), actor, &self.live.by_rules(&wish.role), &moment.context())?;
            self.keep_asked(step, &moment, dry_run, rates)
        })
    }

    /// Keeps what was asked, and the grant that came of it at once; not so in a dry run.
    pub(super) fn keep_asked(
        &self,
        step: Step,
        moment: &Moment,
        dry_run: bool,
        rates: &mut Rates,
    ) -> Result<Request, BrokerError> {
        let mut request = step.request;
        if let Some((made, ago)) = rates.lately(&request, moment.context().policy.naming(), moment.now) {
            check_rate(made, ago, &moment.context())?;
        }
        if request.state == RequestState::Pending {
            let naming = moment.context().policy.naming();
            let waiting = self.live.waiting_of(&request.requested_by, naming, moment.now.wall);
            check_pending(waiting, &moment.context())?;
        }
        let document = Document::Request(request.clone());
        let length = |document: &Document| Ok::<_, StoreError>(document.to_record()?.body.to_string().len());
        let without_scope = Document::Request(Request { scope: Scope(Vec::new()), ..request.clone() });
        if length(&without_scope)? > MAX_ASKED || length(&document)? > MAX_DOCUMENT {
            return Err(StoreError::TooLarge("of this request".to_owned()).into());
        }
        if dry_run {
            request.grant = None;
            return Ok(request);
        }
        let grant = self.recorded(step.grant, moment)?;
        self.commit_and_tell([document].into_iter().chain(grant).collect(), step.notices)?;
        rates.note(&request, moment.now);
        Ok(request)
    }
}
