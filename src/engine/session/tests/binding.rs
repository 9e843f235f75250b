//! Who the session is: RFC 4511 4.2, RFC 4513 5, and the traps around them.

use super::*;

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

#[test]
fn who_a_name_that_is_no_dn_stands_for_is_asked() {
    let mut world = World::new();
    world.snapshot.policy =
        Policy::new(Mode::Enforce, RefusalStyle::Explain, Vec::new(), Vec::new(), Vec::new()).into();
    world.bind(1, "alice@example.com", b"secret");
    let asked = world.at_directory();
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    assert_eq!(world.at_client(), Vec::new(), "the client's answer waits");
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    let asked = world.at_directory();
    assert_eq!(asked[0].tag, tag::EXTENDED_REQUEST);
    let mut frame = Vec::new();
    let value = format!("dn:{ALICE}");
    let id = ClientMessageId(asked[0].id);
    response::write_extended_result(&mut frame, id, ResultCode::SUCCESS, "", None, Some(value.as_bytes()));
    world.upstream(&frame);
    assert_eq!(*world.session.subject(), Subject::Dn(dn(ALICE)));
    let answers = world.at_client();
    assert_eq!((answers.len(), answers[0].id, answers[0].tag, answers[0].code), (1, 1, tag::BIND_RESPONSE, Some(0)));
}

#[test]
fn a_name_that_the_directory_cannot_tell_does_not_bind() {
    let mut world = World::new();
    world.snapshot.policy =
        Policy::new(Mode::Enforce, RefusalStyle::Explain, Vec::new(), Vec::new(), Vec::new()).into();
    world.bind(1, "alice@example.com", b"secret");
    let asked = world.at_directory();
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    let asked = world.at_directory();
    let mut frame = Vec::new();
    let id = ClientMessageId(asked[0].id);
    response::write_extended_result(&mut frame, id, ResultCode::SUCCESS, "", None, Some(b"u:alice"));
    world.session.on_upstream(&frame, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream, "the connection is bound as somebody");
    assert_eq!(world.at_client()[0].code, Some(49));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
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
