//! Every pair of state and event, a line each.

use super::super::fixture::{HOUR, at, editor, person, policy, uid};
use super::*;

/// Scheduled for 100 s into the test, two hours long.
fn grant(state: GrantState) -> Grant {
    let lena = person("lena");
    let (grant, _) = Grant::begin(
        Approved {
            id: "grant-1".to_owned(),
            request: "req-1",
            role: "editor",
            subject: &uid("anna"),
            requested_by: &person("anna").acts,
            really: None,
            reason: "why",
            ticket: None,
            scope: &Scope::of_role(&editor(), &policy()).unwrap(),
            start: Some(at(100).wall),
            duration: 2 * HOUR,
            by: Some(&lena),
            basis: Basis::Reviews,
            approved_by: Vec::new(),
            extends: None,
        },
        at(0).wall,
    );
    assert_eq!((grant.state, grant.from, grant.until), (GrantState::Scheduled, at(100).wall, at(7_300).wall));
    Grant { state, ..grant }
}

#[test]
fn every_pair_of_state_and_event() {
    use GrantState::{Active, Expired, Released, Revoked, Scheduled};
    use LifecycleError::NotYet;
    let (anna, lena) = (person("anna"), person("lena"));
    let activate = Event::Activate { max_duration: 4 * HOUR };
    let capped = Event::Activate { max_duration: HOUR };
    let (release, revoke, disallow) = (Event::Release(&anna), Event::Revoke(&lena, "why"), Event::Disallow("gone"));
    type Row<'a> = (GrantState, Event<'a>, i64, Result<(GrantState, Effect), LifecycleError>);
    let rows: Vec<Row<'_>> = vec![
        (Scheduled, activate, 99, Err(NotYet)),
        (Scheduled, activate, 100, Ok((Active, Effect::Open))),
        (Scheduled, activate, 7_299, Ok((Active, Effect::Open))),
        (Scheduled, activate, 7_300, Ok((Expired, Effect::Close))),
        (Scheduled, capped, 3_699, Ok((Active, Effect::Open))),
        (Scheduled, capped, 3_700, Ok((Expired, Effect::Close))),
        (Scheduled, Event::Deadline, 7_299, Err(NotYet)),
        (Scheduled, Event::Deadline, 7_300, Ok((Expired, Effect::Close))),
        (Scheduled, Event::Warn, 200, Err(NotYet)),
        (Scheduled, Event::Warn, 7_300, Err(LifecycleError::Ended(Expired))),
        (Active, Event::Warn, 7_299, Ok((Active, Effect::Nothing))),
        (Active, Event::Warn, 7_300, Err(LifecycleError::Ended(Expired))),
        (Expired, Event::Warn, 7_300, Err(LifecycleError::Ended(Expired))),
        (Released, Event::Warn, 200, Err(LifecycleError::Ended(Released))),
        (Revoked, Event::Warn, 200, Err(LifecycleError::Ended(Revoked))),
        (Scheduled, release, 0, Ok((Released, Effect::Close))),
        (Scheduled, revoke, 0, Ok((Revoked, Effect::Close))),
        (Scheduled, disallow, 0, Ok((Revoked, Effect::Close))),
        (Scheduled, revoke, 7_300, Err(LifecycleError::Ended(Expired))),
        (Active, activate, 200, Err(LifecycleError::Active)),
        (Active, Event::Deadline, 7_299, Err(NotYet)),
        (Active, Event::Deadline, 7_300, Ok((Expired, Effect::Close))),
        (Active, release, 7_299, Ok((Released, Effect::Close))),
        (Active, release, 7_300, Err(LifecycleError::Ended(Expired))),
        (Active, revoke, 7_299, Ok((Revoked, Effect::Close))),
        (Active, revoke, 7_300, Err(LifecycleError::Ended(Expired))),
        (Active, disallow, 7_299, Ok((Revoked, Effect::Close))),
        (Active, disallow, 7_300, Ok((Expired, Effect::Close))),
    ];
    for (state, event, seconds, expected) in rows {
        let before = grant(state);
        let result = before.step(event, at(seconds).wall);
        let label = format!("{state} {event:?} at {seconds}");
        assert_eq!(result.as_ref().map(|(after, effect)| (after.state, *effect)).map_err(|e| *e), expected, "{label}");
        if let Ok((after, _)) = result {
            assert_eq!(after.revision, before.revision + 1, "{label}");
            assert_eq!(after.history.len(), before.history.len() + 1, "{label}");
            assert_eq!(after.ended.is_some(), after.state.is_end(), "{label}");
            assert!(after.from == before.from && after.until <= before.until, "{label}");
        }
    }
    for state in [Expired, Released, Revoked] {
        for event in [activate, Event::Deadline, release, revoke, disallow] {
            for seconds in [0, 200, 8_000] {
                let result = grant(state).step(event, at(seconds).wall);
                assert_eq!(result.map(|_| ()), Err(LifecycleError::Ended(state)), "{state} {event:?}");
            }
        }
    }
}

#[test]
fn the_roles_cap_counts_when_the_grant_becomes_active() {
    let (active, _) = grant(GrantState::Scheduled).step(Event::Activate { max_duration: HOUR }, at(200).wall).unwrap();
    assert_eq!((active.from, active.until), (at(100).wall, at(3_700).wall), "from the start, not from the activation");
}

#[test]
fn what_is_over_by_the_clock_is_over() {
    for (state, seconds, expected) in [
        (GrantState::Active, 7_299, GrantState::Active),
        (GrantState::Active, 7_300, GrantState::Expired),
        (GrantState::Scheduled, 7_300, GrantState::Expired),
        (GrantState::Revoked, 7_300, GrantState::Revoked),
    ] {
        assert_eq!(grant(state).state_at(at(seconds).wall), expected);
    }
    let (expired, _) = grant(GrantState::Active).step(Event::Deadline, at(9_000).wall).unwrap();
    assert_eq!(expired.ended, Some(at(7_300).wall), "it ended when its time was over, not when that was noticed");
}

#[test]
fn what_is_scheduled_has_not_been_activated() {
    let scheduled = grant(GrantState::Scheduled);
    assert_eq!(scheduled.history.iter().map(|entry| entry.what).collect::<Vec<_>>(), [Happened::Granted]);
    assert_eq!(scheduled.next_deadline(), Some(at(100).wall));
    assert_eq!(grant(GrantState::Active).next_deadline(), Some(at(7_300).wall));
    let ends = [GrantState::Expired, GrantState::Released, GrantState::Revoked];
    assert_eq!(ends.map(|state| grant(state).next_deadline()), [None; 3]);
}

#[test]
fn only_broken_glass_waits_to_be_signed_off_and_once() {
    for (basis, signed_off, unsigned) in [
        (Basis::BreakGlass, false, true),
        (Basis::BreakGlass, true, false),
        (Basis::Reviews, false, false),
        (Basis::Automatic(1), false, false),
    ] {
        assert_eq!(Grant { basis, signed_off, ..grant(GrantState::Expired) }.is_unsigned(), unsigned, "{basis:?}");
    }
}

#[test]
fn the_end_of_the_calendar_is_no_trap() {
    assert_eq!(after(at(0).wall, Duration::MAX), DateTime::<Utc>::MAX_UTC);
    assert_eq!(after(DateTime::<Utc>::MAX_UTC, HOUR), DateTime::<Utc>::MAX_UTC);
}

#[test]
fn a_warning_is_given_once_and_moves_nothing_else() {
    let active = grant(GrantState::Active);
    let (warned, effect) = active.step(Event::Warn, at(200).wall).unwrap();
    assert_eq!((warned.warned, warned.until, effect), (true, active.until, Effect::Nothing));
    assert_eq!(warned.history.last().map(|entry| entry.what), Some(Happened::Warned));
    assert_eq!(warned.step(Event::Warn, at(201).wall), Err(LifecycleError::Warned));
}
