//! The directory behind the gate: which one is asked, and what happens when it is gone.

use crate::support::gate::Setup;
use crate::support::ldap::{SCOPE_BASE, Search, tag};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::wire::Wire;
use std::net::TcpListener;
use std::time::Duration;

fn alice() -> Search {
    Search::new(person("alice")).scope(SCOPE_BASE)
}

#[test]
fn lost_after_bind_the_client_is_told_and_nobody_else_takes_over() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start(&slapd);
    let (mut idle, mut busy) = (gate.client_as("alice"), gate.client_as("bob"));
    wire.slow_entries(Duration::from_millis(100));
    let id = busy.send(&Search::new(format!("ou=people,{BASE}")).encoded(), &[]);
    assert_eq!(busy.receive_for(id).tag, tag::ENTRY);
    wire.cut();
    for client in [&mut idle, &mut busy] {
        // RFC 4511 4.4.1: unavailable, then the end. Never another identity on a new connection.
        let codes: Vec<i32> = std::iter::from_fn(|| client.receive())
            .filter(|m| m.id == 0)
            .map(|m| m.notice_of_disconnection().unwrap_or_else(|| panic!("{m:?}")))
            .collect();
        assert_eq!(codes, [52]);
    }
    // And whoever runs the gate.
    let said = gate.errors();
    assert!(said.matches("the directory has closed the connection of a session").count() >= 2, "{said}");
    wire.slow_entries(Duration::ZERO);
    assert_eq!(gate.client_as("alice").search(&alice()).answer.code, 0);
}

#[test]
fn killed_for_good_it_is_unavailable_and_back_it_is_used_again() {
    let mut slapd = Slapd::with(Extra::default());
    let gate = Setup::default().start(&slapd);
    let mut bound = gate.client_as("alice");
    slapd.kill();
    let notice = bound.receive().expect("a notice");
    assert_eq!(notice.notice_of_disconnection(), Some(52));
    assert_eq!(bound.receive(), None);
    let mut client = gate.client();
    assert_eq!(client.bind(&person("alice"), "alice-secret").code, 52);
    assert_eq!(gate.client().search(&alice()).answer.code, 52);
    // The rest of the gate is there: what needs no directory is answered.
    gate.cli("root-admin", &["sessions"]).expect(0);
}

#[test]
fn urls_are_tried_in_order() {
    let (first, second) = (Slapd::start(), Slapd::start());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gate = Setup::default()
        .directory(format!(
            "urls = [\"ldap://127.0.0.1:{closed}\", \"ldap://127.0.0.1:{}\", \"ldap://127.0.0.1:{}\"]",
            first.ldap, second.ldap
        ))
        .start(&first);
    gate.client_as("alice");
    assert!(first.log().contains("uid=alice"), "the first that answers is used");
    assert!(!second.log().contains("uid=alice"));
    drop(first);
    gate.client_as("alice");
    assert!(second.log().contains("uid=alice"), "the next is used when the first is gone");
}

#[test]
fn one_that_hangs_up_without_a_word_is_not_asked_again_and_again() {
    let slapd = Slapd::start();
    let rude = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = rude.local_addr().unwrap().port();
    std::thread::spawn(move || rude.incoming().for_each(drop));
    let urls = format!("urls = [\"ldap://127.0.0.1:{port}\", \"ldap://127.0.0.1:{}\"]", slapd.ldap);
    let gate = Setup::default().directory(urls).start(&slapd);
    // Whoever met it first, the gate itself or this client, was told; the next is served.
    gate.client().bind(&person("alice"), "alice-secret");
    gate.client_as("alice");
}

#[test]
fn one_that_does_not_answer_is_given_up_in_time() {
    let slapd = Slapd::start();
    // Listens, but never answers; a full queue of connections does not even shake hands.
    let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    silent.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    silent.listen(0).unwrap();
    let address = silent.local_addr().unwrap().as_socket().unwrap();
    let filling: Vec<_> = (0..3)
        .filter_map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok())
        .collect();
    let gate = Setup::default()
        .directory(format!(
            "urls = [\"ldap://{address}\", \"ldap://127.0.0.1:{}\"]\nconnect_timeout = \"1s\"",
            slapd.ldap
        ))
        .start(&slapd);
    gate.client_as("alice");
    drop(filling);
}

#[test]
fn a_directory_that_cannot_be_trusted_is_not_used() {
    let (slapd, other) = (Slapd::start(), Slapd::start());
    let gate_for = |directory: String| Setup::default().directory(directory).start(&slapd);
    // Signed by somebody else; and a certificate for another name.
    for directory in [
        format!("urls = [\"ldaps://localhost:{}\"]\nca = {:?}", slapd.ldaps, other.authority.ca),
        format!("urls = [\"ldaps://127.0.0.2:{}\"]\nca = {:?}", slapd.ldaps, slapd.authority.ca),
    ] {
        let gate = gate_for(directory);
        assert_eq!(gate.client().bind(&person("alice"), "alice-secret").code, 52);
    }
    assert!(!slapd.log().contains("uid=alice"), "a password was sent to it: {}", slapd.log());
}
