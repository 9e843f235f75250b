//! TLS on both sides: what clients see, and what the directory must show.
//!
//! The crypto provider is named at every place; none is installed for the process. A reload makes
//! fresh session storage with the new configuration, so that no resumed session outlives a change.

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, CommonState, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why certificates cannot be used. Names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or holds nothing of the kind.
    #[error("{path}: {reason}")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS without anybody to trust. (The configuration does not let it come to this.)
    #[error("{0}: no certificate authority is configured for it")]
    NoAuthority(String),
    /// The files can be read but do not make a working configuration.
    #[error("{path}: {source}")]
    Tls {
        /// The file that the error is most likely about.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn pem<T>(path: &Path, read: Result<T, rustls_pki_types::pem::Error>) -> Result<T, TlsError> {
    read.map_err(|error| TlsError::Pem { path: path.to_owned(), reason: error.to_string() })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = pem(path, CertificateDer::pem_file_iter(path))?;
    let found = pem(path, found.collect::<Result<Vec<_>, _>>())?;
    if found.is_empty() {
        return Err(TlsError::Pem { path: path.to_owned(), reason: "holds no certificate in PEM form".to_owned() });
    }
    Ok(found)
}

fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let found = pem(path, CertificateRevocationListDer::pem_file_iter(path))?;
    pem(path, found.collect())
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| TlsError::Tls { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

/// Which certificates clients may show.
#[derive(Debug, Clone, Copy)]
pub struct Clients<'p> {
    /// Who signs them.
    pub ca: &'p Path,
    /// Which of them are revoked. An expired list is believed no longer: everybody is turned away.
    pub crl: Option<&'p Path>,
    /// Whether one must be shown.
    pub require: bool,
}

/// What clients see: `certificate` is a chain, leaf first. With `clients`, client certificates are
/// asked for.
pub fn server_config(
    certificate: &Path,
    private_key: &Path,
    clients: Option<Clients<'_>>,
) -> Result<ServerConfig, TlsError> {
    let chain = certificates(certificate)?;
    let key = pem(private_key, PrivateKeyDer::from_pem_file(private_key))?;
    let tls = |source| TlsError::Tls { path: certificate.to_owned(), source };
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(tls)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(Clients { ca: path, crl, require }) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider());
            let verifier = match crl {
                // Without a list for each authority of a chain, it is not known that it is good.
                Some(crl) => verifier.with_crls(revocation_lists(crl)?).enforce_revocation_expiration(),
                None => verifier,
            };
            let verifier = if require { verifier } else { verifier.allow_unauthenticated() };
            let verifier =
                verifier.build().map_err(|error| TlsError::Pem { path: path.to_owned(), reason: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(tls)?;
    if clients.is_some() {
        // Who resumes a session is not looked at again: neither what has been revoked since nor what
        // has expired would be seen.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// The certificate that a server shows: the first of its chain.
pub fn leaf(certificate: &Path) -> Result<CertificateDer<'static>, TlsError> {
    let empty = || TlsError::Pem { path: certificate.to_owned(), reason: "holds no certificate".to_owned() };
    certificates(certificate)?.into_iter().next().ok_or_else(empty)
}

/// What a server must show: a certificate for its host name, signed under `ca`.
pub fn client_config(ca: &Path) -> Result<ClientConfig, TlsError> {
    client_of(ca, roots(ca)?)
}

/// The same with the system's authorities, of which some may be of no use to anybody.
pub fn system_client_config(ca: &Path) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(ca)?);
    client_of(ca, roots)
}

fn client_of(ca: &Path, roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| TlsError::Pem { path: ca.to_owned(), reason: error.to_string() })?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Tls { path: ca.to_owned(), source })?;
    Ok(builder.with_webpki_verifier(verifier).with_no_client_auth())
}

/// Protocol version and cipher suite, for the log.
pub fn describe(connection: &CommonState) -> String {
    let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    match connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()) {
        Some(suite) => format!("{} {suite}", version.replace('_', ".")),
        None => version.to_owned(),
    }
}
