//! One name, however it is written: protected, and opened, as the directory would find it.

use super::dsl::{Case, POLICY, check, check_cases, now, operation, policy, snapshot_for};
use crate::engine::access::{Asked, Decision, decide};
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::Policy;
use std::sync::Arc;

/// Spellings of `ou=payroll,dc=x` that every directory reads as that.
const SAME: &[&str] = &[
    "ou=payroll,dc=x",
    "OU=PAYROLL,DC=X",
    "oU=PayRoll,dC=x",
    "ou=payroll␣,dc=x",
    "ou=␣␣payroll,␣dc=x",
    "ou␣=␣payroll␣,␣dc␣=␣x",
    "ou=payroll\\20,dc=x",
    "ou=\\20payroll,dc=x",
    "ou=pay\\72oll,dc=x",
    "ou=\\70\\61\\79\\72\\6f\\6c\\6c,dc=\\78",
    "ou=\\50AYROLL,dc=x",
    "2.5.4.11=payroll,dc=x",
    "ou=payroll,0.9.2342.19200300.100.1.25=x",
    "2.5.4.11=PAYROLL,0.9.2342.19200300.100.1.25=X",
    "organizationalUnitName=payroll,domainComponent=x",
    "ou=#0407706179726f6c6c,dc=x",
    "ou=#0C07706179726F6C6C,dc=x",
];

/// Spellings that some directory may read as that: protected, but opened only by what opens all of the resource.
const PERHAPS: &[&str] = &["ou=päyröll,dc=x", "ou=pa\u{ad}yroll,dc=x", "ou=pa\u{200b}yroll,dc=x", "ou=ｐayroll,dc=x"];

/// Other names, however alike.
const OTHER: &[&str] = &[
    "ou=payrolls,dc=x",
    "ou=xpayroll,dc=x",
    "ou=pay␣roll,dc=x",
    "ou=payroll\\,dc\\=x,dc=x",
    "cn=payroll,dc=x",
    "ou=people\\,ou\\=payroll,dc=x",
    "ou=payroll+ou=x,dc=x",
    "ou=x+ou=payroll,dc=x",
    "ou=payroll,ou=people,dc=x",
    "ou=#04067061796f6c6c,dc=x",
    "ou=payrol,dc=x",
];

/// With `NAME` for the name, and `anna` who holds all there is to write.
const OPERATIONS: &[&str] = &[
    "search base NAME",
    "search one NAME",
    "search sub cn=1,NAME",
    "compare cn=1,NAME",
    "modify NAME",
    "add cn=1,NAME",
    "delete cn=1,NAME",
    "delete NAME !treedelete",
    "rename cn=1,NAME cn=2",
    "rename cn=1,ou=people,dc=x cn=1 NAME",
    "rename cn=1,NAME cn=1 ou=people,dc=x",
    "bind cn=1,NAME",
];

fn cases(who: &str, names: &[&str], outcome: impl Fn(&str) -> &'static str) -> Vec<Case> {
    let each = |name: &str| {
        let written = OPERATIONS.iter().map(|operation| &*operation.replace("NAME", name).leak()).collect::<Vec<_>>();
        written.into_iter().map(|what| (who.to_owned(), what, outcome(what).to_owned())).collect::<Vec<_>>()
    };
    names.iter().flat_map(|name| each(name)).collect()
}

#[test]
fn a_name_is_protected_however_it_is_written() {
    for names in [SAME, PERHAPS] {
        check_cases(cases("anna+writer+viewer/compare", names, |_| "50 payroll"), || policy(POLICY), |_| {});
    }
}

#[test]
fn a_grant_opens_a_name_however_it_is_written() {
    // Whoever binds is the name's holder, who holds nothing.
    let outcome = |what: &str| match what.split(' ').next() {
        Some("bind") => "50 payroll",
        Some("search" | "compare") => "ok owner",
        _ if what.ends_with("!treedelete") => "ok owner writer [tree delete]",
        _ => "ok owner writer",
    };
    check_cases(cases("anna+owner+writer", &[SAME, PERHAPS].concat(), outcome), || policy(POLICY), |_| {});
}

#[test]
fn what_only_looks_alike_is_not_protected() {
    let outcome = |what: &str| match what.split(' ').next() {
        Some("bind" | "search" | "compare") => "ok",
        _ if what.ends_with("!treedelete") => "ok writer [tree delete]",
        _ => "ok writer",
    };
    check_cases(cases("anna+writer", OTHER, outcome), || policy(POLICY), |_| {});
}

/// A narrowed grant opens what surely lies below its base, and is found however that is written.
#[test]
fn a_narrowed_grant_opens_what_is_surely_below_its_base() {
    check(
        "
        anna+reader@ou=a,ou=payroll,dc=x : search sub OU=A,OU=Payroll,DC=X                    -> ok reader
        anna+reader@ou=a,ou=payroll,dc=x : search sub 2.5.4.11=a,2.5.4.11=payroll,dc=x        -> ok reader
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=\\61,ou=payroll,dc=x                 -> ok reader
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=#040161,ou=payroll,dc=x              -> ok reader
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=␣a␣,␣ou=payroll,dc=x                 -> ok reader
        anna+reader@OU=A,OU=Payroll,DC=X : search sub ou=a,ou=payroll,dc=x                    -> ok reader
        anna+reader@2.5.4.11=a,ou=payroll,dc=x : compare cn=1,ou=a,ou=payroll,dc=x            -> ok reader
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=á,ou=payroll,dc=x                    -> 50 payroll
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=aa,ou=payroll,dc=x                   -> 50 payroll
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=a\\,ou\\=a,ou=payroll,dc=x           -> 50 payroll
        anna+reader@ou=a,ou=payroll,dc=x : search sub cn=a,ou=payroll,dc=x                    -> 50 payroll
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=a+ou=b,ou=payroll,dc=x               -> 50 payroll
        anna+reader@ou=a⊕cn=b,ou=payroll,dc=x : search sub cn=b+ou=a,ou=payroll,dc=x          -> ok reader
        anna+reader@ou=a⊕cn=b,ou=payroll,dc=x : search sub CN=B+2.5.4.11=A,ou=payroll,dc=x    -> ok reader
        anna+reader@ou=a⊕cn=b,ou=payroll,dc=x : search sub ou=a,ou=payroll,dc=x               -> 50 payroll
        anna+reader@ou=b,ou=people,dc=x       : search sub ou=payroll,dc=x                    -> 50 payroll
        anna+reader@cn=1,ou=a,ou=payroll,dc=x : search sub ou=a,ou=payroll,dc=x               -> 50 payroll
        anna+reader@cn=1,ou=a,ou=payroll,dc=x : search base cn=1,ou=a,ou=payroll,dc=x         -> ok reader
        ",
        || policy(POLICY),
        |_| {},
    );
}

/// Names of several values are one whatever their order; only all of them are the name.
#[test]
fn names_of_several_values() {
    const POLICY: &str = "
        resource seat subtree cn=a+ou=b,dc=x *
        role sitter seat/*
    ";
    check(
        "
        bert        : search base cn=a+ou=b,dc=x                      -> 50 seat
        bert        : search base ou=b+cn=a,dc=x                      -> 50 seat
        bert        : search base OU=B␣+␣CN=A,dc=x                    -> 50 seat
        bert        : search base 2.5.4.11=b+2.5.4.3=a,dc=x           -> 50 seat
        bert        : search base ou=\\62+commonName=#040161,dc=x     -> 50 seat
        bert        : search sub uid=1,ou=b+cn=a,dc=x                 -> 50 seat
        bert        : search base cn=a,dc=x                           -> ok
        bert        : search base ou=b,dc=x                           -> ok
        bert        : search base ou=b,cn=a,dc=x                      -> ok
        bert        : search base cn=b+ou=a,dc=x                      -> ok
        bert        : search base cn=a\\+ou\\=b,dc=x                  -> ok
        bert        : search base cn=a+ou=b+uid=c,dc=x                -> ok
        bert        : rename cn=1,dc=x ou=b+cn=a                      -> 50 seat
        bert        : rename ou=b+cn=a,dc=x cn=1                      -> 50 seat
        anna+sitter : search sub OU=b+CN=a,dc=x                       -> ok sitter
        anna+sitter : rename ou=b+cn=a,dc=x cn=1                      -> ok sitter
        ",
        || policy(POLICY),
        |_| {},
    );
}

/// A directory that calls `ou` also `abteilung`, and has naming attributes of its own.
const SCHEMA: &[&str] = &[
    "( 2.5.4.11 NAME ( 'ou' 'organizationalUnitName' 'abteilung' ) SUP name )",
    "( 1.3.9.1 NAME 'validFrom' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )",
    "( 1.3.9.2 NAME 'heldBy' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
];

fn read_by_schema(policy: Policy) -> Policy {
    policy.with_schema(Arc::new(Schema::from_subschema(SCHEMA.iter().map(|line| line.as_bytes()), [])))
}

#[test]
fn a_name_is_protected_by_every_name_of_its_types() {
    let names = ["abteilung=payroll,dc=x", "ABTEILUNG=␣Payroll,DC=X", "abteilung=p\\61yroll,dc=x"];
    let refused = |_: &str| "50 payroll";
    check_cases(cases("anna+writer", &names, refused), || read_by_schema(policy(POLICY)), |_| {});
    let outcome = |what: &str| match what.split(' ').next() {
        Some("bind" | "search" | "compare") => "ok",
        _ if what.ends_with("!treedelete") => "ok writer [tree delete]",
        _ => "ok writer",
    };
    let other = ["abteilung=rolls,dc=x", "validFrom=20200101000000Z,dc=x"];
    check_cases(cases("anna+writer", &other, outcome), || read_by_schema(policy(POLICY)), |_| {});
}

#[test]
fn a_policy_is_read_by_the_schema_as_requests_are() {
    const POLICY: &str = "
        resource payroll subtree abteilung=payroll,dc=x *
        resource old     subtree validFrom=20200101000000Z,dc=x *
        resource bobs    subtree heldBy=uid=bob\\,dc\\=x,dc=x *
        standing payroll search subtree:abteilung=robots,dc=x
        standing payroll search dn:uid=sync,abteilung=people,dc=x
        role reader payroll/search old/search bobs/search
    ";
    check(
        "
        bert                     : search base ou=payroll,dc=x                            -> 50 payroll
        bert                     : search base cn=1,abteilung=payroll,dc=x                -> 50 payroll
        bert                     : modify cn=1,validFrom=20200101000000.0Z,dc=x           -> 50 old
        bert                     : search sub validFrom=202001010000Z,dc=x                -> 50 old
        bert                     : search sub validFrom=20200101010000\\⊕0100,dc=x         -> 50 bobs old payroll
        bert                     : search sub validFrom=20200102000000Z,dc=x              -> ok
        bert                     : delete heldBy=uid\\=bo\\5C62\\,dc\\=x,dc=x             -> 50 bobs
        bert                     : delete heldBy=uid\\=bo\\5C63\\,dc\\=x,dc=x             -> ok
        uid=1,ou=robots,dc=x     : search sub abteilung=payroll,dc=x                      -> ok
        sync                     : search sub abteilung=payroll,dc=x                      -> ok
        uid=sync,abteilung=people,dc=x : search sub ou=payroll,dc=x                       -> ok
        anna+reader              : search sub 1.3.9.1=20200101000000\\,000Z,dc=x            -> ok reader
        uid=anna,abteilung=people,dc=x+anna:reader : search sub ou=payroll,dc=x           -> ok reader
        ",
        || read_by_schema(policy(POLICY)),
        |snapshot| snapshot.grants = Arc::new(snapshot.grants.resolved(snapshot.policy.naming())),
    );
}

/// Before the schema was read, and of types that it does not have.
#[test]
fn a_type_that_nobody_knows_may_be_any() {
    for (name, policy) in [
        ("abteilung=payroll,dc=x", policy(POLICY)),
        ("abteilung=rolls,dc=x", policy(POLICY)),
        ("nobody=payroll,dc=x", read_by_schema(policy(POLICY))),
        ("ou=payroll+nobody=a,dc=x", read_by_schema(policy(POLICY))),
    ] {
        let (snapshot, subject) = snapshot_for(policy, "anna+writer");
        for line in OPERATIONS {
            let operation = operation(line.replace("NAME", name).leak());
            let asked = Asked {
                subject: &subject,
                request: &operation.request,
                controls: &operation.controls,
                now: now(),
                certificate: None,
            };
            match decide(&snapshot, &asked) {
                Decision::Refused(refusal) => assert_eq!(refusal.code.0, 50, "{line} {name}"),
                Decision::Permitted(_) => panic!("{line} {name}"),
            }
        }
    }
}
