//! Files that the configuration names: opened once while checking, so that a wrong path or a
//! wrong content is an error with a line, not a failure later.

use super::raw::{Located, Section};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A password: UTF-8, not empty. Is never shown: not by `Debug`, not in errors. Clones share one copy in memory, which is
/// overwritten when the last of them is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<Box<[u8]>>>);

impl Secret {
    /// Takes the octets as they are.
    pub fn new(octets: impl Into<Box<[u8]>>) -> Secret {
        Secret(Arc::new(Zeroizing::new(octets.into())))
    }

    /// For the one place that sends it.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A path, resolved, whatever is there.
pub(super) fn path(section: &Section<'_>, key: &'static str, example: &str) -> Option<PathBuf> {
    let written = section.required::<String>(key, example)?;
    if written.value.is_empty() {
        section.problem(written.at, format!("{key}: the path is empty; write it like {key} = {example}"));
        return None;
    }
    Some(section.resolve(&written.value))
}

/// A file of certificates (PEM) that must be there.
pub(super) fn certificates(section: &Section<'_>, key: &'static str, example: &str) -> Option<PathBuf> {
    let written = section.required::<String>(key, example)?;
    let (path, content) = read(section, key, &written)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    if all.is_ok_and(|all| !all.is_empty()) {
        return Some(path);
    }
    section.problem(written.at, format!("{key}: {} holds no certificate in PEM form", path.display()));
    None
}

/// As [`certificates`], where the key may be left out: the inner `None`.
#[expect(clippy::option_option, reason = "the outer one is: a problem was noted")]
pub(super) fn optional_certificates(section: &Section<'_>, key: &'static str) -> Option<Option<PathBuf>> {
    match section.optional::<String>(key) {
        Some(_) => certificates(section, key, "").map(Some),
        None => Some(None),
    }
}

/// A file of revocation lists (PEM) that must be there where it is named: the inner `None` is that it is not.
#[expect(clippy::option_option, reason = "the outer one is: a problem was noted")]
pub(super) fn optional_revocation_lists(section: &Section<'_>, key: &'static str) -> Option<Option<PathBuf>> {
    let Some(written) = section.optional::<String>(key) else { return Some(None) };
    let (path, content) = read(section, key, &written)?;
    let all: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&content).collect();
    if all.is_ok_and(|all| !all.is_empty()) {
        return Some(Some(path));
    }
    section.problem(written.at, format!("{key}: {} holds no revocation list in PEM form", path.display()));
    None
}

/// A file with a private key (PEM) that must be there, and must be that of the first of `certificates`.
pub(super) fn private_key(
    section: &Section<'_>,
    key: &'static str,
    example: &str,
    certificates: Option<&Path>,
) -> Option<PathBuf> {
    let written = section.required::<String>(key, example)?;
    let (path, content) = read(section, key, &written)?;
    private(section, key, written.at, &path);
    let Ok(found) = PrivateKeyDer::from_pem_slice(&content) else {
        section.problem(written.at, format!("{key}: {} holds no private key in PEM form", path.display()));
        return None;
    };
    let Some(certificates) = certificates else { return Some(path) };
    let wrong = match fit(certificates, found) {
        Ok(()) => return Some(path),
        Err(rustls::Error::InconsistentKeys(_)) => "is not the key of".to_owned(),
        Err(error) => format!("cannot be used ({error}) with"),
    };
    let message = format!("{key}: {} {wrong} the certificate in {}", path.display(), certificates.display());
    section.problem(written.at, message);
    None
}

/// Whether a server can show these certificates with this key.
fn fit(certificates: &Path, key: PrivateKeyDer<'static>) -> Result<(), rustls::Error> {
    let content = std::fs::read(certificates).map_err(|error| rustls::Error::General(error.to_string()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let chain = chain.map_err(|error| rustls::Error::General(error.to_string()))?;
    CertifiedKey::from_der(chain, key, &rustls::crypto::aws_lc_rs::default_provider()).map(drop)
}

/// A secret, from the file that `file_key` or the environment variable that `environment_key`
/// names. One newline at the end of a file is not part of it.
pub(super) fn secret(
    section: &Section<'_>,
    [plain_key, file_key, environment_key]: [&'static str; 3],
) -> Option<Located<Secret>> {
    let instead = format!("the secret is not written here: use {file_key} or {environment_key}");
    if let Some(at) = section.forbidden(plain_key) {
        section.problem(at, format!("{plain_key}: {instead}"));
    }
    let from_file = section.optional::<String>(file_key);
    let from_environment = section.optional::<String>(environment_key);
    let (key, at, secret) = match (from_file, from_environment) {
        (None, None) => return None,
        (Some(_), Some(variable)) => {
            section.problem(variable.at, format!("{environment_key}: {file_key} is given too; keep one of them"));
            return None;
        }
        (Some(written), None) => {
            let (path, content) = read(section, file_key, &written)?;
            let content = Zeroizing::new(content);
            private(section, file_key, written.at, &path);
            let line = content.strip_suffix(b"\n").unwrap_or(&content);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            (file_key, written.at, Secret::new(line))
        }
        (None, Some(variable)) => {
            let Some(value) = std::env::var_os(&variable.value) else {
                let message = format!("the environment variable {:?} is not set", variable.value);
                section.problem(variable.at, format!("{environment_key}: {message}"));
                return None;
            };
            (environment_key, variable.at, Secret::new(value.into_encoded_bytes()))
        }
    };
    let wrong = match std::str::from_utf8(secret.reveal()) {
        Ok("") => "the secret is empty",
        Ok(_) => return Some(Located { value: secret, at }),
        Err(_) => "the secret is not UTF-8, which RFC 4513 5.1.3 wants of passwords",
    };
    section.problem(at, format!("{key}: {wrong}"));
    None
}

/// Warns of a secret that every user of the machine may read.
fn private(section: &Section<'_>, key: &str, at: usize, path: &Path) {
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        section.warning(at, format!("{key}: every user of this machine may read {0}; chmod o= {0}", path.display()));
    }
}

/// No certificate, list or key is longer. A configuration may be looked at that somebody sent.
const LONGEST_FILE: u64 = 64 * 1024 * 1024;

fn read_whole(path: &Path) -> std::io::Result<Vec<u8>> {
    // What is not a file may have no end, or never begin.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(std::io::Error::other("it is not a file"));
    }
    if metadata.len() > LONGEST_FILE {
        return Err(std::io::Error::other("it is larger than 64 MiB"));
    }
    std::fs::read(path)
}

fn read(section: &Section<'_>, key: &str, written: &Located<String>) -> Option<(PathBuf, Vec<u8>)> {
    let path = section.resolve(&written.value);
    match read_whole(&path) {
        Ok(content) => Some((path, content)),
        Err(error) => {
            section.problem(written.at, format!("{key}: {} cannot be read: {error}", path.display()));
            None
        }
    }
}
