//! Development certificates: an authority that exists for one run, and a server certificate for this
//! machine's own names. The authority's key is not kept.

use super::DemoError;
use crate::engine::Now;
use chrono::{DateTime, Datelike, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How long they are good for.
const LIFETIME: Days = Days::new(30);

/// Writes `ca.pem`, `server.pem` (a chain) and `server.key` (mode 0600) into a directory.
///
/// # Errors
/// When they cannot be made or written.
pub fn write_certificates(directory: &Path, now: Now) -> Result<(), DemoError> {
    let authority_name = "Tidegate demo authority";
    let mut authority = parameters(Vec::new(), authority_name, now)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(host_name());
    let mut server = parameters(names, "localhost", now)?;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;

    write(&directory.join("ca.pem"), &authority.pem(), 0o644)?;
    write(&directory.join("server.pem"), &(certificate.pem() + &authority.pem()), 0o644)?;
    write(&directory.join("server.key"), &key.serialize_pem(), 0o600)
}

/// OpenLDAP's clients take `localhost` for the machine's own name.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned();
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

fn parameters(names: Vec<String>, common_name: &str, now: Now) -> Result<CertificateParams, DemoError> {
    let date = |time: DateTime<Utc>| date_time_ymd(time.year(), time.month() as u8, time.day() as u8);
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name.remove(DnType::CommonName);
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    // Clocks differ a little.
    parameters.not_before = date(now.wall.checked_sub_days(Days::new(1)).unwrap_or(now.wall));
    parameters.not_after = date(now.wall.checked_add_days(LIFETIME).unwrap_or(now.wall));
    Ok(parameters)
}

/// Writes a file that has this mode from the moment it is there.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), DemoError> {
    let io = |source| DemoError::Io { path: path.to_owned(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)
}
