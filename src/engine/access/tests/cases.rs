//! Who may do what.

use super::dsl::{POLICY, check, policy};
use crate::engine::access::DirectoryFacts;
use crate::engine::policy::Mode;
use std::sync::Arc;

#[test]
fn searches() {
    check(
        "
        # The base inside a resource: held or refused, whatever the scope.
        bert        : search base ou=payroll,dc=x              -> 50 payroll
        bert        : search one ou=payroll,dc=x               -> 50 payroll
        bert        : search sub ou=payroll,dc=x               -> 50 payroll
        bert        : search children ou=payroll,dc=x          -> 50 payroll
        bert        : search base cn=a,ou=b,ou=payroll,dc=x    -> 50 payroll
        bert        : search base OU=Pay\\72oll,DC=X           -> 50 payroll
        bert        : search base 2.5.4.11=payroll,dc=x        -> 50 payroll
        bert        : search base ou=#0407706179726f6c6c,dc=x  -> 50 payroll
        bert        : search base ou=pa\u{ad}yroll,dc=x        -> 50 payroll
        bert        : search base ou=päyröll,dc=x              -> 50 payroll
        bert        : search base ou=payrolls,dc=x             -> ok
        bert        : search base ou=x+ou=payroll,dc=x         -> ok
        -           : search sub ou=payroll,dc=x               -> 50 payroll
        sync        : search sub ou=payroll,dc=x               -> ok
        sync        : compare ou=payroll,dc=x                  -> 50 payroll
        anna+reader : search sub ou=payroll,dc=x               -> ok reader
        anna+reader : search base cn=a,ou=payroll,dc=x         -> ok reader
        anna+clerk  : search base cn=a,ou=payroll,dc=x         -> 50 payroll
        # Narrowed.
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=a,ou=payroll,dc=x      -> ok reader
        anna+reader@ou=a,ou=payroll,dc=x : search sub cn=b,ou=a,ou=payroll,dc=x -> ok reader
        anna+reader@ou=a,ou=payroll,dc=x : search sub ou=payroll,dc=x           -> 50 payroll
        anna+reader@ou=a,ou=payroll,dc=x : search base ou=ä,ou=payroll,dc=x     -> 50 payroll
        anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x                      -> ok reader hides
        anna+reader@dc=x                 : search sub ou=payroll,dc=x           -> ok reader
        # Scopes of resources.
        bert        : search base cn=card,ou=it,dc=x           -> 50 card
        bert        : search base cn=a,cn=card,ou=it,dc=x      -> ok
        bert        : search base ou=it,dc=x                   -> ok
        bert        : search one ou=it,dc=x                    -> ok hides
        bert        : search sub ou=it,dc=x                    -> ok hides
        bert        : search base ou=desks,dc=x                -> ok
        bert        : search one ou=desks,dc=x                 -> ok hides
        bert        : search base cn=1,ou=desks,dc=x           -> 50 desks
        bert        : search base cn=a,cn=1,ou=desks,dc=x      -> ok
        anna+it     : search sub ou=it,dc=x                    -> ok it
        anna+it     : search base ou=it,dc=x                   -> ok
        anna+it     : search one ou=desks,dc=x                 -> ok it
        # Reach from above.
        bert        : search base dc=x                         -> ok
        bert        : search one dc=x                          -> ok hides
        bert        : search sub dc=x                          -> ok hides
        bert        : search children dc=x                     -> ok hides
        bert        : search sub ou=people,dc=x                -> ok
        anna+reader : search sub dc=x                          -> ok reader hides
        anna+viewer : search sub dc=x                          -> ok viewer
        anna+reader : search sub ou=people,dc=x                -> ok
        cleo        : search sub ou=letters,dc=x               -> ok
        cleo        : search sub dc=x                          -> ok hides
        # Aliases lead anywhere.
        bert        : search-deref sub ou=people,dc=x          -> ok hides
        bert        : search-deref base dc=x                   -> ok hides
        # Entries of trees that are not served have to be dropped even so.
        anna+viewer : search-deref sub ou=people,dc=x          -> ok viewer hides
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn reads_and_writes_of_one_entry() {
    check(
        "
        bert        : compare cn=a,ou=payroll,dc=x             -> 50 payroll
        anna+reader : compare cn=a,ou=payroll,dc=x             -> ok reader
        anna+clerk  : compare cn=a,ou=letters,dc=x             -> ok
        bert        : compare cn=a,ou=vaults,dc=x              -> 50 vaults
        bert        : compare ou=vaults,dc=x                   -> ok
        bert        : modify cn=a,ou=people,dc=x               -> 50 writes
        anna+writer : modify cn=a,ou=people,dc=x               -> ok writer
        anna+writer : modify cn=a,ou=payroll,dc=x              -> 50 payroll
        anna+reader : modify cn=a,ou=payroll,dc=x              -> 50 payroll writes
        anna+editor : modify cn=a,ou=payroll,dc=x              -> ok editor
        anna+editor : modify cn=a,ou=people,dc=x               -> 50 writes
        anna+owner+writer : modify cn=a,ou=payroll,dc=x        -> ok owner writer
        cn=r1,ou=robots,dc=x : modify cn=a,ou=people,dc=x      -> ok
        cn=r1,ou=robots,dc=x : modify cn=a,ou=payroll,dc=x     -> 50 payroll
        bert        : add cn=a,ou=payroll,dc=x                 -> 50 payroll writes
        anna+writer : add cn=a,ou=people,dc=x                  -> ok writer
        # The parent is not touched.
        anna+writer : add cn=a,cn=card,ou=it,dc=x              -> ok writer
        anna+writer : add cn=1,ou=desks,dc=x                   -> 50 desks
        bert        : delete cn=a,ou=people,dc=x               -> 50 writes
        anna+writer : delete cn=a,ou=people,dc=x               -> ok writer
        anna+writer : delete cn=card,ou=it,dc=x                -> 50 card
        anna+writer+it : delete cn=card,ou=it,dc=x             -> ok it writer
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn trees_that_are_deleted_or_renamed() {
    check(
        "
        # Without tree delete only the entry goes; but the answer tells whether anything is directly below.
        anna+writer : delete ou=it,dc=x                        -> 50 card
        anna+writer+it : delete ou=it,dc=x                     -> ok it writer
        anna+writer : delete ou=letters2,ou=a,dc=x             -> ok writer
        anna+writer : delete ou=letters,dc=x                   -> 50 letters
        anna+writer+clerk : delete ou=letters,dc=x             -> ok clerk writer
        anna+writer : delete ou=it,dc=x !treedelete            -> 50 card
        anna+writer : delete ou=it,dc=x ?treedelete            -> 50 card
        anna+writer+it : delete ou=it,dc=x !treedelete         -> ok it writer [tree delete]
        anna+writer : delete ou=desks,dc=x !treedelete         -> 50 desks
        anna+writer : delete ou=letters,dc=x !treedelete       -> ok writer [tree delete]
        anna+writer@ou=it,dc=x+it : delete ou=it,dc=x !treedelete -> ok it writer [tree delete]
        anna+writer+it@cn=card,ou=it,dc=x : delete ou=it,dc=x !treedelete -> ok it writer [tree delete]
        anna+writer+it@cn=b,ou=it,dc=x : delete ou=it,dc=x !treedelete -> 50 card
        # The old name and what lies below it.
        anna+writer : rename cn=a,ou=people,dc=x cn=b          -> ok writer
        bert        : rename cn=a,ou=people,dc=x cn=b          -> 50 writes
        anna+writer : rename cn=a,ou=payroll,dc=x cn=b         -> 50 payroll
        anna+writer : rename ou=payroll,dc=x ou=b              -> 50 payroll
        anna+writer : rename ou=it,dc=x ou=b                   -> 50 card
        anna+writer : rename ou=desks,dc=x ou=b                -> 50 desks
        anna+writer+it : rename ou=it,dc=x ou=b                -> ok it writer
        # The new name and what lies below it.
        anna+writer : rename cn=a,ou=people,dc=x cn=a ou=payroll,dc=x -> 50 payroll
        anna+writer : rename cn=a,ou=people,dc=x cn=card ou=it,dc=x -> 50 card
        anna+writer : rename ou=a,dc=x ou=desks                -> 50 desks
        anna+writer : rename ou=a,dc=x ou=it                   -> 50 card
        anna+writer@ou=people,dc=x : rename cn=a,ou=people,dc=x cn=a ou=q,dc=x -> 50 writes
        # What is only protected from being read is not evaded by moving it.
        anna+writer : rename cn=a,ou=letters,dc=x cn=b         -> ok writer
        anna+writer : rename cn=a,ou=letters,dc=x cn=a ou=b,ou=letters,dc=x -> ok writer
        anna+writer : rename cn=a,ou=letters,dc=x cn=a ou=people,dc=x -> 50 letters
        anna+writer : rename ou=letters,dc=x ou=old            -> 50 letters
        anna+writer : rename ou=letters,dc=x OU=Letters        -> ok writer
        anna+writer+clerk : rename ou=letters,dc=x ou=old      -> ok clerk writer
        anna+mover  : rename ou=letters,dc=x ou=old            -> ok mover
        cleo+writer : rename cn=a,ou=letters,dc=x cn=a ou=people,dc=x -> ok writer
        anna+writer : rename cn=a,ou=vaults,dc=x cn=b          -> ok writer
        anna+writer : rename cn=a,ou=vaults,dc=x cn=b cn=c,ou=vaults,dc=x -> 50 vaults
        anna+writer : rename ou=vaults,dc=x ou=b               -> 50 vaults
        # Half of what it protects is not enough to take entries out.
        anna+writer+viewer : rename cn=a,ou=vaults,dc=x cn=b ou=people,dc=x -> 50 vaults
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn binds() {
    check(
        "
        -           : bind                                     -> ok
        -           : bind uid=bert,ou=people,dc=x             -> ok
        -           : bind uid=root,ou=admins,dc=x             -> 50 admins
        -           : bind UID=Root,OU=Admins,DC=X             -> 50 admins
        # The grant is that of the DN that is bound, not of the session.
        anna+oncall : bind uid=root,ou=admins,dc=x             -> 50 admins
        uid=root,ou=admins,dc=x+oncall : bind uid=root,ou=admins,dc=x -> ok oncall
        uid=root,ou=admins,dc=x+oncall : bind uid=toor,ou=admins,dc=x -> 50 admins
        uid=root,ou=admins,dc=x+oncall : bind uid=röot,ou=admins,dc=x -> 50 admins
        -           : bind uid=a,ou=payroll,dc=x               -> 50 payroll
        # Whom other names stand for is not known.
        -           : bind-other bert@x                        -> ok
        -           : bind-other <GUID=00112233>               -> ok
        # RFC 4513 5.1.2.
        -           : bind-empty uid=bert,ou=people,dc=x       -> 53
        -           : bind-empty uid=root,ou=admins,dc=x       -> 53
        -           : bind-other-empty bert@x                  -> 53
        -           : bind-v2 uid=bert,ou=people,dc=x          -> 2
        # Who that is, and whether they may, is decided when the directory has said it.
        -           : bind-sasl EXTERNAL                       -> ok
        -           : bind-sasl PLAIN                          -> ok
        -           : bind-sasl plain                          -> ok
        -           : bind-sasl SCRAM-SHA-256-PLUS             -> 7
        -           : bind-sasl ANONYMOUS                      -> 7
        -           : bind-choice                              -> 7
        # Names outside of the trees can be somebody, too.
        -           : bind cn=manager                          -> ok
        ",
        || policy(POLICY),
        |_| {},
    );
    check(
        "
        -           : bind-other bert@x                        -> ok
        -           : bind uid=root,ou=admins,dc=x             -> ok
        ",
        || policy("resource payroll subtree ou=payroll,dc=x search"),
        |_| {},
    );
}

#[test]
fn extended_operations() {
    check(
        "
        -           : whoami                                   -> ok
        bert        : whoami                                   -> ok
        bert        : cancel                                   -> ok
        bert        : unbind                                   -> ok
        bert        : abandon                                  -> ok
        bert        : starttls                                 -> 1
        bert        : extended 1.3.6.1.1.21.1                  -> 2
        bert        : password                                 -> 50 writes
        bert        : password ''                              -> 50 writes
        bert        : password uid=anna,ou=people,dc=x         -> 50 writes
        anna+writer : password uid=a,ou=payroll,dc=x           -> 50 payroll
        anna+writer : password dn:uid=a,ou=payroll,dc=x        -> 50 payroll
        anna+writer : password DN:uid=a,ou=payroll,dc=x        -> 50 payroll
        anna+writer : password dn:uid=a,ou=people,dc=x         -> ok writer
        anna+writer : password                                 -> ok writer
        # A name that is no DN could be any that is protected.
        anna+writer : password u:anna                          -> 50 card desks payroll
        anna+writer : password anna                            -> 50 card desks payroll
        anna+writer : password dn:                             -> 50 card desks payroll
        anna+writer+owner+it : password anna                   -> ok it owner writer
        anna+writer+owner+it@ou=it,dc=x : password anna        -> 50 desks
        -           : password                                 -> ok
        -           : password uid=a,ou=people,dc=x            -> 50 writes
        uid=a,ou=payroll,dc=x+writer : password                -> 50 payroll
        ",
        || policy(POLICY),
        |_| {},
    );
    check(
        "
        bert        : password                                 -> ok
        bert        : password anna                            -> ok
        ",
        || policy("resource payroll subtree ou=payroll,dc=x search"),
        |_| {},
    );
}

#[test]
fn other_trees() {
    check(
        "
        -           : search base                              -> ok
        -           : search-deref base                        -> ok
        -           : search base cn=subschema                 -> ok
        -           : search base CN=Subschema                 -> ok
        bert        : search sub cn=subschema                  -> 32
        bert        : modify cn=subschema                      -> 32
        bert        : search base cn=config                    -> 32
        bert        : search sub cn=monitor                    -> 32
        bert        : search sub dc=y                          -> 32
        bert        : search sub dc=xx                         -> 32
        bert        : search base dc=ẍ                         -> 32
        bert        : compare cn=config                        -> 32
        bert        : add cn=a,cn=config                       -> 32
        bert        : modify olcDatabase={0}config,cn=config   -> 32
        bert        : delete cn=a,dc=y                         -> 32
        bert        : password cn=admin,cn=config              -> 32
        anna+writer : rename cn=a,ou=people,dc=x cn=a cn=config -> 32
        anna+writer : rename cn=a,cn=config cn=a ou=people,dc=x -> 32
        # From above all trees: everything is in reach, and what is not served is dropped.
        bert        : search sub                               -> ok hides
        bert        : search one                               -> ok hides
        anna+viewer : search sub                               -> ok viewer hides
        ",
        || policy(POLICY),
        |_| {},
    );
    check(
        "
        -           : search base                              -> ok
        -           : search base cn=subschema                 -> ok
        -           : bind uid=bert,ou=people,dc=x             -> ok
        bert        : whoami                                   -> ok
        bert        : search base dc=x                         -> 52
        bert        : search sub                               -> 52
        bert        : search sub ou=payroll,dc=x               -> 52
        anna+owner  : modify cn=a,ou=payroll,dc=x              -> 52
        ",
        || policy(POLICY),
        |snapshot| {
            let subschema = snapshot.directory.subschema.clone();
            snapshot.directory =
                Arc::new(DirectoryFacts { naming_contexts: vec![], subschema, ..DirectoryFacts::default() });
        },
    );
}

#[test]
fn what_cannot_be_recorded() {
    check(
        "
        bert        : search sub ou=people,dc=x                -> ok
        bert        : search sub dc=x                          -> ok hides
        # Standing access is access.
        sync        : search sub ou=payroll,dc=x               -> 52
        sync        : search sub ou=people,dc=x                -> ok
        cn=r1,ou=robots,dc=x : modify cn=a,ou=people,dc=x      -> 52
        anna+reader : search sub ou=people,dc=x                -> ok
        anna+reader : search sub ou=payroll,dc=x               -> 52
        anna+reader : search sub dc=x                          -> 52
        anna+editor : modify cn=a,ou=payroll,dc=x              -> 52
        bert        : modify cn=a,ou=payroll,dc=x              -> 50 payroll writes
        uid=root,ou=admins,dc=x+oncall : bind uid=root,ou=admins,dc=x -> 52
        anna+writer+clerk : modify cn=a,ou=letters,dc=x ?preread -> 52
        ",
        || policy(POLICY),
        |snapshot| snapshot.recording = false,
    );
}

#[test]
fn monitoring() {
    let monitor = || {
        let mut policy = policy(POLICY);
        policy.mode = Mode::Monitor;
        policy
    };
    check(
        "
        bert        : search sub ou=payroll,dc=x               -> ok monitored payroll
        bert        : search sub ou=it,dc=x                    -> ok monitored card
        bert        : search sub ou=people,dc=x                -> ok
        bert        : search-deref sub ou=it,dc=x              -> ok hides monitored card
        bert        : search-deref sub ou=people,dc=x          -> ok hides
        bert        : modify cn=a,ou=payroll,dc=x              -> ok monitored payroll writes
        anna+editor : modify cn=a,ou=payroll,dc=x              -> ok editor
        bert        : password anna                            -> ok monitored card desks payroll writes
        -           : bind uid=root,ou=admins,dc=x             -> ok monitored admins
        bert        : search sub ou=it,dc=x !assertion         -> ok [assertion] monitored card
        # What is not understood is never forwarded.
        bert        : search sub ou=people,dc=x ?proxy2        -> 123
        bert        : search sub ou=people,dc=x !1.2.3.4       -> 12
        bert        : search sub ou=people,dc=x ?1.2.3.4       -> ok
        bert        : extended 1.2.3.4                         -> 2
        -           : bind-empty uid=bert,ou=people,dc=x       -> 53
        -           : bind-sasl OTP                            -> 7
        bert        : search sub cn=config                     -> 32
        ",
        monitor,
        |_| {},
    );
}

/// A table that is skipped must show.
#[test]
fn nothing_protected_means_nothing_refused() {
    let lines = check(
        "
        -           : search sub dc=x                          -> ok
        bert        : search sub dc=x !vlv !deref !assertion   -> ok hides-elsewhere [virtual list view] [dereference] [assertion]
        bert        : compare cn=a,dc=x                        -> ok
        bert        : add cn=a,dc=x                            -> ok
        bert        : modify cn=a,dc=x                         -> ok
        bert        : delete cn=a,dc=x !treedelete             -> ok [tree delete]
        bert        : rename cn=a,dc=x cn=b                    -> ok
        bert        : password u:anna                          -> ok
        -           : bind-other bert@x                        -> ok
        ",
        || policy(""),
        |_| {},
    );
    assert_eq!(lines, 9);
}
