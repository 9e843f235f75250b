//! Memory: many idle sessions are cheap, and no number of clients makes the gate keep more than its budget.

use crate::bounds::beginning;
use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, modify_request};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::wire::Wire;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::{ErrorKind, Read};
use std::time::Duration;

const SESSIONS: u64 = 1_000;
/// Of memory and of octets: KiB.
const MIB: u64 = 1024;

/// Both this process and the gate, which inherits the limit, hold many sockets.
fn raise_file_limit() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(soft.max(8_192)), hard).unwrap();
}

const ENDED: &str = "tidegate_bounds_reached_total{bound=\"max_buffered_bytes\"}";

/// What sessions keep beyond what is free to each, in KiB.
fn buffered(gate: &Gate) -> u64 {
    gate.metric("tidegate_buffered_bytes") as u64 / 1024
}

#[test]
fn a_thousand_idle_tls_sessions() {
    raise_file_limit();
    let slapd = Slapd::start();
    let gate = Setup::default().listen_lines("max_connections_per_address = 2000").start(&slapd);
    let mut warm: Vec<_> = (0..10).map(|_| gate.client()).collect();
    warm[0].search(&Search::new("").scope(SCOPE_BASE));
    let before = gate.memory();
    let mut sessions: Vec<_> = (0..SESSIONS).map(|_| gate.client()).collect();
    // Each has been served once, so that its buffers are there; the rootDSE needs no connection to the directory.
    for client in &mut sessions {
        assert_eq!(client.search(&Search::new("").scope(SCOPE_BASE)).answer.code, 0);
    }
    let grown = gate.memory().saturating_sub(before);
    println!("{SESSIONS} idle TLS sessions: {grown} KiB, {} octets each", grown * 1024 / SESSIONS);
    assert!(grown < 100 * SESSIONS, "{grown} KiB for {SESSIONS} sessions");
    for client in sessions.iter_mut().rev().take(10) {
        assert_eq!(client.search(&Search::new("").scope(SCOPE_BASE)).answer.code, 0);
    }
}

/// Waits until the gate has closed a connection, whatever it has said before.
fn ends(client: &Client) {
    let (mut socket, mut chunk) = (client.socket(), [0; 4096]);
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    eventually("it ends", || match socket.read(&mut chunk) {
        Ok(0) => Some(()),
        Ok(_) => None,
        Err(error) => (!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)).then_some(()),
    });
}

/// Sends what is taken at once, and no more.
fn send_what_is_taken(client: &mut Client, octets: &[u8], moment: Duration) {
    // A TLS client that cannot write tries to read.
    let moment = Some(moment);
    client.socket().set_write_timeout(moment).unwrap();
    client.socket().set_read_timeout(moment).unwrap();
    client.send_raw(octets);
}

#[test]
fn unfinished_messages_of_one_user_take_no_more_than_the_share_of_a_user() {
    raise_file_limit();
    let slapd = Slapd::start();
    let gate = Setup::default().listen_lines("message_timeout = \"5s\"").start(&slapd);
    let mut other = gate.client_as("bob");
    let before = gate.memory();
    // 12 x 12 MiB: each has room by itself, and they would take 144 MiB together.
    let octets = beginning(12 << 20, (12 << 20) - 1_000);
    let mut clients: Vec<Client> = (0..12).map(|_| gate.client_as("alice")).collect();
    let (mut kept, mut grown) = (0, 0);
    for client in &mut clients {
        send_what_is_taken(client, &octets, Duration::from_millis(100));
        kept = kept.max(buffered(&gate));
        grown = grown.max(gate.memory().saturating_sub(before));
    }
    println!("12 unfinished messages of 12 MiB: {kept} KiB charged, {grown} KiB more resident");
    assert!((11 * MIB..=32 * MIB).contains(&kept), "{kept} KiB");
    assert!(grown < 80 * MIB, "{grown} KiB");
    // Nobody else waits for them.
    assert_eq!(other.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    // And they end by themselves, those for whom there was no room too.
    clients.iter().for_each(ends);
    let ended: f64 = ["max_buffered_bytes", "message_timeout"]
        .iter()
        .map(|bound| gate.metric(&format!("tidegate_bounds_reached_total{{bound=\"{bound}\"}}")))
        .sum();
    assert_eq!(ended, 12.0);
    eventually("all is given back", || (buffered(&gate) == 0).then_some(()));
    let large = vec![b'x'; 2 << 20];
    let answer = other.ask(&modify_request(&person("bob"), 2, "description", &[&large]), &[]);
    assert_ne!(answer.code, 51, "{answer:?}");
}

#[test]
fn what_strangers_have_in_flight_takes_no_more_than_the_share_of_an_address() {
    raise_file_limit();
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start(&slapd);
    let mut other = gate.client_as("bob");
    let before = gate.memory();
    wire.hold(true);
    // 30 x 1,000 searches with filters of 12 KiB, none of which is answered: 360 MiB of requests.
    let filter = format!("(description={})", "y".repeat(12 << 10));
    let search = Search::new(format!("ou=people,{BASE}")).filter(&filter).encoded();
    let burst: Vec<u8> = (1..=1_000).flat_map(|id| crate::support::ldap::message(id, &search, &[])).collect();
    let mut clients: Vec<Client> = (0..30).map(|_| gate.client()).collect();
    for client in &mut clients {
        send_what_is_taken(client, &burst, Duration::from_millis(20));
    }
    let (kept, grown) = (buffered(&gate), gate.memory().saturating_sub(before));
    println!("30 strangers with 1,000 searches each: {kept} KiB charged, {grown} KiB more resident");
    assert!(kept <= 8 * MIB, "{kept} KiB");
    assert!(grown < 64 * MIB, "{grown} KiB");
    wire.hold(false);
    assert_eq!(other.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    drop(clients);
    eventually("all is given back", || (buffered(&gate) == 0).then_some(()));
}

/// A directory in which a search that nobody reads holds up no other, with 8 MB below `ou=big`; and that search.
fn with_big_answers() -> (Slapd, Vec<u8>) {
    let configuration = "threads 100".to_owned();
    let slapd = Slapd::with(Extra { big: (400, 20_000), configuration, ..Extra::default() });
    (slapd, Search::new(format!("ou=big,{BASE}")).attributes(&["*"]).encoded())
}

#[test]
fn answers_that_nobody_reads_take_no_more_than_the_share_of_a_user() {
    raise_file_limit();
    let (slapd, all) = with_big_answers();
    let gate = Setup::default().start(&slapd);
    let mut other = gate.client_as("bob");
    let before = gate.memory();
    // A megabyte would be queued for each, and as much again on its way.
    let mut clients: Vec<Client> = (0..80).map(|_| gate.client_as("alice")).collect();
    for client in &mut clients {
        client.send(&all, &[]);
    }
    eventually("the share is used up", || (buffered(&gate) > 30 * MIB).then_some(()));
    // Nobody else waits for them.
    let found = other.search(&Search::new(format!("ou=big,{BASE}")).attributes(&["*"]));
    assert_eq!((found.answer.code, found.entries.len()), (0, 401));
    let (kept, grown) = (buffered(&gate), gate.memory().saturating_sub(before));
    println!("80 clients that do not read: {kept} KiB charged, {grown} KiB more resident");
    assert!(kept <= 33 * MIB, "{kept} KiB");
    assert!(grown < 72 * MIB, "{grown} KiB");
    // Who reads gets everything, room or not.
    let found = clients.pop().map(|mut client| client.collect(2)).expect("a client");
    assert_eq!((found.answer.code, found.entries.len()), (0, 401));
    drop(clients);
    eventually("all is given back", || (buffered(&gate) == 0).then_some(()));
}

#[test]
fn answers_that_nobody_reads_give_way_when_others_need_the_room() {
    let (slapd, all) = with_big_answers();
    // A share of 16 MiB: who keeps some of it may do so until less than a quarter is left.
    let lines = "max_buffered_bytes = 134217728\nmessage_timeout = \"1s\"";
    let gate = Setup::default().listen_lines(lines).start(&slapd);
    let mut other = gate.client_as("bob");
    let mut clients = Vec::new();
    while buffered(&gate) <= 12 * MIB && gate.metric(ENDED) == 0.0 {
        let (before, mut client) = (buffered(&gate), gate.client_as("alice"));
        client.send(&all, &[]);
        clients.push(client);
        eventually("it keeps something", || (buffered(&gate) > before + MIB || gate.metric(ENDED) > 0.0).then_some(()));
    }
    let recorded = gate.audit.wait_for("the end", |line| line["reason"] == "others need the room of what is not read");
    assert_eq!(recorded["result"], 51);
    eventually("a quarter is free", || (buffered(&gate) <= 12 * MIB).then_some(()));
    // No more than it takes: the others may stay.
    assert!(clients.len() > 4 && gate.metric(ENDED) < 3.0, "{} of {}", gate.metric(ENDED), clients.len());
    assert_eq!(other.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
}
