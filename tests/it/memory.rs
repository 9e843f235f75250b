//! Memory: many idle sessions are cheap, and no number of clients makes the gate keep more than its budget.

use crate::bounds::beginning;
use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, modify_request};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::wire::Wire;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::time::Duration;

const SESSIONS: u64 = 1_000;
/// Of memory and of octets: KiB.
const MIB: u64 = 1024;

/// Both this process and the gate, which inherits the limit, hold many sockets.
fn raise_file_limit() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(soft.max(8_192)), hard).unwrap();
}

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

/// Sends what is taken at once, and no more.
fn send_what_is_taken(client: &mut Client, octets: &[u8]) {
    // A TLS client that cannot write tries to read.
    let moment = Some(Duration::from_millis(100));
    client.socket().set_write_timeout(moment).unwrap();
    client.socket().set_read_timeout(moment).unwrap();
    client.send_raw(octets);
}

#[test]
fn unfinished_messages_of_one_user_take_no_more_than_the_share_of_a_user() {
    raise_file_limit();
    let slapd = Slapd::start();
    let gate = Setup::default().listen_lines("message_timeout = \"10s\"").start(&slapd);
    let mut other = gate.client_as("bob");
    let before = gate.memory();
    // 24 x 12 MiB: each has room by itself, and they would take 288 MiB together.
    let octets = beginning(12 << 20, (12 << 20) - 1_000);
    let mut clients: Vec<Client> = (0..24).map(|_| gate.client_as("alice")).collect();
    let (mut kept, mut grown) = (0, 0);
    for client in &mut clients {
        send_what_is_taken(client, &octets);
        kept = kept.max(buffered(&gate));
        grown = grown.max(gate.memory().saturating_sub(before));
    }
    println!("24 unfinished messages of 12 MiB: {kept} KiB charged, {grown} KiB more resident");
    assert!((11 * MIB..=32 * MIB).contains(&kept), "{kept} KiB");
    assert!(grown < 80 * MIB, "{grown} KiB");
    // Nobody else waits for them.
    assert_eq!(other.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    // And they end by themselves, those for whom there was no room too.
    for mut client in clients {
        eventually("it ends", || client.is_closed().then_some(()));
    }
    let ended: f64 = ["max_buffered_bytes", "message_timeout"]
        .iter()
        .map(|bound| gate.metric(&format!("tidegate_bounds_reached_total{{bound=\"{bound}\"}}")))
        .sum();
    assert_eq!(ended, 24.0);
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
    // 60 x 1,000 searches with filters of 12 KiB, none of which is answered: 720 MiB of requests.
    let filter = format!("(description={})", "y".repeat(12 << 10));
    let search = Search::new(format!("ou=people,{BASE}")).filter(&filter).encoded();
    let burst: Vec<u8> = (1..=1_000).flat_map(|id| crate::support::ldap::message(id, &search, &[])).collect();
    let mut clients: Vec<Client> = (0..60).map(|_| gate.client()).collect();
    for client in &mut clients {
        send_what_is_taken(client, &burst);
    }
    let (kept, grown) = (buffered(&gate), gate.memory().saturating_sub(before));
    println!("60 strangers with 1,000 searches each: {kept} KiB charged, {grown} KiB more resident");
    assert!(kept <= 8 * MIB, "{kept} KiB");
    assert!(grown < 64 * MIB, "{grown} KiB");
    wire.hold(false);
    assert_eq!(other.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    drop(clients);
    eventually("all is given back", || (buffered(&gate) == 0).then_some(()));
}

#[test]
fn answers_that_nobody_reads_take_no_more_than_the_share_of_a_user() {
    raise_file_limit();
    let slapd = Slapd::with(Extra { big: (400, 20_000), ..Extra::default() });
    let gate = Setup::default().start(&slapd);
    let mut other = gate.client_as("bob");
    let before = gate.memory();
    // 8 MB for each of 150 who do not read: a megabyte would be queued for each, and as much again on its way.
    let all = Search::new(format!("ou=big,{BASE}")).attributes(&["*"]).encoded();
    let mut clients: Vec<Client> = (0..150).map(|_| gate.client_as("alice")).collect();
    for client in &mut clients {
        client.send(&all, &[]);
    }
    let (kept, grown) = (buffered(&gate), gate.memory().saturating_sub(before));
    println!("150 clients that do not read: {kept} KiB charged, {grown} KiB more resident");
    assert!(kept <= 32 * MIB, "{kept} KiB");
    assert!(grown < 110 * MIB, "{grown} KiB");
    assert_eq!(other.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    // Who reads gets everything.
    let found = clients.pop().map(|mut client| client.collect(2)).expect("a client");
    assert_eq!((found.answer.code, found.entries.len()), (0, 401));
    drop(clients);
    eventually("all is given back", || (buffered(&gate) == 0).then_some(()));
}
