//! One file of the log, read from a line on: forwards, or backwards from before a line. Where in a file a line
//! stands is found by halving, for numbers grow. Knows numbers and line ends, nothing else of lines.

use super::read::AT_ONCE;
use crate::engine::audit::chain;
use crate::engine::audit::lines::{LONGEST, Line, Lines};
use std::fs::File;
use std::io::{BufReader, Read, Result, Seek, SeekFrom};
use std::ops::ControlFlow;

/// Is shown each line, without its line end.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// Halving ends at this many octets.
const NEAR: u64 = 64 * 1024;

/// Shows all whole lines but those before the line of this number, or just some of these.
pub(super) fn forwards(mut file: File, from: u64, visit: Visit<'_>) -> Result<ControlFlow<()>> {
    let (start, _) = around(&mut file, from)?;
    file.seek(SeekFrom::Start(start))?;
    let mut lines = Lines::new(BufReader::with_capacity(AT_ONCE, file));
    while let Some(Line::Whole(line)) = lines.next_line()? {
        if visit(line).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Shows all whole lines, the last first, but those of this number and after, or just some of these.
pub(super) fn backwards(mut file: File, before: u64, visit: Visit<'_>) -> Result<ControlFlow<()>> {
    let (_, mut end) = around(&mut file, before)?;
    // The first part of a line of which the rest has been read: with its line end.
    let mut rest: Vec<u8> = Vec::new();
    let mut first = true;
    while end > 0 {
        let start = end.saturating_sub(AT_ONCE as u64);
        let mut part = vec![0; usize::try_from(end - start).unwrap_or(AT_ONCE)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut part)?;
        if std::mem::take(&mut first) {
            // What stands behind the last line end is no line yet.
            let whole = part.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
            part.truncate(whole);
        }
        part.append(&mut rest);
        let mut left = &part[..];
        while let Some(line) = left.strip_suffix(b"\n") {
            let begin = line.iter().rposition(|octet| *octet == b'\n').map(|at| at + 1);
            let Some(begin) = begin.or((start == 0).then_some(0)) else { break };
            if visit(line.get(begin..).unwrap_or_default()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            left = left.get(..begin).unwrap_or_default();
        }
        // One that is longer than any record is shown as an empty one.
        rest = if left.len() > LONGEST { b"\n".to_vec() } else { left.to_vec() };
        end = start;
    }
    Ok(ControlFlow::Continue(()))
}

/// Where a line begins before which all lines have smaller numbers.
pub(super) fn place(file: &mut File, number: u64) -> Result<u64> {
    around(file, number).map(|(low, _)| low)
}

/// Two places where lines begin or the file ends: before the first, all lines have smaller numbers; from the second
/// on, this number or greater ones. Of a file that was altered, any two.
fn around(file: &mut File, number: u64) -> Result<(u64, u64)> {
    let (mut low, mut high) = (0, file.seek(SeekFrom::End(0))?);
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        file.seek(SeekFrom::Start(middle))?;
        let mut lines = Lines::new(BufReader::new(Read::by_ref(file).take(high - middle)));
        // Mostly the rest of a line.
        let mut at = match lines.next_line()? {
            Some(Line::Whole(_)) => middle + lines.length(),
            Some(Line::Unended(_)) | None => break,
        };
        let seq = loop {
            match lines.next_line()? {
                Some(Line::Whole(line)) => match chain::seq_of(line) {
                    Some(seq) => break Some(seq),
                    // What a crash left.
                    None => at += lines.length(),
                },
                Some(Line::Unended(_)) | None => break None,
            }
        };
        match seq {
            None => break,
            Some(seq) if seq < number => low = at,
            Some(_) => high = at,
        }
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(lines: impl Iterator<Item = String>) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(lines.collect::<String>().as_bytes()).unwrap();
        file
    }

    fn shown(read: impl FnOnce(Visit<'_>) -> Result<ControlFlow<()>>) -> Vec<u64> {
        let mut shown = Vec::new();
        let flow = read(&mut |line| {
            shown.extend(chain::seq_of(line));
            ControlFlow::Continue(())
        });
        assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
        shown
    }

    #[test]
    fn both_ways_from_any_line_show_every_line_once() {
        // Short and long lines, some that are none, and one that is not ended; numbers that begin with 100.
        for count in [0, 1, 2, 50, 3000] {
            let text = |n: u64| match n % 97 {
                13 => format!("{{\"seq\":{},\"tor\n{{\"seq\":{},\"x\":1}}\n", n + 100, n + 100),
                n => format!("{{\"seq\":{},\"x\":\"{}\"}}\n", n + 100, "y".repeat(if n == 5 { 300_000 } else { 300 })),
            };
            let text = |n| text(n).replacen("{\"seq\":", &format!("{{\"seq\":{},\"n\":", n + 100), 1);
            let file = file((0..count).map(text).chain(["{\"seq\":9".to_owned()]));
            for from in [0, 100, 101, 105, 106, 113, 150, 1000, 2500, 3099, 3100, 9000] {
                let all = |(low, high): (u64, u64)| {
                    (0..count).map(|n| n + 100).filter(|n| (low..high).contains(n)).collect::<Vec<u64>>()
                };
                let mut forth = shown(|visit| forwards(file.try_clone().unwrap(), from, visit));
                forth.dedup();
                forth.retain(|seq| *seq >= from);
                assert_eq!(forth, all((from, u64::MAX)), "{count} {from}");
                let mut back = shown(|visit| backwards(file.try_clone().unwrap(), from, visit));
                back.dedup();
                back.retain(|seq| *seq < from);
                back.reverse();
                assert_eq!(back, all((0, from)), "{count} {from}");
            }
        }
    }

    #[test]
    fn little_is_read_that_is_not_wanted() {
        let file = file((0..20_000).map(|n| format!("{{\"seq\":{n},\"x\":\"{}\"}}\n", "y".repeat(100))));
        let mut shown = 0;
        let mut count = |_: &[u8]| {
            shown += 1;
            ControlFlow::Continue(())
        };
        assert!(forwards(file.try_clone().unwrap(), 19_990, &mut count).unwrap().is_continue());
        assert!(backwards(file.try_clone().unwrap(), 10, &mut count).unwrap().is_continue());
        assert!(shown < 3000, "{shown}");
        let mut one = |_: &[u8]| ControlFlow::Break(());
        assert_eq!(backwards(file, 20_000, &mut one).unwrap(), ControlFlow::Break(()));
    }
}
