//! Where the clocks were when the gate last ran: a small file beside the store, written now and then.
//! Without it, what is left of a grant is counted from the wall clock alone.

use crate::engine::Now;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often they are written down while there are grants: the most that a clock that is set back over a restart
/// can give back.
pub const EVERY: Duration = Duration::from_secs(10);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The monotonic one.
    pub monotonic: Duration,
    /// The wall clock.
    pub wall: DateTime<Utc>,
}

impl Kept {
    /// The file of a store.
    pub fn path(store: &Path) -> PathBuf {
        let mut name = store.file_name().unwrap_or_default().to_owned();
        name.push(".clock");
        store.with_file_name(name)
    }

    /// What was written down, if anything was.
    ///
    /// # Errors
    /// The disk's, or it is something else.
    pub fn read(path: &Path) -> io::Result<Option<Kept>> {
        match std::fs::read(path) {
            Ok(octets) => Ok(Some(serde_json::from_slice(&octets)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes down where the clocks are; what was there is replaced whole or not at all.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(path: &Path, now: Now) -> io::Result<()> {
        let octets = serde_json::to_vec(&Kept { monotonic: now.monotonic, wall: now.wall })?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&octets)?;
        file.sync_data()?;
        std::fs::rename(&new, path)?;
        File::open(path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::grant::fixture::at;

    #[test]
    fn it_comes_back_as_it_was_and_what_it_is_not_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Kept::path(&folder.path().join("store"));
        assert_eq!(path, folder.path().join("store.clock"));
        assert_eq!(Kept::read(&path).expect("nothing is no error"), None);
        for seconds in [7, 8] {
            Kept::write(&path, at(seconds)).expect("written");
            let kept = Kept { monotonic: at(seconds).monotonic, wall: at(seconds).wall };
            assert_eq!(Kept::read(&path).expect("read"), Some(kept));
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
        std::fs::write(&path, "{}").expect("written");
        assert!(Kept::read(&path).is_err());
    }
}
