//! Files that others move, empty or delete while they are written, and what a power cut tears: noticed, said, and not forgotten.

use super::*;
use crate::engine::audit::chain::What;
use crate::engine::audit::query::Line;
use std::io::Write as _;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("audit")
    }

    fn head(&self) -> PathBuf {
        self.0.path().join("head")
    }

    fn open(&self) -> AuditLog {
        open(Options { head: Some(self.head()), ..options(&self.log()) })
    }

    fn verified(&self) -> Verified {
        verified(&self.log(), Some(&self.head()))
    }

    fn last(&self) -> PathBuf {
        files(&self.log()).pop().unwrap()
    }
}

fn say(log: &AuditLog, count: usize) {
    for _ in 0..count {
        log.event(json!({ "event": "test" }));
    }
    assert!(log.flush(LONG));
}

/// Waits until the log has a line of this event.
fn event(place: &Place, word: &str) -> Value {
    let until = Instant::now() + LONG;
    loop {
        let text: String =
            files(&place.log()).iter().map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if let Some(found) = lines.rev().find(|line| line["event"] == word) {
            return found;
        }
        assert!(Instant::now() < until, "no {word}: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_file_that_vanishes_is_an_event_and_not_sound_until_somebody_acknowledges_it() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 3] = [
        ("audit.lost", |path| std::fs::remove_file(path).unwrap()),
        ("audit.moved", |path| std::fs::rename(path, path.with_extension("old")).unwrap()),
        // As copytruncate does.
        ("audit.emptied", |path| drop(File::options().write(true).truncate(true).open(path).unwrap())),
    ];
    for (word, harm) in harms {
        let place = Place::new();
        let log = place.open();
        say(&log, 5);
        let path = place.last();
        harm(&path);
        // Nothing is written: it is noticed all the same.
        let noticed = event(&place, word);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!((&noticed["file"], &noticed["from_line"]), (&json!(name), &json!(1)), "{noticed}");
        assert!(Line::parse(noticed.to_string().as_bytes()).is_ok(), "it can be searched for");
        assert!(noticed["head"].as_str().unwrap().starts_with("5:"), "{noticed}");
        say(&log, 2);
        let found = place.verified();
        assert!(
            found.findings.iter().any(|one| matches!(one.what, What::Vanished { to: 5, .. })),
            "{word}: {found:#?}"
        );
        // Over a restart, too.
        drop(log);
        let log = place.open();
        say(&log, 1);
        assert!(place.verified().found > 0, "{word}");
        let about =
            |name: &str| json!({ "about": name, "by": "uid=rita", "event": "audit.acknowledged", "reason": "seen" });
        log.event(about("another"));
        assert!(log.flush(LONG));
        assert!(place.verified().found > 0, "{word}: it is acknowledged by name");
        log.event(about(name));
        assert!(log.flush(LONG));
        let settled = place.verified();
        assert_eq!(settled.found, 0, "{word}: {settled:#?}");
        assert!(settled.notes.iter().any(|note| note.contains("acknowledged by uid=rita")), "{settled:#?}");
    }
}

/// `create` of logrotate: the file is moved, an empty one is made in its place, and then HUP is sent.
#[test]
fn a_file_that_is_moved_and_said_to_be_is_no_harm() {
    for at_once in [true, false] {
        let place = Place::new();
        let log = place.open();
        say(&log, 5);
        let path = place.last();
        let before = std::fs::read(&path).unwrap();
        std::fs::rename(&path, path.with_extension("1")).unwrap();
        File::create(&path).unwrap();
        if !at_once {
            event(&place, "audit.moved");
            assert!(place.verified().found > 0);
        }
        log.reopen();
        event(&place, "audit.reopened");
        say(&log, 2);
        assert_eq!(std::fs::read(path.with_extension("1")).unwrap(), before, "nothing more goes there");
        let verified = place.verified();
        assert_eq!(verified.found, 0, "{verified:#?}");
        assert!(files(&place.log()).iter().all(|path| std::fs::metadata(path).unwrap().len() > 0));
    }
    // It says nothing where nothing was moved.
    let place = Place::new();
    let log = place.open();
    say(&log, 1);
    log.reopen();
    say(&log, 1);
    assert_eq!((files(&place.log()).len(), place.verified().lines), (1, 2));
}

/// Lines behind the last one that was on disk, of which a power cut has left holes.
#[test]
fn what_a_power_cut_tears_behind_the_last_synced_line_is_set_aside() {
    for (tear, gone) in [(0_usize, 3_u64), (1, 4), (2, 5)] {
        let place = Place::new();
        let log = place.open();
        say(&log, 2);
        let head = std::fs::read(place.head()).unwrap();
        say(&log, 3);
        drop(log);
        // What was noted last was not on disk either.
        std::fs::write(place.head(), &head).unwrap();
        let path = place.last();
        let mut content = std::fs::read(&path).unwrap();
        let starts: Vec<usize> = std::iter::once(0)
            .chain(content.iter().enumerate().filter(|(_, o)| **o == b'\n').map(|(at, _)| at + 1))
            .collect();
        let (from, to) = (starts[2 + tear], starts[3 + tear]);
        content[from + 10..to - 3].fill(0);
        let torn = content[from..].to_vec();
        std::fs::write(&path, &content).unwrap();
        let log = place.open();
        say(&log, 1);
        let repaired = event(&place, "audit.repaired");
        let aside = place.log().join(repaired["file"].as_str().unwrap());
        assert_eq!(std::fs::read(aside).unwrap(), torn);
        if gone < 5 {
            assert_eq!((&repaired["from_line"], &repaired["to_line"]), (&json!(gone), &json!(5)), "{repaired}");
            assert_eq!(repaired["seq"], 6, "no number is given twice");
        }
        let verified = place.verified();
        assert_eq!(verified.found, 0, "{tear}: {verified:#?}");
        assert!(verified.notes.iter().any(|note| note.contains("power cut")), "{verified:#?}");
        drop(log);
        // What was on disk is not torn but altered: that stays a finding.
        let mut content = std::fs::read(&path).unwrap();
        content[starts[1] - 60] ^= 1;
        std::fs::write(&path, &content).unwrap();
        drop(place.open());
        assert!(place.verified().found > 0);
    }
}

/// A start must not depend on there being room for what is torn.
#[test]
fn a_torn_line_that_cannot_be_set_aside_does_not_keep_the_log_from_opening() {
    let place = Place::new();
    let log = place.open();
    say(&log, 2);
    drop(log);
    let path = place.last();
    File::options().append(true).open(&path).unwrap().write_all(b"{\"seq\":3,\"ti").unwrap();
    // What stands in the way of every name.
    let torn = |number: u32| place.log().join(format!("torn-{:020}-{number}", 3));
    for number in 0..=10_000 {
        File::create(torn(number)).unwrap();
    }
    let log = place.open();
    assert!(!log.recording(), "what needs access is refused until it can be");
    std::fs::remove_file(torn(0)).unwrap();
    say(&log, 1);
    assert!(log.recording());
    assert_eq!(place.verified().found, 0);
}
