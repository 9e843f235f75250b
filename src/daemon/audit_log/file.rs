//! The files of the log: where numbering and chain go on, what a crash left behind.

use super::AuditLogError;
use crate::engine::audit::chain::{self, Link};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
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
    pub(super) file: Option<File>,
    /// Its length.
    pub(super) length: u64,
    /// The last whole line that has a number: which, and its chain value where it is chained.
    pub(super) last: Option<(u64, Option<Link>)>,
    /// The number that the file's name says its first line has.
    pub(super) first_seq: u64,
    /// A last line that has no end: its length, and its digest.
    pub(super) torn: Option<(u64, Link)>,
}

/// Opens the last file for appending and ends its last line.
pub(super) fn resume(directory: &Path) -> std::io::Result<Resumed> {
    let files = list(directory)?;
    let Some((first_seq, path)) = files.last() else {
        return Ok(Resumed { file: None, length: 0, last: None, first_seq: 1, torn: None });
    };
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let Tail { mut last, torn } = tail(&mut file, length)?;
    if torn.is_some() {
        file.write_all(b"\n")?;
    }
    // An empty one was begun and not written before the end: the line before it is in the file before.
    if let (None, Some((_, path))) = (last, files.iter().rev().nth(1)) {
        let mut before = File::open(path)?;
        let length = before.seek(SeekFrom::End(0))?;
        last = tail(&mut before, length)?.last;
    }
    let length = file.seek(SeekFrom::End(0))?;
    Ok(Resumed { file: Some(file), length, last, first_seq: *first_seq, torn })
}

/// How a file ends.
struct Tail {
    last: Option<(u64, Option<Link>)>,
    torn: Option<(u64, Link)>,
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
            let rest = tail.get(complete.unwrap_or(0)..).filter(|rest| !rest.is_empty());
            return Ok(Tail { last, torn: rest.map(|rest| (rest.len() as u64, Link::of(rest))) });
        }
        window *= 8;
    }
}

/// The number and chain value of a whole line.
fn numbered(line: &[u8]) -> Option<(u64, Option<Link>)> {
    let seq = chain::seq_of(line)?;
    let chain = chain::head_of(line).map(|head| head.chain);
    let whole = || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    (chain.is_some() || whole()).then_some((seq, chain))
}
