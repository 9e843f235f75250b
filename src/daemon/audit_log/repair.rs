//! What a crash or a power cut left of lines that were not on disk yet: found by following the chain from the last line that
//! was, and set aside in a file of its own. Nothing of it is thrown away, and nothing of it stays in the log.

use super::file;
use super::files;
use crate::engine::audit::chain::{Follow, Head, Kept, Link, follow, seq_of};
use crate::engine::audit::lines::{Line, Lines};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where what is torn begins.
#[derive(Debug)]
pub(super) struct At {
    /// In which of the files.
    pub(super) file: usize,
    /// Behind so many octets of it.
    pub(super) good: u64,
}

/// What following the chain has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// `None`: all lines follow each other.
    pub(super) from: Option<At>,
    /// The last line only lacks its end.
    unended: bool,
    /// The greatest number that a line has in what is torn.
    greatest: Option<u64>,
}

/// What is to be set aside.
#[derive(Debug)]
pub(super) struct Torn {
    path: PathBuf,
    /// So many octets of the file stay.
    good: u64,
    /// Only a line end is missing: nothing is set aside.
    unended: bool,
    /// Files behind it: none of their lines follows.
    later: Vec<PathBuf>,
    /// The greatest number among lines that are set aside whole: it is not given again.
    greatest: Option<u64>,
}

impl Torn {
    /// Behind the last line end of a file there is something. `whole`: a line that only lacks its end.
    pub(super) fn at_the_end(path: PathBuf, good: u64, whole: bool) -> Torn {
        Torn { path, good, unended: whole, later: Vec::new(), greatest: None }
    }

    /// The greatest number that was given to a line that is gone.
    pub(super) fn greatest(&self) -> Option<u64> {
        self.greatest
    }

    /// Sets it aside, behind the line `last`. Returns what is to be said of it in the log. May be tried again when it
    /// failed, for want of room above all.
    pub(super) fn set_aside(&self, file: &File, last: u64) -> Result<Option<Value>> {
        if self.unended {
            (&*file).write_all(b"\n")?;
            return Ok(None);
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let (mut aside, name) = create(folder, last + 1)?;
        let copied = self.copy(&mut aside);
        let (octets, digest) = match copied {
            Ok(copied) => copied,
            Err(error) => {
                // What was begun and is not whole is of no use; what is torn is still where it was.
                let _ = std::fs::remove_file(folder.join(&name));
                return Err(error);
            }
        };
        file.set_len(self.good)?;
        file.sync_all()?;
        for later in &self.later {
            std::fs::remove_file(later)?;
        }
        File::open(folder)?.sync_all()?;
        tracing::error!(file = name, octets, "the end of the audit log was torn: it was set aside");
        let mut event = json!({
            "event": "audit.repaired", "file": name, "torn_bytes": octets, "torn_digest": digest.to_string(),
        });
        if let Some(greatest) = self.greatest {
            event["from_line"] = (last + 1).into();
            event["to_line"] = greatest.into();
        }
        Ok(Some(event))
    }

    fn copy(&self, aside: &mut File) -> Result<(u64, Link)> {
        let (mut octets, mut digest) = (0, Sha256::new());
        let mut buffer = vec![0; 64 * 1024];
        for (position, path) in std::iter::once(&self.path).chain(&self.later).enumerate() {
            let mut from = File::open(path)?;
            if position == 0 {
                from.seek(SeekFrom::Start(self.good))?;
            }
            loop {
                let count = from.read(&mut buffer)?;
                let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
                aside.write_all(part)?;
                digest.update(part);
                octets += count as u64;
            }
        }
        aside.sync_all()?;
        Ok((octets, Link::new(digest.finalize().into())))
    }
}

impl Found {
    pub(super) fn into_torn(self, files: &[(u64, PathBuf)]) -> Option<Torn> {
        let Found { from, unended, greatest } = self;
        match from {
            Some(At { file, good }) => {
                let (_, path) = files.get(file)?;
                let later = files.iter().skip(file + 1).map(|(_, path)| path.clone()).collect();
                Some(Torn { path: path.clone(), good, unended: false, later, greatest })
            }
            None if unended => {
                let (_, path) = files.last()?;
                Some(Torn::at_the_end(path.clone(), std::fs::metadata(path).ok()?.len(), true))
            }
            None => None,
        }
    }
}

/// Follows the chain from the last line that was on disk. Returns the last line that follows, and what does not; `None`: that
/// line is not there, or lines follow that an older version has written, and nothing can be said.
pub(super) fn check(files: &[(u64, PathBuf)], kept: Kept) -> Result<Option<(Head, Found)>> {
    // Before the first line there is only where the chain begins.
    let begins = kept.head.seq < kept.from;
    let mut last = begins.then_some(kept.head);
    let mut found = Found::default();
    let begun = files.iter().filter(|(first, _)| *first <= kept.head.seq.max(1)).count();
    for (position, (_, path)) in files.iter().enumerate().skip(begun.saturating_sub(1)) {
        let mut file = File::open(path)?;
        let start = if found.from.is_some() { 0 } else { files::place(&mut file, kept.head.seq)? };
        file.seek(SeekFrom::Start(start))?;
        let mut lines = Lines::new(BufReader::new(file));
        let mut good = start;
        while let Some(line) = lines.next_line()? {
            let (octets, ended) = match line {
                Line::Whole(octets) => (octets.to_vec(), true),
                Line::Unended(_) => (read_rest(path, good)?, false),
            };
            let length = lines.length();
            if found.from.is_some() {
                if ended {
                    found.greatest = found.greatest.max(file::numbered(&octets).map(|(seq, _)| seq));
                }
            } else if let Some(before) = last {
                match follow(before, &octets) {
                    Follow::Next(next) => {
                        last = Some(next);
                        found.unended = !ended;
                    }
                    Follow::Unchained => return Ok(None),
                    Follow::Not => {
                        found.from = Some(At { file: position, good });
                        if ended {
                            found.greatest = file::numbered(&octets).map(|(seq, _)| seq);
                        }
                    }
                }
            } else if seq_of(&octets) == Some(kept.head.seq) {
                if file::numbered(&octets) != Some((kept.head.seq, Some(kept.head.chain))) {
                    return Ok(None);
                }
                last = Some(kept.head);
                found.unended = !ended;
            }
            good += length;
            if !ended {
                break;
            }
        }
    }
    // Numbers that were given stay given, but for that of a line that was never whole.
    found.greatest = found.greatest.filter(|greatest| last.is_some_and(|last| *greatest > last.seq));
    Ok(last.map(|last| (last, found)))
}

/// What stands behind the last line end: no longer than a line.
fn read_rest(path: &Path, from: u64) -> Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut rest = Vec::new();
    file.take(crate::engine::audit::lines::LONGEST as u64).read_to_end(&mut rest)?;
    Ok(rest)
}

/// A new file for what is torn, named after the line in whose place it stood.
fn create(folder: &Path, seq: u64) -> Result<(File, String)> {
    let mut number = 0;
    loop {
        let name = format!("torn-{seq:020}-{number}");
        let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(folder.join(&name));
        match made {
            Ok(file) => return Ok((file, name)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < 10_000 => number += 1,
            Err(error) => return Err(error),
        }
    }
}
