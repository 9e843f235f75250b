//! What is kept of the log outside of it: where its chain begins and ends. One line of fixed length, written over
//! in place, so that a power cut leaves the old one or the new one. Never ahead of what is on disk.

use crate::engine::audit::chain::{Head, Kept};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// Reads it; `None`: there is none, or it is none.
///
/// # Errors
/// The disk's.
pub(super) fn read(path: &Path) -> std::io::Result<Option<Kept>> {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(1024).read_to_string(&mut text)) {
        Ok(_) => Ok(parse(&text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<Kept> {
    let (from, head) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(Kept { from: from.parse().ok()?, head: head.parse::<Head>().ok()? })
}

/// Where it is written.
#[derive(Debug)]
pub(super) struct Keeper {
    file: File,
    /// Whether it was told that it cannot be written.
    failing: bool,
}

impl Keeper {
    pub(super) fn open(path: &Path) -> std::io::Result<Keeper> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Keeper { file, failing: false })
    }

    /// The log goes on without it: it is told once, and shows when the log is verified.
    pub(super) fn keep(&mut self, kept: Kept) {
        let Kept { from, head: Head { seq, chain } } = kept;
        let line = format!("{from:020} {seq:020}:{chain}\n");
        match self.file.write_all_at(line.as_bytes(), 0) {
            Ok(()) => self.failing = false,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "the head of the audit log cannot be kept");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::audit::chain::Link;

    #[test]
    fn what_was_kept_last_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("head");
        assert_eq!(read(&path).unwrap(), None);
        let mut keeper = Keeper::open(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        for seq in [7, u64::MAX, 3] {
            let kept = Kept { from: 2, head: Head { seq, chain: Link::of(&seq.to_be_bytes()) } };
            keeper.keep(kept);
            assert_eq!(read(&path).unwrap(), Some(kept));
        }
        std::fs::write(&path, "7 7:x\n").unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }
}
