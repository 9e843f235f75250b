//! What lies outside the naming contexts, and what the gate says of itself.

use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, compare_request, delete_request, modify_request};
use crate::support::slapd::{BASE, Extra, ROOT_PASSWORD};
use crate::support::target::Target;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

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

/// What the gate says at its control socket when it is asked whether it is ready.
fn ready(gate: &Gate) -> serde_json::Value {
    let mut socket = UnixStream::connect(&gate.control).unwrap();
    socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap_or_default()).unwrap()
}

/// A directory that writes down what is written, and shows its tree under two other names.
fn with_logs_and_relays() -> Extra {
    Extra {
        configuration: "moduleload accesslog\nmoduleload back_relay\nmoduleload rwm\nmoduleload back_null\n\
                        database null\nsuffix cn=accesslog\nrootdn cn=accesslog\n\
                        database null\nsuffix o=more\n"
            .to_owned(),
        database: format!(
            "database relay\nsuffix dc=virtual\nrelay {BASE}\noverlay rwm\nrwm-suffixmassage {BASE}\n\
             database relay\nsuffix ou=copy,o=Virtual\nrelay {BASE}\noverlay rwm\nrwm-suffixmassage {BASE}\n"
        ),
        ..Extra::default()
    }
}

#[test]
fn by_default_only_trees_of_ordinary_data_are_served() {
    let mut target = Target::gated(with_logs_and_relays(), Setup::default().trees_by_default());
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut direct = Client::ldaps(port, &ca);
    direct.bind_as("alice");
    let contexts = values(&direct.search(&Search::new("").scope(SCOPE_BASE).attributes(&["+"])), "namingContexts");
    for context in ["cn=accesslog", "dc=virtual", "o=more", "ou=copy,o=Virtual", BASE] {
        assert!(contexts.iter().any(|found| found.eq_ignore_ascii_case(context)), "{context}: {contexts:?}");
    }
    let hidden = "uid=e01,ou=payroll,dc=virtual";
    assert_eq!(direct.search(&Search::new(hidden)).dns(), [hidden], "the test tests nothing");

    let mut client = target.client();
    client.bind_as("alice");
    for tree in [
        "cn=accesslog",
        "CN=AccessLog",
        "cn=config",
        "cn=monitor",
        "dc=virtual",
        "DC=Virtual",
        "ou=copy,o=Virtual",
        "o=more",
    ] {
        for scope in 0..4 {
            let found = client.search(&Search::new(tree).scope(scope));
            assert_eq!((found.answer.code, found.entries.len()), (32, 0), "{tree} {scope}: {found:?}");
        }
        assert_eq!(client.ask(&modify_request(tree, 2, "description", &[b"x"]), &[]).code, 32, "{tree}");
    }
    for name in [hidden, "uid=e01,ou=payroll,ou=copy,o=Virtual"] {
        assert_eq!(client.ask(&compare_request(name, "uid", "e01"), &[]).code, 32, "{name}");
    }
    assert_eq!(client.search(&Search::new(BASE).scope(SCOPE_BASE)).dns(), [BASE]);
    let root = client.search(&Search::new("").scope(SCOPE_BASE).attributes(&["namingContexts"]));
    assert_eq!(values(&root, "namingContexts"), [BASE]);
    // It is said which.
    let log = target.gate().errors();
    for said in ["trees that are served", "cn=accesslog", "dc=virtual", "ou=copy,o=Virtual"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let ready = ready(target.gate());
    assert_eq!(ready["trees"], serde_json::json!([BASE]));
    let left_out: Vec<&str> =
        ready["left_out"].as_array().unwrap().iter().filter_map(|tree| tree["tree"].as_str()).collect();
    assert!(left_out.iter().any(|tree| tree.eq_ignore_ascii_case("dc=virtual")), "{ready}");
}
