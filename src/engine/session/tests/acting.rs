//! Operations that are done for somebody else (RFC 4370).

use super::*;
use crate::engine::ldap::control::{Control, oid, write_controls};
use crate::engine::ldap::paged::PagedResults;
use crate::engine::policy::selector::Selector;
use crate::engine::redaction::Stages;
use crate::engine::session::parts::Parts;

const APP: &str = "cn=app,ou=services,dc=example,dc=com";

fn world() -> World {
    let mut world = World::new();
    Arc::make_mut(&mut world.snapshot.policy).proxied_authorization = vec![Selector::Dn(dn(APP))];
    Arc::make_mut(&mut world.snapshot.directory).proxied_authorization = true;
    world.bound(1, APP);
    world.records();
    world
}

fn control_for(name: &str) -> Vec<u8> {
    let (mut out, value) = (Vec::new(), format!("dn:{name}"));
    let control = Control { oid: oid::PROXIED_AUTHORIZATION_V2, critical: true, value: Some(value.as_bytes()) };
    write_controls(&mut out, &[control]);
    out
}

#[test]
fn the_record_names_both_and_the_one_is_cut_whose_grant_ends() {
    let mut world = world();
    world.grant("g1", ALICE, 0);
    world.with_controls(2, &search(PAYROLL), &control_for(ALICE));
    let asked = world.at_directory();
    assert_eq!(asked.len(), 1);
    world.search(3, PAYROLL);
    assert_eq!(world.at_client()[0].code, Some(50), "what is held by whom it acts for is not its own");
    let refused = world.records().remove(0);
    assert_eq!((&refused["subject"], &refused["authentication"]), (&APP.into(), &"simple".into()));
    world.entry(asked[0].id, PAYROLL);
    assert_eq!(world.at_client().len(), 1);
    world.revoke("g1", ALICE);
    assert_eq!(world.at_client()[0].code, Some(50));
    let cut = world.records().remove(0);
    assert_eq!((&cut["subject"], &cut["decision"]), (&ALICE.into(), &"ended".into()));
    assert_eq!(cut["authentication"], format!("simple as {APP}"));
    // Refused, it is recorded as well for whom; the session stays who it was.
    world.with_controls(4, &search(PAYROLL), &control_for(ALICE));
    assert_eq!(world.at_client()[0].code, Some(50));
    let refused = world.records().remove(0);
    assert_eq!((&refused["subject"], &refused["decision"]), (&ALICE.into(), &"refused".into()));
    assert_eq!(*world.session.subject(), Subject::Dn(dn(APP)));
}

#[test]
fn a_search_rests_on_the_right_to_bind_as_whom_it_is_for() {
    let mut world = world();
    world.with_controls(2, &search(BASE), &control_for(ROBOT));
    assert_eq!(world.at_client()[0].code, Some(123));
    assert_eq!(world.at_directory(), []);
    world.grant("g1", ROBOT, 1);
    world.with_controls(3, &search(BASE), &control_for(ROBOT));
    assert_eq!(world.at_directory().len(), 1);
    world.revoke("g1", ROBOT);
    assert_eq!(world.at_client()[0].code, Some(50), "and the session goes on");
    assert!(!world.session.is_closed());
}

#[test]
fn a_search_ends_with_the_right_to_act_for_others() {
    let mut world = world();
    world.with_controls(2, &search(BASE), &control_for(ALICE));
    world.search(3, BASE);
    assert_eq!(world.at_directory().len(), 2);
    assert!(world.session.rests_on_grants(), "so that it is told");
    world.session.on_change(&world.snapshot, world.now, &mut world.fx);
    assert_eq!(world.at_client(), []);
    Arc::make_mut(&mut world.snapshot.policy).proxied_authorization.clear();
    world.session.on_change(&world.snapshot, world.now, &mut world.fx);
    let answered = world.at_client();
    assert_eq!((answered.len(), answered[0].id, answered[0].code), (1, 2, Some(50)), "and its own goes on");
    assert!(!world.session.is_closed());
}

#[test]
fn a_cookie_is_that_of_whom_the_pages_are_for() {
    let Request::Search(search) = search(BASE) else { panic!("a search") };
    let digest = |value: Option<&'static [u8]>| {
        let control = Control { oid: oid::PROXIED_AUTHORIZATION_V2, critical: true, value };
        Parts::new(&search, Stages::AsAsked, value.map(|_| control).into_iter()).digest()
    };
    let all = [digest(None), digest(Some(b"dn:cn=a")), digest(Some(b"dn:cn=b"))];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);

    // What was looked ahead for one is not told to another.
    let mut world = world();
    let page = |cookie: &[u8], name: &str| {
        let mut out = control_for(name);
        PagedResults { size: 1, cookie }.write_control(&mut out, true);
        out
    };
    world.with_controls(2, &super::search(BASE), &page(b"", ALICE));
    for name in ["cn=one", "cn=two"] {
        let id = world.at_directory()[0].id;
        world.entry(id, &format!("{name},{BASE}"));
        let mut more = Vec::new();
        PagedResults { size: 0, cookie: b"more" }.write_control(&mut more, false);
        let mut frame = Vec::new();
        // RFC 4511 4.1.9: success, no matched name, no message.
        let done = [0x0a, 1, 0, 4, 0, 4, 0];
        message::write_message(&mut frame, id, tag::SEARCH_RESULT_DONE, &done, Some(&more));
        world.upstream(&frame);
    }
    let cookie = cookie(&world.fx.to_client);
    assert_eq!(world.at_client().len(), 2);
    world.with_controls(3, &super::search(BASE), &page(&cookie, "uid=bob,ou=people,dc=example,dc=com"));
    let answered = world.at_client();
    assert_eq!((answered.len(), answered[0].code), (1, Some(53)));
    assert_eq!(world.at_directory(), []);
}

/// The cookie that begins as all of ours do.
fn cookie(octets: &[u8]) -> Vec<u8> {
    let at = octets.windows(8).rposition(|window| window == b"tidegate").expect("a cookie");
    octets[at..at + 16].to_vec()
}
