//! Opening sled, whether at the start or again after it failed, and what is open then.

use super::place::{
    beside, check_format, probe, read_marker, refuse_foreign_files, remove_unfinished, sync_directory, write_marker,
};
use super::{StoreError, failed, read, sled_failed};
use crate::daemon::store::index;
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// The version of the layout of lists. Lists with another version are rebuilt.
const LISTS: &[u8] = b"1";
const LISTS_KEY: &[u8] = b"\0lists";

/// Under which key the lists' tree keeps what the last commit said of the log.
pub(super) const NOTE_KEY: &[u8] = b"\0log";

/// How long sled may take to let go of what was closed.
const LET_GO: Duration = Duration::from_secs(5);

/// Records per batch when lists are rebuilt.
const AT_ONCE: usize = 200;

/// What is open, or why nothing is.
#[derive(Debug)]
pub(super) enum State {
    Open(Opened),
    Closed(String),
}

/// sled, open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) db: sled::Db,
    pub(super) records: sled::Tree,
    pub(super) archive: sled::Tree,
    /// What records are listed by; see [`index`].
    pub(super) index: sled::Tree,
    pub(super) file: File,
}

/// Why it does not open.
pub(super) enum Failure {
    /// A store of ours whose disk has no room.
    NoRoom(String),
    Other(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Other(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> StoreError {
        match failure {
            Failure::NoRoom(why) => StoreError::Failed(why),
            Failure::Other(error) => error,
        }
    }
}

impl State {
    pub(super) fn failure(&self) -> Option<&str> {
        match self {
            State::Open(_) => None,
            State::Closed(why) => Some(why),
        }
    }
}

pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Opens the store again after it failed.
pub(super) fn open_again(path: &Path) -> Result<Opened, StoreError> {
    // Opening reads much, and on a full disk writes a little: not before there is room.
    probe(path)?;
    open(path).map_err(StoreError::from)
}

/// Opens the store, or creates it. This process has its lock.
pub(super) fn open(path: &Path) -> Result<Opened, Failure> {
    let marker = beside(path, "format");
    let known = read_marker(path, &marker)?;
    refuse_foreign_files(path)?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
    remove_unfinished(path)?;
    let config = sled::Config::new()
        .path(path)
        // The writer flushes, and nobody else.
        .flush_every_ms(None)
        .cache_capacity(32 * 1024 * 1024);
    let until = Instant::now() + LET_GO;
    let opened = loop {
        match config.open() {
            // The store is this process's alone. sled lets go of it a moment after it was closed.
            Err(error) if error.to_string().contains("could not acquire lock") && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => break opened,
        }
    };
    let db = match opened {
        Ok(db) => db,
        Err(error) if known.is_some() && is_full(&error) => {
            return Err(Failure::NoRoom(format!("{}: {error}", path.display())));
        }
        Err(error) => return Err(StoreError::Failed(format!("{}: {error}", path.display())).into()),
    };
    let file = File::open(path.join("db")).map_err(failed(path))?;
    // sled leaves it to the umask, and the directory may have been made by somebody else.
    file.set_permissions(Permissions::from_mode(0o600)).map_err(failed(path))?;
    let format = check_format(&db, path, &marker, known.as_ref())?;
    if known.is_none() {
        let parent = parent(path);
        // Durable before the marker says so, and the marker before anything is acknowledged.
        db.flush().map_err(sled_failed)?;
        file.sync_all().map_err(failed(path))?;
        for directory in [path.join("blobs").as_path(), path, parent] {
            sync_directory(directory)?;
        }
        write_marker(&marker, &format)?;
        sync_directory(parent)?;
    }
    match Opened::of(db, file) {
        Ok(opened) => Ok(opened),
        Err(error) if is_full(&error) => Err(Failure::NoRoom(format!("{}: {error}", path.display()))),
        Err(error) => Err(sled_failed(error).into()),
    }
}

impl Opened {
    pub(super) fn of(db: sled::Db, file: File) -> sled::Result<Opened> {
        let (records, archive, index) = (db.open_tree("records")?, db.open_tree("archive")?, db.open_tree("lists")?);
        let opened = Opened { db, records, archive, index, file };
        opened.rebuild_lists_if_outdated()?;
        Ok(opened)
    }

    /// What the last commit said of the log.
    pub(super) fn noted(&self) -> Result<u64, StoreError> {
        let found = self.index.get(NOTE_KEY).map_err(sled_failed)?;
        Ok(found.and_then(|octets| octets.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    fn rebuild_lists_if_outdated(&self) -> sled::Result<()> {
        if self.index.get(LISTS_KEY)?.is_some_and(|lists| lists == LISTS) {
            return Ok(());
        }
        let note = self.index.get(NOTE_KEY)?;
        self.index.clear()?;
        for (tree, archived) in [(&self.records, false), (&self.archive, true)] {
            let mut batch = sled::Batch::default();
            for (count, entry) in tree.iter().enumerate() {
                let (id, octets) = entry?;
                // A start reads every live record and fails on one that cannot be read.
                let Ok(record) = read(&String::from_utf8_lossy(&id), &octets) else { continue };
                for (key, state) in index::entries(&record, archived) {
                    batch.insert(key, &[state]);
                }
                if count % AT_ONCE == 0 {
                    self.index.apply_batch(std::mem::take(&mut batch))?;
                }
            }
            self.index.apply_batch(batch)?;
        }
        if let Some(note) = note {
            self.index.insert(NOTE_KEY, note)?;
        }
        self.index.insert(LISTS_KEY, LISTS)?;
        Ok(())
    }
}

/// Whether there is no room, or this process may not take any.
fn is_full(error: &sled::Error) -> bool {
    match error {
        sled::Error::Io(error) => {
            matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
        }
        _ => false,
    }
}
