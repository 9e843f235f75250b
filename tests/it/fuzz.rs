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
use tidegate::engine::ldap::message::{Envelope, write_message};

const MUTATIONS: usize = 20_000;

/// Octets that sit at an edge of something: lengths, tags, signs.
const EDGES: &[u8] =
    &[0x00, 0x01, 0x02, 0x04, 0x0a, 0x1f, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x87, 0xa0, 0xa2, 0xa3, 0xfe, 0xff];

/// xorshift64*: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn octet(&mut self) -> u8 {
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

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder).expect("a corpus").map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("readable")).collect()
}

/// Runs one body; a failure says which octets did it.
fn run(target: &str, body: fn(&[u8]), seed: u64) {
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
            _ => mutate_inside(&mut octets, &corpus, &mut random),
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
fn session_steps() {
    run("session_steps", session_steps::session_steps, 0x5eed_0005);
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
