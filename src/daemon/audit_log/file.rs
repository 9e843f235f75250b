//! The files of the log: where numbering and chain go on, what a crash left behind.

use super::AuditLogError;
use super::repair::{self, Torn};
use crate::engine::audit::chain::{self, Kept, Link};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The files of the log in the order of their lines, each with the number of its first line.
pub(super) fn list(directory: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(chain::first_seq);
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// Makes the directory if need be and keeps other processes from writing there.
pub(super) fn claim(directory: &Path) -> Result<Flock<File>, AuditLogError> {
    let io = |source| AuditLogError::Io { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
    let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(directory.join("lock")).map_err(io)?;
    match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(AuditLogError::Locked(directory.to_owned())),
        Err((_, errno)) => Err(io(errno.into())),
    }
}

/// Begins a file.
pub(super) fn create(directory: &Path, first_seq: u64) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .create_new(true)
        .append(true)
        .mode(0o600)
        .open(directory.join(chain::file_name(first_seq)))?;
    // The name is on disk before the lines that it announces.
    File::open(directory)?.sync_all()?;
    Ok(file)
}

/// Where writing goes on.
pub(super) struct Resumed {
    /// The file to append to; `None` when there is none.
    pub(super) file: Option<(File, PathBuf)>,
    /// Its length, without what is torn.
    pub(super) length: u64,
    /// The last whole line that has a number: which, and its chain value where it is chained.
    pub(super) last: Option<(u64, Option<Link>)>,
    /// The number that the file's name says its first line has.
    pub(super) first_seq: u64,
    /// What a crash or a power cut left that is no line, or does not follow the line before.
    pub(super) torn: Option<Torn>,
}

/// Opens the file that writing goes on with: the last, or the one in which something is torn. Changes nothing. `kept`: the
/// last line that is known to have been on disk. What is behind it may have been torn by a power cut.
pub(super) fn resume(directory: &Path, kept: Option<Kept>) -> std::io::Result<Resumed> {
    let files = list(directory)?;
    let Some((first_seq, path)) = files.last() else {
        return Ok(Resumed { file: None, length: 0, last: None, first_seq: 1, torn: None });
    };
    let checked = kept.map(|kept| repair::check(&files, kept)).transpose()?.flatten();
    if let Some((last, torn)) = checked {
        let (first_seq, path) = match &torn.from {
            None => (*first_seq, path),
            Some(at) => files.get(at.file).map_or((*first_seq, path), |(first, path)| (*first, path)),
        };
        let file = open(path)?;
        let length = torn.from.as_ref().map_or(file.metadata()?.len(), |at| at.good);
        let last = Some((last.seq, Some(last.chain)));
        return Ok(Resumed { file: Some((file, path.clone())), length, last, first_seq, torn: torn.into_torn(&files) });
    }
    let mut file = open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let Tail { mut last, torn, whole } = tail(&mut file, length)?;
    // An empty one was begun and not written before the end: the line before it is in the file before.
    if let (None, Some((_, path))) = (last, files.iter().rev().nth(1)) {
        let mut before = File::open(path)?;
        let length = before.seek(SeekFrom::End(0))?;
        last = tail(&mut before, length)?.last;
    }
    let good = length - if whole { 0 } else { torn };
    let torn = (torn > 0).then(|| Torn::at_the_end(path.clone(), good, whole));
    Ok(Resumed { file: Some((file, path.clone())), length: good, last, first_seq: *first_seq, torn })
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).append(true).open(path)
}

/// How a file ends.
struct Tail {
    last: Option<(u64, Option<Link>)>,
    /// Octets behind the last line end.
    torn: u64,
    /// Whether these are a whole line that only lacks its end.
    whole: bool,
}

/// Reads backwards, further and further, so that a large file costs no more than a small one.
fn tail(file: &mut File, length: u64) -> std::io::Result<Tail> {
    let mut window = 64 * 1024;
    loop {
        let start = length.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::by_ref(file).take(length - start).read_to_end(&mut tail)?;
        let complete = tail.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        // A last line that only lacks its end has its number.
        let last = tail.split(|byte| *byte == b'\n').rev().find_map(numbered);
        if last.is_some() && complete.is_some() || start == 0 {
            let rest = tail.get(complete.unwrap_or(0)..).unwrap_or_default();
            return Ok(Tail { last, torn: rest.len() as u64, whole: numbered(rest).is_some() });
        }
        window *= 8;
    }
}

/// The number and chain value of a whole line.
pub(super) fn numbered(line: &[u8]) -> Option<(u64, Option<Link>)> {
    let seq = chain::seq_of(line)?;
    let chain = chain::head_of(line).map(|head| head.chain);
    let whole = || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    (chain.is_some() || whole()).then_some((seq, chain))
}
