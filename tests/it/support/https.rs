//! A plain HTTPS client for the control API: one connection, octets out, answers in.

use super::document::{Exchange, complaints};
use super::{PATIENCE, gate::Gate};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// What every answer says to browsers.
const TOLD_TO_BROWSERS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {self:#?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The word of a problem, with its status.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:#?}");
        let problem = self.json();
        assert_eq!(problem["status"], Value::from(self.status), "{self:#?}");
        let kind = problem["type"].as_str().unwrap_or_default();
        (self.status, kind.rsplit(':').next().unwrap_or_default().to_owned())
    }
}

/// How to reach a gate's control port.
#[derive(Clone)]
pub(crate) struct Https {
    pub(crate) port: u16,
    ca: PathBuf,
    /// Certificate and key that are shown.
    certificate: Option<(PathBuf, PathBuf)>,
    /// The address of this machine that is called from.
    from: IpAddr,
    token: Option<String>,
    /// Protocols that are offered in the handshake (ALPN).
    protocols: Vec<Vec<u8>>,
}

impl Https {
    pub(crate) fn new(gate: &Gate) -> Https {
        assert_ne!(gate.https, 0, "the gate has no control port");
        let from = IpAddr::from([127, 0, 0, 1]);
        Https {
            port: gate.https,
            ca: gate.authority.ca.clone(),
            certificate: None,
            from,
            token: None,
            protocols: Vec::new(),
        }
    }

    /// Calls from another address of this machine: any of 127.0.0.0/8.
    pub(crate) fn from(self, last: u8) -> Https {
        Https { from: IpAddr::from([127, 0, 0, last]), ..self }
    }

    /// Believes another authority.
    pub(crate) fn trusting(self, ca: &Path) -> Https {
        Https { ca: ca.to_owned(), ..self }
    }

    /// The same caller at a gate that was started anew.
    pub(crate) fn moved_to(self, port: u16) -> Https {
        Https { port, ..self }
    }

    /// Offers these protocols in the handshake.
    pub(crate) fn offering(&self, protocols: &[&[u8]]) -> Https {
        Https { protocols: protocols.iter().map(|one| one.to_vec()).collect(), ..self.clone() }
    }

    pub(crate) fn with_certificate(self, files: (PathBuf, PathBuf)) -> Https {
        Https { certificate: Some(files), ..self }
    }

    pub(crate) fn with_token(self, token: &str) -> Https {
        Https { token: Some(token.to_owned()), ..self }
    }

    /// The token that is sent.
    #[track_caller]
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("somebody who is logged in")
    }

    /// Logs in; what comes back sends the token.
    #[track_caller]
    pub(crate) fn logged_in(self, name: &str, password: &str) -> Https {
        let answer = self.log_in(name, password);
        assert_eq!(answer.status, 200, "{answer:#?}");
        let token = answer.json()["token"].as_str().expect("a token").to_owned();
        self.with_token(&token)
    }

    pub(crate) fn log_in(&self, name: &str, password: &str) -> Response {
        self.post("/v1/login", &serde_json::json!({ "name": name, "password": password }))
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.send("POST", path, &[("Content-Type", "application/json")], &body.to_string())
    }

    /// With the code of a second factor.
    pub(crate) fn post_with(&self, path: &str, code: &str, body: &Value) -> Response {
        let headers = [("Content-Type", "application/json"), ("Tidegate-Code", code)];
        self.send("POST", path, &headers, &body.to_string())
    }

    /// `Host`, the token, a length and the end of the connection come of themselves.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request += &format!("Host: 127.0.0.1:{}\r\n", self.port);
        }
        if let Some(token) = &self.token {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let answer = self.exchange(request.as_bytes());
        self.hold_to_the_document(method, path, &answer);
        answer
    }

    /// These octets, and what comes back until the connection ends, taken for one answer.
    pub(crate) fn exchange(&self, octets: &[u8]) -> Response {
        let mut stream = self.connect().unwrap();
        // Who refuses early may not read all of it.
        let _ = stream.write_all(octets);
        answer(&mut stream).unwrap()
    }

    /// Every answer that any test gets has a status, a type and fields that the document knows, and tells
    /// browsers what it should.
    #[track_caller]
    pub(crate) fn hold_to_the_document(&self, method: &str, path: &str, answer: &Response) {
        static SERVED: OnceLock<Value> = OnceLock::new();
        let what = format!("{method} {path}");
        // Of the HTTP library's own making: what it could not read.
        if answer.headers.iter().all(|(name, _)| matches!(name.as_str(), "connection" | "content-length" | "date")) {
            assert!(matches!(answer.status, 400 | 431) && answer.text.is_empty(), "{what}: {answer:#?}");
            return;
        }
        for (name, value) in TOLD_TO_BROWSERS {
            assert_eq!(answer.header(name), Some(value), "{what} {name}: {answer:#?}");
        }
        assert_eq!((answer.header("set-cookie"), answer.header("server")), (None, None), "{what}");
        let document = SERVED.get_or_init(|| {
            let request =
                format!("GET /v1/openapi.json HTTP/1.1\r\nConnection: close\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
            let anybody = Https { certificate: None, protocols: Vec::new(), ..self.clone() };
            anybody.exchange(request.as_bytes()).json()
        });
        // The whole address may stand there, too.
        let path = path.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or(path);
        let path = path.split('?').next().unwrap_or_default();
        if method == "HEAD" {
            return;
        }
        let (status, content_type, body) = (answer.status, answer.header("content-type"), answer.text.as_bytes());
        let found = complaints(document, &Exchange { method, path, status, content_type, body });
        assert!(found.is_empty(), "{found:#?}");
    }

    /// The connection as it is. The handshake happens with the first octet that is written.
    pub(crate) fn connect(&self) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(self.from, 0).into())?;
        socket.connect(&address.into())?;
        let tcp: TcpStream = socket.into();
        tcp.set_read_timeout(Some(PATIENCE + PATIENCE))?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(self.config()), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, tcp))
    }

    fn config(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca) {
            roots.add(certificate).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder.with_client_auth_cert(certificates(certificate), key).unwrap()
            }
        };
        config.alpn_protocols.clone_from(&self.protocols);
        config
    }
}

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap).collect()
}

/// Reads to the end of the connection and takes it for one answer.
pub(crate) fn answer(stream: &mut impl Read) -> io::Result<Response> {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        // Without a word of leave; what came before counts.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || !octets.is_empty() => {}
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let text = String::from_utf8_lossy(&octets).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| io::Error::other(format!("no answer: {text:?}")))?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())))
        .collect();
    Ok(Response { status: status.ok_or_else(|| io::Error::other("no status"))?, headers, text: body.to_owned() })
}
