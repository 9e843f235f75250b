//! What operations ask for: one request for all that wait, none for a while after a no, and whoever waits is told.

use super::*;
use crate::daemon::broker::doing::{QUIET, Waiters};
use crate::engine::grant::fixture::at;
use crate::engine::ldap::dn::Naming;
use std::sync::mpsc::{Receiver, channel};

/// What came of asking, and what is told later.
struct Asked {
    done: Result<Done, BrokerError>,
    told: Receiver<End>,
}

impl Asked {
    fn waits(&self) -> String {
        match &self.done {
            Ok(Done::Waits { request, .. }) => request.clone(),
            other => panic!("waits: {}", word(other)),
        }
    }
}

fn word(done: &Result<Done, BrokerError>) -> String {
    match done {
        Ok(Done::Waits { .. }) => "waits".to_owned(),
        Ok(Done::Granted { .. }) => "granted".to_owned(),
        Ok(Done::Lately { state, .. }) => format!("lately {state}"),
        Err(error) => error.word().to_owned(),
    }
}

fn ask_on(house: &House, who: &str, role: &str, seen: &ActiveGrants) -> Asked {
    let (say, told) = channel();
    let actor = Actor::own(Identity::of_dn(uid(who)), "192.0.2.1:4711");
    let subject = uid(who);
    let doing = Doing { role, reason: "asked by doing: search", actor: &actor, subject: &subject, seen };
    Asked { done: house.broker.ask_by_doing(&doing, move |_, end| say.send(end).expect("heard")), told }
}

fn ask(house: &House, who: &str, role: &str) -> Asked {
    ask_on(house, who, role, &house.shared.snapshot.load().grants)
}

fn request(house: &House, id: &str) -> Request {
    house.broker.request(id, &person("root")).expect("an administrator sees it")
}

fn count(house: &House) -> usize {
    house.broker.requests(&person("root"), |_| true).expect("read").len()
}

#[test]
fn what_waits_is_asked_for_once() {
    let (house, _) = House::new();
    let first = ask(&house, "anna", "editor");
    let kept = request(&house, &first.waits());
    assert!(kept.by_doing && kept.reason == "asked by doing: search" && kept.duration == HOUR);
    assert_eq!(
        (kept.requested_by.to_string(), kept.history[0].from.as_str()),
        (uid("anna").to_string(), "192.0.2.1:4711")
    );
    assert_eq!(house.sink.last()["by_doing"], true);
    assert_eq!(ask(&house, "anna", "editor").waits(), first.waits());
    assert_ne!(ask(&house, "bert", "editor").waits(), first.waits());
    assert_ne!(ask(&house, "anna", "vault").waits(), first.waits());
    assert_eq!(count(&house), 3);
    // One that a person made is as good, one for another time is not.
    let start = Some(house.clock.now().wall + TimeDelta::hours(2));
    house.broker.ask(&Wish { start, ..wish() }, &person("lena"), false).expect("for later");
    let by_hand = house.broker.ask(&wish(), &person("lena"), false).expect("for now");
    assert_eq!(ask(&house, "lena", "editor").waits(), by_hand.id);
    assert!(!by_hand.by_doing);
}

#[test]
fn two_that_ask_at_once_are_one_request() {
    let (house, _) = House::new();
    // Once is no proof: who comes second mostly comes late enough.
    for round in 0..200 {
        let who = format!("user{round}");
        let (one, other) = races::both(|| ask(&house, &who, "vault").waits(), || ask(&house, &who, "vault").waits());
        assert_eq!(one, other);
    }
    assert_eq!(count(&house), 200);
}

#[test]
fn whoever_waits_is_told_how_it_ended() {
    let denied = |house: &House, id: &str| _ = house.word(&request(house, id), "lars", Verdict::Deny).expect("denied");
    let approved = |house: &House, id: &str| _ = house.approve(&request(house, id), "lars").expect("approved");
    let cancelled = |house: &House, id: &str| _ = house.broker.cancel(id, None, &person("anna")).expect("cancelled");
    let lapsed = |house: &House, _: &str| {
        house.pass(9 * 3_600);
        house.broker.settle();
        house.pass(0);
    };
    let locked = |house: &House, _: &str| {
        let spelled: Dn = "UID = Anna, OU=People,DC=X".parse().expect("a name");
        _ = house.broker.lock(&spelled, "laptop lost", &person("root"), &[]).expect("locked");
    };
    type Ends<'a> = &'a dyn Fn(&House, &str);
    for (ends, told, next) in [
        (&denied as Ends<'_>, End::Decided(RequestState::Denied), "lately denied"),
        (&cancelled, End::Decided(RequestState::Cancelled), "lately cancelled"),
        (&lapsed, End::Decided(RequestState::Lapsed), "waits"),
        (&locked, End::Locked, "locked"),
        // What is refused with the grant in sight is more than the grant opens.
        (&approved, End::Decided(RequestState::Approved), "waits"),
    ] {
        let (house, store) = House::new();
        let before = Arc::clone(&house.shared.snapshot.load().grants);
        let (waits, also, gone) =
            (ask(&house, "anna", "editor"), ask(&house, "anna", "editor"), ask(&house, "anna", "editor"));
        let (other, id) = (ask(&house, "bert", "editor"), waits.waits());
        drop(gone.done);
        ends(&house, &id);
        assert_eq!((waits.told.try_recv(), also.told.try_recv()), (Ok(told), Ok(told)));
        assert!(gone.told.try_recv().is_err(), "who no longer waits is not told");
        assert_eq!(other.told.try_recv().is_ok(), told == End::Decided(RequestState::Lapsed), "bert's lapses as well");
        if told == End::Decided(RequestState::Approved) {
            let late = ask_on(&house, "anna", "editor", &before);
            assert!(matches!(&late.done, Ok(Done::Granted { request }) if *request == id), "{}", word(&late.done));
        }
        assert_eq!(word(&ask(&house, "anna", "editor").done), next);
        // A restart does not forget it.
        let again = House::on(store);
        if next != "waits" {
            assert_eq!(word(&ask(&again, "anna", "editor").done), next);
        }
        // A person may ask all the while.
        if next.starts_with("lately") {
            let by_hand = again.ask();
            assert_eq!(ask(&again, "anna", "editor").waits(), by_hand.id);
        }
    }
}

#[test]
fn a_no_is_kept_in_mind_for_a_while_and_no_longer() {
    let (house, _) = House::new();
    let denied = house.word(&house.ask(), "lars", Verdict::Deny).expect("denied");
    let quiet = |passed_before: i64, passed_since: i64| {
        let waiters = Waiters::default();
        waiters.remember(&denied, at(-passed_before).wall, at(0));
        waiters.lately(&uid("anna"), "editor", &Naming::default(), at(passed_since)).is_some()
    };
    let whole = QUIET.as_secs() as i64;
    assert!(quiet(0, 0) && quiet(0, whole - 1) && quiet(whole - 1, 0));
    assert!(!quiet(0, whole) && !quiet(whole, 0) && !quiet(whole / 2, whole / 2));
    let waiters = Waiters::default();
    waiters.remember(&denied, at(0).wall, at(0));
    assert!(waiters.lately(&uid("bert"), "editor", &Naming::default(), at(0)).is_none());
    assert!(waiters.lately(&uid("anna"), "vault", &Naming::default(), at(0)).is_none());
}

#[test]
fn the_rules_of_asking_hold_for_what_is_done() {
    let (house, store) = House::new();
    assert_eq!(word(&ask(&house, "olga", "editor").done), "not-eligible");
    assert_eq!(word(&ask(&house, "anna", "none").done), "unknown-role");
    assert_eq!(house.sink.last()["reason"], "unknown-role");
    house.shared.authority.store(Arc::new(Authority { max_pending: Some(1), ..authority() }));
    let first = ask(&house, "anna", "vault");
    assert_eq!(word(&ask(&house, "anna", "editor").done), "too-many-pending");
    assert_eq!(ask(&house, "anna", "vault").waits(), first.waits(), "what waits already is not one more");
    store.fail("no space left");
    assert_eq!(word(&ask(&house, "bert", "editor").done), "store-failed");
}

#[test]
fn a_rule_may_approve_it_by_the_address_that_it_came_from() {
    use crate::engine::policy::deciding::{AddressRange, Automatic};
    for (range, expected) in [("192.0.2.0/24", "granted"), ("198.51.100.0/24", "waits"), ("local", "waits")] {
        let rule = Automatic {
            who: None,
            addresses: Some(vec![AddressRange::parse(range).expect("a range")]),
            hours: None,
            ticket: None,
            max_duration: None,
            operations: None,
        };
        let role = Role { automatic: vec![rule], ..editor() };
        let house = House::with(Arc::new(MemoryStore::new()), Arc::new(policy_of(resources(), vec![role])));
        assert_eq!(word(&ask(&house, "anna", "editor").done), expected, "{range}");
        assert_eq!(house.open().len(), usize::from(expected == "granted"));
    }
}
