//! Lines that must be in the log first: when they are said to be, what is shown of them, and who waits for room.

use super::*;
use crate::daemon::audit_log::pages::Part;
use crate::engine::audit::query::{Filter, Line};
use crate::engine::audit::reading::Reading;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};

fn line(phase: &str, id: &str, more: &str) -> Vec<u8> {
    format!(
        "\"time\":\"2026-11-20T17:48:13Z\",\"session\":\"s\",\"phase\":\"{phase}\",\"operation_id\":\"{id}\",\"operation\":\"search\"{more}}}\n"
    )
    .into_bytes()
}

fn deadline() -> Instant {
    Instant::now() + LONG
}

/// Waits until the worker's line of this number is in the log, or cannot be written.
fn wait(handle: &AuditHandle, number: u64) -> Result<(), NotRecording> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let (mut round, until) = (0, deadline());
    loop {
        handle.wait_for_lines(&mut round, &waker);
        if handle.is_written(number)? {
            return Ok(());
        }
        assert!(Instant::now() < until, "it is never written");
        std::thread::park_timeout(LONG);
    }
}

#[test]
fn a_line_is_in_the_file_when_it_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    // Nothing is written by itself.
    let slow = Options { batch_delay: LONG, sync_interval: LONG, ..options(directory.path()) };
    let log = open(slow);
    let workers = [log.handle(), log.handle()];
    for round in 0..50 {
        for (worker, handle) in workers.iter().enumerate() {
            let number = handle.append(&line("begun", &format!("{worker}-{round}"), ""), Weight::Access).unwrap();
            assert_eq!(number, round + 1);
            handle.hurry();
            assert_eq!(wait(handle, number), Ok(()));
            let last = text_lines(directory.path()).pop().unwrap();
            assert!(last.contains(&format!("\"{worker}-{round}\"")), "{last}");
        }
    }
    assert_sound(directory.path());
}

/// What forcing to disk does in the tests below, which run one after the other.
static SYNC: Mutex<()> = Mutex::new(());
static FAILS: AtomicBool = AtomicBool::new(false);
static HOLDS: AtomicBool = AtomicBool::new(false);
static SYNCS: AtomicUsize = AtomicUsize::new(0);

/// Holds what forces to disk until it is dropped: a test that fails must not leave the log waiting.
struct Held;

impl Held {
    fn new() -> Held {
        HOLDS.store(true, Ordering::SeqCst);
        Held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HOLDS.store(false, Ordering::SeqCst);
    }
}

fn sync(file: &File) -> std::io::Result<()> {
    SYNCS.fetch_add(1, Ordering::SeqCst);
    while HOLDS.load(Ordering::SeqCst) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    if FAILS.load(Ordering::SeqCst) { Err(std::io::ErrorKind::StorageFull.into()) } else { file.sync_data() }
}

#[test]
fn with_each_a_line_is_in_the_log_when_it_is_on_disk_and_writing_goes_on_meanwhile() {
    let _one = locked(&SYNC);
    let directory = tempfile::tempdir().unwrap();
    let (state, changes) = mpsc::channel();
    let on_change = Box::new(move |recording| state.send(recording).unwrap_or_default());
    let each = Options { sync_each: true, sync, ..options(directory.path()) };
    let log = AuditLog::open(each, Clock::new(), on_change).unwrap();
    let handle = log.handle();
    let held = Held::new();
    let before = SYNCS.load(Ordering::SeqCst);
    let mut last = 0;
    for number in 0..100 {
        last = handle.append(&line("begun", &number.to_string(), ""), Weight::Access).unwrap();
        handle.hurry();
        // Written, one by one, while the disk is busy with the first.
        let until = deadline();
        while complete_lines(directory.path()) <= number {
            assert!(Instant::now() < until, "writing waits for the disk");
            std::thread::yield_now();
        }
        assert_eq!(handle.is_written(last), Ok(false), "and not on disk");
    }
    drop(held);
    assert_eq!(wait(&handle, last), Ok(()));
    let syncs = SYNCS.load(Ordering::SeqCst) - before;
    assert!(syncs <= 3, "{syncs} times for what one or two do");
    // When the disk fails, waiting lines fail; later lines are written once it works again.
    FAILS.store(true, Ordering::SeqCst);
    let failed = handle.append(&line("begun", "failed", ""), Weight::Access).unwrap();
    handle.hurry();
    assert_eq!(wait(&handle, failed), Err(NotRecording));
    assert!(!changes.recv_timeout(LONG).unwrap() && !log.recording());
    FAILS.store(false, Ordering::SeqCst);
    assert!(changes.recv_timeout(LONG).unwrap() && log.recording());
    assert_eq!(wait(&handle, failed), Ok(()));
    assert!(log.flush(LONG));
    let records = records(directory.path());
    assert_gapless(&records);
    assert!(records.iter().any(|record| record["event"] == "audit.resumed"), "it is said");
    assert_sound(directory.path());
}

#[test]
fn a_worker_has_no_room_before_its_buffer_is_full_and_loses_nothing() {
    let _one = locked(&SYNC);
    // On a busy machine the writer may take lines meanwhile; then the count says nothing, and it is counted again.
    let counted = (0..20).find_map(|_| lines_until_there_is_no_room());
    let (others, access) = counted.expect("the writer took lines each time");
    let octets = |lines: usize| lines * line("ended", "x", "").len();
    assert!(octets(others) < 2_000 && octets(others + 1) >= 2_000, "{others}");
    assert!(octets(access) < 3_000 && octets(access + 1) >= 3_000, "{access}");
}

/// After how many lines a worker with a buffer of 4,000 octets has no room for plain operations, and for those that
/// use access. `None`: the writer took some of them in the middle.
fn lines_until_there_is_no_room() -> Option<(usize, usize)> {
    let directory = tempfile::tempdir().unwrap();
    let small = Options { max_buffer_bytes: 4_000, batch_delay: LONG, ..options(directory.path()) };
    let log = open(small);
    let handle = log.handle();
    let plain = line("ended", "x", "");
    let before = complete_lines(directory.path());
    let (mut others, mut access) = (0, 0);
    for number in 0..100 {
        if !handle.is_full_for(false) {
            others = number;
        }
        if !handle.is_full_for(true) {
            access = number;
        }
        // What comes although nobody is read any more has room all the same.
        assert!(handle.append(&plain, Weight::Plain).is_some());
    }
    let taken = complete_lines(directory.path()) > before;
    // There is room again as soon as the writer has taken what there was.
    assert!(log.flush(LONG));
    assert!(!handle.is_full_for(false) && log.lost() == 0);
    assert_eq!(records(directory.path()).len(), 100);
    (!taken).then_some((others, access))
}

/// An operation is shown once, wherever its lines stand and however it is asked for.
#[test]
fn an_operation_is_shown_once() {
    let directory = tempfile::tempdir().unwrap();
    // Small files: begun and ended lines stand in different ones.
    let log = open(Options { max_file_bytes: 1000, ..options(directory.path()) });
    let handle = log.handle();
    let write = |phase: &str, id: &str| {
        handle.append(&line(phase, id, ",\"subject\":\"uid=a\",\"standing\":[\"payroll: job\"]"), Weight::Access);
        assert!(log.flush(LONG));
    };
    // `lost` and `reused` were in flight when the gate died, and another operation has the id of one since.
    for (phase, id) in [("begun", "lost"), ("begun", "reused"), ("begun", "long"), ("ended", "long")] {
        write(phase, id);
    }
    log.event(json!({"event": "started"}));
    for (phase, id) in [("begun", "slow"), ("begun", "reused"), ("ended", "reused"), ("begun", "running")] {
        write(phase, id);
    }
    for number in 0..10 {
        write("begun", &number.to_string());
        write("ended", &number.to_string());
    }
    write("ended", "slow");
    let reader = log.reader();
    let mut expected: Vec<String> =
        ["lost begun", "reused begun", "long ended", "reused ended", "running begun"].map(str::to_owned).to_vec();
    expected.extend((0..10).map(|number| format!("{number} ended")));
    expected.push("slow ended".to_owned());
    let shown = |lines: &[String]| -> Vec<String> {
        let read = |line: &String| serde_json::from_str::<Value>(line).unwrap();
        let name = |line: Value| Some(format!("{} {}", line["operation_id"].as_str()?, line["phase"].as_str()?));
        lines.iter().map(read).filter_map(name).collect()
    };
    for limit in [1, 2, 3, 7, 100] {
        for oldest_first in [false, true] {
            let (mut lines, mut part) =
                (Vec::new(), if oldest_first { Part::After(0) } else { Part::Before(u64::MAX) });
            loop {
                let page = reader.page(&mut Filter::default(), part, limit, deadline()).unwrap();
                lines.extend(page.lines);
                match page.next.filter(|_| page.more) {
                    Some(next) => part = if oldest_first { Part::After(next) } else { Part::Before(next) },
                    None => break,
                }
            }
            if !oldest_first {
                lines.reverse();
            }
            assert_eq!(shown(&lines), expected, "pages of {limit}, oldest first: {oldest_first}");
        }
    }
    let mut counted = 0;
    let mut count = |line: &Line| counted += usize::from(line.event.is_none());
    let mut reading = Reading::new(Filter::default(), false);
    assert!(reader.all(&mut reading, None, deadline(), &mut count).unwrap());
    reading.finish(&mut count);
    assert_eq!(counted, expected.len());
}
