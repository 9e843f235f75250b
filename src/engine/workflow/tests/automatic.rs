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
        let mut world = with(vec![rule.clone()]);
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
