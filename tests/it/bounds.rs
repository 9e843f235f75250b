//! Bounds on connections, time, wrong passwords and descriptors: what meets them, and what keeps working meanwhile.

use crate::support::ber::{integer, octets, tlv, tlv_long};
use crate::support::command::{run, tidegate};
use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::https::Https;
use crate::support::ldap::{Client, SCOPE_BASE, Search, bind_request, message, modify_request, tag};
use crate::support::slapd::{Slapd, password, person};
use crate::support::wire::{Heard, Wire};
use std::fs;
use std::process::Command;
use std::time::Duration;

fn root_dse() -> Search {
    Search::new("").scope(SCOPE_BASE)
}

fn ends(mut client: Client) {
    eventually("the connection ends", || client.is_closed().then_some(()));
}

fn code_of_notice(client: &mut Client) -> Option<i32> {
    client.receive().expect("a notice").notice_of_disconnection()
}

#[test]
fn one_address_takes_its_share_of_the_connections_and_others_are_served() {
    let slapd = Slapd::start();
    let gate = Setup::default().listen_lines("max_connections_per_address = 3").start(&slapd);
    let mut held: Vec<Client> = (0..3).map(|_| Client::plain_from(2, gate.ldap)).collect();
    held.iter_mut().for_each(|client| assert_eq!(client.search(&root_dse()).answer.code, 0));
    // Where no handshake comes first, the client is told why.
    let mut rejected = Client::plain_from(2, gate.ldap);
    assert_eq!(code_of_notice(&mut rejected), Some(51));
    ends(rejected);
    // Before TLS there is nothing to be said.
    ends(Client::plain_from(2, gate.ldaps));
    assert_eq!(Client::plain_from(3, gate.ldap).search(&root_dse()).answer.code, 0, "another address");
    assert_eq!(gate.metric("tidegate_bounds_reached_total{bound=\"max_connections_per_address\"}"), 2.0);
    held.pop();
    eventually("a place is free again", || {
        let mut client = Client::plain_from(2, gate.ldap);
        client.send(&root_dse().encoded(), &[]);
        (client.receive()?.tag == tag::ENTRY).then_some(())
    });
    // Once for the flood, not once for each; who came before the place was free belongs to it.
    gate.audit.wait_for("the sum", |line| {
        line["event"] == "bound reached"
            && line["bound"] == "max_connections_per_address"
            && line["times"].as_u64() >= Some(2)
    });
}

/// A handshake costs the gate far more than the client.
#[test]
fn one_address_begins_so_many_handshakes_a_minute_and_others_are_served() {
    let slapd = Slapd::start();
    let lines = "max_handshakes_per_minute = 3\nshared_addresses = [\"127.0.0.4\"]";
    let gate = Setup::default().listen_lines(lines).start(&slapd);
    for _ in 0..3 {
        assert_eq!(Client::plain_from(2, gate.ldap).search(&root_dse()).answer.code, 0);
    }
    assert_eq!(code_of_notice(&mut Client::plain_from(2, gate.ldap)), Some(51));
    ends(Client::plain_from(2, gate.ldaps));
    for address in [3, 4, 4, 4, 4] {
        assert_eq!(Client::plain_from(address, gate.ldap).search(&root_dse()).answer.code, 0, "{address}");
    }
    assert_eq!(gate.metric("tidegate_bounds_reached_total{bound=\"max_handshakes_per_minute\"}"), 2.0);
}

#[test]
fn an_address_behind_which_are_many_has_no_share() {
    let slapd = Slapd::start();
    let lines = "max_connections_per_address = 1\nshared_addresses = [\"127.0.0.2/31\"]";
    let gate = Setup::default().listen_lines(lines).start(&slapd);
    let mut held: Vec<Client> = (0..3).map(|_| Client::plain_from(2, gate.ldap)).collect();
    held.iter_mut().for_each(|client| assert_eq!(client.search(&root_dse()).answer.code, 0));
    let _one = Client::plain_from(4, gate.ldap);
    assert_eq!(code_of_notice(&mut Client::plain_from(4, gate.ldap)), Some(51));
}

#[test]
fn a_message_that_is_not_finished_in_time_ends_its_session_and_no_other() {
    let slapd = Slapd::start();
    let gate = Setup::default().listen_lines("message_timeout = \"1s\"").start(&slapd);
    let mut idle = gate.client_as("bob");
    let whole = message(7, &modify_request(&person("alice"), 2, "description", &[&[b'x'; 1000]]), &[]);
    let mut clients = [gate.client_as("alice"), gate.client(), Client::plain(gate.ldap)];
    for client in &mut clients {
        client.send_raw(&whole[..100]);
    }
    // One that goes on octet by octet is no better than one that stops: it ends while it is still sending.
    clients[0].socket().set_nonblocking(true).unwrap();
    let sent = whole[100..].iter().take_while(|octet| {
        std::thread::sleep(Duration::from_millis(50));
        clients[0].send_raw(&[**octet]);
        clients[0].socket().peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(sent.count() < 400, "a message may trickle for as long as it likes");
    clients[0].socket().set_nonblocking(false).unwrap();
    for client in &mut clients {
        assert_eq!(code_of_notice(client), Some(52));
    }
    clients.into_iter().for_each(ends);
    assert_eq!(gate.metric("tidegate_bounds_reached_total{bound=\"message_timeout\"}"), 3.0);
    assert_eq!(idle.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0, "who says nothing may stay");
    let recorded = gate.audit.wait_for("the end", |line| line["reason"] == "the message was not finished in time");
    assert_eq!(recorded["result"], 52);
}

#[test]
fn a_bind_that_is_not_answered_is_unavailable_and_what_is_said_later_does_not_count() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let directory = format!("urls = [\"ldap://127.0.0.1:{}\"]\nbind_timeout = \"1s\"", wire.port);
    let gate = Setup::default().directory(directory).start(&slapd);
    let mut client = gate.client();
    wire.hold(true);
    assert_eq!(client.bind(&person("alice"), password("alice")).code, 52);
    wire.hold(false);
    assert_eq!(client.who_am_i(), "", "nobody");
    assert_eq!(client.bind(&person("alice"), password("alice")).code, 0);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
    assert_eq!(gate.metric("tidegate_bounds_reached_total{bound=\"bind_timeout\"}"), 1.0);
}

fn has_name(heard: &Heard, name: &str) -> bool {
    String::from_utf8_lossy(&heard.body).to_lowercase().contains(name)
}

#[test]
fn a_flood_of_wrong_passwords_does_not_reach_the_directory() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let setup = Setup::default().plain_directory(wire.port).listen_lines("max_failed_binds_per_minute = 5");
    let gate = setup.start(&slapd);
    let codes: Vec<i32> = (0..4)
        .flat_map(|_| {
            let mut client = gate.client();
            // Spelled as it may be, and on as many connections as one likes.
            [person("alice"), person("ALICE").replace(',', ", ")].map(|name| client.bind(&name, "wrong").code)
        })
        .collect();
    assert_eq!(codes, [49, 49, 49, 49, 49, 51, 51, 51]);
    assert_eq!(gate.client().bind(&person("alice"), password("alice")).code, 51, "not even the right one is asked for");
    let binds = wire.heard().iter().filter(|heard| heard.tag == tag::BIND && has_name(heard, "alice")).count();
    assert_eq!(binds, 5);
    // Nor in other octets: the length of the message's id in its long form.
    let mut odd = gate.client();
    let parts = [tlv_long(0x02, &[9]), bind_request(&person("alice"), b"wrong")];
    odd.send_raw(&tlv(0x30, &parts.concat()));
    assert_eq!(odd.receive_for(9).answer().code, 51);
    gate.client_as("bob");
    let mut elsewhere = Client::plain_from(2, gate.ldap);
    elsewhere.start_tls(&gate.authority.ca);
    elsewhere.bind_as("alice");
    assert_eq!(gate.metric("tidegate_bounds_reached_total{bound=\"max_failed_binds_per_minute\"}"), 5.0);

    let off = Setup::default().listen_lines("max_failed_binds_per_minute = 0").start(&slapd);
    let mut client = off.client();
    assert!((0..30).all(|_| client.bind(&person("alice"), "wrong").code == 49));
}

#[test]
fn a_bind_whose_client_does_not_wait_for_the_answer_counts_as_failed() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let setup = Setup::default().plain_directory(wire.port).listen_lines("max_failed_binds_per_minute = 3");
    let gate = setup.start(&slapd);
    wire.hold(true);
    for asked in 1..=3 {
        let mut client = gate.client();
        client.send(&bind_request(&person("alice"), b"wrong"), &[]);
        let binds = || wire.heard().iter().filter(|heard| heard.tag == tag::BIND && has_name(heard, "alice")).count();
        eventually("the directory is asked", || (binds() == asked).then_some(()));
        drop(client);
        eventually("the session ends", || (gate.metric("tidegate_sessions{listener=\"ldaps\"}") == 0.0).then_some(()));
    }
    wire.hold(false);
    assert_eq!(gate.client().bind(&person("alice"), password("alice")).code, 51);
    gate.client_as("bob");
}

#[test]
fn clients_never_take_the_descriptors_of_administrators() {
    let slapd = Slapd::start();
    // As many as the doors' own clients: from one address, the share is not what is tried here.
    let lines = "max_connections = 5000\nmax_connections_per_address = 5000";
    let setup = Setup::default().listen_lines(lines).https().open_files(256);
    let gate = setup.control_lines("login_subject = \"uid={user},ou=people,dc=example,dc=com\"").start(&slapd);
    let limit = gate.metric("tidegate_sessions_limit") as usize;
    assert!((16..128).contains(&limit), "{limit}");
    assert!(gate.errors().contains("max_connections, which is lowered"), "{}", gate.errors());
    let grants = [(); 2].map(|()| gate.granted("alice", "payroll-reader", &[]));
    // Each with a connection to the directory, too.
    let held: Vec<Client> = (0..limit).map(|_| gate.client_as("alice")).collect();
    let waiting: Vec<Client> = (0..300).map(|_| Client::plain(gate.ldaps)).collect();
    waiting.into_iter().for_each(ends);
    gate.cli("root-admin", &["revoke", &grants[0], "--reason", "test"]).expect(0);
    let administrator = Https::new(&gate).logged_in("root-admin", &password("root-admin"));
    let answer =
        administrator.post(&format!("/v1/grants/{}/revoke", grants[1]), &serde_json::json!({ "reason": "test" }));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(held.len(), limit);
    let warned = run(tidegate(["check", "--config"]).arg(&gate.configuration)).expect(0).stdout;
    let warns = warned.contains("[listen] max_connections: 5000 clients take 10064 open files");
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    assert_eq!(warns, hard < 10_064, "{warned}");
}

/// Which timer the kernel keeps for connections of the gate: `keepalive`.
fn timers(filter: &str) -> Vec<String> {
    let listed = run(Command::new("ss").args(["-tnoH", "state", "established", filter])).expect(0).stdout;
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn vanished_peers_are_found_out_on_both_sides() {
    let slapd = Slapd::start();
    let gate = Setup::default().plain_directory(slapd.ldap).start(&slapd);
    let _clients = (gate.client_as("alice"), Client::plain(gate.ldap));
    for filter in [
        format!("( sport = :{} )", gate.ldaps),
        format!("( sport = :{} )", gate.ldap),
        format!("( dport = :{} )", slapd.ldap),
    ] {
        let lines = timers(&filter);
        let is_watched = |line: &String| line.contains("timer:(keepalive,") || line.contains("timer:(on,");
        assert!(!lines.is_empty() && lines.iter().all(is_watched), "{filter}: {lines:#?}");
    }
}

fn session_ids(gate: &Gate) -> Vec<String> {
    let listed = gate.json("root-admin", &["sessions"]);
    listed.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn sessions_of_two_runs_never_share_an_id() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    let first = gate.client_as("alice");
    let before = session_ids(&gate);
    drop(first);
    gate.stop("TERM");
    gate.launch();
    let mut again = gate.client_as("alice");
    let after = session_ids(&gate);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    let (run, number) = after[0].rsplit_once('-').unwrap();
    assert!(run.len() == 12 && number == "1" && before[0].as_str() < after[0].as_str(), "{before:?} {after:?}");
    gate.cli("root-admin", &["kill", &before[0], "--reason", "test"]).expect(1);
    gate.cli("root-admin", &["kill", &after[0], "--reason", "test"]).expect(0);
    assert_eq!(code_of_notice(&mut again), Some(52));
}

#[test]
fn the_memory_of_the_process_is_not_written_to_disk() {
    let slapd = Slapd::start();
    for (lines, expected) in [("", Some("0")), ("\n[runtime]\ncore_dumps = true\n", None)] {
        let gate = Setup::default().and(lines).start(&slapd);
        let limits = fs::read_to_string(format!("/proc/{}/limits", gate.pid())).unwrap();
        let own = fs::read_to_string("/proc/self/limits").unwrap();
        let of = |limits: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(of(&limits), expected.map_or_else(|| of(&own), str::to_owned), "{lines}");
    }
}

/// Nothing but the length of a message of this many octets, and some of it.
pub(crate) fn beginning(length: usize, sent: usize) -> Vec<u8> {
    let whole = tlv(0x30, &[integer(9), tlv(tag::MODIFY, &octets(vec![b'x'; length]))].concat());
    whole[..sent].to_vec()
}
