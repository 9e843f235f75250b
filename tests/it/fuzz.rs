//! The fuzz targets on stable: each body over its corpus, and over a fixed number of mutations of it
//! that are the same on every run. `docs/fuzzing.md` says how to let libFuzzer look for more.

#[path = "../../fuzz/src/bodies.rs"]
#[expect(unreachable_pub, reason = "in the fuzz package it is public")]
mod bodies;
#[path = "../../fuzz/src/session_steps.rs"]
#[expect(unreachable_pub, reason = "in the fuzz package it is public")]
mod session_steps;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use tidegate::engine::ldap::ber::{self, Header};
use tidegate::engine::ldap::message::{Envelope, write_message};

const MUTATIONS: usize = 20_000;

/// Octets that sit at an edge of something: lengths, tags, signs.
const EDGES: &[u8] =
    &[0x00, 0x01, 0x02, 0x04, 0x0a, 0x1f, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x87, 0xa0, 0xa2, 0xa3, 0xfe, 0xff];

/// xorshift64*: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn octet(&mut self) -> u8 {
        if self.below(2) == 0 { EDGES[self.below(EDGES.len())] } else { self.next().to_be_bytes()[0] }
    }

    /// A range inside of `length` octets.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..start + self.below((length - start).min(32) + 1)
    }
}

fn mutate(octets: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(octets.len());
        match random.below(8) {
            0 if !octets.is_empty() => octets[at] ^= 1 << random.below(8),
            1 if !octets.is_empty() => octets[at] = random.octet(),
            // A length, or a number, that is one off.
            2 if !octets.is_empty() => octets[at] = octets[at].wrapping_add(if random.below(2) == 0 { 1 } else { 255 }),
            3 => octets.truncate(at),
            4 => octets.insert(at, random.octet()),
            5 => drop(octets.drain(random.range(octets.len()))),
            6 => {
                let repeated = octets[random.range(octets.len())].to_vec();
                drop(octets.splice(at..at, repeated));
            }
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let piece = other[random.range(other.len())].to_vec();
                let replaced =
                    if octets.is_empty() { 0..0 } else { at..at + random.below(octets.len() - at + 1).min(8) };
                drop(octets.splice(replaced, piece));
            }
        }
    }
}

/// Mutations inside of a message leave its outer lengths right, so that what is inside is reached.
fn mutate_inside(octets: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let envelope = Envelope::parse_request(octets).or_else(|_| Envelope::parse_response(octets));
    let Ok(Envelope { id, tag, body, controls }) = envelope else { return mutate(octets, corpus, random) };
    let (mut body, mut controls) = (body.to_vec(), controls.map(<[u8]>::to_vec));
    match &mut controls {
        Some(controls) if random.below(2) == 0 => mutate(controls, corpus, random),
        _ => mutate(&mut body, corpus, random),
    }
    octets.clear();
    write_message(octets, id, tag, &body, controls.as_deref());
}

/// Mutations of a filter behind an octet: one of its parts gets another place, company or neighbour.
fn mutate_filter(octets: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let Some((first, filter)) = octets.split_first() else { return mutate(octets, corpus, random) };
    let other = &corpus[random.below(corpus.len())];
    let (list, way, at) = (0xa0 + random.below(2) as u8, random.below(6), random.below(8));
    let change = &mut |part: &[u8]| {
        let mut out = Vec::new();
        let other = other.get(1..).unwrap_or_default();
        match way {
            0 => out.extend_from_slice(other),
            1 => ber::write_element(&mut out, 0xa2, part),
            2 => ber::write_element(&mut out, list, &[part, other].concat()),
            3 => ber::write_element(&mut out, list, &[other, part, part].concat()),
            4 if part.len() > 2 => {
                out.extend_from_slice(part);
                let at = random.below(out.len());
                out[at] = random.octet();
            }
            _ => {}
        }
        out
    };
    let mut changed = vec![*first];
    changed.extend(change_part(filter, &mut { at }, change));
    if random.below(3) == 0 {
        changed[0] = random.below(0x20) as u8;
    }
    *octets = changed;
}

/// The filters in `parts`, of which the `at`th, counted from outside, is changed.
fn change_part(parts: &[u8], at: &mut usize, change: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), parts);
    while let Ok(Some(Header { tag, header, content })) = Header::read(rest) {
        let Some((part, after)) = rest.split_at_checked(header + content) else { break };
        let here = *at == 0;
        *at = at.wrapping_sub(1);
        match tag {
            _ if here => out.extend(change(part)),
            0xa0..=0xa2 => {
                let inside = change_part(&part[header..], at, change);
                ber::write_element(&mut out, tag, &inside);
            }
            _ => out.extend_from_slice(part),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder).expect("a corpus").map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("readable")).collect()
}

fn run(target: &str, body: fn(&[u8]), seed: u64) {
    run_with(target, body, seed, mutate_inside);
}

/// Runs one body; a failure says which octets did it. Two of three mutations are of `mutate_well`.
fn run_with(target: &str, body: fn(&[u8]), seed: u64, mutate_well: fn(&mut Vec<u8>, &[Vec<u8>], &mut Random)) {
    let corpus = corpus(target);
    assert!(corpus.len() >= 10, "{target} has hardly a corpus");
    let check = |octets: &[u8]| {
        if catch_unwind(|| body(octets)).is_err() {
            panic!("{target} fails on {}", octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>());
        }
    };
    corpus.iter().for_each(|octets| check(octets));
    let mut random = Random(seed);
    for _ in 0..MUTATIONS {
        let mut octets = corpus[random.below(corpus.len())].clone();
        match random.below(3) {
            0 => mutate(&mut octets, &corpus, &mut random),
            _ => mutate_well(&mut octets, &corpus, &mut random),
        }
        check(&octets);
    }
}

#[test]
fn ber() {
    run("ber", bodies::ber, 0x5eed_0001);
}

#[test]
fn message() {
    run("message", bodies::message, 0x5eed_0002);
}

#[test]
fn response() {
    run("response", bodies::response, 0x5eed_0003);
}

#[test]
fn dn() {
    run("dn", bodies::dn, 0x5eed_0004);
}

#[test]
fn filter_rewrite() {
    run_with("filter_rewrite", bodies::filter_rewrite, 0x5eed_0006, mutate_filter);
}

#[test]
fn session_steps() {
    run("session_steps", session_steps::session_steps, 0x5eed_0005);
}

#[test]
fn control_value() {
    run("control_value", bodies::control_value, 0x5eed_0008);
}

#[test]
fn sasl() {
    run("sasl", bodies::sasl, 0x5eed_0009);
}

#[test]
fn schema() {
    run("schema", bodies::schema, 0x5eed_0007);
}

/// That the mutations reach what they are for: some are accepted, some are refused only deep inside.
#[test]
fn mutations_reach_the_inside() {
    use tidegate::engine::ldap::request::Request;
    let corpus = corpus("message");
    let mut random = Random(0x5eed_0002);
    let (mut accepted, mut refused_inside) = (0, 0);
    for _ in 0..2000 {
        let mut octets = corpus[random.below(corpus.len())].clone();
        mutate_inside(&mut octets, &corpus, &mut random);
        match Envelope::parse_request(&octets).map(|envelope| Request::decode(&envelope).is_ok()) {
            Ok(true) => accepted += 1,
            Ok(false) => refused_inside += 1,
            Err(_) => {}
        }
    }
    assert!(accepted > 100 && refused_inside > 200, "{accepted} accepted, {refused_inside} refused inside");
}

/// That mutations of filters are filters often enough, and are rewritten in every way.
#[test]
fn mutations_of_filters_are_rewritten() {
    use tidegate::engine::ldap::filter::Filter;
    use tidegate::engine::redaction::filter::{Rewritten, rewrite};
    let corpus = corpus("filter_rewrite");
    let mut random = Random(0x5eed_0006);
    let (mut unchanged, mut changed, mut nothing) = (0, 0, 0);
    for _ in 0..2000 {
        let mut octets = corpus[random.below(corpus.len())].clone();
        mutate_filter(&mut octets, &corpus, &mut random);
        let Some(Ok(filter)) = octets.get(1..).map(|octets| Filter::decode(&mut ber::Reader::new(octets))) else {
            continue;
        };
        match rewrite(&filter, &|leaf| bodies::hides(leaf, octets[0])) {
            Rewritten::Unchanged => unchanged += 1,
            Rewritten::Changed(_) => changed += 1,
            Rewritten::Nothing => nothing += 1,
        }
    }
    assert!(unchanged > 150 && changed > 150 && nothing > 150, "{unchanged} {changed} {nothing}");
}
