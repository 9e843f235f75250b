//! The only writer of requests and grants: load, decide, compare-and-swap, publish, record.
//!
//! Decisions are the engine's. A grant opens something only once its approval is durable; its end
//! takes effect as soon as that is. Calls may block on the disk: async code makes them from a
//! blocking thread (see [`Broker::run`] for the one exception).

mod archive;
mod counting;
mod deadlines;
mod doing;
mod error;
mod events;
mod extending;
mod installing;
mod lasting;
mod listing;
mod live;
mod locking;
mod membership;
mod outbox;
mod rates;
mod read;
mod recording;
mod recovery;
mod telling;
#[cfg(test)]
pub(super) mod tests;
mod unwritten;

pub use counting::Counts;
pub use doing::{Doing, Done, End, Waiting};
pub use error::BrokerError;
pub use events::{EventSink, LastLine};
pub use installing::Ending;
pub use listing::{RequestList, Which};
pub use membership::Lookup;
pub use outbox::{Due, Lane, Wanted};
pub use read::{Page, Paged};
pub use telling::Told;

use super::clock::Clock;
use super::state::Shared;
use super::store::record::Document;
use super::store::{GrantStore, StoreError};
use crate::engine::Now;
use crate::engine::access::Snapshot;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::{Effect, Grant};
use crate::engine::policy::groups::GROUP_MAX_AGE;
use crate::engine::workflow::asking::Wish;
use crate::engine::workflow::ending;
use crate::engine::workflow::review::{self, Event, Reviewing};
use crate::engine::workflow::{Authority, Context, Locks, Request, Verdict, WorkflowError};
use doing::Waiters;
use live::Live;
use membership::{Unknown, names_of};
use outbox::Outbox;
use rates::Rates;
use recovery::Recovery;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;
use unwritten::Unwritten;

/// How often somebody else may win before a transition is given up.
const ATTEMPTS: usize = 64;

/// The only writer of requests and grants.
pub struct Broker {
    store: Arc<dyn GrantStore>,
    shared: Arc<Shared>,
    clock: Clock,
    events: Arc<dyn EventSink>,
    live: Arc<Live>,
    outbox: Arc<Outbox>,
    /// Held from counting somebody's requests until one more is there.
    asking: Mutex<Rates>,
    /// Held while the lock of an administrator is decided and kept.
    locking: Mutex<()>,
    /// Who waits for what becomes of a request.
    waiters: Arc<Waiters>,
    changed: Arc<Notify>,
    /// How often somebody else was faster.
    conflicts: AtomicU64,
    /// Ends that the store has not taken yet.
    unwritten: Unwritten,
    recovery: Recovery,
    /// After how many seconds what has ended is moved to the archive.
    archive_after: AtomicU64,
    /// Who asks the directory in which groups people are.
    lookup: OnceLock<Arc<dyn Lookup>>,
    unknown: Unknown,
}

/// A person's word on a request, as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// Approve or deny.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<&'a str>,
    /// The digest that they saw.
    pub digest: &'a str,
    /// The revision that they saw.
    pub revision: u64,
}

/// What was true when a decision began.
struct Moment {
    snapshot: Arc<Snapshot>,
    authority: Arc<Authority>,
    locks: Arc<Locks>,
    /// What the directory said of groups before this moment of the monotonic clock is not believed.
    since: Duration,
    now: Now,
}

impl Moment {
    fn context(&self) -> Context<'_> {
        Context {
            policy: &self.snapshot.policy,
            authority: &self.authority,
            groups: &self.snapshot.groups,
            since: self.since,
            locks: &self.locks,
            now: self.now,
        }
    }
}

impl Broker {
    /// Takes over what the store holds: grants that are active open what they open from here on. What ended according
    /// to the log, or to what was kept of ends, stays ended. Of a store that fails nothing is taken over until it
    /// works.
    ///
    /// # Errors
    /// The store cannot be read, or the log. Then nothing was published.
    pub fn new(
        store: Arc<dyn GrantStore>,
        shared: Arc<Shared>,
        clock: Clock,
        events: Arc<dyn EventSink>,
    ) -> Result<Broker, StoreError> {
        let (live, outbox, changed) = (Arc::default(), Arc::default(), Arc::new(Notify::new()));
        let (asking, waiters) = (Mutex::<Rates>::default(), Arc::<Waiters>::default());
        let broker = Broker {
            store,
            shared,
            clock,
            events,
            live,
            outbox,
            asking,
            locking: Mutex::default(),
            waiters,
            changed,
            conflicts: AtomicU64::new(0),
            unwritten: Unwritten::default(),
            recovery: Recovery::default(),
            archive_after: AtomicU64::new(archive::AFTER.as_secs()),
            lookup: OnceLock::new(),
            unknown: Unknown::default(),
        };
        broker.take_over()?;
        Ok(broker)
    }

    /// Runs `read` on the policy, the authority and the groups as they are now.
    pub fn with_context<T>(&self, read: impl FnOnce(&Context<'_>) -> T) -> T {
        read(&self.moment().context())
    }

    /// Makes a request; with `dry_run`, only says what it would be (its id is empty then).
    ///
    /// # Errors
    /// It may not be made, or cannot be kept.
    pub fn ask(&self, wish: &Wish, actor: &Actor, dry_run: bool) -> Result<Request, BrokerError> {
        let since = self.ask_now(names_of(actor).chain(&wish.subject));
        let result = self.try_ask(wish, actor, since, dry_run, &mut self.rates());
        self.note("request", &wish.role, actor, result)
    }

    /// A grant that is to begin; none while what is done with it could not be recorded.
    fn recorded(&self, grant: Option<(Grant, Effect)>, moment: &Moment) -> Result<Option<Document>, BrokerError> {
        match grant {
            Some(_) if !moment.snapshot.recording => Err(BrokerError::NotRecording),
            Some((grant, _)) => Ok(Some(Document::Grant(grant))),
            None => Ok(None),
        }
    }

    /// A person's word on a request. The answer says what became of it.
    ///
    /// # Errors
    /// They may not see or review it; it is not what they saw; it cannot be kept.
    pub fn review(&self, id: &str, word: Word<'_>, actor: &Actor) -> Result<Request, BrokerError> {
        let attempt = match word.verdict {
            Verdict::Approve => "approve",
            Verdict::Deny => "deny",
        };
        let result = self.step(id, actor, true, |grant_id, extended| {
            Event::Review(Reviewing {
                actor,
                verdict: word.verdict,
                reason: word.reason,
                digest: word.digest,
                revision: word.revision,
                grant_id,
                extended: extended.map(Box::new),
            })
        });
        self.note(attempt, id, actor, result)
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// It is somebody else's, or decided; it cannot be kept.
    pub fn cancel(&self, id: &str, reason: Option<&str>, actor: &Actor) -> Result<Request, BrokerError> {
        let result = self.step(id, actor, false, |_, _| Event::Cancel { actor, reason });
        self.note("cancel", id, actor, result)
    }

    /// Ends one's own grant.
    ///
    /// # Errors
    /// It is somebody else's, or over; it cannot be kept.
    pub fn release(&self, id: &str, actor: &Actor) -> Result<Grant, BrokerError> {
        let since = self.moment().since;
        let result = self.end(id, actor, since, |grant, context| ending::release(grant, actor, context));
        self.note("release", id, actor, result)
    }

    /// Ends somebody's grant.
    ///
    /// # Errors
    /// The actor may not; it is over; it cannot be kept.
    pub fn revoke(&self, id: &str, reason: &str, actor: &Actor) -> Result<Grant, BrokerError> {
        self.ask_now(names_of(actor));
        // Ending access does not depend on a directory that answers now: what it said lately counts too.
        let since = self.moment().since;
        let result = self.end(id, actor, since, |grant, context| ending::revoke(grant, actor, reason, context));
        self.note("revoke", id, actor, result)
    }

    /// How many grants have not ended.
    pub fn live_grants(&self) -> usize {
        self.live.count()
    }

    /// Why nothing can be kept at the moment, if so.
    pub fn failure(&self) -> Option<String> {
        self.store.failure()
    }

    fn moment(&self) -> Moment {
        let now = self.clock.now();
        Moment {
            snapshot: self.shared.snapshot.load_full(),
            authority: self.shared.authority.load_full(),
            locks: self.shared.locks.load_full(),
            since: now.monotonic.saturating_sub(GROUP_MAX_AGE),
            now,
        }
    }

    /// What is on record. While the store fails: of what has not ended, as it was last written down.
    fn load(&self, id: &str) -> Result<Option<Document>, StoreError> {
        if let Some(ended) = self.unwritten.get(id) {
            return Ok(Some(ended));
        }
        match self.store.get(id) {
            Err(error @ StoreError::Failed(_)) => self.live.document(id, &self.shared).map(Some).ok_or(error),
            found => found?.map(Document::from_record).transpose(),
        }
    }

    /// A transition of a request that the actor may see; where it `decides`, the directory is asked first who is in the
    /// groups that do.
    fn step<'a>(
        &self,
        id: &str,
        actor: &Actor,
        decides: bool,
        event: impl Fn(String, Option<Grant>) -> Event<'a>,
    ) -> Result<Request, BrokerError> {
        let since = match decides {
            true => self.ask_about_request(id, actor)?,
            false => self.moment().since,
        };
        self.request(id, actor)?;
        self.step_unseen(id, since, event)
    }

    /// A transition of a request, with what the directory says of groups `since` then.
    fn step_unseen<'a>(
        &self,
        id: &str,
        since: Duration,
        event: impl Fn(String, Option<Grant>) -> Event<'a>,
    ) -> Result<Request, BrokerError> {
        self.attempt(|| {
            let Some(Document::Request(request)) = self.load(id)? else {
                return Err(BrokerError::NotFound(id.to_owned()));
            };
            let moment = self.moment_since(since);
            let extended = self.extended(request.extends.as_deref())?;
            let event = event(new_id("grant")?, extended);
            let step = review::step(&request, &event, &moment.context())?;
            let grant = self.recorded(step.grant, &moment)?;
            let documents = [Document::Request(step.request.clone())].into_iter().chain(grant).collect();
            self.commit_and_tell(documents, step.notices)?;
            Ok(step.request)
        })
    }

    /// A transition of a grant that the actor may see.
    fn end(
        &self,
        id: &str,
        actor: &Actor,
        since: Duration,
        decide: impl Fn(&Grant, &Context<'_>) -> Result<(Grant, Effect), WorkflowError>,
    ) -> Result<Grant, BrokerError> {
        let grant = self.grant(id, actor)?;
        let ended = self.end_unseen(id, since, |grant, context| Ok(Some(decide(grant, context)?)))?;
        Ok(ended.unwrap_or(grant))
    }

    fn end_unseen(
        &self,
        id: &str,
        since: Duration,
        decide: impl Fn(&Grant, &Context<'_>) -> Result<Option<(Grant, Effect)>, BrokerError>,
    ) -> Result<Option<Grant>, BrokerError> {
        self.attempt(|| {
            let Some(Document::Grant(grant)) = self.load(id)? else {
                return Err(BrokerError::NotFound(id.to_owned()));
            };
            let Some((next, effect)) = decide(&grant, &self.moment_since(since).context())? else { return Ok(None) };
            let documents = self.with_following(next.clone())?;
            match (self.commit_and_tell(documents.clone(), Vec::new()), effect) {
                (Ok(()), _) => Ok(Some(next)),
                (Err(error @ StoreError::Conflict(_)), _) => Err(error.into()),
                // Whether or not it can be written down: who ends a grant has ended it.
                (Err(error), Effect::Close) => self.keep_ends(&documents, error).map(|()| Some(next)),
                (Err(error), Effect::Open | Effect::Nothing) => Err(error.into()),
            }
        })
    }

    /// Decides again while somebody else was faster: the second time it sees what they did.
    fn attempt<T>(&self, mut decide: impl FnMut() -> Result<T, BrokerError>) -> Result<T, BrokerError> {
        let mut result = decide();
        for _ in 1..ATTEMPTS {
            match result {
                Err(BrokerError::Store(StoreError::Conflict(_))) => {
                    self.conflicts.fetch_add(1, Ordering::Relaxed);
                    result = decide();
                }
                done => return done,
            }
        }
        result
    }

    fn note<T>(
        &self,
        attempt: &str,
        about: &str,
        actor: &Actor,
        result: Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        match &result {
            Err(error) => self.record_refusal(attempt, about, actor, error.word(), &error.to_string()),
            // A call is answered when its step is on disk in the store, and in the log.
            Ok(_) => self.events.settle(),
        }
        result
    }
}

/// `req-7f3k9q2m4x`: fifty random bits in Crockford's alphabet, which has no letters that are
/// taken for digits.
fn new_id(kind: &str) -> Result<String, BrokerError> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut octets = [0; 10];
    getrandom::fill(&mut octets).map_err(|error| BrokerError::Random(error.to_string()))?;
    let letters = octets.iter().map(|octet| char::from(ALPHABET[usize::from(octet % 32)]));
    Ok(format!("{kind}-{}", letters.collect::<String>()))
}
