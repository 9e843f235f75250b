//! Reading the log back while it is written: off the threads that serve, in bounded memory and time. Whoever may is
//! the caller's to know.

use super::{AuditLog, Shared, file, head};
use crate::engine::audit::chain::{Head, Verified, Verifier};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets that are read at once.
pub(super) const AT_ONCE: usize = 256 * 1024;

/// How long a reader waits for lines that are on their way into a file.
const SETTLING: Duration = Duration::from_secs(2);

/// A way to read the log. Its calls block.
#[derive(Clone)]
pub struct LogReader {
    pub(super) shared: Arc<Shared>,
    pub(super) directory: PathBuf,
    pub(super) head: Option<PathBuf>,
    pub(super) turns: Arc<Semaphore>,
}

/// So many may read at once.
pub(super) const TURNS: usize = 2;

/// What verifying came to.
#[derive(Debug)]
pub struct Verification {
    /// What was found.
    pub verified: Verified,
    /// Whether time sufficed for all of it.
    pub complete: bool,
}

impl LogReader {
    /// A turn to read, when there is one; it ends when dropped.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Goes through all files, at the latest until `deadline`; compares with `given` too.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn verify(&self, given: Option<Head>, deadline: Instant) -> std::io::Result<Verification> {
        self.settle();
        // Before the lines: it must not be ahead of what is read.
        let kept = self.head.as_deref().map(head::read).transpose()?.flatten();
        let mut verifier = Verifier::new(kept, given);
        let mut files = file::list(&self.directory)?;
        // Those that are begun meanwhile are not part of it, but show that the last is not being written any more.
        let count = files.len();
        for (position, (_, path)) in files.drain(..).enumerate() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let file = match File::open(&path) {
                Ok(file) => file,
                // Moved away meanwhile; if not from the beginning, it is missed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let from = BufReader::with_capacity(AT_ONCE, file);
            let place = (position + 1 == count, true);
            if !verifier.file(&name, from, place, &mut || Instant::now() < deadline)? {
                return Ok(Verification { verified: verifier.break_off(), complete: false });
            }
        }
        Ok(Verification { verified: verifier.finish(), complete: true })
    }

    /// What was appended before can be read after this, unless the disk is stuck.
    pub fn settle(&self) {
        self.shared.flush(SETTLING);
    }
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl AuditLog {
    /// A way to read it.
    pub fn reader(&self) -> LogReader {
        LogReader {
            shared: Arc::clone(&self.shared),
            directory: self.directory.clone(),
            head: self.head.clone(),
            turns: Arc::clone(&self.turns),
        }
    }
}
