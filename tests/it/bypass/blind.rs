//! Blind extraction: two directories that differ only in what is hidden, a gate in front of each, and the same
//! requests to both. Whatever the question, the answers must be the same, octet for octet: then nothing that is
//! hidden can be told from them, one bit at a time or otherwise.

mod attacks;
mod worlds;

use crate::fuzz::Random;
use crate::support::ldap::tag;
use attacks::{Attack, random, written};
use worlds::{Worlds, differences};

/// Random questions beside those that were thought of.
const RANDOM: usize = 1500;

fn all(seed: u64, count: usize) -> Vec<Attack> {
    let mut numbers = Random(seed);
    let mut attacks = written();
    attacks.extend((0..count).map(|_| random(&mut numbers)));
    // What changes something comes last: no two directories have it done at the same time, and they say when it was.
    attacks.sort_by_key(|attack| attack.operation.first() != Some(&tag::SEARCH));
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

#[test]
fn what_is_held_of_hidden_entries_does_not_tell_of_the_others() {
    nothing_is_told(&Worlds::gated(worlds::ENTRIES_BUT_ONE));
}

#[test]
fn hidden_attributes_cannot_be_told_from_their_absence() {
    nothing_is_told(&Worlds::gated(worlds::ATTRIBUTES));
}

#[test]
fn attributes_hidden_in_a_part_cannot_be_told_from_their_absence() {
    nothing_is_told(&Worlds::gated(worlds::ATTRIBUTES_IN_PART));
}

#[test]
fn attributes_hidden_in_several_ways_cannot_be_told_from_their_absence() {
    nothing_is_told(&Worlds::gated(worlds::ATTRIBUTES_IN_LAYERS));
}

#[test]
fn some_hidden_attributes_do_not_tell_of_the_others() {
    nothing_is_told(&Worlds::gated(worlds::ATTRIBUTES_BUT_SOME));
}

#[test]
fn some_attributes_of_hidden_entries_do_not_tell_of_the_others() {
    nothing_is_told(&Worlds::gated(worlds::ENTRIES_IN_PART));
}

/// That the questions are good: asked of the directories themselves they tell the two apart, hundreds of them.
#[test]
fn the_same_questions_tell_everything_without_the_gate() {
    for hidden in [worlds::ENTRIES, worlds::ENTRIES_BUT_ONE, worlds::ATTRIBUTES, worlds::ATTRIBUTES_BUT_SOME] {
        let attacks = all(0x5eed_0020, 300);
        let found = differences(&Worlds::direct(hidden), &attacks);
        assert!(found.len() > attacks.len() / 20, "only {} of {} differ", found.len(), attacks.len());
    }
}
