//! Pages of the log: the lines that somebody wants to see, newest or oldest first, a bounded number at a time. And
//! all lines, for those who count. A line that cannot be read is left out: verifying tells of it.

use super::read::LogReader;
use super::{file, files};
use crate::engine::audit::chain::seq_of;
use crate::engine::audit::query::{Filter, Line};
use chrono::{DateTime, TimeDelta, Utc};
use std::fs::File;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

/// A page holds at most so many octets, and one line.
const PAGE_OCTETS: usize = 4 << 20;

/// A file that was last written so long before the time that is asked for is not read. So much might the clock have
/// been set back.
const SLACK: TimeDelta = TimeDelta::days(1);

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

/// A page in the making.
struct Making<'a> {
    page: LogPage,
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
        self.page.next = Some(seq);
        if let (Ok(read), Ok(text)) = (Line::parse(line), std::str::from_utf8(line))
            && self.filter.takes(&read)
        {
            self.octets += text.len();
            self.page.lines.push(text.to_owned());
        }
        let full = self.page.lines.len() >= self.limit || self.octets >= PAGE_OCTETS;
        if full || self.looked_at.is_multiple_of(1024) && Instant::now() > self.deadline {
            self.page.more = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl LogReader {
    /// One page.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn page(&self, filter: &mut Filter, part: Part, limit: usize, deadline: Instant) -> std::io::Result<LogPage> {
        let since = filter.since;
        let mut making = Making { page: LogPage::default(), octets: 0, filter, limit, looked_at: 0, deadline };
        let mut files = file::list(&self.directory)?;
        match part {
            Part::Before(before) => {
                files.retain(|(first, _)| *first < before);
                files.reverse();
            }
            Part::After(after) => {
                let begun = files.iter().filter(|(first, _)| *first <= after.saturating_add(1)).count();
                files.drain(..begun.saturating_sub(1));
            }
        }
        for (_, path) in files {
            let Some(opened) = open(&path, since)? else { continue };
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
        Ok(making.page)
    }

    /// Shows all lines that `filter` takes, oldest first, until `deadline`: whether that was enough.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn all(&self, filter: &mut Filter, deadline: Instant, visit: &mut dyn FnMut(&Line)) -> std::io::Result<bool> {
        self.settle();
        let mut looked_at = 0_u64;
        for (_, path) in file::list(&self.directory)? {
            let Some(opened) = open(&path, filter.since)? else { continue };
            let flow = files::forwards(opened, 0, &mut |line| {
                looked_at += 1;
                if let Ok(line) = Line::parse(line)
                    && filter.takes(&line)
                {
                    visit(&line);
                }
                let late = looked_at.is_multiple_of(1024) && Instant::now() > deadline;
                if late { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if flow?.is_break() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until a line after this one is in a file; `false`: it took longer.
    pub async fn written_after(&self, seq: u64, patience: Duration) -> bool {
        let mut written = self.shared.written.subscribe();
        let grown = written.wait_for(|written| *written > seq);
        matches!(tokio::time::timeout(patience, grown).await, Ok(Ok(_)))
    }
}

/// A file that may hold lines of this time or later; `None`: it does not, or it was moved away meanwhile.
fn open(path: &Path, since: Option<DateTime<Utc>>) -> std::io::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let written: DateTime<Utc> = file.metadata()?.modified()?.into();
    let over = since.and_then(|since| since.checked_sub_signed(SLACK)).is_some_and(|since| written < since);
    Ok((!over).then_some(file))
}
