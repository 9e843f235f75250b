//! Connections to the directory: several servers tried in order, each with a time limit,
//! `ldaps`, `ldap` with StartTLS, or plain `ldap`.

use crate::engine::ldap::frame::frame_length;
use crate::engine::ldap::message::{self, Envelope, UpstreamMessageId};
use crate::engine::ldap::request::{ExtendedRequest, Request};
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
    servers: Vec<(Server, AtomicU64)>,
    connect_timeout: Duration,
    start: Instant,
    /// Where its referrals are to lead; `None`: they are not passed.
    pub(super) refers_to: Option<Arc<str>>,
}

/// A server that could not be reached is tried after the others for this long.
const SET_BACK: Duration = Duration::from_secs(10);

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
    /// A directory of `servers`, each given `connect_timeout` for TCP and TLS together.
    pub fn new(servers: Vec<Server>, connect_timeout: Duration) -> Directory {
        let servers = servers.into_iter().map(|server| (server, AtomicU64::new(0))).collect();
        Directory { servers, connect_timeout, start: Instant::now(), refers_to: None }
    }

    /// Milliseconds since the start, never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1).saturating_add(1)
    }

    /// A server that took a connection and ended it without a word is tried after the others, too.
    pub fn set_back(&self, url: &str) {
        for (_, failed) in self.servers.iter().filter(|(server, _)| *server.url == *url) {
            failed.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Connects to the first server that answers; those that failed lately come last.
    ///
    /// # Errors
    /// When none answers; says why for each.
    pub async fn connect(&self) -> Result<(UpstreamStream, Arc<str>), ConnectError> {
        let now = self.now();
        let set_back = SET_BACK.as_millis() as u64;
        let failed_lately = |failed: &AtomicU64| {
            let at = failed.load(Ordering::Relaxed);
            at != 0 && now.saturating_sub(at) < set_back
        };
        let (late, good): (Vec<_>, Vec<_>) = self.servers.iter().partition(|(_, failed)| failed_lately(failed));
        let mut reasons = Vec::new();
        for (server, failed) in good.into_iter().chain(late) {
            let reason = match tokio::time::timeout(self.connect_timeout, server.connect()).await {
                Ok(Ok(stream)) => {
                    failed.store(0, Ordering::Relaxed);
                    return Ok((stream, server.url.clone()));
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {:?}", self.connect_timeout),
            };
            failed.store(now, Ordering::Relaxed);
            reasons.push(format!("{}: {reason}", server.url));
        }
        Err(ConnectError(reasons.join("; ")))
    }
}

impl Server {
    async fn connect(&self) -> io::Result<UpstreamStream> {
        let mut tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let config = match &self.security {
            Security::Plain => return Ok(UpstreamStream::Plain(tcp)),
            Security::StartTls(config) => {
                start_tls(&mut tcp).await?;
                config
            }
            Security::Tls(config) => config,
        };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let tls = TlsConnector::from(config.clone()).connect(name, tcp).await?;
        Ok(UpstreamStream::Tls(Box::new(tls)))
    }
}

/// RFC 4511 4.14. Reads exactly one message, so that nothing sent in clear is taken for TLS.
async fn start_tls(tcp: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    let id = UpstreamMessageId(1);
    message::write_request(&mut request, id, &Request::Extended(ExtendedRequest::StartTls), &[]);
    tcp.write_all(&request).await?;
    let mut answer = Vec::new();
    loop {
        let mut octet = [0];
        tcp.read_exact(&mut octet).await?;
        answer.extend_from_slice(&octet);
        match frame_length(&answer, 64 * 1024) {
            Ok(Some(length)) if length == answer.len() => break,
            Ok(_) => {}
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
    }
    let refused = || io::Error::other("the server refuses StartTLS");
    let envelope = Envelope::parse_response(&answer).map_err(|_| refused())?;
    let view = ResultView::peek(envelope.tag, envelope.body).map_err(|_| refused())?;
    if envelope.id != id.0 || envelope.tag != tag::EXTENDED_RESPONSE || view.code != ResultCode::SUCCESS {
        return Err(refused());
    }
    Ok(())
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
