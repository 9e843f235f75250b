//! Searches in pages of which something is hidden: nothing of it is felt, and cookies open nothing else.

use super::*;
use crate::engine::ldap::control::{Control, decode_controls, oid, write_controls};
use crate::engine::ldap::paged::PagedResults;
use crate::engine::ldap::tag::{SEARCH_REQUEST, SEARCH_RESULT_DONE, SEARCH_RESULT_ENTRY};

/// A directory that keeps pages as slapd does: the cookie says how far it got, and there is one for a connection.
pub(super) struct Directory {
    entries: Vec<String>,
    /// How many requests it answered.
    asked: usize,
}

fn person(number: usize) -> String {
    format!("uid=u{number:02},ou=people,{BASE}")
}

fn hidden(number: usize) -> String {
    format!("cn={number},{PAYROLL}")
}

pub(super) fn paged(size: u32, cookie: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PagedResults { size, cookie }.write_control(&mut out, true);
    out
}

/// What a page brought: code, names, cookie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Brought {
    code: u32,
    names: Vec<String>,
    pub(super) cookie: Option<Vec<u8>>,
}

impl World {
    pub(super) fn with_controls(&mut self, id: i32, request: &Request<'_>, controls: &[u8]) -> Flow {
        let mut body = Vec::new();
        request.write_body(&mut body);
        let mut frame = Vec::new();
        message::write_message(&mut frame, id, request.tag(), &body, Some(controls));
        self.raw(&frame)
    }
}

impl Directory {
    pub(super) fn new(entries: Vec<String>) -> Directory {
        Directory { entries, asked: 0 }
    }

    /// Answers all that was asked, and what is asked because of that.
    fn serve(&mut self, world: &mut World) {
        loop {
            let octets = std::mem::take(&mut world.fx.to_upstream);
            if octets.is_empty() {
                return;
            }
            let mut rest = octets.as_slice();
            while let Some(length) = frame_length(rest, usize::MAX).unwrap() {
                let (frame, after) = rest.split_at(length);
                rest = after;
                let envelope = Envelope::parse_request(frame).unwrap();
                if envelope.tag == SEARCH_REQUEST {
                    self.answer(&envelope, world);
                }
            }
        }
    }

    fn answer(&mut self, envelope: &Envelope<'_>, world: &mut World) {
        self.asked += 1;
        let controls = envelope.controls().unwrap();
        let page = controls.iter().find(|control| control.oid == oid::PAGED_RESULTS).unwrap();
        let page = PagedResults::decode(page.value.unwrap()).unwrap();
        let from = if page.cookie.is_empty() { 0 } else { usize::from(page.cookie[0]) };
        let until = self.entries.len().min(from + page.size as usize);
        for name in &self.entries[from..until] {
            world.entry(envelope.id, name);
        }
        let cookie = if until < self.entries.len() { vec![u8::try_from(until).unwrap()] } else { Vec::new() };
        let mut controls = Vec::new();
        // It would tell how many there are.
        PagedResults { size: 99, cookie: &cookie }.write_control(&mut controls, false);
        let mut frame = Vec::new();
        let body = b"\x0a\x01\x00\x04\x00\x04\x00";
        message::write_message(&mut frame, envelope.id, SEARCH_RESULT_DONE, body, Some(&controls));
        world.upstream(&frame);
    }

    /// One page through the gate.
    pub(super) fn page(&mut self, world: &mut World, id: i32, size: u32, cookie: &[u8]) -> Brought {
        world.with_controls(id, &search(BASE), &paged(size, cookie));
        self.serve(world);
        brought(world, id)
    }

    /// All pages; the sizes that they had.
    fn pages(&mut self, world: &mut World, size: u32) -> (Vec<usize>, Vec<String>) {
        let (mut sizes, mut names, mut cookie) = (Vec::new(), Vec::new(), Vec::new());
        for id in 1.. {
            let page = self.page(world, id, size, &cookie);
            assert_eq!(page.code, 0);
            sizes.push(page.names.len());
            names.extend(page.names);
            cookie = page.cookie.expect("a paging control");
            if cookie.is_empty() {
                break;
            }
        }
        (sizes, names)
    }
}

fn brought(world: &mut World, id: i32) -> Brought {
    let octets = std::mem::take(&mut world.fx.to_client);
    let (mut names, mut done, mut rest) = (Vec::new(), None, octets.as_slice());
    while let Some(length) = frame_length(rest, usize::MAX).unwrap() {
        let (frame, after) = rest.split_at(length);
        rest = after;
        let envelope = Envelope::parse_response(frame).unwrap();
        assert_eq!((envelope.id, done.is_none()), (id, true), "one answer, and nothing after it");
        if envelope.tag == SEARCH_RESULT_ENTRY {
            names.push(String::from_utf8(response::entry_name(envelope.body).unwrap().to_vec()).unwrap());
            continue;
        }
        let controls = envelope.controls.map(|content| decode_controls(content).unwrap()).unwrap_or_default();
        let page = controls.iter().find(|control| control.oid == oid::PAGED_RESULTS);
        let page = page.map(|control| PagedResults::decode(control.value.unwrap()).unwrap());
        assert!(page.is_none_or(|page| page.size == 0), "an estimate tells of what is hidden");
        let code = response::ResultView::peek(envelope.tag, envelope.body).unwrap().code.0;
        done = Some((code, page.map(|page| page.cookie.to_vec())));
    }
    let (code, cookie) = done.expect("an answer");
    Brought { code, names, cookie }
}

/// Which of so many entries are hidden, as bits; and what the pages must look like all the same.
#[test]
fn pages_are_what_they_would_be_if_nothing_were_hidden_there() {
    for (count, pattern) in [
        (0, 0b0),
        (1, 0b1),
        (1, 0b0),
        (8, 0b0000_0000),
        (8, 0b1111_1111),
        (8, 0b1111_0000),
        (8, 0b0000_1111),
        (8, 0b1010_1010),
        (8, 0b0111_1110),
        (12, 0b1110_0111_0110),
        (30, 0x3fff_ffee),
        (30, 0x1fff_fff0),
        (30, 0x2000_0001),
    ] {
        for size in [1, 2, 3, 4, 5, 8, 100] {
            let name = |at: usize| if pattern >> at & 1 == 1 { hidden(at) } else { person(at) };
            let entries: Vec<String> = (0..count).map(name).collect();
            let visible: Vec<String> = entries.iter().filter(|name| !name.ends_with(PAYROLL)).cloned().collect();
            let mut expected: Vec<usize> = visible.chunks(size as usize).map(<[String]>::len).collect();
            if expected.is_empty() {
                expected.push(0);
            }
            let mut directory = Directory::new(entries);
            let mut world = World::new();
            let (sizes, names) = directory.pages(&mut world, size);
            assert_eq!((sizes, names), (expected, visible), "{count} {pattern:b} by {size}");
            assert!(world.session.in_flight().next().is_none());
        }
    }
}

#[test]
fn much_that_is_hidden_does_not_take_a_request_each() {
    let entries = (0..250).map(|at| if at < 100 { person(at) } else { hidden(at) }).collect();
    let mut directory = Directory::new(entries);
    let (sizes, _) = directory.pages(&mut World::new(), 50);
    assert_eq!(sizes, [50, 50]);
    assert!(directory.asked < 15, "{}", directory.asked);
}

#[test]
fn where_nothing_is_hidden_pages_are_the_directorys() {
    let mut world = World::new();
    let request = search("ou=people,dc=example,dc=com");
    world.with_controls(1, &request, &paged(2, b"its own"));
    let mut expected = Vec::new();
    let mut body = Vec::new();
    request.write_body(&mut body);
    message::write_message(&mut expected, 1, SEARCH_REQUEST, &body, Some(&paged(2, b"its own")));
    assert_eq!(world.fx.to_upstream, expected);
}

#[test]
fn a_cookie_is_good_once_for_its_own_search_and_nobody_else() {
    let entries: Vec<String> = (0..9).map(person).chain([hidden(1)]).collect();
    let mut directory = Directory::new(entries);
    let mut world = World::new();
    world.bound(50, ALICE);
    let first = directory.page(&mut world, 1, 2, b"");
    let cookie = first.cookie.unwrap();
    let refused = |brought: Brought| (brought.code, brought.names.len()) == (53, 0);
    // Forged ones, and the directory's own.
    for forged in [&b"\x02"[..], b"x", b"tidegate", b"tidegate\0\0\0\0\0\0\0\x07", &[0xff; 16]] {
        assert!(refused(directory.page(&mut world, 2, 2, forged)), "{forged:?}");
    }
    // On another connection, whoever it belongs to.
    let mut other = World::new();
    other.bound(50, ALICE);
    assert!(refused(directory.page(&mut other, 3, 2, &cookie)));
    // Of another size it is the same search.
    let second = directory.page(&mut world, 4, 3, &cookie);
    assert_eq!(second.names, (2..5).map(person).collect::<Vec<_>>());
    // Once is enough.
    assert!(refused(directory.page(&mut world, 5, 2, &cookie)));
    let next = second.cookie.unwrap();
    // For another search.
    let other_filter = match search(BASE) {
        Request::Search(search) => {
            Request::Search(SearchRequest { filter: Filter::Present(AttributeDescription(b"cn")), ..search })
        }
        other => other,
    };
    world.with_controls(6, &other_filter, &paged(2, &next));
    directory.serve(&mut world);
    assert!(refused(brought(&mut world, 6)));
    // After a bind, the same person's or another's.
    let again = directory.page(&mut world, 7, 2, b"").cookie.unwrap();
    world.bound(51, ALICE);
    assert!(refused(directory.page(&mut world, 8, 2, &again)));
}

#[test]
fn the_number_of_searches_in_pages_is_bounded() {
    let mut directory = Directory::new((0..9).map(person).chain([hidden(1)]).collect());
    let mut world = World::new();
    let cookies: Vec<_> = (1..=40).map(|id| directory.page(&mut world, id, 2, b"").cookie.unwrap()).collect();
    let served: Vec<_> = cookies.iter().map(|cookie| directory.page(&mut world, 99, 2, cookie).code == 0).collect();
    assert_eq!(served.iter().filter(|served| **served).count(), 8);
    assert!(served[32..].iter().all(|served| *served), "the oldest are forgotten");
}

#[test]
fn who_wants_no_more_pages_says_so() {
    let mut directory = Directory::new((0..9).map(person).chain([hidden(1)]).collect());
    let mut world = World::new();
    let cookie = directory.page(&mut world, 1, 2, b"").cookie.unwrap();
    let farewell = directory.page(&mut world, 2, 0, &cookie);
    assert_eq!(farewell, Brought { code: 0, names: Vec::new(), cookie: None });
    assert_eq!(directory.page(&mut world, 3, 2, &cookie).code, 53);
}

#[test]
fn a_control_that_cannot_be_read_is_answered() {
    for value in [None, Some(&b""[..]), Some(b"\x30\x05\x02\x01\xff\x04\x00")] {
        let mut world = World::new();
        let mut controls = Vec::new();
        write_controls(&mut controls, &[Control { oid: oid::PAGED_RESULTS, critical: false, value }]);
        world.with_controls(1, &search(BASE), &controls);
        assert_eq!(world.at_client()[0].code, Some(2));
        assert_eq!(world.at_directory(), Vec::new());
    }
}

/// The limit is for all pages together, as slapd has it; hidden entries do not count.
#[test]
fn a_size_limit_is_for_all_pages() {
    let entries: Vec<String> = (0..8).flat_map(|at| [hidden(at), person(at)]).collect();
    for (limit, sizes, code) in
        [(5, vec![3, 2], 4), (3, vec![3], 4), (2, vec![2], 4), (8, vec![3, 3, 2], 0), (9, vec![3, 3, 2], 0)]
    {
        let mut directory = Directory::new(entries.clone());
        let mut world = World::new();
        let request = match search(BASE) {
            Request::Search(search) => Request::Search(SearchRequest { size_limit: limit, ..search }),
            other => other,
        };
        let (mut seen, mut cookie, mut last) = (Vec::new(), Vec::new(), 0);
        for id in 1..10 {
            world.with_controls(id, &request, &paged(3, &cookie));
            directory.serve(&mut world);
            let page = brought(&mut world, id);
            seen.push(page.names.len());
            last = page.code;
            cookie = page.cookie.unwrap_or_default();
            if cookie.is_empty() {
                break;
            }
        }
        assert_eq!((seen, last), (sizes, code), "limit {limit}");
    }
}

#[test]
fn what_was_looked_ahead_is_judged_again_when_it_is_asked_for() {
    let entries: Vec<String> = (0..6).map(hidden).chain((0..3).map(person)).collect();
    let mut world = World::new();
    // Something stays hidden whatever she holds.
    let robot = format!("cn=x,{ROBOT}");
    let mut resources = vec![resource("payroll", PAYROLL, OperationSet::all())];
    resources.push(resource("robot", ROBOT, OperationSet::all()));
    let policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, Vec::new(), Vec::new());
    world.snapshot.policy = policy.into();
    let mut directory = Directory::new([vec![robot], entries].concat());
    world.grant("g1", ALICE, 0);
    world.bound(50, ALICE);
    let first = directory.page(&mut world, 1, 2, b"");
    assert_eq!(first.names, [hidden(0), hidden(1)]);
    world.revoke("g1", ALICE);
    // The third was here already.
    let second = directory.page(&mut world, 2, 2, &first.cookie.unwrap());
    assert_eq!((second.code, second.names), (0, vec![person(0), person(1)]));
    // And the other way round.
    world.grant("g2", ALICE, 0);
    let third = directory.page(&mut world, 3, 2, &second.cookie.unwrap());
    assert_eq!((third.names, third.cookie), (vec![person(2)], Some(Vec::new())));
}

#[test]
fn a_page_that_rests_on_a_grant_is_cut_with_it() {
    let mut world = World::new();
    let mut resources = vec![resource("payroll", PAYROLL, OperationSet::all())];
    resources.push(resource("robot", ROBOT, OperationSet::all()));
    let policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, Vec::new(), Vec::new());
    world.snapshot.policy = policy.into();
    world.grant("g1", ALICE, 0);
    world.bound(50, ALICE);
    world.with_controls(1, &search(BASE), &paged(2, b""));
    let asked = world.at_directory();
    world.entry(asked[0].id, &hidden(1));
    world.at_client();
    world.revoke("g1", ALICE);
    assert_eq!(world.at_client()[0].code, Some(50));
    assert_eq!(world.at_directory()[0].tag, tag::ABANDON_REQUEST);
    world.entry(asked[0].id, &hidden(2));
    world.result(asked[0].id, SEARCH_RESULT_DONE, 0);
    assert_eq!((world.at_client(), world.at_directory()), (Vec::new(), Vec::new()));
}

#[test]
fn one_search_in_pages_waits_for_another_whose_pages_are_filled_up() {
    let mut directory = Directory::new((0..9).map(person).chain([hidden(1)]).collect());
    let mut world = World::new();
    world.with_controls(1, &search(BASE), &paged(2, b""));
    assert_eq!(world.with_controls(2, &search(BASE), &paged(2, b"")), Flow::Wait);
    assert_eq!(world.search(3, BASE), Flow::Done, "others need not");
    world.client(4, &Request::Abandon(ClientMessageId(3)));
    let octets = std::mem::take(&mut world.fx.to_upstream);
    let length = frame_length(&octets, usize::MAX).unwrap().unwrap();
    world.fx.to_upstream = octets[..length].to_vec();
    directory.serve(&mut world);
    assert_eq!(brought(&mut world, 1).names.len(), 2);
    assert_eq!(world.with_controls(2, &search(BASE), &paged(2, b"")), Flow::Done);
}

#[test]
fn cancel_ends_a_search_in_pages_whatever_the_directory_is_at() {
    let mut world = World::new();
    world.with_controls(1, &search(BASE), &paged(2, b""));
    let asked = world.at_directory();
    world.client(2, &Request::Extended(ExtendedRequest::Cancel(ClientMessageId(1))));
    let seen: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(seen, [(1, Some(118)), (2, Some(0))]);
    assert_eq!(world.at_directory()[0].tag, tag::ABANDON_REQUEST);
    world.result(asked[0].id, SEARCH_RESULT_DONE, 0);
    assert_eq!((world.at_client(), world.records().len()), (Vec::new(), 2));
}

#[test]
fn a_directory_without_pages_sends_everything() {
    let mut world = World::new();
    world.with_controls(1, &search(BASE), &paged(2, b""));
    let asked = world.at_directory();
    for name in (0..6).flat_map(|at| [hidden(at), person(at)]) {
        world.entry(asked[0].id, &name);
    }
    world.result(asked[0].id, SEARCH_RESULT_DONE, 0);
    let all = brought(&mut world, 1);
    assert_eq!(all, Brought { code: 0, names: (0..6).map(person).collect(), cookie: None });
}

#[test]
fn what_the_directory_says_against_a_page_is_said_but_not_of_its_cookie() {
    for (code, told) in [(4, 4), (11, 11), (2, 53), (53, 53), (32, 32)] {
        let mut world = World::new();
        world.with_controls(1, &search(BASE), &paged(2, b""));
        let first = world.at_directory()[0].id;
        let mut controls = Vec::new();
        PagedResults { size: 7, cookie: b"c" }.write_control(&mut controls, false);
        world.entry(first, &person(1));
        let mut frame = Vec::new();
        let body = b"\x0a\x01\x00\x04\x00\x04\x00";
        message::write_message(&mut frame, first, SEARCH_RESULT_DONE, body, Some(&controls));
        world.upstream(&frame);
        let again = world.at_directory()[0].id;
        let body = [b"\x0a\x01", &[u8::try_from(code).unwrap()][..], b"\x04\x00\x04\x00"].concat();
        let mut frame = Vec::new();
        message::write_message(&mut frame, again, SEARCH_RESULT_DONE, &body, Some(&controls));
        world.upstream(&frame);
        assert_eq!(brought(&mut world, 1), Brought { code: told, names: vec![person(1)], cookie: None });
    }
}
