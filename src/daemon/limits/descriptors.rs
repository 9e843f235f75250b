//! How the file descriptors of the process are shared out, so that clients can never take those that administrators,
//! the log and the store need. Knows the limit, not who holds what.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// Descriptors of one session: the client's socket and the directory's.
pub const PER_SESSION: u64 = 2;
/// Kept for the log, the store, listeners, the gate's own connections to the directory, and notifications.
const OWN: u64 = 64;
/// Kept for each thread that serves clients: its event queue, and files that looking up host names opens.
const PER_THREAD: u64 = 12;

/// How many of each kind of connection the limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// How many descriptors the process may have open.
    pub limit: u64,
    /// Sessions at once.
    pub sessions: usize,
    /// Connections to the control port at once.
    pub control_port: usize,
    /// Connections to the control socket at once.
    pub control_socket: usize,
}

impl Descriptors {
    /// Shares `limit` out among `threads` workers and as many sessions as are `wanted`, or as fit.
    pub fn share(limit: u64, threads: usize, wanted: usize) -> Descriptors {
        let (control_port, control_socket) = ((limit / 8).clamp(8, 1024), (limit / 16).clamp(8, 128));
        let threads = u64::try_from(threads).unwrap_or(u64::MAX);
        let kept = OWN + PER_THREAD.saturating_mul(threads) + control_port + control_socket;
        let fit = limit.saturating_sub(kept) / PER_SESSION;
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Descriptors {
            limit,
            sessions: wanted.min(number(fit)),
            control_port: number(control_port),
            control_socket: number(control_socket),
        }
    }
}

/// How many descriptors this process may have open at most: the hard limit.
///
/// # Errors
/// The system's.
pub fn hard_limit() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1)
}

/// Raises the soft limit, which is usually meant for programs that open few files, to the hard one; returns the limit in
/// force.
///
/// # Errors
/// The system's.
pub fn raise_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= hard {
        return Ok(soft);
    }
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => Ok(hard),
        Err(error) => {
            tracing::warn!(%error, limit = soft, "cannot raise the limit on open files");
            Ok(soft)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_never_take_what_is_kept_for_others() {
        for (limit, threads, wanted, sessions) in [
            (256, 2, 10_000, 60),
            (1_024, 2, 10_000, 372),
            (1_024, 2, 100, 100),
            (20_000, 2, 10_000, 9_380),
            (524_288, 16, 10_000, 10_000),
            (64, 2, 10_000, 0),
        ] {
            let shared = Descriptors::share(limit, threads, wanted);
            assert_eq!(shared.sessions, sessions, "{limit}");
            let all = sessions * 2 + shared.control_port + shared.control_socket + 64 + 12 * threads;
            assert!(sessions == 0 || all as u64 <= limit, "{limit}: {shared:?}");
            assert!(shared.control_port >= 8 && shared.control_socket >= 8);
        }
    }
}
