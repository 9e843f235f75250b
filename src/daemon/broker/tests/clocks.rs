//! Clocks that are set, that leap and that go back while nothing runs: no grant is longer for it, none begins
//! before the wall clock says so, and what ended stays ended.

use super::*;
use crate::daemon::clock::kept::Kept;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// Clocks are set to the millisecond here.
const SLACK: Duration = Duration::from_secs(1);

impl House {
    /// Everything ends and begins again on the same store; the wall clock is found to be off by `off` then.
    fn restarted(&self, store: &Arc<MemoryStore>, off: TimeDelta) -> House {
        let now = self.clock.now();
        let clock = Clock::new();
        // What is off by now stays off.
        clock.set_wall_offset(now.wall - clock.now().wall + off);
        clock.go_on(Kept { monotonic: now.monotonic, wall: now.wall });
        House::at(Arc::clone(store) as Arc<dyn GrantStore>, Arc::new(policy()), clock)
    }

    /// How long the grant opens something from now on, if somebody holds the wall clock where it is.
    fn left(&self) -> Duration {
        let snapshot = self.shared.snapshot.load();
        let grant = snapshot.grants.get(&uid("anna")).next().expect("anna's");
        grant.until_monotonic.saturating_sub(self.clock.now().monotonic)
    }

    fn is_open(&self) -> bool {
        let now = self.clock.now();
        self.shared.snapshot.load().grants.iter().any(|grant| grant.is_active(now))
    }
}

#[test]
fn a_clock_that_is_set_back_over_a_restart_gives_nothing_back() {
    let (house, store) = House::new();
    let grant = house.granted();
    assert!(house.left() > 59 * MINUTE && house.left() < HOUR + SLACK);
    house.clock.pass(50 * MINUTE);
    let mut last = house.restarted(&store, TimeDelta::minutes(-50));
    assert!(last.is_open() && last.left() < 10 * MINUTE + SLACK, "{:?}", last.left());
    // And however often it is done.
    for _ in 0..3 {
        last.clock.pass(3 * MINUTE);
        last = last.restarted(&store, TimeDelta::minutes(-3));
    }
    assert!(last.is_open() && last.left() < MINUTE + SLACK, "{:?}", last.left());
    last.clock.pass(MINUTE + SLACK);
    assert!(!last.is_open() && last.state(&grant) == GrantState::Active, "the wall clock does not know");
}

#[test]
fn time_passes_while_nothing_runs() {
    let (house, store) = House::new();
    house.granted();
    let again = house.restarted(&store, TimeDelta::minutes(40));
    assert!(again.is_open() && again.left() < 20 * MINUTE + SLACK && again.left() > 18 * MINUTE, "{:?}", again.left());
    assert!(!again.restarted(&store, TimeDelta::minutes(30)).is_open());
}

/// A clock that was wrong is put right: what is approved from then on has its whole time, restarts or not.
#[test]
fn a_clock_that_was_ahead_and_is_put_right_costs_later_grants_nothing() {
    let (house, store) = House::new();
    house.pass(86_400);
    house.granted();
    let right = house.restarted(&store, TimeDelta::days(-1));
    assert!(!right.is_open(), "it begins tomorrow");
    right.broker.release(&right.open()[0], &person("anna")).expect("released");
    let grant = right.granted();
    let again = right.restarted(&store, TimeDelta::zero());
    assert_eq!(again.open(), [grant.id]);
    assert!(again.is_open() && again.left() > 58 * MINUTE, "{:?}", again.left());
}

#[test]
fn what_was_kept_before_ends_were_fixed_ends_by_the_wall_clock() {
    let (house, store) = House::new();
    let grant = house.granted();
    let kept = |grant: &str| store.get(grant).expect("read").expect("there").body["until_monotonic"].clone();
    assert!(!kept(&grant.id).is_null());
    let Document::Grant(whole) = house.broker.load(&grant.id).expect("read").expect("there") else {
        panic!("{grant:?}")
    };
    let old = Grant { until_monotonic: None, revision: 2, ..whole };
    store.commit(vec![Document::Grant(old).to_record().expect("json")], Box::new(|| {})).expect("kept");
    let again = house.restarted(&store, TimeDelta::minutes(30));
    assert!(again.is_open() && again.left() < 30 * MINUTE + SLACK, "{:?}", again.left());
}

/// Asleep, a machine counts nothing on its monotonic clock: the wall clock ends what is over when it wakes.
#[test]
fn a_grant_has_ended_when_the_machine_wakes() {
    let (house, _) = House::new();
    let grant = house.granted();
    house.pass(3_600);
    assert!(house.left() > 59 * MINUTE && !house.is_open());
    house.broker.settle();
    assert_eq!((house.state(&grant), house.open().len()), (GrantState::Expired, 0));
    // What has ended does not begin again.
    house.pass(0);
    house.broker.settle();
    assert_eq!((house.state(&grant), house.open().len()), (GrantState::Expired, 0));
}

#[test]
fn nothing_begins_before_the_wall_clock_says_so_and_nothing_is_longer_than_it_was_approved() {
    let (house, store) = House::new();
    let start = house.clock.now().wall + TimeDelta::hours(2);
    let request = house.ask_for(&Wish { start: Some(start), ..wish() });
    let id = house.approve(&request, "lars").expect("approved").grant.expect("a grant");
    // Set back: it begins as late as the wall clock says.
    house.pass(-3_600);
    house.broker.settle();
    assert!(!house.is_open() && house.open().is_empty());
    // Set forward, beyond the start: it begins, for its own time and no longer.
    house.pass(2 * 3_600 + 60);
    house.broker.settle();
    assert!(house.is_open() && house.left() < 59 * MINUTE + SLACK, "{:?}", house.left());
    // Put right: it opens nothing before its time, and what it had is counted.
    house.pass(0);
    house.broker.settle();
    assert!(!house.is_open());
    house.clock.pass(2 * HOUR + 10 * MINUTE);
    assert!(!house.is_open(), "an hour of the monotonic clock is over");
    // The same over a restart.
    let again = house.restarted(&store, TimeDelta::zero());
    assert!(!again.is_open() && again.open() == [id]);
}

#[test]
fn a_request_lapses_by_the_wall_clock_and_never_opens_more_for_it() {
    let (house, _) = House::new();
    let request = house.ask();
    house.pass(-7_200);
    house.broker.settle();
    // It waits longer, and what comes of it is as long as it was asked for.
    let approved = house.approve(&request, "lars").expect("approved");
    assert!(approved.grant.is_some() && house.left() < HOUR + SLACK);
    let late = house.ask();
    house.pass(6 * 3_600);
    house.broker.settle();
    assert_eq!(house.approve(&late, "lars").expect_err("over").word(), "already-ended");
}

/// Hours of a rule are compared with the wall clock when it is asked, and with the start when it lies ahead; the
/// grant runs on beyond them.
#[test]
fn hours_are_those_of_the_moment_in_which_it_is_asked() {
    use crate::engine::policy::deciding::Automatic;
    use crate::engine::policy::hours::Hours;
    let hours = Hours::parse_list("Sun 01:00-02:00").expect("hours");
    let rule = Automatic {
        who: None,
        addresses: None,
        hours: Some((hours, chrono_tz::Tz::Europe__Berlin)),
        ticket: None,
        max_duration: None,
        operations: None,
    };
    let role = Role { automatic: vec![rule], ..editor() };
    let house = House::with(Arc::new(MemoryStore::new()), Arc::new(policy_of(resources(), vec![role])));
    let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc();
    // The night in which 02:00 is 03:00.
    for (moment, start, expected) in [
        ("2026-03-28T23:59:58Z", None, RequestState::Pending),
        ("2026-03-29T00:00:02Z", None, RequestState::Approved),
        ("2026-03-29T00:59:50Z", None, RequestState::Approved),
        ("2026-03-29T01:00:00Z", None, RequestState::Pending),
        ("2026-03-29T00:30:00Z", Some("2026-03-29T00:59:59Z"), RequestState::Approved),
        ("2026-03-29T00:30:00Z", Some("2026-03-29T01:00:00Z"), RequestState::Pending),
    ] {
        house.clock.set_wall_offset(at(moment) - chrono::Utc::now());
        let made = house.ask_for(&Wish { start: start.map(at), ..wish() });
        assert_eq!(made.state, expected, "{moment} {start:?}");
        if let Some(grant) = made.grant.filter(|_| start.is_none()) {
            let grant = house.broker.grant(&grant, &person("anna")).expect("a grant");
            assert_eq!(grant.until - grant.from, TimeDelta::hours(1), "a real hour, whatever clocks on walls show");
            // While it lasts, a rule lengthens nothing.
            house.broker.release(&grant.id, &person("anna")).expect("released");
        }
    }
}
