//! What a restart finds of what waits and of what has ended, and what is not shown to whom.

use super::super::rates::Rates;
use super::*;
use crate::engine::grant::basis::Basis;
use crate::engine::grant::fixture::at;
use crate::engine::ldap::dn::Naming;
use std::time::Duration;

#[test]
fn what_waited_lapses_after_a_restart_too() {
    let (house, store) = House::new();
    let (waiting, denied) = (house.ask(), house.ask());
    house.word(&denied, "lars", Verdict::Deny).expect("denied");
    let again = House::on(store);
    assert_eq!(
        again.broker.requests_page(&person("anna"), waiting_list(true), &page(), |_| true).expect("read").items.len(),
        1
    );
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
        let requests =
            [true, false].map(|waiting| broker.requests_page(&who, waiting_list(waiting), &page(), |_| true));
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

#[test]
fn requests_are_counted_whatever_becomes_of_them_and_over_a_restart() {
    let (house, store) = House::new();
    let limited = || Arc::new(Authority { requests_per_hour: Some(3), ..authority() });
    house.shared.authority.store(limited());
    let ask = |house: &House, who: &str| house.broker.ask(&wish(), &person(who), false);
    let cancelled = ask(&house, "anna").expect("a request");
    house.broker.cancel(&cancelled.id, None, &person("anna")).expect("cancelled");
    let denied = ask(&house, "anna").expect("a request");
    house.word(&denied, "lars", Verdict::Deny).expect("denied");
    house.broker.ask(&wish(), &person("anna"), true).expect("a dry run is no request");
    house.pass(600);
    ask(&house, "anna").expect("a request");
    let error = ask(&house, "anna").expect_err("one too many");
    assert_eq!(error.word(), "too-many-requests");
    ask(&house, "bert").expect("another's are others");
    // A restart forgets nothing.
    let again = House::on(store);
    again.shared.authority.store(limited());
    again.pass(600);
    assert_eq!(ask(&again, "anna").expect_err("one too many").word(), "too-many-requests");
}

#[test]
fn a_request_is_counted_for_an_hour_by_any_name_and_emergencies_by_themselves() {
    let (house, _) = House::new();
    let made_by = |name: &str| {
        let by = Identity::of_dn(name.parse().expect("a name"));
        Request { requested_by: by, created: at(0).wall, ..house.ask() }
    };
    let anna = made_by("uid=anna,ou=people,dc=x");
    let spelled = made_by("0.9.2342.19200300.100.1.1=ANNA,OU=people,DC=x");
    let emergency = Request { basis: Basis::BreakGlass, ..anna.clone() };
    let (naming, minutes) = (Naming::default(), |count: u64| Duration::from_secs(count * 60));
    let moment = |count: i64| at(count * 60);
    let mut rates = Rates::default();
    // The process begins at minute 30 with what was made at minute 0.
    rates.restore(&anna, moment(30));
    rates.note(&spelled, moment(40));
    let mut lately = |request: &Request, count: i64| rates.lately(request, &naming, moment(count));
    for request in [&anna, &spelled] {
        assert_eq!(lately(request, 41), Some((2, minutes(41))));
        assert_eq!(lately(request, 59), Some((2, minutes(59))));
    }
    assert_eq!(lately(&emergency, 41), None);
    assert_eq!(lately(&made_by("uid=bert,ou=people,dc=x"), 41), None);
    assert_eq!(lately(&anna, 60), Some((1, minutes(20))), "an hour after it was made, not after the start");
    assert_eq!(lately(&anna, 100), None);
    // What was made later than now was made before the clock was set back: it counts from now on.
    rates.restore(&Request { created: moment(300).wall, ..anna.clone() }, moment(100));
    assert_eq!(rates.lately(&anna, &naming, moment(159)), Some((1, minutes(59))));
    assert_eq!(rates.lately(&anna, &naming, moment(160)), None);
}
