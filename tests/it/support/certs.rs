//! A certificate authority for one test, and certificates of it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
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

    /// A certificate and key for `names`.
    pub(crate) fn certificate(&self, name: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (self.folder.join(format!("{name}.pem")), self.folder.join(format!("{name}.key")));
        fs::write(&files.0, certificate.pem()).unwrap();
        fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }
}
