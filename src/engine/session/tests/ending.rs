//! How things end: grants in the middle of a search, the directory in the middle of a session.

use super::*;

#[test]
fn a_search_is_cut_when_its_grant_is_taken_away() {
    let mut world = World::new();
    world.grant("g1", ALICE, 0);
    world.bound(1, ALICE);
    world.search(2, PAYROLL);
    world.search(3, "ou=people,dc=example,dc=com");
    let asked = world.at_directory();
    world.entry(asked[0].id, &format!("cn=1,{PAYROLL}"));
    assert_eq!(world.at_client().len(), 1);
    assert!(world.session.rests_on_grants());
    world.revoke("g1", ALICE);
    let seen = world.at_client();
    assert_eq!((seen[0].id, seen[0].tag, seen[0].code), (2, tag::SEARCH_RESULT_DONE, Some(50)));
    assert_eq!(world.at_directory()[0].tag, tag::ABANDON_REQUEST);
    world.entry(asked[0].id, &format!("cn=2,{PAYROLL}"));
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    assert_eq!(world.at_client(), Vec::new(), "nothing more of it is passed");
    // Others go on.
    world.entry(asked[1].id, ALICE);
    assert_eq!(world.at_client().len(), 1);
    let records = world.records();
    let record = records.last().unwrap();
    assert_eq!((&record["decision"], &record["result"], &record["grant"]), (&"ended".into(), &50.into(), &"g1".into()));
}

#[test]
fn what_waits_for_a_client_is_withheld_when_its_grant_ends() {
    let mut world = World::new();
    world.grant("g1", ALICE, 0);
    world.bound(1, ALICE);
    world.search(2, PAYROLL);
    world.search(3, "ou=people,dc=example,dc=com");
    let asked = world.at_directory();
    for number in 1..=4 {
        world.entry(asked[0].id, &format!("cn={number},{PAYROLL}"));
        world.entry(asked[1].id, ALICE);
    }
    // The first is on its way, the second begun.
    world.fx.client_written = world.fx.to_client.len() / 4 + 10;
    world.revoke("g1", ALICE);
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(seen, [(2, None), (3, None), (2, None), (3, None), (3, None), (3, None), (2, Some(50))]);
    let record = world.records().pop().unwrap();
    assert_eq!((&record["entries"], &record["withheld"]), (&2.into(), &2.into()));
    // With the identity goes everything.
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.bound(1, ROBOT);
    world.search(2, "ou=people,dc=example,dc=com");
    let asked = world.at_directory();
    world.entry(asked[0].id, ALICE);
    world.revoke("g1", ROBOT);
    assert_eq!(world.at_client().iter().map(|seen| seen.id).collect::<Vec<_>>(), [2, 0]);
}

#[test]
fn either_clock_ends_a_grant() {
    for (wall, monotonic) in [(3600, 0), (0, 3600), (-7200, 3600)] {
        let mut world = World::new();
        world.grant("g1", ALICE, 0);
        world.bound(1, ALICE);
        world.search(2, PAYROLL);
        world.at_directory();
        let (until, until_monotonic) = world.session.next_end().unwrap();
        assert_eq!(until, world.now.wall + TimeDelta::hours(1));
        assert_eq!(until_monotonic, world.now.monotonic + Duration::from_secs(3600));
        world.now.wall += TimeDelta::seconds(wall);
        world.now.monotonic += Duration::from_secs(monotonic);
        world.session.on_change(&world.snapshot, world.now, &mut world.fx);
        assert_eq!(world.at_client()[0].code, Some(50), "{wall} {monotonic}");
        // And the next one does not begin.
        world.search(3, PAYROLL);
        assert_eq!(world.at_client()[0].code, Some(50));
    }
}

#[test]
fn what_took_over_is_waited_for_from_then_on() {
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.grant("g2", ROBOT, 0);
    world.bound(1, ROBOT);
    world.search(2, PAYROLL);
    world.at_directory();
    let pass = |world: &mut World, seconds| {
        world.now.wall += TimeDelta::seconds(seconds);
        world.now.monotonic += Duration::from_secs(seconds.unsigned_abs());
        world.session.on_change(&world.snapshot, world.now, &mut world.fx);
    };
    pass(&mut world, 1800);
    // Extensions of both.
    world.grant("g3", ROBOT, 1);
    world.grant("g4", ROBOT, 0);
    pass(&mut world, 1800);
    assert_eq!(world.at_client(), Vec::new());
    // An end that has passed would be waited for again and again.
    let (until, until_monotonic) = world.session.next_end().unwrap();
    assert_eq!(until, world.now.wall + TimeDelta::seconds(1800));
    assert_eq!(until_monotonic, world.now.monotonic + Duration::from_secs(1800));
    pass(&mut world, 1800);
    assert!(world.fx.close);
}

/// An end that has passed would be waited for again and again.
#[test]
fn what_has_ended_is_not_waited_for_again() {
    let mut world = World::new();
    world.grant("g1", ALICE, 0);
    world.bound(1, ALICE);
    assert_eq!(world.session.next_end(), None);
    for id in 2..6 {
        world.client(id, &Request::Delete(dn(&format!("cn=1,{PAYROLL}"))));
    }
    let asked = world.at_directory();
    world.client(6, &Request::Abandon(ClientMessageId(5)));
    world.result(asked[0].id, tag::DELETE_RESPONSE, 0);
    assert!(world.session.next_end().is_some());
    world.now.monotonic += Duration::from_secs(3600);
    world.session.on_change(&world.snapshot, world.now, &mut world.fx);
    assert_eq!((world.session.next_end(), world.session.rests_on_grants()), (None, false));
}

#[test]
fn a_session_whose_bind_rested_on_a_grant_ends_with_it() {
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.bound(1, ROBOT);
    assert!(world.session.rests_on_grants());
    world.revoke("g1", ROBOT);
    let seen = world.at_client();
    assert_eq!((seen[0].id, seen[0].tag), (0, tag::EXTENDED_RESPONSE));
    assert!(world.fx.close);
}

#[test]
fn a_grant_that_ends_while_its_bind_is_in_flight_binds_nobody() {
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.bind(1, ROBOT, b"secret");
    let asked = world.at_directory();
    world.revoke("g1", ROBOT);
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(seen, [(1, Some(50))]);
}

#[test]
fn a_session_that_had_a_name_ends_with_the_directorys_connection() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.search(2, BASE);
    world.session.on_upstream_lost(world.now, &mut world.fx);
    let seen = world.at_client();
    assert_eq!((seen.len(), seen[0].id, seen[0].code), (1, 0, Some(52)));
    assert!(world.fx.close);
}

#[test]
fn a_session_without_a_name_goes_on_over_a_new_connection() {
    let mut world = World::new();
    world.search(2, BASE);
    world.session.on_upstream_lost(world.now, &mut world.fx);
    let seen = world.at_client();
    assert_eq!((seen.len(), seen[0].id, seen[0].code), (1, 2, Some(52)));
    let frame = frame(3, &search(BASE));
    world.session.on_client(&frame, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.connect);
}

#[test]
fn a_connection_that_is_lost_during_a_bind_leaves_nobody() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.bind(2, ALICE, b"secret");
    world.session.on_upstream_lost(world.now, &mut world.fx);
    assert_eq!(world.at_client()[0].code, Some(52));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    assert!(world.session.reads_client());
}

#[test]
fn a_directory_that_cannot_be_reached_is_said_so() {
    let mut world = World::new();
    let frame = frame(1, &bind(ALICE, b"secret"));
    world.session.on_client(&frame, false, &world.snapshot, world.now, &mut world.fx);
    world.session.on_upstream_failed(world.now, &mut world.fx);
    assert_eq!(world.at_client()[0].code, Some(52));
    assert!(!world.fx.close && world.session.reads_client());
    assert!(world.fx.to_upstream.is_empty(), "what was to be sent does not reach a later connection");
}

#[test]
fn the_directorys_leave_is_passed_on() {
    let mut world = World::new();
    world.bound(1, ALICE);
    let mut notice = Vec::new();
    response::write_notice_of_disconnection(&mut notice, ResultCode(52), "shutting down");
    world.upstream(&notice);
    assert_eq!((world.at_client()[0].id, world.fx.close), (0, true));
}

#[test]
fn a_directory_that_does_not_speak_ldap_is_left() {
    for garbage in [&b"\x30\x03\x02\x01\x01"[..], b"\x30\x05\x02\x01\x01\x42\x00"] {
        let mut world = World::new();
        world.bound(1, ALICE);
        world.session.on_upstream(garbage, &world.snapshot, world.now, &mut world.fx);
        assert!(world.fx.drop_upstream);
        assert_eq!((world.at_client()[0].id, world.fx.close), (0, true));
    }
}
