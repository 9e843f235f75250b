//! Where a gate's control API is: a Unix socket, or a URL; and the connection to it.

use super::WrongUse;
use super::client::ClientError;
use chrono::Utc;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// Where systems keep the authorities that everybody trusts.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Where the control API is.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A Unix socket.
    Socket(PathBuf),
    /// HTTPS.
    Https(Https),
}

/// A control port.
#[derive(Debug, Clone)]
pub(super) struct Https {
    /// Host name or address, as the certificate must name it.
    pub(super) host: String,
    pub(super) port: u16,
    /// Who signed its certificate; `None`: whom the system trusts.
    pub(super) ca: Option<PathBuf>,
    /// What is shown to it: certificate and key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Socket(path) => write!(f, "{}", path.display()),
            Target::Https(https) => write!(f, "{}", https.url()),
        }
    }
}

impl Https {
    /// Reads `https://HOST[:PORT]`.
    ///
    /// # Errors
    /// It is another URL, or none.
    pub(super) fn parse(url: &str) -> Result<Https, WrongUse> {
        let wrong = |what: &str| WrongUse(format!("{url}: {what}; write it like https://gate.example.com:8443"));
        let rest = url.strip_prefix("https://").ok_or_else(|| wrong("only https:// URLs are taken"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() || rest.contains(['/', '?', '#', '@']) {
            return Err(wrong("it says more, or less, than a host and a port"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            Some(_) | None => (rest, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        ServerName::try_from(host).map_err(|_| wrong("that is no host"))?;
        let port = port.map_or(Ok(443), str::parse).map_err(|_| wrong("that is no port"))?;
        Ok(Https { host: host.to_ascii_lowercase(), port, ca: None, own: None })
    }

    /// What it is called, in one spelling.
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.authority())
    }

    /// For the `Host` header.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            443 => host,
            port => format!("{host}:{port}"),
        }
    }

    fn config(&self) -> Result<ClientConfig, ClientError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let bad = |error: rustls::Error| ClientError::Certificates(error.to_string());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(bad)?;
        let builder = builder.with_root_certificates(self.roots()?);
        let Some((certificate, key)) = &self.own else { return Ok(builder.with_no_client_auth()) };
        let unreadable = |error| ClientError::Certificates(format!("{}: {error}", key.display()));
        let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable)?;
        builder.with_client_auth_cert(certificates(certificate)?, key).map_err(bad)
    }

    fn roots(&self) -> Result<RootCertStore, ClientError> {
        let file = match &self.ca {
            Some(file) => file.clone(),
            None => {
                let found = SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|file| file.exists());
                found.ok_or_else(|| {
                    ClientError::Certificates("name who signed the gate's certificate with --ca FILE".to_owned())
                })?
            }
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&file)?);
        if roots.is_empty() {
            return Err(ClientError::Certificates(format!("{}: holds no certificate", file.display())));
        }
        Ok(roots)
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| ClientError::Certificates(format!("{}: {error}", file.display())))
}

/// What both kinds of connection are.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Target {
    /// For the `Host` header.
    pub(super) fn host(&self) -> String {
        match self {
            Target::Socket(_) => "localhost".to_owned(),
            Target::Https(https) => https.authority(),
        }
    }

    /// A connection of one's own.
    ///
    /// # Errors
    /// Nobody is there, one may not, or it is not who it should be.
    pub(super) async fn connect(&self) -> Result<TokioIo<Box<dyn Stream>>, ClientError> {
        let io = |error: std::io::Error| match (error.kind(), self) {
            (ErrorKind::NotFound | ErrorKind::ConnectionRefused, Target::Socket(_)) => {
                let how = "Name the socket with --control SOCKET or --config FILE";
                ClientError::NobodyThere { gate: self.to_string(), how }
            }
            (ErrorKind::ConnectionRefused, Target::Https(_)) => {
                let how = "Name the gate with --control https://HOST:PORT";
                ClientError::NobodyThere { gate: self.to_string(), how }
            }
            (ErrorKind::PermissionDenied, Target::Socket(path)) => ClientError::NotAllowed(path.clone()),
            (_, _) => ClientError::Connection { gate: self.to_string(), error },
        };
        let stream: Box<dyn Stream> = match self {
            Target::Socket(path) => Box::new(tokio::net::UnixStream::connect(path).await.map_err(io)?),
            Target::Https(https) => {
                let config = https.config()?;
                let name = ServerName::try_from(https.host.clone());
                let name = name.map_err(|error| ClientError::Certificates(error.to_string()))?;
                let tcp = tokio::net::TcpStream::connect((https.host.as_str(), https.port)).await.map_err(io)?;
                let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
                Box::new(tls.map_err(|error| self.untrusted(error))?)
            }
        };
        Ok(TokioIo::new(stream))
    }

    /// A handshake that failed: mostly the wrong authority.
    fn untrusted(&self, error: std::io::Error) -> ClientError {
        let certificate = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let gate = self.to_string();
        match certificate {
            Some(rustls::Error::InvalidCertificate(why)) => ClientError::Untrusted { gate, why: why_untrusted(why) },
            Some(rustls::Error::InvalidMessage(_)) => ClientError::NotControlPort { gate, what: "TLS" },
            Some(_) | None => ClientError::Connection { gate, error },
        }
    }
}

/// What is wrong with the certificate that was shown, and what helps.
fn why_untrusted(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    let now = Utc::now().format("%Y-%m-%d %H:%M UTC");
    match why {
        Expired | ExpiredContext { .. } => format!(
            "has expired: the gate needs a new one, unless the clock of this machine is wrong (it is {now} here)"
        ),
        NotValidYet | NotValidYetContext { .. } => {
            format!("is not valid yet: the clock of this machine may be wrong (it is {now} here)")
        }
        NotValidForNameContext { presented, .. } => {
            let names = presented.iter().filter_map(|name| Some(name.split_once('(')?.1.trim_matches(['(', ')', '"'])));
            format!("is for other names: call the gate by one of {}", names.collect::<Vec<_>>().join(", "))
        }
        NotValidForName => "is for other names: call the gate by one of those".to_owned(),
        // Somebody else of the same name has signed it.
        UnknownIssuer | BadSignature => {
            "was signed by nobody that you trust: name who signed it with --ca FILE".to_owned()
        }
        other => format!("is not trusted ({other}): name who signed it with --ca FILE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_into_one_spelling() {
        for (url, expected) in [
            ("https://gate.example.com", Some("https://gate.example.com")),
            ("https://GATE.example.com:8443/", Some("https://gate.example.com:8443")),
            ("https://gate.example.com:443", Some("https://gate.example.com")),
            ("https://127.0.0.1:8443", Some("https://127.0.0.1:8443")),
            ("https://[::1]:8443", Some("https://[::1]:8443")),
            ("https://[::1]", Some("https://[::1]")),
            ("http://gate.example.com", None),
            ("https://", None),
            ("https://gate/v1", None),
            ("https://user@gate", None),
            ("https://gate:port", None),
            ("https://ga te", None),
        ] {
            assert_eq!(Https::parse(url).ok().map(|https| https.url()).as_deref(), expected, "{url}");
        }
    }
}
