//! A store that is not as it was left: a damaged end, an older one, what an interrupted start leaves behind.

use super::random_numbers;
use crate::support::command::tidegate;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{SCOPE_BASE, Search};
use crate::support::slapd::{BASE, Slapd, person};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Said in the last commit, so that it is found.
const REASON: &str = "the laptop was lost on the way";

fn reads_payroll(gate: &Gate, who: &str) -> bool {
    let search = Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE);
    gate.client_as(who).search(&search).answer.code == 0
}

fn copy(from: &Path, to: &Path) {
    let ran = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(ran.success());
}

/// What is done to the store while no gate runs.
type Damage = fn(store: &Path, older: &Path);

/// Where the commit stands that was the last.
fn last_commit(database: &[u8]) -> usize {
    let needle = REASON.as_bytes();
    database.windows(needle.len()).rposition(|window| window == needle).expect("the last commit")
}

fn flipped(store: &Path, _: &Path) {
    let path = store.join("db");
    let mut octets = fs::read(&path).unwrap();
    let at = last_commit(&octets);
    octets[at..at + 4].iter_mut().for_each(|octet| *octet ^= 0xff);
    fs::write(path, octets).unwrap();
}

fn truncated(store: &Path, _: &Path) {
    let path = store.join("db");
    let at = last_commit(&fs::read(&path).unwrap());
    fs::File::options().write(true).open(path).unwrap().set_len(at as u64).unwrap();
}

fn restored(store: &Path, older: &Path) {
    fs::remove_dir_all(store).unwrap();
    copy(older, store);
}

#[test]
fn what_had_ended_does_not_come_back_with_a_damaged_store() {
    let slapd = Slapd::start();
    let damages: [(&str, Damage); 3] = [("flipped", flipped), ("truncated", truncated), ("restored", restored)];
    for (what, damage) in damages {
        let mut gate = Setup::default().start(&slapd);
        let (store, older) = (gate.folder.path().join("store"), gate.folder.path().join("older"));
        let grant = gate.granted("alice", "payroll-reader", &[]);
        let kept = gate.granted("bob", "payroll-reader", &[]);
        gate.cli("root-admin", &["lock", &person("dave"), "--reason", "left"]).expect(0);
        gate.cli("root-admin", &["unlock", &person("dave")]).expect(0);
        gate.stop("TERM");
        copy(&store, &older);
        gate.launch();
        if what == "restored" {
            gate.cli("root-admin", &["lock", &person("carol"), "--reason", "left"]).expect(0);
        }
        gate.cli("root-admin", &["revoke", &grant, "--reason", REASON]).expect(0);
        gate.audit.wait_for("the end", |record| record["event"] == "revoked");
        gate.stop("KILL");
        damage(&store, &older);
        gate.launch();
        assert!(!reads_payroll(&gate, "alice"), "{what}");
        assert!(reads_payroll(&gate, "bob"), "{what}");
        let shown = gate.json("alice", &["show", &grant]);
        assert_eq!(shown["state"], "revoked", "{what}: {shown}");
        assert_eq!(gate.json("bob", &["show", &kept])["state"], "active", "{what}");
        let locks = gate.json("root-admin", &["locks"]);
        let locked: Vec<_> = locks.as_array().unwrap().iter().map(|lock| lock["subject"].clone()).collect();
        let expected = if what == "restored" { vec![serde_json::json!(person("carol"))] } else { vec![] };
        assert_eq!(locked, expected, "{what}");
        // Loudly.
        assert!(gate.errors().contains("the store lacks what the log has"), "{what}: {}", gate.errors());
        let reported = gate.audit.wait_for("the report", |record| record["event"] == "store.behind_log");
        assert_eq!(reported["ended"], serde_json::json!([grant]), "{what}: {reported}");
        // And once.
        gate.stop("TERM");
        gate.launch();
        assert!(!reads_payroll(&gate, "alice"), "{what}");
        let reports = gate.audit.records().iter().filter(|record| record["event"] == "store.behind_log").count();
        assert_eq!(reports, 1, "{what}");
    }
}

fn unfinished(store: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.to_string_lossy().ends_with(".generating")).collect()
}

#[test]
fn what_an_interrupted_start_leaves_behind_keeps_no_gate_from_starting() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    gate.granted("alice", "payroll-reader", &[]);
    let store = gate.folder.path().join("store");
    gate.stop("KILL");
    fs::write(store.join("snap.FFFFFFFFFFFFFFFF.generating"), "half of a snapshot").unwrap();
    gate.launch();
    assert!(reads_payroll(&gate, "alice") && unfinished(&store).is_empty());
    // Killed at any moment of a start.
    let mut random = random_numbers();
    for _ in 0..15 {
        gate.stop("KILL");
        let mut starting = tidegate(["serve", "--config"])
            .arg(&gate.configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(u64::from(random()) * 5));
        starting.kill().unwrap();
        starting.wait().unwrap();
        gate.launch();
        assert!(reads_payroll(&gate, "alice") && unfinished(&store).is_empty());
    }
}
