//! What changes under a gate that runs, and how it ends.

use crate::support::gate::{Gate, POLICY, Setup};
use crate::support::ldap::{SCOPE_BASE, Search, modify_request};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::target::Target;

fn rewrite(gate: &Gate, change: impl Fn(String) -> String) {
    let text = std::fs::read_to_string(&gate.configuration).unwrap();
    std::fs::write(&gate.configuration, change(text)).unwrap();
}

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

#[test]
fn a_new_policy_is_felt_by_sessions_that_go_on() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = gate.client_as("alice");
    let people = Search::new(format!("ou=people,{BASE}"));
    assert_eq!(client.search(&people).answer.code, 0);
    let protect =
        "\n[[resource]]\nname = \"people\"\nbase = \"ou=people,dc=example,dc=com\"\noperations = [\"search\"]\n";
    rewrite(&gate, |text| text + protect);
    assert_eq!(client.search(&people).answer.code, 0, "what is written in a file changes nothing by itself");
    gate.cli("root-admin", &["reload"]).expect(0);
    assert_eq!(client.search(&people).answer.code, 50);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
}

#[test]
fn a_wrong_configuration_changes_nothing_and_is_told_in_full() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    gate.granted("alice", "payroll-reader", &[]);
    let mut client = gate.client_as("alice");
    rewrite(&gate, |text| {
        text.replace("max_duration = \"4h\"", "max_duration = \"long\"").replace("[policy]", "[policy]\nmode = \"off\"")
    });
    let told = gate.cli("root-admin", &["reload"]).expect(1);
    let all = told.stdout + &told.stderr;
    assert!(all.contains("long") && all.contains("mode"), "{all}");
    assert_eq!(client.search(&payroll()).answer.code, 0);
    assert_eq!(gate.client_as("bob").search(&payroll()).answer.code, 50);
}

#[test]
fn what_needs_a_restart_is_told_until_there_was_one_or_it_is_taken_back() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let needed =
        || gate.json("root-admin", &["reload"])["difference"]["needs_restart"].as_array().cloned().unwrap_or_default();
    assert!(needed().is_empty());
    let was = std::fs::read_to_string(&gate.configuration).unwrap();
    rewrite(&gate, |text| text + "\n[runtime]\nthreads = 3\n");
    for _ in 0..2 {
        assert_eq!(needed(), ["[runtime]"]);
    }
    rewrite(&gate, |_| was.clone());
    assert!(needed().is_empty());
}

#[test]
fn a_grant_ends_when_its_role_is_gone() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let mut client = gate.client_as("alice");
    assert_eq!(client.search(&payroll()).answer.code, 0);
    rewrite(&gate, |text| text.replace("name = \"payroll-reader\"", "name = \"another\""));
    gate.cli("root-admin", &["reload"]).expect(0);
    assert_eq!(client.search(&payroll()).answer.code, 50);
    assert_eq!(gate.json("alice", &["show", &grant])["state"], "revoked");
}

#[test]
fn new_certificates_are_used_and_old_connections_go_on() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut old = gate.client_as("alice");
    let other = tempfile::tempdir().unwrap();
    let authority = crate::support::certs::Authority::new(other.path());
    let (certificate, key) = authority.server("gate");
    std::fs::copy(certificate, gate.folder.path().join("gate.pem")).unwrap();
    std::fs::copy(key, gate.folder.path().join("gate.key")).unwrap();
    gate.cli("root-admin", &["reload"]).expect(0);
    let mut new = crate::support::ldap::Client::ldaps(gate.ldaps, &authority.ca);
    new.bind_as("bob");
    assert_eq!(old.who_am_i(), format!("dn:{}", person("alice")));
}

/// The file keeps its name when the authority that was in it is not to be trusted any more.
#[test]
fn a_directory_whose_authority_was_replaced_is_not_believed() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    assert_eq!(gate.client().bind(&person("alice"), "alice-secret").code, 0);
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(crate::support::certs::Authority::new(other.path()).ca, &slapd.authority.ca).unwrap();
    gate.cli("root-admin", &["reload"]).expect(0);
    assert_eq!(gate.client().bind(&person("alice"), "alice-secret").code, 52);
}

#[test]
fn it_takes_its_leave_and_ends_well() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    let mut client = gate.client_as("alice");
    assert_eq!(gate.stop("TERM"), Some(0), "{}", gate.errors());
    let last = client.receive().expect("a notice");
    assert_eq!(last.notice_of_disconnection(), Some(52), "{last:?}");
    assert_eq!(client.receive(), None);
    // Everything that was done is in the log.
    assert!(gate.audit.records().iter().any(|r| r["operation"] == "bind" && r["subject"].as_str().is_some()));
}

#[test]
fn every_resource_that_is_touched_must_be_held() {
    let overlapping = r#"
[[resource]]
name = "directory-writes"
base = "dc=example,dc=com"
operations = ["add", "modify", "delete", "rename", "password"]

[[role]]
name = "writer"
description = "Write in the archive"
allow = [{ resource = "directory-writes", operations = ["modify"], base = "ou=archive,ou=payroll,dc=example,dc=com" }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
"#;
    let target = Target::gated(Extra::default(), Setup::default().policy(POLICY).and(overlapping));
    let (gate, mut client) = (target.gate(), target.client());
    client.bind_as("alice");
    let mut modify = |dn: &str| client.ask(&modify_request(dn, 2, "title", &[b"x"]), &[]);
    let (old, e01) = (format!("uid=old,ou=archive,ou=payroll,{BASE}"), format!("uid=e01,ou=payroll,{BASE}"));
    let editor = gate.granted("alice", "payroll-editor", &[]);
    let told = modify(&old);
    assert_eq!(told.code, 50);
    assert!(told.message.contains("directory-writes"), "{told:?}");
    gate.granted("alice", "writer", &[]);
    assert_eq!((modify(&old).code, modify(&e01).code, modify(&person("bob")).code), (0, 50, 50));
    let record = gate.audit.wait_for("the modify", |r| r["operation"] == "modify" && r["result"] == 0);
    assert_eq!(record["role"].as_str().map(|roles| roles.split(',').count()), Some(2), "{record}");
    gate.cli("alice", &["release", &editor]).expect(0);
    assert_eq!(modify(&old).code, 50);
}
