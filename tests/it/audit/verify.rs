//! `tidegate audit verify`: what is done to the files of a log is found, what is done by the gate itself is not.

use crate::support::command::{Ran, run, tidegate};
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{SCOPE_BASE, Search};
use crate::support::slapd::{Slapd, person};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Files so small that there are many.
const SMALL: &str = "rotate_bytes = 65536";

fn asked(gate: &Gate, more: &[&str]) -> Value {
    gate.json("root-admin", &[&["audit", "verify"], more].concat())
}

/// Runs it without a gate on the files in `folder`.
fn offline(folder: &Path, more: &[&str]) -> Ran {
    run(tidegate(["audit", "verify", "--output", "json", "--files"]).arg(folder).args(more))
}

fn search(gate: &Gate, times: usize) {
    let mut client = gate.client_as("alice");
    for _ in 0..times {
        assert_eq!(client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl")).collect();
    files.sort();
    files
}

/// A copy of the log with one change.
fn altered(folder: &Path, change: impl Fn(&[PathBuf])) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for path in files(folder) {
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    change(&files(copy.path()));
    copy
}

fn lines(path: &Path, change: impl Fn(&mut Vec<String>)) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.concat()).unwrap();
}

#[test]
fn it_is_sound_while_it_is_written_and_over_restarts() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().audit_lines(SMALL).start(&slapd);
    let first = asked(&gate, &[]);
    let head = first["head"].as_str().unwrap().to_owned();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                search(&gate, 20);
            }
        });
        let mut reads = 0;
        while files(&gate.audit.0).len() < 4 || reads < 5 {
            let verified = asked(&gate, &["--head", &head]);
            assert_eq!((&verified["sound"], &verified["notes"]), (&true.into(), &serde_json::json!([])), "{verified}");
            reads += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Ended in the middle of a word, twice, and asked to end once.
    for signal in ["KILL", "KILL", "TERM"] {
        gate.stop(signal);
        gate.launch();
        search(&gate, 3);
        let verified = asked(&gate, &["--head", &head]);
        assert_eq!(verified["found"], 0, "{signal}: {verified}");
    }
    let shown = gate.cli("root-admin", &["audit", "verify"]).expect(0).stdout;
    assert!(shown.contains("sound: every line is as it was written"), "{shown}");
    gate.cli("alice", &["audit", "verify"]).expect(1);
    gate.stop("TERM");
    offline(&gate.audit.0, &["--head", &head]).expect(0);
}

#[test]
fn whatever_is_done_to_the_files_is_found() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().audit_lines(SMALL).start(&slapd);
    search(&gate, 300);
    gate.stop("TERM");
    let folder = gate.audit.0.clone();
    assert!(files(&folder).len() > 2, "{:?}", files(&folder));
    let sound = offline(&folder, &[]).expect(0).json();
    let head = sound["head"].as_str().unwrap().to_owned();
    type Change<'a> = (&'a str, &'a str, Box<dyn Fn(&[PathBuf]) + 'a>);
    let changes: Vec<Change<'_>> = vec![
        (
            "an octet",
            "altered",
            Box::new(|files| {
                lines(&files[1], |lines| lines[3] = lines[3].replacen("alice", "Alice", 1));
            }),
        ),
        (
            "the first line of a file",
            "altered",
            Box::new(|files| {
                lines(&files[1], |lines| lines[0] = lines[0].replacen("alice", "Alice", 1));
            }),
        ),
        ("a line taken out", "missing", Box::new(|files| lines(&files[1], |lines| drop(lines.remove(5))))),
        ("two lines swapped", "missing", Box::new(|files| lines(&files[0], |lines| lines.swap(2, 3)))),
        (
            "a line inserted",
            "carries no chain",
            Box::new(|files| {
                lines(&files[0], |lines| lines.insert(2, "{\"seq\":3,\"event\":\"nothing\"}\n".to_owned()));
            }),
        ),
        (
            "a line copied",
            "should stand here",
            Box::new(|files| {
                lines(&files[0], |lines| lines.insert(2, lines[1].clone()));
            }),
        ),
        (
            "the end cut off",
            "cut off its end",
            Box::new(|files| {
                lines(&files[files.len() - 1], |lines| drop(lines.pop()));
            }),
        ),
        (
            "the last file taken away",
            "cut off its end",
            Box::new(|files| fs::remove_file(&files[files.len() - 1]).unwrap()),
        ),
        (
            "half a line cut off",
            "ends within a line",
            Box::new(|files| {
                lines(&files[1], |lines| lines.last_mut().unwrap().truncate(40));
            }),
        ),
        ("a file taken out", "missing", Box::new(|files| fs::remove_file(&files[1]).unwrap())),
        (
            "a file replaced",
            "should stand here",
            Box::new(|files| assert_ne!(fs::copy(&files[0], &files[1]).unwrap(), 0)),
        ),
        ("a file emptied", "empty", Box::new(|files| fs::write(&files[1], "").unwrap())),
    ];
    for (what, told, change) in changes {
        let copy = altered(&folder, change);
        let ran = offline(copy.path(), &["--head", &head]).expect(1);
        let findings = ran.json()["findings"].to_string();
        assert!(findings.contains(told) && findings.contains("audit-"), "{what}: {findings}");
    }
    let moved = altered(&folder, |files| fs::remove_file(&files[0]).unwrap());
    let ran = offline(moved.path(), &["--head", &head]).expect(0).json();
    assert!(ran["notes"].to_string().contains("verified from line"), "{ran}");
    offline(gate.folder.path(), &[]).expect(1);
}

#[test]
fn the_gate_finds_what_was_cut_off_while_it_was_down() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().start(&slapd);
    search(&gate, 3);
    gate.stop("TERM");
    let path = files(&gate.audit.0).pop().unwrap();
    lines(&path, |lines| lines.truncate(lines.len() - 3));
    gate.launch();
    let ran = gate.cli("root-admin", &["audit", "verify"]).expect(1);
    assert!(ran.stdout.contains("NOT SOUND") && ran.stdout.contains("was taken out"), "{ran:#?}");
    let read = gate.audit.wait_for("that it was read", |r| r["event"] == "audit.read");
    assert_eq!((&read["what"], &read["acting_as"]), (&"verify".into(), &person("root-admin").into()));
}

/// logrotate's `create`, and then what it must not do.
#[test]
fn files_that_vanish_are_noticed_and_acknowledged_by_name() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    search(&gate, 3);
    gate.audit.wait_for("the searches", |r| r["operation"] == "search");
    let path = files(&gate.audit.0).pop().unwrap();
    fs::rename(&path, gate.folder.path().join("rotated")).unwrap();
    fs::File::create(&path).unwrap();
    let kill = ["-HUP", &gate.pid().to_string()].map(str::to_owned);
    run(std::process::Command::new("kill").args(kill)).expect(0);
    gate.audit.wait_for("the new file", |r| r["event"] == "audit.reopened");
    search(&gate, 3);
    assert_eq!(asked(&gate, &[])["sound"], true);

    let path = files(&gate.audit.0).pop().unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    fs::remove_file(&path).unwrap();
    let lost = gate.audit.wait_for("the loss", |r| r["event"] == "audit.lost");
    assert_eq!(lost["file"], name.as_str());
    let verified = gate.cli("root-admin", &["audit", "verify"]).expect(1);
    assert!(verified.stdout.contains("NOT SOUND") && verified.stdout.contains(&name), "{verified:#?}");
    let say = |who: &str, name: &str| gate.cli(who, &["audit", "acknowledge", name, "--reason", "by mistake, OPS-7"]);
    say("alice", &name).expect(1);
    say("root-admin", "audit-00000000000000000009.jsonl").expect(1);
    gate.cli("root-admin", &["audit", "verify"]).expect(1);
    say("root-admin", &name).expect(0);
    let verified = gate.cli("root-admin", &["audit", "verify"]).expect(0).stdout;
    assert!(verified.contains("OPS-7") && verified.contains("root-admin"), "{verified}");
}
