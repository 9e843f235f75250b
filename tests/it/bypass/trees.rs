//! What lies outside the naming contexts, and what the gate says of itself.

use crate::support::gate::Setup;
use crate::support::ldap::{Client, SCOPE_BASE, Search, compare_request, delete_request, modify_request};
use crate::support::slapd::{BASE, Extra, ROOT_PASSWORD};
use crate::support::target::Target;

fn values(found: &crate::support::ldap::Found, name: &str) -> Vec<String> {
    let attributes = &found.entries[0].attributes;
    let values = attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
    values.unwrap_or_default().iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

#[test]
fn other_trees_are_not_reachable() {
    let mut target = Target::gated(Extra::default(), Setup::default());
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut direct = Client::ldaps(port, &ca);
    assert_eq!(direct.bind("cn=config", ROOT_PASSWORD).code, 0);
    assert!(!direct.search(&Search::new("cn=config")).entries.is_empty(), "the test tests nothing");
    assert!(!direct.search(&Search::new("cn=monitor")).entries.is_empty(), "the test tests nothing");

    let before = target.slapd().log();
    let mut client = target.client();
    // Whoever administers the directory may bind, as ever; it opens nothing here.
    assert_eq!(client.bind("cn=config", ROOT_PASSWORD).code, 0);
    for tree in
        ["cn=config", "CN=Config", "cn=con\\66ig", "cn=monitor", "cn=accesslog", "cn=changelog", "dc=com", "o=other"]
    {
        for scope in 0..3 {
            let found = client.search(&Search::new(tree).scope(scope));
            assert!(found.answer.code != 0 && found.entries.is_empty(), "{tree} {scope}: {found:?}");
        }
        for operation in
            [compare_request(tree, "cn", "config"), modify_request(tree, 2, "cn", &[b"x"]), delete_request(tree)]
        {
            assert_ne!(client.ask(&operation, &[]).code, 0, "{tree}");
        }
    }
    let asked = target.slapd().log()[before.len()..].to_lowercase();
    let others = ["srch base=\"cn=", "cmp dn=\"cn=", "mod dn=\"cn=", "del dn=\"cn="];
    assert!(!others.iter().any(|other| asked.contains(other)), "the directory was asked: {asked}");
}

#[test]
fn everything_below_the_root_is_not_a_way_around() {
    let target = Target::gated(Extra::default(), Setup::default());
    let mut client = target.client();
    client.bind_as("alice");
    for scope in [1, 2] {
        let found = client.search(&Search::new("").scope(scope));
        assert!(found.dns().iter().all(|dn| !dn.contains("ou=payroll") || dn.contains("ou=aliases")), "{found:?}");
    }
}

#[test]
fn the_root_dse_says_what_the_gate_lets_through() {
    let target = Target::gated(Extra::default(), Setup::default());
    let mut client = target.client();
    for bound in [false, true] {
        if bound {
            client.bind_as("alice");
        }
        let root = client.search(&Search::new("").scope(SCOPE_BASE).attributes(&["+", "*"]));
        assert_eq!(root.answer.code, 0);
        assert_eq!(values(&root, "namingContexts"), [BASE]);
        let controls = values(&root, "supportedControl");
        assert!(
            controls.contains(&"1.2.840.113556.1.4.319".to_owned()),
            "paging works and is advertised: {controls:?}"
        );
        for refused in ["2.16.840.1.113730.3.4.18", "1.3.6.1.1.21.2", "1.3.6.1.4.1.4203.666.11.3"] {
            assert!(!controls.contains(&refused.to_owned()), "{refused}");
        }
        assert!(values(&root, "supportedExtension").contains(&"1.3.6.1.4.1.4203.1.11.3".to_owned()));
        for away in ["configContext", "monitorContext"] {
            assert_eq!(values(&root, away), Vec::<String>::new(), "{away}");
        }
        let schema = Search::new("cn=Subschema").scope(SCOPE_BASE).attributes(&["attributeTypes", "objectClasses"]);
        assert!(values(&client.search(&schema), "attributeTypes").len() > 100);
    }
}
