//! Goes through the lines of a log, oldest first, and says where they are not as they were written.
//! After each finding it goes on from the line as it is, so that one change is told once or twice, not for
//! every line after it. Knows nothing of files but their names.

mod gone;

use super::{Chained, Head, Link, seq_of};
use crate::engine::audit::lines::{Line, Lines};
use gone::{Gone, OwnEvent};
use std::io::BufRead;

/// So many findings, and notes, are kept; the others are counted.
const KEPT_AT_MOST: usize = 100;

/// What a gate keeps of its log outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The first line of the chain.
    pub from: u64,
    /// The last line that was on disk when this was noted.
    pub head: Head,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file's name.
    pub file: String,
    /// Which line of it, from 1; 0: the file as a whole.
    pub line: u64,
    /// The number that the line says it has.
    pub seq: Option<u64>,
    /// What.
    pub what: What,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The digest is another.
    #[error("it was altered, or what stands before it was")]
    Altered,
    /// Numbers left out.
    #[error("lines {from} to {to} are missing before it")]
    Missing {
        /// The first of them.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A number that was there before.
    #[error("line {expected} should stand here: it was inserted, copied or moved")]
    Order {
        /// Which should.
        expected: u64,
    },
    /// No digest where there must be one.
    #[error("it carries no chain: it was inserted or altered")]
    NotChained,
    /// Anything.
    #[error("it is no line of the log: it was inserted, altered or cut short")]
    NoLine,
    /// Lines without a digest where all have one.
    #[error("the {count} lines before it carry no chain: they were inserted or altered")]
    Inserted {
        /// How many.
        count: u64,
    },
    /// The first of a file that is not.
    #[error("it does not say what came before it, as the first line of a file does: lines before it were taken out")]
    NoBeginning,
    /// No line end.
    #[error("the file ends within a line: it was cut short, or something was added to it")]
    Unended,
    /// No line in a file, and another after it.
    #[error("the file is empty: its lines were taken out")]
    Empty,
    /// The gate saw it when it started.
    #[error("when the gate started here, the log did not end with line {}, as it had: what followed the line before was taken out or altered", .0.seq)]
    Broken(Head),
    /// The gate noticed it while it wrote the file.
    #[error(
        "{how} while the gate wrote it; lines {from} to {to} were in it. `tidegate audit acknowledge` says that this is known"
    )]
    Vanished {
        /// What became of it.
        how: Vanished,
        /// The first line that was in it.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Less than there was.
    #[error("the log ends before line {}, which {whose} head is of: lines were cut off its end", .head.seq)]
    CutOff {
        /// Whose head.
        whose: &'static str,
        /// It.
        head: Head,
    },
    /// Another than there was.
    #[error("it is not the line that {whose} head is of: the log was written anew")]
    Rewritten {
        /// Whose head.
        whose: &'static str,
    },
}

/// What became of a file that was being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Vanished {
    /// Nobody can open it any more.
    #[error("it was deleted")]
    Deleted,
    /// It is shorter than it was.
    #[error("it was emptied")]
    Emptied,
    /// It has another name.
    #[error("it was moved")]
    Moved,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Lines in them.
    pub lines: u64,
    /// Of these, those from before there was a chain.
    pub unchained: u64,
    /// The number of the first line of the chain.
    pub first: Option<u64>,
    /// The last line.
    pub last: Option<Head>,
    /// How many things are wrong.
    pub found: u64,
    /// The first hundred of them.
    pub findings: Vec<Finding>,
    /// What is to be known besides.
    pub notes: Vec<String>,
}

/// A head to compare with.
#[derive(Debug)]
struct Wanted {
    whose: &'static str,
    head: Head,
    seen: bool,
}

/// A line that only what follows can explain.
#[derive(Debug)]
struct Stray {
    finding: Finding,
    length: u64,
    digest: Link,
}

/// A reading of the log in progress.
#[derive(Debug, Default)]
pub struct Verifier {
    /// The first line that must be chained.
    from: Option<u64>,
    wanted: Vec<Wanted>,
    file: String,
    line: u64,
    last_seq: Option<u64>,
    last_chain: Option<Link>,
    stray: Option<Stray>,
    gone: Vec<Gone>,
    out: Verified,
}

impl Verifier {
    /// Begins, with what the gate keeps and a head that somebody else kept, where there are such.
    pub fn new(kept: Option<Kept>, head: Option<Head>) -> Verifier {
        let wanted = |whose, head| Wanted { whose, head, seen: false };
        // One of before the first line is only where the chain begins.
        let own = kept.filter(|kept| kept.from <= kept.head.seq).map(|kept| wanted("the gate's own", kept.head));
        let wanted = own.into_iter().chain(head.map(|head| wanted("the given", head))).collect();
        Verifier { from: kept.map(|kept| kept.from), wanted, ..Verifier::default() }
    }

    /// The lines that follow are those of this file.
    pub fn begin_file(&mut self, name: &str) {
        if self.out.files > 0 && self.line == 0 {
            let finding = self.finding(None, What::Empty);
            self.tell(finding);
        }
        name.clone_into(&mut self.file);
        self.line = 0;
        self.out.files += 1;
    }

    /// The next line, without its line end.
    pub fn line(&mut self, line: &[u8]) {
        self.line += 1;
        self.out.lines += 1;
        match (seq_of(line), Chained::read(line)) {
            (Some(seq), Some(chained)) => self.chained(seq, line, chained),
            (seq, _) => self.unchained(seq, line),
        }
    }

    /// What stands behind the last line end of a file. Where the gate is writing the file at this moment, that is
    /// a line in the making.
    pub fn unended(&mut self, being_written: bool) {
        if !being_written {
            self.line += 1;
            let finding = self.finding(None, What::Unended);
            self.tell(finding);
        }
    }

    /// All lines of a file. `last`: whether no file follows; `live`: whether the gate is writing it at this moment;
    /// `go_on` is asked now and then. Whether it came to the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn file(
        &mut self,
        name: &str,
        from: impl BufRead,
        (last, live): (bool, bool),
        go_on: &mut dyn FnMut() -> bool,
    ) -> std::io::Result<bool> {
        self.begin_file(name);
        let mut lines = Lines::new(from);
        while let Some(line) = lines.next_line()? {
            match line {
                Line::Whole(line) => self.line(line),
                Line::Unended(_) => {
                    self.unended(last && live);
                    break;
                }
            }
            if self.line.is_multiple_of(1024) && !go_on() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Nothing more is read although there is more: what is missing at the end is not told.
    pub fn break_off(mut self) -> Verified {
        let read = self.last_seq.unwrap_or_default();
        self.wanted.retain(|wanted| wanted.head.seq <= read);
        self.finish()
    }

    /// There are no more lines.
    pub fn finish(mut self) -> Verified {
        self.settle(None);
        let (first, last) = (self.out.first, self.last_seq);
        for Wanted { whose, head, seen } in std::mem::take(&mut self.wanted) {
            if seen {
                continue;
            }
            if first.is_some_and(|first| head.seq < first) {
                self.note(format!("line {} of {whose} head is in files that are not here", head.seq));
            } else if last.is_none_or(|last| last < head.seq) {
                self.line = 0;
                let finding = self.finding(None, What::CutOff { whose, head });
                self.tell(finding);
            }
            // One in the middle that is not there is missing, which was told.
        }
        self.explain();
        self.out.last = self.last_seq.zip(self.last_chain).map(|(seq, chain)| Head { seq, chain });
        self.out
    }

    fn chained(&mut self, seq: u64, line: &[u8], chained: Chained<'_>) {
        let own = OwnEvent::read(line);
        self.settle(own.as_ref());
        let before = self.last_seq.zip(self.last_chain).map(|(seq, chain)| Head { seq, chain });
        let expected = self.last_seq.map(|last| last.saturating_add(1));
        let fits = |previous: Link| {
            previous.next(chained.covered) == chained.chain && chained.previous.is_none_or(|said| said == previous)
        };
        let what = match (expected, self.last_chain, chained.previous) {
            (Some(expected), _, _) if seq < expected => Some(What::Order { expected }),
            (Some(expected), _, previous) if seq > expected => {
                // Only the first line of a file can be checked without the one before it.
                if previous.is_some_and(|previous| !fits(previous)) {
                    let finding = self.finding(Some(seq), What::Altered);
                    self.tell(finding);
                }
                Some(What::Missing { from: expected, to: seq - 1 })
            }
            (_, Some(previous), _) => (!fits(previous)).then_some(What::Altered),
            (_, None, Some(previous)) => (!fits(previous)).then_some(What::Altered),
            (_, None, None) => Some(What::NoBeginning),
        };
        if let Some(what) = what {
            let finding = self.finding(Some(seq), what);
            self.tell(finding);
        }
        if self.out.first.is_none() {
            self.begins(seq);
        }
        if let Some(own) = own {
            self.own(seq, &own, before);
        }
        self.compare(seq, chained.chain);
        self.last_seq = Some(seq);
        self.last_chain = Some(chained.chain);
    }

    fn begins(&mut self, seq: u64) {
        self.out.first = Some(seq);
        let unchained = self.out.unchained;
        if unchained > 0 && self.from.is_some_and(|from| from < seq) {
            // The chain had begun by then.
            let finding = self.finding(Some(seq), What::Inserted { count: unchained });
            self.tell(finding);
        } else if unchained > 0 {
            self.note(format!("the chain begins at line {seq}: nothing vouches for the {unchained} before it"));
        } else if seq > 1 && self.from != Some(seq) {
            self.note(format!("verified from line {seq} on: the files with those before it are not here"));
        }
    }

    fn compare(&mut self, seq: u64, chain: Link) {
        let mut other = None;
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.head.seq == seq && !wanted.seen) {
            wanted.seen = true;
            if wanted.head.chain != chain {
                other = Some(What::Rewritten { whose: wanted.whose });
            }
        }
        if let Some(what) = other {
            let finding = self.finding(Some(seq), what);
            self.tell(finding);
        }
    }

    /// A line of before the chain, or one that must not be there; but for what a crash left of a line, of which
    /// the next line tells.
    fn unchained(&mut self, seq: Option<u64>, line: &[u8]) {
        self.settle(None);
        let number = seq.or(self.last_seq).unwrap_or(1);
        let due = self.from.is_some_and(|from| from <= number);
        if self.last_chain.is_none() && !due {
            self.out.unchained += 1;
            // What a crash left of a line has not used up its number.
            self.last_seq = seq.filter(|_| line.ends_with(b"}")).or(self.last_seq);
            return;
        }
        let what = if seq.is_some() { What::NotChained } else { What::NoLine };
        let finding = self.finding(seq, what);
        self.stray = Some(Stray { finding, length: line.len() as u64, digest: Link::of(line) });
    }

    /// Tells of a line that nothing explains.
    fn settle(&mut self, next: Option<&OwnEvent>) {
        let Some(stray) = self.stray.take() else { return };
        let explained = next.is_some_and(|own| {
            own.event == "audit.repaired"
                && own.torn_bytes == Some(stray.length)
                && own.torn_digest.as_ref().is_some_and(|digest| *digest == stray.digest.to_string())
        });
        if !explained {
            self.tell(stray.finding);
        }
    }

    fn own(&mut self, seq: u64, own: &OwnEvent, before: Option<Head>) {
        let head = own.head.as_deref().and_then(|head| head.parse::<Head>().ok());
        if self.is_gone(seq, own, head, before) {
            return;
        }
        match (&*own.event, head) {
            ("audit.repaired", _) => {
                self.note(format!("line {seq}: a crash cut the line before it short; the gate ended it"));
            }
            ("audit.resumed", _) => {
                let lost = own.lost.unwrap_or_default();
                self.note(format!("line {seq}: the log could not be written for a while; {lost} lines were lost"));
            }
            ("audit.headless", _) => self.note(format!(
                "line {seq}: when the gate started here, its own head was gone; what may have been cut off before does not show"
            )),
            // Files that were taken away and are back have done no harm.
            ("audit.broken", Some(head)) if before == Some(head) => {}
            ("audit.broken", Some(head)) => {
                let finding = self.finding(Some(seq), What::Broken(head));
                self.tell(finding);
                // Lines up to the head may be missing, whatever the files say they begin with.
                let from = before.map_or(1, |before| before.seq.saturating_add(1));
                self.gone.push(Gone { file: head.to_string(), from, to: head.seq, head: Some(head), settled: None });
            }
            (_, _) => {}
        }
    }

    fn finding(&self, seq: Option<u64>, what: What) -> Finding {
        Finding { file: self.file.clone(), line: self.line, seq, what }
    }

    fn tell(&mut self, finding: Finding) {
        self.out.found += 1;
        if self.out.findings.len() < KEPT_AT_MOST {
            self.out.findings.push(finding);
        }
    }

    fn note(&mut self, note: String) {
        if self.out.notes.len() < KEPT_AT_MOST {
            self.out.notes.push(note);
        }
    }
}

#[cfg(test)]
mod tests;
