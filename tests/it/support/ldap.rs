//! A blocking LDAP client that says exactly what it is told to, octet for octet.

use super::PATIENCE;
use super::ber::{boolean, children, cut, enumerated, integer, octets, sequence, tlv, value};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Tags of requests and responses (RFC 4511 4.2 and on).
pub(crate) mod tag {
    pub(crate) const BIND: u8 = 0x60;
    pub(crate) const BIND_RESPONSE: u8 = 0x61;
    pub(crate) const UNBIND: u8 = 0x42;
    pub(crate) const SEARCH: u8 = 0x63;
    pub(crate) const ENTRY: u8 = 0x64;
    pub(crate) const SEARCH_DONE: u8 = 0x65;
    pub(crate) const REFERENCE: u8 = 0x73;
    pub(crate) const MODIFY: u8 = 0x66;
    pub(crate) const ADD: u8 = 0x68;
    pub(crate) const DELETE: u8 = 0x4a;
    pub(crate) const RENAME: u8 = 0x6c;
    pub(crate) const COMPARE: u8 = 0x6e;
    pub(crate) const ABANDON: u8 = 0x50;
    pub(crate) const EXTENDED: u8 = 0x77;
    pub(crate) const EXTENDED_RESPONSE: u8 = 0x78;
}

pub(crate) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
pub(crate) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
pub(crate) const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// How the end of a connection shows, whichever side goes first.
const ENDS: [ErrorKind; 3] = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One connection.
pub(crate) struct Client {
    stream: Option<Stream>,
    buffer: Vec<u8>,
    next: i32,
}

/// One message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: i32,
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
    /// (OID, value)
    pub(crate) controls: Vec<(String, Vec<u8>)>,
}

/// A result code and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) matched: String,
    pub(crate) message: String,
}

/// An entry: DN and attributes in the order they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    pub(crate) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// Everything a search brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    pub(crate) references: usize,
    pub(crate) answer: Answer,
    pub(crate) controls: Vec<(String, Vec<u8>)>,
}

impl Found {
    /// The entries' DNs, in order of name.
    pub(crate) fn dns(&self) -> Vec<&str> {
        let mut out: Vec<&str> = self.entries.iter().map(|e| e.dn.as_str()).collect();
        out.sort_unstable();
        out
    }

    /// The code and the DNs, the parts that most tests are about.
    pub(crate) fn summary(&self) -> (i32, Vec<&str>) {
        (self.answer.code, self.dns())
    }
}

/// How to search; [`Search::new`] asks for everything below a base.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: i32,
    pub(crate) deref: i32,
    pub(crate) size_limit: i32,
    pub(crate) types_only: bool,
    pub(crate) filter: Vec<u8>,
    pub(crate) attributes: Vec<String>,
    pub(crate) controls: Vec<Vec<u8>>,
}

pub(crate) const SCOPE_BASE: i32 = 0;
pub(crate) const SCOPE_ONE: i32 = 1;
pub(crate) const SCOPE_SUBTREE: i32 = 2;

impl Search {
    pub(crate) fn new(base: impl Into<String>) -> Search {
        Search {
            base: base.into(),
            scope: SCOPE_SUBTREE,
            deref: 0,
            size_limit: 0,
            types_only: false,
            filter: super::ber::filter("(objectClass=*)"),
            attributes: vec!["1.1".into()],
            controls: Vec::new(),
        }
    }

    pub(crate) fn scope(self, scope: i32) -> Search {
        Search { scope, ..self }
    }

    pub(crate) fn deref(self, deref: i32) -> Search {
        Search { deref, ..self }
    }

    pub(crate) fn limit(self, size_limit: i32) -> Search {
        Search { size_limit, ..self }
    }

    pub(crate) fn filter(self, text: &str) -> Search {
        Search { filter: super::ber::filter(text), ..self }
    }

    pub(crate) fn attributes(self, names: &[&str]) -> Search {
        Search { attributes: names.iter().map(|n| (*n).to_owned()).collect(), ..self }
    }

    pub(crate) fn control(mut self, control: Vec<u8>) -> Search {
        self.controls.push(control);
        self
    }

    pub(crate) fn encoded(&self) -> Vec<u8> {
        let attributes: Vec<u8> = self.attributes.iter().flat_map(octets).collect();
        let parts = [
            octets(&self.base),
            enumerated(self.scope),
            enumerated(self.deref),
            integer(self.size_limit),
            integer(0),
            boolean(self.types_only),
            self.filter.clone(),
            tlv(0x30, &attributes),
        ];
        tlv(tag::SEARCH, &parts.concat())
    }
}

/// A control, encoded.
pub(crate) fn control(oid: &str, critical: bool, value: Option<&[u8]>) -> Vec<u8> {
    let mut content = octets(oid);
    if critical {
        content.extend(boolean(true));
    }
    content.extend(value.map(octets).unwrap_or_default());
    tlv(0x30, &content)
}

/// A whole message, encoded.
pub(crate) fn message(id: i32, operation: &[u8], controls: &[Vec<u8>]) -> Vec<u8> {
    let controls = if controls.is_empty() { Vec::new() } else { tlv(0xa0, &controls.concat()) };
    sequence(&[&integer(id), operation, &controls])
}

pub(crate) fn bind_request(dn: &str, password: &[u8]) -> Vec<u8> {
    tlv(tag::BIND, &[integer(3), octets(dn), tlv(0x80, password)].concat())
}

/// A SASL bind without credentials.
pub(crate) fn sasl_request(mechanism: &str) -> Vec<u8> {
    tlv(tag::BIND, &[integer(3), octets(""), tlv(0xa3, &octets(mechanism))].concat())
}

pub(crate) fn extended_request(oid: &str, value: Option<&[u8]>) -> Vec<u8> {
    let value = value.map(|v| tlv(0x81, v)).unwrap_or_default();
    tlv(tag::EXTENDED, &[tlv(0x80, oid.as_bytes()), value].concat())
}

/// A modify with one change. Kinds: 0 add, 1 delete, 2 replace, 3 increment.
pub(crate) fn modify_request(dn: &str, kind: i32, attribute: &str, values: &[&[u8]]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(octets).collect();
    let change = sequence(&[&enumerated(kind), &sequence(&[&octets(attribute), &tlv(0x31, &values)])]);
    tlv(tag::MODIFY, &[octets(dn), tlv(0x30, &change)].concat())
}

pub(crate) fn add_request(dn: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
    let one = |(name, value): &(&str, &str)| sequence(&[&octets(name), &tlv(0x31, &octets(value))]);
    let all: Vec<u8> = attributes.iter().flat_map(one).collect();
    tlv(tag::ADD, &[octets(dn), tlv(0x30, &all)].concat())
}

pub(crate) fn delete_request(dn: &str) -> Vec<u8> {
    tlv(tag::DELETE, dn.as_bytes())
}

pub(crate) fn rename_request(dn: &str, new_rdn: &str, new_superior: Option<&str>) -> Vec<u8> {
    let superior = new_superior.map(|s| tlv(0x80, s.as_bytes())).unwrap_or_default();
    tlv(tag::RENAME, &[octets(dn), octets(new_rdn), boolean(true), superior].concat())
}

pub(crate) fn compare_request(dn: &str, attribute: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(tag::COMPARE, &[octets(dn), sequence(&[&octets(attribute), &octets(value)])].concat())
}

/// RFC 3062.
pub(crate) fn password_request(identity: Option<&str>, new: &[u8]) -> Vec<u8> {
    let identity = identity.map(|i| tlv(0x80, i.as_bytes())).unwrap_or_default();
    let value = tlv(0x30, &[identity, tlv(0x82, new)].concat());
    extended_request("1.3.6.1.4.1.4203.1.11.1", Some(&value))
}

fn tls(stream: TcpStream, ca: &Path) -> io::Result<Stream> {
    tls_as(stream, ca, None)
}

/// With this certificate and key, if any.
fn tls_as(stream: TcpStream, ca: &Path, own: Option<(&Path, &Path)>) -> io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("the authority's certificate")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_file(certificate).expect("a certificate")];
            let key = PrivateKeyDer::from_pem_file(key).expect("a key");
            config.with_client_auth_cert(chain, key).expect("a certificate and its key")
        }
    };
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a TLS client");
    let mut stream = StreamOwned::new(connection, stream);
    stream.flush()?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(Stream::Tls(Box::new(stream)))
}

impl Client {
    fn connect(port: u16) -> TcpStream {
        Client::connect_to("127.0.0.1", port)
    }

    fn connect_to(address: &str, port: u16) -> TcpStream {
        let stream = TcpStream::connect((address, port)).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream
    }

    /// Without TLS.
    pub(crate) fn plain(port: u16) -> Client {
        Client { stream: Some(Stream::Plain(Client::connect(port))), buffer: Vec::new(), next: 1 }
    }

    /// Without TLS, from 127.0.0.`last`.
    pub(crate) fn plain_from(last: u8, port: u16) -> Client {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).expect("an address of this machine");
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).expect("a connection");
        let stream: TcpStream = socket.into();
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Client { stream: Some(Stream::Plain(stream)), buffer: Vec::new(), next: 1 }
    }

    /// TLS from the first octet.
    pub(crate) fn ldaps(port: u16, ca: &Path) -> Client {
        let stream = tls(Client::connect(port), ca).expect("a TLS handshake");
        Client { stream: Some(stream), buffer: Vec::new(), next: 1 }
    }

    /// The same, with a certificate and its key.
    pub(crate) fn ldaps_with(port: u16, ca: &Path, certificate: &Path, key: &Path) -> Client {
        let stream = tls_as(Client::connect(port), ca, Some((certificate, key))).expect("a TLS handshake");
        Client { stream: Some(stream), buffer: Vec::new(), next: 1 }
    }

    /// The same, at another address of this machine.
    pub(crate) fn ldaps_at(address: &str, port: u16, ca: &Path) -> Client {
        let stream = tls(Client::connect_to(address, port), ca).expect("a TLS handshake");
        Client { stream: Some(stream), buffer: Vec::new(), next: 1 }
    }

    /// Goes on with TLS, after the server has agreed.
    pub(crate) fn handshake(&mut self, ca: &Path) -> io::Result<()> {
        let Some(Stream::Plain(stream)) = self.stream.take() else { panic!("TLS is there already") };
        self.stream = Some(tls(stream, ca)?);
        Ok(())
    }

    /// Asks for StartTLS and goes on with TLS.
    pub(crate) fn start_tls(&mut self, ca: &Path) {
        let answer = self.extended(START_TLS, None);
        assert_eq!(answer.code, 0, "StartTLS: {answer:?}");
        self.handshake(ca).expect("a TLS handshake");
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self.stream.as_ref().expect("a stream") {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref(),
        }
    }

    /// These octets, whatever they are. The other side may have closed already; reading will tell.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        let _ = match self.stream.as_mut().expect("a stream") {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
    }

    /// One request; returns its id.
    pub(crate) fn send(&mut self, operation: &[u8], controls: &[Vec<u8>]) -> i32 {
        let id = self.next;
        self.next += 1;
        self.send_raw(&message(id, operation, controls));
        id
    }

    /// The next message; `None` when the server has closed.
    pub(crate) fn receive(&mut self) -> Option<Message> {
        self.try_receive().unwrap_or_else(|error| panic!("nothing came: {error}"))
    }

    fn try_receive(&mut self) -> io::Result<Option<Message>> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some((0x30, content, rest)) = cut(&self.buffer) {
                let left = rest.len();
                let message = parse(content);
                self.buffer.drain(..self.buffer.len() - left);
                return Ok(Some(message));
            }
            let read = match self.stream.as_mut().expect("a stream") {
                Stream::Plain(stream) => stream.read(&mut chunk),
                Stream::Tls(stream) => stream.read(&mut chunk),
            };
            match read {
                Ok(0) => return Ok(None),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(e) if ENDS.contains(&e.kind()) => return Ok(None),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Whether nothing comes for `time`. Only to show that something is *not* sent.
    pub(crate) fn silent_for(&mut self, time: Duration) -> bool {
        self.socket().set_read_timeout(Some(time)).expect("a time limit");
        let result = self.try_receive();
        self.socket().set_read_timeout(Some(PATIENCE)).expect("a time limit");
        matches!(result, Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Whether the server has closed, as far as can be seen without waiting.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut octet = [0; 1];
        self.socket().set_nonblocking(true).expect("a mode");
        let peeked = self.socket().peek(&mut octet);
        self.socket().set_nonblocking(false).expect("a mode");
        matches!(peeked, Ok(0)) || matches!(peeked, Err(e) if e.kind() != ErrorKind::WouldBlock)
    }

    /// The next message, which must answer `id`.
    #[track_caller]
    pub(crate) fn receive_for(&mut self, id: i32) -> Message {
        let message = self.receive().expect("an answer, not the end of the connection");
        assert_eq!(message.id, id, "{message:?}");
        message
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, operation: &[u8], controls: &[Vec<u8>]) -> Answer {
        let id = self.send(operation, controls);
        self.receive_for(id).answer()
    }

    #[track_caller]
    pub(crate) fn bind(&mut self, dn: &str, password: impl AsRef<[u8]>) -> Answer {
        self.ask(&bind_request(dn, password.as_ref()), &[])
    }

    /// Binds as one of the people; it must work.
    #[track_caller]
    pub(crate) fn bind_as(&mut self, name: &str) {
        let answer = self.bind(&super::slapd::person(name), super::slapd::password(name));
        assert_eq!(answer.code, 0, "{answer:?}");
    }

    #[track_caller]
    pub(crate) fn extended(&mut self, oid: &str, value: Option<&[u8]>) -> Answer {
        self.ask(&extended_request(oid, value), &[])
    }

    /// RFC 4532: `dn:…`, or nothing when anonymous.
    #[track_caller]
    pub(crate) fn who_am_i(&mut self) -> String {
        let id = self.send(&extended_request(WHO_AM_I, None), &[]);
        let message = self.receive_for(id);
        assert_eq!(message.answer().code, 0, "{message:?}");
        let value = children(&message.body).into_iter().find(|(tag, _)| *tag == 0x8b);
        value.map(|(_, v)| String::from_utf8_lossy(v).into_owned()).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn search(&mut self, search: &Search) -> Found {
        let id = self.send(&search.encoded(), &search.controls);
        self.collect(id)
    }

    /// Everything up to the end of a search that was sent.
    #[track_caller]
    pub(crate) fn collect(&mut self, id: i32) -> Found {
        let (mut entries, mut references) = (Vec::new(), 0);
        loop {
            let message = self.receive_for(id);
            match message.tag {
                tag::ENTRY => entries.push(message.entry()),
                tag::REFERENCE => references += 1,
                tag::SEARCH_DONE => {
                    let answer = message.answer();
                    return Found { entries, references, answer, controls: message.controls };
                }
                other => panic!("a search is not answered with {other:#x}: {message:?}"),
            }
        }
    }
}

fn parse(content: &[u8]) -> Message {
    let parts = children(content);
    let controls = parts.get(2).map(|(_, controls)| children(controls)).unwrap_or_default();
    let one = |(_, control): (u8, &[u8])| {
        let parts = children(control);
        let value = parts.iter().skip(1).find(|(tag, _)| *tag == 4).map(|(_, v)| v.to_vec());
        (String::from_utf8_lossy(parts[0].1).into_owned(), value.unwrap_or_default())
    };
    Message {
        id: value(parts[0].1),
        tag: parts[1].0,
        body: parts[1].1.to_vec(),
        controls: controls.into_iter().map(one).collect(),
    }
}

impl Message {
    #[track_caller]
    pub(crate) fn answer(&self) -> Answer {
        let parts = children(&self.body);
        assert!(parts.len() >= 3 && parts[0].0 == 0x0a, "not a result: {self:?}");
        let text = |n: usize| String::from_utf8_lossy(parts[n].1).into_owned();
        Answer { code: value(parts[0].1), matched: text(1), message: text(2) }
    }

    pub(crate) fn entry(&self) -> Entry {
        let parts = children(&self.body);
        let one = |(_, attribute): (u8, &[u8])| {
            let parts = children(attribute);
            let values = children(parts[1].1).into_iter().map(|(_, v)| v.to_vec()).collect();
            (String::from_utf8_lossy(parts[0].1).into_owned(), values)
        };
        Entry {
            dn: String::from_utf8_lossy(parts[0].1).into_owned(),
            attributes: children(parts[1].1).into_iter().map(one).collect(),
        }
    }

    /// RFC 4511 4.4.1: its result code, if this is one.
    pub(crate) fn notice_of_disconnection(&self) -> Option<i32> {
        let named = children(&self.body).iter().any(|(t, v)| *t == 0x8a && *v == NOTICE_OF_DISCONNECTION.as_bytes());
        (self.id == 0 && self.tag == tag::EXTENDED_RESPONSE && named).then(|| self.answer().code)
    }
}
