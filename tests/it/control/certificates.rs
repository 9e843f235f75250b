//! Client certificates at the control port: which are taken, and for how long.

use crate::support::certs::Authority;
use crate::support::gate::{Gate, Setup};
use crate::support::https::Https;
use crate::support::slapd::{Slapd, person as dn};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A gate that takes certificates of `people`, with more lines about them.
fn open(people: &Authority, lines: &str) -> (Slapd, Gate) {
    let slapd = Slapd::start();
    let subject = "certificate_subject = \"uid={cn},ou=people,dc=example,dc=com\"";
    let lines = format!("client_ca = {:?}\n{subject}\n{lines}", people.ca);
    let gate = Setup::default().https().control_lines(&lines).start(&slapd);
    (slapd, gate)
}

/// Who the gate takes the holder of a certificate for; nobody, where the handshake fails.
fn who(gate: &Gate, files: &(PathBuf, PathBuf)) -> Option<String> {
    let https = Https::new(gate).with_certificate(files.clone());
    let mut stream = https.connect().unwrap();
    let request = format!("GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", gate.https);
    let _ = stream.write_all(request.as_bytes());
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    serde_json::from_str::<serde_json::Value>(body).unwrap()["subject"].as_str().map(str::to_owned)
}

fn with_list(people: &Authority, list: &Path) -> (Slapd, Gate) {
    open(people, &format!("client_crl = {list:?}"))
}

#[test]
fn only_certificates_that_are_good_for_it_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let people = Authority::new(folder.path());
    let (_slapd, gate) = open(&people, "");
    assert_eq!(who(&gate, &people.person("alice")), Some(dn("alice")));
    let client = people.special("bob", &[], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(who(&gate, &client), Some(dn("bob")));
    let server = people.special("bob", &["127.0.0.1"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert_eq!(who(&gate, &server), None, "a server's");
    let expired = people.special("bob", &[], |params| params.not_after = date_time_ymd(2021, 1, 1));
    assert_eq!(who(&gate, &expired), None, "expired");
    let early = people.special("bob", &[], |params| params.not_before = date_time_ymd(2090, 1, 1));
    assert_eq!(who(&gate, &early), None, "not yet good");
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    assert_eq!(who(&gate, &Authority::new(&other).person("alice")), None, "another authority's");
}

#[test]
fn one_that_is_revoked_is_turned_away_and_a_reload_takes_a_new_list() {
    let folder = tempfile::tempdir().unwrap();
    let people = Authority::new(folder.path());
    let list = people.revoke(&[7], 2100);
    let (_slapd, gate) = with_list(&people, &list);
    let (alice, bob) = (people.numbered("alice", 7), people.numbered("bob", 8));
    assert_eq!((who(&gate, &alice), who(&gate, &bob)), (None, Some(dn("bob"))));
    // On a connection that is open when the list changes.
    let https = Https::new(&gate).with_certificate(bob.clone());
    let mut before = https.connect().unwrap();
    let request = format!("GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", gate.https);
    let mut read = [0; 4096];
    before.write_all(request.as_bytes()).unwrap();
    let answered = before.read(&mut read).unwrap();
    assert!(read[..answered].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read[..answered]));
    people.revoke(&[8], 2100);
    gate.cli("root-admin", &["reload"]).expect(0);
    assert_eq!((who(&gate, &alice), who(&gate, &bob)), (Some(dn("alice")), None));
    before.write_all(request.as_bytes()).unwrap();
    let late = crate::support::https::answer(&mut before).unwrap();
    assert_eq!(late.problem(), (421, "show-again".to_owned()), "and the connection ends");
    https.hold_to_the_document("GET", "/v1/me", &late);
}

#[test]
fn a_list_that_has_expired_lets_no_certificate_in() {
    let folder = tempfile::tempdir().unwrap();
    let people = Authority::new(folder.path());
    let list = people.revoke(&[], 2021);
    let (_slapd, gate) = with_list(&people, &list);
    let bob = people.numbered("bob", 8);
    assert_eq!(who(&gate, &bob), None);
    assert_eq!(super::person(&gate, "bob").get("/v1/me").json()["subject"], json!(dn("bob")), "passwords still do");
    people.revoke(&[], 2100);
    gate.cli("root-admin", &["reload"]).expect(0);
    assert_eq!(who(&gate, &bob), Some(dn("bob")));
}
