//! What is recorded before it is done, and what becomes of it when it cannot be.

use super::paging::{Directory, paged};
use super::*;
use crate::engine::audit::record::Weight;
use crate::engine::grant::fixture::editor;
use crate::engine::ldap::control::{Control, oid, write_controls};
use crate::engine::policy::Standing;
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::policy::role::Role;
use crate::engine::policy::selector::Selector;
use serde_json::{Value, json};

/// Alice, who holds the payroll.
fn alice() -> World {
    let mut world = World::new();
    world.grant("g1", ALICE, 0);
    world.bound(1, ALICE);
    world.lines();
    world
}

/// The driver: what is held, and what the log says of it.
impl World {
    fn holds(&mut self) -> (bool, bool) {
        (std::mem::take(&mut self.fx.hold_upstream), std::mem::take(&mut self.fx.hold_client))
    }

    fn unrecorded(&mut self, answers: bool) {
        self.session.on_unrecorded(answers, self.now, &mut self.fx);
        self.perform();
    }
}

#[test]
fn an_operation_under_a_grant_has_a_begun_line_before_it_is_forwarded() {
    let mut world = alice();
    world.search(2, PAYROLL);
    let lines = world.lines();
    assert_eq!(world.holds(), (true, false));
    assert_eq!(
        lines,
        [json!({
            "time": "2027-01-15T08:00:00.000000Z", "session": "s1", "subject": ALICE, "message_id": 2,
            "phase": "begun", "operation_id": "s1-1", "operation": "search", "target": PAYROLL,
            "decision": "permitted", "reason": "grant", "resources": ["payroll"], "role": "role", "grant": "g1",
            "request": "req-1", "standing": null, "break_glass": false,
        })]
    );
    let asked = world.at_directory();
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    let ended = world.lines();
    assert_eq!(ended.len(), 1);
    assert_eq!((&ended[0]["phase"], &ended[0]["operation_id"]), (&json!("ended"), &json!("s1-1")));
    // All that the begun line says is in the ended one, too.
    for (name, value) in lines[0].as_object().unwrap().iter().filter(|(name, _)| *name != "phase") {
        assert_eq!(&ended[0][name], value, "{name}");
    }
    assert!(ended[0]["filter"].is_string() && ended[0]["connection_from"].is_string());
}

#[test]
fn every_way_in_which_access_is_used_has_its_begun_line() {
    let entry = format!("cn=1,{PAYROLL}");
    let requests: Vec<Request<'_>> = vec![
        search(PAYROLL),
        search(BASE),
        Request::Delete(dn(&entry)),
        Request::Compare(crate::engine::ldap::request::CompareRequest {
            entry: dn(&entry),
            attribute: AttributeDescription(b"cn"),
            value: b"1",
        }),
    ];
    for request in requests {
        let mut world = alice();
        world.client(2, &request);
        let lines = world.lines();
        assert_eq!((lines.len(), &lines[0]["phase"]), (1, &json!("begun")), "{request:?}");
        assert_eq!(world.holds(), (true, false), "{request:?}");
        assert_eq!(world.at_directory().len(), 1);
    }
    // A bind.
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.bind(1, ROBOT, b"secret");
    let lines = world.lines();
    assert_eq!((&lines[0]["phase"], &lines[0]["operation"]), (&json!("begun"), &json!("bind")));
    assert_eq!(world.holds(), (true, false));
    assert!(world.session.uses_access());
}

#[test]
fn standing_access_is_recorded_as_grants_are() {
    let mut world = World::new();
    let standing = Standing {
        who: vec![Selector::Anyone],
        resource: ResourceIndex(0),
        operations: OperationSet::all(),
        reason: "nightly".into(),
        replicate: false,
    };
    let policy = &world.snapshot.policy;
    let resources = policy.resources.clone();
    world.snapshot.policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![standing], vec![]).into();
    world.bound(1, ALICE);
    world.lines();
    world.search(2, PAYROLL);
    let lines = world.lines();
    assert_eq!((&lines[0]["phase"], &lines[0]["standing"]), (&json!("begun"), &json!(["payroll: nightly"])));
    assert_eq!((&lines[0]["reason"], world.holds()), (&json!("standing access"), (true, false)));
}

/// What shows and changes nothing may be summed in the log where there is a flood of it; what does must not.
#[test]
fn only_what_shows_and_changes_nothing_may_be_summed() {
    let root = || {
        let Request::Search(search) = search("") else { unreachable!() };
        Request::Search(SearchRequest { scope: SearchScope::Base, ..search })
    };
    let weights = |each: bool, request: Request<'_>, answer: Option<(u8, u32)>| {
        let mut world = World::new();
        world.session.record_by(RecordingRules { each, refuses: false });
        world.client(1, &request);
        if let Some((response_tag, code)) = answer {
            let asked = world.at_directory();
            world.result(asked[0].id, response_tag, code);
        }
        world.fx.record_ends.iter().map(|(_, weight)| *weight).collect::<Vec<_>>()
    };
    let abandon = || Request::Abandon(ClientMessageId(7));
    for (what, request, answer, expected) in [
        ("a read of the rootDSE", root(), Some((tag::SEARCH_RESULT_DONE, 0)), Weight::Trivial),
        ("all below the root", search(""), Some((tag::SEARCH_RESULT_DONE, 0)), Weight::Plain),
        ("a search of data", search("ou=people,dc=example,dc=com"), Some((tag::SEARCH_RESULT_DONE, 0)), Weight::Plain),
        ("an abandon", abandon(), None, Weight::Trivial),
        ("a bind that fails", bind(ALICE, b"wrong"), Some((tag::BIND_RESPONSE, 49)), Weight::Trivial),
        ("a bind that succeeds", bind(ALICE, b"secret"), Some((tag::BIND_RESPONSE, 0)), Weight::Plain),
    ] {
        assert_eq!(weights(false, request, answer), [expected], "{what}");
    }
    // Where every operation has a begun line, its ended line stays beside it.
    assert_eq!(weights(true, root(), Some((tag::SEARCH_RESULT_DONE, 0))), [Weight::Plain; 2]);
    assert_eq!(weights(true, bind(ALICE, b"wrong"), Some((tag::BIND_RESPONSE, 49))), [Weight::Plain; 2]);
}

/// Alice, who has begun a persistent search of the payroll under a grant.
fn lasting() -> World {
    let mut world = World::new();
    let role = Role { name: "role".into(), replicate: true, ..editor() };
    let resources = world.snapshot.policy.resources.clone();
    let policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, Vec::new(), vec![role.into()]);
    world.snapshot.policy = policy.into();
    world.grant("g1", ALICE, 0);
    world.bound(1, ALICE);
    world.lines();
    let mut controls = Vec::new();
    // PersistentSearch (draft-ietf-ldapext-psearch): all kinds of changes, only changes, told with each entry.
    let value = [0x30, 9, 2, 1, 15, 1, 1, 0xff, 1, 1, 0xff];
    write_controls(&mut controls, &[Control { oid: oid::PERSISTENT_SEARCH, critical: true, value: Some(&value) }]);
    world.with_controls(2, &search(PAYROLL), &controls);
    world
}

/// A search that lasts is decided again when grants change. By which access it continues is in the log before the client
/// sees anything more of it.
#[test]
fn a_search_that_continues_by_another_grant_has_one_more_begun_line() {
    let mut world = lasting();
    let begun = |line: &Value| (line["phase"].clone(), line["operation_id"].clone(), line["grant"].clone());
    let expected = |grant: &str| (json!("begun"), json!("s1-1"), json!(grant));
    assert_eq!(world.lines().iter().map(begun).collect::<Vec<_>>(), [expected("g1")]);
    assert_eq!(world.holds(), (true, false));
    let asked = world.at_directory();
    // Somebody else's grant changes nothing.
    world.grant("other", ROBOT, 1);
    world.session.on_change(&world.snapshot, world.now, &mut world.fx);
    assert_eq!((world.lines(), world.holds()), (vec![], (false, false)));
    world.grant("g2", ALICE, 0);
    world.revoke("g1", ALICE);
    assert_eq!(world.lines().iter().map(begun).collect::<Vec<_>>(), [expected("g2")]);
    assert_eq!(world.holds(), (false, true));
    world.entry(asked[0].id, &format!("cn=1,{PAYROLL}"));
    assert_eq!((world.at_client().len(), world.lines()), (1, vec![]));
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    let ended = world.lines().remove(0);
    assert_eq!((&ended["phase"], &ended["operation_id"]), (&json!("ended"), &json!("s1-1")));
    assert_eq!((&ended["grant"], &ended["entries"]), (&json!("g2"), &json!(1)));
}

/// Such a line that cannot be written ends the session: what was found waits for it, and is not shown.
#[test]
fn a_search_that_cannot_be_recorded_by_another_grant_is_not_shown() {
    let mut world = lasting();
    let asked = world.at_directory();
    world.session.on_recorded();
    world.grant("g2", ALICE, 0);
    world.revoke("g1", ALICE);
    world.entry(asked[0].id, &format!("cn=1,{PAYROLL}"));
    world.unrecorded(true);
    assert!(world.at_client().iter().all(|seen| seen.tag != tag::SEARCH_RESULT_ENTRY) && world.fx.close);
}

#[test]
fn an_operation_that_uses_no_access_has_one_line_and_waits_for_nothing() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.search(2, "ou=people,dc=example,dc=com");
    world.search(3, BASE);
    world.search(4, PAYROLL);
    let asked = world.at_directory();
    for seen in &asked {
        world.result(seen.id, tag::SEARCH_RESULT_DONE, 0);
    }
    let weights: Vec<_> = world.fx.record_ends.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights, [Weight::Plain, Weight::Refused, Weight::Plain, Weight::Plain]);
    let lines = world.lines();
    assert_eq!((lines.len(), world.holds(), world.session.uses_access()), (4, (false, false), false));
    assert!(lines.iter().all(|line| line.get("phase").is_none() && line.get("operation_id").is_none()), "{lines:?}");
    // Nothing is held of what is redacted.
    assert_eq!((&lines[3]["target"], &lines[3]["reason"]), (&json!(BASE), &json!("redacted")));
}

#[test]
fn attributes_that_are_redacted_are_no_standing_access() {
    let attributes = AttributeNames::new(["mail"]).unwrap();
    let mail = Resource { attributes: Some(attributes), ..resource("mails", BASE, OperationSet::all()) };
    let mut world = World::new();
    world.snapshot.policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, vec![mail], vec![], vec![]).into();
    world.search(1, "ou=people,dc=example,dc=com");
    let asked = world.at_directory();
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    let line = &world.lines()[0];
    assert_eq!(
        (&line["reason"], &line["standing"], &line["resources"]),
        (&json!("redacted"), &Value::Null, &json!(["mails"]))
    );
}

#[test]
fn with_each_every_operation_that_is_forwarded_has_a_begun_line() {
    let mut world = World::new();
    world.session.record_by(RecordingRules { each: true, refuses: false });
    world.bind(1, ALICE, b"secret");
    assert_eq!((world.lines()[0]["phase"].clone(), world.holds()), (json!("begun"), (true, false)));
    let asked = world.at_directory();
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    world.search(2, "ou=people,dc=example,dc=com");
    let lines = world.lines();
    assert_eq!((lines.len(), &lines[0]["phase"], &lines[1]["phase"]), (2, &json!("ended"), &json!("begun")));
    assert_eq!(world.holds(), (true, false));
    // What is refused is not forwarded, and what cannot be recorded is not waited for.
    world.search(3, PAYROLL);
    world.snapshot.recording = false;
    world.search(4, "ou=people,dc=example,dc=com");
    assert_eq!((world.lines().len(), world.holds()), (1, (false, false)));
}

#[test]
fn what_waits_for_a_line_that_cannot_be_written_is_refused_and_nothing_of_it_is_sent() {
    let mut world = alice();
    world.search(2, PAYROLL);
    world.session.on_recorded();
    world.search(3, PAYROLL);
    world.search(4, "ou=people,dc=example,dc=com");
    world.client(5, &Request::Delete(dn(&format!("cn=1,{PAYROLL}"))));
    world.search(6, PAYROLL);
    world.client(7, &Request::Abandon(ClientMessageId(6)));
    // The first is on its way.
    let first = message_length(&world.fx.to_upstream);
    world.fx.upstream_written = first;
    world.lines();
    world.unrecorded(false);
    world.fx.to_upstream.drain(..first);
    let sent = world.at_directory();
    assert_eq!(sent.len(), 1, "only what needs no access: {sent:?}");
    assert_eq!(sent[0].tag, tag::SEARCH_REQUEST);
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.tag, seen.code)).collect();
    assert_eq!(seen, [(3, tag::SEARCH_RESULT_DONE, Some(52)), (5, tag::DELETE_RESPONSE, Some(52))]);
    let lines = world.lines();
    for line in &lines {
        assert_eq!((&line["decision"], &line["reason"]), (&json!("refused"), &json!("not recorded")), "{line}");
        assert_eq!((&line["phase"], &line["grant"], &line["result"]), (&json!("ended"), &json!("g1"), &json!(52)));
    }
    assert_eq!(lines.len(), 2);
    // What was recorded continues.
    assert_eq!(world.session.in_flight().count(), 2);
    world.entry(2, &format!("cn=1,{PAYROLL}"));
    assert!(!world.fx.close);
}

#[test]
fn a_bind_that_cannot_be_recorded_binds_nobody() {
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.bind(1, ROBOT, b"secret");
    world.unrecorded(false);
    assert_eq!(world.at_directory(), Vec::new());
    assert_eq!(world.at_client()[0].code, Some(52));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    assert!(!world.session.is_binding() && !world.fx.close);
}

#[test]
fn nothing_is_served_unrecorded_where_that_is_configured() {
    let mut world = World::new();
    world.session.record_by(RecordingRules { each: false, refuses: true });
    world.bound(1, ALICE);
    world.snapshot.recording = false;
    world.search(2, "ou=people,dc=example,dc=com");
    world.bind(3, ALICE, b"secret");
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(seen, [(2, Some(52)), (3, Some(52))]);
    assert_eq!((world.at_directory(), world.session.subject()), (Vec::new(), &Subject::Anonymous));
    world.snapshot.recording = true;
    world.bound(4, ALICE);
}

#[test]
fn entries_that_were_kept_for_a_page_are_shown_when_that_is_recorded() {
    // Payroll is held, the secret is hidden: pages are filled up here.
    let mut world = World::new();
    let secret = resource("secret", "ou=secret,dc=example,dc=com", OperationSet::all());
    let resources = [&world.snapshot.policy.resources[..], &[secret]].concat();
    world.snapshot.policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![], vec![]).into();
    world.grant("g1", ALICE, 0);
    world.bound(1, ALICE);
    let mut directory = Directory::new((1..=3).map(|number| format!("cn={number},{PAYROLL}")).collect());
    let cookie = directory.page(&mut world, 2, 1, b"").cookie.expect("another page");
    assert_eq!(world.holds(), (true, false));
    world.lines();
    world.with_controls(3, &search(BASE), &paged(1, &cookie));
    assert!(world.fx.hold_client, "it is shown before the directory is asked");
    assert_eq!(world.lines()[0]["phase"], json!("begun"));
    // Where that cannot be recorded the client gets nothing of it.
    world.unrecorded(true);
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!((seen, world.fx.close), (vec![(3, Some(52)), (0, Some(52))], true), "no entry");
}

fn message_length(octets: &[u8]) -> usize {
    frame_length(octets, usize::MAX).unwrap().unwrap()
}
