//! SASL against a real slapd with Cyrus SASL, with OpenLDAP's own tools.

mod external;
mod kerberos;

use crate::support::command::{self, Ran};
use crate::support::gate::{Gate, Setup};
use crate::support::slapd::{Extra, Slapd, person};
use std::path::Path;
use std::process::Command;

/// slapd's own passwords, which are in clear there, for people by their `uid`.
const MAPPING: &str = "authz-regexp \"uid=([^,]*),.*cn=auth\" \"uid=$1,ou=people,dc=example,dc=com\"\n\
                       sasl-secprops none\n";

/// An account that may act for people, and for nobody else.
const PROXY: &str = "dn: cn=proxy,ou=services,dc=example,dc=com\nobjectClass: organizationalRole\n\
                     objectClass: simpleSecurityObject\ncn: proxy\nuserPassword: proxy-secret\n\
                     authzTo: dn.children:ou=people,dc=example,dc=com\n\n";

fn slapd() -> Slapd {
    Slapd::with(Extra { configuration: MAPPING.to_owned(), ldif: PROXY.to_owned(), ..Extra::default() })
}

fn who_am_i(gate: &Gate, more: &[&str], certificate: Option<(&Path, &Path)>) -> Ran {
    let mut command = Command::new("ldapwhoami");
    command.env("LDAPTLS_CACERT", &gate.authority.ca).env_remove("LDAPRC");
    command.args(["-H", &format!("ldaps://127.0.0.1:{}", gate.ldaps), "-Q"]).args(more);
    if let Some((certificate, key)) = certificate {
        command.env("LDAPTLS_CERT", certificate).env("LDAPTLS_KEY", key);
    }
    command::run(&mut command)
}

#[test]
fn passwords_pass_step_by_step() {
    let slapd = slapd();
    let gate = Setup::default().start(&slapd);
    for mechanism in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5"] {
        // Without limits on security layers: none is offered.
        let right = who_am_i(&gate, &["-Y", mechanism, "-U", "alice", "-w", "alice-secret"], None);
        assert_eq!(right.stdout.trim(), format!("dn:{}", person("alice")), "{mechanism}: {right:?}");
        who_am_i(&gate, &["-Y", mechanism, "-U", "alice", "-w", "wrong"], None).expect(49);
    }
}
