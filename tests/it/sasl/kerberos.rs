//! GSSAPI and GSS-SPNEGO with MIT Kerberos: a real KDC, slapd with a key, OpenLDAP's tools with a ticket.

use super::MAPPING;
use crate::support::command::{self, Ran};
use crate::support::gate::{Gate, Setup};
use crate::support::kerberos::Realm;
use crate::support::slapd::{Extra, Slapd, person};
use std::process::Command;

fn start(people: &[&str]) -> (Realm, Slapd) {
    let realm = Realm::start(people);
    let configuration = format!("sasl-host 127.0.0.1\n{MAPPING}");
    let slapd = Slapd::with(Extra { configuration, environment: realm.server(), ..Extra::default() });
    (realm, slapd)
}

/// The name in the URL is that of the service: it is not looked up.
fn who_am_i(realm: &Realm, gate: &Gate, name: &str, more: &[&str]) -> Ran {
    let mut command = Command::new("ldapwhoami");
    command.env("LDAPTLS_CACERT", &gate.authority.ca).env_remove("LDAPRC").envs(realm.login(name));
    command::run(command.args(["-N", "-Q", "-H", &format!("ldaps://127.0.0.1:{}", gate.ldaps)]).args(more))
}

#[test]
fn tickets_pass_step_by_step_without_a_security_layer() {
    let (realm, slapd) = start(&["alice", "bob"]);
    let gate = Setup::default().start(&slapd);
    for name in ["alice", "bob"] {
        let right = who_am_i(&realm, &gate, name, &["-Y", "GSSAPI", "-O", "maxssf=0"]);
        assert_eq!(right.stdout.trim(), format!("dn:{}", person(name)), "{right:?}");
    }
    let record = gate.audit.wait_for("of Alice", |record| record["subject"] == person("alice").as_str());
    assert_eq!(record["authentication"], "sasl:GSSAPI");
    // slapd offers layers, and the tool takes one where it is not told otherwise: nothing could be read behind it.
    let bound = || slapd.log().matches(" mech=GSSAPI bind_ssf=").count();
    let before = bound();
    assert!(before > 0, "{}", slapd.log());
    let layer = who_am_i(&realm, &gate, "alice", &["-Y", "GSSAPI"]).expect(53);
    assert!(layer.stderr.contains("maxssf=0"), "{layer:?}");
    assert_eq!(bound(), before, "slapd has bound nobody");
}

#[test]
fn negotiation_passes_as_well() {
    let (realm, slapd) = start(&["alice"]);
    let gate = Setup::default().start(&slapd);
    let right = who_am_i(&realm, &gate, "alice", &["-Y", "GSS-SPNEGO", "-O", "maxssf=0"]);
    assert_eq!(right.stdout.trim(), format!("dn:{}", person("alice")), "{right:?}");
}
