//! The same with all of it: the real process in front of a real directory, requests approved over
//! its control socket, killed at any moment and started again.

use super::random_numbers;
use crate::support::command::{self, tidegate};
use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::slapd::Slapd;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

const ROUNDS: usize = 20;

/// Asks and approves until the gate is gone; returns the requests whose approval was acknowledged.
fn approve_until_it_dies(gate: &Gate, acknowledged: &Mutex<BTreeSet<String>>) {
    loop {
        let asked = gate.cli("alice", &["request", "payroll-reader", "--reason", "HR-7", "--output", "json"]);
        if asked.code != 0 {
            return;
        }
        let id = asked.json()["id"].as_str().expect("an id").to_owned();
        if gate.cli("bob", &["approve", &id]).code != 0 {
            return;
        }
        acknowledged.lock().unwrap().insert(id);
    }
}

#[test]
fn a_killed_gate_comes_back_with_all_that_it_acknowledged() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    let acknowledged = Mutex::new(BTreeSet::new());
    let mut random = random_numbers();
    for round in 0..ROUNDS {
        let before = acknowledged.lock().unwrap().len();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| approve_until_it_dies(&gate, &acknowledged));
            }
            eventually("an approval", || (acknowledged.lock().unwrap().len() > before).then_some(()));
            thread::sleep(Duration::from_micros(u64::from(random())));
            command::run(Command::new("kill").args(["-9", &gate.pid().to_string()])).expect(0);
        });
        gate.stop("KILL");
        gate.launch();
        check(&gate, &acknowledged.lock().unwrap(), round);
    }
    assert_eq!(gate.json("alice", &["explain", "search", "ou=payroll,dc=example,dc=com"])["decision"], "permitted");
}

fn check(gate: &Gate, acknowledged: &BTreeSet<String>, round: usize) {
    let (mut approved, mut grants) = (BTreeSet::new(), BTreeSet::new());
    for request in gate.json("alice", &["requests", "--all"]).as_array().expect("a list") {
        let id = request["id"].as_str().expect("an id").to_owned();
        assert_eq!(request["state"] == "approved", request["grant"].is_string(), "round {round}: {request}");
        if let Some(grant) = request["grant"].as_str() {
            approved.insert(id);
            grants.insert(grant.to_owned());
        }
    }
    let lost: Vec<_> = acknowledged.difference(&approved).collect();
    assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
    let active = gate.json("alice", &["grants", "--active"]);
    let active = active.as_array().expect("a list").iter().map(|grant| grant["id"].as_str().expect("an id").to_owned());
    assert_eq!(active.collect::<BTreeSet<_>>(), grants, "round {round}: what is open is what was approved");
}

#[test]
fn a_second_gate_on_the_same_store_says_who_has_it() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    // With a log of its own: a log is one process's as well.
    let text = fs::read_to_string(&gate.configuration).unwrap();
    let second = gate.folder.path().join("second.toml");
    fs::write(&second, text.replace(r#"/audit""#, r#"/second-audit""#)).unwrap();
    let ran = command::run(tidegate(["serve", "--config"]).arg(&second)).expect(1);
    let expected = format!("is in use by another process ({})", gate.pid());
    assert!(ran.stderr.contains(&expected), "{ran:#?}");
    gate.cli("alice", &["roles"]).expect(0);
}
