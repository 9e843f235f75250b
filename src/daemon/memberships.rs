//! In which groups people are: asked of the directory about one person at a time, over a few connections of the gate's
//! own. Somebody is asked about when a decision needs it, and again and again while access depends on it.
//!
//! What the directory says goes into the snapshot. Nothing here decides what follows from it.

#[cfg(test)]
mod tests;

use super::broker::{Broker, Lookup};
use super::directory::{self, ANSWER_TIMEOUT, Plan, ServiceAccount, Trouble};
use super::gate::Gate;
use super::ldap_client::LdapClient;
use super::metrics::Exposition;
use super::upstream::{Directory, UpstreamStream};
use crate::engine::ldap::Dn;
use crate::engine::policy::groups::{Belongs, GROUP_MAX_AGE, GroupList, PersonGroups};
use arc_swap::ArcSwapOption;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// How many people are asked about at the same time.
pub const WORKERS: usize = 4;
/// So many may wait to be asked about. More are answered with "unknown" at once.
const QUEUE: usize = 4096;
/// How long one person is asked about at most, connecting included.
const LOOKUP_TIMEOUT: Duration = ANSWER_TIMEOUT;
/// After a failure nobody waits for another try before this has passed.
const RETRY: Duration = Duration::from_secs(2);
/// How often those are asked about whose access depends on it; with many of them, up to [`LONGEST_REFRESH`].
const REFRESH: Duration = Duration::from_secs(5);
/// The longest pause between two rounds.
const LONGEST_REFRESH: Duration = Duration::from_secs(30);
/// A round is followed by a pause of this many times its own length.
const PAUSES: u32 = 4;
/// So many of them are waited for at once, so that others get their turn.
const AT_ONCE: usize = 16;
/// What is known of people on whom nothing depends is forgotten after this.
const KEPT: Duration = Duration::from_secs(60);

/// Asks about people, and knows what is asked about each.
#[derive(Debug)]
pub struct Memberships {
    jobs: mpsc::Sender<Job>,
    read: ArcSwapOption<Read>,
    /// On whom something depends that lasts: by name, how often.
    in_use: Mutex<HashMap<Box<str>, (Dn, usize)>>,
    /// Another plan, or other people in use.
    changed: Notify,
    asked: AtomicU64,
    failed: AtomicU64,
}

/// A plan, and when it was made.
#[derive(Debug)]
struct Read {
    plan: Plan,
    /// On the monotonic clock.
    at: Duration,
}

/// One person to be asked about.
pub struct Job {
    person: Dn,
    /// An answer from this moment of the monotonic clock on is new enough.
    since: Duration,
    /// Called in any case.
    done: Box<dyn FnOnce() + Send>,
}

/// The groups whose trouble is another one than before, with what it is now.
fn changes(before: Option<&Plan>, after: &Plan) -> Vec<(Dn, Option<Trouble>)> {
    let troubles = |plan: &Plan| -> BTreeMap<String, (Dn, Trouble)> {
        let kinds = plan.groups.names().iter().zip(&plan.kinds);
        let troubled = kinds.filter_map(|(group, kind)| Some((group.clone(), kind.as_ref().err()?.clone())));
        troubled.map(|(group, trouble)| (group.text().to_owned(), (group, trouble))).collect()
    };
    let (before, after) = (before.map(troubles).unwrap_or_default(), troubles(after));
    let gone =
        before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(_, (group, _))| (group.clone(), None));
    let new = after.iter().filter(|(name, now)| before.get(*name) != Some(*now));
    new.map(|(_, (group, trouble))| (group.clone(), Some(trouble.clone()))).chain(gone).collect()
}

/// People who are to be asked about, for [`Memberships::work`].
pub type Jobs = Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>;

/// Somebody on whom something depends that lasts, until this is dropped.
#[derive(Debug)]
pub struct InUse {
    memberships: Arc<Memberships>,
    person: Dn,
}

impl InUse {
    /// Who.
    pub fn person(&self) -> &Dn {
        &self.person
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut in_use = self.memberships.lock();
        if let Some((_, count)) = in_use.get_mut(self.person.text()) {
            *count -= 1;
            if *count == 0 {
                in_use.remove(self.person.text());
            }
        }
    }
}

/// A connection of one worker.
struct Connection {
    directory: Arc<Directory>,
    account: ServiceAccount,
    client: LdapClient<UpstreamStream>,
}

/// What a worker remembers of failures.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    /// Until then it does not try.
    until: Option<Instant>,
}

impl Memberships {
    /// One that nobody works for yet.
    pub fn new() -> (Arc<Memberships>, Jobs) {
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let memberships = Memberships {
            jobs,
            read: ArcSwapOption::empty(),
            in_use: Mutex::default(),
            changed: Notify::new(),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        };
        (Arc::new(memberships), Arc::new(tokio::sync::Mutex::new(receiver)))
    }

    /// Has the directory asked about `person`, unless what is known is from `since` (monotonic clock) or later. What is
    /// returned completes when that is done, or cannot be done.
    pub fn look_up(&self, person: &Dn, since: Duration) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let done = Box::new(move || {
            // Whoever asked may be gone.
            let _ = sender.send(());
        });
        let _ = self.jobs.try_send(Job { person: person.clone(), since, done });
        receiver
    }

    /// Keeps what is known of `person` up to date until what is returned is dropped.
    pub fn keep(self: &Arc<Memberships>, person: &Dn) -> InUse {
        let mut in_use = self.lock();
        in_use.entry(person.text().into()).or_insert_with(|| (person.clone(), 0)).1 += 1;
        InUse { memberships: Arc::clone(self), person: person.clone() }
    }

    /// Asks by this plan from here on. Returns the list of groups that are asked about, which is the one before where
    /// nothing else is asked (unless `anew`), and the groups whose trouble has changed, with what it is now.
    pub fn install(&self, mut plan: Plan, anew: bool, now: Duration) -> (Arc<GroupList>, Vec<(Dn, Option<Trouble>)>) {
        let read = self.read.load_full();
        let before = read.as_ref().map(|read| &read.plan);
        let changes = changes(before, &plan);
        match before.filter(|before| !anew && before.asks_the_same(&plan)) {
            Some(before) => plan.groups = Arc::clone(&before.groups),
            None => {
                // Another object: what was said by another plan is not enough any more.
                plan.groups = Arc::new(GroupList::new(plan.groups.names().iter().cloned()));
                self.changed.notify_one();
            }
        }
        let groups = Arc::clone(&plan.groups);
        self.read.store(Some(Arc::new(Read { plan, at: now })));
        (groups, changes)
    }

    /// What is counted, for those who watch the gate.
    pub(super) fn write(&self, out: &mut Exposition, now: Duration) {
        let (asked, failed) = (self.asked.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let help = "How often the directory was asked in which groups a person is.";
        out.number("tidegate_membership_lookups_total", "counter", help, asked);
        let help = "How often it could not be asked.";
        out.number("tidegate_membership_lookups_failed_total", "counter", help, failed);
        let help = "Whether it is not known who is in a group that the configuration names.";
        out.family("tidegate_group_unknown", "gauge", help);
        if let Some(read) = self.read.load_full() {
            let old = now.saturating_sub(read.at) > GROUP_MAX_AGE;
            for (group, kind) in read.plan.groups.names().iter().zip(&read.plan.kinds) {
                let unknown = u64::from(old || kind.is_err());
                out.sample("tidegate_group_unknown", &[("group", group.text())], unknown);
            }
        }
    }

    /// Asks about one person after the other. Runs until nobody can ask any more.
    pub async fn work(
        self: Arc<Memberships>,
        jobs: Jobs,
        gate: Arc<Gate>,
        account: impl Fn() -> ServiceAccount + Send,
    ) {
        let (mut connection, mut failures) = (None, Failures::default());
        loop {
            // Whoever waits for the next job keeps the others waiting for their turn, not for its answer.
            let Some(Job { person, since, done }) = jobs.lock().await.recv().await else { return };
            let known = gate.shared.snapshot.load();
            // Zero: the directory never answered. That is no answer, however early in the life of the process it is.
            let answered = |known: &&Arc<PersonGroups>| known.at() >= since && known.at() > Duration::ZERO;
            let known = known.groups.person(&person).filter(answered);
            let current = known.is_some_and(|known| {
                self.read.load().as_ref().is_some_and(|read| known.is_settled(&read.plan.groups, known.at()))
            });
            if !current {
                self.ask(&person, &gate, account(), &mut connection, &mut failures).await;
            }
            done();
        }
    }

    /// Asks about one person, and puts what the directory says into the snapshot.
    async fn ask(
        &self,
        person: &Dn,
        gate: &Gate,
        account: ServiceAccount,
        connection: &mut Option<Connection>,
        failures: &mut Failures,
    ) {
        let at = gate.clock.now().monotonic;
        let read = self.read.load_full();
        let waits = failures.until.is_some_and(|until| Instant::now() < until);
        let found = match &read {
            Some(read) if !waits => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                let asking = try_to_ask(person, &read.plan, gate, account, connection);
                let found = tokio::time::timeout(LOOKUP_TIMEOUT, asking).await;
                found.unwrap_or_else(|_| Err(format!("no answer within {LOOKUP_TIMEOUT:?}")))
            }
            Some(_) => Err(String::new()),
            // Nothing is known of the directory yet: that is no failure of it.
            None => Err(String::new()),
        };
        match (found, read) {
            (Ok(found), Some(read)) => {
                *failures = Failures::default();
                gate.shared.update_groups(|groups| {
                    let before = groups.person(person).map(|known| &**known);
                    // Somebody else may have asked later, and heard sooner.
                    let newer = before.is_some_and(|before| before.at() > at);
                    let asked = Arc::clone(&read.plan.groups);
                    (!newer).then(|| groups.with(PersonGroups::new(person.clone(), asked, &found, at, before)))
                });
            }
            (found, _) => {
                *connection = None;
                if let Some(error) = found.err().filter(|error| !error.is_empty()) {
                    if failures.in_a_row == 0 {
                        tracing::warn!(%error, "the directory cannot be asked in which groups somebody is");
                    }
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    failures.until = Some(Instant::now() + failures.pause());
                    failures.in_a_row = failures.in_a_row.saturating_add(1);
                }
                let ask_again = gate.clock.now().monotonic.saturating_add(RETRY);
                gate.shared.update_groups(|groups| {
                    let before = groups.person(person).map(|known| &**known);
                    let newer = before.is_some_and(|before| before.at() > at);
                    (!newer).then(|| groups.with(PersonGroups::unanswered(person.clone(), ask_again, before)))
                });
            }
        }
    }

    /// Asks again and again about those whose grants depend on it, and forgets everybody else after a while.
    pub async fn refresh_holders(self: Arc<Memberships>, gate: Arc<Gate>, broker: Arc<Broker>) {
        loop {
            if self.read.load().is_none() {
                self.changed.notified().await;
            }
            let began = gate.clock.now().monotonic;
            let broker = Arc::clone(&broker);
            let holders = tokio::task::spawn_blocking(move || broker.people_in_use()).await.unwrap_or_default();
            self.ask_again(&holders, began).await;
            self.forget(&gate, holders, began);
            let took = gate.clock.now().monotonic.saturating_sub(began);
            tokio::select! {
                () = tokio::time::sleep(took.saturating_mul(PAUSES).clamp(REFRESH, LONGEST_REFRESH)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Asks again and again about those for whom something lasts in a session.
    pub async fn refresh_sessions(self: Arc<Memberships>, gate: Arc<Gate>) {
        loop {
            tokio::time::sleep(REFRESH).await;
            let began = gate.clock.now().monotonic;
            let lasting = self.kept();
            if lasting.is_empty() {
                continue;
            }
            self.ask_again(&lasting, began).await;
            let snapshot = gate.shared.snapshot.load_full();
            let heard = |person: &Dn| snapshot.groups.person(person).is_some_and(|known| known.at() >= began);
            if !lasting.iter().all(heard) {
                // What lasts is decided again, as far as anything is still believed of who it is for.
                gate.shared.update_groups(|groups| Some(groups.revised()));
            }
        }
    }

    async fn ask_again(&self, people: &[Dn], since: Duration) {
        for part in people.chunks(AT_ONCE) {
            let asked: Vec<_> = part.iter().map(|person| self.look_up(person, since)).collect();
            for one in asked {
                let _ = one.await;
            }
        }
    }

    fn kept(&self) -> Vec<Dn> {
        self.lock().values().map(|(person, _)| person.clone()).collect()
    }

    /// Forgets those on whom nothing depends and who were not asked about lately.
    fn forget(&self, gate: &Gate, mut in_use: Vec<Dn>, now: Duration) {
        in_use.extend(self.kept());
        let names: HashSet<&str> = in_use.iter().map(Dn::text).collect();
        let keep =
            |known: &PersonGroups| known.is_wanted(now.saturating_sub(KEPT)) || names.contains(known.person().text());
        gate.shared.update_groups(|groups| {
            let all = groups.people().all(|known| keep(known));
            (!all).then(|| groups.retaining(keep))
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, (Dn, usize)>> {
        // Each change is whole or not begun.
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// How long nothing is tried after the next failure.
    fn pause(&self) -> Duration {
        Duration::from_millis(250).saturating_mul(1 << self.in_a_row.min(4))
    }
}

impl Lookup for Memberships {
    fn ask(&self, people: &[Dn], since: Duration, wait: Duration) {
        let (sender, answers) = std::sync::mpsc::channel();
        let mut waiting = 0_usize;
        for person in people {
            let sender = sender.clone();
            let done = Box::new(move || {
                let _ = sender.send(());
            });
            waiting += usize::from(self.jobs.try_send(Job { person: person.clone(), since, done }).is_ok());
        }
        drop(sender);
        let end = std::time::Instant::now() + wait;
        while waiting > 0 {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if answers.recv_timeout(left).is_err() {
                return;
            }
            waiting -= 1;
        }
    }
}

async fn try_to_ask(
    person: &Dn,
    plan: &Plan,
    gate: &Gate,
    account: ServiceAccount,
    connection: &mut Option<Connection>,
) -> Result<Vec<Belongs>, String> {
    // A reload may mean another directory, or another account.
    let directory = gate.directory.load_full();
    let usable = |kept: &Connection| {
        Arc::ptr_eq(&kept.directory, &directory)
            && kept.account.dn.is_surely(&account.dn)
            && kept.account.password == account.password
    };
    if let Some(mut kept) = connection.take().filter(usable) {
        // The directory may have closed it while nothing was asked: that is no failure.
        if let Ok(found) = directory::ask_about(&mut kept.client, person, plan).await {
            *connection = Some(kept);
            return Ok(found);
        }
    }
    let (stream, server) = directory.connect().await.map_err(|error| error.to_string())?;
    let asked = async {
        let mut client = directory::open(stream, &account).await?;
        let found = directory::ask_about(&mut client, person, plan).await?;
        Ok::<_, super::ldap_client::ClientError>((client, found))
    };
    match asked.await {
        Ok((client, found)) => {
            *connection = Some(Connection { directory, account, client });
            Ok(found)
        }
        Err(error) => {
            directory.set_back(&server);
            Err(error.to_string())
        }
    }
}
