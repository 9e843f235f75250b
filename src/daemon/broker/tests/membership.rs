//! Decisions go by what the directory says of groups when they are made, and wait for it no longer than they may.

use super::*;
use crate::daemon::broker::Lookup;
use crate::engine::policy::groups::{Belongs, GroupList, Groups, PersonGroups};
use std::collections::BTreeSet;

/// A directory: who is in which group. Where there is nothing, it cannot be asked.
#[derive(Default)]
struct Truth {
    members: Mutex<Option<BTreeSet<(&'static str, &'static str)>>>,
}

struct Asking {
    truth: Arc<Truth>,
    shared: Arc<Shared>,
    clock: Clock,
}

const GROUPS: [&str; 2] = ["cn=hr,dc=x", "cn=leads,dc=x"];

impl Asking {
    fn ask(&self, people: &[Dn]) {
        let truth = self.truth.members.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for person in people {
            let at = self.clock.now().monotonic;
            self.shared.update_groups(|groups| {
                let before = groups.person(person).map(|known| &**known);
                Some(groups.with(match &truth {
                    None => PersonGroups::unanswered(person.clone(), at + Duration::from_secs(2), before),
                    Some(truth) => {
                        let is =
                            |group: &&str| truth.iter().any(|(of, name)| of == group && uid(name).is_surely(person));
                        let found = GROUPS.map(|group| if is(&group) { Belongs::Member } else { Belongs::NotMember });
                        PersonGroups::new(person.clone(), Arc::clone(&groups.asked), &found, at, before)
                    }
                }))
            });
        }
    }
}

impl Lookup for Asking {
    fn ask(&self, people: &[Dn], since: Duration, _: Duration) {
        let snapshot = self.shared.snapshot.load_full();
        let is_old = |person: &&Dn| snapshot.groups.person(person).is_none_or(|known| known.at() < since);
        let people: Vec<Dn> = people.iter().filter(is_old).cloned().collect();
        Asking::ask(self, &people);
    }
}

impl Truth {
    fn is(&self, members: &[(&'static str, &'static str)]) {
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = Some(members.iter().copied().collect());
    }

    fn is_away(&self) {
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Anna may request; Lars approves.
const ALL: &[(&str, &str)] = &[("cn=hr,dc=x", "anna"), ("cn=leads,dc=x", "lars"), ("cn=leads,dc=x", "lena")];

fn house() -> (House, Arc<Truth>) {
    let (house, _) = House::new();
    let truth = Arc::<Truth>::default();
    truth.is(ALL);
    house.shared.update(|snapshot| {
        let asked = Arc::new(GroupList::new(GROUPS.map(|group| group.parse().expect("a name"))));
        Snapshot { groups: Arc::new(Groups::of_nobody(asked)), ..snapshot.clone() }
    });
    let (shared, clock) = (Arc::clone(&house.shared), house.clock.clone());
    house.broker.ask_of_groups(Arc::new(Asking { truth: Arc::clone(&truth), shared, clock }));
    (house, truth)
}

/// A grant that was approved and begins in ten seconds.
fn scheduled(house: &House) -> Grant {
    let start = house.clock.now().wall + TimeDelta::seconds(10);
    let request = house.ask_for(&Wish { start: Some(start), ..wish() });
    let approved = house.approve(&request, "lars").expect("an approval");
    let grant = house.broker.grant(&approved.grant.expect("a grant"), &person("anna")).expect("which anna sees");
    assert_eq!(grant.state, GrantState::Scheduled);
    grant
}

#[test]
fn a_grant_begins_by_what_the_directory_says_at_that_moment() {
    let without = |gone: &str| -> Vec<_> { ALL.iter().copied().filter(|(_, name)| *name != gone).collect() };
    for (members, state) in [
        (ALL.to_vec(), GrantState::Active),
        (without("anna"), GrantState::Revoked),
        (without("lars"), GrantState::Revoked),
    ] {
        let (house, truth) = house();
        let grant = scheduled(&house);
        // What was known a moment ago says something else, and is still believed elsewhere.
        truth.is(&members);
        house.pass(11);
        house.broker.settle();
        assert_eq!(house.state(&grant), state, "{members:?}");
        assert_eq!(house.open().is_empty(), state != GrantState::Active);
    }
}

#[test]
fn an_approval_counts_by_what_the_directory_says_at_that_moment() {
    for (gone, word) in [("anna", "no-longer-eligible"), ("lars", "not-approver")] {
        let (house, truth) = house();
        let request = house.ask();
        house.broker.know(&[&uid("lars"), &uid("anna")]);
        let left: Vec<_> = ALL.iter().copied().filter(|(_, name)| *name != gone).collect();
        truth.is(&left);
        let error = house.approve(&request, "lars").expect_err("somebody has left");
        assert!(error.word() == word || matches!(error, BrokerError::NotFound(_)), "{gone}: {error}");
        assert!(house.open().is_empty());
    }
}

#[test]
fn nothing_is_approved_while_it_cannot_be_known() {
    let (house, truth) = house();
    let request = house.ask();
    house.broker.know(&[&uid("lars"), &uid("anna")]);
    truth.is_away();
    let error = house.approve(&request, "lars").expect_err("it is not known now");
    assert_eq!(error.word(), "membership-unknown", "{error}");
    let error = house.broker.ask(&wish(), &person("anna"), false).expect_err("nor may anna ask");
    assert_eq!(error.word(), "membership-unknown", "{error}");
    truth.is(ALL);
    house.approve(&request, "lars").expect("it is known again");
}

#[test]
fn an_answer_of_ten_seconds_is_not_enough() {
    let (house, truth) = house();
    house.broker.know(&[&uid("lars"), &uid("bert")]);
    truth.is(&[("cn=hr,dc=x", "bert")]);
    let said = |name: &str| {
        let groups = Arc::clone(&house.shared.snapshot.load().groups);
        ["cn=hr,dc=x", "cn=leads,dc=x"].map(|group| groups.belongs(&group.parse().unwrap(), &uid(name), Duration::ZERO))
    };
    for (seconds, bert, lars) in [(9, Belongs::NotMember, Belongs::Member), (1, Belongs::Member, Belongs::NotMember)] {
        house.clock.pass(Duration::from_secs(seconds));
        house.broker.know(&[&uid("lars"), &uid("bert")]);
        assert_eq!((said("bert")[0], said("lars")[1]), (bert, lars), "{seconds}");
    }
}

#[test]
fn a_grant_that_cannot_begin_waits_for_a_while_and_then_ends() {
    let (house, truth) = house();
    house.broker.end_unknown_after(Duration::from_secs(60));
    let grant = scheduled(&house);
    truth.is_away();
    for (seconds, state) in [(11, GrantState::Scheduled), (60, GrantState::Scheduled), (75, GrantState::Revoked)] {
        house.pass(seconds);
        house.broker.settle();
        assert_eq!(house.state(&grant), state, "{seconds}");
        assert!(house.open().is_empty());
    }
    let ended = house.sink.last();
    assert!(ended["reason"].as_str().is_some_and(|why| why.contains("group_unknown_after")), "{ended}");
}

#[test]
fn a_grant_of_which_it_is_not_known_for_too_long_ends() {
    let (house, truth) = house();
    house.broker.end_unknown_after(Duration::from_secs(60));
    let grant = house.granted();
    truth.is_away();
    let mut passed = 0;
    for (seconds, state) in
        [(29, GrantState::Active), (40, GrantState::Active), (95, GrantState::Active), (101, GrantState::Revoked)]
    {
        house.clock.pass(Duration::from_secs(seconds - passed));
        passed = seconds;
        house.broker.settle();
        assert_eq!(house.state(&grant), state, "{seconds}");
        assert_eq!(house.open().is_empty(), state != GrantState::Active, "{seconds}");
    }
    let ended = house.sink.last();
    assert!(ended["reason"].as_str().is_some_and(|why| why.contains("group_unknown_after")), "{ended}");
}

#[test]
fn the_time_of_not_knowing_begins_anew_when_it_was_known_in_between() {
    let (house, truth) = house();
    house.broker.end_unknown_after(Duration::from_secs(60));
    let grant = house.granted();
    truth.is_away();
    for _ in 0..5 {
        house.clock.pass(Duration::from_secs(50));
        house.broker.settle();
        assert_eq!(house.state(&grant), GrantState::Active);
        truth.is(ALL);
        house.broker.know(&[&uid("anna")]);
        house.broker.settle();
        truth.is_away();
    }
    assert_eq!(house.broker.people_in_use(), [uid("anna")]);
}
