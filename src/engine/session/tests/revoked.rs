//! What becomes of each kind of operation when what it depends on ends: not sent, begun, sent, answered but not written.

use super::*;
use crate::engine::ldap::attribute::AttributeDescription as Description;
use crate::engine::ldap::control::{Control, oid, write_controls};
use crate::engine::ldap::request::{AddRequest, Attribute, CompareRequest, ModifyRequest, RenameRequest};
use crate::engine::policy::selector::Selector;
use crate::engine::policy::{Standing, Subject};

const ONE: &str = "cn=1,ou=payroll,dc=example,dc=com";
const OPEN: &str = "ou=people,dc=example,dc=com";
/// Content that must not reach the client.
const CANARY: &[u8] = b"canary";

/// Every kind of operation that can depend on a grant, and whether it has side effects.
fn kinds() -> Vec<(&'static str, Request<'static>, u8, bool)> {
    let attribute = || Attribute { description: Description(b"description"), values: vec![b"x"] };
    let compare = CompareRequest { entry: dn(ONE), attribute: Description(b"description"), value: b"x" };
    let rename = RenameRequest { entry: dn(ONE), new_rdn: dn("cn=2"), delete_old_rdn: true, new_superior: None };
    let password = ExtendedRequest::Password { identity: Some(ONE.as_bytes()), old: None, new: None };
    vec![
        ("search", search(PAYROLL), tag::SEARCH_RESULT_DONE, false),
        ("compare", Request::Compare(compare), tag::COMPARE_RESPONSE, false),
        ("modify", Request::Modify(ModifyRequest { entry: dn(ONE), changes: vec![] }), tag::MODIFY_RESPONSE, true),
        ("add", Request::Add(AddRequest { entry: dn(ONE), attributes: vec![attribute()] }), tag::ADD_RESPONSE, true),
        ("delete", Request::Delete(dn(ONE)), tag::DELETE_RESPONSE, true),
        ("rename", Request::Rename(rename), tag::RENAME_RESPONSE, true),
        ("password", Request::Extended(password), tag::EXTENDED_RESPONSE, true),
    ]
}

/// Everything by which a grant can end.
fn causes() -> Vec<(&'static str, fn(&mut World))> {
    fn pass(world: &mut World, wall: i64, monotonic: u64) {
        world.now.wall += TimeDelta::seconds(wall);
        world.now.monotonic += Duration::from_secs(monotonic);
        world.change_now();
    }
    vec![
        ("revoke", |world| world.revoke("g1", ALICE)),
        ("wall clock", |world| pass(world, 3600, 0)),
        ("monotonic clock", |world| pass(world, 0, 3600)),
        ("all grants", |world| {
            world.snapshot.grants = ActiveGrants::new().into();
            world.change_now();
        }),
    ]
}

impl World {
    /// The session is told that something may have changed.
    fn change_now(&mut self) {
        self.session.on_change(&self.snapshot, self.now, &mut self.fx);
    }

    /// Alice, who holds the payroll, has sent an operation on something open and one on the payroll.
    fn with(request: &Request<'_>) -> World {
        let mut world = World::new();
        world.grant("g1", ALICE, 0);
        world.bound(1, ALICE);
        world.records();
        world.search(2, OPEN);
        world.client(3, request);
        assert_eq!(world.at_client(), []);
        world
    }

    /// The directory answers with content in every place that there is.
    fn content(&mut self, id: i32, response_tag: u8, code: u8) {
        let mut frame = Vec::new();
        if response_tag == tag::SEARCH_RESULT_DONE {
            self.entry(id, &format!("cn=canary,{PAYROLL}"));
        }
        let mut controls = Vec::new();
        write_controls(&mut controls, &[Control { oid: oid::POST_READ, critical: false, value: Some(CANARY) }]);
        let mut body = [&[0x0a, 1, code, 4, 0, 4, 6][..], CANARY].concat();
        if response_tag == tag::EXTENDED_RESPONSE {
            body.extend([&[0x8b, 6][..], CANARY].concat());
        }
        message::write_message(&mut frame, id, response_tag, &body, Some(&controls));
        self.upstream(&frame);
    }

    fn ending(&mut self, message_id: i32) -> (String, String, i64) {
        let records = self.records();
        let record = records.iter().find(|record| record["message_id"] == message_id);
        let record = record.unwrap_or_else(|| panic!("no record of {message_id}: {records:#?}"));
        let text = |name: &str| record[name].as_str().unwrap_or("null").to_owned();
        (text("decision"), text("ending"), record["result"].as_i64().unwrap_or(-1))
    }
}

fn answered(seen: &[Seen], id: i32) -> Vec<(u8, Option<u32>)> {
    seen.iter().filter(|seen| seen.id == id).map(|seen| (seen.tag, seen.code)).collect()
}

fn holds(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

#[test]
fn unsent_operations_are_withdrawn() {
    for (kind, request, response_tag, _) in kinds() {
        for (cause, end) in causes() {
            let mut world = World::with(&request);
            let whole = world.fx.to_upstream.clone();
            end(&mut world);
            assert_eq!(answered(&world.at_client(), 3), [(response_tag, Some(50))], "{kind}, {cause}");
            let sent = world.at_directory();
            assert_eq!(sent.len(), 1, "{kind}, {cause}: {sent:?}");
            assert!(whole.len() > 60 && sent[0].tag == tag::SEARCH_REQUEST && !holds(&sent[0].body, b"payroll"));
            assert_eq!(world.ending(3), ("ended".into(), "not_sent".into(), 50), "{kind}, {cause}");
            assert!(!world.session.is_closed() && world.session.next_end().is_none(), "{kind}, {cause}");
            // What does not depend on it continues.
            world.result(sent[0].id, tag::SEARCH_RESULT_DONE, 0);
            assert_eq!(answered(&world.at_client(), 2), [(tag::SEARCH_RESULT_DONE, Some(0))], "{kind}, {cause}");
        }
    }
}

/// One octet of it, or all: it is with the directory.
#[test]
fn what_reads_is_abandoned_and_what_writes_ends_the_session() {
    for (kind, request, response_tag, writes) in kinds() {
        for (cause, end) in causes() {
            for all in [false, true] {
                let case = format!("{kind}, {cause}, {all}");
                let mut world = World::with(&request);
                let ids: Vec<i32> = cut(&world.fx.to_upstream).iter().map(|seen| seen.id).collect();
                let first = world.fx.to_upstream.len() - frame(ids[1], &request).len();
                world.fx.upstream_written = if all { world.fx.to_upstream.len() } else { first + 1 };
                end(&mut world);
                let seen = world.at_client();
                if !writes {
                    assert_eq!(answered(&seen, 3), [(response_tag, Some(50))], "{case}");
                    assert_eq!(world.at_directory().last().map(|seen| seen.tag), Some(tag::ABANDON_REQUEST), "{case}");
                    assert_eq!(world.ending(3), ("ended".into(), "abandoned".into(), 50), "{case}");
                    world.content(ids[1], response_tag, 0);
                    assert_eq!(world.at_client(), [], "{case}");
                    continue;
                }
                let expected = [(2, Some(52)), (3, Some(52)), (0, Some(52))];
                assert_eq!(seen.iter().map(|seen| (seen.id, seen.code)).collect::<Vec<_>>(), expected, "{case}");
                assert!(world.session.is_closed() && world.fx.close && world.fx.drop_upstream, "{case}");
                assert!(world.fx.to_upstream.is_empty(), "{case}: nothing more is sent");
                assert_eq!(world.session.next_end(), None, "{case}");
                let records = world.records();
                let of = |id: i32| records.iter().find(|record| record["message_id"] == id).expect("a record");
                assert_eq!((&of(3)["decision"], &of(3)["ending"]), (&"ended".into(), &"connection_closed".into()));
                assert_eq!((&of(2)["decision"], &of(2)["ending"]), (&"permitted".into(), &"connection_closed".into()));
                assert_eq!((&of(2)["result"], &of(3)["result"]), (&52.into(), &52.into()), "{case}");
            }
        }
    }
}

#[test]
fn in_a_pipeline_each_is_told_what_is_true_of_it() {
    let mut world = World::new();
    world.grant("g1", ALICE, 0);
    world.bound(1, ALICE);
    for id in 2..=4 {
        world.client(id, &Request::Delete(dn(ONE)));
    }
    let asked = world.at_directory();
    world.result(asked[0].id, tag::DELETE_RESPONSE, 0);
    assert_eq!(answered(&world.at_client(), 2), [(tag::DELETE_RESPONSE, Some(0))]);
    // One is begun to be sent, and neither of the others: one under the grant, one that needs none.
    for (id, name) in [(5, ONE), (6, ONE), (7, OPEN)] {
        world.client(id, &Request::Delete(dn(name)));
    }
    world.fx.upstream_written = 3;
    world.records();
    world.revoke("g1", ALICE);
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    let unknown = Some(52);
    assert_eq!(seen, [(3, unknown), (4, unknown), (5, unknown), (6, Some(50)), (7, unknown), (0, unknown)]);
    let endings: Vec<_> = world
        .records()
        .iter()
        .map(|record| (record["message_id"].clone(), record["decision"].clone(), record["ending"].clone()))
        .collect();
    let expected = [
        (3, "ended", "connection_closed"),
        (4, "ended", "connection_closed"),
        (5, "ended", "connection_closed"),
        (6, "ended", "not_sent"),
        (7, "permitted", "not_sent"),
    ];
    assert_eq!(endings, expected.map(|(id, decision, ending)| (id.into(), decision.into(), ending.into())));
}

#[test]
fn answers_that_wait_for_the_client_are_withheld() {
    for (kind, request, response_tag, writes) in kinds() {
        for (cause, end) in causes() {
            for code in [0, 5, 6, 16] {
                let case = format!("{kind}, {cause}, {code}");
                let mut world = World::with(&request);
                let ids: Vec<i32> = world.at_directory().iter().map(|seen| seen.id).collect();
                world.entry(ids[0], ALICE);
                world.content(ids[1], response_tag, code);
                world.result(ids[0], tag::SEARCH_RESULT_DONE, 0);
                assert!(holds(&world.fx.to_client, CANARY) && world.session.next_end().is_some(), "{case}");
                world.records();
                // The first is begun to be written.
                world.fx.client_written = 3;
                end(&mut world);
                assert!(!holds(&world.fx.to_client, CANARY), "{case}");
                let seen = world.at_client();
                let expected = if writes && code == 0 { 0 } else { 50 };
                assert_eq!(answered(&seen, 3), [(response_tag, Some(expected))], "{case}");
                let open = [(tag::SEARCH_RESULT_ENTRY, None), (tag::SEARCH_RESULT_DONE, Some(0))];
                assert_eq!(answered(&seen, 2), open, "{case}: what is open is delivered");
                let records = world.records();
                let withheld = records.iter().find(|record| record["event"] == "answers withheld").expect("a record");
                assert_eq!(withheld["message_ids"], serde_json::json!([3]), "{case}");
                assert_eq!((&withheld["grant"], &withheld["ending"]), (&"g1".into(), &"withheld".into()), "{case}");
                assert!(!world.session.is_closed() && world.session.next_end().is_none(), "{case}");
            }
        }
    }
}

#[test]
fn answers_that_were_written_are_forgotten() {
    let mut world = World::with(&Request::Delete(dn(ONE)));
    let ids: Vec<i32> = world.at_directory().iter().map(|seen| seen.id).collect();
    world.content(ids[1], tag::DELETE_RESPONSE, 0);
    world.result(ids[0], tag::SEARCH_RESULT_DONE, 0);
    assert!(world.session.rests_on_grants());
    assert_eq!(world.at_client().len(), 2);
    assert!(!world.session.rests_on_grants() && world.session.next_end().is_none());
    world.records();
    world.revoke("g1", ALICE);
    assert_eq!((world.at_client(), world.records()), (vec![], vec![]));
    // The buffer of a client that is always a little behind never runs empty: what is kept is bounded by it all the same.
    world.grant("g1", ALICE, 0);
    for id in 10..2000 {
        world.client(id, &Request::Delete(dn(ONE)));
        let asked = world.at_directory();
        world.content(asked[0].id, tag::DELETE_RESPONSE, 0);
        let answer = world.fx.to_client.len() / if id == 10 { 1 } else { 2 };
        world.fx.to_client.drain(..world.fx.to_client.len() - answer);
        assert!(world.session.unwritten.count() <= 65, "{}", world.session.unwritten.count());
    }
}

#[test]
fn a_write_that_the_client_abandoned_is_not_forgotten() {
    let mut world = World::with(&Request::Delete(dn(ONE)));
    let ids: Vec<i32> = world.at_directory().iter().map(|seen| seen.id).collect();
    world.client(4, &Request::Abandon(ClientMessageId(3)));
    assert_eq!(world.at_directory(), [], "the directory might abandon it, or do it: it is asked what it did");
    // Its id is free, and it is not there for another abandon.
    world.search(3, OPEN);
    world.client(5, &Request::Abandon(ClientMessageId(3)));
    assert_eq!(world.at_directory().last().map(|seen| seen.tag), Some(tag::ABANDON_REQUEST));
    world.records();
    world.revoke("g1", ALICE);
    assert!(world.session.is_closed() && world.fx.drop_upstream, "it may wait in the directory");
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(seen, [(2, Some(52)), (0, Some(52))], "and has no answer");
    assert_eq!(world.ending(3), ("ended".into(), "connection_closed".into(), -1));
    // Answered before, it is over.
    let mut world = World::with(&Request::Delete(dn(ONE)));
    world.at_directory();
    world.client(4, &Request::Abandon(ClientMessageId(3)));
    world.content(ids[1], tag::DELETE_RESPONSE, 0);
    assert_eq!(world.at_client(), []);
    world.revoke("g1", ALICE);
    assert!(!world.session.is_closed());
    // Not sent, it is not sent.
    let mut world = World::with(&Request::Delete(dn(ONE)));
    world.client(4, &Request::Abandon(ClientMessageId(3)));
    assert_eq!(world.at_directory().len(), 1);
}

#[test]
fn a_bind_under_a_grant_that_ends_tells_nothing() {
    for written in [false, true] {
        let mut world = World::new();
        world.grant("g1", ROBOT, 1);
        world.bind(1, ROBOT, b"secret");
        world.search(2, OPEN);
        world.fx.upstream_written = usize::from(written);
        world.revoke("g1", ROBOT);
        assert_eq!(answered(&world.at_client(), 1), [(tag::BIND_RESPONSE, Some(50))]);
        assert!(world.fx.drop_upstream && world.fx.to_upstream.is_empty());
        let ending = if written { "connection_closed" } else { "not_sent" };
        assert_eq!(world.ending(1), ("ended".into(), ending.into(), 50));
        // The session continues as nobody, over another connection.
        assert!(!world.session.is_closed() && world.session.reads_client());
        assert_eq!(*world.session.subject(), Subject::Anonymous);
        world.search(2, OPEN);
        assert_eq!(world.at_directory().len(), 1);
    }
}

#[test]
fn with_the_bind_ends_all_that_was_done_in_its_name() {
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.bound(1, ROBOT);
    world.search(2, OPEN);
    world.client(3, &Request::Delete(dn(OPEN)));
    world.client(4, &Request::Delete(dn(OPEN)));
    let asked = world.at_directory();
    world.entry(asked[0].id, ALICE);
    world.content(asked[1].id, tag::DELETE_RESPONSE, 0);
    world.client(5, &Request::Delete(dn(OPEN)));
    world.revoke("g1", ROBOT);
    assert!(!holds(&world.fx.to_client, CANARY));
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(seen, [(3, Some(0)), (2, Some(50)), (4, Some(52)), (5, Some(50)), (0, Some(50))]);
    assert!(world.fx.close && world.fx.drop_upstream && world.fx.to_upstream.is_empty());
}

#[test]
fn the_last_octets_of_a_session_end_with_the_grant_too() {
    for (_, end) in causes() {
        let mut world = World::with(&Request::Delete(dn(ONE)));
        let ids: Vec<i32> = world.at_directory().iter().map(|seen| seen.id).collect();
        world.content(ids[1], tag::DELETE_RESPONSE, 0);
        world.client(4, &Request::Delete(dn(ONE)));
        world.client(5, &Request::Unbind);
        assert!(world.fx.close && world.session.rests_on_grants() && world.session.next_end().is_some());
        world.change_now();
        assert!(holds(&world.fx.to_upstream, b"payroll") && holds(&world.fx.to_client, CANARY));
        end(&mut world);
        assert!(world.fx.drop_upstream && world.fx.to_upstream.is_empty() && world.fx.to_client.is_empty());
        assert!(!world.session.rests_on_grants() && world.session.next_end().is_none());
    }
}

/// A policy by which Alice has the payroll for these operations.
fn standing(reason: &str, operations: OperationSet) -> Arc<Policy> {
    let resources =
        vec![resource("payroll", PAYROLL, OperationSet::all()), resource("other", ROBOT, OperationSet::all())];
    let (who, resource) = (vec![Selector::Dn(dn(ALICE))], ResourceIndex(0));
    let standing = Standing { who, resource, operations, reason: reason.into(), replicate: false };
    Arc::new(Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![standing], Vec::new()))
}

#[test]
fn a_reload_that_takes_operations_from_standing_access_ends_those_operations() {
    let without =
        |gone: OperationKind| standing("office", OperationKind::ALL.into_iter().filter(|kind| *kind != gone).collect());
    for (kind, request, response_tag, _) in kinds() {
        let own: OperationKind = kind.parse().unwrap();
        let mut world = World::new();
        world.snapshot.policy = standing("office", OperationSet::all());
        world.bound(1, ALICE);
        world.client(2, &request);
        world.snapshot.policy = without(OperationKind::Bind);
        world.change_now();
        assert_eq!(world.at_client(), [], "{kind}: another operation is taken away");
        world.snapshot.policy = without(own);
        world.change_now();
        assert_eq!(answered(&world.at_client(), 2), [(response_tag, Some(50))], "{kind}");
        assert_eq!(world.at_directory(), [], "{kind}");
        // The same of an answer that waits.
        world.snapshot.policy = standing("office", OperationSet::all());
        world.client(3, &request);
        let asked = world.at_directory();
        world.content(asked[0].id, response_tag, 6);
        world.snapshot.policy = without(own);
        world.change_now();
        assert!(!holds(&world.fx.to_client, CANARY), "{kind}");
    }
}

#[test]
fn standing_access_that_a_reload_takes_away_ends_what_depends_on_it() {
    let with = |reason| standing(reason, OperationSet::all());
    for (kind, request, response_tag, _) in kinds() {
        let mut world = World::new();
        world.snapshot.policy = with("payroll office");
        world.bound(1, ALICE);
        world.client(2, &request);
        assert!(world.session.rests_on_grants() && world.session.next_end().is_none());
        world.snapshot.policy = with("payroll office");
        world.change_now();
        assert_eq!(world.at_client(), [], "{kind}: it is still there");
        world.snapshot.policy = with("something else");
        world.change_now();
        assert_eq!(answered(&world.at_client(), 2), [(response_tag, Some(50))], "{kind}");
        assert_eq!(world.at_directory(), [], "{kind}");
        // The same of an answer that waits.
        world.snapshot.policy = with("payroll office");
        world.client(3, &request);
        let asked = world.at_directory();
        world.content(asked[0].id, response_tag, 6);
        world.snapshot.policy = with("something else");
        world.change_now();
        assert!(!holds(&world.fx.to_client, CANARY), "{kind}");
        // A bind in flight is nobody's yet.
        world.at_client();
        world.snapshot.policy = with("payroll office");
        world.bind(4, ALICE, b"secret");
        world.change_now();
        assert_eq!(world.at_client(), [], "{kind}");
    }
}

#[test]
fn the_right_to_act_for_others_is_looked_at_for_each_operation() {
    const APP: &str = "cn=app,ou=services,dc=example,dc=com";
    let mut control = Vec::new();
    let value = format!("dn:{ALICE}");
    let proxied = Control { oid: oid::PROXIED_AUTHORIZATION_V2, critical: true, value: Some(value.as_bytes()) };
    write_controls(&mut control, &[proxied]);
    for (request, sent, expected) in [
        (Request::Delete(dn(OPEN)), false, vec![(2, Some(50))]),
        (Request::Delete(dn(OPEN)), true, vec![(2, Some(52)), (0, Some(52))]),
        (Request::Extended(ExtendedRequest::WhoAmI), false, vec![(2, Some(50))]),
        (Request::Extended(ExtendedRequest::WhoAmI), true, vec![(2, Some(50))]),
    ] {
        let mut world = World::new();
        Arc::make_mut(&mut world.snapshot.policy).proxied_authorization = vec![Selector::Dn(dn(APP))];
        Arc::make_mut(&mut world.snapshot.directory).proxied_authorization = true;
        world.bound(1, APP);
        world.with_controls(2, &request, &control);
        if sent {
            world.fx.upstream_written = 1;
        }
        Arc::make_mut(&mut world.snapshot.policy).proxied_authorization.clear();
        world.change_now();
        let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
        assert_eq!(seen, expected, "{request:?}");
    }
}

#[test]
fn while_monitoring_nothing_ends() {
    for (kind, request, _, _) in kinds() {
        let mut world = World::new();
        Arc::make_mut(&mut world.snapshot.policy).mode = Mode::Monitor;
        world.grant("g1", ALICE, 0);
        world.bound(1, ALICE);
        world.client(2, &request);
        assert_eq!(world.session.next_end(), None, "{kind}: nothing is waited for again and again");
        world.revoke("g1", ALICE);
        assert_eq!((world.at_client(), world.at_directory().len()), (vec![], 1), "{kind}");
    }
}
