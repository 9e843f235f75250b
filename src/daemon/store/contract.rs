//! What every store must pass.

use super::record::Document;
use super::{Change, GrantStore, Indexed, Kind, List, MAX_BODY, Person, Record, StoreError};
use crate::engine::grant::basis::Basis;
use crate::engine::grant::fixture::{HOUR, at, uid};
use crate::engine::grant::history::Identity;
use crate::engine::grant::lifecycle::{Approved, Grant, GrantState};
use crate::engine::grant::scope::Scope;
use serde_json::json;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

pub(super) fn record(id: &str, revision: u64, says: &str) -> Record {
    Record { id: id.to_owned(), revision, body: json!({ "says": says }) }
}

pub(super) fn commit(store: &dyn GrantStore, records: Vec<Record>) -> Result<(), StoreError> {
    store.commit(records, Box::new(|| {}))
}

pub(super) fn all(store: &dyn GrantStore) -> Vec<Record> {
    let mut records = Vec::new();
    store.scan(&mut |record| records.push(record)).expect("scan");
    records
}

/// Runs every case on a fresh store.
pub(super) fn suite(fresh: &dyn Fn() -> Box<dyn GrantStore>) {
    reads_what_was_committed(&*fresh());
    swaps_only_the_revision_before(&*fresh());
    commits_all_or_nothing(&*fresh());
    removes_only_the_revision_that_is_there(&*fresh());
    puts_and_removes_all_or_nothing(&*fresh());
    refuses_what_is_too_large(&*fresh());
    publishes_before_readers_see_it(Arc::from(fresh()));
    lists_what_is_there_and_nothing_else(&*fresh());
    archives_for_good(&*fresh());
    keeps_ends_until_they_are_forgotten(&*fresh());
    remembers_what_was_noted_with_the_last_commit(&*fresh());
}

/// Ids in a list, all at once and two at a time.
fn listed(store: &dyn GrantStore, list: &List) -> Vec<String> {
    let all = store.list(list, &[], 1_000).expect("list");
    let (mut parts, mut after) = (Vec::new(), Vec::new());
    loop {
        let part = store.list(list, &after, 2).expect("list");
        let Some(last) = part.last() else { break };
        after.clone_from(&last.key);
        parts.extend(part);
    }
    assert_eq!(all, parts, "{list:?}");
    all.into_iter().map(|one| one.id).collect()
}

/// A grant of anna's that begins after so many seconds, as a record.
fn grant(id: &str, revision: u64, from: i64, state: GrantState) -> Record {
    let (grant, _) = Grant::begin(
        Approved {
            id: id.to_owned(),
            request: "req-1",
            role: "editor",
            subject: &uid("anna"),
            requested_by: &Identity::of_dn(uid("olga")),
            really: None,
            reason: "why",
            ticket: None,
            scope: &Scope(Vec::new()),
            start: Some(at(from).wall),
            duration: HOUR,
            by: None,
            basis: Basis::Reviews,
            approved_by: Vec::new(),
            extends: None,
        },
        at(0).wall,
    );
    let ended = state.is_end().then(|| at(from).wall);
    Document::Grant(Grant { state, revision, ended, ..grant }).to_record().expect("a record")
}

fn lists_what_is_there_and_nothing_else(store: &dyn GrantStore) {
    let grants = Kind::Grants;
    let all = List::All { kind: grants, archived: false };
    let of = |name: &str| List::Of { person: Person::of(&uid(name)), kind: grants, archived: false };
    let role = |role: &str| List::Role { role: role.to_owned(), kind: grants, archived: false };
    let (active, revoked) = (GrantState::Active, GrantState::Revoked);
    commit(store, vec![grant("b", 1, 7, active), grant("a", 1, 9, active), grant("c", 1, -5, active)]).expect("made");
    for list in [&all, &of("anna"), &of("olga"), &role("editor")] {
        assert_eq!(listed(store, list), ["c", "b", "a"], "{list:?}");
    }
    assert_eq!(listed(store, &List::Live), ["a", "b", "c"]);
    for list in [of("bert"), role("vault"), List::All { kind: Kind::Requests, archived: false }, List::Ended] {
        assert!(listed(store, &list).is_empty(), "{list:?}");
    }
    // One that moves, one that ends, one that goes.
    commit(store, vec![grant("c", 2, 8, active), grant("a", 2, 9, revoked)]).expect("changed");
    apply(store, vec![remove("b", 1)]).expect("removed");
    assert_eq!(
        (listed(store, &all), listed(store, &of("anna"))),
        (vec!["c".into(), "a".into()], vec!["c".into(), "a".into()])
    );
    assert_eq!((listed(store, &List::Live), listed(store, &List::Ended)), (vec!["c".to_owned()], vec!["a".to_owned()]));
    let states = store.list(&all, &[], 10).expect("list").into_iter().map(|one| one.state).collect::<Vec<_>>();
    assert_eq!(states, [Indexed::Grant(active), Indexed::Grant(revoked)]);
    // What does not come about is not listed.
    let refused = apply(store, vec![Change::Put(grant("d", 1, 1, active)), remove("c", 7)]);
    assert!(refused.is_err() && listed(store, &all) == ["c", "a"]);
    // What cannot be read is found by a start.
    commit(store, vec![record("x", 1, "odd")]).expect("made");
    assert_eq!(listed(store, &List::Live), ["c", "x"]);
}

fn archives_for_good(store: &dyn GrantStore) {
    let list = |archived| List::All { kind: Kind::Grants, archived };
    let conflict = Err(StoreError::Conflict("a".to_owned()));
    let archive = |revision| Change::Archive { id: "a".to_owned(), revision };
    commit(store, vec![grant("a", 1, 1, GrantState::Revoked), grant("b", 1, 2, GrantState::Active)]).expect("made");
    assert_eq!(apply(store, vec![archive(2)]), conflict);
    apply(store, vec![archive(1)]).expect("archived");
    assert_eq!(store.get("a"), Ok(Some(grant("a", 1, 1, GrantState::Revoked))), "found by its id");
    assert_eq!((listed(store, &list(false)), listed(store, &list(true))), (vec!["b".to_owned()], vec!["a".to_owned()]));
    assert!(listed(store, &List::Ended).is_empty());
    assert_eq!(all(store).len(), 1);
    assert_eq!(apply(store, vec![archive(1)]), conflict, "once");
    assert_eq!(commit(store, vec![grant("a", 2, 1, GrantState::Active)]), conflict, "it does not change any more");
}

fn keeps_ends_until_they_are_forgotten(store: &dyn GrantStore) {
    assert!(store.kept_ends().is_empty());
    store.keep_end(b"one").expect("kept");
    store.keep_end(b"two").expect("kept");
    assert_eq!(store.kept_ends(), [b"one", b"two"]);
    store.forget_ends().expect("forgotten");
    assert!(store.kept_ends().is_empty());
}

fn remembers_what_was_noted_with_the_last_commit(store: &dyn GrantStore) {
    assert_eq!(store.noted(), Ok(0));
    store.note(7);
    assert_eq!(store.noted(), Ok(0), "not before a commit");
    commit(store, vec![record("a", 1, "")]).expect("commit");
    assert_eq!(store.noted(), Ok(7));
    commit(store, vec![record("a", 1, "")]).expect_err("a conflict");
    assert_eq!(store.noted(), Ok(7));
}

fn reads_what_was_committed(store: &dyn GrantStore) {
    assert_eq!(store.get("a"), Ok(None));
    assert_eq!(all(store), vec![]);
    commit(store, vec![record("b", 1, "ü\u{0}\"'"), record("a", 1, "")]).expect("commit");
    assert_eq!(store.get("b"), Ok(Some(record("b", 1, "ü\u{0}\"'"))));
    assert_eq!(all(store), vec![record("a", 1, ""), record("b", 1, "ü\u{0}\"'")], "in the order of ids");
    assert_eq!(store.failure(), None);
}

fn swaps_only_the_revision_before(store: &dyn GrantStore) {
    let conflict = Err(StoreError::Conflict("a".to_owned()));
    assert_eq!(commit(store, vec![record("a", 2, "no first")]), conflict);
    assert_eq!(commit(store, vec![record("a", 0, "no zeroth")]), conflict);
    commit(store, vec![record("a", 1, "first")]).expect("create");
    assert_eq!(commit(store, vec![record("a", 1, "again")]), conflict);
    assert_eq!(commit(store, vec![record("a", 3, "skipping")]), conflict);
    assert_eq!(store.get("a"), Ok(Some(record("a", 1, "first"))));
    commit(store, vec![record("a", 2, "second")]).expect("swap");
    assert_eq!(commit(store, vec![record("a", 2, "late")]), conflict);
    assert_eq!(store.get("a"), Ok(Some(record("a", 2, "second"))));
}

fn commits_all_or_nothing(store: &dyn GrantStore) {
    commit(store, vec![record("b", 1, "before")]).expect("create");
    let published = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&published);
    let result = store.commit(
        vec![record("a", 1, "new"), record("b", 1, "stale"), record("c", 1, "new")],
        Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }),
    );
    assert_eq!(result, Err(StoreError::Conflict("b".to_owned())));
    assert_eq!(published.load(Ordering::SeqCst), 0, "a commit that fails is not published");
    assert_eq!(all(store), vec![record("b", 1, "before")]);
    commit(store, vec![record("b", 2, "after"), record("a", 1, "new")]).expect("both");
    assert_eq!(all(store), vec![record("a", 1, "new"), record("b", 2, "after")]);
}

fn remove(id: &str, revision: u64) -> Change {
    Change::Remove { id: id.to_owned(), revision }
}

fn apply(store: &dyn GrantStore, changes: Vec<Change>) -> Result<(), StoreError> {
    store.apply(changes, Box::new(|| {}))
}

fn removes_only_the_revision_that_is_there(store: &dyn GrantStore) {
    let conflict = Err(StoreError::Conflict("a".to_owned()));
    assert_eq!(apply(store, vec![remove("a", 0)]), conflict, "what is not there is not removed");
    assert_eq!(apply(store, vec![remove("a", 1)]), conflict);
    commit(store, vec![record("a", 1, "first")]).expect("create");
    commit(store, vec![record("a", 2, "second")]).expect("swap");
    assert_eq!(apply(store, vec![remove("a", 1)]), conflict);
    assert_eq!(apply(store, vec![remove("a", 3)]), conflict);
    assert_eq!(store.get("a"), Ok(Some(record("a", 2, "second"))));
    apply(store, vec![remove("a", 2)]).expect("removed");
    assert_eq!((store.get("a"), all(store)), (Ok(None), vec![]));
    assert_eq!(commit(store, vec![record("a", 3, "as if nothing was")]), conflict);
    commit(store, vec![record("a", 1, "anew")]).expect("from the beginning");
}

fn puts_and_removes_all_or_nothing(store: &dyn GrantStore) {
    commit(store, vec![record("a", 1, "goes"), record("b", 1, "stays")]).expect("create");
    let result = apply(store, vec![remove("a", 1), Change::Put(record("c", 1, "new")), remove("b", 7)]);
    assert_eq!(result, Err(StoreError::Conflict("b".to_owned())));
    assert_eq!(all(store), vec![record("a", 1, "goes"), record("b", 1, "stays")]);
    apply(store, vec![remove("a", 1), Change::Put(record("c", 1, "new"))]).expect("both");
    assert_eq!(all(store), vec![record("b", 1, "stays"), record("c", 1, "new")]);
}

fn refuses_what_is_too_large(store: &dyn GrantStore) {
    let result = commit(store, vec![record("a", 1, &"x".repeat(MAX_BODY))]);
    assert_eq!(result, Err(StoreError::TooLarge("a".to_owned())));
    assert_eq!(store.get("a"), Ok(None));
    commit(store, vec![record("a", 1, &"x".repeat(MAX_BODY - 100))]).expect("just fits");
}

fn publishes_before_readers_see_it(store: Arc<dyn GrantStore>) {
    let published = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicUsize::new(0));
    let reader = std::thread::spawn({
        let (store, published, stop) = (Arc::clone(&store), Arc::clone(&published), Arc::clone(&stop));
        move || {
            while stop.load(Ordering::SeqCst) == 0 {
                let seen = store.get("a").expect("get").map_or(0, |record| record.revision);
                assert!(seen <= published.load(Ordering::SeqCst), "revision {seen} was seen before it was published");
            }
        }
    });
    for revision in 1..=20 {
        let published = Arc::clone(&published);
        store
            .commit(vec![record("a", revision, "")], Box::new(move || published.store(revision, Ordering::SeqCst)))
            .expect("commit");
    }
    stop.store(1, Ordering::SeqCst);
    reader.join().expect("reader");
}

/// Two threads want the same revision, `rounds` times: one wins, and publishing follows the order.
pub(super) fn races(store: &dyn GrantStore, rounds: u64) {
    let barrier = Barrier::new(2);
    let order = Arc::new(AtomicU64::new(0));
    let wins = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for who in ["left", "right"] {
            let (barrier, order, wins) = (&barrier, &order, &wins);
            scope.spawn(move || {
                for revision in 1..=rounds {
                    barrier.wait();
                    let order = Arc::clone(order);
                    let result = store.commit(
                        vec![record("raced", revision, who)],
                        Box::new(move || {
                            assert_eq!(order.swap(revision, Ordering::SeqCst), revision - 1, "published out of order");
                        }),
                    );
                    match result {
                        Ok(()) => {
                            wins.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => assert_eq!(error, StoreError::Conflict("raced".to_owned())),
                    }
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(wins.load(Ordering::SeqCst), rounds, "each round has one winner");
    assert_eq!(order.load(Ordering::SeqCst), rounds);
}
