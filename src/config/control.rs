//! `[control]`: the doors of people. The Unix socket is always there; the port over TLS where
//! `listen` says so.

use super::file;
use super::policy::selectors;
use super::raw::Section;
use super::sections::Tls;
use super::value::FromText;
use crate::engine::policy::selector::Selector;
use crate::engine::workflow::Authority;
use crate::engine::workflow::authority::subject_by;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The doors of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The Unix socket that is listened on.
    pub socket: PathBuf,
    /// Which subject a local user is; `None`: local users have no name in the directory.
    pub local_subject: Option<LocalSubject>,
    /// Who may act as somebody else (`--as DN`).
    pub act_as: Vec<Selector>,
    /// Whether those whom they act as count as different people.
    pub trust_act_as: bool,
    /// How many requests of one person may wait at once.
    pub max_pending: usize,
    /// How many requests one person may make within an hour, whatever becomes of them.
    pub requests_per_hour: usize,
    /// Who may end anybody's grant and reload.
    pub administrators: Vec<Selector>,
    /// Who may see every request and grant.
    pub auditors: Vec<Selector>,
    /// Who may read `/metrics` over TLS, besides administrators and auditors.
    pub metrics: Vec<Selector>,
    /// The port over TLS; `None`: there is none.
    pub port: Option<ControlPort>,
}

/// The control API over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPort {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The certificate chain and key that are shown, PEM; the gate's unless others are given.
    pub certificate: PathBuf,
    /// Its key.
    pub private_key: PathBuf,
    /// Who signs certificates of people and machines that call, PEM; `None`: none is asked for.
    pub client_ca: Option<PathBuf>,
    /// Whose certificates are revoked, PEM: as in `[tls]`. Only with `client_ca`.
    pub client_crl: Option<PathBuf>,
    /// Which subject a certificate leads to; `None`: certificates lead to no DN.
    pub certificate_subject: Option<CertificateSubject>,
    /// Which subject a login name is; `None`: people log in with their DN.
    pub login_subject: Option<LocalSubject>,
    /// How long a login is good for.
    pub token_ttl: Duration,
    /// Names under which the port is called besides those in its certificate.
    pub hosts: Vec<String>,
}

/// A pattern for DNs with `{user}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSubject(String);

/// A pattern for DNs with one attribute of a certificate's subject in it, like `{cn}`; or
/// `{subject}` alone, the subject as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSubject(String);

/// How long a login is good for unless the configuration says.
const TOKEN_TTL: Duration = Duration::from_secs(60 * 60);

/// A token that is good for longer than a working day is a password.
const LONGEST_TOKEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Keys that say something only beside `listen`.
const PORT_KEYS: [&str; 8] = [
    "certificate",
    "private_key",
    "client_ca",
    "client_crl",
    "certificate_subject",
    "login_subject",
    "token_ttl",
    "hosts",
];

pub(super) fn control(root: &Section<'_>, tls: Option<&Tls>) -> Option<Control> {
    let section = root.section("control");
    let socket = control_socket(&section);
    let local_subject = section.optional::<LocalSubject>("local_subject").map(|found| found.value);
    let act_as = selectors(&section, "act_as");
    let trust_act_as = section.optional::<bool>("trust_act_as");
    let max_pending = section.number("max_pending", 20, 1..=10_000);
    let requests_per_hour = section.number("requests_per_hour", 60, 1..=1_000_000);
    let administrators = selectors(&section, "administrators");
    let auditors = selectors(&section, "auditors");
    let metrics = selectors(&section, "metrics");
    let listens = section.has("listen");
    let port = port(&section, tls, local_subject.as_ref());
    section.finish();
    // A port that was asked for and cannot be had is no control section.
    if listens && port.is_none() {
        return None;
    }
    let trust_act_as = trust_act_as.is_some_and(|found| found.value);
    let max_pending = usize::try_from(max_pending).ok()?;
    let requests_per_hour = usize::try_from(requests_per_hour).ok()?;
    Some(Control {
        socket: socket?,
        local_subject,
        act_as,
        trust_act_as,
        max_pending,
        requests_per_hour,
        administrators,
        auditors,
        metrics,
        port,
    })
}

pub(super) fn control_socket(section: &Section<'_>) -> Option<PathBuf> {
    file::path(section, "socket", "\"run/control.sock\"")
}

/// Which address the port listens on; `None`: no port, or one with a problem that was noted.
fn port(section: &Section<'_>, tls: Option<&Tls>, local: Option<&LocalSubject>) -> Option<ControlPort> {
    let listen = section.optional::<SocketAddr>("listen");
    let own = section.has("certificate") || section.has("private_key");
    let files = if own {
        let certificate = file::certificates(section, "certificate", "\"certs/control.pem\"");
        let key = file::private_key(section, "private_key", "\"certs/control.key\"", certificate.as_deref());
        certificate.zip(key)
    } else {
        // So that they are known keys.
        section.optional::<String>("certificate");
        section.optional::<String>("private_key");
        tls.map(|tls| (tls.certificate.clone(), tls.private_key.clone()))
    };
    let client_ca = file::optional_certificates(section, "client_ca");
    let client_crl = file::optional_revocation_lists(section, "client_crl");
    let certificate_subject = section.optional::<CertificateSubject>("certificate_subject");
    let needs_authority = "needs client_ca = \"certs/people.pem\": who signs the certificates";
    if let Some(found) = certificate_subject.as_ref().filter(|_| !section.has("client_ca")) {
        section.problem(found.at, format!("certificate_subject: {needs_authority}"));
    }
    if section.has("client_crl") && !section.has("client_ca") {
        section.problem(section.at(), format!("client_crl: {needs_authority}"));
    }
    let login_subject = section.optional::<LocalSubject>("login_subject");
    let token_ttl = section.optional::<Duration>("token_ttl");
    if let Some(found) = token_ttl.as_ref().filter(|found| found.value > LONGEST_TOKEN_TTL) {
        section.problem(found.at, "token_ttl: a token for more than a day is a password; use at most \"24h\"");
    }
    let hosts = section.list::<String>("hosts");
    if !section.has("listen") {
        for key in PORT_KEYS.into_iter().filter(|key| section.has(key)) {
            section.problem(section.at(), format!("{key}: means nothing without listen = \"0.0.0.0:8443\""));
        }
        return None;
    }
    let (certificate, private_key) = files?;
    Some(ControlPort {
        listen: listen?.value,
        certificate,
        private_key,
        client_ca: client_ca?,
        client_crl: client_crl?,
        certificate_subject: certificate_subject.map(|found| found.value),
        login_subject: login_subject.map(|found| found.value).or_else(|| local.cloned()),
        token_ttl: token_ttl.map_or(TOKEN_TTL, |found| found.value),
        hosts: hosts.map(|list| list.value.into_iter().map(|host| host.value).collect()).unwrap_or_default(),
    })
}

impl LocalSubject {
    const PLACEHOLDER: &'static str = "{user}";

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for LocalSubject {
    const EXAMPLE: &'static str = "\"uid={user},ou=people,dc=example,dc=com\"";

    fn from_text(text: &str) -> Result<LocalSubject, String> {
        // Without it, all users of the machine would be one person, and could approve for each other.
        if !text.contains(Self::PLACEHOLDER) {
            return Err(format!("{text:?} does not say where the user's name goes; write it like {}", Self::EXAMPLE));
        }
        let authority = Authority { local_subject: Some(text.to_owned()), ..Authority::default() };
        match (authority.subject_of("a"), authority.subject_of("b")) {
            (Some(a), Some(b)) if a != b => Ok(LocalSubject(text.to_owned())),
            _ => Err(format!("{text:?} is not a distinguished name of RFC 4514; write it like {}", Self::EXAMPLE)),
        }
    }
}

impl CertificateSubject {
    /// The whole subject.
    pub const WHOLE: &'static str = "{subject}";

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for CertificateSubject {
    const EXAMPLE: &'static str = "\"uid={cn},ou=people,dc=example,dc=com\"";

    fn from_text(text: &str) -> Result<CertificateSubject, String> {
        let wrong = |what: &str| {
            Err(format!("{text:?} {what}; write it like {} or \"{}\"", Self::EXAMPLE, CertificateSubject::WHOLE))
        };
        if text == CertificateSubject::WHOLE {
            return Ok(CertificateSubject(text.to_owned()));
        }
        let inside = text.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let Some((attribute, rest)) = inside else { return wrong("names no attribute of the certificate's subject") };
        if rest.contains('{') || !attribute.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
            return wrong("has more than one attribute in it");
        }
        let placeholder = format!("{{{attribute}}}");
        match (subject_by(text, &placeholder, "a"), subject_by(text, &placeholder, "b")) {
            (Some(a), Some(b)) if a != b => Ok(CertificateSubject(text.to_owned())),
            _ => wrong("is not a distinguished name of RFC 4514"),
        }
    }
}
