//! EXTERNAL: client certificates, asserted to the directory; which of them are revoked.

use super::{slapd, who_am_i};
use crate::support::certs::Authority;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{
    Client, SCOPE_BASE, Search, add_request, compare_request, delete_request, modify_request, password_request,
    rename_request, sasl_request, tag,
};
use crate::support::slapd::{BASE, Slapd, password, person};
use crate::support::wire::Wire;
use std::path::{Path, PathBuf};

const PROXIED: &[u8] = b"2.16.840.1.113730.3.4.18";

const SUBJECT: &str = "certificate_subject = \"uid={cn},ou=people,dc=example,dc=com\"";

fn before(directory: &str) -> Setup {
    let proxy = "proxy_bind_dn = \"cn=proxy,ou=services,dc=example,dc=com\"\nproxy_bind_password_file = \"proxy\"";
    let setup = Setup::default().directory(format!("{directory}\n{proxy}")).file("proxy", "proxy-secret");
    setup.tls_lines(&format!("client_ca = \"ca.pem\"\n{SUBJECT}"))
}

fn over_tls(slapd: &Slapd) -> Setup {
    before(&format!("urls = [\"ldaps://localhost:{}\"]\nca = {:?}", slapd.ldaps, slapd.authority.ca))
}

/// A client with somebody's certificate.
fn client_of(gate: &Gate, name: &str) -> Client {
    let (certificate, key) = gate.authority.person(name);
    Client::ldaps_with(gate.ldaps, &gate.authority.ca, &certificate, &key)
}

#[test]
fn a_certificate_is_asserted_to_the_directory() {
    let slapd = slapd();
    let gate = over_tls(&slapd).start(&slapd);
    let (certificate, key) = gate.authority.person("alice");
    let shown = Some((certificate.as_path(), key.as_path()));
    let alice = who_am_i(&gate, &["-Y", "EXTERNAL"], shown);
    assert_eq!(alice.stdout.trim(), format!("dn:{}", person("alice")), "{alice:?}");
    who_am_i(&gate, &["-Y", "EXTERNAL", "-X", "dn:uid=bob,ou=people,dc=example,dc=com"], shown).expect(49);
    assert_ne!(who_am_i(&gate, &["-Y", "EXTERNAL"], None).code, 0, "without a certificate");
}

#[test]
fn every_request_says_whose_it_is_and_critically() {
    let slapd = slapd();
    let wire = Wire::to(slapd.ldap);
    let gate = before(&format!("urls = [\"ldap://127.0.0.1:{}\"]", wire.port)).start(&slapd);
    let mut client = client_of(&gate, "alice");
    assert_eq!(client.ask(&sasl_request("EXTERNAL"), &[]).code, 0);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
    let [one, two] = ["one", "two"].map(|name| format!("cn={name},ou=elsewhere,{BASE}"));
    let found = client.search(&Search::new(BASE).filter("(uid=alice)").limit(5));
    assert_eq!(found.summary(), (0, vec![person("alice").as_str()]));
    for (request, code) in [
        (add_request(&one, &[("objectClass", "person"), ("cn", "one"), ("sn", "x")]), 0),
        (modify_request(&one, 2, "description", &[b"x"]), 0),
        (compare_request(&one, "sn", "x"), 6),
        (rename_request(&one, "cn=two", None), 0),
        (delete_request(&two), 0),
        (password_request(None, b"new-secret"), 0),
    ] {
        assert_eq!(client.ask(&request, &[]).code, code, "{:#x}", request[0]);
    }
    let name = person("alice");
    let assertion = [PROXIED, &[1, 1, 0xff, 4, 3 + name.len() as u8], b"dn:", name.as_bytes()].concat();
    let says = |octets: &[u8]| octets.windows(assertion.len()).any(|window| window == assertion);
    let heard = wire.heard();
    let own = heard.iter().find(|message| says(&message.bytes)).expect("an assertion").connection;
    let mut kinds: Vec<u8> = Vec::new();
    for message in heard.iter().filter(|message| message.connection == own && message.tag != tag::BIND) {
        assert!(says(&message.bytes), "{:#x} is done as the gate: {:x?}", message.tag, message.bytes);
        kinds.push(message.tag);
    }
    for expected in [tag::SEARCH, tag::ADD, tag::MODIFY, tag::COMPARE, tag::RENAME, tag::DELETE, tag::EXTENDED] {
        assert!(kinds.contains(&expected), "{expected:#x} was not sent there");
    }
    // Who binds after it does so over another connection, as themselves.
    assert_eq!(client.bind(&person("bob"), password("bob")).code, 0);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("bob")));
    let since: Vec<_> = wire.heard().into_iter().skip(heard.len()).filter(|m| m.tag != tag::UNBIND).collect();
    assert!(since.len() >= 2 && since.iter().all(|message| message.connection != own && !says(&message.bytes)));
}

#[test]
fn a_login_that_is_protected_is_so_with_a_certificate() {
    let slapd = slapd();
    let login = r#"
[[resource]]
name = "login"
base = "uid=alice,ou=people,dc=example,dc=com"
operations = ["bind"]

[[role]]
name = "login"
allow = [{ resource = "login" }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "1h"
"#;
    let gate = over_tls(&slapd).and(login).start(&slapd);
    let external = sasl_request("EXTERNAL");
    let mut client = client_of(&gate, "alice");
    let refused = client.ask(&external, &[]).code;
    assert_eq!(refused, 50);
    assert_eq!(client_of(&gate, "bob").ask(&external, &[]).code, 0, "Bob's is not protected");
    let grant = gate.granted("alice", "login", &[]);
    assert_eq!(client.ask(&external, &[]).code, 0);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
    let record = gate.audit.wait_for("of the bind", |r| r["operation"] == "bind" && r["grant"] == grant.as_str());
    assert_eq!(record["authentication"], "sasl:EXTERNAL");
    gate.cli("alice", &["release", &grant]).expect(0);
    let notice = client.receive().expect("a notice of disconnection");
    assert_eq!(notice.notice_of_disconnection(), Some(50));
    assert!(client.is_closed());
    assert_eq!(client_of(&gate, "alice").ask(&external, &[]).code, refused);
}

/// A gate that asks for certificates of `clients`, with a list of those that are revoked.
fn with_list(slapd: &Slapd, clients: &Authority, list: &Path) -> Gate {
    let lines = format!("client_ca = {:?}\nclient_crl = {list:?}\n{SUBJECT}", clients.ca);
    over_tls(slapd).tls_lines(&lines).start(slapd)
}

#[test]
fn a_certificate_that_is_revoked_is_turned_away_and_a_reload_takes_a_new_list() {
    let slapd = slapd();
    let folder = tempfile::tempdir().unwrap();
    let clients = Authority::new(folder.path());
    let list = clients.revoke(&[7], 2100);
    let gate = with_list(&slapd, &clients, &list);
    let (alice, bob) = (clients.numbered("alice", 7), clients.numbered("bob", 8));
    let external =
        |(certificate, key): &(PathBuf, PathBuf)| who_am_i(&gate, &["-Y", "EXTERNAL"], Some((certificate, key)));
    assert_ne!(external(&alice).code, 0);
    assert_eq!(external(&bob).expect(0).stdout.trim(), format!("dn:{}", person("bob")));
    let mut before = Client::ldaps_with(gate.ldaps, &gate.authority.ca, &bob.0, &bob.1);
    assert_eq!(before.ask(&sasl_request("EXTERNAL"), &[]).code, 0);
    clients.revoke(&[8], 2100);
    gate.cli("root-admin", &["reload"]).expect(0);
    assert_eq!(external(&alice).expect(0).stdout.trim(), format!("dn:{}", person("alice")));
    assert_ne!(external(&bob).code, 0, "revoked since");
    assert_eq!(before.who_am_i(), format!("dn:{}", person("bob")), "what was open stays so");
}

#[test]
fn a_list_that_has_expired_lets_no_certificate_in() {
    let slapd = slapd();
    let folder = tempfile::tempdir().unwrap();
    let clients = Authority::new(folder.path());
    let list = clients.revoke(&[], 2021);
    let gate = with_list(&slapd, &clients, &list);
    let (certificate, key) = clients.numbered("bob", 8);
    let external = || who_am_i(&gate, &["-Y", "EXTERNAL"], Some((&certificate, &key)));
    assert_ne!(external().code, 0);
    let mut without = gate.client_as("bob");
    assert_eq!(without.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    clients.revoke(&[], 2100);
    gate.cli("root-admin", &["reload"]).expect(0);
    external().expect(0);
}
