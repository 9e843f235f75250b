//! That lines arrive whole, numbered without gaps, over rotation, restart, crash and a full disk.

use super::*;
use crate::engine::audit::chain::{Verified, Verifier, file_name};
use crate::engine::audit::record::Weight;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

mod begun;
mod chaining;
mod vanished;

const LONG: Duration = Duration::from_secs(60);

fn options(directory: &Path) -> Options {
    let retry_delay = Duration::from_millis(10);
    Options { batch_delay: Duration::from_millis(1), retry_delay, ..Options::new(directory.to_owned()) }
}

fn open(options: Options) -> AuditLog {
    AuditLog::open(options, Clock::new(), Box::new(|_| {})).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    file::list(directory).unwrap().into_iter().map(|(_, path)| path).collect()
}

/// Every line, in order, over all files, when nothing is being written.
fn text_lines(directory: &Path) -> Vec<String> {
    let all: String = files(directory).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(all.is_empty() || all.ends_with('\n'));
    all.lines().map(str::to_owned).collect()
}

/// How many complete lines there are while more are being written.
fn complete_lines(directory: &Path) -> usize {
    let count = |path: &PathBuf| std::fs::read(path).unwrap().iter().filter(|octet| **octet == b'\n').count();
    files(directory).iter().map(count).sum()
}

fn records(directory: &Path) -> Vec<Value> {
    text_lines(directory).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What verifying says, with what is kept in `head`.
fn verified(directory: &Path, head: Option<&Path>) -> Verified {
    let mut verifier = Verifier::new(head.and_then(|head| head::read(head).unwrap()), None);
    for path in files(directory) {
        verifier.begin_file(path.file_name().unwrap().to_str().unwrap());
        let content = std::fs::read(&path).unwrap();
        content
            .split_inclusive(|octet| *octet == b'\n')
            .for_each(|line| verifier.line(line.strip_suffix(b"\n").unwrap()));
    }
    verifier.finish()
}

fn assert_sound(directory: &Path) -> Verified {
    let verified = verified(directory, None);
    assert_eq!(verified.found, 0, "{verified:#?}");
    verified
}

fn assert_gapless(records: &[Value]) {
    for (position, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], json!(position as u64 + 1), "{record}");
    }
}

#[test]
fn appenders_side_by_side_keep_lines_whole_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    // Small files, so that it rotates meanwhile.
    let log = open(Options { max_file_bytes: 20_000, ..options(directory.path()) });
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let handle = log.handle();
            scope.spawn(move || {
                for number in 0..2000 {
                    let padding = "x".repeat(number % 200);
                    handle.append(
                        format!("\"w\":{worker},\"n\":{number},\"p\":\"{padding}\"}}\n").as_bytes(),
                        Weight::Plain,
                    );
                }
            });
        }
    });
    assert!(log.flush(LONG));
    let records = records(directory.path());
    assert_eq!(records.len(), 8000);
    assert_gapless(&records);
    assert_eq!(assert_sound(directory.path()).lines, 8000);
    let mut next: HashMap<u64, u64> = HashMap::new();
    for record in &records {
        let expected = next.entry(record["w"].as_u64().unwrap()).or_default();
        assert_eq!(record["n"].as_u64(), Some(*expected));
        *expected += 1;
    }
}

#[test]
fn rotates_by_size_and_names_sort_as_lines_do() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(Options { max_file_bytes: 1000, ..options(directory.path()) });
    for number in 0..50 {
        log.event(json!({"event": "test", "number": number}));
        assert!(log.flush(LONG));
    }
    drop(log);
    let records = records(directory.path());
    assert_eq!(records.len(), 50);
    assert_gapless(&records);
    assert_eq!(assert_sound(directory.path()).lines, 50);
    let files = files(directory.path());
    assert!(files.len() > 2, "{files:?}");
    for path in &files {
        assert!(std::fs::metadata(path).unwrap().len() <= 1000);
        let first: Value =
            serde_json::from_str(std::fs::read_to_string(path).unwrap().lines().next().unwrap()).unwrap();
        let name = file_name(first["seq"].as_u64().unwrap());
        assert_eq!(path.file_name().unwrap().to_str(), Some(name.as_str()));
    }
}

#[test]
fn goes_on_after_a_restart_and_what_is_buffered_is_written_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let log = open(options(directory.path()));
        log.event(json!({"event": "test", "round": round}));
        log.handle().append(b"\"a\":1}\n", Weight::Plain);
    }
    let records = records(directory.path());
    assert_eq!(records.len(), 6);
    assert_gapless(&records);
    assert_sound(directory.path());
    assert_eq!(files(directory.path()).len(), 1);
}

#[test]
fn a_torn_last_line_is_set_aside() {
    // (what a crash left, octets that are torn, what the numbering goes on from)
    let torn_long = format!("{{\"seq\":1}}\n{{\"seq\":2,\"x\":\"{}", "y".repeat(300_000));
    for (left, torn, next_seq) in [
        ("{\"seq\":1}\n{\"seq\":2}\n{\"seq\":3,\"ti", 12, 3),
        ("{\"seq\":1}\n{\"seq\":2,\"ti\n{\"se", 4, 2),
        ("{\"se", 4, 1),
        // Only its end is missing: it has its number all the same.
        ("{\"seq\":1}\n{\"seq\":2}", 0, 3),
        (torn_long.as_str(), torn_long.len() - 10, 2),
    ] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(file_name(1)), left).unwrap();
        let log = open(options(directory.path()));
        log.event(json!({ "event": "test" }));
        drop(log);
        let lines = text_lines(directory.path());
        let whole = left.len() - torn;
        assert_eq!(std::fs::read_to_string(&files(directory.path())[0]).unwrap()[..whole], left[..whole]);
        let own: Vec<Value> = lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|l: &Value| l.get("event").is_some())
            .collect();
        assert_eq!(own[0]["seq"], json!(next_seq), "{left:.40}");
        if torn > 0 {
            assert_eq!((&own[0]["event"], &own[0]["torn_bytes"]), (&json!("audit.repaired"), &json!(torn)));
            let aside = directory.path().join(own[0]["file"].as_str().unwrap());
            assert_eq!(std::fs::read_to_string(aside).unwrap(), left[whole..], "nothing is thrown away");
        }
        assert_sound(directory.path());
    }
}

#[test]
fn numbering_goes_on_from_an_empty_last_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(file_name(1)), "{\"seq\":1}\n").unwrap();
    std::fs::write(directory.path().join(file_name(2)), "").unwrap();
    let log = open(options(directory.path()));
    log.event(json!("test"));
    drop(log);
    assert_gapless(&records(directory.path()));
    assert_eq!(records(directory.path()).len(), 2);
    assert_eq!(assert_sound(directory.path()).first, Some(2));
}

#[test]
fn a_second_writer_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(options(directory.path()));
    let second = AuditLog::open(options(directory.path()), Clock::new(), Box::new(|_| {}));
    assert!(matches!(second, Err(AuditLogError::Locked(_))), "{second:?}");
    drop(log);
    drop(open(options(directory.path())));
}

#[test]
fn others_cannot_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("new").join("audit");
    drop(open(options(&directory)));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&files(&directory)[0])), (0o700, 0o600));
}

/// Runs itself again with a limit on file sizes, which the system enforces as it does a full disk.
#[test]
fn a_full_disk_stops_recording_and_loses_nothing_that_has_room() {
    const CHILD: &str = "TIDEGATE_TEST_AUDIT_DIRECTORY";
    if let Some(directory) = std::env::var_os(CHILD) {
        return full_disk(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    // The signal that goes with the limit would end the process.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 40; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("daemon::audit_log::tests::a_full_disk_stops_recording_and_loses_nothing_that_has_room")
        .env(CHILD, directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));

    let records = records(directory.path());
    assert_gapless(&records);
    assert_sound(directory.path());
    let told: u64 = records.iter().filter_map(|record| record["lost"].as_u64()).sum();
    let kept = records.iter().filter(|record| record["event"] == "test").count() as u64;
    assert_eq!((kept, told), (4000 - told, told));
    assert!(told > 0 && kept > 1000, "kept {kept}, lost {told}");
}

fn full_disk(directory: &Path) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (state, changes) = mpsc::channel();
    let on_change = Box::new(move |recording| state.send(recording).unwrap_or_default());
    let options = Options { max_buffer_bytes: 100_000, ..options(directory) };
    let log = AuditLog::open(options, Clock::new(), on_change).unwrap();
    let mut appended = 0;
    let mut append = |count| {
        for _ in 0..count {
            log.event(json!({"event": "test", "number": appended}));
            appended += 1;
        }
    };
    append(1000);
    assert!(!changes.recv_timeout(LONG).unwrap());
    assert!(!log.recording());
    assert!(!log.flush(Duration::from_millis(1)));
    append(3000);
    assert!(log.lost() > 0);

    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    assert!(changes.recv_timeout(LONG).unwrap());
    assert!(log.recording());
    assert!(log.flush(LONG));
}
