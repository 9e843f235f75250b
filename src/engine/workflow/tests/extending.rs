//! Extending: a review of its own, no gap, nothing wider or longer.

use super::super::extending::extend;
use super::*;

fn granted() -> Grant {
    World::new().grant(&asked_by("anna", "editor"), &person("lars"))
}

fn more(grant: &Grant, actor: &Actor, duration: Duration, world: &World) -> Result<Request, WorkflowError> {
    extend("req-2".to_owned(), grant, duration, "not done yet", actor, &world.context())
}

/// The grant of an approved extension.
fn approved(before: &Grant, now: i64) -> Result<Grant, WorkflowError> {
    let request = more(&granted(), &person("anna"), HOUR, &World::new().at(60)).unwrap();
    let lars = person("lars");
    let reviewing = Reviewing {
        extended: Some(Box::new(before.clone())),
        grant_id: "grant-2".to_owned(),
        ..seen(&request, &lars, Verdict::Approve)
    };
    step(&request, &Event::Review(reviewing), &World::new().at(now).context()).map(|step| step.grant.unwrap().0)
}

#[test]
fn it_is_a_request_for_the_same_and_for_no_more() {
    let grant = granted();
    let longer = World::with_roles(vec![Role { max_duration: HOUR, ..editor() }]);
    let narrower = World::with_roles(vec![Role { allow: editor().allow[..1].to_vec(), ..editor() }]);
    let others = World::with_roles(vec![Role { eligible: selectors(&["dn:uid=bert,dc=x"]), ..editor() }]);
    let rows: Vec<(World, Actor, Duration, Result<(), &str>)> = vec![
        (World::new(), person("anna"), HOUR, Ok(())),
        (World::new(), person("anna"), HOUR * 4, Ok(())),
        (World::new(), person("anna"), HOUR * 4 + Duration::from_secs(1), Err("bad-duration")),
        (World::new(), person("anna"), Duration::ZERO, Err("bad-duration")),
        (longer, person("anna"), HOUR * 2, Err("bad-duration")),
        (World::new(), person("bert"), HOUR, Err("not-holder")),
        (World::new(), person("root"), HOUR, Err("not-holder")),
        (World::new().at(3_600), person("anna"), HOUR, Err("already-ended")),
        (narrower, person("anna"), HOUR, Err("not-narrower")),
        (others, person("anna"), HOUR, Err("not-eligible")),
        (World::with_roles(vec![]), person("anna"), HOUR, Err("role-gone")),
    ];
    for (number, (world, actor, duration, expected)) in rows.into_iter().enumerate() {
        let result = more(&grant, &actor, duration, &world);
        assert_eq!(result.map(|_| ()).map_err(|error| error.word()), expected, "row {number}");
    }
    let request = more(&grant, &person("anna"), HOUR, &World::new().at(60)).unwrap();
    assert_eq!((&request.scope, request.start, request.lapses), (&grant.scope, Some(grant.until), grant.until));
    assert_eq!(request.extends.as_deref(), Some("grant-1"));
    assert_eq!(
        World::new().at(60).review(&request, &person("anna"), Verdict::Approve).unwrap_err().word(),
        "own-request"
    );
    assert_ne!(Request { extends: None, ..request.clone() }.digest(), request.digest());
}

#[test]
fn what_has_not_begun_is_not_extended_ever_further_ahead() {
    let world = World::with_roles(vec![Role { max_lead: HOUR * 2, ..editor() }]);
    let until = |hours: i64| Grant { until: at(hours * 3_600).wall, ..granted() };
    let scheduled = |hours: i64| Grant { from: at(60).wall, state: GrantState::Scheduled, ..until(hours) };
    for (grant, expected) in [
        (scheduled(2), Ok(())),
        (scheduled(3), Err("bad-start")),
        // Made ready before its time.
        (Grant { state: GrantState::Active, ..scheduled(3) }, Err("bad-start")),
        (until(3), Ok(())),
    ] {
        let result = more(&grant, &person("anna"), HOUR, &world);
        assert_eq!(result.map(|_| ()).map_err(|error| error.word()), expected, "{:?} {}", grant.state, grant.until);
    }
}

#[test]
fn it_takes_over_without_a_gap() {
    let before = granted();
    let next = approved(&before, 120).unwrap();
    assert_eq!((next.state, next.from, next.until), (GrantState::Scheduled, before.until, at(7_200).wall));
    // Made ready a little early, opening nothing until its time.
    let moved = |seconds| on_deadline(&next, Some(&before), &World::new().at(seconds).context());
    assert!(moved(3_589).is_err());
    let Ok(Outcome::Moved(ready, Effect::Open)) = moved(3_590) else { panic!("{:?}", moved(3_590)) };
    assert_eq!((ready.state, ready.from, ready.until), (GrantState::Active, before.until, at(7_200).wall));
    assert_eq!(ready.state_at(at(3_599).wall), GrantState::Scheduled);
    assert_eq!(ready.state_at(at(3_600).wall), GrantState::Active);
    assert!(on_deadline(&ready, Some(&before), &World::new().at(3_595).context()).is_err(), "once");
}

#[test]
fn what_was_ended_early_is_not_gone_on_with() {
    let before = granted();
    for (state, expected) in [
        (GrantState::Active, Ok(())),
        (GrantState::Released, Err("extended-ended")),
        (GrantState::Revoked, Err("extended-ended")),
    ] {
        let ended = Grant { state, ..before.clone() };
        assert_eq!(approved(&ended, 120).map(|_| ()).map_err(|error| error.word()), expected, "{state}");
        let next = approved(&before, 120).unwrap();
        let begun = on_deadline(&next, Some(&ended), &World::new().at(3_595).context());
        let Ok(Outcome::Moved(begun, _)) = begun else { panic!("{begun:?}") };
        assert_eq!(begun.state == GrantState::Active, expected.is_ok(), "{state}");
    }
    assert_eq!(approved(&before, 3_600).map(|_| ()).map_err(|error| error.word()), Err("already-ended"), "too late");
}

#[test]
fn who_ends_one_ends_what_follows() {
    use crate::engine::grant::lifecycle::Event as Happens;
    let next = approved(&granted(), 120).unwrap();
    let (released, _) = release(&granted(), &person("anna"), &World::new().at(200).context()).unwrap();
    let (revoked, _) = revoke(&granted(), &person("root"), "why", &World::new().at(200).context()).unwrap();
    for (other, state, by) in [(&released, GrantState::Released, "anna"), (&revoked, GrantState::Revoked, "root")] {
        let (ended, effect) = next.step(Happens::With(other), at(200).wall).unwrap();
        assert_eq!((ended.state, effect), (state, Effect::Close));
        assert_eq!(ended.history.last().unwrap().by, uid(by).to_string());
    }
}
