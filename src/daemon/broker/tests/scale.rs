//! What lists and starts read: as much as they show, and as much as has not ended; not all that ever was.

use super::*;

const ENDED: usize = 400;

/// So many requests that were cancelled, a moment apart, hours ago.
fn with_history() -> (House, Arc<MemoryStore>) {
    let (house, store) = House::new();
    for _ in 0..ENDED {
        let request = house.ask();
        house.broker.cancel(&request.id, None, &person("anna")).expect("cancelled");
    }
    house.pass(2 * 3_600);
    (house, store)
}

fn page(limit: usize) -> Page {
    Page { limit, after: None }
}

#[test]
fn a_page_reads_what_is_on_it() {
    let (house, store) = with_history();
    let waiting = house.ask();
    let list = RequestList::default();
    for (name, list, count) in [
        ("root", list, 20),
        ("anna", list, 20),
        ("lars", list, 20),
        ("anna", RequestList { mine: true, ..list }, 20),
        ("lars", RequestList { mine: true, ..list }, 0),
        ("bert", list, 0),
        ("root", RequestList { state: Some(RequestState::Approved), ..list }, 0),
        ("root", RequestList { state: Some(RequestState::Cancelled), ..list }, 20),
        ("root", RequestList { state: Some(RequestState::Pending), ..list }, 1),
        ("root", RequestList { waiting: true, ..list }, 1),
    ] {
        store.take_reads();
        let found = house.broker.requests_page(&person(name), list, &page(20), |_| true).expect("read");
        assert_eq!(found.items.len(), count, "{name} {list:?}");
        assert!(store.take_reads() <= 21, "{name} {list:?}");
    }
    // From page to page everything once, in order.
    let (mut all, mut next) = (Vec::new(), page(33));
    loop {
        store.take_reads();
        let found = house.broker.requests_page(&person("lars"), list, &next, |_| true).expect("read");
        assert!(store.take_reads() <= 35);
        all.extend(found.items);
        match all.last() {
            Some(last) if found.more => next.after = Some(last.id.clone()),
            Some(_) | None => break,
        }
    }
    assert_eq!(all.len(), ENDED + 1);
    assert!(all.is_sorted_by(|a, b| (a.created, &a.id) < (b.created, &b.id)));
    store.take_reads();
    house.broker.request(&waiting.id, &person("anna")).expect("shown");
    assert_eq!(store.take_reads(), 1);
}

#[test]
fn a_start_reads_what_has_not_ended() {
    let (house, store) = with_history();
    let (grant, _waiting) = (house.granted(), house.ask());
    store.take_reads();
    let clock = house.clock.clone();
    let again = House::at(Arc::clone(&store) as Arc<dyn GrantStore>, Arc::new(policy()), clock);
    // And the request that was decided within the hour, which counts for how many somebody made.
    assert_eq!(store.take_reads(), 3);
    assert_eq!(again.open(), [grant.id]);
}

#[test]
fn what_ended_long_ago_is_archived_and_found() {
    let (house, store) = with_history();
    let (open, ended, waiting) = (house.granted(), house.granted(), house.ask());
    house.broker.release(&ended.id, &person("anna")).expect("released");
    house.broker.archive_after(HOUR);
    while house.broker.archive() {}
    let list = RequestList::default();
    let count =
        |list| house.broker.requests_page(&person("root"), list, &page(1_000), |_| true).expect("read").items.len();
    assert_eq!((count(list), count(RequestList { archived: true, ..list })), (3, ENDED + 3));
    let old = house.broker.requests_page(&person("root"), RequestList { archived: true, ..list }, &page(1), |_| true);
    let old = old.expect("read").items.remove(0);
    assert_eq!(house.broker.request(&old.id, &person("anna")).expect("found by its id").state, RequestState::Cancelled);
    assert_eq!(house.broker.cancel(&old.id, None, &person("anna")).expect_err("it is over").word(), "already-ended");
    let mut records = 0;
    store.scan(&mut |_| records += 1).expect("read");
    assert_eq!(records, 5, "three requests and two grants");
    // What came of it is moved, too, in its time; what is open stays.
    house.clock.pass(HOUR / 2);
    let grants = |which| house.broker.grants_page(&person("root"), which, &page(10)).expect("read").items.len();
    house.broker.settle();
    assert_eq!((grants(Which::All), grants(Which::Archived)), (2, 2));
    house.clock.pass(HOUR);
    house.broker.settle();
    assert_eq!((grants(Which::All), grants(Which::Archived)), (1, 2), "the other ended half an hour ago");
    house.clock.pass(HOUR);
    assert_eq!((house.state(&ended), house.state(&open)), (GrantState::Released, GrantState::Expired));
    let again = House::at(store, Arc::new(policy()), house.clock.clone());
    assert_eq!(again.broker.request(&waiting.id, &person("anna")).expect("read").state, RequestState::Pending);
}
