//! Pages of the log: the lines that somebody wants to see, newest or oldest first, a bounded number at a time. And
//! all lines, for those who count. A line that cannot be read is left out: verifying tells of it. An operation is shown
//! once: its begun line only if there is no other.

use super::read::LogReader;
use super::{LastLine, file, files};
use crate::engine::audit::chain::seq_of;
use crate::engine::audit::query::{Filter, Line};
use crate::engine::audit::reading::Reading;
use crate::engine::audit::transition::Transition;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A page holds at most so many octets, and one line.
const PAGE_OCTETS: usize = 4 << 20;

/// A file that was last written so long before the time that is asked for is not read. So much might the clock have
/// been set back.
const SLACK: TimeDelta = TimeDelta::minutes(10);

/// Where a page begins, and which way it goes on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Newest first, those before this one.
    Before(u64),
    /// Oldest first, those after this one.
    After(u64),
}

/// A part of the log.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    /// As they are in the log, without their line ends.
    pub lines: Vec<String>,
    /// The last line that was looked at: where to go on. `None`: none was.
    pub next: Option<u64>,
    /// Whether there is more to be looked at.
    pub more: bool,
}

/// A line that was found.
struct Found {
    text: String,
    /// It is the begun line of this operation, and shown only if that has not ended.
    begun: Option<String>,
    /// That has ended.
    gone: bool,
}

/// A page in the making.
struct Making<'a> {
    backwards: bool,
    /// Whether what comes is of an earlier run: what has no last line there has none.
    past_start: bool,
    found: Vec<Found>,
    next: Option<u64>,
    more: bool,
    /// Operations whose last line was met and whose begun line was not, or the other way round (then where it is in
    /// `found`).
    open: HashMap<String, Option<usize>>,
    octets: usize,
    filter: &'a mut Filter,
    limit: usize,
    looked_at: u64,
    deadline: Instant,
}

impl Making<'_> {
    fn see(&mut self, line: &[u8]) -> ControlFlow<()> {
        self.looked_at += 1;
        let Some(seq) = seq_of(line) else { return ControlFlow::Continue(()) };
        self.next = Some(seq);
        if let (Ok(read), Ok(text)) = (Line::parse(line), std::str::from_utf8(line))
            && !self.is_told_elsewhere(&read)
            && self.filter.takes(&read)
        {
            self.octets += text.len();
            let begun = read.begun().filter(|_| !self.past_start).map(str::to_owned);
            if let Some(id) = &begun {
                self.open.insert(id.clone(), Some(self.found.len()));
            }
            self.found.push(Found { text: text.to_owned(), begun, gone: false });
        }
        let full = self.found.len() >= self.limit || self.octets >= PAGE_OCTETS;
        if full || self.looked_at.is_multiple_of(1024) && Instant::now() > self.deadline {
            self.more = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Whether a begun line is followed by one that says more, which was met before. An operation that was met as begun
    /// and is met as ended is no longer open.
    fn is_told_elsewhere(&mut self, line: &Line) -> bool {
        if line.is_start() {
            self.start();
        }
        if let Some(id) = line.begun() {
            return self.open.get(id) == Some(&None) && self.open.remove(id).is_some();
        }
        if let Some(id) = line.ended() {
            match self.open.remove(id) {
                Some(Some(at)) => self.found.get_mut(at).into_iter().for_each(|found| found.gone = true),
                Some(None) | None if self.backwards => drop(self.open.insert(id.to_owned(), None)),
                Some(None) | None => {}
            }
        }
        false
    }

    /// A gate began to run: no operation that began before lasts any longer, and ids may be given again.
    fn start(&mut self) {
        self.past_start = self.backwards;
        for (id, at) in std::mem::take(&mut self.open) {
            match at {
                Some(_) if self.backwards => drop(self.open.insert(id, at)),
                Some(at) => self.found.get_mut(at).into_iter().for_each(|found| found.begun = None),
                None => {}
            }
        }
    }

    /// The operations of the page that are begun and not known to have ended.
    fn open(&self) -> HashSet<String> {
        let open = self.open.iter().filter_map(|(id, at)| at.is_some().then_some(id));
        open.cloned().collect()
    }

    /// The page, with the begun lines of those that have not `ended`.
    fn finish(self, open: &HashSet<String>) -> LogPage {
        let shown = |found: &Found| !found.gone && found.begun.as_ref().is_none_or(|id| open.contains(id));
        let lines = self.found.into_iter().filter(shown).map(|found| found.text).collect();
        LogPage { lines, next: self.next, more: self.more }
    }
}

impl LogReader {
    /// One page.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn page(&self, filter: &mut Filter, part: Part, limit: usize, deadline: Instant) -> std::io::Result<LogPage> {
        let since = filter.since;
        let mut making = Making {
            backwards: matches!(part, Part::Before(_)),
            past_start: false,
            found: Vec::new(),
            next: None,
            more: false,
            open: HashMap::new(),
            octets: 0,
            filter,
            limit,
            looked_at: 0,
            deadline,
        };
        let mut files = file::list(&self.directory)?;
        match part {
            Part::Before(before) => {
                files.retain(|(first, _)| *first < before);
                files.reverse();
            }
            Part::After(after) => files = following(files, after.saturating_add(1)),
        }
        for (_, path) in files {
            let Some(opened) = opened(&path, since)? else { continue };
            let flow = match part {
                Part::Before(before) => files::backwards(opened, before, &mut |line| {
                    if seq_of(line).is_some_and(|seq| seq >= before) {
                        ControlFlow::Continue(())
                    } else {
                        making.see(line)
                    }
                }),
                Part::After(after) => files::forwards(opened, after.saturating_add(1), &mut |line| {
                    if seq_of(line).is_some_and(|seq| seq <= after) {
                        ControlFlow::Continue(())
                    } else {
                        making.see(line)
                    }
                }),
            };
            if flow?.is_break() {
                break;
            }
        }
        // Whether they have ended, lines tell that are newer than the page.
        let mut open = making.open();
        let newer = match part {
            Part::Before(u64::MAX) => None,
            Part::Before(before) => Some(before),
            Part::After(_) => making.next.filter(|_| making.more).map(|last| last + 1),
        };
        if let Some(newer) = newer.filter(|_| !open.is_empty()) {
            self.leave_open(&mut open, newer, deadline)?;
        }
        Ok(making.finish(&open))
    }

    /// Takes those operations out of `open` whose last line is `newer` or newer. Ends where a gate began to run, for
    /// nothing outlasts the process; at the deadline all are open that are left.
    fn leave_open(&self, open: &mut HashSet<String>, newer: u64, deadline: Instant) -> std::io::Result<()> {
        const TELLS: [&[u8]; 2] = [b",\"phase\":\"ended\"", b",\"event\":\"started\""];
        let mut looked_at = 0_u64;
        for (_, path) in following(file::list(&self.directory)?, newer) {
            let Some(opened) = opened(&path, None)? else { continue };
            let flow = files::forwards(opened, newer, &mut |line| {
                looked_at += 1;
                let late = looked_at.is_multiple_of(1024) && Instant::now() > deadline;
                let tells = TELLS.iter().any(|tells| line.windows(tells.len()).any(|window| window == *tells));
                if tells && seq_of(line).is_some_and(|seq| seq >= newer) {
                    match Line::parse(line) {
                        Ok(line) if line.is_start() => return ControlFlow::Break(()),
                        Ok(line) => drop(line.ended().map(|id| open.remove(id))),
                        Err(_) => {}
                    }
                }
                if late || open.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if flow?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads all lines, oldest first, until `deadline`: whether that was enough. Files that were last written before
    /// `since` are not opened.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn all(
        &self,
        reading: &mut Reading,
        since: Option<DateTime<Utc>>,
        deadline: Instant,
        visit: &mut dyn FnMut(&Line),
    ) -> std::io::Result<bool> {
        self.settle();
        let mut looked_at = 0_u64;
        for (_, path) in file::list(&self.directory)? {
            let Some(opened) = opened(&path, since)? else { continue };
            let flow = files::forwards(opened, 0, &mut |line| {
                looked_at += 1;
                reading.line(line, visit);
                let late = looked_at.is_multiple_of(1024) && Instant::now() > deadline;
                if late { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if flow?.is_break() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Shows the steps of the workflow after this line, oldest first: all that is in the files. Returns what the last
    /// line is. A log that does not reach that far was replaced or truncated: it is shown from the beginning.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn transitions(&self, after: u64, visit: &mut dyn FnMut(Transition)) -> std::io::Result<Option<LastLine>> {
        self.settle();
        let mut last = None;
        for (_, path) in file::list(&self.directory)?.into_iter().rev() {
            _ = files::backwards(File::open(path)?, u64::MAX, &mut |line| {
                let whole = Line::parse(line).map(|line| LastLine { seq: line.seq, time: line.time });
                last = whole.ok();
                if last.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if last.is_some() {
                break;
            }
        }
        let Some(end) = last else { return Ok(None) };
        let after = if end.seq < after { 0 } else { after };
        let files = file::list(&self.directory)?;
        let begun = files.iter().filter(|(first, _)| *first <= after.saturating_add(1)).count();
        for (_, path) in files.into_iter().skip(begun.saturating_sub(1)) {
            _ = files::forwards(File::open(path)?, after.saturating_add(1), &mut |line| {
                if seq_of(line).is_some_and(|seq| seq > after)
                    && let Some(transition) = Transition::parse(line)
                {
                    visit(transition);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(last)
    }

    /// Waits until a line after this one is in a file; `false`: it took longer.
    pub async fn written_after(&self, seq: u64, patience: Duration) -> bool {
        let mut written = self.shared.written.subscribe();
        let grown = written.wait_for(|written| *written > seq);
        matches!(tokio::time::timeout(patience, grown).await, Ok(Ok(_)))
    }
}

/// The files from the one on that holds the line of this number, or would.
fn following(mut files: Vec<(u64, PathBuf)>, number: u64) -> Vec<(u64, PathBuf)> {
    let begun = files.iter().filter(|(first, _)| *first <= number).count();
    files.drain(..begun.saturating_sub(1));
    files
}

/// A file that may hold lines of this time or later; `None`: it does not, or it was moved away meanwhile.
fn opened(path: &Path, since: Option<DateTime<Utc>>) -> std::io::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let written: DateTime<Utc> = file.metadata()?.modified()?.into();
    let over = since.and_then(|since| since.checked_sub_signed(SLACK)).is_some_and(|since| written < since);
    Ok((!over).then_some(file))
}
