//! What holds for any filter, any entries and anything hidden.

use super::super::{Rewritten, rewrite};
use super::directory::{Entry, KNOWN, Truth, evaluate, hides};
use super::text;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::cell::Cell;

const VALUES: [&str; 3] = ["x", "xy", "y"];

fn value() -> impl Strategy<Value = &'static [u8]> {
    select(&VALUES[..]).prop_map(str::as_bytes)
}

fn assertion() -> impl Strategy<Value = Filter<'static>> {
    let attribute = || select(vec!["a", "b", "c", "d", "unknown"]).prop_map(|it| AttributeDescription(it.as_bytes()));
    let extensible =
        (proptest::option::of(attribute()), value(), any::<bool>()).prop_map(|(attribute, value, dn_attributes)| {
            Filter::Extensible { rule: Some(b"2.5.13.2"), attribute, value, dn_attributes }
        });
    let substrings = (attribute(), value()).prop_map(|(attribute, part)| Filter::Substrings {
        attribute,
        initial: Some(part),
        any: vec![],
        last: None,
    });
    prop_oneof![
        4 => (attribute(), value()).prop_map(|(attribute, value)| Filter::Equality { attribute, value }),
        2 => attribute().prop_map(Filter::Present),
        1 => (attribute(), value()).prop_map(|(attribute, value)| Filter::GreaterOrEqual { attribute, value }),
        1 => (attribute(), value()).prop_map(|(attribute, value)| Filter::LessOrEqual { attribute, value }),
        1 => (attribute(), value()).prop_map(|(attribute, value)| Filter::Approximate { attribute, value }),
        1 => substrings,
        1 => extensible,
    ]
}

fn filter() -> impl Strategy<Value = Filter<'static>> {
    assertion().prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::And),
            vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let values = || subsequence(VALUES.to_vec(), 0..=2);
    ((values(), values(), values(), values()), select(&VALUES[..])).prop_map(|((a, b, c, d), named)| Entry {
        attributes: KNOWN.into_iter().zip([a, b, c, d]).filter(|(_, values)| !values.is_empty()).collect(),
        name: ("b", named),
    })
}

fn hidden() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(vec!["a", "b", "c", "d", "unknown"], 0..=3)
}

/// Whether a search finds the entry. `undefined` is how the directory takes what it cannot evaluate.
fn finds(filter: Option<&Filter<'_>>, entry: &Entry, undefined: Truth) -> bool {
    filter.is_some_and(|filter| evaluate(filter, &|leaf| entry.assert(leaf, undefined)) == Truth::True)
}

fn assertions<'f>(filter: &'f Filter<'static>) -> Vec<&'f Filter<'static>> {
    let mut out = Vec::new();
    filter.walk(&mut |part| match part {
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => {}
        assertion => out.push(assertion),
    });
    out
}

fn depth(filter: &Filter<'_>) -> usize {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => 1 + parts.iter().map(depth).max().unwrap_or(0),
        Filter::Not(part) => 1 + depth(part),
        _ => 0,
    }
}

fn nodes(filter: &Filter<'_>, counts: impl Fn(&Filter<'_>) -> bool) -> usize {
    let mut nodes = 0;
    filter.walk(&mut |part| nodes += usize::from(counts(part)));
    nodes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn true_exactly_where_the_original_is_with_what_is_hidden_undefined(
        original in filter(), hidden in hidden(), entry in entry(),
    ) {
        let hides = |leaf: &Filter<'_>| hides(leaf, &hidden);
        let rewritten = rewrite(&original, &hides);
        // A directory that knows three values, and those that take what they do not know for False.
        for undefined in [Truth::Undefined, Truth::False] {
            let assert = |leaf: &Filter<'_>| if hides(leaf) { Truth::Undefined } else { entry.assert(leaf, undefined) };
            let expected = evaluate(&original, &assert) == Truth::True;
            let found = finds(rewritten.to_ask(&original), &entry, undefined);
            prop_assert_eq!(found, expected, "{} hiding {:?}: {:?}", text::write(&original), &hidden, &rewritten);
            prop_assert!(!found || finds(Some(&original), &entry, undefined), "finds more than was asked for");
        }
    }

    #[test]
    fn entries_that_differ_in_what_is_hidden_are_answered_alike(
        original in filter(), hidden in hidden(), entry in entry(), other in entry(),
    ) {
        let twin = entry.with_hidden_of(&other, &hidden);
        let rewritten = rewrite(&original, &|leaf| hides(leaf, &hidden));
        let asked = rewritten.to_ask(&original);
        for undefined in [Truth::Undefined, Truth::False] {
            let (one, two) = (finds(asked, &entry, undefined), finds(asked, &twin, undefined));
            prop_assert_eq!(one, two, "{} hiding {:?}: {:?}", text::write(&original), &hidden, &rewritten);
        }
    }

    #[test]
    fn nothing_is_added_and_nothing_hidden_is_left(original in filter(), hidden in hidden()) {
        let asked = Cell::new(0);
        let hides = |leaf: &Filter<'_>| {
            asked.set(asked.get() + 1);
            hides(leaf, &hidden)
        };
        let rewritten = rewrite(&original, &hides);
        let before = assertions(&original);
        prop_assert!(asked.get() <= before.len());
        let some_hidden = before.iter().any(|leaf| hides(leaf));
        match &rewritten {
            Rewritten::Unchanged => prop_assert!(!some_hidden),
            Rewritten::Nothing => prop_assert!(some_hidden),
            Rewritten::Changed(changed) => {
                prop_assert!(some_hidden);
                prop_assert_eq!(rewrite(changed, &hides), Rewritten::Unchanged);
                // What is left of the assertions is in the order in which they came.
                let mut rest = before.iter();
                for leaf in assertions(changed) {
                    prop_assert!(rest.any(|before| *before == leaf), "{} is new", text::write(leaf));
                }
                let is_empty = |part: &Filter<'_>| matches!(part, Filter::And(parts) | Filter::Or(parts) if parts.is_empty());
                prop_assert!(nodes(changed, is_empty) <= nodes(&original, is_empty));
                prop_assert!(nodes(changed, |_| true) < nodes(&original, |_| true));
                prop_assert!(depth(changed) <= depth(&original));
            }
        }
    }
}
