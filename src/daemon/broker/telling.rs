//! The queue of what people are to be told: filled in the same commit as what it tells of, emptied by the
//! notifier. What cannot be told is kept as a dead letter, for a while.

use super::lasting::fix_end;
use super::outbox::{Due, Lane, MOST_DEAD, MOST_PENDING, Wanted};
use super::read::Window;
use super::{Broker, BrokerError, Document, Page, Paged, events, new_id};
use crate::daemon::store::{Change, StoreError};
use crate::engine::grant::history::Actor;
use crate::engine::grant::lifecycle::{Event, Grant};
use crate::engine::workflow::telling::{Facts, Notification, NotificationState, Outcome, Receiver};
use crate::engine::workflow::{Notice, WorkflowError, locks};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;

/// What is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// What is on record.
    pub facts: Facts,
    /// Nobody needs to hear it any more.
    pub overtaken: bool,
}

impl Broker {
    /// From here on, these are to be told of. What happened before stays as it is.
    pub fn tell_of(&self, wanted: Wanted) {
        self.outbox.wanted.store(Arc::new(wanted));
        self.outbox.changed.notify_one();
    }

    /// Signalled when there may be something new to tell.
    pub fn to_tell(&self) -> Arc<Notify> {
        Arc::clone(&self.outbox.changed)
    }

    /// What is to be told now in lanes that are not busy.
    pub fn due_to_tell(&self, busy: &BTreeSet<Lane>) -> Due {
        self.outbox.due(self.clock.now().wall, busy)
    }

    /// How many notifications wait, and how many are dead letters.
    pub fn notification_count(&self) -> (usize, usize) {
        self.outbox.count()
    }

    /// What is on record of what a notice is about.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn facts(&self, notice: &Notice) -> Result<Option<Told>, BrokerError> {
        let facts = match self.load(notice.about())? {
            Some(Document::Request(request)) => {
                let grant = self.extended(request.grant.as_deref())?;
                Facts::Request(Box::new(request), grant.map(Box::new))
            }
            Some(Document::Grant(grant)) => match self.load(&grant.request)? {
                Some(Document::Request(request)) => Facts::Grant(Box::new(grant), Box::new(request)),
                Some(Document::Grant(_) | Document::Lock(_) | Document::Notification(_)) | None => return Ok(None),
            },
            Some(Document::Lock(lock)) => Facts::Lock(Box::new(lock)),
            Some(Document::Notification(_)) | None => return Ok(None),
        };
        let overtaken = notice.is_overtaken(&facts, self.clock.now().wall);
        Ok(Some(Told { facts, overtaken }))
    }

    /// Makes of something to be told to everybody one delivery for each of `receivers`.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn spread(&self, one: &Notification, receivers: Vec<Receiver>) -> Result<(), BrokerError> {
        let now = self.clock.now().wall;
        let each = receivers.into_iter().map(|to| Ok(one.for_one(new_id("note")?, to, now)));
        let each = each.collect::<Result<Vec<_>, BrokerError>>()?;
        Ok(self.replace(one, each)?)
    }

    /// Writes down how a try went. A dead letter is recorded.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn told(&self, one: &Notification, outcome: &Outcome) -> Result<(), BrokerError> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(|error| BrokerError::Random(error.to_string()))?;
        let after = one.after(outcome, self.clock.now().wall, u64::from_ne_bytes(chance));
        Ok(self.replace(one, after.into_iter().collect())?)
    }

    /// Keeps the queue within its bounds: of too many that wait, the oldest become dead letters; of too many
    /// dead letters, the oldest go. Both are recorded.
    pub fn trim_notifications(&self) {
        let (pending, dead) = self.outbox.count();
        if pending > MOST_PENDING {
            for one in self.outbox.list(NotificationState::Pending).into_iter().take(pending - MOST_PENDING) {
                let kept = self.replace(&one, vec![one.given_up("too many wait to be told")]);
                self.log_failure(&one.id, kept.err().map(Into::into));
            }
        }
        if dead > MOST_DEAD {
            for one in self.outbox.list(NotificationState::Dead).into_iter().take(dead - MOST_DEAD) {
                match self.replace(&one, Vec::new()) {
                    Ok(()) => self.events.event(events::of_notification("notification dropped", &one)),
                    Err(error) => self.log_failure(&one.id, Some(error.into())),
                }
            }
        }
    }

    /// A page of what waits to be told, or of the dead letters; oldest first.
    ///
    /// # Errors
    /// The actor neither administers nor audits.
    pub fn notifications(
        &self,
        actor: &Actor,
        state: NotificationState,
        page: &Page,
    ) -> Result<Paged<Notification>, BrokerError> {
        if !self.with_context(|context| context.sees_everything(actor)) {
            return Err(WorkflowError::NotAdministrator.into());
        }
        let not_found = |id: &String| BrokerError::NotFound(id.clone());
        let after = page.after.as_ref().map(|id| self.outbox.get(id).ok_or_else(|| not_found(id))).transpose()?;
        let mut window = Window::new(page.limit, after.map(|one| (one.at, one.id)));
        for one in self.outbox.list(state) {
            let key = (one.at, one.id.clone());
            if window.is_for(&key) {
                window.take(key, one);
            }
        }
        Ok(window.finish())
    }

    /// Tries to tell it again at once, from the beginning.
    ///
    /// # Errors
    /// The actor does not administer; there is none; it cannot be kept.
    pub fn retry_notification(&self, id: &str, actor: &Actor) -> Result<Notification, BrokerError> {
        let result = self.try_retry(id, actor);
        if let Ok(one) = &result {
            let mut event = events::of_call("notification retried", actor);
            event["notification"] = one.id.as_str().into();
            self.events.event(event);
        }
        self.note("retry", id, actor, result)
    }

    fn try_retry(&self, id: &str, actor: &Actor) -> Result<Notification, BrokerError> {
        self.with_context(|context| locks::check_administers(actor, context))?;
        self.attempt(|| {
            let one = self.outbox.get(id).ok_or_else(|| BrokerError::NotFound(id.to_owned()))?;
            let again = one.again(self.clock.now().wall);
            self.replace(&one, vec![again.clone()])?;
            Ok(again)
        })
    }

    /// Documents that belong together, and that something is to be told of them: all of it is durable, or none.
    pub(super) fn commit_and_tell(&self, mut documents: Vec<Document>, notices: Vec<Notice>) -> Result<(), StoreError> {
        documents.extend(self.to_be_told(&documents, notices)?);
        let now = self.clock.now();
        documents.iter_mut().for_each(|document| fix_end(document, now));
        let records = documents.iter().map(Document::to_record).collect::<Result<_, _>>()?;
        let (shared, live, clock) = (Arc::clone(&self.shared), Arc::clone(&self.live), self.clock.clone());
        let (sink, changed, outbox) = (Arc::clone(&self.events), Arc::clone(&self.changed), Arc::clone(&self.outbox));
        let waiters = Arc::clone(&self.waiters);
        let publish = move || {
            live.publish(&documents, &shared, clock.now());
            documents.iter().flat_map(events::of_document).for_each(|event| sink.event(event));
            documents.iter().for_each(|document| outbox.keep(document));
            waiters.publish(&documents, shared.snapshot.load().policy.naming(), clock.now());
            changed.notify_one();
        };
        self.check_taken_over()?;
        self.note_log();
        self.store.commit(records, Box::new(publish))
    }

    /// What is to be told of a commit, as documents of the same commit.
    pub(super) fn to_be_told(
        &self,
        documents: &[Document],
        mut notices: Vec<Notice>,
    ) -> Result<Vec<Document>, StoreError> {
        notices.extend(documents.iter().filter_map(|document| match document {
            Document::Grant(grant) => Notice::of_grant(grant),
            Document::Lock(lock) => Notice::of_lock(lock),
            Document::Request(_) | Document::Notification(_) => None,
        }));
        let wanted = self.outbox.wanted.load();
        let now = self.clock.now().wall;
        let wanted = notices.into_iter().filter(|notice| wanted.kinds.contains(&notice.kind()));
        let made = wanted.map(|notice| {
            let id = new_id("note").map_err(|error| StoreError::Failed(error.to_string()))?;
            Ok(Document::Notification(Notification::new(id, notice, now)))
        });
        made.collect()
    }

    /// Warns those whose grants are about to end.
    pub(super) fn warn(&self, now: DateTime<Utc>) {
        let Some(before) = self.outbox.wanted.load().warn_before else { return };
        for id in self.live.about_to_end(now, before) {
            let warned = self.end_unseen(&id, self.moment().since, |grant: &Grant, context| {
                Ok(Some(grant.step(Event::Warn, context.now.wall).map_err(WorkflowError::from)?))
            });
            self.log_failure(&id, warned.err());
        }
    }

    /// Puts what comes of a notification in its place: itself, one revision later, or others. Nothing: it goes.
    fn replace(&self, one: &Notification, with: Vec<Notification>) -> Result<(), StoreError> {
        let stays = with.iter().any(|next| next.id == one.id);
        let documents: Vec<Document> = with.into_iter().map(Document::Notification).collect();
        let puts = documents.iter().map(|document| document.to_record().map(Change::Put));
        let mut changes = puts.collect::<Result<Vec<_>, _>>()?;
        if !stays {
            changes.push(Change::Remove { id: one.id.clone(), revision: one.revision });
        }
        let (sink, outbox, old) = (Arc::clone(&self.events), Arc::clone(&self.outbox), one.clone());
        let publish = move || {
            for document in &documents {
                if let Document::Notification(next) = document
                    && next.state == NotificationState::Dead
                {
                    sink.event(events::of_notification("notification dead", next));
                }
                outbox.keep(document);
            }
            if !stays {
                outbox.forget(&old.id);
            }
        };
        self.check_taken_over()?;
        self.note_log();
        self.store.apply(changes, Box::new(publish))
    }
}
