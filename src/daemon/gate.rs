//! What every session of a running gate shares.

use super::asking::Asker;
use super::audit_log::AuditLog;
use super::clock::Clock;
use super::confirmed::SharedNames;
use super::limits::Limits;
use super::limits::accounts::Ledger;
use super::limits::failed_binds::FailedBinds;
use super::limits::handshakes::Handshakes;
use super::limits::rejected::Rejected;
use super::memberships::Memberships;
use super::metrics::Metrics;
use super::registry::Registry;
use super::state::Shared;
use super::upstream::Directory;
use crate::engine::session::RecordingRules;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::sync::Arc;

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
    /// What the directory said lately of the names that are bound.
    pub confirmed: Arc<SharedNames>,
    /// Bounds.
    pub limits: Limits,
    /// Who takes how much.
    pub ledger: Arc<Ledger>,
    /// Binds that failed lately.
    pub failed_binds: FailedBinds,
    /// How many TLS handshakes each address has begun lately.
    pub handshakes: Handshakes,
    /// How often bounds were met.
    pub rejected: Arc<Rejected>,
    /// Who asks the directory in which groups people are.
    pub memberships: Arc<Memberships>,
    /// Where operations ask for roles.
    pub asker: Asker,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where operations are recorded.
    pub audit: Arc<AuditLog>,
    /// How strictly.
    pub recording: RecordingRules,
    /// Tells this process's sessions from those of the last.
    pub run: String,
}
