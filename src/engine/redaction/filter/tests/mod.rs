//! Filters as text, one line a case; every small filter; and random ones in `properties`. What is
//! hidden in the lines are `h` and `k`.

use super::*;
use crate::engine::ldap::ber::Reader;
use crate::engine::ldap::filter::MAX_DEPTH;
use directory::Truth;

mod directory;
mod properties;
mod text;

fn hides(leaf: &Filter<'_>) -> bool {
    directory::hides(leaf, &["h", "k"])
}

fn rewritten(filter: &str) -> String {
    let original = text::parse(filter);
    match rewrite(&original, &hides) {
        Rewritten::Unchanged => "unchanged".to_owned(),
        Rewritten::Changed(filter) => text::write(&filter),
        Rewritten::Nothing => "nothing".to_owned(),
    }
}

#[test]
fn one_line_a_case() {
    const CASES: &[(&str, &str)] = &[
        // Nothing hidden.
        ("(a=x)", "unchanged"),
        ("(!(&(a=x)(|(b=y)(!(c=*)))))", "unchanged"),
        ("(&)", "unchanged"),
        ("(|)", "unchanged"),
        ("(!(|(&)(!(|))))", "unchanged"),
        // Every kind of assertion.
        ("(h=x)", "nothing"),
        ("(h=*)", "nothing"),
        ("(h=x*)", "nothing"),
        ("(h>=x)", "nothing"),
        ("(h<=x)", "nothing"),
        ("(h~=x)", "nothing"),
        ("(h:=x)", "nothing"),
        ("(h:2.5.13.2:=x)", "nothing"),
        ("(:2.5.13.2:=x)", "nothing"),
        ("(:dn:2.5.13.2:=x)", "nothing"),
        ("(a:dn:=x)", "nothing"),
        ("(a:dn:2.5.13.2:=x)", "nothing"),
        ("(a:=x)", "unchanged"),
        ("(a:2.5.13.2:=x)", "unchanged"),
        // Undefined stays so under a not.
        ("(!(h=x))", "nothing"),
        ("(!(!(h=x)))", "nothing"),
        ("(!(h=*))", "nothing"),
        ("(|(h=x)(!(h=x)))", "nothing"),
        ("(!(&(h=x)(!(h=x))))", "nothing"),
        ("(|(h=*)(!(h=*)))", "nothing"),
        ("(&(h=x)(!(h=x)))", "nothing"),
        ("(!(|(h=x)(!(h=x))))", "nothing"),
        ("(|(h=x)(!(k=x)))", "nothing"),
        // One conjunct that is not True, one disjunct that is.
        ("(&(a=x)(h=x))", "nothing"),
        ("(&(h=x)(a=x))", "nothing"),
        ("(&(a=x)(!(h=x)))", "nothing"),
        ("(|(a=x)(h=x))", "(a=x)"),
        ("(|(h=x)(a=x))", "(a=x)"),
        ("(|(a=x)(!(h=x)))", "(a=x)"),
        ("(|(a=x)(h=x)(b=y))", "(|(a=x)(b=y))"),
        ("(|(h=x)(a=x)(k=x)(b=y)(h=*))", "(|(a=x)(b=y))"),
        ("(|(a=x)(:2.5.13.2:=x))", "(a=x)"),
        // The other way round under a not.
        ("(!(&(a=x)(h=x)))", "(!(a=x))"),
        ("(!(&(h=x)(a=x)(b=y)))", "(!(&(a=x)(b=y)))"),
        ("(!(&(h=x)(k=x)))", "nothing"),
        ("(!(|(a=x)(h=x)))", "nothing"),
        ("(!(|(h=x)(a=x)))", "nothing"),
        ("(!(&(a=x)(!(h=x))))", "(!(a=x))"),
        ("(!(|(a=x)(!(h=x))))", "nothing"),
        ("(!(!(&(a=x)(h=x))))", "nothing"),
        ("(!(!(|(a=x)(h=x))))", "(!(!(a=x)))"),
        ("(!(!(!(&(a=x)(h=x)))))", "(!(!(!(a=x))))"),
        // Parts that a search hides behind others.
        ("(&(a=x)(|(h=x)(b=y)))", "(&(a=x)(b=y))"),
        ("(&(a=x)(|(h=x)(!(h=x))))", "nothing"),
        ("(|(a=x)(&(h=x)(b=y)))", "(a=x)"),
        ("(|(a=x)(&(h=x)(b=y))(&(c=z)(b=y)))", "(|(a=x)(&(c=z)(b=y)))"),
        ("(|(&(a=x)(h=s*))(&(!(a=x))(!(h=s*))))", "nothing"),
        ("(&(a=x)(!(&(b=y)(h=x))))", "(&(a=x)(!(b=y)))"),
        ("(&(a=x)(!(|(b=y)(h=x))))", "nothing"),
        ("(!(|(&(a=x)(h=x))(b=y)))", "(!(|(a=x)(b=y)))"),
        ("(!(&(|(a=x)(h=x))(b=y)))", "(!(b=y))"),
        ("(!(&(|(a=x)(h=x))(!(|(b=y)(k=x)))))", "(!(!(b=y)))"),
        // A list of one, and those that the client left empty itself.
        ("(&(h=x))", "nothing"),
        ("(|(h=x))", "nothing"),
        ("(&(&(|(a=x)(h=x))))", "(a=x)"),
        ("(|(&)(h=x))", "(&)"),
        ("(|(|)(h=x))", "(|)"),
        ("(&(|)(h=x))", "nothing"),
        ("(!(&(|)(h=x)))", "(!(|))"),
        ("(|(a=x)(&)(h=x))", "(|(a=x)(&))"),
        // Options and case are the closure's business: it gets the description as it was sent.
        ("(|(H;lang-de=x)(a;lang-de=x))", "(a;lang-de=x)"),
    ];
    for (filter, expected) in CASES {
        assert_eq!(rewritten(filter), *expected, "{filter}");
    }
}

/// The parity of the nots is what counts, as far down as the decoder goes.
#[test]
fn every_depth_has_its_polarity() {
    for nots in 0..MAX_DEPTH {
        let wrap = |inner: &str| format!("{}{inner}{}", "(!".repeat(nots), ")".repeat(nots));
        let left = if nots == 0 { "(a=x)".to_owned() } else { wrap("(a=x)") };
        let (or, and) = if nots % 2 == 0 { (left.as_str(), "nothing") } else { ("nothing", left.as_str()) };
        let octets = text::encode(&text::parse(&wrap("(|(h=x)(a=x))")));
        assert!(Filter::decode(&mut Reader::new(&octets)).is_ok());
        assert_eq!(rewritten(&wrap("(|(h=x)(a=x))")), or, "{nots}");
        assert_eq!(rewritten(&wrap("(&(h=x)(a=x))")), and, "{nots}");
    }
}

#[test]
fn a_filter_of_many_parts_is_rewritten() {
    const MAX_NODES: usize = 8192;
    let parts = |kept: &str, every: usize| -> String {
        (1..MAX_NODES).filter(|at| at % every == 0).map(|at| if at % 2 == 0 { kept } else { "(h=x)" }).collect()
    };
    let octets = text::encode(&text::parse(&format!("(|{})", parts("(a=x)", 1))));
    let filter = Filter::decode(&mut Reader::new(&octets)).unwrap();
    let Rewritten::Changed(half) = rewrite(&filter, &hides) else { panic!("the other half is hidden") };
    assert_eq!(text::write(&half), format!("(|{})", parts("(a=x)", 2)));
}

/// Every filter of assertions that are True, False, Undefined by themselves and hidden, up to a depth
/// of two lists with nots around.
#[test]
fn every_small_filter() {
    let mut filters = ["(t=*)", "(f=*)", "(u=*)", "(h=*)"].map(text::parse).to_vec();
    for _ in 0..2 {
        filters = with_nots(lists(&filters));
    }
    let (mut unchanged, mut changed, mut nothing, mut told) = (0, 0, 0, 0);
    for original in &filters {
        let truth = |filter: &Filter<'_>, hidden| directory::evaluate(filter, &|leaf| constant(leaf, hidden));
        let outcome = rewrite(original, &hides);
        match outcome {
            Rewritten::Unchanged => unchanged += 1,
            Rewritten::Changed(_) => changed += 1,
            Rewritten::Nothing => nothing += 1,
        }
        let expected = truth(original, Truth::Undefined) == Truth::True;
        for hidden in [Truth::True, Truth::False, Truth::Undefined] {
            let answer = outcome.to_ask(original).is_some_and(|filter| truth(filter, hidden) == Truth::True);
            assert_eq!(answer, expected, "{} with {hidden:?}", text::write(original));
        }
        told += usize::from(truth(original, Truth::True) != truth(original, Truth::False));
    }
    assert!(unchanged > 1000 && changed > 1000 && nothing > 1000, "{unchanged} {changed} {nothing}");
    assert!(told > 1000, "only {told} would have told");
}

fn constant(leaf: &Filter<'_>, hidden: Truth) -> Truth {
    match leaf.attribute().unwrap().0 {
        b"t" => Truth::True,
        b"f" => Truth::False,
        b"u" => Truth::Undefined,
        _ => hidden,
    }
}

fn with_nots(mut filters: Vec<Filter<'static>>) -> Vec<Filter<'static>> {
    let nots: Vec<_> = filters.iter().map(|filter| Filter::Not(Box::new(filter.clone()))).collect();
    filters.extend(nots);
    filters
}

/// The filters themselves, and every list of up to two of them.
fn lists(filters: &[Filter<'static>]) -> Vec<Filter<'static>> {
    let mut members = vec![vec![]];
    members.extend(filters.iter().map(|one| vec![one.clone()]));
    members.extend(filters.iter().flat_map(|one| filters.iter().map(|two| vec![one.clone(), two.clone()])));
    let lists = members.into_iter().flat_map(|list| [Filter::And(list.clone()), Filter::Or(list)]);
    filters.iter().cloned().chain(lists).collect()
}
