//! A certificate authority for one test, and certificates of it.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use std::fs;
use std::path::{Path, PathBuf};

/// An authority; its certificate is in `ca`.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// PEM file of the authority's certificate.
    pub(crate) ca: PathBuf,
    folder: PathBuf,
}

impl Authority {
    /// Makes one, with its certificate in `folder`.
    pub(crate) fn new(folder: &Path) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let ca = folder.join("ca.pem");
        fs::write(&ca, issuer.pem()).unwrap();
        Authority { issuer, ca, folder: folder.to_owned() }
    }

    /// A server's certificate and key for this machine, as two files named after `name`.
    pub(crate) fn server(&self, name: &str) -> (PathBuf, PathBuf) {
        self.certificate(name, &["localhost", "127.0.0.1"])
    }

    /// A person's certificate and key: its subject has this common name and organisation.
    pub(crate) fn person(&self, name: &str) -> (PathBuf, PathBuf) {
        self.certificate(name, &[])
    }

    /// Writes the list of revoked certificates: these serial numbers. It is good until that year begins.
    pub(crate) fn revoke(&self, serials: &[u64], next_update_year: i32) -> PathBuf {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next_update_year, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let file = self.folder.join("revoked.pem");
        fs::write(&file, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        file
    }

    /// As [`Authority::person`], with this serial number.
    pub(crate) fn numbered(&self, name: &str, serial: u64) -> (PathBuf, PathBuf) {
        self.issue(name, &[], Some(serial))
    }

    /// A certificate and key for `names`.
    pub(crate) fn certificate(&self, name: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        self.issue(name, names, None)
    }

    fn issue(&self, name: &str, names: &[&str], serial: Option<u64>) -> (PathBuf, PathBuf) {
        self.special(name, names, |params| params.serial_number = serial.map(SerialNumber::from))
    }

    /// A certificate and key with something about it that is changed before it is signed.
    pub(crate) fn special(
        &self,
        name: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (self.folder.join(format!("{name}.pem")), self.folder.join(format!("{name}.key")));
        fs::write(&files.0, certificate.pem()).unwrap();
        fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }
}
