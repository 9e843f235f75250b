//! Feeds one session and performs its effects: the two sockets, the news about grants, the deadline.
//!
//! One task and one loop for both directions, so that nothing is handed between tasks. Reads go
//! through a buffer of the thread; a session keeps octets only while a message is incomplete.

mod asking;
mod commit;
mod idling;
mod membership;
mod reading;
mod room;
mod viewing;
mod writing;

use super::audit_log::AuditHandle;
use super::gate::Gate;
use super::limits::admission::Counted;
use super::limits::failed_binds::Attempt;
use super::limits::share::SessionShare;
use super::metrics::{Open, Tally};
use super::registry::SessionCommand;
use super::upstream::{ConnectError, UpstreamStream};
use crate::engine::session::{Effects, Session};
use asking::Asked;
use chrono::{DateTime, Utc};
use commit::Commit;
use idling::Idle;
use membership::Membership;
use room::Watch;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use writing::Leaving;

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
    Open(UpstreamStream, #[expect(dead_code, reason = "counted until it is dropped")] Open),
}

enum Turn {
    Close,
    StartTls,
}

/// How a session is reached, and where it comes from.
pub(super) struct Reached {
    pub(super) commands: mpsc::Receiver<SessionCommand>,
    pub(super) address: Counted,
}

/// One session's task.
pub(super) struct Driver {
    gate: Arc<Gate>,
    audit: AuditHandle,
    tally: Arc<Tally>,
    session: Session,
    since: DateTime<Utc>,
    fx: Effects,
    commit: Commit,
    client: ClientStream,
    /// The stream may hold octets back.
    client_unflushed: bool,
    /// Octets of the client that are not processed yet.
    client_in: Vec<u8>,
    /// How long the message is going to be of which `client_in` holds the beginning; 0: it holds none.
    client_expected: usize,
    /// A whole message may be in `client_in`.
    client_ready: bool,
    upstream: Upstream,
    /// The server that was connected to, until it has said something.
    unheard: Option<Arc<str>>,
    /// The server that was connected to.
    server: Option<Arc<str>>,
    /// As `client_unflushed`.
    upstream_unflushed: bool,
    upstream_in: Vec<u8>,
    /// As `client_expected`.
    upstream_expected: usize,
    /// What the session takes of what is shared.
    share: SessionShare,
    watch: Watch,
    /// What the bind in flight counts under, should it fail.
    attempt: Option<Attempt>,
    commands: mpsc::Receiver<SessionCommand>,
    news: News,
    deadline: Option<Deadline>,
    idle: Option<Idle>,
    asked: Option<Box<Asked>>,
    membership: Membership,
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
        (audit, tally): (AuditHandle, Arc<Tally>),
        session: Session,
        client: ClientStream,
        Reached { commands, address }: Reached,
    ) -> Driver {
        let share = SessionShare::new(gate.ledger.clone(), address);
        let news = next_news(gate.shared.watch());
        let since = gate.clock.now().wall;
        let idle = match client {
            ClientStream::Plain(_) => Some(gate.limits.start_tls_timeout),
            ClientStream::Tls(_) => gate.limits.idle_timeout,
        };
        Driver {
            gate,
            audit,
            tally,
            session,
            since,
            fx: Effects::default(),
            commit: Commit::default(),
            client,
            client_unflushed: false,
            client_in: Vec::new(),
            client_expected: 0,
            client_ready: false,
            upstream: Upstream::None,
            unheard: None,
            server: None,
            upstream_unflushed: false,
            upstream_in: Vec::new(),
            upstream_expected: 0,
            share,
            watch: Watch::default(),
            attempt: None,
            commands,
            news,
            deadline: None,
            idle: idle.map(Idle::new),
            asked: None,
            membership: Membership::default(),
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
        // Who does not take their last octets is left to themselves.
        let mut leaving = Leaving::default();
        let _ = tokio::time::timeout(CLOSING, poll_fn(|cx| self.leave(cx, &mut leaving))).await;
        self.hand_over_records();
    }

    /// The handshake after StartTLS. Whatever else the client sent in clear stands in its way and fails it.
    async fn start_tls(mut self) -> Option<Driver> {
        self.fx.start_tls = false;
        let ClientStream::Plain(tcp) = self.client else { return None };
        let acceptor = TlsAcceptor::from(self.gate.tls.load_full());
        let tls = tokio::time::timeout(self.gate.limits.handshake_timeout, acceptor.accept(tcp)).await.ok()?.ok()?;
        super::certificate::introduce(&mut self.session, &self.gate, tls.get_ref().1);
        self.client = ClientStream::Tls(Box::new(tls));
        self.idle = self.gate.limits.idle_timeout.map(Idle::new);
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
            if self.fx.start_tls && self.fx.to_client.is_empty() && !self.client_unflushed {
                return Poll::Ready(Turn::StartTls);
            }
            progress |= self.commit(cx);
            progress |= self.connect(cx);
            progress |= self.write_upstream(cx);
            progress |= self.read_upstream(cx);
            progress |= self.read_client(cx);
            if !progress && !self.watch(cx) {
                return Poll::Pending;
            }
        }
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
        if self.idle_for_too_long(cx) {
            heard = true;
            self.session.on_kill("idle for too long", self.gate.clock.now(), &mut self.fx);
        }
        heard |= self.hear_asked(cx);
        heard |= self.hear_of_groups(cx);
        self.keep_people();
        heard | self.hear_changes(cx)
    }

    /// Grants that change, grants that end.
    fn hear_changes(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.session.rests_on_grants() {
            self.deadline = None;
            return false;
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
            self.perform();
        }
        look
    }

    /// When to look, given an end on both clocks: at the earlier of the two.
    fn instant_of(&self, (wall, monotonic): (DateTime<Utc>, Duration)) -> Instant {
        let now = self.gate.clock.now();
        let by_wall = (wall - now.wall).to_std().unwrap_or(Duration::ZERO);
        let by_monotonic = monotonic.saturating_sub(now.monotonic);
        // Timers are coarse: looking a little late is better than looking twice.
        Instant::now() + by_wall.min(by_monotonic).min(Duration::from_secs(86_400)) + Duration::from_millis(1)
    }

    fn connect(&mut self, cx: &mut Context<'_>) -> bool {
        let Upstream::Opening(connecting) = &mut self.upstream else { return false };
        let Poll::Ready(result) = connecting.as_mut().poll(cx) else { return false };
        match result {
            Ok((stream, server)) => {
                self.upstream = Upstream::Open(stream, self.gate.metrics.upstream());
                self.unheard = Some(server.clone());
                self.server = Some(server.clone());
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

    /// The connection to the directory is gone, and what was begun to be written or read over it.
    fn lose_upstream(&mut self) {
        self.upstream = Upstream::None;
        self.upstream_unflushed = false;
        self.fx.upstream_written = 0;
        self.upstream_in = Vec::new();
        self.upstream_expected = 0;
    }

    /// Performs what the session asked of the connection to the directory.
    fn perform(&mut self) {
        if self.fx.drop_upstream {
            self.fx.drop_upstream = false;
            if let Upstream::Open(stream, _) = &self.upstream {
                // What the system has not sent yet is not to arrive.
                stream.reset();
            }
            self.lose_upstream();
        }
        if self.fx.connect {
            self.fx.connect = false;
            let directory = self.gate.directory.load_full();
            self.upstream = Upstream::Opening(match std::mem::take(&mut self.fx.as_proxy) {
                true => Box::pin(async move { directory.connect_as_proxy().await }),
                false => Box::pin(async move { directory.connect().await }),
            });
        }
        if !self.fx.asks.is_empty() {
            self.ask();
        }
    }
}
