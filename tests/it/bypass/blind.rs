//! Blind extraction: two directories that differ only in what is hidden, a gate in front of each, and the same
//! requests to both. Whatever the question, the answers must be the same, octet for octet: then nothing that is
//! hidden can be told from them, one bit at a time or otherwise.

mod attacks;
mod worlds;

use crate::fuzz::Random;
use attacks::{Attack, random, written};
use worlds::{Worlds, differences};

/// Random questions beside those that were thought of.
const RANDOM: usize = 1500;

fn all(seed: u64, count: usize) -> Vec<Attack> {
    let mut numbers = Random(seed);
    let mut attacks = written();
    attacks.extend((0..count).map(|_| random(&mut numbers)));
    attacks
}

#[track_caller]
fn nothing_is_told(worlds: &Worlds) {
    let found = differences(worlds, &all(0x5eed_0020, RANDOM));
    assert!(found.is_empty(), "{} differences\n{}", found.len(), found.join("\n"));
}

#[test]
fn hidden_entries_cannot_be_told_from_their_absence() {
    nothing_is_told(&Worlds::gated(worlds::ENTRIES));
}

/// That the questions are good: asked of the directories themselves they tell the two apart, hundreds of them.
#[test]
fn the_same_questions_tell_everything_without_the_gate() {
    for hidden in [worlds::ENTRIES, worlds::ATTRIBUTES] {
        let attacks = all(0x5eed_0020, 300);
        let found = differences(&Worlds::direct(hidden), &attacks);
        assert!(found.len() > attacks.len() / 20, "only {} of {} differ", found.len(), attacks.len());
    }
}
