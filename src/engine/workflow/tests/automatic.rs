//! Automatic approval: every condition must hold, what is not known holds nothing, nothing is refused.

use super::*;
use crate::engine::grant::basis::Basis;
use crate::engine::policy::deciding::{AddressRange, Automatic};
use crate::engine::policy::hours::Hours;
use chrono::{DateTime, Utc};

fn rule() -> Automatic {
    Automatic { who: None, addresses: None, hours: None, ticket: None, max_duration: None, operations: None }
}

fn with(rules: Vec<Automatic>) -> World {
    World::with_roles(vec![Role { automatic: rules, ..editor() }])
}

fn from(place: &str) -> Actor {
    Actor { from: place.to_owned(), ..person("anna") }
}

fn ranges(texts: &[&str]) -> Option<Vec<AddressRange>> {
    Some(texts.iter().map(|text| AddressRange::parse(text).unwrap()).collect())
}

/// The rule that approved what was asked; 0: people decide.
fn decided(world: &World, actor: &Actor, wish: Wish) -> u32 {
    let step = world.asked(actor, wish).unwrap();
    assert_eq!(step.request.state == RequestState::Approved, step.grant.is_some());
    let told = step.notices.iter().map(Notice::kind).collect::<Vec<_>>();
    let expected = if step.grant.is_none() { NoticeKind::Waits } else { NoticeKind::Approved };
    assert_eq!(told, [expected], "who decides is told only when somebody does");
    match step.request.basis {
        Basis::Automatic(rule) => rule,
        Basis::Reviews => 0,
        Basis::BreakGlass => panic!("nobody broke it"),
    }
}

#[test]
fn every_condition_must_hold() {
    let pattern = regex_lite::Regex::new("^HR-[0-9]+$").unwrap();
    let (search, everything) =
        (OperationKind::Search, [OperationKind::Search, OperationKind::Modify, OperationKind::Compare]);
    let narrowed = |kinds: &[OperationKind]| Narrowing { operations: Some(kinds.to_vec()), ..Narrowing::default() };
    let ticket = |ticket: &str| Wish { ticket: Some(ticket.to_owned()), ..wish("editor") };
    let rows: Vec<(Automatic, Actor, Wish, bool)> = vec![
        (rule(), person("anna"), wish("editor"), true),
        (
            Automatic { who: Some(selectors(&["dn:uid=anna,ou=people,dc=x"])), ..rule() },
            person("anna"),
            wish("editor"),
            true,
        ),
        (
            Automatic { who: Some(selectors(&["dn:uid=bert,ou=people,dc=x"])), ..rule() },
            person("anna"),
            wish("editor"),
            false,
        ),
        (
            Automatic { who: Some(selectors(&["group:cn=unread,dc=x"])), ..rule() },
            person("anna"),
            wish("editor"),
            false,
        ),
        (Automatic { who: Some(Vec::new()), ..rule() }, person("anna"), wish("editor"), false),
        (Automatic { addresses: ranges(&["10.0.0.0/8"]), ..rule() }, from("10.1.2.3:4711"), wish("editor"), true),
        (Automatic { addresses: ranges(&["10.0.0.0/8"]), ..rule() }, from("192.0.2.1:4711"), wish("editor"), false),
        // The socket is no address: only its own word names it.
        (Automatic { addresses: ranges(&["0.0.0.0/0", "::/0"]), ..rule() }, from("local"), wish("editor"), false),
        (Automatic { addresses: ranges(&["10.0.0.0/8", "local"]), ..rule() }, from("local"), wish("editor"), true),
        (Automatic { addresses: ranges(&["local"]), ..rule() }, from("127.0.0.1:1"), wish("editor"), false),
        (
            Automatic { addresses: ranges(&["0.0.0.0/0", "::/0", "local"]), ..rule() },
            from("who knows"),
            wish("editor"),
            false,
        ),
        (Automatic { ticket: Some(pattern.clone()), ..rule() }, person("anna"), ticket("HR-1"), true),
        (Automatic { ticket: Some(pattern.clone()), ..rule() }, person("anna"), ticket("HR-x"), false),
        (Automatic { ticket: Some(pattern.clone()), ..rule() }, person("anna"), wish("editor"), false),
        (Automatic { max_duration: Some(HOUR), ..rule() }, person("anna"), wish("editor"), true),
        (
            Automatic { max_duration: Some(HOUR), ..rule() },
            person("anna"),
            Wish { duration: Some(HOUR * 2), ..wish("editor") },
            false,
        ),
        (
            Automatic { operations: Some([search].into_iter().collect()), ..rule() },
            person("anna"),
            wish("editor"),
            false,
        ),
        (
            Automatic { operations: Some([search].into_iter().collect()), ..rule() },
            person("anna"),
            Wish { narrowing: narrowed(&[search]), ..wish("editor") },
            true,
        ),
        (
            Automatic { operations: Some(everything.into_iter().collect()), ..rule() },
            person("anna"),
            wish("editor"),
            true,
        ),
        // All but one.
        (
            Automatic { ticket: Some(pattern), max_duration: Some(HOUR), ..rule() },
            person("anna"),
            wish("editor"),
            false,
        ),
    ];
    for (number, (rule, actor, wish, expected)) in rows.into_iter().enumerate() {
        assert_eq!(decided(&with(vec![rule]), &actor, wish), u32::from(expected), "row {number}");
    }
}

#[test]
fn the_first_rule_that_fits_is_the_one_that_is_recorded() {
    let never = Automatic { max_duration: Some(Duration::from_secs(1)), ..rule() };
    let world = with(vec![never.clone(), rule(), rule()]);
    let step = world.asked(&person("anna"), wish("editor")).unwrap();
    assert_eq!(step.request.basis, Basis::Automatic(2));
    let approved = step.request.history.last().unwrap();
    assert_eq!((approved.what.word(), approved.by.as_str(), approved.after), ("approved", "tidegate", 1));
    assert_eq!(approved.reason.as_deref(), Some("automatically, by rule 2 of the role"));
    let (grant, effect) = step.grant.unwrap();
    assert_eq!((grant.basis, effect, grant.history[0].by.as_str()), (Basis::Automatic(2), Effect::Open, "tidegate"));
    assert_eq!(decided(&with(vec![never]), &person("anna"), wish("editor")), 0);
}

#[test]
fn a_rule_opens_nothing_to_those_who_may_not_ask() {
    let world = with(vec![rule()]);
    for (actor, wish, word) in [
        (person("lars"), wish("editor"), "not-eligible"),
        (person("anna"), Wish { duration: Some(HOUR * 5), ..wish("editor") }, "bad-duration"),
        (person("anna"), Wish { reason: String::new(), ..wish("editor") }, "reason-missing"),
        (person("anna"), Wish { subject: Some(uid("bert")), ..wish("editor") }, "not-beneficiary"),
    ] {
        assert_eq!(world.asked(&actor, wish).unwrap_err().word(), word);
    }
}

/// Both changes of the clock, at the moment of asking and at the start.
#[test]
fn hours_are_those_of_the_zone() {
    let moment = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    let hours = Hours::parse_list("Mon-Fri 08:00-18:00").unwrap();
    let rule = Automatic { hours: Some((hours, chrono_tz::Tz::Europe__Berlin)), ..rule() };
    let asked = |now: DateTime<Utc>, start: Option<DateTime<Utc>>| {
        // Long enough for what lies between.
        let role = Role { automatic: vec![rule.clone()], request_ttl: HOUR * 24 * 7, ..editor() };
        let mut world = World::with_roles(vec![role]);
        world.now.wall = now;
        decided(&world, &person("anna"), Wish { start, ..wish("editor") }) == 1
    };
    for (now, start, expected) in [
        // The last Friday of winter time and the first Monday of summer time; and back again.
        ("2026-03-27T06:59:59Z", None, false),
        ("2026-03-27T07:00:00Z", None, true),
        ("2026-03-27T16:59:59Z", None, true),
        ("2026-03-30T05:59:59Z", None, false),
        ("2026-03-30T06:00:00Z", None, true),
        ("2026-03-30T16:00:00Z", None, false),
        ("2026-10-23T06:00:00Z", None, true),
        ("2026-10-26T06:30:00Z", None, false),
        ("2026-10-26T07:00:00Z", None, true),
        // Asked for in time for another time, and the other way round.
        ("2026-03-27T10:00:00Z", Some("2026-03-30T06:00:00Z"), true),
        ("2026-03-27T10:00:00Z", Some("2026-03-28T10:00:00Z"), false),
        ("2026-03-28T10:00:00Z", Some("2026-03-30T10:00:00Z"), false),
    ] {
        assert_eq!(asked(moment(now), start.map(moment)), expected, "{now} {start:?}");
    }
}

/// What anna asks for: from so many minutes ahead (0: at once), for so many.
fn lasting(start: i64, minutes: u64) -> Wish {
    let start = (start > 0).then(|| at(start * 60).wall);
    Wish { start, duration: Some(Duration::from_secs(minutes * 60)), ..wish("editor") }
}

#[test]
fn a_rule_approves_what_is_needed_soon_and_once() {
    let world = with(vec![rule()]);
    let granted =
        |(start, minutes): (i64, u64)| world.asked(&person("anna"), lasting(start, minutes)).unwrap().grant.unwrap().0;
    let bert = person("bert").acts;
    type Span = (i64, u64);
    // What a rule has approved and has not ended, what is asked for, and whether a rule approves it.
    let rows: &[(&[Span], Span, bool)] = &[
        (&[], (0, 30), true),
        (&[], (8 * 60, 30), true),
        (&[], (8 * 60 + 1, 30), false),
        (&[], (13 * 24 * 60, 30), false),
        // Beside one that is active: within it, or as far behind it as it lasts.
        (&[(0, 30)], (0, 30), true),
        (&[(0, 30)], (5, 20), true),
        (&[(0, 30)], (0, 31), false),
        (&[(0, 30)], (10, 30), false),
        (&[(0, 30)], (30, 30), false),
        (&[(0, 30)], (59, 30), false),
        (&[(0, 30)], (60, 30), true),
        // One booking.
        (&[(60, 30)], (240, 30), false),
        (&[(0, 30), (60, 30)], (240, 30), false),
        (&[(60, 30)], (65, 10), false),
        (&[(60, 30)], (0, 30), true),
        (&[(60, 30)], (0, 31), false),
        (&[(60, 30)], (0, 60), false),
    ];
    for (earlier, (start, minutes), expected) in rows {
        let grants: Vec<Grant> = earlier.iter().copied().map(granted).collect();
        let step = world.asked_beside(&person("anna"), lasting(*start, *minutes), &grants).unwrap();
        assert_eq!(step.grant.is_some(), *expected, "{earlier:?} ({start}, {minutes})");
        // People decide on whatever they like; what people, or an emergency, opened is no matter of rules; nor is another role's, or
        // another's.
        let others = [
            grants.iter().map(|grant| Grant { basis: Basis::Reviews, ..grant.clone() }).collect::<Vec<_>>(),
            grants.iter().map(|grant| Grant { role: "vault".to_owned(), ..grant.clone() }).collect(),
            grants
                .iter()
                .map(|grant| Grant { subject: uid("bert"), requested_by: bert.clone(), ..grant.clone() })
                .collect(),
            grants.iter().map(|grant| Grant { state: GrantState::Released, ..grant.clone() }).collect(),
        ];
        for others in others {
            let step = world.asked_beside(&person("anna"), lasting(*start, *minutes), &others).unwrap();
            assert_eq!(step.grant.is_some(), *start <= 8 * 60, "({start}, {minutes})");
        }
        // One person under two names that some directory takes for one.
        let spelled: Vec<Grant> =
            grants.iter().map(|grant| Grant { subject: dn("uid=ANNA,ou=péople,dc=x"), ..grant.clone() }).collect();
        let step = world.asked_beside(&person("anna"), lasting(*start, *minutes), &spelled).unwrap();
        assert_eq!(step.grant.is_some(), *expected, "{earlier:?} ({start}, {minutes})");
    }
}

#[test]
fn one_booking_for_one_requester_however_many_they_may_ask_for() {
    let role = Role {
        automatic: vec![rule()],
        eligible: selectors(&["subtree:ou=people,dc=x"]),
        beneficiaries: selectors(&["subtree:ou=apps,dc=x"]),
        ..editor()
    };
    let world = World::with_roles(vec![role]);
    let for_app = |name: &str, (start, minutes): (i64, u64)| Wish {
        subject: Some(dn(&format!("cn={name},ou=apps,dc=x"))),
        ..lasting(start, minutes)
    };
    let asked = |who: &str, wish: Wish, grants: &[Grant]| {
        world.asked_beside(&person(who), wish, grants).unwrap().grant.map(|(grant, _)| grant)
    };
    let active = asked("anna", for_app("sync", (0, 30)), &[]).unwrap();
    let booked = asked("anna", for_app("sync", (60, 30)), &[]).unwrap();
    for (who, wish, earlier, expected) in [
        ("anna", for_app("mail", (0, 30)), &active, true),
        ("anna", for_app("mail", (30, 30)), &active, true),
        ("anna", for_app("mail", (0, 30)), &booked, true),
        ("anna", for_app("mail", (90, 30)), &booked, false),
        ("anna", lasting(90, 30), &booked, false),
        ("bert", for_app("mail", (90, 30)), &booked, true),
        // Whoever asks for it.
        ("bert", for_app("sync", (30, 30)), &active, false),
        ("bert", for_app("sync", (240, 30)), &booked, false),
    ] {
        let text = format!("{who} {:?} {:?} {:?}", wish.subject, wish.start, earlier.state);
        assert_eq!(asked(who, wish, std::slice::from_ref(earlier)).is_some(), expected, "{text}");
    }
}

#[test]
fn a_rule_must_still_approve_when_the_grant_begins() {
    let oncall = |who: &str| Automatic { who: Some(selectors(&[who])), ..rule() };
    let asked = with(vec![oncall("group:cn=hr,dc=x")]).asked(&person("anna"), lasting(10, 30)).unwrap();
    let grant = asked.grant.unwrap().0;
    assert_eq!((grant.state, grant.basis), (GrantState::Scheduled, Basis::Automatic(1)));
    let search = Some([OperationKind::Search].into_iter().collect());
    let hours = |text: &str| Some((Hours::parse_list(text).unwrap(), chrono_tz::Tz::UTC));
    for (rules, begins) in [
        (vec![oncall("group:cn=hr,dc=x")], true),
        (vec![rule()], true),
        (vec![Automatic { max_duration: Some(HOUR / 2), ..rule() }], true),
        (vec![Automatic { hours: hours("Mon-Sun 00:00-24:00"), ..rule() }], true),
        (vec![], false),
        (vec![oncall("group:cn=leads,dc=x")], false),
        (vec![oncall("dn:uid=bert,ou=people,dc=x"), rule()], false),
        (vec![Automatic { max_duration: Some(HOUR / 3), ..rule() }], false),
        (vec![Automatic { operations: search, ..rule() }], false),
    ] {
        let world = with(rules.clone()).at(600);
        let Ok(Outcome::Moved(next, _)) = on_deadline(&grant, None, &world.context()) else { panic!("{rules:?}") };
        let expected = if begins { GrantState::Active } else { GrantState::Revoked };
        assert_eq!(next.state, expected, "{rules:?}");
        let why = next.history.last().unwrap().reason.clone().unwrap_or_default();
        assert_eq!(why.contains("rule 1 of the role editor"), !begins, "{why}");
    }
    // Whether the rule means her is not known: it waits, and its time runs.
    let everybody = Role { eligible: selectors(&["anyone"]), automatic: vec![oncall("group:cn=new,dc=x")], ..editor() };
    let unknown = World { groups: Groups::default(), ..World::with_roles(vec![everybody]).at(600) };
    assert_eq!(on_deadline(&grant, None, &unknown.context()), Ok(Outcome::Undecided));
}
