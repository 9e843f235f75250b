//! Loads the store at start, or as soon as it can be opened; compares it with the log; resumes after a failure of the
//! store.

use super::doing::QUIET;
use super::unwritten::{End, Kept};
use super::{Broker, Document, LastLine};
use crate::daemon::store::{Indexed, List, StoreError};
use crate::engine::audit::transition::Transition;
use crate::engine::grant::history::{Entry, Happened};
use crate::engine::workflow::asking::RATE_PERIOD;
use chrono::TimeDelta;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many entries of a list are read at once.
const AT_ONCE: usize = 500;

/// The log's times are coarser than those of records.
const ROUNDING: TimeDelta = TimeDelta::milliseconds(10);

/// How many lines of the log a start reads, about, where it comes to an end in order.
const MOST_UNNOTED: u64 = 200_000;

/// How many ids one line of the log names.
const MOST_NAMED: usize = 100;

/// The state of loading and recovery.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// One at a time.
    one: Mutex<()>,
    /// Whether what the store holds was taken over.
    taken_over: AtomicBool,
    /// Whether it was recorded that the store failed.
    failing: AtomicBool,
    /// Steps of the workflow that the log had and the store had not, when it was taken over.
    behind: AtomicU64,
    /// The line of the log that was noted last without a commit of its own.
    noted: AtomicU64,
}

/// What the log says of one record.
#[derive(Debug, Default)]
struct Logged {
    /// Its last step.
    last: Option<Transition>,
    /// Its end, if it has ended: no later step undoes it.
    end: Option<Entry>,
    /// The highest revision of those that the store took.
    revision: u64,
}

impl Broker {
    /// Steps of the workflow that were in the log and not in the store, when it was taken over.
    pub fn behind_log(&self) -> u64 {
        self.recovery.behind.load(Ordering::Relaxed)
    }

    /// Nothing is written before what is there was taken over.
    pub(super) fn check_taken_over(&self) -> Result<(), StoreError> {
        match self.recovery.taken_over.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(StoreError::Failed(self.store.failure().unwrap_or_else(|| "it is being opened".to_owned()))),
        }
    }

    /// Notes in the store the last line of the log up to which the store has every step.
    pub(super) fn note_log(&self) {
        // In this order: an end that the store did not take is among these before it is in the log.
        let written = self.events.written();
        if written > 0 && self.unwritten.is_empty() {
            self.store.note(written);
        }
    }

    /// The same, where little is committed and much is logged: so that the next start need not read all of that.
    pub(super) fn note_now_and_then(&self) {
        let (written, before) = (self.events.written(), self.recovery.noted.load(Ordering::Relaxed));
        if written.saturating_sub(before) < MOST_UNNOTED {
            return;
        }
        self.note_log();
        match self.store.commit(Vec::new(), Box::new(|| {})) {
            Ok(()) => self.recovery.noted.store(written, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "where the log is cannot be noted"),
        }
    }

    /// Takes over what the store holds, when the process begins.
    pub(super) fn take_over(&self) -> Result<(), StoreError> {
        self.remember_ends();
        match self.store.failure() {
            None => self.read_store(),
            Some(why) => {
                tracing::error!(%why, "the store cannot be opened: there are no grants until it can");
                // Who was locked lately is locked.
                let locks = self.unwritten.all().into_iter().filter_map(|end| end.kept.apply(None));
                self.live.publish(&locks.collect::<Vec<_>>(), &self.shared, self.clock.now());
                Ok(())
            }
        }
    }

    /// Has a store that failed tried again; when it works, what it has not taken is written first.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        let failure = self.store.failure();
        if failure.is_none() && self.unwritten.is_empty() && self.recovery.taken_over.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one = self.recovery.one.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = failure
            && !self.recovery.failing.swap(true, Ordering::AcqRel)
        {
            self.events.event(json!({ "event": "store.failed", "reason": why }));
        }
        self.store.recover()?;
        if !self.recovery.taken_over.load(Ordering::Acquire) {
            self.read_store()?;
        }
        let ends = self.write_ends()?;
        if self.recovery.failing.swap(false, Ordering::AcqRel) {
            self.events.event(json!({ "event": "store.recovered", "ends": ends }));
        }
        Ok(())
    }

    /// What was kept beside the store is in force.
    fn remember_ends(&self) {
        for octets in self.store.kept_ends() {
            match serde_json::from_slice::<Kept>(&octets) {
                Ok(kept) => self.unwritten.insert(End { document: kept.apply(None), kept }),
                Err(error) => tracing::error!(%error, "what was kept of an end cannot be read"),
            }
        }
    }

    fn read_store(&self) -> Result<(), StoreError> {
        let ends: Vec<Kept> = self.unwritten.all().into_iter().map(|end| end.kept).collect();
        for kept in ends {
            self.is_to_end(kept)?;
        }
        let last = self.compare_with_log()?;
        let now = self.clock.now();
        let mut documents = self.live_documents()?;
        self.report_ahead(&documents, last);
        let before: BTreeSet<String> = documents.iter().map(|document| document.id().to_owned()).collect();
        for end in self.unwritten.all() {
            documents.extend(end.document.filter(|document| !before.contains(document.id())));
        }
        for document in self.lately_decided()?.iter().chain(&documents) {
            self.outbox.keep(document);
            self.waiters.remember_document(document, now);
            if let Document::Request(request) = document {
                self.rates().restore(request, now);
            }
        }
        self.live.restore(documents, &self.shared, now);
        self.live.install(self.shared.snapshot.load().policy.clone(), &self.shared, self.clock.now());
        self.recovery.taken_over.store(true, Ordering::Release);
        match self.write_ends() {
            Ok(_) => last.into_iter().for_each(|last| self.store.note(last.seq)),
            Err(error) => tracing::warn!(%error, "ends are in force, but not in the store yet"),
        }
        Ok(())
    }

    /// Puts an end in force, unless what is on record has ended. Returns whether it does.
    fn is_to_end(&self, kept: Kept) -> Result<bool, StoreError> {
        let stored = self.store.get(&kept.id)?.map(Document::from_record).transpose()?;
        let document = kept.apply(stored.as_ref());
        let ends = document.is_some();
        self.unwritten.insert(End { document, kept });
        Ok(ends)
    }

    /// Everything that has not ended, but for what ended elsewhere.
    fn live_documents(&self) -> Result<Vec<Document>, StoreError> {
        let (mut documents, mut after) = (Vec::new(), Vec::new());
        loop {
            let listed = self.store.list(&List::Live, &after, AT_ONCE)?;
            let Some(last) = listed.last() else { return Ok(documents) };
            after.clone_from(&last.key);
            for one in &listed {
                let missing =
                    || StoreError::Corrupt { id: one.id.clone(), why: "it is listed, and not there".to_owned() };
                documents.push(match self.unwritten.get(&one.id) {
                    Some(ended) => ended,
                    None => Document::from_record(self.store.get(&one.id)?.ok_or_else(missing)?)?,
                });
            }
        }
    }

    /// Requests that were decided, cancelled or lapsed a short while ago. Those that were made within that time are among
    /// them, or have not ended.
    fn lately_decided(&self) -> Result<Vec<Document>, StoreError> {
        let since = TimeDelta::from_std(QUIET.max(RATE_PERIOD))
            .ok()
            .and_then(|quiet| self.clock.now().wall.checked_sub_signed(quiet));
        let (mut documents, mut after) = (Vec::new(), List::key(since, ""));
        loop {
            let listed = self.store.list(&List::Ended, &after, AT_ONCE)?;
            let Some(last) = listed.last() else { return Ok(documents) };
            after.clone_from(&last.key);
            for one in listed {
                match one.state {
                    Indexed::Request(_) => {
                        documents.extend(self.store.get(&one.id)?.map(Document::from_record).transpose()?);
                    }
                    Indexed::Grant(_) | Indexed::Other => {}
                }
            }
        }
    }

    /// Looks for what the log says has ended, or is locked, and the store does not know: it ends. Returns the last
    /// line.
    fn compare_with_log(&self) -> Result<Option<LastLine>, StoreError> {
        let failed = |error: std::io::Error| StoreError::Failed(format!("the log cannot be compared with it: {error}"));
        let mut logged: BTreeMap<String, Logged> = BTreeMap::new();
        let last = self.events.transitions(self.store.noted()?, &mut |transition| see(&mut logged, transition));
        let last = last.map_err(failed)?;
        let (mut ended, mut locked, mut lost, mut behind) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (id, logged) in logged {
            let Some(step) = logged.last else { continue };
            let stored = self.store.get(&id)?.map(Document::from_record).transpose()?;
            let revision = stored.as_ref().map_or(0, Document::revision);
            let missing = logged.revision.saturating_sub(revision);
            behind += missing;
            let locks = step.entry.what == Happened::Locked && (!step.stored || missing > 0);
            let end = if locks { Some(step.entry) } else { logged.end };
            let kept = end.map(|entry| Kept { id: id.clone(), subject: step.subject, entry });
            let ends = match kept {
                // What is not there opens nothing.
                Some(_) if stored.is_none() && !locks => false,
                Some(kept) if !self.unwritten.is_waiting(&id) => self.is_to_end(kept)?,
                Some(_) | None => false,
            };
            match (ends, locks) {
                (true, true) => locked.push(id),
                (true, false) => ended.push(id),
                (false, _) if missing > 0 => lost.push(id),
                (false, _) => {}
            }
        }
        self.recovery.behind.store(behind, Ordering::Relaxed);
        if !(ended.is_empty() && locked.is_empty() && lost.is_empty()) {
            let first = |ids: &[String]| ids.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>();
            tracing::error!(
                steps = behind, ended = ?first(&ended), locked = ?first(&locked), lost = ?first(&lost),
                "the store lacks what the log has: it was damaged, or is an older one. What had ended stays ended"
            );
            self.events.event(json!({
                "event": "store.behind_log",
                "steps": behind,
                "ended": first(&ended),
                "locked": first(&locked),
                "lost": first(&lost),
            }));
        }
        Ok(last)
    }

    /// Grants that were written to the store after everything that is in the log: what happened to them last was
    /// never recorded. They stay as they are.
    fn report_ahead(&self, documents: &[Document], last: Option<LastLine>) {
        let Some(known) = last.and_then(|last| last.time.checked_add_signed(ROUNDING)) else { return };
        let ahead = documents.iter().filter_map(|document| match document {
            Document::Grant(grant) => grant.history.last().filter(|entry| entry.at > known).map(|_| &grant.id),
            Document::Request(_) | Document::Lock(_) | Document::Notification(_) => None,
        });
        let ahead: Vec<&String> = ahead.take(MOST_NAMED).collect();
        if !ahead.is_empty() {
            tracing::warn!(grants = ?ahead, "the log lacks what the store has: its end was lost");
            self.events.event(json!({ "event": "store.ahead_of_log", "grants": ahead }));
        }
    }
}

/// Takes a step of the log into account.
fn see(logged: &mut BTreeMap<String, Logged>, transition: Transition) {
    let of = logged.entry(transition.about.clone()).or_default();
    match transition.entry.what {
        Happened::Expired
        | Happened::Released
        | Happened::Revoked
        | Happened::Denied
        | Happened::Cancelled
        | Happened::Lapsed => of.end = Some(transition.entry.clone()),
        Happened::Requested
        | Happened::Approved
        | Happened::Escalated
        | Happened::Granted
        | Happened::Activated
        | Happened::Warned
        | Happened::SignedOff
        | Happened::Locked
        | Happened::Unlocked => {}
    }
    if transition.stored {
        of.revision = of.revision.max(transition.entry.after);
    }
    of.last = Some(transition);
}
