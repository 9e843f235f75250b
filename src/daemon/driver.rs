//! Feeds one session and performs its effects: the two sockets, the news about grants, the deadline.
//!
//! One task and one loop for both directions, so that nothing is handed between tasks. Reads go
//! through a buffer of the thread; a session keeps octets only while a message is incomplete.

use super::gate::Gate;
use super::registry::SessionCommand;
use super::upstream::{ConnectError, UpstreamStream};
use crate::api::session::{OutstandingView, SessionView};
use crate::daemon::audit_log::AuditHandle;
use crate::engine::ldap::frame::frame_length;
use crate::engine::policy::Subject;
use crate::engine::session::{Effects, Flow, Session};
use chrono::{DateTime, Utc};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;

/// Read at most this much at once.
const CHUNK: usize = 64 * 1024;
/// While more than this waits to be written to one side, the other side is not read.
const HIGH_WATER: usize = 1024 * 1024;
/// While a session cannot take a message, at most this much of the client is kept (it is read at
/// all so that its leaving is noticed).
const WAITING_INPUT: usize = 64 * 1024;
/// The largest message that the directory may send.
const MAX_UPSTREAM_MESSAGE: usize = 64 * 1024 * 1024;
/// How long a closing session may take to tell the client.
const CLOSING: Duration = Duration::from_secs(2);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// The client's side.
pub(super) enum ClientStream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<(UpstreamStream, Arc<str>), ConnectError>> + Send>>;
type News = Pin<Box<dyn Future<Output = watch::Receiver<u64>> + Send>>;

/// The end that is waited for, on both clocks, and the wait.
type Deadline = ((DateTime<Utc>, Duration), Pin<Box<Sleep>>);

enum Upstream {
    None,
    Opening(Connecting),
    Open(UpstreamStream),
}

/// Octets on their way out.
#[derive(Default)]
struct Sent {
    /// How much of the buffer is written.
    written: usize,
    /// The stream may hold octets back.
    unflushed: bool,
}

enum Turn {
    Close,
    StartTls,
}

/// One session's task.
pub(super) struct Driver {
    gate: Arc<Gate>,
    audit: AuditHandle,
    session: Session,
    since: DateTime<Utc>,
    fx: Effects,
    client: ClientStream,
    client_sent: Sent,
    /// Octets of the client that are not processed yet.
    client_in: Vec<u8>,
    /// A whole message may be in `client_in`.
    client_ready: bool,
    upstream: Upstream,
    upstream_sent: Sent,
    upstream_in: Vec<u8>,
    commands: mpsc::Receiver<SessionCommand>,
    news: News,
    deadline: Option<Deadline>,
    idle: Option<Pin<Box<Sleep>>>,
}

fn next_news(mut receiver: watch::Receiver<u64>) -> News {
    Box::pin(async move {
        // The sender lives as long as the gate.
        let _ = receiver.changed().await;
        receiver
    })
}

impl Driver {
    pub(super) fn new(
        gate: Arc<Gate>,
        audit: AuditHandle,
        session: Session,
        client: ClientStream,
        commands: mpsc::Receiver<SessionCommand>,
    ) -> Driver {
        let news = next_news(gate.shared.watch());
        let since = gate.clock.now().wall;
        let idle = gate.limits.idle_timeout.map(|after| Box::pin(tokio::time::sleep(after)));
        Driver {
            gate,
            audit,
            session,
            since,
            fx: Effects::default(),
            client,
            client_sent: Sent::default(),
            client_in: Vec::new(),
            client_ready: false,
            upstream: Upstream::None,
            upstream_sent: Sent::default(),
            upstream_in: Vec::new(),
            commands,
            news,
            deadline: None,
            idle,
        }
    }

    /// Serves the session to its end.
    pub(super) async fn run(mut self) {
        loop {
            match poll_fn(|cx| self.turn(cx)).await {
                Turn::Close => break,
                Turn::StartTls => {
                    let Some(driver) = self.start_tls().await else { return };
                    self = driver;
                }
            }
        }
        let rest = self.fx.to_client.split_off(self.client_sent.written.min(self.fx.to_client.len()));
        let last = self.fx.to_upstream.split_off(self.upstream_sent.written.min(self.fx.to_upstream.len()));
        // Who does not take their last octets is left to themselves.
        let _ = tokio::time::timeout(CLOSING, async {
            if let Upstream::Open(stream) = &mut self.upstream {
                // Either way the connection ends here.
                let _ = finish(stream, &last).await;
            }
            match &mut self.client {
                ClientStream::Plain(stream) => finish(stream, &rest).await,
                ClientStream::Tls(stream) => finish(stream.as_mut(), &rest).await,
            }
        })
        .await;
    }

    /// The handshake after StartTLS. Whatever else the client sent in clear stands in its way and fails it.
    async fn start_tls(mut self) -> Option<Driver> {
        self.fx.start_tls = false;
        let ClientStream::Plain(tcp) = self.client else { return None };
        let acceptor = TlsAcceptor::from(self.gate.tls.load_full());
        let tls = tokio::time::timeout(self.gate.limits.handshake_timeout, acceptor.accept(tcp)).await.ok()?.ok()?;
        self.session.tls_established(super::tls::describe(tls.get_ref().1));
        self.client = ClientStream::Tls(Box::new(tls));
        Some(self)
    }

    /// Does all that can be done now. Pending: every source that could bring more will wake the task.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        loop {
            let mut progress = self.hear(cx);
            progress |= self.write_client(cx);
            self.hand_over_records();
            if self.fx.close {
                return Poll::Ready(Turn::Close);
            }
            if self.fx.start_tls && self.fx.to_client.is_empty() && !self.client_sent.unflushed {
                return Poll::Ready(Turn::StartTls);
            }
            progress |= self.connect(cx);
            progress |= self.write_upstream(cx);
            progress |= self.read_upstream(cx);
            progress |= self.read_client(cx);
            if !progress {
                return Poll::Pending;
            }
        }
    }

    fn hand_over_records(&mut self) {
        let mut begin = 0;
        for end in self.fx.record_ends.drain(..) {
            if let Some(line) = self.fx.records.get(begin..end) {
                self.audit.append(line);
            }
            begin = end;
        }
        self.fx.records.clear();
    }

    /// Commands, grants that change, grants that end, nothing at all for too long.
    fn hear(&mut self, cx: &mut Context<'_>) -> bool {
        let mut heard = false;
        while let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
            heard = true;
            match command {
                SessionCommand::Inspect(answer) => {
                    // Nobody waits any more: nothing to tell.
                    let _ = answer.send(self.view());
                }
                SessionCommand::End(reason) => self.session.on_kill(&reason, self.gate.clock.now(), &mut self.fx),
            }
        }
        if let Some(idle) = &mut self.idle
            && idle.as_mut().poll(cx).is_ready()
        {
            heard = true;
            self.session.on_kill("idle for too long", self.gate.clock.now(), &mut self.fx);
        }
        if !self.session.rests_on_grants() {
            self.deadline = None;
            return heard;
        }
        let mut look = false;
        while let Poll::Ready(receiver) = self.news.as_mut().poll(cx) {
            self.news = next_news(receiver);
            look = true;
        }
        let next = self.session.next_end();
        if self.deadline.as_ref().map(|(end, _)| *end) != next {
            self.deadline = next.map(|end| (end, Box::pin(tokio::time::sleep_until(self.instant_of(end)))));
        }
        if let Some((_, sleep)) = &mut self.deadline
            && sleep.as_mut().poll(cx).is_ready()
        {
            self.deadline = None;
            look = true;
        }
        if look {
            let now = self.gate.clock.now();
            self.session.on_change(&self.gate.shared.snapshot.load(), now, &mut self.fx);
        }
        heard || look
    }

    /// When to look, given an end on both clocks: at the earlier of the two.
    fn instant_of(&self, (wall, monotonic): (DateTime<Utc>, Duration)) -> Instant {
        let now = self.gate.clock.now();
        let by_wall = (wall - now.wall).to_std().unwrap_or(Duration::ZERO);
        let by_monotonic = monotonic.saturating_sub(now.monotonic);
        // Timers are coarse: looking a little late is better than looking twice.
        Instant::now() + by_wall.min(by_monotonic).min(Duration::from_secs(86_400)) + Duration::from_millis(1)
    }

    fn view(&self) -> SessionView {
        let origin = self.session.origin();
        let subject = match self.session.subject() {
            Subject::Anonymous => String::new(),
            Subject::Dn(name) => name.text().to_owned(),
        };
        SessionView {
            id: origin.session.clone(),
            connection_from: origin.connection_from.clone(),
            tls: origin.tls.clone(),
            subject,
            authentication: self.session.authentication().to_owned(),
            since: self.since,
            outstanding: self.session.in_flight().filter_map(outstanding_view).collect(),
        }
    }

    fn write_client(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.client_sent.written;
        let done = match &mut self.client {
            ClientStream::Plain(stream) => drain(stream, cx, &mut self.fx.to_client, &mut self.client_sent),
            ClientStream::Tls(stream) => drain(stream.as_mut(), cx, &mut self.fx.to_client, &mut self.client_sent),
        };
        match done {
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Ready(Err(_)) => {
                self.session.on_client_lost(self.gate.clock.now(), &mut self.fx);
                true
            }
            Poll::Pending => self.client_sent.written > before,
        }
    }

    fn write_upstream(&mut self, cx: &mut Context<'_>) -> bool {
        let Upstream::Open(stream) = &mut self.upstream else { return false };
        let before = self.upstream_sent.written;
        match drain(stream, cx, &mut self.fx.to_upstream, &mut self.upstream_sent) {
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Ready(Err(_)) => {
                // What it still has to say (a notice of disconnection) is read first; the end shows there.
                self.fx.to_upstream.clear();
                self.upstream_sent = Sent::default();
                false
            }
            Poll::Pending => self.upstream_sent.written > before,
        }
    }

    fn connect(&mut self, cx: &mut Context<'_>) -> bool {
        let Upstream::Opening(connecting) = &mut self.upstream else { return false };
        let Poll::Ready(result) = connecting.as_mut().poll(cx) else { return false };
        match result {
            Ok((stream, server)) => {
                self.upstream = Upstream::Open(stream);
                self.session.on_upstream_connected(server);
            }
            Err(error) => {
                tracing::warn!(session = %self.session.origin().session, %error, "cannot reach the directory");
                self.upstream = Upstream::None;
                self.session.on_upstream_failed(self.gate.clock.now(), &mut self.fx);
                self.client_ready = true;
            }
        }
        true
    }

    /// Performs what the session asked of the connection to the directory.
    fn perform(&mut self) {
        if self.fx.drop_upstream {
            self.fx.drop_upstream = false;
            self.upstream = Upstream::None;
            self.upstream_sent = Sent::default();
            self.upstream_in.clear();
        }
        if self.fx.connect {
            self.fx.connect = false;
            let directory = self.gate.directory.load_full();
            self.upstream = Upstream::Opening(Box::pin(async move { directory.connect().await }));
        }
    }

    fn read_upstream(&mut self, cx: &mut Context<'_>) -> bool {
        if self.fx.to_client.len() - self.client_sent.written > HIGH_WATER {
            return false;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let Upstream::Open(stream) = &mut self.upstream else { return false };
            let mut read = ReadBuf::new(scratch);
            let Poll::Ready(result) = Pin::new(stream).poll_read(cx, &mut read) else { return false };
            let octets = read.filled();
            if result.is_err() || octets.is_empty() {
                self.upstream = Upstream::None;
                self.upstream_sent = Sent::default();
                self.upstream_in.clear();
                self.session.on_upstream_lost(self.gate.clock.now(), &mut self.fx);
            } else if self.upstream_in.is_empty() {
                let used = self.feed_upstream(octets);
                self.upstream_in.extend_from_slice(octets.get(used..).unwrap_or_default());
            } else {
                let mut buffer = std::mem::take(&mut self.upstream_in);
                buffer.extend_from_slice(octets);
                let used = self.feed_upstream(&buffer);
                self.upstream_in = keep_rest(buffer, used);
            }
            self.client_ready = !self.client_in.is_empty();
            self.perform();
            true
        })
    }

    /// Hands whole messages of the directory to the session; how many octets they were.
    fn feed_upstream(&mut self, octets: &[u8]) -> usize {
        let snapshot = self.gate.shared.snapshot.load();
        let now = self.gate.clock.now();
        if self.session.rests_on_grants() {
            self.session.on_change(&snapshot, now, &mut self.fx);
        }
        let mut used = 0;
        while let Some(rest) = octets.get(used..) {
            if self.session.is_closed() || self.fx.drop_upstream {
                return octets.len();
            }
            match frame_length(rest, MAX_UPSTREAM_MESSAGE) {
                Ok(Some(length)) => {
                    let Some(frame) = rest.get(..length) else { break };
                    self.session.on_upstream(frame, &snapshot, now, &mut self.fx);
                    used += length;
                }
                Ok(None) => break,
                Err(_) => {
                    self.session.on_upstream_garbage(now, &mut self.fx);
                    return octets.len();
                }
            }
        }
        used
    }

    fn read_client(&mut self, cx: &mut Context<'_>) -> bool {
        if self.session.is_closed() || self.fx.start_tls {
            return false;
        }
        let busy = self.fx.to_client.len() - self.client_sent.written > HIGH_WATER
            || self.fx.to_upstream.len() - self.upstream_sent.written > HIGH_WATER;
        if busy {
            return false;
        }
        if self.client_ready && self.session.reads_client() {
            let buffer = std::mem::take(&mut self.client_in);
            let used = self.feed_client(&buffer);
            self.client_in = keep_rest(buffer, used);
            if used > 0 {
                return true;
            }
        }
        let waits = self.client_ready && !self.client_in.is_empty();
        if waits && self.client_in.len() >= WAITING_INPUT {
            return false;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            let result = match &mut self.client {
                ClientStream::Plain(stream) => Pin::new(stream).poll_read(cx, &mut read),
                ClientStream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut read),
            };
            let Poll::Ready(result) = result else { return false };
            let octets = read.filled();
            if result.is_err() || octets.is_empty() {
                self.session.on_client_lost(self.gate.clock.now(), &mut self.fx);
                return true;
            }
            if let (Some(idle), Some(after)) = (&mut self.idle, self.gate.limits.idle_timeout) {
                idle.as_mut().reset(Instant::now() + after);
            }
            if self.client_in.is_empty() {
                let used = self.feed_client(octets);
                self.client_in.extend_from_slice(octets.get(used..).unwrap_or_default());
            } else {
                let mut buffer = std::mem::take(&mut self.client_in);
                buffer.extend_from_slice(octets);
                let used = self.feed_client(&buffer);
                self.client_in = keep_rest(buffer, used);
            }
            true
        })
    }

    /// Hands whole messages of the client to the session; how many octets they were. Each is
    /// decided at its own instant.
    fn feed_client(&mut self, octets: &[u8]) -> usize {
        self.client_ready = false;
        let mut used = 0;
        while let Some(rest) = octets.get(used..) {
            if self.session.is_closed() || self.fx.start_tls {
                break;
            }
            let now = self.gate.clock.now();
            match frame_length(rest, self.session.message_limit(self.gate.limits.max_message_bytes)) {
                Ok(Some(length)) => {
                    let Some(frame) = rest.get(..length) else { break };
                    let followed = rest.len() > length;
                    let snapshot = self.gate.shared.snapshot.load();
                    match self.session.on_client(frame, followed, &snapshot, now, &mut self.fx) {
                        Flow::Wait => {
                            self.client_ready = true;
                            break;
                        }
                        Flow::Done => used += length,
                    }
                    self.perform();
                    if self.fx.to_client.len() > HIGH_WATER || self.fx.to_upstream.len() > HIGH_WATER {
                        self.client_ready = true;
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.session.on_client_garbage(&error.to_string(), now, &mut self.fx);
                    return octets.len();
                }
            }
        }
        used
    }
}

/// Drops what was used; gives the memory back when nothing is left.
fn keep_rest(mut buffer: Vec<u8>, used: usize) -> Vec<u8> {
    if used >= buffer.len() {
        return Vec::new();
    }
    buffer.drain(..used);
    buffer
}

/// Writes what there is. `Ready(true)`: something was written or flushed.
fn drain<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut Vec<u8>,
    sent: &mut Sent,
) -> Poll<io::Result<bool>> {
    let mut wrote = false;
    while let Some(rest) = buffer.get(sent.written..).filter(|rest| !rest.is_empty()) {
        let written = ready!(Pin::new(&mut *stream).poll_write(cx, rest))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        sent.written += written;
        sent.unflushed = true;
        wrote = true;
    }
    if !buffer.is_empty() {
        buffer.clear();
        buffer.shrink_to(CHUNK);
        sent.written = 0;
    }
    if sent.unflushed {
        ready!(Pin::new(stream).poll_flush(cx))?;
        sent.unflushed = false;
        wrote = true;
    }
    Poll::Ready(Ok(wrote))
}

async fn finish<S: AsyncWrite + Unpin>(stream: &mut S, rest: &[u8]) -> io::Result<()> {
    stream.write_all(rest).await?;
    stream.flush().await?;
    stream.shutdown().await
}

/// What an operation in flight is, read back from its begun log line.
fn outstanding_view(begun: &[u8]) -> Option<OutstandingView> {
    let mut text = Vec::with_capacity(begun.len() + 2);
    text.push(b'{');
    text.extend_from_slice(begun);
    text.push(b'}');
    let line: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let member = |name: &str| line.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Some(OutstandingView {
        message_id: line.get("message_id")?.as_i64().and_then(|id| i32::try_from(id).ok())?,
        operation: member("operation"),
        target: member("target"),
        grants: line
            .get("grant")
            .and_then(|grant| grant.as_str())
            .map_or_else(Vec::new, |grants| grants.split(',').map(str::to_owned).collect()),
    })
}
