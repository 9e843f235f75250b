//! Every way of altering a chained log is found, and an unaltered one is not complained of.

use super::super::{close, file_name};
use super::*;
use proptest::prelude::*;

/// A log in memory: names and contents of its files.
#[derive(Debug, Clone, PartialEq)]
struct Log {
    files: Vec<(String, Vec<u8>)>,
    head: Head,
}

const BEGIN: [u8; 32] = [9; 32];

/// `count` lines, so many in a file.
fn log(count: u64, per_file: u64) -> Log {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut chain = Link::new(BEGIN);
    for seq in 1..=count {
        let first = (seq - 1) % per_file == 0;
        if first {
            files.push((file_name(seq), Vec::new()));
        }
        let out = &mut files.last_mut().unwrap().1;
        let start = out.len();
        let text = format!("{{\"seq\":{seq},\"time\":\"2026-11-20T17:48:13.000412Z\",\"operation\":\"search\"");
        out.extend_from_slice(text.as_bytes());
        chain = close(out, start, chain, first);
    }
    Log { files, head: Head { seq: count, chain } }
}

fn kept(log: &Log) -> Option<Kept> {
    Some(Kept { from: 1, head: log.head })
}

fn verify_with(files: &[(String, Vec<u8>)], kept: Option<Kept>, head: Option<Head>) -> Verified {
    let mut verifier = Verifier::new(kept, head);
    for (name, content) in files {
        verifier.begin_file(name);
        let mut lines = content.split(|octet| *octet == b'\n').collect::<Vec<_>>();
        let rest = lines.pop().unwrap_or_default();
        lines.into_iter().for_each(|line| verifier.line(line));
        if !rest.is_empty() {
            verifier.unended(false);
        }
    }
    verifier.finish()
}

fn verify(log: &Log, original: &Log) -> Verified {
    verify_with(&log.files, kept(original), None)
}

/// The lines of the only file.
fn lines(log: &Log) -> Vec<Vec<u8>> {
    log.files[0].1.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect()
}

fn of_lines(log: &Log, lines: &[Vec<u8>]) -> Log {
    Log { files: vec![(log.files[0].0.clone(), lines.concat())], head: log.head }
}

/// File, line and what of each finding.
fn told(verified: &Verified) -> Vec<(u64, What)> {
    verified.findings.iter().map(|finding| (finding.line, finding.what)).collect()
}

#[test]
fn what_was_not_altered_is_sound() {
    for (count, per_file) in [(1, 1), (10, 100), (10, 3), (12, 3)] {
        let log = log(count, per_file);
        let verified = verify(&log, &log);
        assert_eq!((verified.found, verified.lines, &verified.notes), (0, count, &Vec::new()), "{verified:?}");
        assert_eq!((verified.first, verified.last), (Some(1), Some(log.head)));
        assert_eq!(verify_with(&log.files, None, Some(log.head)).found, 0);
        // The head is noted from time to time; what is written since is no harm.
        let mut verifier = Verifier::new(Some(Kept { from: 1, head: log.head }), None);
        verifier.begin_file("x");
        log.files.iter().flat_map(|(_, c)| c.split_inclusive(|o| *o == b'\n')).for_each(|line| {
            verifier.line(line.strip_suffix(b"\n").unwrap());
        });
        let mut more = b"{\"seq\":".to_vec();
        more.extend_from_slice((count + 1).to_string().as_bytes());
        close(&mut more, 0, log.head.chain, false);
        verifier.line(more.strip_suffix(b"\n").unwrap());
        verifier.unended(true);
        assert_eq!(verifier.finish().found, 0);
    }
    assert_eq!(verify_with(&[], None, None), Verified::default());
}

#[test]
fn each_kind_of_alteration_is_named_where_it_is() {
    let sound = log(6, 100);
    let all = lines(&sound);
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = all.clone();
        change(&mut lines);
        told(&verify(&of_lines(&sound, &lines), &sound))
    };
    let flip = |line: &mut Vec<u8>, from: &str, to: &str| {
        *line = String::from_utf8(line.clone()).unwrap().replacen(from, to, 1).into_bytes();
    };
    assert_eq!(with(&|lines| flip(&mut lines[2], "search", "modify")), [(3, What::Altered)]);
    assert_eq!(with(&|lines| flip(&mut lines[5], "search", "modify")), [(6, What::Altered)]);
    assert_eq!(with(&|lines| drop(lines.remove(2))), [(3, What::Missing { from: 3, to: 3 })]);
    assert_eq!(with(&|lines| drop(lines.drain(1..4))), [(2, What::Missing { from: 2, to: 4 })]);
    assert_eq!(with(&|lines| lines.swap(2, 3))[0], (3, What::Missing { from: 3, to: 3 }));
    assert_eq!(with(&|lines| lines.insert(3, lines[2].clone()))[0], (4, What::Order { expected: 4 }));
    assert_eq!(with(&|lines| lines.insert(3, b"\n".to_vec())), [(4, What::NoLine)]);
    assert_eq!(with(&|lines| lines.insert(3, b"{\"seq\":4,\"a\":1}\n".to_vec())), [(4, What::NotChained)]);
    assert_eq!(
        with(&|lines| lines[5].truncate(20)),
        [(6, What::Unended), (0, What::CutOff { whose: "the gate's own", head: sound.head })]
    );
    assert_eq!(with(&|lines| lines.truncate(4)), [(0, What::CutOff { whose: "the gate's own", head: sound.head })]);
    assert_eq!(with(&|lines| lines.clear()), [(0, What::CutOff { whose: "the gate's own", head: sound.head })]);
    assert_eq!(with(&|lines| drop(lines.remove(0))), [(1, What::NoBeginning)]);
    // A line that was there, with the number of another.
    assert_eq!(with(&|lines| flip(&mut lines[3], "\"seq\":4", "\"seq\":3"))[0], (4, What::Order { expected: 4 }));
    // The chain value alone: the line and the next one no longer fit.
    let other = Link::new([1; 32]).to_string();
    let value = super::super::head_of(all[3].strip_suffix(b"\n").unwrap()).unwrap().chain.to_string();
    assert_eq!(with(&|lines| flip(&mut lines[3], &value, &other)), [(4, What::Altered), (5, What::Altered)]);
    // Without a chain value from the beginning on.
    let plain = |line: &Vec<u8>| {
        let text = String::from_utf8(line.clone()).unwrap();
        format!("{}}}\n", text.split(",\"previous\"").next().unwrap().split(",\"chain\"").next().unwrap()).into_bytes()
    };
    let stripped = with(&|lines| lines.iter_mut().take(3).for_each(|line| *line = plain(line)));
    assert_eq!(stripped[..3], [1, 2, 3].map(|line| (line, What::NotChained)), "{stripped:?}");
    // Written anew from the beginning, as well as anybody can who does not know the head.
    let mut anew = log(6, 100);
    anew.files[0].1.clear();
    let mut chain = Link::new([8; 32]);
    for seq in 1..=6 {
        let start = anew.files[0].1.len();
        anew.files[0].1.extend_from_slice(format!("{{\"seq\":{seq}").as_bytes());
        chain = close(&mut anew.files[0].1, start, chain, seq == 1);
    }
    assert_eq!(told(&verify(&anew, &sound)), [(6, What::Rewritten { whose: "the gate's own" })]);
    let given = verify_with(&anew.files, None, Some(sound.head));
    assert_eq!(told(&given), [(6, What::Rewritten { whose: "the given" })]);
}

#[test]
fn files_may_be_moved_away_from_the_beginning_only() {
    let sound = log(12, 3);
    let mut moved = sound.clone();
    moved.files.drain(..2);
    let verified = verify(&moved, &sound);
    assert_eq!((verified.found, verified.first), (0, Some(7)), "{verified:?}");
    assert!(verified.notes[0].contains("from line 7 on"), "{verified:?}");
    // Its first line is vouched for all the same.
    let text = String::from_utf8(moved.files[0].1.clone()).unwrap();
    moved.files[0].1 = text.replacen("search", "modify", 1).into_bytes();
    assert_eq!(told(&verify(&moved, &sound)), [(1, What::Altered)]);
    let old = verify_with(&sound.files[2..], kept(&sound), Some(Head { seq: 2, chain: Link::new(BEGIN) }));
    assert!(old.found == 0 && old.notes.iter().any(|note| note.contains("not here")), "{old:?}");

    let mut middle = sound.clone();
    middle.files.remove(1);
    let verified = verify(&middle, &sound);
    assert_eq!(told(&verified), [(1, What::Missing { from: 4, to: 6 })]);
    assert_eq!(verified.findings[0].file, file_name(7));
    let mut emptied = sound.clone();
    emptied.files[0].1.clear();
    assert_eq!(told(&verify(&emptied, &sound)), [(0, What::Empty)]);
    let mut last = sound.clone();
    last.files.pop();
    assert!(matches!(told(&verify(&last, &sound))[..], [(0, What::CutOff { .. })]));
    let mut swapped = sound.clone();
    swapped.files.swap(1, 2);
    assert!(verify(&swapped, &sound).found > 0);
    let mut replaced = sound.clone();
    replaced.files[1].1 = log(6, 3).files[1].1.clone();
    assert_eq!(verify(&replaced, &sound).found, 0, "the same content");
    replaced.files[1].1 = replaced.files[0].1.clone();
    assert!(verify(&replaced, &sound).found > 0);
}

/// Lines of an event of the writer, chained.
fn with_event(mut content: Vec<u8>, seq: u64, previous: Link, event: &str) -> (Vec<u8>, Head) {
    let start = content.len();
    content.extend_from_slice(format!("{{\"seq\":{seq},\"time\":\"2026-11-20T17:48:13Z\",{event}").as_bytes());
    let chain = close(&mut content, start, previous, false);
    (content, Head { seq, chain })
}

#[test]
fn what_a_crash_left_is_told_apart_from_what_somebody_wrote() {
    let sound = log(3, 100);
    let torn = b"{\"seq\":4,\"time\":\"2026-1";
    let event = |length: usize, digest: Link| {
        format!("\"event\":\"audit.repaired\",\"torn_bytes\":{length},\"torn_digest\":\"{digest}\"")
    };
    let told_of = |torn: &[u8], event: &str| {
        let content = [&*sound.files[0].1, torn, b"\n"].concat();
        let (content, head) = with_event(content, 4, sound.head.chain, event);
        verify_with(&[("a".to_owned(), content)], Some(Kept { from: 1, head }), None)
    };
    let repaired = told_of(torn, &event(torn.len(), Link::of(torn)));
    assert_eq!((repaired.found, repaired.notes.len()), (0, 1), "{repaired:?}");
    for (torn, event) in [
        (&b"{\"seq\":4,\"time\":\"2026-2"[..], event(torn.len(), Link::of(torn))),
        (&torn[..5], event(torn.len(), Link::of(torn))),
        (torn, "\"event\":\"audit.resumed\",\"lost\":0".to_owned()),
        (torn, "\"event\":\"audit.repaired\",\"torn_bytes\":23".to_owned()),
    ] {
        assert_eq!(told_of(torn, &event).found, 1, "{event}");
    }
    let resumed = with_event(sound.files[0].1.clone(), 4, sound.head.chain, "\"event\":\"audit.resumed\",\"lost\":7");
    let verified = verify_with(&[("a".to_owned(), resumed.0)], None, Some(resumed.1));
    assert!(verified.found == 0 && verified.notes[0].contains("7 lines were lost"), "{verified:?}");
}

#[test]
fn a_log_that_was_shortened_while_the_gate_was_down_stays_marked() {
    let sound = log(6, 100);
    let mut content = lines(&sound)[..4].concat();
    let start = content.len();
    let event =
        format!("{{\"seq\":7,\"time\":\"2026-11-20T17:48:13Z\",\"event\":\"audit.broken\",\"head\":\"{}\"", sound.head);
    content.extend_from_slice(event.as_bytes());
    let chain = close(&mut content, start, sound.head.chain, true);
    let kept = Some(Kept { from: 1, head: Head { seq: 7, chain } });
    let verified = verify_with(&[("a".to_owned(), content.clone())], kept, None);
    assert_eq!(told(&verified), [(5, What::Missing { from: 5, to: 6 }), (5, What::Broken(sound.head))]);
    // With the lines back there is nothing to complain of.
    let content = [sound.files[0].1.clone(), content[start..].to_vec()].concat();
    assert_eq!(verify_with(&[("a".to_owned(), content)], kept, None).found, 0);
}

#[test]
fn lines_of_before_the_chain_are_counted() {
    let chained = log(4, 100);
    let old = b"{\"seq\":1,\"time\":\"x\"}\n{\"seq\":2,\"ti\n{\"seq\":2,\"time\":\"x\"}\n".to_vec();
    let text = String::from_utf8(chained.files[0].1.clone()).unwrap();
    // The chain of another log: it begins at 3.
    let mut content = old.clone();
    let mut chain = Link::new(BEGIN);
    for (position, seq) in (3..=5).enumerate() {
        let start = content.len();
        content.extend_from_slice(format!("{{\"seq\":{seq}").as_bytes());
        chain = close(&mut content, start, chain, position == 0);
    }
    let kept = Kept { from: 3, head: Head { seq: 5, chain } };
    let verified = verify_with(&[("a".to_owned(), content.clone())], Some(kept), None);
    assert_eq!((verified.found, verified.unchained, verified.first), (0, 3, Some(3)), "{verified:?}");
    assert!(verified.notes[0].contains("begins at line 3"), "{verified:?}");
    // Who takes the chain from the first lines makes them look like that; the gate knows better.
    let earlier = Kept { from: 1, ..kept };
    assert!(verify_with(&[("a".to_owned(), content.clone())], Some(earlier), None).found >= 2);
    let front = [b"x\n".to_vec(), lines(&chained).concat()].concat();
    let of_chained = Kept { from: 1, head: chained.head };
    assert_eq!(verify_with(&[("a".to_owned(), front)], Some(of_chained), None).found, 1);
    let later = log(9, 3);
    let front = [b"x\n".to_vec(), later.files[2].1.clone()].concat();
    let of_later = Kept { from: 2, head: later.head };
    assert_eq!(
        told(&verify_with(&[("a".to_owned(), front)], Some(of_later), None)),
        [(2, What::Inserted { count: 1 })]
    );
    content.extend_from_slice(b"{\"seq\":6,\"time\":\"x\"}\n");
    assert_eq!(verify_with(&[("a".to_owned(), content)], Some(kept), None).found, 1);
    assert!(text.starts_with("{\"seq\":1"));
}

#[test]
fn findings_are_bounded() {
    let sound = log(500, 1000);
    let text = String::from_utf8(sound.files[0].1.clone()).unwrap().replace("search", "modify");
    let verified = verify_with(&[("a".to_owned(), text.into_bytes())], kept(&sound), None);
    assert_eq!((verified.found, verified.findings.len()), (500, KEPT_AT_MOST));
}

/// One change of the files of a log.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    MoveLines(usize, usize),
    CopyLine(usize, usize),
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), 1..=255_u8).prop_map(|(at, with)| Change::Flip(at, with)),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..60)).prop_map(|(at, what)| Change::Insert(at, what)),
        (any::<usize>(), 1..400_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Change::MoveLines(from, to)),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Change::CopyLine(from, to)),
    ]
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    let mut lines: Vec<Vec<u8>> = content.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
    let (octets, count) = (content.len(), lines.len());
    if octets == 0 {
        return;
    }
    match change {
        Change::Flip(at, with) => content[at % octets] ^= with,
        Change::Insert(at, what) => drop(content.splice(at % octets..at % octets, what.iter().copied())),
        Change::Remove(at, many) => drop(content.drain(at % octets..(at % octets + many).min(octets))),
        Change::MoveLines(from, to) => {
            let line = lines.remove(from % count);
            lines.insert(to % count, line);
            *content = lines.concat();
        }
        Change::CopyLine(from, to) => {
            lines.insert(to % count, lines[from % count].clone());
            *content = lines.concat();
        }
    }
}

proptest! {
    /// Whatever becomes of the octets of a log: if they are others than before, that is found.
    #[test]
    fn any_change_is_found(
        count in 1_u64..12,
        per_file in 1_u64..8,
        changes in proptest::collection::vec((any::<usize>(), changes()), 1..4),
    ) {
        let sound = log(count, per_file);
        let mut altered = sound.clone();
        for (file, change) in &changes {
            let file = file % altered.files.len();
            apply(&mut altered.files[file].1, change);
        }
        prop_assert_eq!(verify(&altered, &sound).found == 0, altered == sound, "{:?}", altered);
    }
}
