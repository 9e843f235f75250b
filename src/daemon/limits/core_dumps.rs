//! Keeps the memory of the process out of core files and from other processes of the same user: passwords pass through it.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps, and reading or tracing the process by others than root. Failures are logged: they are no reason
/// not to serve.
pub fn forbid() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!(%error, "cannot forbid core dumps");
    }
    // Also for the case that core files are piped to a program, which the limit does not stop.
    if let Err(error) = set_dumpable(false) {
        tracing::warn!(%error, "cannot keep the memory of the process from other processes");
    }
}
