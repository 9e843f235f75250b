//! Tells people: takes what is due from the broker's queue, finds out who is told, posts and mails it.
//!
//! A receiver that fails, or never answers, holds up nobody but those behind it in its own lane; nothing
//! of it is waited for where decisions are made. What is told at least once may be told twice, under the
//! same id.

mod address;
mod smtp;
#[cfg(test)]
mod tests;
mod webhook;

pub use address::{Addresses, DirectoryAddresses, Found, Listed};
pub use smtp::{Mailer, Security};
pub use webhook::Webhook;

use super::broker::{Broker, BrokerError, Lane};
use super::clock::Clock;
use crate::api::WebhookBody;
use crate::engine::ldap::Dn;
use crate::engine::policy::groups::{Belongs, Membership};
use crate::engine::workflow::telling::mail::{Address, Envelope, compose};
use crate::engine::workflow::telling::{Facts, Notification, Outcome, Receiver};
use crate::engine::workflow::{Match, NoticeKind};
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// The longest that the queue is not looked at (the clock may be set).
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After so many tries, those are told of whom it is known that they are to be, although there may be more.
const TRIES_FOR_ALL: u32 = 3;

/// Where things are told, as configured.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Webhooks by name, each with what it is told of.
    pub webhooks: BTreeMap<String, (Webhook, BTreeSet<NoticeKind>)>,
    /// How mail is sent.
    pub mail: Option<Mail>,
}

/// How mail is sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// To which server, and how.
    pub mailer: Mailer,
    /// From whom.
    pub from: Address,
    /// Which attribute of an entry is the address.
    pub address_attribute: String,
    /// Before each subject.
    pub subject_prefix: String,
    /// What people are told of.
    pub events: BTreeSet<NoticeKind>,
}

/// Tells people.
pub struct Notifier {
    broker: Arc<Broker>,
    clock: Clock,
    settings: ArcSwap<Settings>,
    addresses: Arc<dyn Addresses>,
}

impl Notifier {
    /// One that tells what the broker has in its queue.
    pub fn new(broker: Arc<Broker>, clock: Clock, settings: Settings, addresses: Arc<dyn Addresses>) -> Notifier {
        Notifier { broker, clock, settings: ArcSwap::from_pointee(settings), addresses }
    }

    /// From here on, things are told like this.
    pub fn install(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// Tells what is due. Runs until it is dropped.
    pub async fn run(self: Arc<Notifier>) {
        let changed = self.broker.to_tell();
        let mut running = JoinSet::new();
        let mut busy: HashMap<tokio::task::Id, Lane> = HashMap::new();
        loop {
            let (due, wait) = self.due(busy.values().cloned().collect()).await;
            for (lane, one) in due {
                let handle = running.spawn(Arc::clone(&self).tell(one));
                busy.insert(handle.id(), lane);
            }
            tokio::select! {
                Some(done) = running.join_next_with_id() => {
                    let id = match &done {
                        Ok((id, ())) => *id,
                        Err(error) => error.id(),
                    };
                    busy.remove(&id);
                }
                () = changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What is to be told now, and how long nothing more is. Nothing while the store cannot keep what became
    /// of it: it would be told again and again.
    async fn due(self: &Arc<Self>, busy: BTreeSet<Lane>) -> (BTreeMap<Lane, Notification>, Duration) {
        let (broker, clock) = (Arc::clone(&self.broker), self.clock.clone());
        let looked = tokio::task::spawn_blocking(move || {
            if broker.failure().is_some() {
                return (BTreeMap::new(), LOOK_AGAIN);
            }
            broker.trim_notifications();
            let due = broker.due_to_tell(&busy);
            let next = due.next.and_then(|next| (next - clock.now().wall).to_std().ok());
            (due.now, next.map_or(LOOK_AGAIN, |next| next.min(LOOK_AGAIN)))
        });
        looked.await.unwrap_or((BTreeMap::new(), LOOK_AGAIN))
    }

    async fn tell(self: Arc<Notifier>, one: Notification) {
        let (id, about) = (one.id.clone(), one.notice.about().to_owned());
        match self.try_to_tell(one).await {
            Ok(()) => {}
            // It stays in the queue; but not at once again.
            Err(error) => {
                tracing::warn!(notification = %id, %about, %error, "what became of a notification cannot be kept");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    async fn try_to_tell(self: &Arc<Self>, one: Notification) -> Result<(), BrokerError> {
        let notice = one.notice.clone();
        let told = self.blocking(move |broker| broker.facts(&notice)).await?;
        let facts = match told {
            Some(told) if !told.overtaken => told.facts,
            Some(_) | None => return self.conclude(one, Outcome::Overtaken).await,
        };
        let settings = self.settings.load_full();
        let outcome = match &one.to {
            Receiver::All => return self.spread(one, &settings).await,
            Receiver::People => return self.spread_to_people(one, &facts).await,
            Receiver::Webhook { name } => match settings.webhooks.get(name) {
                Some((webhook, _)) => self.post(webhook, &one, &facts).await,
                None => Outcome::Never { why: "the webhook is no longer configured".to_owned() },
            },
            Receiver::Person { dn } => match &settings.mail {
                Some(mail) => self.mail(mail, &one, dn, &facts).await,
                None => Outcome::Never { why: "mail is no longer configured".to_owned() },
            },
        };
        self.conclude(one, outcome).await
    }

    async fn conclude(self: &Arc<Self>, one: Notification, outcome: Outcome) -> Result<(), BrokerError> {
        self.blocking(move |broker| {
            match &outcome {
                Outcome::Delivered => tracing::debug!(notification = %one.id, to = %one.to, "told"),
                Outcome::Overtaken => tracing::debug!(notification = %one.id, to = %one.to, "overtaken"),
                Outcome::Later { why, .. } | Outcome::Never { why } => {
                    let why = crate::engine::text::visible(why);
                    tracing::warn!(notification = %one.id, to = %one.to, %why, "cannot be told");
                }
            }
            broker.told(&one, &outcome)
        })
        .await
    }

    /// One delivery for each webhook that is told of such things, and one for those who are told by mail.
    async fn spread(self: &Arc<Self>, one: Notification, settings: &Settings) -> Result<(), BrokerError> {
        let kind = one.notice.kind();
        let webhooks = settings.webhooks.iter().filter(|(_, (_, events))| events.contains(&kind));
        let mut receivers: Vec<_> = webhooks.map(|(name, _)| Receiver::Webhook { name: name.clone() }).collect();
        if settings.mail.as_ref().is_some_and(|mail| mail.events.contains(&kind)) {
            receivers.push(Receiver::People);
        }
        self.blocking(move |broker| broker.spread(&one, receivers)).await
    }

    async fn spread_to_people(self: &Arc<Self>, one: Notification, facts: &Facts) -> Result<(), BrokerError> {
        let listed = self.list(&one, facts).await;
        let people = self.broker.with_listed(listed, |context| one.notice.people(facts, context));
        let enough = one.attempts + 1 >= TRIES_FOR_ALL && !people.names.is_empty();
        if people.unknown && !enough {
            let why = "the directory has not said lately who is in the groups".to_owned();
            return self.conclude(one, Outcome::Later { why, after: None }).await;
        }
        if people.unknown {
            tracing::warn!(notification = %one.id, "not everybody who should be told is known");
        }
        let receivers = people.names.into_iter().map(|dn| Receiver::Person { dn }).collect();
        self.blocking(move |broker| broker.spread(&one, receivers)).await
    }

    async fn post(&self, webhook: &Webhook, one: &Notification, facts: &Facts) -> Outcome {
        let now = self.clock.now().wall;
        match WebhookBody::new(one, facts, now).to_text() {
            Ok(body) => webhook.post(&one.id, body, now).await,
            Err(error) => Outcome::Never { why: error.to_string() },
        }
    }

    async fn mail(&self, mail: &Mail, one: &Notification, dn: &Dn, facts: &Facts) -> Outcome {
        match self.is_for(one, dn, facts).await {
            Match::Yes => {}
            // They could not even look at it any more.
            Match::No => return Outcome::Overtaken,
            Match::Unknown => {
                let why = "the directory has not said lately whether they are to be told".to_owned();
                return Outcome::Later { why, after: None };
            }
        }
        let address = match self.addresses.of(dn, &mail.address_attribute).await {
            Err(why) => return Outcome::Later { why, after: None },
            Ok(None) => return Outcome::Never { why: format!("no {} in their entry", mail.address_attribute) },
            Ok(Some(text)) => text,
        };
        let Ok(to) = Address::parse(&address) else {
            return Outcome::Never {
                why: format!("{} of their entry is no address: {address}", mail.address_attribute),
            };
        };
        let (from, date) = (&mail.from, self.clock.now().wall);
        let envelope = Envelope { id: &one.id, from, to: &to, prefix: &mail.subject_prefix, date };
        mail.mailer.send(from, &to, &compose(envelope, &one.notice.words(facts))).await
    }

    /// The members of the groups that are notified, as far as they can be read.
    async fn list(&self, one: &Notification, facts: &Facts) -> HashMap<Dn, Membership> {
        let groups = self.broker.with_context(|context| {
            let groups = one.notice.groups(facts, context).into_iter();
            groups.filter(|group| context.groups.listed(group, context.since).is_none()).collect::<Vec<_>>()
        });
        let mut listed = HashMap::new();
        for group in groups {
            let read_at = self.clock.now().monotonic;
            match self.addresses.members(&group).await {
                Ok(members) => _ = listed.insert(group, Membership { members, read_at }),
                Err(error) => tracing::warn!(%group, %error, "the members of a group cannot be notified"),
            }
        }
        listed
    }

    /// Whether a person is still one of those who are notified: nobody else's membership is asked for.
    async fn is_for(&self, one: &Notification, dn: &Dn, facts: &Facts) -> Match {
        let (broker, name) = (Arc::clone(&self.broker), dn.clone());
        if tokio::task::spawn_blocking(move || broker.know(&[&name])).await.is_err() {
            return Match::Unknown;
        }
        let listed = self.broker.with_context(|context| {
            let groups = one.notice.groups(facts, context).into_iter();
            let groups = groups.filter(|group| context.groups.listed(group, context.since).is_none());
            let own = groups.filter_map(|group| {
                let members = match context.groups.belongs(&group, dn, context.since) {
                    Belongs::Member => HashSet::from([dn.clone()]),
                    Belongs::NotMember => HashSet::new(),
                    Belongs::Unknown => return None,
                };
                Some((group, Membership { members, read_at: context.now.monotonic }))
            });
            own.collect()
        });
        self.broker.with_listed(listed, |context| one.notice.is_for(dn, facts, context))
    }

    /// The store blocks on the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Broker) -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let broker = Arc::clone(&self.broker);
        let done = tokio::task::spawn_blocking(move || work(&broker)).await;
        done.unwrap_or_else(|error| Err(super::store::StoreError::Failed(error.to_string()).into()))
    }
}
