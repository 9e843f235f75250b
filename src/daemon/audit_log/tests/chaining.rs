//! That the chain goes on over restarts, crashes and rotation, and that what becomes of the files while the gate is
//! down does not stay unnoticed.

use super::*;
use crate::engine::audit::chain::What;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { directory: tempfile::tempdir().unwrap() }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("audit")
    }

    fn head(&self) -> PathBuf {
        self.directory.path().join("data").join("store.audit-head")
    }

    /// Runs a gate's log for so many lines.
    fn run(&self, lines: u64) {
        let log = open(Options { head: Some(self.head()), max_file_bytes: 1000, ..options(&self.log()) });
        for number in 0..lines {
            log.event(json!({"event": "test", "number": number}));
            assert!(log.flush(LONG));
        }
    }

    fn verified(&self) -> Verified {
        verified(&self.log(), Some(&self.head()))
    }

    fn found(&self) -> Vec<What> {
        self.verified().findings.iter().map(|finding| finding.what).collect()
    }

    fn last(&self) -> Value {
        records(&self.log()).pop().unwrap()
    }
}

#[test]
fn it_goes_on_over_restarts_and_the_head_follows() {
    let place = Place::new();
    for round in 1..4 {
        place.run(10);
        let verified = place.verified();
        assert_eq!((verified.found, &verified.notes), (0, &Vec::new()), "{verified:#?}");
        let kept = head::read(&place.head()).unwrap().unwrap();
        assert_eq!((kept.from, Some(kept.head), kept.head.seq), (1, verified.last, round * 10));
    }
    // Nothing is written by a gate that does nothing.
    place.run(0);
    assert_eq!(place.verified().lines, 30);
    // What was moved away is not missed.
    for path in files(&place.log()).iter().take(2) {
        std::fs::remove_file(path).unwrap();
    }
    place.run(1);
    let verified = place.verified();
    assert!(verified.found == 0 && verified.first > Some(1), "{verified:#?}");
}

#[test]
fn what_a_crash_leaves_fits() {
    let place = Place::new();
    place.run(5);
    let head = std::fs::read(place.head()).unwrap();
    place.run(3);
    // The head is noted from time to time only; a power cut leaves an older one.
    std::fs::write(place.head(), &head).unwrap();
    assert_eq!(place.found(), []);
    let path = files(&place.log()).pop().unwrap();
    let mut content = std::fs::read(&path).unwrap();
    content.extend_from_slice(b"{\"seq\":9,\"time\":\"20");
    std::fs::write(&path, &content).unwrap();
    place.run(1);
    let verified = place.verified();
    assert_eq!((verified.found, verified.notes.len()), (0, 1), "{verified:#?}");
    // Of a whole line only the end.
    let path = files(&place.log()).pop().unwrap();
    let content = std::fs::read(&path).unwrap();
    std::fs::write(&path, content.strip_suffix(b"\n").unwrap()).unwrap();
    place.run(1);
    assert_eq!(place.found(), []);
    // The head as well as the log, and before the first line was on disk.
    let place = Place::new();
    place.run(0);
    place.run(1);
    assert_eq!((place.found(), place.last()["seq"].clone()), (vec![], json!(1)));
}

#[test]
fn what_was_cut_off_while_it_was_down_is_told_for_ever() {
    let place = Place::new();
    place.run(3);
    let path = files(&place.log()).pop().unwrap();
    let content = std::fs::read_to_string(&path).unwrap();
    let all: Vec<&str> = content.split_inclusive('\n').collect();
    let (kept, cut) = all.split_at(all.len() - 2);
    std::fs::write(&path, kept.concat()).unwrap();
    assert!(matches!(place.found()[..], [What::CutOff { .. }]));
    place.run(2);
    let found = place.found();
    assert!(matches!(found[..], [What::Missing { from: 2, to: 3 }, What::Broken(_)]), "{found:?}");
    assert_eq!(place.last()["seq"], 6, "no number is given twice");
    place.run(1);
    assert_eq!(place.found(), found);
    // When they are put back all is well.
    let content = std::fs::read_to_string(&path).unwrap();
    let (before, after) = content.split_at(kept.concat().len());
    std::fs::write(&path, [before, &cut.concat(), after].concat()).unwrap();
    assert_eq!(place.found(), []);
}

#[test]
fn a_last_line_that_was_exchanged_is_told() {
    let place = Place::new();
    place.run(3);
    let other = Place::new();
    other.run(3);
    let path = files(&place.log()).pop().unwrap();
    std::fs::copy(files(&other.log()).pop().unwrap(), &path).unwrap();
    place.run(1);
    let found = place.found();
    assert!(found.iter().any(|what| matches!(what, What::Broken(_))), "{found:?}");
}

#[test]
fn when_every_file_is_gone_numbers_and_chain_go_on() {
    let place = Place::new();
    place.run(4);
    let old: Vec<(PathBuf, Vec<u8>)> =
        files(&place.log()).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    old.iter().for_each(|(path, _)| std::fs::remove_file(path).unwrap());
    place.run(1);
    assert_eq!(place.last()["seq"], 6);
    assert!(matches!(place.found()[..], [What::Broken(_)]));
    old.iter().for_each(|(path, content)| std::fs::write(path, content).unwrap());
    assert_eq!(place.found(), [], "an archive that is put back fits");
}

#[test]
fn a_head_that_is_gone_is_noted() {
    let place = Place::new();
    place.run(2);
    std::fs::remove_file(place.head()).unwrap();
    place.run(1);
    let verified = place.verified();
    assert!(verified.found == 0 && verified.notes[0].contains("its own head was gone"), "{verified:#?}");
}

#[test]
fn a_log_of_before_the_chain_is_gone_on_with() {
    let place = Place::new();
    std::fs::create_dir_all(place.log()).unwrap();
    std::fs::write(place.log().join(file_name(1)), "{\"seq\":1,\"a\":2}\n{\"seq\":2,\"a\":2}\n").unwrap();
    // Ended before it wrote anything, the first time.
    place.run(0);
    place.run(2);
    let verified = place.verified();
    assert_eq!((verified.found, verified.unchained, verified.first), (0, 2, Some(3)), "{verified:#?}");
    assert_eq!(head::read(&place.head()).unwrap().unwrap().from, 3);
    // An older version ran in between: its lines are not vouched for.
    let path = files(&place.log()).pop().unwrap();
    let mut content = std::fs::read(&path).unwrap();
    content.extend_from_slice(b"{\"seq\":5,\"a\":2}\n");
    std::fs::write(&path, content).unwrap();
    place.run(1);
    assert_eq!(place.found(), [What::NotChained, What::Missing { from: 5, to: 5 }]);
    assert_eq!(place.last()["seq"], 6);
}
