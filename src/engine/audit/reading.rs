//! All lines of a log in order, for those who count: each operation once, and only what the period reaches. Knows lines and
//! times, no files.

use super::query::{Filter, Line};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::collections::HashMap;

/// A line that stands for several says the time of the first of them: they are a second apart at most.
const SUMMED: TimeDelta = TimeDelta::seconds(5);

/// A reading of the log, oldest line first.
#[derive(Debug)]
pub struct Reading {
    filter: Filter,
    /// Events are shown whatever their time.
    history: bool,
    /// Operations decided before this are not looked at, nor from the other on: as times are written in the log.
    since: Option<String>,
    until: Option<String>,
    /// Begun lines of operations that have not ended yet.
    open: HashMap<String, Line>,
    span: Span,
}

/// Which lines were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// Number and time of the first.
    pub first: Option<(u64, DateTime<Utc>)>,
    /// Number and time of the last.
    pub last: Option<(u64, DateTime<Utc>)>,
}

impl Reading {
    /// Lines that `filter` takes. With `history`, also all events from before and after its period: what was true within
    /// it depends on them.
    pub fn new(filter: Filter, history: bool) -> Reading {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let since = filter.since.and_then(|since| since.checked_sub_signed(SUMMED)).map(text);
        let until = filter.until.map(text);
        Reading { filter, history, since, until, open: HashMap::new(), span: Span::default() }
    }

    /// The next line, without its line end.
    pub fn line(&mut self, octets: &[u8], visit: &mut dyn FnMut(&Line)) {
        let operation = operation_time(octets);
        if let Some((seq, time)) = operation
            && (self.since.as_deref().is_some_and(|since| time < since)
                || self.until.as_deref().is_some_and(|until| time >= until))
        {
            // Most lines of a long log; both lines of an operation have the same time.
            self.span.see(seq, || time.parse().ok());
            return;
        }
        let Ok(line) = Line::parse(octets) else { return };
        self.span.see(line.seq, || Some(line.time));
        if line.is_start() {
            // Nothing outlasts the process.
            self.open.drain().for_each(|(_, line)| visit(&line));
        }
        if let Some(id) = line.ended() {
            self.open.remove(id);
        }
        let taken = self.history && line.event.is_some() || self.filter.takes(&line);
        match line.begun().map(str::to_owned) {
            Some(id) if taken => drop(self.open.insert(id, line)),
            Some(_) => {}
            None if taken => visit(&line),
            None => {}
        }
    }

    /// There are no more: shows the operations that have not ended. Returns what was read.
    pub fn finish(self, visit: &mut dyn FnMut(&Line)) -> Span {
        self.open.into_values().for_each(|line| visit(&line));
        self.span
    }
}

impl Span {
    fn see(&mut self, seq: u64, time: impl Fn() -> Option<DateTime<Utc>>) {
        if self.first.is_none() {
            self.first = time().map(|time| (seq, time));
        }
        // Parsed for the first and, at the end, for the last: see `last_seen`.
        match &mut self.last {
            Some((last, at)) if seq > *last => {
                *last = seq;
                if let Some(time) = time() {
                    *at = time;
                }
            }
            Some(_) => {}
            None => self.last = time().map(|time| (seq, time)),
        }
    }
}

/// Number and time of the record of an operation, as they are written; `None`: it is an event, or no line.
fn operation_time(line: &[u8]) -> Option<(u64, &str)> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let (seq, rest) = rest.split_at_checked(rest.iter().position(|octet| *octet == b',')?)?;
    let rest = rest.strip_prefix(b",\"time\":\"")?;
    let (time, rest) = rest.split_at_checked(rest.iter().position(|octet| *octet == b'"')?)?;
    let seq = std::str::from_utf8(seq).ok()?.parse().ok()?;
    let time = std::str::from_utf8(time).ok()?;
    rest.starts_with(b"\",\"session\":").then_some((seq, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(filter: Filter, history: bool, lines: &[&str]) -> (Vec<u64>, Span) {
        let mut reading = Reading::new(filter, history);
        let mut seen = Vec::new();
        for line in lines {
            reading.line(line.as_bytes(), &mut |line| seen.push(line.seq));
        }
        let span = reading.finish(&mut |line| seen.push(line.seq));
        (seen, span)
    }

    const LINES: &[&str] = &[
        r#"{"seq":1,"time":"2026-11-20T10:00:00.000000Z","event":"granted"}"#,
        r#"{"seq":2,"time":"2026-11-20T10:00:01.000000Z","session":"s","operation":"search","phase":"begun","operation_id":"s-1"}"#,
        r#"{"seq":3,"time":"2026-11-20T10:00:01.000000Z","session":"s","operation":"search","phase":"ended","operation_id":"s-1"}"#,
        r#"{"seq":4,"time":"2026-11-20T11:00:00.000000Z","session":"s","operation":"compare"}"#,
        r#"{"seq":5,"time":"2026-11-20T11:00:01.000000Z","session":"s","operation":"search","phase":"begun","operation_id":"s-2"}"#,
        "torn",
        r#"{"seq":6,"time":"2026-11-20T12:00:00.000000Z","session":"s","operation":"bind"}"#,
        r#"{"seq":7,"time":"2026-11-20T12:00:01.000000Z","event":"expired"}"#,
    ];

    #[test]
    fn each_operation_is_shown_once_and_history_whole() {
        let all = read(Filter::default(), false, LINES);
        assert_eq!(all.0, [1, 3, 4, 6, 7, 5], "one that has not ended comes last");
        assert_eq!(all.1.first.map(|(seq, _)| seq), Some(1));
        assert_eq!(all.1.last.map(|(seq, _)| seq), Some(7));
        let at = |text: &str| Some(format!("2026-11-20T{text}Z").parse().unwrap());
        let eleven = || Filter { since: at("11:00:00"), until: at("11:30:00"), ..Filter::default() };
        assert_eq!(read(eleven(), false, LINES).0, [4, 5]);
        let (seen, span) = read(eleven(), true, LINES);
        assert_eq!(seen, [1, 4, 7, 5], "what was granted before holds in it, and what ended later, too");
        assert_eq!(span, all.1, "what is left out was read");
    }
}
