//! Locks, extensions, emergencies, limits and pages: what opens when, and what a restart finds.

use super::*;
use crate::engine::grant::scope::Narrowing;
use crate::engine::policy::OperationKind;
use crate::engine::policy::groups::Groups;

fn lars() -> Actor {
    person("lars")
}

/// An extension of the grant that lars approved.
fn extended(house: &House, grant: &Grant) -> Grant {
    let request = house.broker.extend(&grant.id, HOUR, "not done yet", &person("anna")).expect("a request");
    let approved = house.approve(&request, "lars").expect("an approval");
    house.broker.grant(&approved.grant.expect("a grant"), &person("anna")).expect("which anna sees")
}

#[test]
fn a_lock_closes_at_once_is_felt_and_outlasts_a_restart() {
    let (house, store) = House::new();
    let (grant, waiting) = (house.granted(), house.ask());
    let mut generation = house.shared.watch();
    generation.mark_unchanged();
    let spelled: Dn = "UID = Anna, OU=People,DC=X".parse().expect("a name");
    let lock = house.broker.lock(&spelled, "laptop lost", &person("root"), &[]).expect("locked");
    assert!(house.open().is_empty() && generation.has_changed().expect("shared lives"));
    assert_eq!(house.state(&grant), GrantState::Revoked);
    assert_eq!(house.approve(&waiting, "lars").expect_err("locked").word(), "locked");
    assert_eq!(house.broker.ask(&wish(), &person("anna"), false).expect_err("locked").word(), "locked");
    assert_eq!(
        house.broker.lock(&uid("anna"), "again", &person("root"), &[]).expect_err("is").word(),
        "locked-already"
    );
    for name in ["anna", "lars", "bert"] {
        assert_eq!(house.broker.unlock(&uid("anna"), &person(name)).expect_err("no").word(), "not-administrator");
        assert_eq!(house.broker.locks(&person(name)).expect_err("no").word(), "not-administrator");
    }
    assert_eq!(house.broker.locks(&person("rita")).expect("an auditor sees"), std::slice::from_ref(&lock));
    let again = House::on(store);
    assert_eq!(again.broker.ask(&wish(), &person("anna"), false).expect_err("locked").word(), "locked");
    assert_eq!(again.broker.locks(&person("root")).expect("sees"), [lock]);
    let lifted = again.broker.unlock(&uid("anna"), &person("root")).expect("lifted");
    assert_eq!((lifted.locked, lifted.revision), (false, 2));
    assert_eq!(again.state(&grant), GrantState::Revoked, "what it ended stays ended");
    assert_eq!(again.approve(&waiting, "lars").expect("goes on").state, RequestState::Approved);
    assert_eq!(again.sink.words(), ["refused", "unlocked", "approved", "granted", "activated"]);
}

/// The lock of one who is given a grant at that very moment: whichever is kept first, nothing is open.
#[test]
fn a_lock_against_an_approval_leaves_nothing_open() {
    let (house, _) = House::new();
    for _ in 0..300 {
        let request = house.ask();
        let (approved, locked) = races::both(
            || house.approve(&request, "lars"),
            || house.broker.lock(&uid("anna"), "now", &person("root"), &[]).expect("locked"),
        );
        house.broker.settle();
        assert!(house.open().is_empty());
        match approved {
            Ok(approved) => {
                let grant = approved.grant.expect("a grant");
                let grant = house.broker.grant(&grant, &person("anna")).expect("seen");
                assert_eq!(grant.state, GrantState::Revoked);
            }
            Err(error) => {
                assert_eq!(error.word(), "locked");
                house.broker.cancel(&request.id, None, &person("anna")).expect("cancelled");
            }
        }
        house.broker.unlock(&locked.subject, &person("root")).expect("lifted");
    }
}

#[test]
fn an_extension_takes_over_in_the_same_instant() {
    let (house, _) = House::new();
    let before = house.granted();
    let next = extended(&house, &before);
    assert_eq!((next.state, next.from), (GrantState::Scheduled, before.until));
    assert_eq!(house.open(), std::slice::from_ref(&before.id));
    house.pass(3_595);
    house.broker.settle();
    assert_eq!(house.open().len(), 2, "it lies ready");
    let snapshot = house.shared.snapshot.load();
    let active = |millis: i64| {
        let now = Now { wall: before.until + TimeDelta::milliseconds(millis), ..house.clock.now() };
        let anna = uid("anna");
        let held = snapshot.grants.get(&anna).filter(|grant| grant.is_active(now));
        held.map(|grant| grant.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(active(-1), std::slice::from_ref(&before.id));
    assert_eq!(active(0), std::slice::from_ref(&next.id));
    house.pass(3_601);
    house.broker.settle();
    assert_eq!((house.state(&before), house.state(&next)), (GrantState::Expired, GrantState::Active));
    assert_eq!(house.open(), std::slice::from_ref(&next.id));
}

#[test]
fn who_ends_a_grant_ends_what_was_to_follow_it() {
    let (house, store) = House::new();
    for (by, state) in [("anna", GrantState::Released), ("lars", GrantState::Revoked)] {
        let first = house.granted();
        let second = extended(&house, &first);
        let third = extended(&house, &second);
        match state {
            GrantState::Released => house.broker.release(&first.id, &person(by)).expect("released"),
            _ => house.broker.revoke(&first.id, "enough", &person(by)).expect("revoked"),
        };
        for grant in [&first, &second, &third] {
            assert_eq!(house.state(grant), state, "{by}");
        }
        assert_eq!(house.broker.live_grants(), 0);
    }
    // A lock ends one of several with all that follows, and a restart agrees.
    let first = house.granted();
    let second = extended(&house, &first);
    house.broker.lock(&uid("anna"), "now", &person("root"), &[]).expect("locked");
    let again = House::on(store);
    assert_eq!((again.state(&first), again.state(&second)), (GrantState::Revoked, GrantState::Revoked));
    assert_eq!(again.broker.live_grants(), 0);
}

#[test]
fn an_extension_is_not_approved_when_what_it_extends_was_ended() {
    let (house, _) = House::new();
    let grant = house.granted();
    let request = house.broker.extend(&grant.id, HOUR, "more", &person("anna")).expect("a request");
    house.broker.release(&grant.id, &person("anna")).expect("released");
    assert_eq!(house.approve(&request, "lars").expect_err("over").word(), "extended-ended");
    let grant = house.granted();
    let request = house.broker.extend(&grant.id, HOUR, "more", &person("anna")).expect("a request");
    house.pass(3_600);
    assert_eq!(house.approve(&request, "lars").expect_err("too late").word(), "already-ended");
    house.pass(0);
    let error = house.broker.extend(&grant.id, HOUR, "more", &lars()).expect_err("not hers");
    assert_eq!(error.word(), "not-holder");
}

#[test]
fn broken_glass_is_marked_everywhere_and_stays_on_the_list_until_it_is_signed_off() {
    let (house, store) = House::new();
    let role = Role { break_glass: selectors(&["dn:uid=anna,ou=people,dc=x"]), ..editor() };
    house.broker.install(Arc::new(policy_of(resources(), vec![role.clone()])), authority());
    let request = house.ask_for(&Wish { break_glass: true, ..wish() });
    let id = request.grant.clone().expect("at once");
    assert_eq!(house.open(), std::slice::from_ref(&id));
    assert!(house.sink.take().iter().all(|event| event["break_glass"] == true));
    let listed = |house: &House| {
        let page = Page { limit: 10, after: None };
        let page = house.broker.grants_page(&person("rita"), Which::Unsigned, &page).expect("read");
        page.items.into_iter().map(|grant| grant.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(&house), std::slice::from_ref(&id));
    assert_eq!(house.broker.sign_off(&id, None, &person("rita")).expect_err("it is active").word(), "not-ended");
    house.pass(3_601);
    assert_eq!(house.broker.sign_off(&id, None, &person("anna")).expect_err("hers").word(), "own-grant");
    let again = House::with(store, Arc::new(policy_of(resources(), vec![role])));
    again.pass(3_601);
    assert_eq!(listed(&again), std::slice::from_ref(&id));
    let signed = again.broker.sign_off(&id, Some("seen"), &person("rita")).expect("signed off");
    assert_eq!((signed.state, signed.signed_off), (GrantState::Expired, true));
    assert!(listed(&again).is_empty());
    assert_eq!(again.sink.words(), ["signed-off"]);
    assert_eq!(again.broker.sign_off(&id, None, &person("rita")).expect_err("once").word(), "signed-off-already");
}

#[test]
fn nobody_fills_the_list_of_those_who_decide() {
    let (house, _) = House::new();
    let asked: Vec<Request> = (0..20).map(|_| house.ask()).collect();
    let refused = |who: &Actor| house.broker.ask(&wish(), who, false).map(|_| ()).map_err(|error| error.word());
    let otherwise = Actor::own(Identity::of_dn("UID=ANNA,ou=people,dc=x".parse().expect("a name")), "x");
    assert_eq!([refused(&person("anna")), refused(&otherwise)], [Err("too-many-pending"); 2]);
    assert_eq!(refused(&person("bert")), Ok(()));
    house.broker.cancel(&asked[0].id, None, &person("anna")).expect("cancelled");
    assert_eq!(refused(&person("anna")), Ok(()));
    assert_eq!(refused(&person("anna")), Err("too-many-pending"));
    let grants = house.approve(&asked[1], "lars").expect("approved").grant;
    assert!(grants.is_some());
    // Many at once: not one more.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| refused(&person("anna")));
        }
    });
    let page = Page { limit: 100, after: None };
    let waiting = house.broker.requests_page(&person("root"), waiting_list(true), &page, |_| true).expect("read");
    let annas = waiting.items.iter().filter(|request| request.subject == uid("anna")).count();
    assert_eq!(annas, 20);
}

#[test]
fn who_leaves_the_group_loses_the_grant_once_the_directory_has_said_so() {
    let (house, _) = House::new();
    let grant = house.granted();
    let read = |house: &House, change: &dyn Fn(&mut Groups)| {
        house.shared.update(|snapshot| {
            let mut groups = Groups::clone(&snapshot.groups);
            change(&mut groups);
            Snapshot { groups: Arc::new(groups), ..snapshot.clone() }
        });
        house.broker.settle();
    };
    // Not heard of for a while: not known, and nothing ends.
    read(&house, &|groups| groups.members.clear());
    assert_eq!((house.state(&grant), house.open().len()), (GrantState::Active, 1));
    let fresh = groups(Now { monotonic: house.clock.now().monotonic + 100 * HOUR, ..house.clock.now() });
    read(&house, &|groups| *groups = fresh.clone());
    assert_eq!((house.state(&grant), house.open().len()), (GrantState::Active, 1));
    read(&house, &|groups| {
        let hr: Dn = "cn=hr,dc=x".parse().expect("a name");
        let members = &mut groups.members.get_mut(&hr).expect("known").members;
        members.remove(&uid("anna"));
    });
    assert_eq!((house.state(&grant), house.open().len()), (GrantState::Revoked, 0));
}

#[test]
fn lists_come_in_pages_without_gaps_and_without_doubles() {
    let (house, _) = House::new();
    let all: Vec<String> = (0..7).map(|_| house.ask().id).collect();
    for waiting in [true, false] {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = Page { limit: 3, after: seen.last().cloned() };
            let found =
                house.broker.requests_page(&person("lars"), waiting_list(waiting), &page, |_| true).expect("read");
            assert!(found.items.len() <= 3);
            seen.extend(found.items.into_iter().map(|request| request.id));
            if !found.more {
                break;
            }
        }
        let (mut expected, mut got) = (all.clone(), seen.clone());
        expected.sort();
        got.sort();
        assert_eq!((got, seen.len()), (expected, 7), "{waiting}");
    }
    let nowhere = Page { limit: 3, after: Some("req-nonesuch".to_owned()) };
    assert!(house.broker.requests_page(&lars(), waiting_list(true), &nowhere, |_| true).is_err());
    assert!(
        house
            .broker
            .requests_page(
                &person("bert"),
                waiting_list(true),
                &Page { after: Some(all[0].clone()), ..nowhere },
                |_| true
            )
            .is_err()
    );
}

/// What an auditor needs of a request and of its grant is in each of their lines: those before may be archived.
#[test]
fn each_step_is_recorded_with_the_whole_scope_the_ticket_and_who_approved() {
    let (house, _) = House::new();
    let base = "cn=a,ou=payroll,dc=x".parse().ok();
    let narrowing = Narrowing { base, operations: Some(vec![OperationKind::Modify]), ..Narrowing::default() };
    let ticket = Some("HR-1204".to_owned());
    let duration = Some(Duration::from_secs(1_800));
    let request = house.ask_for(&Wish { narrowing, ticket, duration, ..wish() });
    let approved = house.approve(&request, "lars").expect("approved");
    house.broker.release(&approved.grant.expect("a grant"), &person("anna")).expect("released");
    let events = house.sink.take();
    let words: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(words, ["requested", "approved", "granted", "activated", "released"]);
    for event in &events {
        let scope = &event["scope"];
        assert_eq!(
            (&scope[0]["base"], &scope[0]["operations"]),
            (&"cn=a,ou=payroll,dc=x".into(), &["modify"][..].into())
        );
        assert_eq!(scope[0]["resource"], "payroll", "{event}");
        assert_eq!((&event["ticket"], &event["request_reason"]), (&"HR-1204".into(), &"payslips".into()), "{event}");
        assert_eq!(event["duration"], "30m", "{event}");
        let by = if event["event"] == "requested" { vec![] } else { vec![uid("lars").to_string()] };
        assert_eq!(event["approvers"], serde_json::json!(by), "{event}");
        assert!(event.get("rule").is_some_and(Value::is_null), "{event}");
    }
}
