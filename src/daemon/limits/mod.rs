//! Bounds on what clients can take of the machine: descriptors, connections, octets in memory, time, wrong passwords.
//! Knows addresses and names of subjects as keys to count by, not what anybody may do.

pub mod accounts;
pub mod admission;
pub mod charge;
pub mod core_dumps;
pub mod descriptors;
pub(in crate::daemon) mod exposition;
pub mod failed_binds;
pub mod handshakes;
pub mod keepalive;
pub mod rejected;
pub mod run_id;
pub mod share;

use std::time::Duration;

/// Bounds on what one client, or all of them, can take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest message of a client, in octets.
    pub max_message_bytes: usize,
    /// Sessions at once.
    pub max_connections: usize,
    /// Of those, from one address.
    pub max_connections_per_address: usize,
    /// Operations of one session that may be with the directory at once.
    pub max_operations_per_session: usize,
    /// Parts of the filter of a search.
    pub max_filter_parts: usize,
    /// A client's message must be there within this from its first octet. Who is short of room for so long is ended.
    pub message_timeout: Duration,
    /// A client in clear that says nothing for this long is let go.
    pub start_tls_timeout: Duration,
    /// A session in which nothing happens for this long is ended.
    pub idle_timeout: Option<Duration>,
    /// TLS handshakes must be done within this.
    pub handshake_timeout: Duration,
}
