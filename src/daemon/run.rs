//! A gate from start to end: puts the parts together, drains them on shutdown.

use super::asking::Asker;
use super::assemble::{self, OwnQuestions};
use super::audit_log::{self, AuditLog, AuditLogError};
use super::broker::{Broker, EventSink};
use super::clock::Clock;
use super::clock::kept::{self, Kept};
use super::configurations::Configurations;
use super::control::{Control, ControlError, ControlPort, ControlSocket, Follows, LoginSettings, Logins};
use super::directory;
use super::gate::Gate;
use super::limits::accounts::Ledger;
use super::limits::descriptors::{self, Descriptors};
use super::limits::failed_binds::FailedBinds;
use super::limits::handshakes::Handshakes;
use super::limits::{core_dumps, keepalive, rejected, run_id};
use super::listener::{self, Kind, Workers};
use super::memberships::{self, Memberships};
use super::metrics::{Counted, Metrics};
use super::notifier::{DirectoryAddresses, Notifier};
use super::reload::{Doors, Reloader};
use super::state::Shared;
use super::store::StoreError;
use super::store::sled::SledStore;
use super::tls::TlsError;
use crate::config::{Config, Durability, WhenFull};
use crate::engine::access::Snapshot;
use crate::engine::grant::index::ActiveGrants;
use crate::engine::policy::Policy;
use crate::engine::session::RecordingRules;
use arc_swap::ArcSwap;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a start waits for the directory's first word before it serves without it.
const FIRST_READING: Duration = Duration::from_secs(3);
/// How long running sessions get to end.
const DRAIN: Duration = Duration::from_secs(5);
/// Clients served at once when the configuration does not say.
const MAX_CONNECTIONS: usize = 10_000;
/// How often the two clocks are compared.
const CLOCK_WATCH: Duration = Duration::from_millis(50);
/// A difference above this is somebody setting the clock.
const CLOCK_SET: i64 = 20;

/// Why a gate does not start. Says which part, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Requests and grants.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record of operations.
    #[error(transparent)]
    Audit(#[from] AuditLogError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// An address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The limit on open files leaves nothing for clients.
    #[error("the limit on open files is {0}, which leaves none for clients; raise it (ulimit -n, LimitNOFILE=)")]
    TooFewFiles(u64),
    /// Threads, mostly.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// A gate that serves.
pub struct Running {
    gate: Arc<Gate>,
    reloader: Arc<Reloader>,
    ldaps: Option<SocketAddr>,
    ldap: Option<SocketAddr>,
    control: PathBuf,
    control_port: Option<SocketAddr>,
    accepting: JoinSet<()>,
    /// Without them their threads end, and the sessions on them in the middle of a word.
    workers: Workers,
    background: JoinSet<()>,
    stop: CancellationToken,
    clock_file: PathBuf,
}

/// Starts a gate. `source` is the file that a reload reads; without one, nothing can be reloaded.
///
/// # Errors
/// Everything that makes serving impossible. A directory that does not answer is none of these.
pub async fn start(config: Config, source: Option<PathBuf>) -> Result<Running, StartError> {
    if !config.runtime.core_dumps {
        core_dumps::forbid();
    }
    let clock = Clock::new();
    let clock_file = Kept::path(&config.store.path);
    match Kept::read(&clock_file) {
        Ok(kept) => kept.into_iter().for_each(|kept| clock.go_on(kept)),
        Err(error) => tracing::warn!(file = %clock_file.display(), %error, "where the clocks were is not known"),
    }
    let threads = config.runtime.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    let shares = share_descriptors(&config, threads)?;
    let tls = assemble::server_tls(&config.tls)?;
    let upstream = assemble::upstream(&config.directory)?;
    let port_tls = config.control.port.as_ref().map(assemble::port_tls).transpose()?;
    let telling = assemble::telling(&config.notify)?;
    let shared = Arc::new(Shared::new(first_snapshot(&config)));
    shared.authority.store(Arc::new(assemble::authority(&config.control)));
    let audit = Arc::new(open_audit(&config, &clock, &shared)?);
    let path = config.store.path.clone();
    let store = tokio::task::spawn_blocking(move || SledStore::open(&path)).await.map_err(std::io::Error::other)??;
    let metrics = Arc::new(Metrics::default());
    let started = clock.now().wall;
    metrics.started(started.timestamp());
    let events: Arc<dyn EventSink> = Arc::new(Counted { audit: audit.clone(), metrics: metrics.clone() });
    let broker = Arc::new(Broker::new(Arc::new(store), shared.clone(), clock.clone(), events)?);
    broker.archive_after(config.store.archive_after);
    broker.tell_of(assemble::wanted(&config.notify));
    let ldaps = listen(config.listen.ldaps).await?;
    let ldap = listen(config.listen.ldap).await?;
    let socket = ControlSocket::bind(&config.control.socket)?.bounded(shares.control_socket);
    let port = match (&config.control.port, port_tls) {
        (Some(port), Some(tls)) => {
            let port = ControlPort::bind(port.listen).await?.bounded(shares.control_port);
            Some((port, Arc::new(ArcSwap::from_pointee(tls))))
        }
        (_, _) => None,
    };
    let logins =
        Logins::new(LoginSettings::new(config.control.port.as_ref()), beside(&config.store.path, ".second-factors"));
    let logins = Arc::new(logins);
    let (asker, jobs) = Asker::new();
    let (memberships, people) = Memberships::new();
    broker.ask_of_groups(memberships.clone());
    broker.end_unknown_after(config.directory.group_unknown_after);
    let gate = Arc::new(Gate {
        shared,
        clock,
        directory: ArcSwap::from_pointee(upstream),
        tls: ArcSwap::from_pointee(tls),
        certificate_subject: ArcSwap::from_pointee(assemble::certificate_subject(&config.tls)),
        confirmed: Arc::default(),
        limits: assemble::limits(&config.listen, shares.sessions),
        ledger: Arc::new(Ledger::new(config.listen.max_buffered_bytes, config.listen.shared_addresses.clone())),
        failed_binds: FailedBinds::new(config.listen.max_failed_binds_per_minute),
        handshakes: Handshakes::new(config.listen.max_handshakes_per_minute),
        rejected: Arc::default(),
        memberships: memberships.clone(),
        asker,
        registry: Arc::default(),
        metrics,
        audit,
        recording: RecordingRules {
            each: config.audit.durable == Durability::Each,
            refuses: config.audit.when_full == WhenFull::Refuse,
        },
        run: run_id::new(started.timestamp_millis())?,
    });
    let workers = Workers::start(&gate, threads)?;
    let (reloaded, reloads) = watch::channel(0);
    let config = Arc::new(ArcSwap::from_pointee(config));
    let addresses = DirectoryAddresses { gate: gate.clone(), config: config.clone() };
    let notifier = Notifier::new(broker.clone(), gate.clock.clone(), telling, Arc::new(addresses));
    let notifier = Arc::new(notifier);
    let port_tls = port.as_ref().map(|(_, tls)| tls.clone());
    let doors = Doors { logins: logins.clone(), port_tls, notifier: notifier.clone() };
    let reloader = Arc::new(Reloader::new(gate.clone(), broker.clone(), config.clone(), source, reloaded, doors));

    let mut background = JoinSet::new();
    let (read, mut was_read) = watch::channel(false);
    let questions = OwnQuestions {
        gate: gate.clone(),
        config: config.clone(),
        reloads,
        unheard: None,
        read,
        reloaded: false,
        fingerprint: None,
        trees: None,
    };
    background.spawn(directory::keep_reading(questions));
    for _ in 0..memberships::WORKERS {
        let account = {
            let config = config.clone();
            move || assemble::own_account(&config.load())
        };
        background.spawn(memberships.clone().work(people.clone(), gate.clone(), account));
    }
    background.spawn(memberships.clone().refresh_holders(gate.clone(), broker.clone()));
    background.spawn(memberships.refresh_sessions(gate.clone()));
    background.spawn(broker.clone().run());
    background.spawn(jobs.serve(broker.clone()));
    background.spawn(notifier.clone().run());
    background.spawn(watch_clock(gate.clone()));
    background.spawn(rejected::record(gate.rejected.clone(), gate.audit.clone()));
    background.spawn(keep_clock(gate.clone(), broker.clone(), clock_file.clone()));
    let first = tokio::time::timeout(FIRST_READING, was_read.wait_for(|read| *read)).await;
    if !matches!(first, Ok(Ok(_))) {
        tracing::warn!(
            "the directory cannot be read yet: until it can, nobody is in a group, and what needs it is refused"
        );
    }

    let stop = CancellationToken::new();
    let control = Arc::new(Control {
        broker,
        shared: gate.shared.clone(),
        clock: gate.clock.clone(),
        hooks: reloader.clone(),
        logins,
        audit: gate.audit.reader(),
        follows: Follows::default(),
        configurations: Configurations::beside(&config.load().store.path),
        stopping: stop.clone(),
    });
    let control_port = port.as_ref().map(|(port, _)| port.address());
    if let Some((port, tls)) = port {
        background.spawn(port.serve(control.clone(), tls, stop.clone().cancelled_owned()));
    }
    let path = config.load().control.socket.clone();
    let stopping = stop.clone().cancelled_owned();
    background.spawn(async move {
        if let Err(error) = socket.serve(control, stopping).await {
            tracing::error!(%error, "the control socket has failed");
        }
    });
    let compared = reloader.clone();
    let compared = tokio::task::spawn_blocking(move || compared.started()).await;
    let mut accepting = JoinSet::new();
    let (ldaps, ldap) = (
        accept(&mut accepting, ldaps, Kind::Ldaps, &gate, &workers),
        accept(&mut accepting, ldap, Kind::Ldap, &gate, &workers),
    );
    let control = path;
    let mut event = json!({
        "event": "started", "ldaps": ldaps, "ldap": ldap, "control": control_port,
        "max_connections": gate.limits.max_connections, "open_files": shares.limit,
    });
    if let (Some(event), Ok(serde_json::Value::Object(fields))) = (event.as_object_mut(), compared) {
        event.extend(fields);
    }
    gate.audit.event(event);
    Ok(Running { gate, reloader, ldaps, ldap, control, control_port, accepting, workers, background, stop, clock_file })
}

impl Running {
    /// Where `ldaps` is served.
    pub fn ldaps(&self) -> Option<SocketAddr> {
        self.ldaps
    }

    /// Where `ldap` (StartTLS) is served.
    pub fn ldap(&self) -> Option<SocketAddr> {
        self.ldap
    }

    /// The control socket.
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// Where the control API is served over TLS.
    pub fn control_port(&self) -> Option<SocketAddr> {
        self.control_port
    }

    /// Takes over a changed configuration and changed certificates.
    pub fn reloader(&self) -> Arc<Reloader> {
        self.reloader.clone()
    }

    /// Takes leave of every client, lets go of everything, and waits until the records are on disk.
    pub async fn stop(mut self) {
        self.accepting.shutdown().await;
        self.gate.registry.end_all("the gate is shutting down");
        let drained = async {
            while !self.gate.registry.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!(sessions = self.gate.registry.len(), "sessions that did not end in time are cut");
        }
        drop(self.workers);
        self.stop.cancel();
        self.gate.audit.event(json!({ "event": "stopped" }));
        let audit = self.gate.audit.clone();
        let flushed = tokio::task::spawn_blocking(move || audit.flush(DRAIN)).await;
        if !matches!(flushed, Ok(true)) {
            tracing::error!("not every record could be written to disk");
        }
        self.background.shutdown().await;
        write_clock(&self.gate, self.clock_file).await;
    }
}

/// Raises the limit on open files as far as it goes, and shares it out. Fewer clients than were asked for are served where
/// it does not suffice.
fn share_descriptors(config: &Config, threads: usize) -> Result<Descriptors, StartError> {
    let limit = descriptors::raise_limit()?;
    let wanted = config.listen.max_connections;
    let shares = Descriptors::share(limit, threads, wanted.unwrap_or(MAX_CONNECTIONS));
    if shares.sessions == 0 {
        return Err(StartError::TooFewFiles(limit));
    }
    match wanted {
        Some(configured) if shares.sessions < configured => tracing::warn!(
            limit,
            max_connections = shares.sessions,
            configured,
            "the limit on open files does not suffice for max_connections, which is lowered; raise it (ulimit -n, \
             LimitNOFILE=)"
        ),
        Some(_) | None => tracing::info!(limit, max_connections = shares.sessions, "open files"),
    }
    Ok(shares)
}

/// Where other things are kept: beside the store, whose folder is its own.
fn beside(store: &Path, what: &str) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(what);
    store.with_file_name(name)
}

fn first_snapshot(config: &Config) -> Snapshot {
    Snapshot {
        policy: Arc::new(Policy::clone(&config.policy)),
        grants: Arc::new(ActiveGrants::new()),
        groups: Arc::default(),
        directory: Arc::new(assemble::first_facts(&config.directory)),
        recording: true,
        rates: Arc::default(),
        trials: Arc::default(),
    }
}

fn open_audit(config: &Config, clock: &Clock, shared: &Arc<Shared>) -> Result<AuditLog, AuditLogError> {
    let options = audit_log::Options {
        max_file_bytes: config.audit.rotate_bytes,
        head: Some(beside(&config.store.path, ".audit-head")),
        sync_each: config.audit.durable == Durability::Each,
        ..audit_log::Options::new(config.audit.path.clone())
    };
    // The log must not keep alive what keeps the log alive.
    let shared: Weak<Shared> = Arc::downgrade(shared);
    let changed = move |recording| {
        if let Some(shared) = shared.upgrade() {
            shared.update(|snapshot| Snapshot { recording, ..snapshot.clone() });
        }
        if recording {
            tracing::info!("operations are recorded again");
        } else {
            tracing::error!("operations cannot be recorded: what needs a grant or standing access is refused");
        }
    };
    AuditLog::open(options, clock.clone(), Box::new(changed))
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    keepalive::of_listener(&listener).map_err(failed)?;
    Ok(Some(listener))
}

fn accept(
    tasks: &mut JoinSet<()>,
    listener: Option<TcpListener>,
    kind: Kind,
    gate: &Arc<Gate>,
    workers: &Workers,
) -> Option<SocketAddr> {
    let listener = listener?;
    let address = listener.local_addr().ok();
    tasks.spawn(listener::accept(listener, kind, gate.clone(), workers.clone()));
    address
}

/// Writes down where the clocks are, for as long as there are grants that have not ended.
async fn keep_clock(gate: Arc<Gate>, broker: Arc<Broker>, file: PathBuf) {
    loop {
        if broker.live_grants() > 0 {
            write_clock(&gate, file.clone()).await;
        }
        tokio::time::sleep(kept::EVERY).await;
    }
}

async fn write_clock(gate: &Gate, file: PathBuf) {
    let now = gate.clock.now();
    let written = tokio::task::spawn_blocking(move || Kept::write(&file, now)).await;
    if let Err(error) = written.map_err(std::io::Error::other).and_then(|written| written) {
        tracing::warn!(%error, "where the clocks are cannot be written down");
    }
}

/// Sessions wait for the end of a grant by the monotonic clock. When somebody sets the other one,
/// they have to look again.
async fn watch_clock(gate: Arc<Gate>) {
    let apart = |gate: &Gate| {
        let now = gate.clock.now();
        now.wall.timestamp_millis().saturating_sub(i64::try_from(now.monotonic.as_millis()).unwrap_or(i64::MAX))
    };
    let mut before = apart(&gate);
    loop {
        tokio::time::sleep(CLOCK_WATCH).await;
        gate.audit.check_stalled();
        let after = apart(&gate);
        if (after - before).abs() > CLOCK_SET {
            gate.shared.nudge();
        }
        before = after;
    }
}
