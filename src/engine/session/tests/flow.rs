//! Operations on their way: ids, pipelining, abandon and cancel, malformed messages, what is redacted.

use super::*;

#[test]
fn answers_come_back_under_the_clients_ids_in_the_directorys_order() {
    let mut world = World::new();
    world.search(70, BASE);
    world.search(7, BASE);
    let asked = world.at_directory();
    assert_ne!(asked[0].id, asked[1].id);
    world.entry(asked[1].id, ALICE);
    world.result(asked[1].id, tag::SEARCH_RESULT_DONE, 0);
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    let ids: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.tag)).collect();
    assert_eq!(ids, [(7, tag::SEARCH_RESULT_ENTRY), (7, tag::SEARCH_RESULT_DONE), (70, tag::SEARCH_RESULT_DONE)]);
}

#[test]
fn upstream_ids_are_never_used_again() {
    let mut world = World::new();
    let mut last = 0;
    for _ in 0..100 {
        world.search(1, BASE);
        let asked = world.at_directory();
        assert!(asked[0].id > last);
        last = asked[0].id;
        world.result(last, tag::SEARCH_RESULT_DONE, 0);
    }
}

#[test]
fn an_id_in_use_ends_the_session() {
    let mut world = World::new();
    world.search(5, BASE);
    world.at_directory();
    world.search(5, BASE);
    let seen = world.at_client();
    assert_eq!((seen[0].id, seen[0].code), (0, Some(2)));
    assert!(world.fx.close);
}

#[test]
fn abandon_is_mapped_and_silent() {
    let mut world = World::new();
    world.search(5, BASE);
    let asked = world.at_directory();
    world.client(6, &Request::Abandon(ClientMessageId(5)));
    let abandoned = world.at_directory();
    assert_eq!(abandoned[0].tag, tag::ABANDON_REQUEST);
    assert_eq!(abandoned[0].body, [u8::try_from(asked[0].id).unwrap()]);
    // What was on its way meets nothing.
    world.entry(asked[0].id, ALICE);
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    assert_eq!(world.at_client(), Vec::new());
    // Of what is not there, and of itself.
    world.client(7, &Request::Abandon(ClientMessageId(99)));
    world.client(8, &Request::Abandon(ClientMessageId(8)));
    assert_eq!(world.at_directory(), Vec::new());
    assert_eq!(world.at_client(), Vec::new());
    assert_eq!(world.records().len(), 4);
}

#[test]
fn cancel_is_mapped_and_both_are_answered() {
    let mut world = World::new();
    world.search(5, BASE);
    let asked = world.at_directory();
    world.client(6, &Request::Extended(ExtendedRequest::Cancel(ClientMessageId(5))));
    let cancel = world.at_directory();
    let mut expected = Vec::new();
    message::write_cancel(&mut expected, UpstreamMessageId(cancel[0].id), UpstreamMessageId(asked[0].id), &[]);
    assert_eq!(cancel, cut(&expected));
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 118);
    world.result(cancel[0].id, tag::EXTENDED_RESPONSE, 0);
    assert_eq!(world.at_client().len(), 2);
    world.client(7, &Request::Extended(ExtendedRequest::Cancel(ClientMessageId(5))));
    assert_eq!(world.at_client()[0].code, Some(119));
    assert_eq!(world.at_directory(), Vec::new());
}

#[test]
fn what_is_outstanding_is_bounded() {
    let mut world = World::new();
    world.session.bounds.operations = 100;
    // Who has no name gets fewer.
    for id in 1..=32 {
        assert_eq!(world.search(id, BASE), Flow::Done);
    }
    assert_eq!(world.search(5000, BASE), Flow::Wait);
    let taken = bounds::kept_octets(&world.session);
    assert!(taken > 32 * 600, "{taken}");
    world.session.on_client_lost(world.now, &mut world.fx);
    assert_eq!(bounds::kept_octets(&world.session), 0);

    let mut world = World::new();
    world.session.bounds.operations = 100;
    world.bound(1, ALICE);
    for id in 10..110 {
        assert_eq!(world.search(id, BASE), Flow::Done);
    }
    assert!(!world.session.reads_client());
    assert_eq!(world.search(5000, BASE), Flow::Wait);
    // What frees room is heard all the same.
    assert_eq!(world.client(5001, &Request::Abandon(ClientMessageId(10))), Flow::Done);
    assert!(world.session.reads_client());
}

#[test]
fn malformed_messages_are_answered_where_they_can_be() {
    // A search whose body is cut short; a message id of zero; a response; not a message id.
    let cases: [(&[u8], i32, u32, bool); 4] = [
        (b"\x30\x07\x02\x01\x09\x63\x02\x04\x00", 9, 2, false),
        (b"\x30\x05\x02\x01\x00\x42\x00", 0, 2, true),
        (b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 0, 2, true),
        (b"\x30\x05\x04\x01\x01\x42\x00", 0, 2, true),
    ];
    for (octets, id, code, closes) in cases {
        let mut world = World::new();
        world.raw(octets);
        let seen = world.at_client();
        assert_eq!((seen[0].id, seen[0].code, world.fx.close), (id, Some(code), closes), "{octets:02x?}");
        assert_eq!(world.at_directory(), Vec::new());
    }
}

/// A bind whose controls are cut short, and a search in the same state.
const BAD_BIND: &[u8] = b"\x30\x07\x02\x01\x63\x60\x00\xa0\x01";
const BAD_SEARCH: &[u8] = b"\x30\x07\x02\x01\x63\x63\x00\xa0\x01";

#[test]
fn what_is_malformed_waits_its_turn_and_nothing_is_left_without_an_answer() {
    // While a bind is in flight nothing else is processed, a bind that cannot be read least of all.
    for malformed in [BAD_BIND, BAD_SEARCH] {
        let mut world = World::new();
        world.bound(1, ALICE);
        world.bind(2, ALICE, b"secret");
        assert_eq!(world.raw(malformed), Flow::Wait);
        let asked = world.at_directory();
        world.result(asked[0].id, tag::BIND_RESPONSE, 0);
        assert_eq!(world.raw(malformed), Flow::Done);
        let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
        assert_eq!(seen, [(2, Some(0)), (99, Some(2))]);
        let nobody = *world.session.subject() == Subject::Anonymous;
        assert_eq!(nobody, malformed == BAD_BIND);
    }
    // It would give up the connection under a search that runs.
    let mut world = World::new();
    world.bound(1, ALICE);
    world.search(2, BASE);
    let asked = world.at_directory();
    assert_eq!(world.raw(BAD_BIND), Flow::Wait);
    assert_eq!(world.raw(BAD_SEARCH), Flow::Done);
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    assert_eq!(world.raw(BAD_BIND), Flow::Done);
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(seen, [(99, Some(2)), (2, Some(0)), (99, Some(2))]);
    assert!(world.session.in_flight().next().is_none());
    assert_eq!(*world.session.subject(), Subject::Anonymous);
}

#[test]
fn only_what_was_asked_for_is_passed_between() {
    let mut world = World::new();
    world.search(1, BASE);
    let asked = world.at_directory();
    // A sync info message (RFC 4533): nothing that is let through asks for it.
    let mut frame = Vec::new();
    let body = b"\x80\x181.3.6.1.4.1.4203.1.9.1.4\x81\x06secret";
    message::write_message(&mut frame, asked[0].id, tag::INTERMEDIATE_RESPONSE, body, None);
    world.upstream(&frame);
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.tag)).collect();
    assert_eq!(seen, [(1, tag::SEARCH_RESULT_DONE)]);
    assert_eq!(world.records()[0]["withheld"], 1);
}

#[test]
fn hidden_entries_and_references_are_dropped_and_counted() {
    let mut world = World::new();
    world.search(1, BASE);
    let asked = world.at_directory();
    world.entry(asked[0].id, ALICE);
    world.entry(asked[0].id, &format!("cn=1, OU=PayRoll,{BASE}"));
    world.entry(asked[0].id, "this is not a name");
    let mut frame = Vec::new();
    message::write_message(&mut frame, asked[0].id, tag::SEARCH_RESULT_REFERENCE, b"\x04\x08ldap://x", None);
    world.upstream(&frame);
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    let seen = world.at_client();
    assert_eq!(seen.len(), 2, "{seen:?}");
    let record = &world.records()[0];
    assert_eq!((&record["entries"], &record["withheld"]), (&1.into(), &3.into()));
}

#[test]
fn a_size_limit_counts_what_is_shown() {
    let mut world = World::new();
    let limited = |base: &str| match search(base) {
        Request::Search(search) => Request::Search(SearchRequest { size_limit: 2, ..search }),
        other => other,
    };
    world.client(1, &limited(BASE));
    let asked = world.at_directory();
    let Request::Search(any) = search(BASE) else { return };
    let envelope = frame(asked[0].id, &Request::Search(SearchRequest { size_limit: i32::MAX, ..any }));
    assert!(envelope.ends_with(&asked[0].body), "the directory gets a limit that hidden entries do not reach");
    for name in [ALICE, PAYROLL, "cn=1,ou=payroll,dc=example,dc=com", BASE] {
        world.entry(asked[0].id, name);
    }
    assert_eq!(world.at_client().len(), 2);
    assert_eq!(world.at_directory(), Vec::new());
    world.entry(asked[0].id, PAYROLL);
    world.entry(asked[0].id, ROBOT);
    assert_eq!(world.at_client()[0].code, Some(4));
    assert_eq!(world.at_directory()[0].tag, tag::ABANDON_REQUEST);
    let record = &world.records()[0];
    assert_eq!((&record["entries"], &record["withheld"], &record["result"]), (&2.into(), &3.into(), &4.into()));
    // Exactly as many as were wanted is no excess.
    world.client(2, &limited(BASE));
    let asked = world.at_directory();
    for name in [ALICE, BASE, PAYROLL] {
        world.entry(asked[0].id, name);
    }
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    assert_eq!(world.at_client().last().map(|seen| seen.code), Some(Some(0)));
    // Where nothing is hidden, the directory counts.
    world.client(3, &limited(ALICE));
    let asked = world.at_directory();
    assert!(frame(asked[0].id, &limited(ALICE)).ends_with(&asked[0].body));
}

#[test]
fn a_referral_does_not_lead_around_the_gate() {
    let mut world = World::new();
    world.search(1, BASE);
    let asked = world.at_directory();
    let body = b"\x0a\x01\x0a\x04\x00\x04\x00\xa3\x0a\x04\x08ldap://x";
    let mut frame = Vec::new();
    message::write_message(&mut frame, asked[0].id, tag::SEARCH_RESULT_DONE, body, None);
    world.upstream(&frame);
    let seen = world.at_client();
    assert_eq!(seen[0].code, Some(53));
    assert!(!seen[0].body.windows(4).any(|window| window == b"ldap"));
}

#[test]
fn a_matched_name_that_is_hidden_is_not_shown() {
    for (matched, shown) in [(format!("cn=1,{PAYROLL}"), false), (BASE.to_owned(), true)] {
        let mut world = World::new();
        world.search(1, BASE);
        let asked = world.at_directory();
        let mut frame = Vec::new();
        let id = ClientMessageId(asked[0].id);
        response::write_result(&mut frame, id, tag::SEARCH_RESULT_DONE, ResultCode::NO_SUCH_OBJECT, &matched, "");
        world.upstream(&frame);
        let seen = world.at_client();
        assert_eq!(seen[0].code, Some(32));
        assert_eq!(seen[0].body.windows(matched.len()).any(|window| window == matched.as_bytes()), shown);
    }
}

#[test]
fn a_policy_that_is_replaced_while_a_search_runs_does_not_shift_what_it_hides() {
    let mut world = World::new();
    world.search(1, BASE);
    let asked = world.at_directory();
    let other = vec![resource("elsewhere", "ou=elsewhere,dc=example,dc=com", OperationSet::all())];
    world.snapshot.policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, other, Vec::new(), Vec::new()).into();
    world.entry(asked[0].id, &format!("cn=1,{PAYROLL}"));
    assert_eq!(world.at_client(), Vec::new());
}

#[test]
fn every_operation_is_recorded_once() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.search(2, BASE);
    world.search(3, PAYROLL);
    world.raw(b"\x30\x07\x02\x01\x09\x63\x02\x04\x00");
    world.client(4, &Request::Unbind);
    let records = world.records();
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record["message_id"].as_i64().unwrap(), record["decision"].as_str().unwrap()))
        .collect();
    let refused = [(3, "refused"), (9, "refused")];
    assert_eq!(seen, [(1, "permitted"), refused[0], refused[1], (4, "permitted"), (2, "permitted")]);
    assert_eq!(records[1]["subject"], ALICE);
    assert_eq!(records[1]["resources"], serde_json::json!(["payroll"]));
    assert_eq!(records[4]["result"], serde_json::Value::Null, "it was never answered");
}

/// `cn=1` below a base entry, or below one of several entries, that is hidden while what lies below is not.
#[test]
fn a_matched_name_does_not_tell_that_the_next_one_is_not_there() {
    let people = "ou=people,dc=example,dc=com";
    for (scope, base, matched) in [(ResourceScope::One, people, people), (ResourceScope::Base, people, BASE)] {
        let target = format!("cn=1,{}", if scope == ResourceScope::One { ALICE } else { people });
        let mut answers = Vec::new();
        // Alice, or all people, are not there; and they are.
        for matched in [matched, target.strip_prefix("cn=1,").unwrap()] {
            let mut world = World::new();
            let hidden = Resource { scope, ..resource("hidden", base, OperationSet::all()) };
            let policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, vec![hidden], Vec::new(), Vec::new());
            world.snapshot.policy = policy.into();
            world.search(1, &target);
            let id = ClientMessageId(world.at_directory()[0].id);
            let mut frame = Vec::new();
            response::write_result(&mut frame, id, tag::SEARCH_RESULT_DONE, ResultCode::NO_SUCH_OBJECT, matched, "");
            world.upstream(&frame);
            answers.push(world.at_client());
        }
        assert_eq!(answers[0], answers[1], "{scope:?}");
    }
}

#[test]
fn the_record_says_what_a_permit_rests_on() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.search(2, BASE);
    let asked = world.at_directory();
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    let records = world.records();
    let (bind, search) = (&records[0], &records[1]);
    // Who the session was, and how it is to be shown who it becomes.
    assert_eq!((&bind["subject"], &bind["authentication"]), (&"anonymous".into(), &"simple".into()));
    assert_eq!((&search["subject"], &search["authentication"]), (&ALICE.into(), &"simple".into()));
    // She holds nothing: what is protected is left out of the answer.
    assert_eq!((&search["decision"], &search["reason"]), (&"permitted".into(), &"redacted".into()));
}
