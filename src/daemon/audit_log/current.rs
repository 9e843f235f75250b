//! Whether the file that is written is still where it was made, with all that was written into it. Others may have moved,
//! emptied or deleted it: a program that rotates logs, or somebody who wants lines gone.

use crate::engine::audit::chain::Head;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often its name is looked up, at least: within a second it is noticed, whatever is written.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(400);

/// The file that is written.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) path: PathBuf,
    /// The number of its first line.
    pub(super) first: u64,
    looked: Instant,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vanished {
    /// It has no name any more.
    Deleted,
    /// It is shorter than what was written into it.
    Emptied,
    /// It has another name, or is in another folder.
    Moved,
}

impl Vanished {
    fn event(self) -> &'static str {
        match self {
            Vanished::Deleted => "audit.lost",
            Vanished::Emptied => "audit.emptied",
            Vanished::Moved => "audit.moved",
        }
    }

    /// What happened, and what to do instead.
    fn why(self) -> &'static str {
        match self {
            Vanished::Deleted => "it was deleted while it was written",
            Vanished::Emptied => {
                "it was emptied while it was written: copytruncate loses lines and is not supported; rotate with create \
                 and send HUP"
            }
            Vanished::Moved => "it was moved while it was written, and no HUP has come: send HUP after moving it",
        }
    }
}

/// A file that is not written any more although it was not full.
#[derive(Debug)]
pub(super) struct Left {
    file: Arc<File>,
    name: String,
    /// Octets that were written into it.
    length: u64,
    /// The number of its first line.
    from: u64,
    /// Its last line.
    head: Head,
}

impl Current {
    pub(super) fn new(path: PathBuf, first: u64) -> Current {
        Current { path, first, looked: Instant::now() }
    }

    /// When it is to be looked at again.
    pub(super) fn next_look(&self) -> Duration {
        LOOK_EVERY.saturating_sub(self.looked.elapsed())
    }

    /// Looks at it; at its name, which costs more, only now and then, or `now`.
    pub(super) fn look(&mut self, file: &File, length: u64, now: bool) -> Result<Option<Vanished>> {
        let open = file.metadata()?;
        if open.nlink() == 0 {
            return Ok(Some(Vanished::Deleted));
        }
        if open.len() < length {
            return Ok(Some(Vanished::Emptied));
        }
        if !now && !self.next_look().is_zero() {
            return Ok(None);
        }
        self.looked = Instant::now();
        match std::fs::symlink_metadata(&self.path) {
            Ok(named) if (named.dev(), named.ino()) == (open.dev(), open.ino()) => Ok(None),
            Ok(_) => Ok(Some(Vanished::Moved)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(Vanished::Moved)),
            Err(error) => Err(error),
        }
    }

    /// Removes what a program that rotates logs has made in its place, if that is empty: lines go into a file that is named
    /// after the first of them.
    pub(super) fn remove_substitute(&self) -> Result<()> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if found.is_file() && found.len() == 0 => std::fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Left {
    pub(super) fn new(current: &Current, file: Arc<File>, length: u64, head: Head) -> Left {
        Left { file, name: name(&current.path), length, from: current.first, head }
    }

    /// That it vanished, for the log. Until somebody acknowledges it, the log is not sound.
    pub(super) fn vanished(&self, how: Vanished) -> Value {
        tracing::error!(
            file = self.name,
            "the audit log's file: {}. Until an auditor says `tidegate audit acknowledge {}`, `tidegate audit verify` fails",
            how.why(),
            self.name
        );
        self.event(how.event(), Some(how.why()))
    }

    /// That it was moved, and that whoever moved it has said so by HUP; `None`: it is not whole any more.
    pub(super) fn reopened(&self) -> Option<Value> {
        let whole = self.file.metadata().is_ok_and(|found| found.nlink() > 0 && found.len() >= self.length);
        whole.then(|| self.event("audit.reopened", None))
    }

    fn event(&self, event: &str, why: Option<&str>) -> Value {
        let mut fields =
            json!({ "event": event, "file": self.name, "from_line": self.from, "head": self.head.to_string() });
        if let Some(why) = why {
            fields["why"] = why.into();
        }
        fields
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
