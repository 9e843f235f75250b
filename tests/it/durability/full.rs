//! A full disk under the store: ends are in force and stay so over restarts; when there is room, the store recovers.

use super::disk::{Disk, can_mount};
use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search};
use crate::support::slapd::{BASE, Slapd, person};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

fn code(client: &mut Client) -> i64 {
    i64::from(client.search(&payroll()).answer.code)
}

/// What is counted, by its name.
fn metric(gate: &Gate, name: &str) -> f64 {
    let mut socket = UnixStream::connect(&gate.control).unwrap();
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}:\n{text}")).parse().unwrap()
}

fn failed(gate: &Gate) -> bool {
    metric(gate, "tidegate_store_failed") > 0.0
}

/// Fills the disk, and makes requests until the store has failed.
fn fill(disk: &Disk, gate: &Gate) {
    disk.fill();
    eventually("the store fails", || {
        let made = gate.cli("dave", &["request", "payroll-editor", "--reason", "HR-7"]);
        (made.code != 0).then_some(())
    });
    let made = gate.cli("dave", &["request", "payroll-editor", "--reason", "HR-7"]).expect(1);
    assert!(made.stderr.contains("the store failed"), "{made:#?}");
    assert!(failed(gate));
}

fn state(gate: &Gate, grant: &str) -> String {
    gate.json("erin", &["show", grant])["state"].as_str().unwrap_or("?").to_owned()
}

fn is_locked(gate: &Gate, name: &str) -> bool {
    let locks = gate.json("root-admin", &["locks"]);
    locks.as_array().expect("a list").iter().any(|lock| lock["subject"] == person(name))
}

#[test]
fn ends_on_a_full_disk_are_in_force_and_stay_so_over_restarts() {
    if !can_mount() {
        return;
    }
    let (slapd, disk) = (Slapd::start(), Disk::new());
    let mut gate = Setup::default().store_on(disk.store(), disk.holder()).start(&slapd);
    let revoked = gate.granted("alice", "payroll-reader", &[]);
    let released = gate.granted("alice", "payroll-editor", &[]);
    let locked = gate.granted("bob", "payroll-reader", &[]);
    let (mut alice, mut bob) = (gate.client_as("alice"), gate.client_as("bob"));
    assert_eq!((code(&mut alice), code(&mut bob)), (0, 0));
    fill(&disk, &gate);
    assert_eq!((code(&mut alice), code(&mut bob)), (0, 0), "what is open stays open");

    for (who, arguments) in [
        ("root-admin", &["revoke", &revoked, "--reason", "laptop lost"][..]),
        ("alice", &["release", &released]),
        ("root-admin", &["lock", &person("bob"), "--reason", "laptop lost"]),
    ] {
        let answer = gate.json(who, arguments);
        assert!(answer["note"].as_str().is_some_and(|note| note.contains("written first")), "{answer}");
    }
    assert_eq!((code(&mut alice), code(&mut bob)), (50, 50));
    // And the grant that the lock ended.
    assert!(metric(&gate, "tidegate_store_ends_unwritten") >= 3.0);
    gate.audit.wait_for("the end", |r| r["event"] == "revoked" && r["stored"] == false);

    // Still full: there is a gate, and it opens none of it.
    gate.stop("KILL");
    gate.launch();
    assert!(failed(&gate) && is_locked(&gate, "bob"));
    let (mut alice, mut bob) = (gate.client_as("alice"), gate.client_as("bob"));
    assert_eq!((code(&mut alice), code(&mut bob)), (50, 50));
    assert_eq!(alice.search(&Search::new(person("carol")).scope(SCOPE_BASE)).answer.code, 0);

    // With room again, without a restart: the session continues, and all that had ended has ended.
    disk.free();
    eventually("the store works", || (!failed(&gate)).then_some(()));
    for restarted in [false, true] {
        if restarted {
            gate.stop("KILL");
            gate.launch();
        }
        let ended = [&revoked, &released].map(|grant| state(&gate, grant));
        assert_eq!(ended, ["revoked", "released"], "{restarted}");
        eventually("what a lock ended is written", || (state(&gate, &locked) == "revoked").then_some(()));
        assert!(is_locked(&gate, "bob"), "{restarted}");
        assert_eq!(metric(&gate, "tidegate_store_ends_unwritten"), 0.0);
    }
    let mut again = gate.client_as("alice");
    assert_eq!(code(&mut again), 50);
    let request = gate.request("alice", "payroll-reader", &[]);
    gate.cli("frank", &["approve", &request]).expect(0);
    assert_eq!(code(&mut again), 0);
}

#[test]
fn a_store_goes_on_by_itself_when_there_is_room() {
    if !can_mount() {
        return;
    }
    let (slapd, disk) = (Slapd::start(), Disk::new());
    let mut gate = Setup::default().store_on(disk.store(), disk.holder()).start(&slapd);
    let kept = gate.granted("bob", "payroll-reader", &[]);
    let revoked = gate.granted("alice", "payroll-reader", &[]);
    let (mut alice, mut bob) = (gate.client_as("alice"), gate.client_as("bob"));
    for round in 0..3 {
        fill(&disk, &gate);
        if round == 0 {
            gate.cli("root-admin", &["revoke", &revoked, "--reason", "laptop lost"]).expect(0);
        }
        disk.free();
        eventually("the store works", || (!failed(&gate)).then_some(()));
        let new = gate.granted("alice", "payroll-editor", &[]);
        assert_eq!((code(&mut alice), code(&mut bob)), (0, 0), "{round}: sessions continue");
        gate.cli("alice", &["release", &new]).expect(0);
        assert_eq!((code(&mut alice), code(&mut bob)), (50, 0), "{round}");
    }
    let word = |word: &str| gate.audit.records().iter().filter(|record| record["event"] == word).count();
    assert_eq!((word("store.failed"), word("store.recovered"), word("revoked")), (3, 3, 1));
    gate.stop("TERM");
    gate.launch();
    assert_eq!((state(&gate, &revoked), state(&gate, &kept)), ("revoked".to_owned(), "active".to_owned()));
}
