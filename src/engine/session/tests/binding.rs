//! Who the session is: RFC 4511 4.2, RFC 4513 5, and the traps around them.

use super::*;
use crate::engine::ldap::request::Attribute;

#[test]
fn a_bind_makes_the_subject_only_when_the_directory_says_so() {
    let mut world = World::new();
    world.bind(1, ALICE, b"secret");
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    let asked = world.at_directory();
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    assert_eq!(*world.session.subject(), Subject::Dn(dn(ALICE)));
    assert_eq!(world.session.authentication(), "simple");
    assert_eq!(world.at_client()[0].id, 1);
}

#[test]
fn the_session_is_nobody_from_the_second_bind_on() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.bind(2, ALICE, b"wrong");
    assert_eq!(*world.session.subject(), Subject::Anonymous);
}

#[test]
fn a_failed_rebind_leaves_nobody_and_gives_the_connection_up() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.bind(2, ALICE, b"wrong");
    let asked = world.at_directory();
    let mut frame = Vec::new();
    response::write_result(&mut frame, ClientMessageId(asked[0].id), tag::BIND_RESPONSE, ResultCode(49), "", "");
    world.session.on_upstream(&frame, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream, "the directory's own idea of what is left is not relied on");
    world.perform();
    assert_eq!(world.at_client()[0].code, Some(49));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    // The next operation asks for a fresh connection.
    let next = frame_of_search(3);
    world.session.on_client(&next, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.connect);
}

fn frame_of_search(id: i32) -> Vec<u8> {
    frame(id, &search(BASE))
}

#[test]
fn binds_are_refused_without_asking_the_directory_while_too_many_have_failed() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.session.bounds.refuses_binds = true;
    world.bind(2, ALICE, b"secret");
    assert_eq!(world.at_client()[0].code, Some(51));
    assert_eq!(world.at_directory(), Vec::new());
    assert_eq!(*world.session.subject(), Subject::Anonymous, "a bind that does not succeed leaves nobody");
    assert!(world.records()[1].to_string().contains("too many failed binds"));
    world.session.bounds.refuses_binds = false;
    world.bind(3, ALICE, b"secret");
    assert_eq!(world.at_directory().len(), 1);
}

#[test]
fn a_bind_that_is_not_answered_in_time_is_unavailable_and_its_connection_is_given_up() {
    let mut world = World::new();
    world.bind(1, ALICE, b"secret");
    let asked = world.at_directory();
    bounds::on_bind_timeout(&mut world.session, world.now, &mut world.fx);
    assert_eq!(world.at_client()[0].code, Some(52));
    assert!(world.fx.drop_upstream);
    // What the directory says later makes nobody of the session.
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    assert!(world.session.reads_client());
    // Nothing is in flight any more: a second call changes nothing.
    world.fx.drop_upstream = false;
    bounds::on_bind_timeout(&mut world.session, world.now, &mut world.fx);
    assert!(!world.fx.drop_upstream);
}

#[test]
fn a_session_that_takes_too_much_is_ended_with_a_notice_and_a_line() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.at_client();
    bounds::end(&mut world.session, ResultCode::BUSY, "no room", world.now, &mut world.fx);
    let seen = world.at_client();
    assert_eq!((seen[0].id, seen[0].code, world.fx.close), (0, Some(51), true));
    let line = world.records().pop().unwrap();
    assert_eq!((&line["result"], &line["reason"]), (&serde_json::json!(51), &serde_json::json!("no room")));
}

#[test]
fn a_first_bind_that_fails_keeps_the_connection() {
    let mut world = World::new();
    world.bind(1, ALICE, b"wrong");
    let asked = world.at_directory();
    let mut frame = Vec::new();
    response::write_result(&mut frame, ClientMessageId(asked[0].id), tag::BIND_RESPONSE, ResultCode(49), "", "");
    world.session.on_upstream(&frame, &world.snapshot, world.now, &mut world.fx);
    assert!(!world.fx.drop_upstream);
    assert!(world.session.reads_client());
}

#[test]
fn a_bind_that_is_refused_here_is_not_asked_upstream_and_ends_the_old_identity() {
    let mut world = World::new();
    world.bound(1, ALICE);
    let frame = frame(2, &bind(ROBOT, b"right or wrong"));
    world.session.on_client(&frame, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream, "the connection is still bound as the old subject");
    assert_eq!(world.at_directory(), Vec::new());
    assert_eq!(world.at_client()[0].code, Some(50));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
}

#[test]
fn a_malformed_bind_ends_the_old_identity() {
    let mut world = World::new();
    world.bound(1, ALICE);
    // Version, name, and then nothing where the authentication should be.
    let flow = world.session.on_client(
        b"\x30\x0a\x02\x01\x02\x60\x05\x02\x01\x03\x04\x00",
        false,
        &world.snapshot,
        world.now,
        &mut world.fx,
    );
    assert_eq!(flow, Flow::Done);
    assert_eq!(world.at_client()[0].code, Some(2));
    assert!(world.fx.drop_upstream);
    assert_eq!(*world.session.subject(), Subject::Anonymous);
}

#[test]
fn a_name_without_a_password_is_not_forwarded() {
    let mut world = World::new();
    world.bind(1, ALICE, b"");
    assert_eq!(world.at_directory(), Vec::new());
    assert_eq!(world.at_client()[0].code, Some(53));
}

#[test]
fn an_anonymous_bind_leaves_nobody() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.bound(2, "");
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    assert_eq!(world.session.authentication(), "anonymous");
}

#[test]
fn a_bind_waits_for_what_is_outstanding_and_nothing_passes_it() {
    let mut world = World::new();
    assert_eq!(world.search(1, BASE), Flow::Done);
    assert_eq!(world.bind(2, ALICE, b"secret"), Flow::Wait);
    let asked = world.at_directory();
    assert_eq!(asked.len(), 1);
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    assert_eq!(world.bind(2, ALICE, b"secret"), Flow::Done);
    assert!(!world.session.reads_client());
    assert_eq!(world.search(3, BASE), Flow::Wait);
    assert_eq!(world.client(4, &Request::Abandon(ClientMessageId(2))), Flow::Wait);
    let asked = world.at_directory();
    assert_eq!(asked.len(), 1);
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    // Abandoning a bind does nothing (RFC 4511 4.11).
    assert_eq!(world.client(4, &Request::Abandon(ClientMessageId(2))), Flow::Done);
    assert_eq!(world.at_directory(), Vec::new());
    assert_eq!(world.search(3, BASE), Flow::Done);
}

/// Bound by a name that is not a DN; the directory has agreed.
fn bound_by_another_name() -> World {
    let mut world = World::new();
    world.bind(1, "alice@example.com", b"secret");
    let asked = world.at_directory();
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    assert_eq!(world.at_client(), Vec::new(), "the client's answer waits");
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    world
}

/// Answers the question that waits with a Who am I? of `value`.
fn you_are(world: &mut World, value: &str) {
    let asked = world.at_directory();
    assert_eq!(asked[0].tag, tag::EXTENDED_REQUEST);
    let mut frame = Vec::new();
    let id = ClientMessageId(asked[0].id);
    response::write_extended_result(&mut frame, id, ResultCode::SUCCESS, "", None, Some(value.as_bytes()));
    world.upstream(&frame);
}

/// Answers the search that waits with these entries; returns what was asked.
fn found(world: &mut World, entries: &[Entry<'_>]) -> Vec<u8> {
    let asked = world.at_directory().remove(0);
    assert_eq!(asked.tag, tag::SEARCH_REQUEST);
    for entry in entries {
        let mut frame = Vec::new();
        entry.write(&mut frame, ClientMessageId(asked.id));
        world.upstream(&frame);
    }
    world.result(asked.id, tag::SEARCH_RESULT_DONE, 0);
    asked.body
}

const SID: &[u8] = b"\x01\x05\0\0\0\0\0\x05\x15\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\xf4\x01\0\0";

/// The rootDSE with the SIDs of the session, its own first.
fn sids() -> Entry<'static> {
    let description = AttributeDescription(b"tokenGroups");
    Entry {
        name: b"",
        attributes: vec![Attribute { description, values: vec![SID, b"\x01\x01\0\0\0\0\0\x05\x0b\0\0\0"] }],
    }
}

fn named(name: &str) -> Entry<'_> {
    Entry { name: name.as_bytes(), attributes: Vec::new() }
}

#[test]
fn who_a_name_that_is_no_dn_stands_for_is_asked() {
    let mut world = bound_by_another_name();
    you_are(&mut world, &format!("dn:{ALICE}"));
    assert_eq!(*world.session.subject(), Subject::Dn(dn(ALICE)));
    let answers = world.at_client();
    assert_eq!((answers.len(), answers[0].id, answers[0].tag, answers[0].code), (1, 1, tag::BIND_RESPONSE, Some(0)));
}

#[test]
fn active_directory_tells_it_by_sid() {
    let mut world = bound_by_another_name();
    you_are(&mut world, "u:EXAMPLE\\alice");
    found(&mut world, &[sids()]);
    let asked = found(&mut world, &[named(ALICE)]);
    assert!(asked.windows(SID.len()).any(|window| window == SID), "{asked:x?}");
    assert_eq!(*world.session.subject(), Subject::Dn(dn(ALICE)));
    assert_eq!(world.at_client()[0].code, Some(0));
}

#[test]
fn a_name_that_the_directory_cannot_tell_does_not_bind() {
    let cases: [&[&[Entry<'_>]]; 5] = [
        &[&[]],
        &[&[named("")]],
        &[&[sids()], &[]],
        &[&[sids()], &[named(ALICE), named(BASE)]],
        &[&[sids()], &[named("<GUID=00>")]],
    ];
    for answers in cases {
        let mut world = bound_by_another_name();
        you_are(&mut world, "u:alice");
        for entries in answers {
            found(&mut world, entries);
        }
        assert_eq!(world.at_client()[0].code, Some(49), "{answers:?}");
        assert_eq!(*world.session.subject(), Subject::Anonymous);
        world.search(2, BASE);
        assert!(world.session.reads_client());
    }
}

#[test]
fn who_may_not_bind_may_not_by_another_name_either() {
    let mut world = bound_by_another_name();
    you_are(&mut world, &format!("dn:{ROBOT}"));
    assert_eq!(world.at_client(), Vec::new());
    assert!(!world.session.reads_client());
    // What the client is told is what the directory says to a wrong password.
    let asked = world.at_directory().remove(0);
    assert_eq!(asked.tag, tag::BIND_REQUEST);
    assert!(asked.body.windows(17).any(|window| window == b"alice@example.com"), "{asked:x?}");
    assert!(!asked.body.windows(6).any(|window| window == b"secret"), "{asked:x?}");
    let mut frame = Vec::new();
    response::write_result(&mut frame, ClientMessageId(asked.id), tag::BIND_RESPONSE, ResultCode(49), "", "data 52e");
    world.session.on_upstream(&frame, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream, "the connection was bound as somebody");
    world.perform();
    let answer = world.at_client().remove(0);
    assert_eq!((answer.id, answer.tag, answer.code), (1, tag::BIND_RESPONSE, Some(49)));
    assert!(answer.body.ends_with(b"data 52e"));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    let records = world.records();
    assert_eq!((&records[0]["decision"], &records[0]["target"]), (&"refused".into(), &ROBOT.into()), "{records:?}");

    // With a grant it may, and the session rests on it.
    let mut world = World::new();
    world.grant("grant-1", ROBOT, 1);
    world.bind(1, "robot@example.com", b"secret");
    let asked = world.at_directory();
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    you_are(&mut world, &format!("dn:{ROBOT}"));
    assert_eq!(*world.session.subject(), Subject::Dn(dn(ROBOT)));
    assert_eq!(world.records()[0]["grant"], "grant-1");
    world.revoke("grant-1", ROBOT);
    assert!(world.fx.close, "the bind rested on the grant");
}

#[test]
fn before_tls_only_the_root_and_start_tls_are_served() {
    let mut world = World::in_clear();
    world.bind(1, ALICE, b"secret");
    world.search(2, BASE);
    world.client(3, &Request::Delete(dn(ALICE)));
    assert_eq!(world.at_directory(), Vec::new());
    let codes: Vec<_> = world.at_client().iter().map(|seen| seen.code).collect();
    assert_eq!(codes, [Some(13), Some(13), Some(13)]);
    let Request::Search(mut root) = search("") else { unreachable!() };
    root.scope = SearchScope::Base;
    world.client(4, &Request::Search(root));
    assert_eq!(world.at_directory().len(), 1);
}

#[test]
fn start_tls_begins_only_when_nothing_follows_and_nothing_is_outstanding() {
    let mut world = World::in_clear();
    world.client(1, &start_tls());
    assert!(world.fx.start_tls);
    assert_eq!(world.at_client()[0].code, Some(0));

    let mut world = World::in_clear();
    let frame = frame(1, &start_tls());
    world.session.on_client(&frame, true, &world.snapshot, world.now, &mut world.fx);
    assert!(!world.fx.start_tls && world.fx.close, "octets behind it came in clear");

    let mut world = World::in_clear();
    let Request::Search(mut root) = search("") else { unreachable!() };
    root.scope = SearchScope::Base;
    world.client(1, &Request::Search(root));
    world.client(2, &start_tls());
    assert!(!world.fx.start_tls);
    assert_eq!(world.at_client()[0].code, Some(1));

    let mut world = World::new();
    world.client(1, &start_tls());
    assert!(!world.fx.start_tls);
    assert_eq!(world.at_client()[0].code, Some(1));
}
