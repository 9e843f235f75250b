//! Two readers, one request: random requests, changed at random, are read by us, by ldap3_proto, and by a real
//! slapd that tells what it understood. What we accept is the same to all who accept it, as it came and as we
//! would forward it; about anything else the gate has refused to ask. `docs/fuzzing.md` has the longer run.

mod compare;
mod filter;
mod mutate;
mod second;

use crate::arbitrary::{Values, controls, request};
use crate::fuzz::Random;
use crate::ldap3_proto;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use second::Second;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tidegate::engine::ldap::frame;
use tidegate::engine::ldap::message::{Envelope, UpstreamMessageId, write_request};
use tidegate::engine::ldap::request::Request;

/// Requests to begin with, in one round.
const REQUESTS: usize = 400;
/// Changed ones that we accept, in one round.
const MUTATIONS: usize = 3000;

/// How often what happened, by name.
type Counts = BTreeMap<String, usize>;

/// Well-formed requests of every kind.
fn requests(seed: u64) -> Vec<Vec<u8>> {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&seed.to_be_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &octets);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let strategy = (request(Values::Known), controls(), prop_oneof![1..300_i32, 1..0x7fff_0000_i32]);
    (0..REQUESTS)
        .map(|_| {
            let (request, controls, id) = strategy.new_tree(&mut runner).expect("a request").current();
            let mut controls = if id % 3 == 0 { controls } else { Vec::new() };
            // slapd knows none of these.
            controls.iter_mut().for_each(|control| control.critical &= id % 9 == 0);
            let mut out = Vec::new();
            write_request(&mut out, UpstreamMessageId(id), &request, &controls);
            out
        })
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Shows one message to everybody. Says whether we accepted it.
fn look(second: &mut Second, octets: &[u8], counts: &mut Counts) -> Result<bool, String> {
    if frame::frame_length(octets, 1 << 20) != Ok(Some(octets.len())) {
        return Ok(false);
    }
    let Ok(envelope) = Envelope::parse_request(octets) else { return Ok(false) };
    let (Ok(controls), Ok(request)) = (envelope.controls(), Request::decode(&envelope)) else { return Ok(false) };
    if matches!(request, Request::Unbind) {
        return Ok(false);
    }
    let mut forwarded = Vec::new();
    write_request(&mut forwarded, UpstreamMessageId(envelope.id), &request, &controls);
    ldap3_proto::agree(octets, false).map_err(|error| format!("ldap3_proto: {error}"))?;
    let answer = (!matches!(request, Request::Abandon(_))).then_some(envelope.id);
    let mut understood = [false; 2];
    let came = octets;
    for (how, (what, octets)) in [("as it came", octets), ("as forwarded", &forwarded)].into_iter().enumerate() {
        let theirs = second.read(octets, answer);
        let failure = |what: String| format!("{what}\nwe read {request:?} {controls:?}\nslapd {theirs:#?}");
        understood[how] = compare::compare(envelope.id, &request, &controls, &theirs)
            .map_err(|error| failure(format!("{what}, {}: {error}", hex(octets))))?;
        if what == "as forwarded" {
            let code = theirs.answers.first().map_or(-1, |(.., code)| *code);
            *counts.entry(format!("{} {code}", kind(&request))).or_default() += 1;
            if understood == [true, false] {
                return Err(failure(format!("understood as it came only: {}", hex(came))));
            }
        }
    }
    *counts.entry(format!("{} understood", kind(&request))).or_default() += usize::from(understood[1]);
    Ok(true)
}

fn kind(request: &Request<'_>) -> String {
    let text = format!("{request:?}");
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

/// One round: every request as it is, and changed ones until enough were accepted.
fn round(second: &mut Second, seed: u64, counts: &mut Counts) {
    let requests = requests(seed);
    let mut random = Random(seed | 1);
    let mut check = |octets: &[u8]| match look(second, octets, counts) {
        Ok(accepted) => accepted,
        Err(error) => panic!("seed {seed:#x}: {error}"),
    };
    for octets in &requests {
        check(octets);
    }
    let mut accepted = 0;
    while accepted < MUTATIONS {
        let one = &requests[random.below(requests.len())];
        let other = &requests[random.below(requests.len())];
        accepted += usize::from(check(&mutate::mutate(one, other, &mut random)));
    }
}

#[test]
fn what_we_accept_means_the_same_to_slapd() {
    let mut counts = Counts::new();
    let mut second = Second::start();
    // Seconds to go on for, with other seeds each round; see docs/fuzzing.md.
    let seconds = std::env::var("DIFFERENTIAL_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (start, mut seed) = (Instant::now(), 0x5eed_0010);
    loop {
        round(&mut second, seed, &mut counts);
        seed += 1;
        if start.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    eprintln!("{counts:#?}");
    for kind in ["Bind", "Search", "Modify", "Add", "Delete", "Rename", "Compare", "Extended"] {
        let understood = counts.get(&format!("{kind} understood")).copied().unwrap_or_default();
        assert!(understood >= 20, "slapd hardly understood any {kind}: {counts:#?}");
    }
}
