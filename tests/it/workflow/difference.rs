//! What a configuration opens, closes and ends is said before and after it is taken over, and recorded.

use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{SCOPE_BASE, Search, tag};
use crate::support::slapd::{BASE, Slapd, person};
use crate::support::wire::Wire;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The gate's configuration with the payroll open to writes, and without the role of those who read it.
fn other(gate: &Gate) -> String {
    let text = std::fs::read_to_string(&gate.configuration).unwrap();
    let text = text.replace(
        "base = \"ou=payroll,dc=example,dc=com\"\n",
        "base = \"ou=payroll,dc=example,dc=com\"\noperations = [\"search\", \"compare\"]\n",
    );
    text.replace("name = \"payroll-reader\"", "name = \"payroll-viewer\"")
}

/// Another file beside the gate's.
fn beside(gate: &Gate, text: &str) -> PathBuf {
    let path = gate.folder.path().join("new.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn digest(text: &str) -> String {
    let mut command = std::process::Command::new("sha256sum");
    crate::support::command::feed(&mut command, text.as_bytes()).expect(0).stdout[..16].to_owned()
}

#[track_caller]
fn has(lines: &Value, what: &str) {
    let found = lines.as_array().is_some_and(|lines| lines.iter().any(|line| line.as_str().unwrap().contains(what)));
    assert!(found, "{what}: {lines:#}");
}

#[test]
fn it_is_said_before_and_after_and_recorded() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start_before();
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let mut client = gate.client_as("alice");
    let before = std::fs::read_to_string(&gate.configuration).unwrap();
    let after = other(&gate);
    let new = beside(&gate, &after);
    // A search that is under way.
    wire.hold(true);
    let id = client.send(&Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE).encoded(), &[]);
    wire.wait_for("the search", |heard| {
        heard.tag == tag::SEARCH && heard.body.windows(7).any(|part| part == b"payroll")
    });

    let check = ["check", "--config", new.to_str().unwrap(), "--against-running"];
    let asked = gate.json("root-admin", &check);
    assert_eq!(asked["errors"], json!([]));
    std::fs::write(&gate.configuration, &after).unwrap();
    let dry = gate.json("root-admin", &["reload", "--dry-run"]);
    assert_eq!((&dry["dry_run"], &dry["difference"]), (&json!(true), &asked["difference"]));
    assert_eq!(gate.json("alice", &["show", &grant])["state"], "active");
    assert!(!gate.audit.text().contains("\"reloaded\""), "nothing was");

    let table = gate.cli("root-admin", &check).expect(0).stdout;
    assert!(table.contains("\nOPENS ") && table.contains("would end  "), "{table}");
    let done = gate.json("root-admin", &["reload"]);
    assert_eq!(done["difference"], asked["difference"]);
    let difference = &done["difference"];
    has(&difference["opens"], "resource \"payroll\" protects search, compare at and below");
    has(&difference["opens"], "role \"payroll-viewer\" is new");
    has(&difference["closes"], "role \"payroll-reader\" is gone");
    assert_eq!(difference["ends"][0]["grant"], json!(grant));
    assert_eq!(difference["ends"][0]["subject"], json!(person("alice")));
    has(&json!([difference["ends"][0]["reason"]]), "the role payroll-reader is no longer configured");
    assert_eq!(difference["sessions_cut"], 1);
    assert_eq!((&difference["before"], &difference["after"]), (&json!(digest(&before)), &json!(digest(&after))));
    assert_eq!(client.collect(id).answer.code, 50, "cut while the directory says nothing");
    wire.hold(false);

    let record = gate.audit.wait_for("the reload", |record| record["event"] == "reloaded");
    for (recorded, said) in
        [("opens", "opens"), ("changes", "changes"), ("closes", "closes"), ("sessions_cut", "sessions_cut")]
    {
        let said = if difference[said].is_null() { json!([]) } else { difference[said].clone() };
        assert_eq!(record[recorded], said, "{recorded}");
    }
    assert_eq!(
        (&record["configuration_before"], &record["configuration"]),
        (&difference["before"], &difference["after"])
    );
    assert_eq!(record["revoked"], json!([grant]));
    let started = gate.audit.wait_for("the start", |record| record["event"] == "started");
    assert_eq!(started["configuration"], difference["before"]);
    // What is in force now is what it is compared with.
    let again = gate.json("root-admin", &["reload", "--dry-run"])["difference"].clone();
    assert_eq!((&again["opens"], &again["closes"], &again["before"]), (&json!(null), &json!(null), &again["after"]));
}

#[test]
fn a_signal_says_it_in_the_log_of_the_process() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    std::fs::write(&gate.configuration, other(&gate)).unwrap();
    crate::support::command::run(std::process::Command::new("kill").args(["-HUP", &gate.pid().to_string()])).expect(0);
    gate.audit.wait_for("the reload", |record| record["event"] == "reloaded");
    let said = crate::support::eventually("it is said", || {
        Some(gate.errors()).filter(|errors| errors.contains("configuration reloaded"))
    });
    for line in ["opens: role \"payroll-viewer\" is new", "closes: role \"payroll-reader\" is gone", &grant] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let records = gate.audit.records();
    assert!(records.iter().any(|record| record["event"] == "reload" && record["signal"] == "HUP"));
}

#[test]
fn only_administrators_have_a_configuration_looked_at() {
    let slapd = Slapd::start();
    let gate = Setup::default().https().start(&slapd);
    let new = beside(&gate, &other(&gate).replace("max_duration = \"4h\"", "max_duration = \"long\""));
    let check = ["check", "--config", new.to_str().unwrap(), "--against-running"];
    // Whoever runs these tests runs the gate; over TLS nobody does.
    let body = json!({ "configuration": other(&gate), "against_running": true });
    for (who, expected) in [("alice", 403), ("erin", 403), ("root-admin", 200)] {
        let caller = crate::support::https::Https::new(&gate).logged_in(who, &crate::support::slapd::password(who));
        let answer = caller.post("/v1/policy/lint", &body);
        assert_eq!(answer.status, expected, "{who}: {answer:#?}");
    }
    let told = gate.cli("root-admin", &check).expect(1);
    assert!(
        told.stdout.contains(&format!("error: {}:", new.display())) && told.stdout.contains("\"long\""),
        "{told:#?}"
    );
    assert!(told.stdout.ends_with("not valid: 2 errors\n"), "{told:#?}");
}

/// Devices and pipes that the text of an administrator names.
#[test]
fn what_is_no_file_is_not_read() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let pipe = gate.folder.path().join("pipe");
    crate::support::command::run(std::process::Command::new("mkfifo").arg(&pipe)).expect(0);
    for path in ["/dev/zero", pipe.to_str().unwrap()] {
        let text = std::fs::read_to_string(&gate.configuration).unwrap();
        let new = beside(&gate, &text.replace("[tls]\n", &format!("[tls]\nclient_ca = \"{path}\"\n")));
        let told = gate.cli("root-admin", &["check", "--config", new.to_str().unwrap(), "--against-running"]).expect(1);
        assert!(told.stdout.contains("it is not a file"), "{told:#?}");
    }
}

/// The name of the file says nothing of who is believed.
#[test]
fn another_authority_in_the_same_file_is_told() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let other = tempfile::tempdir().unwrap();
    let ca = std::fs::read(&slapd.authority.ca).unwrap();
    std::fs::copy(crate::support::certs::Authority::new(other.path()).ca, &slapd.authority.ca).unwrap();
    let told = gate.json("root-admin", &["reload"]);
    has(&told["difference"]["changes"], "[directory] ca: ");
    std::fs::write(&slapd.authority.ca, ca).unwrap();
    has(&gate.json("root-admin", &["reload", "--dry-run"])["difference"]["changes"], "[directory] ca: ");
}
