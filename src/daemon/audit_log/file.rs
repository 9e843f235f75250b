//! The files of the log: their names, where the numbering goes on, what a crash left behind.

use super::AuditLogError;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";

/// The name of the file whose first line has this number: names sort as their lines do.
pub(super) fn name(first_seq: u64) -> String {
    format!("{PREFIX}{first_seq:020}{SUFFIX}")
}

/// The files of the log in the order of their lines, each with the number of its first line.
pub(super) fn list(directory: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok());
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
    let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(directory.join(name(first_seq)))?;
    // The name is on disk before the lines that it announces.
    File::open(directory)?.sync_all()?;
    Ok(file)
}

/// Where writing goes on.
pub(super) struct Resumed {
    /// The file to append to.
    pub(super) file: File,
    /// Its length.
    pub(super) length: u64,
    /// The number of the next line.
    pub(super) next_seq: u64,
    /// Octets of a last line that has no end.
    pub(super) torn: u64,
}

/// Opens the last file for appending and ends its last line; begins one when there is none.
pub(super) fn resume(directory: &Path) -> std::io::Result<Resumed> {
    let Some((first_seq, path)) = list(directory)?.pop() else {
        return Ok(Resumed { file: create(directory, 1)?, length: 0, next_seq: 1, torn: 0 });
    };
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let (last, torn) = last_seq(&mut file, length)?;
    if torn > 0 {
        file.write_all(b"\n")?;
    }
    let length = file.seek(SeekFrom::End(0))?;
    Ok(Resumed { file, length, next_seq: last.map_or(first_seq, |last| last + 1).max(first_seq), torn })
}

/// The number of the last whole line that has one, and the length of what follows the last line end.
/// Reads backwards, further and further, so that a large file costs no more than a small one.
fn last_seq(file: &mut File, length: u64) -> std::io::Result<(Option<u64>, u64)> {
    let mut window = 64 * 1024;
    loop {
        let start = length.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::by_ref(file).take(length - start).read_to_end(&mut tail)?;
        let complete = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = (tail.len() - complete) as u64;
        // A last line that only lacks its end has its number.
        let seq = tail.split(|byte| *byte == b'\n').rev().find_map(seq_of);
        if seq.is_some() || start == 0 {
            return Ok((seq, torn));
        }
        window *= 8;
    }
}

fn seq_of(line: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Numbered {
        seq: u64,
    }
    serde_json::from_slice::<Numbered>(line).ok().map(|numbered| numbered.seq)
}
