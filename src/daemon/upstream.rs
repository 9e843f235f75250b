//! Connections to the directory: several servers tried in order, each with a time limit,
//! `ldaps`, `ldap` with StartTLS, or plain `ldap`.

use super::directory::ServiceAccount;
use super::limits::keepalive;
use crate::engine::ldap::frame::frame_length;
use crate::engine::ldap::message::{self, Envelope, UpstreamMessageId};
use crate::engine::ldap::request::{Authentication, BindName, BindRequest, ExtendedRequest, Request};
use crate::engine::ldap::response::ResultView;
use crate::engine::ldap::{ResultCode, tag};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How a server is spoken to.
#[derive(Clone)]
pub enum Security {
    /// In clear. The configuration allows it only where it says so.
    Plain,
    /// TLS after a StartTLS request (RFC 4511 4.14).
    StartTls(Arc<ClientConfig>),
    /// TLS from the first octet.
    Tls(Arc<ClientConfig>),
}

/// One directory server.
#[derive(Clone)]
pub struct Server {
    /// As configured, for the log.
    pub url: Arc<str>,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
}

/// The directory: its servers in order of preference.
pub struct Directory {
    servers: Vec<(Server, State)>,
    /// As whom the gate acts for those who come with a client certificate.
    proxy: Option<ServiceAccount>,
    connect_timeout: Duration,
    start: Instant,
    /// Where its referrals are to lead; `None`: they are not passed.
    pub(super) refers_to: Option<Arc<str>>,
    /// How long it may take to answer a bind.
    pub(super) bind_timeout: Duration,
}

/// A server that could not be reached is tried after the others for this long.
const SET_BACK: Duration = Duration::from_secs(10);

/// How long a bind may take where nothing else is configured.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a server.
#[derive(Debug, Default)]
struct State {
    /// When it last failed, in milliseconds since the start; 0: it did not.
    failed: AtomicU64,
    connections: AtomicU64,
    failures: AtomicU64,
}

impl State {
    fn failed_lately(&self, now: u64) -> bool {
        let at = self.failed.load(Ordering::Relaxed);
        at != 0 && now.saturating_sub(at) < SET_BACK.as_millis() as u64
    }
}

/// How a server is, for those who watch the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether it did not fail lately.
    pub up: bool,
    /// How often it was connected to.
    pub connections: u64,
    /// How often that failed.
    pub failures: u64,
}

/// No server could be reached.
#[derive(Debug, thiserror::Error)]
#[error("no directory server can be reached: {0}")]
pub struct ConnectError(String);

/// A connection to a directory server.
pub enum UpstreamStream {
    /// In clear.
    Plain(TcpStream),
    /// Over TLS.
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Directory {
    /// A directory of `servers`, each given `connect_timeout` for TCP, TLS and a bind as `proxy` together.
    pub fn new(servers: Vec<Server>, connect_timeout: Duration, proxy: Option<ServiceAccount>) -> Directory {
        let servers = servers.into_iter().map(|server| (server, State::default())).collect();
        Directory {
            servers,
            proxy,
            connect_timeout,
            start: Instant::now(),
            refers_to: None,
            bind_timeout: BIND_TIMEOUT,
        }
    }

    /// How its servers are, by URL, in order of preference.
    pub fn health(&self) -> impl Iterator<Item = (&str, Health)> {
        let now = self.now();
        self.servers.iter().map(move |(server, state)| {
            let health = Health {
                up: !state.failed_lately(now),
                connections: state.connections.load(Ordering::Relaxed),
                failures: state.failures.load(Ordering::Relaxed),
            };
            (&*server.url, health)
        })
    }

    /// Milliseconds since the start, never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1).saturating_add(1)
    }

    /// A server that took a connection and ended it without a word is tried after the others, too.
    pub fn set_back(&self, url: &str) {
        for (_, state) in self.servers.iter().filter(|(server, _)| *server.url == *url) {
            state.failed.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Connects to the first server that answers; those that failed lately come last.
    ///
    /// # Errors
    /// When none answers; says why for each.
    pub async fn connect(&self) -> Result<(UpstreamStream, Arc<str>), ConnectError> {
        self.connect_as(None).await
    }

    /// As [`Directory::connect`], bound as the account that may act for others.
    ///
    /// # Errors
    /// When none answers or takes the account; says why for each.
    pub async fn connect_as_proxy(&self) -> Result<(UpstreamStream, Arc<str>), ConnectError> {
        let none = || ConnectError("there is no account that may act for others".to_owned());
        self.connect_as(Some(self.proxy.as_ref().ok_or_else(none)?)).await
    }

    async fn connect_as(&self, account: Option<&ServiceAccount>) -> Result<(UpstreamStream, Arc<str>), ConnectError> {
        let now = self.now();
        let (late, good): (Vec<_>, Vec<_>) = self.servers.iter().partition(|(_, state)| state.failed_lately(now));
        let mut reasons = Vec::new();
        for (server, state) in good.into_iter().chain(late) {
            let reason = match tokio::time::timeout(self.connect_timeout, server.connect_as(account)).await {
                Ok(Ok(stream)) => {
                    state.failed.store(0, Ordering::Relaxed);
                    state.connections.fetch_add(1, Ordering::Relaxed);
                    return Ok((stream, server.url.clone()));
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {:?}", self.connect_timeout),
            };
            state.failed.store(now, Ordering::Relaxed);
            state.failures.fetch_add(1, Ordering::Relaxed);
            reasons.push(format!("{}: {reason}", server.url));
        }
        Err(ConnectError(reasons.join("; ")))
    }
}

impl Server {
    async fn connect_as(&self, account: Option<&ServiceAccount>) -> io::Result<UpstreamStream> {
        let mut stream = self.connect().await?;
        if let Some(account) = account {
            let name = BindName::Dn(account.dn.clone());
            let authentication = Authentication::Simple(account.password());
            let bind = Request::Bind(BindRequest { version: 3, name, authentication });
            let refused = format!("the server does not take {}, which is to act for others", account.dn);
            ask(&mut stream, UpstreamMessageId(i32::MAX), &bind, tag::BIND_RESPONSE, &refused).await?;
        }
        Ok(stream)
    }

    async fn connect(&self) -> io::Result<UpstreamStream> {
        let mut tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        keepalive::of_directory(&tcp)?;
        let config = match &self.security {
            Security::Plain => return Ok(UpstreamStream::Plain(tcp)),
            Security::StartTls(config) => {
                let request = Request::Extended(ExtendedRequest::StartTls);
                let refused = "the server refuses StartTLS";
                ask(&mut tcp, UpstreamMessageId(1), &request, tag::EXTENDED_RESPONSE, refused).await?;
                config
            }
            Security::Tls(config) => config,
        };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let tls = TlsConnector::from(config.clone()).connect(name, tcp).await?;
        Ok(UpstreamStream::Tls(Box::new(tls)))
    }
}

/// Asks for something and waits for success. Reads exactly one message, so that nothing sent in clear is
/// taken for TLS (RFC 4511 4.14), and nothing is taken from whoever reads on.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    id: UpstreamMessageId,
    request: &Request<'_>,
    response_tag: u8,
    refusal: &str,
) -> io::Result<()> {
    let mut octets = Vec::new();
    message::write_request(&mut octets, id, request, &[]);
    stream.write_all(&octets).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    loop {
        let mut octet = [0];
        stream.read_exact(&mut octet).await?;
        answer.extend_from_slice(&octet);
        match frame_length(&answer, 64 * 1024) {
            Ok(Some(length)) if length == answer.len() => break,
            Ok(_) => {}
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
    }
    let refused = || io::Error::other(refusal.to_owned());
    let envelope = Envelope::parse_response(&answer).map_err(|_| refused())?;
    let view = ResultView::peek(envelope.tag, envelope.body).map_err(|_| refused())?;
    if envelope.id != id.0 || envelope.tag != response_tag || view.code != ResultCode::SUCCESS {
        return Err(refused());
    }
    Ok(())
}

impl UpstreamStream {
    /// Has the connection be reset when it is dropped: what the system still holds of what was written is not sent.
    pub fn reset(&self) {
        let tcp = match self {
            UpstreamStream::Plain(stream) => stream,
            UpstreamStream::Tls(stream) => stream.get_ref().0,
        };
        // Where this fails the connection is gone already.
        let _ = tcp.set_zero_linger();
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamStream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            UpstreamStream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
