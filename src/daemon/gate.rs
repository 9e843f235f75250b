//! What every session of a running gate shares.

use super::asking::Asker;
use super::audit_log::AuditLog;
use super::clock::Clock;
use super::metrics::Metrics;
use super::registry::Registry;
use super::state::Shared;
use super::upstream::Directory;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;

/// Bounds on what one client, or all of them, can take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest message of a client, in octets.
    pub max_message_bytes: usize,
    /// Sessions at once.
    pub max_connections: usize,
    /// A client in clear that says nothing for this long is let go.
    pub start_tls_timeout: Duration,
    /// A session in which nothing happens for this long is ended.
    pub idle_timeout: Option<Duration>,
    /// TLS handshakes must be done within this.
    pub handshake_timeout: Duration,
}

/// Shared by all sessions; replaced piece by piece on reload.
pub struct Gate {
    /// What decisions read.
    pub shared: Arc<Shared>,
    /// Time.
    pub clock: Clock,
    /// Where operations go.
    pub directory: ArcSwap<Directory>,
    /// What clients see.
    pub tls: ArcSwap<ServerConfig>,
    /// Whom client certificates stand for, as configured; `None`: their subject.
    pub certificate_subject: ArcSwap<Option<String>>,
    /// Bounds.
    pub limits: Limits,
    /// Where operations ask for roles.
    pub asker: Asker,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where operations are recorded.
    pub audit: Arc<AuditLog>,
    /// Tells this process's sessions from those of the last.
    pub run: String,
}
