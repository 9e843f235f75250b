//! The plain sections: `[listen]`, `[tls]`, `[store]`, `[audit]`, `[runtime]`.

use super::control::CertificateSubject;
use super::file;
use super::raw::Section;
use super::value::{FromText, one_of};
use crate::engine::ldap::filter;
use crate::engine::policy::deciding::AddressRange;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where clients connect, and how much of the gate one of them may take. At least one address is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// TLS from the first byte.
    pub ldaps: Option<SocketAddr>,
    /// StartTLS (RFC 4511 4.14).
    pub ldap: Option<SocketAddr>,
    /// The longest LDAP message that is read from a client, in octets.
    pub max_message_bytes: usize,
    /// How many clients are served at once; more are rejected. `None`: 10,000, or as many as the limit on open files allows.
    pub max_connections: Option<usize>,
    /// How many of them from one address (an IPv6 /64 is one). `None`: a quarter.
    pub max_connections_per_address: Option<usize>,
    /// Addresses behind which are many clients (load balancers, proxies, terminal servers): shares by address do not
    /// apply to them.
    pub shared_addresses: Vec<AddressRange>,
    /// How many operations of one session may be with the directory at once; beyond it the client is not read. A client
    /// without a name may have 32 at most.
    pub max_operations_per_session: usize,
    /// How many parts the filter of a search may have; beyond it the search is answered with `adminLimitExceeded` (11).
    pub max_filter_parts: usize,
    /// How many octets all sessions together keep beyond what each needs when idle: unfinished messages, answers that
    /// wait for clients, what is known of operations in flight.
    pub max_buffered_bytes: usize,
    /// A message must be there within this from its first octet.
    pub message_timeout: Duration,
    /// After so many wrong passwords within a minute for one name from one address, further ones are answered with
    /// `busy` and the directory is not asked; 0: the directory is always asked.
    pub max_failed_binds_per_minute: u32,
    /// How many connections one address may open within a minute: each may begin a TLS handshake. More are closed; 0: any
    /// number.
    pub max_handshakes_per_minute: u32,
    /// Who is connected in clear and says nothing for this long is closed.
    pub start_tls_timeout: Duration,
    /// A session in which nothing happens for this long is closed; `None`: never.
    pub idle_timeout: Option<Duration>,
}

/// What clients are shown, and asked for. All files held what they should when the configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub private_key: PathBuf,
    /// Who signs clients' certificates, PEM; `None`: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whose certificates are revoked, PEM: one list for each authority that signs clients' certificates, or
    /// those that signed it.
    pub client_crl: Option<PathBuf>,
    /// Whom a client certificate stands for; `None`: its subject.
    pub certificate_subject: Option<CertificateSubject>,
    /// Whether a client without a certificate is turned away. Only with `client_ca`.
    pub require_client_certificate: bool,
}

/// Where requests and grants are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// A folder of the store's own; made when it is not there.
    pub path: PathBuf,
    /// What has ended is moved to the archive after so long.
    pub archive_after: Duration,
}

/// Where the record of every operation is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// A folder; made when it is not there.
    pub path: PathBuf,
    /// A file of records that has grown to this many octets is followed by a new one.
    pub rotate_bytes: u64,
    /// What an operation waits for before it is forwarded.
    pub durable: Durability,
    /// What becomes of operations that need no access while nothing can be recorded.
    pub when_full: WhenFull,
}

/// How much of the machine is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    /// How many threads serve clients; `None`: one for each processor.
    pub threads: Option<usize>,
    /// Whether the system may write the process's memory, with what passes through it, to a core file.
    pub core_dumps: bool,
}

const MIB: u64 = 1024 * 1024;

/// As many names as fit into a message of 16 MiB.
const MAX_FILTER_PARTS: u64 = filter::MAX_NODES as u64;

/// For a message of 16 MiB it takes 2.3 megabits a second.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Clients that mean to use StartTLS do so at once.
const START_TLS_TIMEOUT: Duration = Duration::from_secs(30);

/// What has ended stays among what has not for so long.
const ARCHIVE_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// A gate that starts looks back for an hour.
const SHORTEST_ARCHIVE: Duration = Duration::from_secs(3_600);

pub(super) fn listen(root: &Section<'_>) -> Option<Listen> {
    let section = root.section("listen");
    let ldaps = section.optional::<SocketAddr>("ldaps");
    let ldap = section.optional::<SocketAddr>("ldap");
    if !section.has("ldaps") && !section.has("ldap") && !section.is_unseen() {
        let message = "nothing to listen on; give [listen] ldaps = \"0.0.0.0:636\", ldap = \"0.0.0.0:389\", or both";
        root.problem(section.at(), message);
    }
    if let (Some(tls), Some(plain)) = (&ldaps, &ldap)
        && tls.value == plain.value
        && tls.value.port() != 0
    {
        section.problem(plain.at, format!("ldap: {} is what ldaps listens on; use another port", plain.value));
    }
    let max_message_bytes = section.number("max_message_bytes", 16 * MIB, 16 * 1024..=1024 * MIB);
    let most = 1..=1_000_000;
    let optional = |key| section.has(key).then(|| section.number(key, 1, most.clone()));
    let max_connections = optional("max_connections");
    let max_connections_per_address = optional("max_connections_per_address");
    let shared_addresses = section.list::<AddressRange>("shared_addresses").map_or_else(Vec::new, |list| list.value);
    for local in shared_addresses.iter().filter(|found| found.value == AddressRange::Local) {
        section.problem(
            local.at,
            "shared_addresses: \"local\" is no address; write it like \"10.0.0.5\" or \"10.0.0.0/24\"",
        );
    }
    let max_operations_per_session = section.number("max_operations_per_session", 1024, 1..=65_536);
    let max_filter_parts = section.number("max_filter_parts", MAX_FILTER_PARTS, 16..=10_000_000);
    let max_buffered_bytes = max_buffered_bytes(&section, max_message_bytes);
    let message_timeout = section.optional::<Duration>("message_timeout");
    let max_failed_binds = section.number("max_failed_binds_per_minute", 20, 0..=1_000_000);
    let max_handshakes = section.number("max_handshakes_per_minute", 30_000, 0..=1_000_000);
    let start_tls_timeout = section.optional::<Duration>("start_tls_timeout");
    let idle_timeout = section.optional::<Duration>("idle_timeout");
    section.finish();
    Some(Listen {
        ldaps: ldaps.map(|found| found.value),
        ldap: ldap.map(|found| found.value),
        max_message_bytes: usize::try_from(max_message_bytes).ok()?,
        max_connections: max_connections.and_then(number),
        max_connections_per_address: max_connections_per_address.and_then(number),
        shared_addresses: shared_addresses.into_iter().map(|found| found.value).collect(),
        max_operations_per_session: number(max_operations_per_session)?,
        max_filter_parts: number(max_filter_parts)?,
        max_buffered_bytes: number(max_buffered_bytes)?,
        message_timeout: message_timeout.map_or(MESSAGE_TIMEOUT, |found| found.value),
        max_failed_binds_per_minute: u32::try_from(max_failed_binds).ok()?,
        max_handshakes_per_minute: u32::try_from(max_handshakes).ok()?,
        start_tls_timeout: start_tls_timeout.map_or(START_TLS_TIMEOUT, |found| found.value),
        idle_timeout: idle_timeout.map(|found| found.value),
    })
}

fn number(value: u64) -> Option<usize> {
    usize::try_from(value).ok()
}

/// A share is an eighth of it, and must have room for a message.
fn max_buffered_bytes(section: &Section<'_>, max_message_bytes: u64) -> u64 {
    const KEY: &str = "max_buffered_bytes";
    let least = max_message_bytes.saturating_mul(8);
    let default = least.saturating_mul(2).max(256 * MIB);
    let Some(found) = section.optional::<u64>(KEY) else { return default };
    if found.value < least {
        let message = format!("{KEY}: {} is less than eight times max_message_bytes; use {least} or more", found.value);
        section.problem(found.at, message);
    }
    found.value
}

pub(super) fn tls(root: &Section<'_>) -> Option<Tls> {
    let section = root.section("tls");
    let certificate = file::certificates(&section, "certificate", "\"certs/server.pem\"");
    let private_key = file::private_key(&section, "private_key", "\"certs/server.key\"", certificate.as_deref());
    let client_ca = file::optional_certificates(&section, "client_ca");
    let client_crl = file::optional_revocation_lists(&section, "client_crl");
    let certificate_subject = section.optional::<CertificateSubject>("certificate_subject");
    for key in ["client_crl", "certificate_subject"] {
        if section.has(key) && !section.has("client_ca") {
            let message = "needs client_ca = \"certs/clients.pem\": who signs clients' certificates";
            section.problem(section.at(), format!("{key}: {message}"));
        }
    }
    let require = section.optional::<bool>("require_client_certificate");
    if let Some(found) = require.as_ref().filter(|found| found.value && !section.has("client_ca")) {
        let message = "needs client_ca = \"certs/clients.pem\": who signs clients' certificates";
        section.problem(found.at, format!("require_client_certificate: {message}"));
    }
    section.finish();
    Some(Tls {
        certificate: certificate?,
        private_key: private_key?,
        client_ca: client_ca?,
        client_crl: client_crl?,
        certificate_subject: certificate_subject.map(|found| found.value),
        require_client_certificate: require.is_some_and(|found| found.value),
    })
}

pub(super) fn store(root: &Section<'_>) -> Option<Store> {
    let section = root.section("store");
    let path = file::path(&section, "path", "\"data/store\"");
    let archive_after = section.optional::<Duration>("archive_after");
    if let Some(found) = archive_after.as_ref().filter(|found| found.value < SHORTEST_ARCHIVE) {
        section.problem(found.at, "archive_after: must be at least 1h; use \"30d\"");
    }
    section.finish();
    Some(Store { path: path?, archive_after: archive_after.map_or(ARCHIVE_AFTER, |found| found.value) })
}

pub(super) fn audit(root: &Section<'_>) -> Option<Audit> {
    let section = root.section("audit");
    let path = file::path(&section, "path", "\"data/audit\"");
    let rotate_bytes = section.number("rotate_bytes", 256 * MIB, 64 * 1024..=1024 * 1024 * MIB);
    let durable = section.optional::<Durability>("durable");
    let when_full = section.optional::<WhenFull>("when_full");
    section.finish();
    Some(Audit {
        path: path?,
        rotate_bytes,
        durable: durable.map_or(Durability::default(), |found| found.value),
        when_full: when_full.map_or(WhenFull::default(), |found| found.value),
    })
}

pub(super) fn runtime(root: &Section<'_>) -> Option<Runtime> {
    let section = root.section("runtime");
    let threads = section.has("threads").then(|| section.number("threads", 1, 1..=1024));
    let core_dumps = section.optional::<bool>("core_dumps").is_some_and(|found| found.value);
    section.finish();
    Some(Runtime { threads: threads.and_then(number), core_dumps })
}

/// What an operation waits for before it is forwarded to the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Where it depends on access: for its begun line to be in the log's file, which survives a crash of the process.
    /// Other operations wait for nothing.
    #[default]
    Batch,
    /// For its begun line to be on disk, whatever the operation.
    Each,
}

/// What becomes of operations that need no access while nothing can be recorded. Those that need access are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// They are served without a record; how many were lost is recorded afterwards.
    #[default]
    Serve,
    /// They are refused.
    Refuse,
}

impl FromText for Durability {
    const EXAMPLE: &'static str = "\"batch\"";

    fn from_text(text: &str) -> Result<Durability, String> {
        one_of(text, "durability", &[("batch", Durability::Batch), ("each", Durability::Each)])
    }
}

impl FromText for WhenFull {
    const EXAMPLE: &'static str = "\"serve\"";

    fn from_text(text: &str) -> Result<WhenFull, String> {
        one_of(text, "choice", &[("serve", WhenFull::Serve), ("refuse", WhenFull::Refuse)])
    }
}
