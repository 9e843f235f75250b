//! The only writer of requests and grants: load, decide, compare-and-swap, publish, record.
//!
//! Decisions are the engine's. A grant opens something only once its approval is durable; its end
//! takes effect as soon as that is. Calls may block on the disk: async code makes them from a
//! blocking thread (see [`Broker::run`] for the one exception).

mod counting;
mod doing;
mod error;
mod events;
mod extending;
mod installing;
mod live;
mod locking;
mod outbox;
mod rates;
mod read;
mod recording;
mod telling;
#[cfg(test)]
pub(super) mod tests;

pub use counting::Counts;
pub use doing::{Doing, Done, End, Waiting};
pub use error::BrokerError;
pub use events::EventSink;
pub use installing::Ending;
pub use outbox::{Due, Lane, Wanted};
pub use read::{Page, Paged, Which};
pub use telling::Told;

use super::clock::Clock;
use super::state::Shared;
use super::store::record::Document;
use super::store::{GrantStore, StoreError};
use crate::engine::Now;
use crate::engine::access::Snapshot;
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::{Effect, Grant};
use crate::engine::workflow::asking::Wish;
use crate::engine::workflow::ending::{self, Outcome};
use crate::engine::workflow::review::{self, Event, Reviewing};
use crate::engine::workflow::{Authority, Context, Locks, Request, Verdict, WorkflowError};
use doing::Waiters;
use live::Live;
use outbox::Outbox;
use rates::Rates;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// How often somebody else may win before a transition is given up.
const ATTEMPTS: usize = 64;

/// The longest that the clock is not looked at (it may be set).
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    /// Who waits for what becomes of a request.
    waiters: Arc<Waiters>,
    changed: Arc<Notify>,
    /// How often somebody else was faster.
    conflicts: AtomicU64,
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
    now: Now,
}

impl Moment {
    fn context(&self) -> Context<'_> {
        Context {
            policy: &self.snapshot.policy,
            authority: &self.authority,
            groups: &self.snapshot.groups,
            locks: &self.locks,
            now: self.now,
        }
    }
}

impl Broker {
    /// Takes over what the store holds: grants that are active open what they open from here on.
    ///
    /// # Errors
    /// The store cannot be read. Then nothing was published.
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
            waiters,
            changed,
            conflicts: AtomicU64::new(0),
        };
        let mut documents = Vec::new();
        broker.scan(|document| documents.push(document))?;
        let now = broker.clock.now();
        documents.iter().for_each(|document| {
            broker.outbox.keep(document);
            broker.waiters.remember_document(document, now);
            if let Document::Request(request) = document {
                broker.rates().restore(request, now);
            }
        });
        broker.live.restore(documents, &broker.shared, broker.clock.now());
        broker.live.install(broker.shared.snapshot.load().policy.clone(), &broker.shared, broker.clock.now());
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
        let result = self.try_ask(wish, actor, dry_run, &mut self.rates());
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
        let result = self.step(id, actor, |grant_id, extended| {
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
        let result = self.step(id, actor, |_, _| Event::Cancel { actor, reason });
        self.note("cancel", id, actor, result)
    }

    /// Ends one's own grant.
    ///
    /// # Errors
    /// It is somebody else's, or over; it cannot be kept.
    pub fn release(&self, id: &str, actor: &Actor) -> Result<Grant, BrokerError> {
        let result = self.end(id, actor, |grant, context| ending::release(grant, actor, context));
        self.note("release", id, actor, result)
    }

    /// Ends somebody's grant.
    ///
    /// # Errors
    /// The actor may not; it is over; it cannot be kept.
    pub fn revoke(&self, id: &str, reason: &str, actor: &Actor) -> Result<Grant, BrokerError> {
        let result = self.end(id, actor, |grant, context| ending::revoke(grant, actor, reason, context));
        self.note("revoke", id, actor, result)
    }

    /// How many grants have not ended.
    pub fn live_grants(&self) -> usize {
        self.live.count()
    }

    /// Why nothing can be kept any more, if so.
    pub fn failure(&self) -> Option<String> {
        self.store.failure()
    }

    /// Does what is due: activates, expires, lapses, ends what the configuration does not allow.
    /// Returns how long nothing more is due. The gate compares the time at each decision, so that
    /// being late here opens nothing.
    pub fn settle(&self) -> Duration {
        self.live.look_again(&self.shared, self.clock.now());
        if self.store.failure().is_some() {
            // Nothing can be written down. What is over opens nothing all the same.
            return LOOK_AGAIN;
        }
        let now = self.clock.now().wall;
        let due = self.live.due(now);
        for id in &due.requests {
            self.log_failure(id, self.step_unseen(id, |_, _| Event::Deadline).err());
        }
        for id in &due.grants {
            let done = self.end_unseen(id, |grant, context| {
                let extended = self.extended(grant.extends.as_deref())?;
                match ending::on_deadline(grant, extended.as_ref(), context).map_err(WorkflowError::from)? {
                    Outcome::Moved(grant, effect) => Ok(Some((*grant, effect))),
                    Outcome::Undecided => Ok(None),
                }
            });
            self.log_failure(id, done.err());
        }
        for id in &due.doubtful {
            match self
                .end_unseen(id, |grant, context| Ok(ending::on_policy(grant, context).map_err(WorkflowError::from)?))
            {
                Ok(Some(_)) => {}
                Ok(None) => self.live.reconsider(id, &self.shared, self.clock.now()),
                Err(error) => self.log_failure(id, Some(error)),
            }
        }
        self.warn(now);
        let next = self.live.due(now).next.and_then(|next| (next - now).to_std().ok());
        next.map_or(LOOK_AGAIN, |next| next.min(LOOK_AGAIN))
    }

    /// Calls [`Broker::settle`] whenever something is due. Runs until it is dropped.
    pub async fn run(self: Arc<Broker>) {
        loop {
            let broker = Arc::clone(&self);
            let wait = tokio::task::spawn_blocking(move || broker.settle()).await.unwrap_or(LOOK_AGAIN);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            snapshot: self.shared.snapshot.load_full(),
            authority: self.shared.authority.load_full(),
            locks: self.shared.locks.load_full(),
            now: self.clock.now(),
        }
    }

    fn load(&self, id: &str) -> Result<Option<Document>, StoreError> {
        self.store.get(id)?.map(Document::from_record).transpose()
    }

    /// A transition of a request that the actor may see.
    fn step<'a>(
        &self,
        id: &str,
        actor: &Actor,
        event: impl Fn(String, Option<Grant>) -> Event<'a>,
    ) -> Result<Request, BrokerError> {
        self.request(id, actor)?;
        self.step_unseen(id, event)
    }

    fn step_unseen<'a>(
        &self,
        id: &str,
        event: impl Fn(String, Option<Grant>) -> Event<'a>,
    ) -> Result<Request, BrokerError> {
        self.attempt(|| {
            let Some(Document::Request(request)) = self.load(id)? else {
                return Err(BrokerError::NotFound(id.to_owned()));
            };
            let moment = self.moment();
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
        decide: impl Fn(&Grant, &Context<'_>) -> Result<(Grant, Effect), WorkflowError>,
    ) -> Result<Grant, BrokerError> {
        let grant = self.grant(id, actor)?;
        let ended = self.end_unseen(id, |grant, context| Ok(Some(decide(grant, context)?)))?;
        Ok(ended.unwrap_or(grant))
    }

    fn end_unseen(
        &self,
        id: &str,
        decide: impl Fn(&Grant, &Context<'_>) -> Result<Option<(Grant, Effect)>, BrokerError>,
    ) -> Result<Option<Grant>, BrokerError> {
        self.attempt(|| {
            let Some(Document::Grant(grant)) = self.load(id)? else {
                return Err(BrokerError::NotFound(id.to_owned()));
            };
            let Some((next, effect)) = decide(&grant, &self.moment().context())? else { return Ok(None) };
            let documents = self.with_following(next.clone())?;
            match (self.commit_and_tell(documents, Vec::new()), effect) {
                (Ok(()), _) => Ok(Some(next)),
                (Err(error @ StoreError::Conflict(_)), _) => Err(error.into()),
                // Whether or not it can be written down: who ends a grant has ended it.
                (Err(error), Effect::Close) => {
                    self.live.close(&grant, &self.shared);
                    Err(BrokerError::EndNotKept(error))
                }
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

    /// What could not be done when it was due is due again next time.
    fn log_failure(&self, id: &str, error: Option<BrokerError>) {
        match error {
            // Somebody else was faster.
            None | Some(BrokerError::Workflow(_)) => {}
            Some(error) => tracing::warn!(%id, %error, "a transition that is due is put off"),
        }
    }

    fn note<T>(
        &self,
        attempt: &str,
        about: &str,
        actor: &Actor,
        result: Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        if let Err(error) = &result {
            self.record_refusal(attempt, about, actor, error.word(), &error.to_string());
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
