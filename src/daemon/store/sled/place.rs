//! What makes a directory ours: the lock, the marker next to it, the format record in it.

use super::{FORMAT, failed, sled_failed};
use crate::daemon::store::StoreError;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What sled 0.34 puts into its directory. With anything else, it is not ours to open.
const SLED_NAMES: [&str; 3] = ["blobs", "conf", "db"];

/// Written to find out whether the disk takes anything, and removed again.
const PROBE: &str = "probe";

/// As many octets as opening the store, and a first commit, may take.
const PROBE_SIZE: usize = 2 << 20;

/// Under which key the format record stands, in the tree of the same name.
const FORMAT_KEY: &str = "format";

/// The format record and the marker: the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Format {
    tidegate_store: u64,
    sled: String,
    id: String,
}

/// The path of a file that belongs to the store and stands next to it.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(what);
    path.with_file_name(name)
}

/// Takes the store for this process. sled has a lock of its own, but no telling error for it.
pub(super) fn lock(path: &Path) -> Result<Flock<File>, StoreError> {
    let name = beside(path, "lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(failed(&name))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            // Overwritten in place, which a full disk allows; if it fails, others do not learn the process id.
            let pid = format!("{:<10}", std::process::id());
            if lock.rewind().and_then(|()| lock.write_all(pid.as_bytes())).is_err() {
                tracing::warn!(file = %name.display(), "who has the store cannot be written down");
            }
            Ok(lock)
        }
        Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
            let mut pid = String::new();
            let pid = file.read_to_string(&mut pid).ok().and_then(|_| pid.trim_end().parse().ok());
            Err(StoreError::InUse { path: path.to_owned(), pid })
        }
        Err((_, error)) => Err(StoreError::Failed(format!("{}: {error}", name.display()))),
    }
}

pub(super) fn read_marker(path: &Path, marker: &Path) -> Result<Option<Format>, StoreError> {
    match std::fs::read(marker) {
        Ok(octets) => {
            let format: Format = serde_json::from_slice(&octets).map_err(|error| StoreError::Foreign {
                path: path.to_owned(),
                why: format!("{}: {error}", marker.display()),
            })?;
            Ok(Some(format))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(marker)(error)),
    }
}

pub(super) fn write_marker(marker: &Path, format: &Format) -> Result<(), StoreError> {
    let text = serde_json::to_vec(format).map_err(|error| StoreError::Failed(error.to_string()))?;
    let new = beside(marker, "new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed(&new))?;
    file.write_all(&text).map_err(failed(&new))?;
    file.sync_all().map_err(failed(&new))?;
    std::fs::rename(&new, marker).map_err(failed(marker))
}

/// Compares the format record with the marker; writes one into a new store.
pub(super) fn check_format(
    db: &sled::Db,
    path: &Path,
    marker: &Path,
    known: Option<&Format>,
) -> Result<Format, StoreError> {
    let foreign = |why: &str| StoreError::Foreign { path: path.to_owned(), why: why.to_owned() };
    let meta = db.open_tree(FORMAT_KEY).map_err(sled_failed)?;
    if let Some(octets) = meta.get(FORMAT_KEY).map_err(sled_failed)? {
        let found: Format = serde_json::from_slice(&octets).map_err(|error| foreign(&error.to_string()))?;
        if found.tidegate_store != FORMAT {
            return Err(StoreError::Format { path: path.to_owned(), found: found.tidegate_store });
        }
        if known.is_some_and(|known| *known != found) {
            return Err(foreign(&format!("{} belongs to another store", marker.display())));
        }
        return Ok(found);
    }
    if known.is_some() {
        return Err(StoreError::Emptied { path: path.to_owned(), marker: marker.to_owned() });
    }
    if db.tree_names().iter().any(|name| name.as_ref() != FORMAT_KEY.as_bytes() && name.as_ref() != b"__sled__default")
        || !db.is_empty()
    {
        return Err(foreign("there is something in it, but no format record"));
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| StoreError::Failed(error.to_string()))?;
    let format = Format {
        tidegate_store: FORMAT,
        sled: "0.34".to_owned(),
        id: id.iter().map(|octet| format!("{octet:02x}")).collect(),
    };
    let text = serde_json::to_vec(&format).map_err(|error| StoreError::Failed(error.to_string()))?;
    meta.insert(FORMAT_KEY, text).map_err(sled_failed)?;
    Ok(format)
}

/// A directory with files that sled 0.34 does not make would be opened as an empty store.
pub(super) fn refuse_foreign_files(path: &Path) -> Result<(), StoreError> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(path)(error)),
    };
    for entry in entries {
        let name = entry.map_err(failed(path))?.file_name();
        let name = name.to_string_lossy();
        if !SLED_NAMES.contains(&name.as_ref()) && name != PROBE && !name.starts_with("snap.") {
            return Err(StoreError::Foreign {
                path: path.to_owned(),
                why: format!("sled 0.34 makes no file {name:?}"),
            });
        }
    }
    Ok(())
}

/// Removes what an opening that did not get to its end left behind: sled would take a snapshot that was not
/// finished for its newest one, and not open.
pub(super) fn remove_unfinished(path: &Path) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(path).map_err(failed(path))? {
        let entry = entry.map_err(failed(path))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == PROBE || name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %entry.path().display(), "removing what an interrupted start left in the store");
            std::fs::remove_file(entry.path()).map_err(failed(&entry.path()))?;
        }
    }
    Ok(())
}

/// Finds out whether the store's disk takes what opening it may write.
pub(super) fn probe(path: &Path) -> Result<(), StoreError> {
    let name = path.join(PROBE);
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&name);
    let written = written.and_then(|mut file| file.write_all(&vec![0; PROBE_SIZE]).and_then(|()| file.sync_all()));
    let removed = std::fs::remove_file(&name);
    written.and(removed).map_err(failed(&name))
}

pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed(path))
}
