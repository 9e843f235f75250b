//! Each control: on which operations, critical or not, with what hidden.

use super::dsl::{POLICY, check, policy};
use crate::engine::access::controls::{KNOWN, Meaning, is_advertised, lookup};
use crate::engine::ldap::attribute::numeric_oid;
use crate::engine::ldap::control::oid;
use crate::engine::policy::selector::Selector;

#[test]
fn what_is_not_known_and_what_stands_elsewhere() {
    check(
        "
        bert        : search sub ou=people,dc=x !1.2.3.4       -> 12
        bert        : search sub ou=people,dc=x ?1.2.3.4       -> ok
        bert        : search sub ou=people,dc=x !sorted        -> 12
        bert        : search sub ou=people,dc=x ?sorted        -> ok
        bert        : whoami !1.2.3.4                          -> 12
        # Before anything is said of where it goes.
        bert        : search sub ou=payroll,dc=x !1.2.3.4      -> 12
        bert        : search base cn=config !1.2.3.4           -> 12
        bert        : search base cn=config ?1.2.3.4           -> 32
        bert        : add cn=a,dc=y !1.2.3.4                   -> 12
        bert        : modify cn=a,dc=y ?proxy2                 -> 123
        bert        : unbind !1.2.3.4                          -> ok
        bert        : unbind !managedsait                      -> ok
        bert        : abandon ?managedsait                     -> ok
        # Where it has no meaning it is one that is not known.
        bert        : compare cn=a,ou=people,dc=x !treedelete  -> 12
        bert        : compare cn=a,ou=people,dc=x ?treedelete  -> ok
        bert        : compare cn=a,ou=people,dc=x !paged       -> 12
        bert        : compare cn=a,ou=people,dc=x !matched     -> 12
        bert        : compare cn=a,ou=people,dc=x !sort        -> 12
        bert        : compare cn=a,ou=people,dc=x !preread     -> 12
        bert        : compare cn=a,ou=people,dc=x !deref       -> 12
        bert        : compare cn=a,ou=people,dc=x !sync        -> 12
        bert        : compare cn=a,ou=people,dc=x !permissive  -> 12
        bert        : compare cn=a,ou=people,dc=x ?relax ?noop -> ok
        bert        : search sub ou=people,dc=x !noop          -> 12
        bert        : search sub ou=people,dc=x !relax         -> 12
        bert        : search sub ou=people,dc=x ?preread       -> ok
        bert        : search sub ou=people,dc=x ?authzid       -> ok
        anna+writer : add cn=a,ou=people,dc=x !preread         -> 12
        anna+writer : add cn=a,ou=people,dc=x !permissive      -> 12
        anna+writer : delete cn=a,ou=people,dc=x !postread     -> 12
        anna+writer : delete cn=a,ou=people,dc=x !deleted      -> 12
        anna+writer : modify cn=a,ou=people,dc=x !deleted      -> 12
        anna+writer : modify cn=a,ou=people,dc=x ?deleted      -> ok writer
        anna+viewer+writer : modify cn=a,ou=people,dc=x !deleted -> 12
        anna+writer : modify cn=a,ou=people,dc=x !treedelete   -> 12
        anna+writer : modify cn=a,ou=people,dc=x !options      -> 12
        bert        : whoami !managedsait                      -> 12
        bert        : whoami !paged                            -> 12
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn harmless_ones() {
    check(
        "
        bert        : search sub ou=people,dc=x !paged         -> ok [paged results]
        bert        : search sub dc=x ?paged                   -> ok hides [paged results]
        bert        : search sub dc=x !managedsait             -> ok hides [ManageDsaIT]
        bert        : search sub dc=x !subentries              -> ok hides [subentries]
        bert        : search sub dc=x !nocopy                  -> ok hides [don't use copy]
        bert        : search sub dc=x ?tracking                -> ok hides [session tracking]
        bert        : search sub dc=x ?ppolicy                 -> ok hides [password policy]
        bert        : search sub dc=x !domainscope             -> ok hides [domain scope]
        bert        : search sub dc=x !sdflags                 -> ok hides [SD flags]
        bert        : search sub dc=x !options:1               -> ok hides [search options]
        bert        : search sub dc=x !options:0               -> ok hides [search options]
        # Entries that are hidden are dropped: their order tells nothing of those that are not.
        bert        : search sub dc=x !sort                    -> ok hides [sort]
        bert        : search sub dc=x ?sort ?paged             -> ok hides [sort] [paged results]
        -           : bind uid=bert,ou=people,dc=x ?ppolicy ?authzid ?tracking -> ok [password policy] [authorization identity] [session tracking]
        bert        : compare cn=a,ou=people,dc=x !managedsait !nocopy ?tracking -> ok [ManageDsaIT] [don't use copy] [session tracking]
        bert        : whoami ?tracking ?ppolicy                -> ok [session tracking] [password policy]
        bert        : password ?ppolicy                        -> 50 writes
        anna+writer : password cn=a,ou=people,dc=x ?ppolicy    -> ok writer [password policy]
        anna+writer : modify cn=a,ou=people,dc=x !managedsait !permissive !lazy ?sdflags -> ok writer [ManageDsaIT] [permissive modify] [lazy commit] [SD flags]
        anna+writer : modify cn=a,ou=people,dc=x !noop         -> ok writer [no-op]
        anna+writer : delete cn=a,ou=people,dc=x !noop2        -> ok writer [no-op]
        bert        : modify cn=a,ou=people,dc=x !noop         -> 50 writes
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn those_that_read() {
    check(
        "
        bert        : search sub ou=people,dc=x !assertion     -> ok [assertion]
        bert        : search sub dc=x !assertion               -> 12
        bert        : search sub dc=x ?assertion               -> ok hides
        bert        : search sub dc=x !matched                 -> 12
        bert        : search sub dc=x !vlv                     -> 12
        bert        : search sub dc=x !sort !vlv               -> 12
        bert        : search sub dc=x !sort ?vlv               -> ok hides [sort]
        bert        : search sub dc=x ?vlv ?matched            -> ok hides
        anna+viewer : search sub dc=x !vlv                     -> ok viewer [virtual list view]
        bert        : search-deref sub ou=people,dc=x !vlv     -> 12
        bert        : compare cn=a,ou=people,dc=x !assertion   -> ok [assertion]
        anna+writer : modify cn=a,ou=people,dc=x !preread      -> ok writer [pre-read]
        anna+writer : modify cn=a,ou=letters,dc=x !preread     -> 12
        anna+writer : modify cn=a,ou=letters,dc=x ?preread     -> ok writer
        anna+writer : modify cn=a,ou=letters,dc=x !assertion   -> 12
        anna+writer+clerk : modify cn=a,ou=letters,dc=x !preread -> ok clerk writer [pre-read]
        anna+writer : rename cn=a,ou=people,dc=x cn=a ou=letters,dc=x !postread -> 12
        anna+writer : delete cn=a,ou=vaults,dc=x !preread      -> 12
        anna+writer : add cn=a,ou=vaults,dc=x !postread        -> 12
        anna+writer : add cn=a,ou=vaults,dc=x !assertion       -> 12
        # Where nothing at all is hidden.
        bert        : search sub ou=people,dc=x !deleted       -> 12
        bert        : search sub ou=people,dc=x ?deleted ?recycled ?deactivated -> ok
        anna+viewer : search sub ou=people,dc=x !deleted !recycled -> ok viewer [show deleted] [show recycled]
        anna+viewer@ou=payroll,dc=x : search sub ou=people,dc=x !deleted -> 12
        bert        : search sub ou=people,dc=x !options:2     -> 12
        bert        : search sub ou=people,dc=x !options:3     -> 12
        bert        : search sub ou=people,dc=x ?options:2     -> ok
        bert        : search sub ou=people,dc=x !options:-1    -> 12
        anna+viewer : search sub ou=people,dc=x !options:2     -> ok viewer [search options]
        bert        : search sub ou=people,dc=x !extdn         -> 12
        bert        : search sub ou=people,dc=x ?extdn         -> ok
        anna+viewer : search sub ou=people,dc=x !extdn         -> ok viewer [extended DN]
        # What is told of other entries is looked at in every answer.
        bert        : search sub ou=people,dc=x !deref         -> ok hides-elsewhere [dereference]
        bert        : search sub dc=x ?deref                   -> ok hides hides-elsewhere [dereference]
        bert        : search base !deref                       -> ok hides-elsewhere [dereference]
        anna+viewer : search sub ou=people,dc=x !deref         -> ok viewer hides-elsewhere [dereference]
        ",
        || policy(POLICY),
        |_| {},
    );
}

/// The base of an attribute-scoped query is one entry; what is searched are those that it names.
#[test]
fn a_search_of_what_an_attribute_names_is_one_of_everything() {
    check(
        "
        bert        : search base ou=people,dc=x !asq          -> ok hides [attribute-scoped query]
        bert        : search base ou=people,dc=x ?asq          -> ok hides [attribute-scoped query]
        bert        : search base ou=people,dc=x !asq !vlv     -> 12
        bert        : search base ou=people,dc=x !asq !assertion -> 12
        bert        : search base ou=payroll,dc=x !asq         -> 50 payroll
        # Neither the rootDSE nor the subschema is open in what it names.
        bert        : search base !asq                         -> ok hides [attribute-scoped query]
        bert        : search base cn=subschema !asq            -> 32
        bert        : search base cn=subschema                 -> ok
        anna+viewer : search base ou=people,dc=x !asq          -> ok viewer hides [attribute-scoped query]
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn those_that_hand_on() {
    const REPLICAS: &str = "
        resource payroll subtree ou=payroll,dc=x *
        resource letters subtree ou=letters,dc=x search
        resource writes  subtree dc=x modify
        standing payroll search dn:uid=once,ou=people,dc=x
        standing payroll search dn:uid=sync,ou=people,dc=x replicate
        role reader   payroll/search
        role consumer payroll/search replicate
        role archive  letters/search replicate
    ";
    check(
        "
        # Nothing in reach.
        bert          : search sub ou=people,dc=x !sync        -> ok replicates [sync]
        bert          : search sub ou=people,dc=x ?psearch     -> ok replicates [persistent search]
        bert          : search sub ou=people,dc=x !notification -> ok replicates [notification]
        bert          : search sub ou=people,dc=x !dirsync     -> 12
        # In reach, and not held.
        bert          : search sub dc=x !sync                  -> 12
        bert          : search sub dc=x ?sync ?paged           -> ok hides [paged results]
        bert          : search sub dc=x !psearch               -> 12
        bert          : search sub dc=x ?psearch               -> ok hides
        bert          : search sub dc=x !notification          -> 12
        bert          : search-deref sub ou=people,dc=x !sync  -> 12
        bert          : search sub ou=payroll,dc=x !sync       -> 12
        # Held, but not to be replicated.
        anna+reader   : search sub ou=payroll,dc=x !sync       -> 12
        anna+reader   : search sub ou=payroll,dc=x ?sync       -> ok reader
        once          : search sub ou=payroll,dc=x !sync       -> 12
        # Held by what may replicate, all of it or not.
        sync          : search sub ou=payroll,dc=x !sync       -> ok replicates [sync]
        anna+consumer : search sub ou=payroll,dc=x !sync       -> ok consumer replicates [sync]
        anna+consumer+reader : search sub ou=payroll,dc=x !sync -> ok consumer replicates [sync]
        anna+consumer : search sub dc=x !sync                  -> 12
        anna+consumer+archive : search sub dc=x !sync          -> ok archive consumer replicates [sync]
        anna+consumer@ou=a,ou=payroll,dc=x : search sub ou=payroll,dc=x !sync -> 12
        anna+consumer@ou=a,ou=payroll,dc=x : search sub ou=a,ou=payroll,dc=x !sync -> ok consumer replicates [sync]
        anna+reader+consumer@ou=a,ou=payroll,dc=x : search sub ou=payroll,dc=x !sync -> 12
        anna+consumer : search sub ou=people,dc=x !dirsync     -> 12
        anna+consumer+archive : search sub ou=people,dc=x !dirsync -> ok archive consumer replicates [DirSync]
        anna+consumer+archive : search-deref sub ou=people,dc=x !sync -> ok archive consumer hides replicates [sync]
        # What is no part of any tree does not change.
        bert          : search base !sync                      -> 12
        bert          : search base ?psearch                   -> ok
        ",
        || policy(REPLICAS),
        |_| {},
    );
    check(
        "bert : search sub dc=x !dirsync -> ok replicates [DirSync]",
        || policy("resource writes subtree dc=x modify"),
        |_| {},
    );
}

#[test]
fn extended_operations_are_passed_where_they_are_configured() {
    check(
        "
        bert        : extended 1.2.3.4                         -> ok
        bert        : extended 1.2.3.5                         -> 2
        bert        : extended 1.2.3.4 ?tracking               -> ok [session tracking]
        bert        : extended 1.2.3.4 !managedsait            -> 12
        bert        : extended 1.2.3.4 !proxy2                 -> 123
        ",
        || {
            let mut policy = policy(POLICY);
            policy.extended_operations.push("1.2.3.4".to_owned());
            policy
        },
        |_| {},
    );
}

#[test]
fn those_that_write_more_or_later() {
    check(
        "
        anna+writer : delete ou=letters,dc=x !treedelete       -> ok writer [tree delete]
        anna+writer : modify cn=a,ou=people,dc=x !transaction  -> 12
        anna+writer : modify cn=a,ou=people,dc=x ?transaction  -> ok writer
        anna+writer : modify cn=a,ou=people,dc=x !statistics   -> 12
        bert        : search sub ou=people,dc=x ?statistics    -> ok
        # Operational attributes: to who holds all of the entry.
        anna+writer : modify cn=a,ou=people,dc=x !relax        -> ok writer [relax rules]
        anna+editor : modify cn=a,ou=payroll,dc=x !relax       -> 12
        anna+editor : modify cn=a,ou=payroll,dc=x ?relax       -> ok editor
        anna+owner+writer : modify cn=a,ou=payroll,dc=x !relax -> ok owner writer [relax rules]
        anna+writer : modify cn=a,ou=letters,dc=x !relax       -> 12
        anna+writer+clerk : modify cn=a,ou=letters,dc=x !relax -> ok clerk writer [relax rules]
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn nobody_acts_as_somebody_else() {
    check(
        "
        bert        : search sub ou=people,dc=x !proxy1        -> 123
        bert        : search sub ou=people,dc=x ?proxy1        -> 123
        bert        : search sub ou=people,dc=x !proxy2        -> 123
        bert        : search sub ou=people,dc=x ?proxy2        -> 123
        bert        : whoami ?proxy2                           -> 123
        bert        : search base ?proxy2                      -> 123
        -           : bind uid=bert,ou=people,dc=x ?proxy2     -> 123
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn the_list_says_one_thing_about_each() {
    let mut policy = policy(POLICY);
    for (at, known) in KNOWN.iter().enumerate() {
        assert!(numeric_oid(known.oid.as_bytes()).is_some(), "{}", known.name);
        assert_eq!(lookup(known.oid), Some(known), "{} is there twice", known.name);
        assert!(KNOWN[..at].iter().all(|other| other.oid != known.oid));
        let silent = matches!(known.meaning, Meaning::Never | Meaning::Impersonates);
        assert_eq!(is_advertised(known.oid, &policy), !silent, "{}", known.name);
    }
    assert!(!is_advertised("1.2.3.4", &policy));
    policy.proxied_authorization = vec![Selector::Anyone];
    assert!(
        is_advertised(oid::PROXIED_AUTHORIZATION_V2, &policy) && !is_advertised(oid::PROXIED_AUTHORIZATION_V1, &policy)
    );
}
