//! The chain over the log: each line ends with a digest over the line before it and itself, so that nothing can
//! be altered, inserted, swapped or taken out between two lines whose digests are known.
//!
//! `chain` is the last field of a line: SHA-256 over the chain value of the line before (32 octets) and this
//! line's octets up to `,"chain":`, in base64url. The first line of a file, and the first of all, also say
//! in `previous` what the value before them was; of the first of all it is random. What has been cut off the end
//! only shows to whoever knows a [`Head`]. Knows nothing of files.

mod verify;

pub use verify::{Finding, Kept, Verified, Verifier, What};

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// Characters of a chain value.
const TEXT: usize = 43;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CHAIN: &[u8] = b",\"chain\":\"";
const PREVIOUS: &[u8] = b",\"previous\":\"";
const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";

/// What a line's `chain` says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link([u8; 32]);

impl Link {
    /// Of these octets; random ones begin a chain.
    pub fn new(octets: [u8; 32]) -> Link {
        Link(octets)
    }

    /// That of the line that follows: `line` is what stands before its `,"chain":`.
    pub fn next(self, line: &[u8]) -> Link {
        Link(Sha256::new().chain_update(self.0).chain_update(line).finalize().into())
    }

    /// The digest of octets that are in no chain.
    pub fn of(octets: &[u8]) -> Link {
        Link(Sha256::digest(octets).into())
    }

    fn text(self) -> [u8; TEXT] {
        let mut out = [0; TEXT];
        for (four, three) in out.chunks_mut(4).zip(self.0.chunks(3)) {
            let mut octets = [0; 4];
            octets.iter_mut().skip(1).zip(three).for_each(|(to, octet)| *to = *octet);
            let bits = u32::from_be_bytes(octets);
            for (to, shift) in four.iter_mut().zip([18, 12, 6, 0]) {
                *to = ALPHABET[(bits >> shift & 63) as usize];
            }
        }
        out
    }

    /// Reads what [`Link::text`] writes, and no other spelling of it.
    fn read(text: &[u8]) -> Option<Link> {
        let mut octets = [0; 32];
        let digit = |c: &u8| ALPHABET.iter().position(|known| known == c).map(|at| at as u32);
        for (three, four) in octets.chunks_mut(3).zip(text.chunks(4)) {
            let mut bits = 0;
            for (c, shift) in four.iter().zip([18, 12, 6, 0]) {
                bits |= digit(c)? << shift;
            }
            three.iter_mut().zip(bits.to_be_bytes().iter().skip(1)).for_each(|(to, octet)| *to = *octet);
        }
        let link = Link(octets);
        (link.text() == text).then_some(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().iter().try_for_each(|c| fmt::Write::write_char(f, char::from(*c)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A line and its chain value: whoever keeps it elsewhere can tell whether everything up to it is unaltered.
/// Written `SEQ:CHAIN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The line's number.
    pub seq: u64,
    /// Its chain value.
    pub chain: Link,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.chain)
    }
}

/// It is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the head of a log: write SEQ:CHAIN, as `tidegate audit verify` prints it")]
pub struct NoHead;

impl FromStr for Head {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Head, NoHead> {
        let (seq, chain) = text.split_once(':').ok_or(NoHead)?;
        Ok(Head { seq: seq.parse().map_err(|_| NoHead)?, chain: Link::read(chain.as_bytes()).ok_or(NoHead)? })
    }
}

/// Ends the line that begins at `start` and lacks its `}` and line end; returns its chain value. With `first`,
/// says what the one before was.
pub fn close(line: &mut Vec<u8>, start: usize, previous: Link, first: bool) -> Link {
    if first {
        line.extend_from_slice(PREVIOUS);
        line.extend_from_slice(&previous.text());
        line.push(b'"');
    }
    let link = previous.next(line.get(start..).unwrap_or_default());
    line.extend_from_slice(CHAIN);
    line.extend_from_slice(&link.text());
    line.extend_from_slice(b"\"}\n");
    link
}

/// How many octets [`close`] adds at most.
pub const CLOSING: usize = PREVIOUS.len() + CHAIN.len() + 2 * TEXT + 4;

/// A chained line taken apart.
#[derive(Debug, Clone, Copy)]
struct Chained<'a> {
    /// What the digest is over.
    covered: &'a [u8],
    /// What the line says of the one before.
    previous: Option<Link>,
    chain: Link,
}

impl Chained<'_> {
    /// Takes a line (without its line end) apart; `None` when it carries no chain.
    fn read(line: &[u8]) -> Option<Chained<'_>> {
        let rest = line.strip_suffix(b"\"}")?;
        let (rest, chain) = rest.split_at_checked(rest.len().checked_sub(TEXT)?)?;
        let chain = Link::read(chain)?;
        let covered = rest.strip_suffix(CHAIN)?;
        let previous = covered.strip_suffix(b"\"").and_then(|rest| {
            let (rest, text) = rest.split_at_checked(rest.len().checked_sub(TEXT)?)?;
            rest.ends_with(PREVIOUS).then(|| Link::read(text)).flatten()
        });
        Some(Chained { covered, previous, chain })
    }
}

/// The number and chain value of a line (without its line end), where it has them.
pub fn head_of(line: &[u8]) -> Option<Head> {
    Some(Head { seq: seq_of(line)?, chain: Chained::read(line)?.chain })
}

/// Whether a line is the one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// It is.
    Next(Head),
    /// It is not, or is no line.
    Not,
    /// It is a whole line of a version that did not chain them.
    Unchained,
}

/// Whether `line` (without its line end) is the one after `before`.
pub fn follow(before: Head, line: &[u8]) -> Follow {
    match (seq_of(line), Chained::read(line)) {
        (Some(seq), Some(chained)) => {
            let fits = before.chain.next(chained.covered) == chained.chain
                && chained.previous.is_none_or(|said| said == before.chain);
            match fits && before.seq.checked_add(1) == Some(seq) {
                true => Follow::Next(Head { seq, chain: chained.chain }),
                false => Follow::Not,
            }
        }
        (Some(_), None) if line.ends_with(b"}") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok() => {
            Follow::Unchained
        }
        (_, _) => Follow::Not,
    }
}

/// The number of a line, which it begins with.
pub fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let end = rest.iter().position(|octet| !octet.is_ascii_digit())?;
    let (digits, rest) = rest.split_at_checked(end)?;
    if !matches!(rest.first(), Some(b',' | b'}')) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The name of the file whose first line has this number: names sort as their lines do.
pub fn file_name(first_seq: u64) -> String {
    format!("{PREFIX}{first_seq:020}{SUFFIX}")
}

/// The number of the first line of the file with this name; `None` when it is no file of the log.
pub fn first_seq(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_closed_with_what_can_be_checked() {
        let begin = Link::new([7; 32]);
        let mut out = b"earlier\n".to_vec();
        let start = out.len();
        out.extend_from_slice(b"{\"seq\":12,\"a\":\"b\"");
        let link = close(&mut out, start, begin, true);
        let line = &out[start..out.len() - 1];
        let read = Chained::read(line).unwrap();
        assert_eq!((read.previous, read.chain, begin.next(read.covered)), (Some(begin), link, link));
        assert_eq!(head_of(line), Some(Head { seq: 12, chain: link }));
        assert!(line.len() < start + 20 + CLOSING);
        let text = std::str::from_utf8(line).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(text).unwrap()["chain"], link.to_string());

        // SHA-256 over 32 zeros and `{"seq":1`, as other tools compute it.
        let mut out = b"{\"seq\":1".to_vec();
        close(&mut out, 0, Link::new([0; 32]), false);
        assert_eq!(out, b"{\"seq\":1,\"chain\":\"nxhuQgL7Kz9gyq8gwOq1Z6ZIoL9jthBeJ5T6YkwN0R0\"}\n");
    }

    #[test]
    fn numbers_and_names() {
        for (line, seq) in [
            ("{\"seq\":7,\"time\":", Some(7)),
            ("{\"seq\":7}", Some(7)),
            ("{\"seq\":7", None),
            ("{\"seq\":-7,", None),
            ("{\"seq\":99999999999999999999,", None),
            ("{ \"seq\":7,", None),
        ] {
            assert_eq!(seq_of(line.as_bytes()), seq, "{line}");
        }
        assert_eq!(first_seq(&file_name(30)), Some(30));
        assert_eq!((first_seq("lock"), first_seq("audit-x.jsonl")), (None, None));
        for text in ["", "7", "7:", "x:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "7:AAA"] {
            assert_eq!(text.parse::<Head>(), Err(NoHead), "{text}");
        }
    }

    proptest! {
        #[test]
        fn links_have_one_spelling(octets in any::<[u8; 32]>(), at in 0_usize..TEXT, other in any::<u8>()) {
            let link = Link::new(octets);
            let mut text = link.text();
            prop_assert_eq!(Link::read(&text), Some(link));
            let head = Head { seq: 5, chain: link };
            prop_assert_eq!(head.to_string().parse(), Ok(head));
            let before = std::mem::replace(&mut text[at], other);
            prop_assert!(before == other || Link::read(&text) != Some(link));
        }
    }
}
