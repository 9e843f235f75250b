//! The queue of what is to be told: filled with what it tells of, kept over restarts, bounded.

use super::*;
use crate::daemon::broker::{Lane, Wanted};
use crate::daemon::store::sled::SledStore;
use crate::daemon::store::{Change, List, Listed, Publish, Record};
use crate::engine::grant::history::Happened;
use crate::engine::workflow::NoticeKind;
use crate::engine::workflow::telling::{Notification, NotificationState, Outcome, Receiver};
use std::collections::BTreeSet;

fn everything() -> Wanted {
    Wanted { kinds: NoticeKind::ALL.into(), warn_before: Some(TimeDelta::minutes(10)) }
}

fn listening() -> (House, Arc<MemoryStore>) {
    let (house, store) = House::new();
    house.broker.tell_of(everything());
    (house, store)
}

impl House {
    pub(in crate::daemon) fn queue(&self, state: NotificationState) -> Vec<Notification> {
        self.broker.notifications(&person("root"), state, &Page { limit: 1_000, after: None }).expect("listed").items
    }

    pub(in crate::daemon) fn pending(&self) -> Vec<Notification> {
        self.queue(NotificationState::Pending)
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.pending().iter().map(|one| one.notice.kind().word()).collect()
    }

    fn delivered(&self) {
        self.pending().iter().for_each(|one| self.broker.told(one, &Outcome::Delivered).expect("kept"));
    }
}

fn never() -> Outcome {
    Outcome::Never { why: "gone".to_owned() }
}

#[test]
fn what_happens_is_to_be_told_in_the_same_commit() {
    let (house, store) = listening();
    let request = house.ask();
    assert_eq!(house.kinds(), ["waits"]);
    house.delivered();
    let grant = house.approve(&request, "lars").expect("approved").grant.expect("a grant");
    assert_eq!(house.kinds(), ["approved"]);
    house.delivered();
    house.broker.revoke(&grant, "why", &person("lars")).expect("revoked");
    assert_eq!(house.kinds(), ["revoked"]);
    house.delivered();
    let (one, other) = (house.ask(), house.granted());
    house.delivered();
    house.word(&one, "lars", Verdict::Deny).expect("denied");
    assert_eq!(house.kinds(), ["denied"]);
    house.delivered();
    house.broker.lock(&uid("anna"), "why", &person("root"), &[]).expect("locked");
    assert_eq!(house.kinds(), ["locked", "revoked"], "and what the lock ended: {}", other.id);
    // What is not committed is not told.
    house.delivered();
    store.fail("full");
    house.broker.ask(&wish(), &person("bert"), false).expect_err("it cannot be kept");
    assert!(house.pending().is_empty());
}

/// Keeps the ids of each commit.
struct Watched(MemoryStore, Mutex<Vec<Vec<String>>>);

impl GrantStore for Watched {
    fn get(&self, id: &str) -> Result<Option<Record>, StoreError> {
        self.0.get(id)
    }

    fn scan(&self, visit: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        self.0.scan(visit)
    }

    fn apply(&self, changes: Vec<Change>, publish: Publish) -> Result<(), StoreError> {
        let kinds = changes.iter().map(|change| change.id().split('-').next().unwrap_or_default().to_owned());
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(kinds.collect());
        self.0.apply(changes, publish)
    }

    fn failure(&self) -> Option<String> {
        self.0.failure()
    }

    fn list(&self, list: &List, after: &[u8], limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.0.list(list, after, limit)
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.0.recover()
    }

    fn keep_end(&self, end: &[u8]) -> Result<(), StoreError> {
        self.0.keep_end(end)
    }

    fn kept_ends(&self) -> Vec<Vec<u8>> {
        self.0.kept_ends()
    }

    fn forget_ends(&self) -> Result<(), StoreError> {
        self.0.forget_ends()
    }

    fn note(&self, seq: u64) {
        self.0.note(seq);
    }

    fn noted(&self) -> Result<u64, StoreError> {
        self.0.noted()
    }
}

#[test]
fn between_what_happens_and_what_is_to_be_told_of_it_nothing_can_come() {
    let store = Arc::new(Watched(MemoryStore::new(), Mutex::default()));
    let house = House::on(Arc::clone(&store) as Arc<dyn GrantStore>);
    house.broker.tell_of(everything());
    let grant = house.granted();
    house.broker.revoke(&grant.id, "why", &person("lars")).expect("revoked");
    let commits = std::mem::take(&mut *store.1.lock().unwrap_or_else(PoisonError::into_inner));
    assert_eq!(commits, [vec!["req", "note"], vec!["req", "grant", "note"], vec!["grant", "note"]]);
}

#[test]
fn nothing_is_kept_where_nobody_wants_to_hear_it() {
    let (house, _) = House::new();
    house.ask();
    assert!(house.pending().is_empty());
    house.broker.tell_of(Wanted { kinds: BTreeSet::from([NoticeKind::Denied]), warn_before: None });
    let request = house.ask();
    assert!(house.pending().is_empty());
    house.word(&request, "lars", Verdict::Deny).expect("denied");
    assert_eq!(house.kinds(), ["denied"]);
}

#[test]
fn what_was_to_be_told_is_still_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || House::on(Arc::new(SledStore::open(&directory.path().join("store")).expect("open")));
    let house = open();
    house.broker.tell_of(everything());
    house.ask();
    house.ask();
    let before = house.pending();
    let webhook = Receiver::Webhook { name: "chat".to_owned() };
    house.broker.spread(&before[0], vec![webhook, Receiver::People]).expect("kept");
    house.broker.told(&before[1], &never()).expect("kept");
    let (pending, dead) = (house.pending(), house.queue(NotificationState::Dead));
    assert_eq!((pending.len(), dead.len()), (2, 1));
    drop(house);
    let again = open();
    assert_eq!((again.pending(), again.queue(NotificationState::Dead)), (pending, dead));
    again.delivered();
    drop(again);
    assert!(open().pending().is_empty(), "what was told is not told again");
}

#[test]
fn who_is_being_tried_holds_up_nobody_else() {
    let (house, _) = listening();
    house.ask();
    let one = house.pending().remove(0);
    let webhook = |name: &str| Receiver::Webhook { name: name.to_owned() };
    let anna = Receiver::Person { dn: uid("anna") };
    house.broker.spread(&one, vec![webhook("a"), webhook("b"), webhook("a"), anna, Receiver::People]).expect("kept");
    let lanes = |busy: &[Lane]| {
        let due = house.broker.due_to_tell(&busy.iter().cloned().collect());
        due.now.into_keys().collect::<Vec<_>>()
    };
    let (a, b) = (Lane::Webhook("a".to_owned()), Lane::Webhook("b".to_owned()));
    assert_eq!(lanes(&[]), [Lane::Spread, a.clone(), b.clone(), Lane::Mail]);
    assert_eq!(lanes(&[a.clone(), Lane::Spread]), [b, Lane::Mail]);
    // One that failed makes way for the next of the same receiver.
    let first = house.broker.due_to_tell(&BTreeSet::new()).now[&a].clone();
    house.broker.told(&first, &Outcome::Later { why: "503".to_owned(), after: None }).expect("kept");
    let due = house.broker.due_to_tell(&BTreeSet::new());
    assert_ne!(due.now[&a].id, first.id);
    assert!(due.next.is_some_and(|next| next > house.clock.now().wall), "when the other is due");
    house.pass(6);
    assert_eq!(house.pending().iter().filter(|one| one.id == first.id).map(|one| one.attempts).sum::<u32>(), 1);
}

#[test]
fn a_holder_is_warned_once_and_not_of_what_goes_on() {
    let (house, _) = listening();
    let (grant, released, extended) = (house.granted(), house.granted(), house.granted());
    let more = house.broker.extend(&extended.id, HOUR, "more", &person("anna")).expect("asked");
    house.approve(&more, "lars").expect("approved");
    let short = house.ask_for(&Wish { duration: Some(HOUR / 6), ..wish() });
    let short = house.approve(&short, "lars").expect("approved").grant.expect("a grant");
    house.broker.settle();
    house.delivered();
    house.pass(2_999);
    house.broker.settle();
    assert!(house.pending().is_empty(), "not yet");
    house.broker.release(&released.id, &person("anna")).expect("released");
    house.pass(3_001);
    house.broker.settle();
    house.broker.settle();
    let told: Vec<String> = house.pending().iter().map(|one| one.notice.about().to_owned()).collect();
    assert_eq!((house.kinds(), told), (vec!["ending"], vec![grant.id.clone()]), "not {short}, nor {}", extended.id);
    let warned = house.broker.grant(&grant.id, &person("anna")).expect("a grant");
    assert_eq!(warned.history.iter().filter(|entry| entry.what == Happened::Warned).count(), 1);
    assert!(house.open().contains(&grant.id), "it opens what it opened");
    house.delivered();
    house.broker.settle();
    assert!(house.pending().is_empty(), "once");
}

#[test]
fn a_warning_is_overtaken_by_a_release() {
    let (house, _) = listening();
    let grant = house.granted();
    house.delivered();
    house.pass(3_300);
    house.broker.settle();
    let warning = house.pending().remove(0).notice;
    assert!(!house.broker.facts(&warning).expect("read").expect("there").overtaken);
    house.broker.release(&grant.id, &person("anna")).expect("released");
    assert!(house.broker.facts(&warning).expect("read").expect("there").overtaken);
}

#[test]
fn the_queue_is_bounded_and_what_falls_out_of_it_is_recorded() {
    let (house, _) = listening();
    (0..12).for_each(|_| drop(house.ask()));
    let oldest: Vec<String> = house.pending().iter().take(2).map(|one| one.id.clone()).collect();
    house.sink.take();
    house.broker.trim_notifications();
    let dead: Vec<String> = house.queue(NotificationState::Dead).iter().map(|one| one.id.clone()).collect();
    assert_eq!((dead, house.pending().len()), (oldest, 10));
    assert_eq!(house.sink.words(), ["notification dead"; 2]);
    house.pending().iter().for_each(|one| house.broker.told(one, &never()).expect("kept"));
    assert_eq!(house.sink.words(), ["notification dead"; 10]);
    house.broker.trim_notifications();
    assert_eq!(house.queue(NotificationState::Dead).len(), 5);
    assert_eq!(house.sink.words(), ["notification dropped"; 7]);
}

#[test]
fn the_list_is_for_those_who_administer_or_audit_and_retrying_for_administrators() {
    let (house, _) = listening();
    house.ask();
    let one = house.pending().remove(0);
    house.broker.told(&one, &never()).expect("kept");
    let page = Page { limit: 10, after: None };
    let list = |who: &str| house.broker.notifications(&person(who), NotificationState::Dead, &page);
    assert_eq!(list("rita").expect("an auditor").items.len(), 1);
    for who in ["anna", "lars"] {
        assert_eq!(list(who).expect_err("no office").word(), "not-administrator");
        assert_eq!(house.broker.retry_notification(&one.id, &person(who)).expect_err(who).word(), "not-administrator");
    }
    let refused = house.broker.retry_notification(&one.id, &person("rita")).expect_err("an auditor changes nothing");
    assert_eq!((refused.word(), house.sink.last()["event"].as_str()), ("not-administrator", Some("refused")));
    let again = house.broker.retry_notification(&one.id, &person("root")).expect("an administrator");
    assert_eq!((again.state, again.attempts), (NotificationState::Pending, 0));
    let event = house.sink.last();
    assert_eq!(
        (event["event"].as_str(), event["notification"].as_str()),
        (Some("notification retried"), Some(&*one.id))
    );
    assert_eq!((house.pending().len(), list("root").expect("listed").items.len()), (1, 0));
    assert_eq!(house.broker.retry_notification("note-none", &person("root")).expect_err("none").word(), "not-found");
}
