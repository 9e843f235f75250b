//! One name in many spellings: what slapd reads as protected, the gate reads as protected.

use crate::support::gate::Setup;
use crate::support::ldap::{SCOPE_BASE, Search, compare_request, delete_request, modify_request};
use crate::support::slapd::{BASE, Extra};
use crate::support::target::Target;

/// Spellings of `ou=payroll`, and whether slapd 2.5 takes them for it.
const SPELLINGS: &[(&str, bool)] = &[
    ("ou=payroll", true),
    ("OU = PayRoll ", true),
    ("2.5.4.11=payroll", true),
    ("organizationalUnitName=payroll", true),
    ("ou=pay\\72oll", true),
    ("ou=\\70\\61\\79\\72\\6f\\6c\\6c", true),
    ("ou=#0c07706179726f6c6c", false),
    ("ou=  payroll", true),
    ("ou=\\20payroll\\20", true),
    ("ou=\u{ff50}ayroll", true),
    ("ou=pay\u{ad}roll", false),
    ("OID.2.5.4.11=payroll", false),
    ("ou=\"payroll\"", true),
    ("ou;lang-de=payroll", true),
];

#[test]
fn every_spelling_of_a_protected_name_is_protected() {
    let mut target = Target::gated(Extra::default(), Setup::default());
    let port = target.slapd().ldaps;
    let ca = target.slapd().authority.ca.clone();
    let mut direct = crate::support::ldap::Client::ldaps(port, &ca);
    direct.bind_as("alice");
    let mut gated = target.client();
    gated.bind_as("alice");
    let mut taken = 0;
    for (spelling, expected) in SPELLINGS {
        let dn = format!("uid=e01,{spelling},{BASE}");
        let search = Search::new(&dn).scope(SCOPE_BASE);
        let reached = direct.search(&search).entries.len() == 1;
        assert!(reached || !expected, "slapd no longer reads {spelling} as ou=payroll: the test tests nothing");
        taken += usize::from(reached);
        for (what, answer) in [
            ("search", gated.search(&search).answer),
            ("compare", gated.ask(&compare_request(&dn, "sn", "Employee"), &[])),
            ("modify", gated.ask(&modify_request(&dn, 2, "title", &[b"taken"]), &[])),
            ("delete", gated.ask(&delete_request(&dn), &[])),
        ] {
            // 34: a form that RFC 4514 does not know, whatever slapd makes of it.
            assert!(matches!(answer.code, 50 | 34), "{what} of {dn}: {answer:?}");
        }
    }
    assert!(taken >= 8, "slapd takes only {taken} of the spellings");
}

#[test]
fn other_separators_and_forms_of_names_lead_nowhere() {
    let target = Target::gated(Extra::default(), Setup::default());
    let mut client = target.client();
    client.bind_as("alice");
    for dn in [
        "ou=payroll;dc=example;dc=com",
        "<GUID=0123456789abcdef0123456789abcdef>",
        "<SID=S-1-5-18>",
        "<WKGUID=a9d1ca15768811d1aded00c04fd8d5cd,dc=example,dc=com>",
        "/dc=com/dc=example/ou=payroll",
        "ou=payroll,dc=example,dc=com,",
        "ou=pay\\7",
        "ou",
    ] {
        for scope in 0..3 {
            let found = client.search(&Search::new(dn).scope(scope));
            assert!(found.entries.is_empty() && matches!(found.answer.code, 34 | 50), "{dn}: {found:?}");
        }
        assert!(matches!(client.ask(&delete_request(dn), &[]).code, 34 | 50), "{dn}");
    }
}

#[test]
fn the_policy_is_spelled_freely_too() {
    let policy = r#"
[[resource]]
name = "payroll"
base = "OU=Pay\\72oll , DC=EXAMPLE,0.9.2342.19200300.100.1.25=Com"
"#;
    let target = Target::gated(Extra::default(), Setup::default().policy(policy));
    let mut client = target.client();
    client.bind_as("alice");
    assert_eq!(client.search(&Search::new(format!("ou=payroll,{BASE}"))).summary(), (50, vec![]));
    assert_eq!(
        client.search(&Search::new(BASE).filter("(uid=e*)")).summary().1,
        [crate::support::slapd::person("erin")]
    );
}
