//! The plain sections: `[listen]`, `[tls]`, `[store]`, `[audit]`, `[runtime]`.

use super::control::CertificateSubject;
use super::file;
use super::raw::Section;
use super::value::{FromText, one_of};
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
    /// How many clients are served at once; more are closed at once.
    pub max_connections: usize,
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
}

/// Where the record of every operation is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// A folder; made when it is not there.
    pub path: PathBuf,
    /// A file of records that has grown to this many octets is followed by a new one.
    pub rotate_bytes: u64,
}

/// How much of the machine is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    /// How many threads serve clients; `None`: one for each processor.
    pub threads: Option<usize>,
}

const MIB: u64 = 1024 * 1024;

/// Clients that mean to use StartTLS do so at once.
const START_TLS_TIMEOUT: Duration = Duration::from_secs(30);

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
    let max_connections = section.number("max_connections", 10_000, 1..=1_000_000);
    let start_tls_timeout = section.optional::<Duration>("start_tls_timeout");
    let idle_timeout = section.optional::<Duration>("idle_timeout");
    section.finish();
    Some(Listen {
        ldaps: ldaps.map(|found| found.value),
        ldap: ldap.map(|found| found.value),
        max_message_bytes: usize::try_from(max_message_bytes).ok()?,
        max_connections: usize::try_from(max_connections).ok()?,
        start_tls_timeout: start_tls_timeout.map_or(START_TLS_TIMEOUT, |found| found.value),
        idle_timeout: idle_timeout.map(|found| found.value),
    })
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
    section.finish();
    Some(Store { path: path? })
}

pub(super) fn audit(root: &Section<'_>) -> Option<Audit> {
    let section = root.section("audit");
    let path = file::path(&section, "path", "\"data/audit\"");
    let rotate_bytes = section.number("rotate_bytes", 256 * MIB, 64 * 1024..=1024 * 1024 * MIB);
    if let Some(found) = section.optional::<Durability>("durable").filter(|found| found.value == Durability::Each) {
        section.problem(found.at, "durable: \"each\" is not supported yet; use \"batch\"");
    }
    section.finish();
    Some(Audit { path: path?, rotate_bytes })
}

pub(super) fn runtime(root: &Section<'_>) -> Option<Runtime> {
    let section = root.section("runtime");
    let threads = section.has("threads").then(|| section.number("threads", 1, 1..=1024));
    section.finish();
    Some(Runtime { threads: threads.and_then(|threads| usize::try_from(threads).ok()) })
}

/// What an operation waits for before it is answered: nothing, or its record being on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Batch,
    Each,
}

impl FromText for Durability {
    const EXAMPLE: &'static str = "\"batch\"";

    fn from_text(text: &str) -> Result<Durability, String> {
        one_of(text, "durability", &[("batch", Durability::Batch), ("each", Durability::Each)])
    }
}
