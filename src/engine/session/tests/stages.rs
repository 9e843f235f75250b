//! A search in several stages: what is asked after what, and how it ends.

use super::super::pages::{Cursor, Page};
use super::super::parts::{Next, Parts};
use super::*;
use crate::engine::ldap::control::{Control, oid};
use crate::engine::ldap::paged::PagedResults;
use crate::engine::redaction::{Stage, Stages};

const SORT: Control<'static> = Control { oid: oid::SORT_REQUEST, critical: false, value: Some(b"key") };
const MANAGE: Control<'static> = Control { oid: oid::MANAGE_DSA_IT, critical: true, value: None };

fn limited() -> SearchRequest<'static> {
    match search(BASE) {
        Request::Search(search) => SearchRequest { size_limit: 7, ..search },
        _ => unreachable!("a search"),
    }
}

/// Stages with filters on these attributes; an empty name is one that nothing can match.
fn parts(names: &[&'static str]) -> Parts {
    let stage = |name: &&'static str| Stage {
        filter: (!name.is_empty()).then_some(Filter::Present(AttributeDescription(name.as_bytes()))),
        excluded: Vec::new(),
    };
    Parts::new(&limited(), Stages::Several(names.iter().map(stage).collect()), [SORT, MANAGE].into_iter())
}

/// The request that comes next: the attribute of its filter, its scope, its controls, and the page that it asks for.
fn next(parts: &mut Parts) -> (String, SearchScope, Vec<String>, Option<(u32, Vec<u8>)>) {
    let mut frame = Vec::new();
    let (body, controls) = parts.request().unwrap();
    message::write_message(&mut frame, 9, tag::SEARCH_REQUEST, &body, Some(&controls));
    let envelope = Envelope::parse_request(&frame).unwrap();
    let Ok(Request::Search(asked)) = Request::decode(&envelope) else { panic!("a search") };
    assert_eq!((asked.size_limit, &asked.base), (i32::MAX, &dn(BASE)), "what is shown is counted here");
    let Filter::Present(AttributeDescription(name)) = asked.filter else { panic!("a presence") };
    let controls = envelope.controls().unwrap();
    let paged = controls.iter().find(|control| control.oid == oid::PAGED_RESULTS);
    let page = paged.map(|control| PagedResults::decode(control.value.unwrap()).unwrap());
    let oids = controls.iter().map(|control| control.oid.to_owned()).collect();
    (String::from_utf8(name.to_vec()).unwrap(), asked.scope, oids, page.map(|page| (page.size, page.cookie.to_vec())))
}

#[test]
fn stages_follow_one_another_until_one_does_not_succeed() {
    let mut all = parts(&["a", "", "c"]);
    assert!(all.are_several() && !all.is_probe());
    let (name, scope, controls, _) = next(&mut all);
    // Sorted would be each by itself.
    assert_eq!((name.as_str(), scope, all.stage()), ("a", SearchScope::Subtree, 0));
    assert_eq!(controls, [oid::MANAGE_DSA_IT]);
    assert_eq!(all.answered(ResultCode::SUCCESS, None), Next::Ask);
    assert_eq!((next(&mut all).0.as_str(), all.stage()), ("c", 2), "as the redaction numbers them");
    assert_eq!(all.answered(ResultCode::SUCCESS, None), Next::End(ResultCode::SUCCESS));
    for code in [ResultCode::NO_SUCH_OBJECT, ResultCode::REFERRAL, ResultCode::CANCELED] {
        let mut first = parts(&["a", "b"]);
        assert_eq!(first.answered(code, None), Next::End(code));
        let mut last = parts(&["a", "b"]);
        assert_eq!(last.answered(ResultCode::SUCCESS, None), Next::Ask);
        assert_eq!(last.answered(code, None), Next::End(code));
    }
}

#[test]
fn a_filter_that_was_rewritten_is_sorted_as_any() {
    let mut one = parts(&["", "b"]);
    assert!(!one.are_several());
    let (name, _, controls, _) = next(&mut one);
    assert_eq!((name.as_str(), controls.len(), one.stage()), ("b", 2, 1));
    assert_eq!(one.answered(ResultCode::SUCCESS, None), Next::End(ResultCode::SUCCESS));
}

#[test]
fn where_nothing_can_match_only_the_base_is_asked_for() {
    let mut none = parts(&["", ""]);
    assert!(none.is_probe());
    let (name, scope, ..) = next(&mut none);
    assert_eq!((name.as_str(), scope), ("objectClass", SearchScope::Base));
    assert_eq!(none.answered(ResultCode::NO_SUCH_OBJECT, None), Next::End(ResultCode::NO_SUCH_OBJECT));
}

#[test]
fn pages_go_on_through_the_stages() {
    let mut all = parts(&["a", "b"]);
    let search = all.digest();
    assert_ne!(search, parts(&["a", "c"]).digest());
    assert_ne!(search, parts(&["a", "", "b"]).digest());
    assert_eq!(search, parts(&["a", "b"]).digest());
    all.turn_page(Page::new(Cursor::new(search), 5, true, true));
    let answer = |cookie: &[u8]| {
        let mut controls = Vec::new();
        PagedResults { size: 0, cookie }.write_control(&mut controls, false);
        controls
    };
    let asked = |all: &mut Parts| {
        let (name, _, _, page) = next(all);
        (name, page.unwrap())
    };
    assert_eq!(asked(&mut all), ("a".to_owned(), (5, Vec::new())));
    assert_eq!(all.answered(ResultCode::SUCCESS, Some(&answer(b"x"))), Next::Ask);
    assert_eq!(asked(&mut all).1.1, b"x");
    // A cookie of one stage is nothing to another.
    assert_eq!(all.answered(ResultCode::SUCCESS, Some(&answer(b""))), Next::Ask);
    assert_eq!(asked(&mut all), ("b".to_owned(), (5, Vec::new())));
    assert_eq!(all.answered(ResultCode::SUCCESS, Some(&answer(b""))), Next::End(ResultCode::SUCCESS));
    assert!(all.kept() > 0);
}
