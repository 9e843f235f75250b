//! What a restart finds of what waits and of what has ended, and what is not shown to whom.

use super::*;

#[test]
fn what_waited_lapses_after_a_restart_too() {
    let (house, store) = House::new();
    let (waiting, denied) = (house.ask(), house.ask());
    house.word(&denied, "lars", Verdict::Deny).expect("denied");
    let again = House::on(store);
    assert_eq!(again.broker.requests_page(&person("anna"), true, &page(), |_| true).expect("read").items.len(), 1);
    again.pass(8 * 3_600);
    again.broker.settle();
    let state = |request: &Request| again.broker.request(&request.id, &person("anna")).expect("a request");
    assert_eq!((state(&waiting).state, state(&waiting).revision), (RequestState::Lapsed, 2));
    assert_eq!((state(&denied).state, state(&denied).revision), (RequestState::Denied, 2));
}

fn page() -> Page {
    Page { limit: 100, after: None }
}

#[test]
fn only_broken_glass_is_on_the_list_after_a_restart() {
    let glass = Role { break_glass: selectors(&["dn:uid=anna,ou=people,dc=x"]), ..editor() };
    let policy = Arc::new(policy_of(resources(), vec![glass]));
    let store = Arc::new(MemoryStore::new());
    let house = House::with(Arc::clone(&store) as Arc<dyn GrantStore>, Arc::clone(&policy));
    let emergency = || house.ask_for(&Wish { break_glass: true, ..wish() }).grant.expect("a grant");
    let (open, over, signed, usual) = (emergency(), emergency(), emergency(), house.granted().id);
    for grant in [&over, &signed, &usual] {
        house.broker.release(grant, &person("anna")).expect("released");
    }
    house.broker.sign_off(&signed, None, &person("rita")).expect("signed off");
    let again = House::with(store, policy);
    for house in [&house, &again] {
        let listed = house.broker.grants_page(&person("rita"), Which::Unsigned, &page()).expect("read");
        let listed: std::collections::BTreeSet<_> = listed.items.into_iter().map(|grant| grant.id).collect();
        assert_eq!(listed, [open.clone(), over.clone()].into());
        assert_eq!(house.open(), std::slice::from_ref(&open), "on the list, and open");
    }
}

#[test]
fn what_is_not_shown_is_neither_decided_nor_taken_back() {
    let (house, _) = House::new();
    let (grant, request) = (house.granted(), house.ask());
    let bert = person("bert");
    for error in [
        house.approve(&request, "bert").expect_err("hidden"),
        house.word(&request, "bert", Verdict::Deny).expect_err("hidden"),
        house.broker.cancel(&request.id, None, &bert).expect_err("hidden"),
        house.broker.extend(&grant.id, HOUR, "why", &bert).expect_err("hidden"),
        house.broker.sign_off(&grant.id, None, &bert).expect_err("hidden"),
    ] {
        assert_eq!(error.word(), "not-found", "{error}");
    }
    // Nor listed, whichever list it is.
    let lists = |name: &str| {
        let (broker, who) = (&house.broker, person(name));
        let requests = [true, false].map(|waiting| broker.requests_page(&who, waiting, &page(), |_| true));
        let grants = [Which::Active, Which::All].map(|which| broker.grants_page(&who, which, &page()));
        let requests = requests.map(|page| page.expect("read").items.len());
        (requests, grants.map(|page| page.expect("read").items.len()))
    };
    for name in ["anna", "lars", "root", "rita"] {
        assert_eq!(lists(name), ([1, 2], [1, 1]), "{name}");
    }
    assert_eq!(lists("bert"), ([0, 0], [0, 0]));
    house.broker.release(&grant.id, &person("anna")).expect("released");
    assert_eq!(lists("anna"), ([1, 2], [0, 1]));
}

/// Before anything is ended by it: from the instant in which it is durable.
#[test]
fn a_lock_closes_before_what_it_ends_is_written_down() {
    let (house, _) = House::new();
    let grant = house.granted();
    let other = house.open().len();
    let lock = house.broker.with_context(|context| {
        crate::engine::workflow::locks::lock(None, &uid("anna"), "why", &person("root"), context).expect("a lock")
    });
    house.broker.live.publish(&[Document::Lock(lock)], &house.shared, house.clock.now());
    assert_eq!((other, house.open().len(), house.state(&grant)), (1, 0, GrantState::Active));
    house.broker.settle();
    assert_eq!(house.state(&grant), GrantState::Revoked);
}
