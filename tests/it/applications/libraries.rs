//! The libraries under most applications, each with a program of `tests/it/clients`.

use crate::support::gate::Setup;
use crate::support::slapd::Extra;
use crate::support::target::{Target, same};

/// What the program is told is the same through the gate; and what it is told of what is protected.
#[track_caller]
fn served(interpreter: &str, script: &str, telling: &[&str]) -> (String, String) {
    let ran = same(|target| target.script(interpreter, script, &[]));
    assert_eq!((ran.code, ran.stdout.lines().last()), (0, Some("done")), "{}\n{}", ran.stdout, ran.stderr);
    for part in telling {
        assert!(ran.stdout.contains(part), "{part} in\n{}", ran.stdout);
    }
    let gated = Target::gated(Extra::default(), Setup::default());
    let guarded = gated.script(interpreter, script, &["protected"]);
    assert_eq!((guarded.code, guarded.stdout.lines().last()), (0, Some("done")), "{guarded:?}");
    (ran.stdout, guarded.stdout)
}

#[test]
fn net_ldap_of_perl() {
    let (told, guarded) = served(
        "perl",
        "net_ldap.pl",
        &["wrong password 49", "schema 0.9.2342.19200300.100.1.1 whole", "order root-admin frank", "compare 6"],
    );
    assert_eq!(told.matches("page 0").count(), 2 * 3, "{told}");
    let expected = "bind 0 LDAP_SUCCESS \nsalaries 0 LDAP_SUCCESS \nfound 0\nrecord 50 LDAP_INSUFFICIENT_ACCESS \n\
                    raise 50 LDAP_INSUFFICIENT_ACCESS \ndismiss 50 LDAP_INSUFFICIENT_ACCESS \n\
                    compare 50 LDAP_INSUFFICIENT_ACCESS \ndone\n";
    assert_eq!(guarded, expected);
}

/// Under GitLab.
#[test]
fn net_ldap_of_ruby() {
    let (_, guarded) =
        served("ruby", "net_ldap.rb", &["paged true", "login uid=alice,", "wrong false", "one 4", "delete 0"]);
    let expected = "login false\nusers 0\nusers 0 Success \nrecord 50 Insufficient Access Rights \nraise 50 Insufficient Access Rights \ndone\n";
    assert_eq!(guarded, expected);
}

#[test]
fn ldapjs() {
    let (_, guarded) = served("node", "ldapjs.js", &["wrong password 49", "\"uid\":\"bob\"", "again 68", "gone 32"]);
    let expected = "bind ok \nsalaries 0 0\nrecord 50 InsufficientAccessRightsError 0\n\
                    raise 50 InsufficientAccessRightsError \ncompare 50 InsufficientAccessRightsError \nunbind ok \ndone\n";
    assert_eq!(guarded, expected);
}

/// Under Jenkins, Keycloak and most of what is written in Java.
#[test]
fn jndi_of_java() {
    let telling = ["login ok", "wrong AuthenticationException 49", "pages true", "cn=away,ou=elsewhere", "pooled 1"];
    let (_, guarded) = served("java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC", "Jndi.java", &telling);
    let expected = "salaries 0 []\npages false\nrecord NoPermissionException 50\nraise NoPermissionException 50\n\
                    login NoPermissionException 50\ndone\n";
    assert_eq!(guarded, expected);
}

/// Nextcloud and phpLDAPadmin.
#[test]
fn ldap_of_php() {
    let (_, guarded) = served(
        "php",
        "php_ldap.php",
        &["wrong 49", "by uuid 0", "schema ", "memberof: cn=crew,", "children 4", "password 0"],
    );
    let expected = "bind 0 Success \nsalaries 0 Success \nrecord 50 Insufficient access \nraise 50 Insufficient access \n\
                    delete the tree 50\nlogin 50 Insufficient access \ndone\n";
    assert_eq!(guarded, expected);
}
