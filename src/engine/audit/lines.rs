//! The lines of something that is read, one at a time, in bounded memory whatever it holds.

use std::io::{BufRead, ErrorKind, Result};

/// No record is as long; what is longer is not kept whole.
pub const LONGEST: usize = 1 << 20;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without its line end; of one that is longer than [`LONGEST`], the first part.
    Whole(&'a [u8]),
    /// What stands behind the last line end: so many octets, perhaps more to come.
    Unended(u64),
}

/// Reads lines.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    line: Vec<u8>,
    /// Octets read since the last line end.
    length: u64,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Those of `from`.
    pub fn new(from: R) -> Lines<R> {
        Lines { from, line: Vec::new(), length: 0, ended: true }
    }

    /// The next line; `None` when nothing is left at the moment. What had no line end yet is gone on with when it is
    /// called again.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        if std::mem::take(&mut self.ended) {
            self.line.clear();
            self.length = 0;
        }
        loop {
            let found = match self.from.fill_buf() {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if found.is_empty() {
                return Ok((self.length > 0).then_some(Line::Unended(self.length)));
            }
            let end = found.iter().position(|octet| *octet == b'\n');
            let part = found.get(..end.unwrap_or(found.len())).unwrap_or_default();
            let room = LONGEST.saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(part.get(..room).unwrap_or_default());
            let used = part.len() + usize::from(end.is_some());
            self.length += used as u64;
            self.from.consume(used);
            if end.is_some() {
                self.ended = true;
                return Ok(Some(Line::Whole(&self.line)));
            }
        }
    }

    /// How many octets the line takes that was returned last, its line end included.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What is read from.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_they_end() {
        let text = b"one\n\nthree\nrest";
        for size in 1..20 {
            let mut lines = Lines::new(std::io::BufReader::with_capacity(size, &text[..]));
            for line in [&b"one"[..], b"", b"three"] {
                assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(line)), "{size}");
                assert_eq!(lines.length(), line.len() as u64 + 1);
            }
            for _ in 0..2 {
                assert_eq!(lines.next_line().unwrap(), Some(Line::Unended(4)));
            }
        }
        assert_eq!(Lines::new(&b""[..]).next_line().unwrap(), None);
    }

    #[test]
    fn long_ones_are_not_kept_and_unended_ones_gone_on_with() {
        let long = [vec![b'x'; 2 * LONGEST], b"\nafter\n".to_vec()].concat();
        let mut lines = Lines::new(&long[..]);
        assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(&vec![b'x'; LONGEST])));
        assert_eq!(lines.length(), 2 * LONGEST as u64 + 1);
        assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(b"after")));

        let mut lines = Lines::new(&b"ha"[..]);
        assert_eq!(lines.next_line().unwrap(), Some(Line::Unended(2)));
        *lines.get_mut() = b"lf\n";
        assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(b"half")));
    }
}
