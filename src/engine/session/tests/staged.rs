//! Searches of which an attribute is hidden in a part, from the client's request to its answer: each stage brings its
//! own, and however it ends it ends as one search.

use super::*;
use crate::engine::ldap::control::{Control, oid, write_controls};
use crate::engine::ldap::paged::PagedResults;
use crate::engine::ldap::tag::{ABANDON_REQUEST, SEARCH_REQUEST, SEARCH_RESULT_DONE, SEARCH_RESULT_ENTRY};
use crate::engine::policy::attributes::AttributeNames;

const MAIL: &str = "mail";

/// Mail is hidden below `ou=payroll`; what is hidden of people Alice holds.
fn world() -> World {
    let attributes = |name: &str, base: &str, attribute: &str| Resource {
        attributes: Some(AttributeNames::new([attribute]).unwrap()),
        ..resource(name, base, OperationSet::all())
    };
    let resources =
        vec![attributes("mails", PAYROLL, MAIL), attributes("titles", "ou=people,dc=example,dc=com", "title")];
    let mut world = World::new();
    world.snapshot.policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![], vec![]).into();
    world.grant("grant-1", ALICE, 1);
    world.bound(1, ALICE);
    world.records();
    world
}

fn present(name: &'static str) -> Filter<'static> {
    Filter::Present(AttributeDescription(name.as_bytes()))
}

/// A search for this, with a size limit.
fn wanted(filter: Filter<'static>, size_limit: i32) -> Request<'static> {
    match search(BASE) {
        Request::Search(search) => Request::Search(SearchRequest { filter, size_limit, ..search }),
        _ => unreachable!("a search"),
    }
}

/// Two stages: outside of payroll, and inside without the mail.
fn either() -> Filter<'static> {
    Filter::Or(vec![present("uid"), present(MAIL)])
}

impl World {
    /// The one request that the directory has been sent: its id and filter.
    fn asked(&mut self) -> (i32, String) {
        let octets = std::mem::take(&mut self.fx.to_upstream);
        let envelope = Envelope::parse_request(&octets).expect("one request");
        assert_eq!(envelope.tag, SEARCH_REQUEST);
        let Ok(Request::Search(asked)) = Request::decode(&envelope) else { panic!("a search") };
        assert!(matches!(asked.size_limit, 0 | i32::MAX), "what is shown is counted here");
        let mut names = Vec::new();
        asked.filter.walk(&mut |part| {
            names.extend(part.attribute().map(|name| String::from_utf8(name.0.to_vec()).unwrap()));
        });
        (envelope.id, names.join(" "))
    }

    /// The first stage answers with one of each part; the id of the second.
    fn first_stage(&mut self) -> i32 {
        let (first, filter) = self.asked();
        assert_eq!(filter, "uid mail", "as it was written");
        self.entry(first, &person(1));
        self.entry(first, &employee(1));
        self.result(first, SEARCH_RESULT_DONE, 0);
        let (second, filter) = self.asked();
        assert_eq!(filter, "uid", "nothing of what is hidden");
        assert_ne!(first, second);
        second
    }

    /// Ids, codes and names, in the order in which the client was sent them.
    fn told(&mut self) -> Vec<(i32, Option<u32>, String)> {
        let name = |seen: &Seen| match seen.tag {
            SEARCH_RESULT_ENTRY => String::from_utf8(response::entry_name(&seen.body).unwrap().to_vec()).unwrap(),
            _ => String::new(),
        };
        self.at_client().iter().map(|seen| (seen.id, seen.code, name(seen))).collect()
    }
}

fn person(number: u32) -> String {
    format!("uid=u{number},ou=people,{BASE}")
}

fn employee(number: u32) -> String {
    format!("uid=e{number},{PAYROLL}")
}

fn shown(name: String) -> (i32, Option<u32>, String) {
    (2, None, name)
}

fn end(code: u32) -> (i32, Option<u32>, String) {
    (2, Some(code), String::new())
}

#[test]
fn each_stage_brings_its_own() {
    let mut world = world();
    world.client(2, &wanted(either(), 0));
    let second = world.first_stage();
    world.entry(second, &person(1));
    world.entry(second, &employee(1));
    world.entry(second, &employee(2));
    world.result(second, SEARCH_RESULT_DONE, 0);
    assert_eq!(world.told(), [shown(person(1)), shown(employee(1)), shown(employee(2)), end(0)]);
    let records = world.records();
    assert_eq!((records.len(), &records[0]["entries"]), (1, &serde_json::json!(3)), "{records:?}");
    assert!(world.at_directory().is_empty() && world.session.in_flight().next().is_none());
}

#[test]
fn a_stage_that_nothing_matches_is_not_asked() {
    let mut world = world();
    world.client(2, &wanted(present(MAIL), 0));
    let (only, filter) = world.asked();
    assert_eq!(filter, MAIL);
    world.entry(only, &employee(1));
    world.entry(only, &person(1));
    world.result(only, SEARCH_RESULT_DONE, 0);
    assert_eq!(world.told(), [shown(person(1)), end(0)]);
    assert!(world.at_directory().is_empty());
}

#[test]
fn what_is_shown_is_limited_over_all_stages() {
    for (limit, code) in [(1, 4), (2, 4), (3, 0), (4, 0)] {
        let mut world = world();
        world.client(2, &wanted(either(), limit));
        let second = world.first_stage();
        for number in [1, 2] {
            world.entry(second, &person(number));
            world.entry(second, &employee(number));
        }
        world.result(second, SEARCH_RESULT_DONE, 0);
        let all = [shown(person(1)), shown(employee(1)), shown(employee(2))];
        let shown = all.into_iter().take(usize::try_from(limit).unwrap());
        assert_eq!(world.told(), shown.chain([end(code)]).collect::<Vec<_>>(), "{limit}");
        let abandoned: Vec<u8> = world.at_directory().into_iter().flat_map(|seen| seen.body).collect();
        let expected = if code == 0 { vec![] } else { vec![u8::try_from(second).unwrap()] };
        assert_eq!(abandoned, expected, "{limit}");
    }
}

#[test]
fn what_ends_it_ends_the_stage_that_runs() {
    let abandon = Request::Abandon(ClientMessageId(2));
    let cancel = Request::Extended(ExtendedRequest::Cancel(ClientMessageId(2)));
    let cancelled = vec![end(118), (3, Some(0), String::new())];
    for (how, answers) in [(Some(abandon), vec![]), (Some(cancel), cancelled), (None, vec![end(50)])] {
        let mut world = world();
        world.client(2, &wanted(either(), 0));
        let second = world.first_stage();
        world.entry(second, &employee(1));
        assert_eq!(world.told(), [shown(person(1)), shown(employee(1))]);
        match &how {
            Some(request) => drop(world.client(3, request)),
            None => world.revoke("grant-1", ALICE),
        }
        let sent = world.at_directory();
        let sent: Vec<_> = sent.iter().map(|seen| (seen.tag, seen.body.as_slice())).collect();
        assert_eq!(sent, [(ABANDON_REQUEST, &[u8::try_from(second).unwrap()][..])], "{how:?}");
        // What was on its way meets nothing, and nothing more is asked.
        world.entry(second, &employee(2));
        world.result(second, SEARCH_RESULT_DONE, 0);
        assert_eq!(world.told(), answers, "{how:?}");
        assert!(world.at_directory().is_empty() && world.session.in_flight().next().is_none());
    }
}

#[test]
fn a_grant_that_ends_between_the_stages_ends_the_search() {
    let mut world = world();
    world.client(2, &wanted(either(), 0));
    let (first, _) = world.asked();
    world.entry(first, &person(1));
    assert_eq!(world.told(), [shown(person(1))]);
    world.revoke("grant-1", ALICE);
    assert_eq!(world.told(), [end(50)]);
    assert_eq!(world.at_directory().len(), 1, "the abandon");
    world.result(first, SEARCH_RESULT_DONE, 0);
    assert!(world.at_directory().is_empty(), "no second stage");
}

#[test]
fn losing_the_directory_in_a_later_stage_is_told_once() {
    let mut world = world();
    world.client(2, &wanted(either(), 0));
    world.first_stage();
    world.told();
    world.session.on_upstream_lost(world.now, &mut world.fx);
    // RFC 4511 4.4.1: a notice, and the session ends.
    assert_eq!(world.told(), [(0, Some(52), String::new())]);
    assert!(world.fx.close);
    assert_eq!(world.records().len(), 1);
}

#[test]
fn a_base_that_is_not_there_is_asked_for_once() {
    let mut world = world();
    world.client(2, &wanted(either(), 0));
    let (first, _) = world.asked();
    world.result(first, SEARCH_RESULT_DONE, 32);
    assert_eq!(world.told(), [end(32)]);
    assert!(world.at_directory().is_empty());
}

#[test]
fn order_over_stages_is_refused_or_let_be() {
    let key = b"\x30\x07\x30\x05\x04\x03uid";
    // draft-ietf-ldapext-ldapv3-vlv: nothing before, nine after, from the first of as many as there are.
    let view = b"\x30\x0e\x02\x01\x00\x02\x01\x09\xa0\x06\x02\x01\x01\x02\x01\x00";
    for (critical, viewed) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = world();
        let mut controls = Vec::new();
        let sort = Control { oid: oid::SORT_REQUEST, critical: critical && !viewed, value: Some(key) };
        let vlv = Control { oid: oid::VLV_REQUEST, critical, value: Some(view) };
        let both = [sort, vlv];
        write_controls(&mut controls, if viewed { &both } else { &both[..1] });
        world.with_controls(2, &wanted(either(), 0), &controls);
        if critical {
            assert_eq!(world.told(), [end(12)]);
            assert!(world.at_directory().is_empty());
        } else {
            let sent = world.fx.to_upstream.clone();
            let envelope = Envelope::parse_request(&sent).expect("one request");
            assert!(
                envelope
                    .controls()
                    .unwrap()
                    .iter()
                    .all(|control| { control.oid != oid::SORT_REQUEST && control.oid != oid::VLV_REQUEST })
            );
            world.first_stage();
        }
    }
}

/// Pages of two, over both stages: the cookie of the one is not shown to the other, nor is either to the client.
#[test]
fn pages_are_filled_over_both_stages() {
    let mut world = world();
    let page = |cookie: &[u8]| {
        let mut out = Vec::new();
        PagedResults { size: 2, cookie }.write_control(&mut out, true);
        out
    };
    let (mut names, mut sizes, mut cookie, mut asked) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for id in 2..10 {
        world.with_controls(id, &wanted(either(), 0), &page(&cookie));
        loop {
            let octets = std::mem::take(&mut world.fx.to_upstream);
            if octets.is_empty() {
                break;
            }
            asked += 1;
            assert!(asked < 20, "pages without end");
            let envelope = Envelope::parse_request(&octets).expect("one request");
            let Ok(Request::Search(search)) = Request::decode(&envelope) else { panic!("a search") };
            let controls = envelope.controls().unwrap();
            let paged = controls.iter().find(|control| control.oid == oid::PAGED_RESULTS).unwrap();
            let paged = PagedResults::decode(paged.value.unwrap()).unwrap();
            // The stage's own cookie: its number, and how far it got.
            let stage = u8::from(!matches!(search.filter, Filter::Or(_)));
            let from = match paged.cookie {
                [] => 0,
                [of, at] => {
                    assert_eq!(*of, stage, "the cookie of another search");
                    usize::from(*at)
                }
                _ => panic!("no cookie of ours"),
            };
            let all: Vec<String> = (1..4).flat_map(|number| [person(number), employee(number)]).collect();
            let until = all.len().min(from + paged.size as usize);
            all[from..until].iter().for_each(|name| world.entry(envelope.id, name));
            let next = if until < all.len() { vec![stage, u8::try_from(until).unwrap()] } else { Vec::new() };
            let mut controls = Vec::new();
            PagedResults { size: 6, cookie: &next }.write_control(&mut controls, false);
            let mut frame = Vec::new();
            let body = b"\x0a\x01\x00\x04\x00\x04\x00";
            message::write_message(&mut frame, envelope.id, SEARCH_RESULT_DONE, body, Some(&controls));
            world.upstream(&frame);
        }
        let octets = std::mem::take(&mut world.fx.to_client);
        let (mut rest, mut count) = (octets.as_slice(), 0);
        cookie = Vec::new();
        while let Some(length) = frame_length(rest, usize::MAX).unwrap() {
            let (frame, after) = rest.split_at(length);
            rest = after;
            let envelope = Envelope::parse_response(frame).unwrap();
            if envelope.tag == SEARCH_RESULT_ENTRY {
                count += 1;
                names.push(String::from_utf8(response::entry_name(envelope.body).unwrap().to_vec()).unwrap());
                continue;
            }
            let controls = envelope.controls().unwrap();
            let paged = PagedResults::decode(controls[0].value.unwrap()).unwrap();
            assert_eq!(paged.size, 0, "an estimate");
            cookie = paged.cookie.to_vec();
        }
        sizes.push(count);
        if cookie.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [2, 2, 2]);
    let expected: Vec<String> = (1..4).map(person).chain((1..4).map(employee)).collect();
    assert_eq!(names, expected);
}
