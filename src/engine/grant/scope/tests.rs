//! Scopes: what narrowing leaves, and what a changed configuration does to what was approved.

use super::super::fixture::{allow, dn, editor, policy, policy_of, resource, resources};
use super::*;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::OperationKind::{Compare, Delete, Modify, Search};

fn text(scope: &Scope) -> String {
    let line = |entry: &ScopeEntry| {
        let words: Vec<&str> = entry.operations.iter().map(|kind| kind.name()).collect();
        format!("{} {} {} {}", entry.resource, reach_word(entry.reach), entry.base, words.join(","))
    };
    scope.0.iter().map(line).collect::<Vec<_>>().join("; ")
}

fn whole() -> Scope {
    Scope::of_role(&editor(), &policy()).unwrap()
}

#[test]
fn a_role_opens_what_its_lines_and_resources_have_in_common() {
    assert_eq!(
        text(&whole()),
        "payroll subtree ou=payroll,dc=x search,compare,modify; \
         writes subtree ou=payroll,dc=x modify; \
         people one ou=people,dc=x search"
    );
    let nowhere = Role { allow: vec![allow(0, &[Search], Some("ou=other,dc=x"))], ..editor() };
    assert_eq!(Scope::of_role(&nowhere, &policy()), Err(ScopeError::Empty));
}

#[test]
fn narrowing() {
    type Row<'a> = (Option<&'a str>, Option<&'a [OperationKind]>, Result<&'a str, &'a str>);
    let rows: &[Row<'_>] = &[
        (None, Some(&[Search]), Ok("payroll subtree ou=payroll,dc=x search; people one ou=people,dc=x search")),
        (
            Some("cn=a,ou=payroll,dc=x"),
            None,
            Ok(
                "payroll subtree cn=a,ou=payroll,dc=x search,compare,modify; writes subtree cn=a,ou=payroll,dc=x modify",
            ),
        ),
        (Some("ou=payroll,dc=x"), Some(&[Compare, Compare]), Ok("payroll subtree ou=payroll,dc=x compare")),
        (Some("uid=a,ou=people,dc=x"), None, Ok("people base uid=a,ou=people,dc=x search")),
        (Some("ou=people,dc=x"), None, Ok("people one ou=people,dc=x search")),
        // Above what the role opens, beside it, or only looking like it.
        (Some("dc=x"), None, Err("dc=x is not at or below anything that the role opens")),
        (Some("ou=other,dc=x"), None, Err("ou=other,dc=x is not at or below anything that the role opens")),
        (
            Some("cn=a,ou=payröll,dc=x"),
            None,
            Err("cn=a,ou=payröll,dc=x is not at or below anything that the role opens"),
        ),
        (Some("cn=a,uid=b,ou=people,dc=x"), None, Err("the role opens none of this there")),
        (None, Some(&[Search, Delete]), Err("the role does not open delete")),
        (None, Some(&[]), Err("no operation is left")),
        (Some("ou=people,dc=x"), Some(&[Modify]), Err("the role opens none of this there")),
    ];
    for (base, operations, expected) in rows {
        let narrowing = Narrowing { base: base.map(dn), operations: operations.map(<[_]>::to_vec), attributes: None };
        let result = whole().narrowed(&narrowing, &Schema::standard());
        match expected {
            Ok(scope) => assert_eq!(text(&result.unwrap()), *scope, "{narrowing:?}"),
            Err(error) => assert_eq!(result.unwrap_err().to_string(), *error, "{narrowing:?}"),
        }
    }
}

#[test]
fn what_is_within() {
    use ResourceScope::{Base, One, Subtree};
    let region = |base: &str, reach| Region { base: dn(base), reach };
    for (inner, outer, expected) in [
        (region("ou=a,dc=x", Subtree), region("dc=x", Subtree), true),
        (region("ou=a,dc=x", Subtree), region("ou=a,dc=x", Subtree), true),
        (region("dc=x", Subtree), region("ou=a,dc=x", Subtree), false),
        (region("ou=a,dc=x", Base), region("dc=x", One), true),
        (region("dc=x", Base), region("dc=x", One), false),
        (region("cn=b,ou=a,dc=x", Base), region("dc=x", One), false),
        (region("dc=x", One), region("dc=x", One), true),
        (region("ou=a,dc=x", One), region("dc=x", One), false),
        (region("dc=x", One), region("dc=x", Subtree), true),
        (region("dc=x", One), region("dc=x", Base), false),
        (region("dc=x", Subtree), region("dc=x", One), false),
        (region("dc=x", Base), region("dc=x", Base), true),
        (region("ou=ä,dc=x", Base), region("ou=a,dc=x", Base), false),
    ] {
        assert_eq!(inner.is_within(&outer), expected, "{inner:?} {outer:?}");
    }
}

#[test]
fn a_changed_configuration_never_opens_more_than_was_approved() {
    let narrowed = whole()
        .narrowed(&Narrowing { base: Some(dn("uid=a,ou=people,dc=x")), ..Narrowing::default() }, &Schema::standard())
        .unwrap();
    assert_eq!(narrowed.openings(&policy()).unwrap()[0].base, Some(dn("uid=a,ou=people,dc=x")));
    // The resource now reaches below the entries that were approved.
    let mut wider = resources();
    wider[1].scope = ResourceScope::Subtree;
    let wider = policy_of(wider, vec![editor()]);
    assert_eq!(narrowed.openings(&wider), Err(ScopeError::ResourceChanged("people".to_owned())));
    // It reaches less: what is left is opened.
    let mut less = resources();
    less[0] = resource("payroll", "cn=a,ou=payroll,dc=x", ResourceScope::Subtree);
    let less = policy_of(less, vec![editor()]);
    assert_eq!(whole().openings(&less).unwrap()[0].base, Some(dn("cn=a,ou=payroll,dc=x")));
    let gone = policy_of(resources().into_iter().skip(1).collect(), vec![]);
    assert_eq!(whole().openings(&gone), Err(ScopeError::ResourceGone("payroll".to_owned())));
}

#[test]
fn a_resource_is_found_by_name_wherever_it_stands() {
    let mut turned = resources();
    turned.reverse();
    let openings = whole().openings(&policy_of(turned, vec![])).unwrap();
    let indexes: Vec<u32> = openings.iter().map(|opening| opening.resource.0).collect();
    assert_eq!(indexes, [2, 0, 1]);
}

#[test]
fn a_role_that_opens_less_no_longer_covers_what_was_asked() {
    let check = |lines| whole().check_within(&Role { allow: lines, ..editor() }, &policy()).map_err(|e| e.to_string());
    assert_eq!(check(editor().allow), Ok(()));
    let mut fewer = editor().allow;
    fewer[0] = allow(0, &[Search, Compare], None);
    assert_eq!(check(fewer), Err("the role no longer opens modify of payroll at ou=payroll,dc=x".to_owned()));
    let mut lower = editor().allow;
    lower[2] = allow(1, &[Search], Some("uid=a,ou=people,dc=x"));
    assert_eq!(check(lower), Err("the role no longer opens search of people at ou=people,dc=x".to_owned()));
    // Said in two lines instead of one, it is the same.
    let mut split = editor().allow;
    split[0] = allow(0, &[Search, Compare], None);
    split.push(allow(0, &[Modify], Some("ou=payroll,dc=x")));
    assert_eq!(check(split), Ok(()));
}

#[test]
fn scopes_survive_being_written_down() {
    let written = serde_json::to_string(&whole()).unwrap();
    assert_eq!(serde_json::from_str::<Scope>(&written).unwrap(), whole());
    for wrong in [
        written.replace("\"one\"", "\"two\""),
        written.replace("\"modify\"", "\"everything\""),
        written.replace("ou=people,dc=x", "<GUID=1>"),
    ] {
        assert_ne!(wrong, written);
        assert!(serde_json::from_str::<Scope>(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn narrowing_to_attributes() {
    let mut resources = resources();
    resources[1].attributes = Some(names(&["name", "mail"]));
    let policy = policy_of(resources, vec![editor()]);
    let whole = Scope::of_role(&editor(), &policy).unwrap();
    for (wanted, expected) in [
        (&["cn"][..], &["payroll cn", "writes cn", "people cn"][..]),
        (&["MAIL", "title"], &["payroll MAIL title", "writes MAIL title", "people MAIL title"]),
        (&["employeeType"], &["payroll employeeType", "writes employeeType"]),
        (&["cn", "employeeType"], &["payroll cn employeeType", "writes cn employeeType", "people cn"]),
    ] {
        let narrowing = Narrowing { attributes: Some(names(wanted)), ..Narrowing::default() };
        let narrowed = whole.narrowed(&narrowing, policy.schema());
        let lines = narrowed.unwrap().0.into_iter().map(|line| {
            let list: Vec<_> = line.attributes.iter().flat_map(AttributeNames::iter).map(str::to_owned).collect();
            format!("{} {}", line.resource, list.join(" "))
        });
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }
    // Of a role that opens only some, no others.
    let only = Scope(vec![ScopeEntry { attributes: Some(names(&["mail"])), ..whole.0[2].clone() }]);
    let wider = Narrowing { attributes: Some(names(&["mail", "cn"])), ..Narrowing::default() };
    assert_eq!(only.narrowed(&wider, policy.schema()), Err(ScopeError::AttributeNotOpened("cn".to_owned())));
    // What was approved stays what it was when the resource protects more, and is written down.
    let opened = only.openings(&policy).unwrap();
    assert_eq!(opened[0].attributes, Some(names(&["mail"])));
    assert_eq!(whole.openings(&policy).unwrap()[2].attributes, None, "all that it protects");
    let written = serde_json::to_string(&only).unwrap();
    assert_eq!(serde_json::from_str::<Scope>(&written).unwrap(), only);
    assert!(!serde_json::to_string(&Scope(vec![whole.0[0].clone()])).unwrap().contains("attributes"));
}

fn names(list: &[&str]) -> AttributeNames {
    AttributeNames::new(list).unwrap()
}

/// What stays when the grant has ended is marked for who decides.
#[test]
fn what_outlasts_the_grant_is_marked() {
    use crate::engine::policy::OperationKind::{Add, Bind, Password, Rename};
    let names = |names: &[&str]| Some(AttributeNames::new(names).unwrap());
    let rows: &[(&[OperationKind], Option<AttributeNames>, &[&str])] = &[
        (&[Search, Compare, Delete, Bind], None, &[]),
        (&[Search, Modify], None, &["modify"]),
        (&[Add, Modify, Rename, Password], None, &["add", "modify", "rename", "password"]),
        // Of some attributes only: if any of them says who is let in.
        (&[Modify], names(&["title"]), &[]),
        (&[Modify], names(&["title", "MEMBER"]), &["modify"]),
        (&[Modify], names(&["userPassword"]), &["modify"]),
        // A number may be any of them.
        (&[Modify], names(&["2.5.4.31"]), &["modify"]),
        (&[Add], names(&["title"]), &["add"]),
    ];
    for (operations, attributes, expected) in rows {
        let entry =
            ScopeEntry { operations: operations.to_vec(), attributes: attributes.clone(), ..whole().0[0].clone() };
        let words: Vec<_> = entry.permanent().iter().filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(words, *expected, "{operations:?} {attributes:?}");
        assert_eq!(Scope(vec![entry]).is_permanent(), !expected.is_empty(), "{operations:?} {attributes:?}");
    }
}

#[test]
fn what_lies_within_what() {
    use ResourceScope::{Base, One, Subtree};
    let region = |base: &str, reach| Region { base: dn(base), reach };
    let people = "ou=people,dc=x";
    for (inner, outer, expected) in [
        (region("uid=a,ou=people,dc=x", Base), region(people, One), true),
        (region("uid=a,ou=others,dc=x", Base), region(people, One), false),
        (region("cn=a,uid=b,ou=people,dc=x", Base), region(people, One), false),
        (region(people, Base), region(people, One), false),
        (region(people, One), region(people, One), true),
        (region(people, Subtree), region(people, One), false),
        (region(people, One), region(people, Subtree), true),
        (region(people, Subtree), region("dc=x", Subtree), true),
        (region("dc=x", Subtree), region(people, Subtree), false),
        (region(people, Base), region(people, Base), true),
        (region(people, One), region(people, Base), false),
    ] {
        assert_eq!(inner.is_within(&outer), expected, "{inner:?} {outer:?}");
    }
}

#[test]
fn attributes_that_the_role_no_longer_opens_are_not_within_it() {
    let of = |names: Option<&[&str]>| {
        let attributes = names.map(|names| AttributeNames::new(names).unwrap());
        let line = Allow { attributes, ..editor().allow[0].clone() };
        Role { allow: vec![line], ..editor() }
    };
    let approved = |names| Scope::of_role(&of(names), &policy()).unwrap();
    for (before, now, expected) in [
        (Some(&["cn", "sn"][..]), Some(&["cn", "sn"][..]), true),
        (Some(&["cn", "sn"]), None, true),
        (Some(&["cn"]), Some(&["cn", "sn"]), true),
        (Some(&["cn", "sn"]), Some(&["cn"]), false),
        (None, Some(&["cn"]), false),
        (None, None, true),
    ] {
        let found = approved(before).check_within(&of(now), &policy()).is_ok();
        assert_eq!(found, expected, "{before:?} {now:?}");
    }
}
