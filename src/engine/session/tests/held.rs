//! Operations that wait for a role: what lets them go on, what ends them, and that nothing else waits with them.

use super::*;
use crate::engine::access::Snapshot;
use crate::engine::ldap::control::Control;
use crate::engine::ldap::request::{Attribute, Change, ChangeKind, ModifyRequest};
use crate::engine::policy::asking::{HeldBounds, OnMissing};
use crate::engine::policy::role::{Allow, Role, SecondFactor};
use crate::engine::policy::selector::Selector;
use crate::engine::session::{Answer, MAX_HELD_OCTETS};

const HOLD: OnMissing = OnMissing::Hold(Duration::from_secs(60));
const BOB: &str = "uid=bob,ou=people,dc=example,dc=com";

fn role(name: &str, on_missing: OnMissing) -> Role {
    Role {
        name: name.into(),
        description: String::new(),
        allow: vec![Allow {
            resource: ResourceIndex(0),
            operations: OperationSet::all(),
            base: None,
            attributes: None,
        }],
        eligible: vec![Selector::Anyone],
        approvers: vec![],
        beneficiaries: vec![],
        approvals: 1,
        stages: Vec::new(),
        automatic: Vec::new(),
        break_glass: Vec::new(),
        max_duration: Duration::from_secs(3_600),
        default_duration: Duration::from_secs(3_600),
        request_ttl: Duration::from_secs(3_600),
        max_lead: Duration::from_secs(14 * 24 * 3_600),
        reason_required: true,
        ticket_pattern: None,
        second_factor: SecondFactor::default(),
        replicate: false,
        on_missing: Some(on_missing),
    }
}

fn set(world: &mut World, change: impl FnOnce(&mut Policy)) {
    let mut policy = Policy::clone(&world.snapshot.policy);
    change(&mut policy);
    world.snapshot.policy = policy.looked_up_anew().into();
}

/// Alice, who asks for the payroll by doing.
fn world(on_missing: OnMissing) -> World {
    let mut world = World::new();
    set(&mut world, |policy| policy.roles = vec![Arc::new(role("payroll-reader", on_missing))]);
    world.bound(1, ALICE);
    world.records();
    world
}

/// The same, with a search (2) that waits for a request.
fn waiting() -> (World, u64) {
    let mut world = world(HOLD);
    world.search(2, PAYROLL);
    let number = world.role_asked();
    world.answer_to(number, waits());
    (world, number)
}

fn waits() -> Answer {
    Answer::Waits { request: "req-7".to_owned() }
}

fn modify<'a>(entry: &str, value: &'a [u8]) -> Request<'a> {
    let attribute = Attribute { description: AttributeDescription(b"title"), values: vec![value] };
    Request::Modify(ModifyRequest { entry: dn(entry), changes: vec![Change { kind: ChangeKind::Replace, attribute }] })
}

impl World {
    /// The one role that was asked for just now.
    fn role_asked(&mut self) -> u64 {
        let asked = std::mem::take(&mut self.fx.asks);
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].number
    }

    fn answer_to(&mut self, number: u64, answer: Answer) {
        self.session.on_asked(number, answer, &self.snapshot, self.now, &mut self.fx);
        self.perform();
    }

    fn change(&mut self) {
        self.session.on_change(&self.snapshot, self.now, &mut self.fx);
        self.perform();
    }

    fn answers(&mut self) -> Vec<(i32, u32)> {
        self.at_client().iter().map(|seen| (seen.id, seen.code.unwrap_or(u32::MAX))).collect()
    }

    fn message(&mut self) -> String {
        let seen = self.at_client();
        assert_eq!((seen.len(), seen[0].code), (1, Some(50)), "{seen:?}");
        let view = response::ResultView::peek(seen[0].tag, &seen[0].body).unwrap();
        String::from_utf8(view.message.to_vec()).unwrap()
    }
}

#[test]
fn what_is_asked_says_who_what_and_from_where() {
    let mut world = world(HOLD);
    let before = Arc::clone(&world.snapshot.grants);
    assert_eq!(world.search(2, &format!("cn=a\\0D\\0A\u{202e}b,{PAYROLL}")), Flow::Done);
    assert_eq!((world.at_client(), world.at_directory()), (vec![], vec![]), "it waits");
    let asked = std::mem::take(&mut world.fx.asks);
    let [asking] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((&*asking.role, &asking.subject), ("payroll-reader", &dn(ALICE)));
    assert_eq!(asking.from, "192.0.2.1:4711");
    assert!(Arc::ptr_eq(&asking.seen, &before));
    let reason = &asking.reason;
    assert!(reason.starts_with("asked by doing: search cn=a") && reason.ends_with(" from 192.0.2.1"), "{reason}");
    assert!(!reason.chars().any(|c| c.is_control() || c == '\u{202e}'), "{reason:?}");
    // A name can be long.
    world.client(3, &modify(&format!("cn={},{PAYROLL}", "ü".repeat(4_000)), b"x"));
    let reason = world.fx.asks.pop().unwrap().reason;
    assert!(reason.chars().count() < 600 && reason.ends_with("… from 192.0.2.1"), "{reason}");
    let held: Vec<_> = world.session.in_flight().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    assert!(held.len() == 2 && held[0].contains(r#""decision":"held""#), "{held:?}");
}

#[test]
fn it_goes_on_once_it_is_approved_and_only_once() {
    let mut world = world(HOLD);
    world.client(2, &modify(&format!("cn=1,{PAYROLL}"), b"clerk"));
    let number = world.role_asked();
    world.answer_to(number, waits());
    world.change();
    assert_eq!((world.answers(), world.at_directory()), (vec![], vec![]), "nothing has changed for it");
    world.now.monotonic += Duration::from_secs(7);
    world.now.wall += TimeDelta::seconds(7);
    world.grant("g1", ALICE, 0);
    world.change();
    let sent = world.at_directory();
    assert_eq!((sent.len(), sent[0].tag), (1, tag::MODIFY_REQUEST));
    let expected = frame(2, &modify(&format!("cn=1,{PAYROLL}"), b"clerk"));
    assert_eq!(sent[0].body, Envelope::parse_request(&expected).unwrap().body, "what was asked");
    // Whatever else comes of it, it is with the directory.
    world.change();
    world.answer_to(number, Answer::Granted { request: "req-7".to_owned() });
    world.answer_to(number, waits());
    assert_eq!((world.at_directory(), world.answers()), (vec![], vec![]));
    world.result(sent[0].id, tag::MODIFY_RESPONSE, 0);
    assert_eq!(world.answers(), [(2, 0)]);
    let record = world.records().pop().unwrap();
    assert_eq!(
        (&record["decision"], &record["grant"], &record["request"]),
        (&"permitted".into(), &"g1".into(), &"req-1".into())
    );
    assert_eq!(record["duration_us"], 7_000_000, "the wait is part of it");
    assert_eq!(record["time"], "2027-01-15T08:00:07.000000Z", "when it was decided");
}

/// What an answer to asking, or a change, makes of a search that waits: the code and the reason on record; none where it
/// waits on.
#[test]
fn what_ends_it() {
    type Happens = fn(&mut World, u64);
    fn ended(how: &'static str) -> Answer {
        Answer::Ended { request: "req-7".to_owned(), how, before: false }
    }
    let cases: [(&str, Happens, Option<(u32, &str)>); 16] = [
        ("denied", (|w, n| w.answer_to(n, ended("denied"))), Some((50, "denied"))),
        ("lapsed", (|w, n| w.answer_to(n, ended("lapsed"))), Some((50, "lapsed"))),
        ("locked", (|w, n| w.answer_to(n, ended("stopped by a lock"))), Some((50, "stopped by a lock"))),
        (
            "approved, and not enough",
            (|w, n| w.answer_to(n, Answer::Granted { request: "req-7".to_owned() })),
            Some((50, "not held")),
        ),
        (
            "not long enough",
            (|w, _| {
                w.now.monotonic += Duration::from_millis(59_999);
                w.change();
            }),
            None,
        ),
        (
            "too long",
            (|w, _| {
                w.now.monotonic += Duration::from_secs(60);
                w.change();
            }),
            Some((50, "out of time")),
        ),
        (
            "the clock is set",
            (|w, _| {
                w.now.wall += TimeDelta::seconds(60);
                w.change();
            }),
            Some((50, "out of time")),
        ),
        (
            "somebody else's grant",
            (|w, _| {
                w.grant("g1", BOB, 0);
                w.change();
            }),
            None,
        ),
        (
            "a grant of something else",
            (|w, _| {
                w.grant("g1", ALICE, 1);
                w.change();
            }),
            None,
        ),
        ("another number", (|w, n| w.answer_to(n + 1, ended("denied"))), None),
        (
            "the role is gone",
            (|w, _| {
                set(w, |policy| policy.roles.clear());
                w.change();
            }),
            Some((50, "not held")),
        ),
        (
            "another role comes before it",
            (|w, _| {
                set(w, |policy| policy.roles.insert(0, Arc::new(role("other", HOLD))));
                w.change();
            }),
            None,
        ),
        (
            "no longer eligible",
            (|w, _| {
                let eligible = vec![Selector::Dn(dn(BOB))];
                set(w, |policy| policy.roles = vec![Arc::new(Role { eligible, ..role("payroll-reader", HOLD) })]);
                w.change();
            }),
            Some((50, "not held")),
        ),
        (
            "nothing can be recorded",
            (|w, _| {
                w.snapshot.recording = false;
                w.change();
            }),
            Some((50, "not held")),
        ),
        (
            "cancelled",
            (|w, _| {
                w.client(9, &Request::Extended(ExtendedRequest::Cancel(ClientMessageId(2))));
                let answer = w.fx.to_client.clone();
                assert_eq!(w.answers(), [(2, 118), (9, 0)], "RFC 3909: both are answered");
                w.fx.to_client = answer;
            }),
            Some((118, "cancelled by the client")),
        ),
        (
            "a bind",
            (|w, _| {
                w.bind(9, BOB, b"secret");
            }),
            Some((50, "bound again")),
        ),
    ];
    for (what, happens, expected) in cases {
        let (mut world, number) = waiting();
        happens(&mut world, number);
        let answer = world.answers().into_iter().find(|(id, _)| *id == 2);
        assert_eq!(answer.map(|(_, code)| code), expected.map(|(code, _)| code), "{what}");
        assert_eq!(world.session.held(), usize::from(expected.is_none()), "{what}");
        let search = |seen: &Seen| seen.tag == tag::SEARCH_REQUEST;
        assert!(!world.at_directory().iter().any(search), "{what}: nothing was permitted");
        let record = world.records().into_iter().find(|record| record["message_id"] == 2);
        assert_eq!(record.is_some(), expected.is_some(), "{what}");
        if let (Some(record), Some((code, reason))) = (record, expected) {
            let of = |name: &str| record[name].clone();
            assert_eq!((of("decision"), of("reason"), of("result")), ("refused".into(), reason.into(), code.into()));
            assert_eq!((of("role"), of("request"), of("grant")), ("payroll-reader".into(), "req-7".into(), ().into()));
            assert_eq!(of("resources"), serde_json::json!(["payroll"]));
        }
    }
}

#[test]
fn it_ends_with_its_session_and_is_written_down() {
    type Ends = fn(&mut World);
    let cases: [(&str, Ends); 6] = [
        ("unbind", |w| _ = w.client(9, &Request::Unbind)),
        ("loss", |w| w.session.on_client_lost(w.now, &mut w.fx)),
        ("kill", |w| w.session.on_kill("enough", w.now, &mut w.fx)),
        ("directory", |w| w.session.on_upstream_lost(w.now, &mut w.fx)),
        ("reused id", |w| _ = w.search(2, BASE)),
        ("reused id of a bind", |w| _ = w.bind(2, BOB, b"secret")),
    ];
    for (what, end) in cases {
        let (mut world, number) = waiting();
        end(&mut world);
        assert!(world.session.is_closed() && world.session.held() == 0, "{what}");
        assert!(!world.answers().iter().any(|(id, _)| *id == 2), "{what}: a message that is not answered");
        let record = world.records().into_iter().find(|r| r["message_id"] == 2 && r["request"] == "req-7").unwrap();
        assert_eq!((&record["reason"], &record["result"]), (&"session ended".into(), &().into()), "{what}");
        world.grant("g1", ALICE, 0);
        world.answer_to(number, Answer::Granted { request: "req-7".to_owned() });
        world.change();
        assert!(!world.at_directory().iter().any(|seen| seen.tag == tag::SEARCH_REQUEST), "{what}");
    }
}

#[test]
fn an_abandoned_one_is_not_answered_and_never_goes_on() {
    let (mut world, number) = waiting();
    world.client(9, &Request::Abandon(ClientMessageId(2)));
    world.grant("g1", ALICE, 0);
    world.answer_to(number, Answer::Granted { request: "req-7".to_owned() });
    world.change();
    assert_eq!((world.answers(), world.at_directory()), (vec![], vec![]));
    let record = world.records().into_iter().find(|record| record["message_id"] == 2).unwrap();
    assert_eq!((&record["decision"], &record["reason"]), (&"refused".into(), &"abandoned".into()));
    assert!(!world.session.rests_on_grants() || world.session.held() == 0);
    // Its id is free again.
    world.search(2, BASE);
    assert_eq!(world.at_directory().len(), 1);
}

#[test]
fn who_binds_again_takes_nothing_along() {
    for malformed in [false, true] {
        let (mut world, number) = waiting();
        // Something else is with the directory: the bind waits for it, what waits for a role does not.
        world.search(3, BASE);
        let asked = world.at_directory();
        let frame = match malformed {
            false => frame(9, &bind(BOB, b"secret")),
            // The version is missing.
            true => vec![0x30, 0x05, 0x02, 0x01, 0x09, 0x60, 0x00],
        };
        assert_eq!(world.raw(&frame), Flow::Wait);
        assert_eq!(world.answers(), [(2, 50)]);
        world.grant("g1", ALICE, 0);
        world.grant("g2", BOB, 0);
        world.answer_to(number, Answer::Granted { request: "req-7".to_owned() });
        world.change();
        assert_eq!(world.at_directory(), []);
        world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
        assert_eq!(world.raw(&frame), Flow::Done);
        let records = world.records();
        let held = records.iter().find(|record| record["message_id"] == 2).unwrap();
        assert_eq!(held["subject"], ALICE, "in whose name it was asked for");
    }
}

#[test]
fn others_of_the_session_go_on() {
    let (mut world, number) = waiting();
    world.search(3, BASE);
    let asked = world.at_directory();
    world.result(asked[0].id, tag::SEARCH_RESULT_DONE, 0);
    assert_eq!(world.answers(), [(3, 0)]);
    // Those that wait are let through in their order.
    world.search(4, PAYROLL);
    let later = world.role_asked();
    world.answer_to(later, waits());
    world.grant("g1", ALICE, 0);
    world.answer_to(number, Answer::Granted { request: "req-7".to_owned() });
    world.change();
    let bodies: Vec<_> = world.at_directory();
    assert_eq!(bodies.len(), 2);
    for (seen, id) in bodies.iter().zip([2, 4]) {
        world.result(seen.id, tag::SEARCH_RESULT_DONE, 0);
        assert_eq!(world.answers(), [(id, 0)]);
    }
}

#[test]
fn one_that_only_asks_is_answered_once_the_request_is_kept() {
    for (style, expected) in [
        (
            RefusalStyle::Explain,
            "search is protected here by payroll: request req-7 waits for approval; try again once it is approved",
        ),
        (RefusalStyle::Opaque, "this is protected: request req-7 waits for approval; try again once it is approved"),
    ] {
        let mut world = world(OnMissing::Request);
        set(&mut world, |policy| policy.refusal = style);
        world.search(2, PAYROLL);
        assert_eq!(world.answers(), [], "not before it is kept");
        let number = world.role_asked();
        world.answer_to(number, waits());
        assert_eq!(world.message(), expected);
        let record = world.records().pop().unwrap();
        assert_eq!((&record["request"], &record["role"]), (&"req-7".into(), &"payroll-reader".into()));
        assert_eq!(record["reason"], "asked for");
    }
    // A rule approved it.
    let mut world = world(OnMissing::Request);
    world.search(2, PAYROLL);
    let number = world.role_asked();
    world.grant("g1", ALICE, 0);
    world.answer_to(number, Answer::Granted { request: "req-7".to_owned() });
    assert_eq!((world.at_directory().len(), world.answers()), (1, vec![]));
    // The broker does not come back.
    world.search(3, BOB);
    world.search(4, PAYROLL);
    assert_eq!(world.session.held(), 0);
}

#[test]
fn what_is_told_of_a_no_names_nothing_where_the_policy_is_opaque() {
    let lately = || Answer::Ended { request: "req-7".to_owned(), how: "denied", before: true };
    let refused = || Answer::Refused { why: "you may not request the role payroll-reader".to_owned() };
    let again = "request req-7 was denied a short while ago, and is not made again";
    for (style, answer, expected) in [
        (
            RefusalStyle::Explain,
            lately(),
            format!(
                "search is protected here by payroll: {again}; ask with: tidegate request payroll-reader --reason \"…\""
            ),
        ),
        (RefusalStyle::Opaque, lately(), format!("this is protected: {again}")),
        (
            RefusalStyle::Explain,
            refused(),
            "search is protected here by payroll: it was not asked for: you may not request the role payroll-reader"
                .to_owned(),
        ),
        (RefusalStyle::Opaque, refused(), "this is protected".to_owned()),
        (RefusalStyle::Opaque, Answer::TooMany, "this is protected: too many operations wait already".to_owned()),
    ] {
        let mut world = world(HOLD);
        set(&mut world, |policy| policy.refusal = style);
        world.search(2, PAYROLL);
        let number = world.role_asked();
        world.answer_to(number, answer);
        assert_eq!(world.message(), expected);
    }
}

#[test]
fn what_waits_is_bounded() {
    let mut world = world(HOLD);
    set(&mut world, |policy| policy.held = HeldBounds { per_session: 3, in_all: 100 });
    for id in 2..5 {
        world.search(id, PAYROLL);
    }
    assert_eq!((world.session.held(), world.fx.asks.len(), world.answers()), (3, 3, vec![]));
    world.search(5, PAYROLL);
    assert_eq!(world.message(), "search is protected here by payroll: too many operations wait already");
    assert_eq!((world.session.held(), world.fx.asks.len()), (3, 3), "nothing is asked for");
    assert_eq!(world.records().pop().unwrap()["reason"], "too much waits");
    // One that is given up makes room.
    world.client(6, &Request::Abandon(ClientMessageId(3)));
    world.search(7, PAYROLL);
    assert_eq!((world.session.held(), world.answers()), (3, vec![]));
    // Octets are counted, not only messages.
    let mut world = self::world(HOLD);
    let large = vec![b'x'; MAX_HELD_OCTETS / 2];
    world.client(2, &modify(PAYROLL, &large));
    assert_eq!((world.session.held(), world.answers()), (1, vec![]));
    world.client(3, &modify(PAYROLL, &large));
    assert_eq!(world.message(), "modify is protected here by payroll: it is too large to wait");
    world.client(4, &modify(PAYROLL, b"small"));
    assert_eq!((world.session.held(), world.answers()), (2, vec![]));
}

#[test]
fn the_wait_has_an_end_that_is_waited_for() {
    let (world, _) = waiting();
    assert!(world.session.rests_on_grants());
    let ends = (world.now.wall + TimeDelta::seconds(60), world.now.monotonic + Duration::from_secs(60));
    assert_eq!(world.session.next_end(), Some(ends));
    // Whatever is only to be kept has one as well.
    let mut world = self::world(OnMissing::Request);
    world.search(2, PAYROLL);
    let (_, monotonic) = world.session.next_end().unwrap();
    world.now.monotonic = monotonic;
    world.change();
    assert_eq!(world.message(), "search is protected here by payroll: it could not be asked for in time");
}

#[test]
fn a_grant_that_is_narrower_still_refuses() {
    let (mut world, number) = waiting();
    let mut grants = world.snapshot.grants.as_ref().clone();
    world.grant("g1", ALICE, 0);
    let mut narrow = ActiveGrant::clone(world.snapshot.grants.get(&dn(ALICE)).next().unwrap());
    narrow.opens[0].base = Some(dn(&format!("cn=1,{PAYROLL}")));
    grants = grants.with(Arc::new(narrow));
    world.snapshot.grants = Arc::new(grants);
    world.change();
    assert_eq!((world.answers(), world.session.held()), (vec![], 1), "another may come");
    world.answer_to(number, Answer::Granted { request: "req-7".to_owned() });
    let message = "search is protected here by payroll: request req-7 was approved, and does not open this";
    assert_eq!((world.message().as_str(), world.at_directory()), (message, vec![]));
}

#[test]
fn controls_wait_with_it_and_are_decided_upon_with_it() {
    let mut world = world(HOLD);
    let controls = [
        Control { oid: "1.2.840.113556.1.4.319", critical: true, value: Some(b"\x30\x05\x02\x01\x05\x04\x00") },
        Control { oid: "2.16.840.1.113730.3.4.2", critical: false, value: None },
    ];
    let mut frame = Vec::new();
    message::write_request(&mut frame, UpstreamMessageId(2), &search(PAYROLL), &controls);
    world.raw(&frame);
    let number = world.role_asked();
    world.answer_to(number, waits());
    world.grant("g1", ALICE, 0);
    world.change();
    let sent = std::mem::take(&mut world.fx.to_upstream);
    let envelope = Envelope::parse_request(&sent).unwrap();
    assert_eq!(envelope.controls().unwrap(), controls);
}

#[test]
fn nobody_asks_and_nothing_asks_for_nobody() {
    let mut world = World::new();
    set(&mut world, |policy| {
        let mut both = role("payroll-reader", HOLD);
        both.allow.push(Allow { resource: ResourceIndex(1), ..both.allow[0].clone() });
        policy.roles = vec![Arc::new(both)];
    });
    world.search(1, PAYROLL);
    world.bind(2, ROBOT, b"guess");
    assert_eq!(world.answers(), [(1, 50), (2, 50)]);
    assert!(world.fx.asks.is_empty() && world.session.held() == 0);
}

#[test]
fn a_snapshot_that_is_the_same_is_not_decided_upon_again() {
    let (mut world, _) = waiting();
    let same: Snapshot = world.snapshot.clone();
    world.grant("g1", ALICE, 0);
    let granted = std::mem::replace(&mut world.snapshot, same);
    world.change();
    assert_eq!(world.session.held(), 1);
    world.snapshot = granted;
    world.change();
    assert_eq!(world.session.held(), 0);
}

/// Whoever hears first of the grant, or of the next message, has not heard yet that the bind's own grant has ended.
#[test]
fn nothing_is_decided_in_the_name_of_a_bind_that_has_ended() {
    for (what, event) in [
        ("what was asked for", (|world, number| world.answer_to(number, granted())) as fn(&mut World, u64)),
        ("a message", |world, _| {
            world.search(3, BASE);
        }),
    ] {
        let mut world = World::new();
        set(&mut world, |policy| policy.roles = vec![Arc::new(role("payroll-reader", HOLD))]);
        world.grant("bind", ROBOT, 1);
        world.bound(1, ROBOT);
        world.search(2, PAYROLL);
        let number = world.role_asked();
        world.grant("g1", ROBOT, 0);
        world.snapshot.grants = Arc::new(world.snapshot.grants.without(&dn(ROBOT), "bind"));
        event(&mut world, number);
        let sent = world.at_directory();
        assert!(sent.iter().all(|seen| seen.tag == tag::UNBIND_REQUEST), "{what}: {sent:?}");
        assert!(world.fx.close, "{what}");
    }
}

fn granted() -> Answer {
    Answer::Granted { request: "req-7".to_owned() }
}
