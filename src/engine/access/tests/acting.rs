//! Acting for others: who may, for whom, and that it is decided for that one.

use super::dsl::{POLICY, at, check, decision, dn, grant, now, operation, outcome, policy, roles, snapshot, subject};
use crate::engine::access::{Asked, Decision, Snapshot, decide};
use crate::engine::policy::selector::Selector;
use std::sync::Arc;

#[test]
fn some_act_for_others_who_hold_it_themselves() {
    check(
        "
        # What counts is what the one holds that is acted for; of the others nothing does.
        cleo        : search sub ou=people,dc=x !proxy2:dn:uid=anna,ou=people,dc=x           -> ok [proxied authorization]
        cleo        : search sub ou=people,dc=x !proxy2:DN:uid=anna,ou=people,dc=x           -> ok [proxied authorization]
        cleo        : modify cn=a,ou=elsewhere,dc=x !proxy2:dn:uid=anna,ou=people,dc=x       -> 50 writes
        cleo+editor : search base ou=payroll,dc=x !proxy2:dn:uid=anna,ou=people,dc=x         -> 50 payroll
        cleo+editor : search base ou=payroll,dc=x                                            -> ok editor
        cleo        : search base ou=payroll,dc=x !proxy2:dn:uid=sync,ou=people,dc=x         -> ok [proxied authorization]
        cleo        : search base ou=letters,dc=x                                            -> ok
        cleo        : search base ou=letters,dc=x !proxy2:dn:uid=anna,ou=people,dc=x         -> 50 letters
        cleo        : whoami !proxy2:dn:uid=anna,ou=people,dc=x                              -> ok [proxied authorization]
        cleo        : password !proxy2:dn:uid=anna,ou=people,dc=x                            -> 50 writes
        # It is not a way around a login that is protected.
        cleo        : search sub ou=people,dc=x !proxy2:dn:uid=root,ou=admins,dc=x           -> 123 admins
        cleo+oncall : search sub ou=people,dc=x !proxy2:dn:uid=root,ou=admins,dc=x           -> 123 admins
        # Exactly one, critical, in the form of RFC 4370, with a DN.
        cleo        : search sub ou=people,dc=x ?proxy2:dn:uid=anna,ou=people,dc=x           -> 123
        cleo        : search sub ou=people,dc=x !proxy1                                      -> 123
        cleo        : search sub ou=people,dc=x !proxy2:dn:uid=anna,ou=people,dc=x !proxy1   -> 123
        cleo        : search sub ou=people,dc=x !proxy2:dn:uid=anna,ou=people,dc=x !proxy2:dn:uid=sync,ou=people,dc=x -> 123
        cleo        : search sub ou=people,dc=x !proxy2:u:anna                               -> 123
        cleo        : search sub ou=people,dc=x !proxy2:uid=anna,ou=people,dc=x              -> 123
        cleo        : search sub ou=people,dc=x !proxy2:dn:anna                              -> 123
        cleo        : search sub ou=people,dc=x !proxy2:dn:                                  -> 123
        cleo        : search sub ou=people,dc=x !proxy2                                      -> 123
        cleo        : cancel !proxy2:dn:uid=anna,ou=people,dc=x                              -> 123
        -           : bind uid=cleo,ou=people,dc=x !proxy2:dn:uid=anna,ou=people,dc=x        -> 123
        # Those who are not named do not.
        bert        : search sub ou=people,dc=x !proxy2:dn:uid=anna,ou=people,dc=x           -> 123
        -           : search sub ou=people,dc=x !proxy2:dn:uid=cleo,ou=people,dc=x           -> 123
        ",
        || {
            let mut policy = policy(POLICY);
            policy.proxied_authorization = vec![Selector::parse("group:cn=clerks,ou=groups,dc=x").unwrap()];
            policy
        },
        |snapshot| Arc::make_mut(&mut snapshot.directory).proxied_authorization = true,
    );
}

#[test]
fn the_grants_of_whom_one_acts_for_count_and_the_bind_is_one_of_them() {
    let mut policy = policy(POLICY);
    policy.proxied_authorization = vec![Selector::parse("dn:uid=bert,ou=people,dc=x").unwrap()];
    let root = "uid=root,ou=admins,dc=x";
    let grants = [grant(&policy, root, "oncall", 1_500), grant(&policy, root, "reader", 2_000)];
    let mut snapshot = snapshot(policy, grants);
    let search = operation("search base ou=payroll,dc=x !proxy2:dn:uid=root,ou=admins,dc=x");
    let decided = |snapshot: &Snapshot| decision(snapshot, &subject("bert"), &search, now());
    // Not in front of a directory that does not offer it.
    assert_eq!(outcome(&snapshot, &search, &decided(&snapshot)), "123");
    Arc::make_mut(&mut snapshot.directory).proxied_authorization = true;
    let Decision::Permitted(permit) = decided(&snapshot) else { panic!("refused") };
    assert_eq!(roles(&permit), ["oncall", "reader"]);
    assert_eq!(permit.acts_for(), Some(&subject(root)));
    assert_eq!(permit.ends(), Some((at(1_500, 0).wall, at(0, 1_500).monotonic)));
    assert!(permit.still_holds(&snapshot, now()) && !permit.still_holds(&snapshot, at(1_500, 1_500)));
    // Who came with a certificate is acted for already.
    let certificate = dn("cn=bert");
    let asked = Asked {
        subject: &subject("bert"),
        request: &search.request,
        controls: &search.controls,
        now: now(),
        certificate: Some(&certificate),
    };
    assert_eq!(outcome(&snapshot, &search, &decide(&snapshot, &asked)), "123");
}
