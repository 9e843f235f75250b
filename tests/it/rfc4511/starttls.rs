//! TLS: what is served before it, how it begins, and that nothing slips in underneath.

use crate::support::gate::Setup;
use crate::support::ldap::{
    Client, SCOPE_BASE, START_TLS, Search, WHO_AM_I, bind_request, compare_request, extended_request, message,
    modify_request, tag,
};
use crate::support::slapd::{BASE, Slapd, password, person};
use crate::support::wire::Wire;
use std::time::Duration;

#[test]
fn before_it_only_the_root_dse_is_served() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = Client::plain(gate.ldap);
    let root = client.search(&Search::new("").scope(SCOPE_BASE).attributes(&["supportedExtension"]));
    assert_eq!(root.summary(), (0, vec![""]));
    assert!(root.entries[0].attributes[0].1.contains(&START_TLS.as_bytes().to_vec()), "{root:?}");

    // RFC 4511 4.1.9: confidentialityRequired.
    for search in [Search::new(BASE), Search::new("").scope(1), Search::new("cn=Subschema").scope(SCOPE_BASE)] {
        assert_eq!(client.search(&search).summary(), (13, vec![]), "{search:?}");
    }
    for operation in [
        bind_request(&person("alice"), password("alice").as_bytes()),
        bind_request("", b""),
        compare_request(&person("alice"), "uid", "alice"),
        modify_request(&person("alice"), 2, "title", &[b"x"]),
        extended_request(WHO_AM_I, None),
    ] {
        assert_eq!(client.ask(&operation, &[]).code, 13, "{operation:02x?}");
    }
    assert!(!slapd.log().contains("uid=alice"), "the directory was asked");

    client.start_tls(&gate.authority.ca);
    client.bind_as("alice");
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
}

#[test]
fn a_password_sent_in_the_clear_is_recorded_without_it() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = Client::plain(gate.ldap);
    assert_eq!(client.bind(&person("alice"), "clear-and-wrong").code, 13);
    let record = gate.audit.wait_for("the refused bind", |r| r["operation"] == "bind" && r["result"] == 13);
    assert_eq!(record["tls"], "none", "{record}");
    assert!(!gate.audit.text().contains("clear-and-wrong"));
}

#[test]
fn who_does_not_begin_it_is_let_go() {
    let slapd = Slapd::start();
    let gate = Setup::default().listen_lines("start_tls_timeout = \"1s\"").start(&slapd);
    let mut silent = Client::plain(gate.ldap);
    let mut busy = Client::plain(gate.ldap);
    busy.start_tls(&gate.authority.ca);
    assert_eq!(silent.receive().and_then(|message| message.notice_of_disconnection()), Some(52));
    assert_eq!(silent.receive(), None);
    busy.bind_as("alice");
}

#[test]
fn an_idle_session_is_ended_and_a_busy_one_is_not() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().listen_lines("idle_timeout = \"1s\"").plain_directory(wire.port).start(&slapd);
    let (mut idle, mut busy) = (gate.client_as("bob"), gate.client_as("alice"));
    wire.slow_entries(Duration::from_millis(300));
    let id = busy.send(&Search::new(format!("ou=people,{BASE}")).encoded(), &[]);
    assert_eq!(idle.receive().and_then(|message| message.notice_of_disconnection()), Some(52));
    let mut last = busy.receive_for(id);
    while last.tag == tag::ENTRY {
        last = busy.receive_for(id);
    }
    assert_eq!(last.tag, tag::SEARCH_DONE, "{last:?}");
}

#[test]
fn octets_behind_the_request_close_the_connection() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let smuggled = message(2, &bind_request(&person("alice"), password("alice").as_bytes()), &[]);
    let mut client = Client::plain(gate.ldap);
    client.send_raw(&[message(1, &extended_request(START_TLS, None), &[]), smuggled].concat());
    while let Some(answer) = client.receive() {
        assert_ne!(answer.tag, tag::BIND_RESPONSE, "what came before TLS was served: {answer:?}");
        assert!(answer.id != 1 || answer.answer().code != 0, "TLS was begun over buffered octets: {answer:?}");
    }
    assert!(!slapd.log().contains("uid=alice"), "the directory was asked");
    gate.client_as("alice");
}

#[test]
fn it_cannot_be_begun_twice() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = Client::plain(gate.ldap);
    client.start_tls(&gate.authority.ca);
    // RFC 4511 4.14.2: operationsError; the session goes on.
    assert_eq!(client.extended(START_TLS, None).code, 1);
    client.bind_as("alice");
    let mut client = gate.client();
    assert_eq!(client.extended(START_TLS, None).code, 1);
    client.bind_as("alice");
}

#[test]
fn it_protects_the_way_to_the_directory() {
    let slapd = Slapd::start();
    let start_tls =
        |ca: &std::path::Path| format!("urls = [\"ldap://localhost:{}\"]\nstart_tls = true\nca = {ca:?}", slapd.ldap);
    let gate = Setup::default().directory(start_tls(&slapd.authority.ca)).start(&slapd);
    gate.client_as("alice");
    assert!(slapd.log().contains("TLS established"), "{}", slapd.log());
}
