//! Listeners and workers: one thread and one single-threaded runtime per core, each with its own
//! sessions. A new connection goes to the worker that has the fewest.

use super::audit_log::AuditHandle;
use super::driver::{ClientStream, Driver, Reached};
use super::gate::Gate;
use super::limits::admission::{self, Admission};
use super::metrics::Tally;
use crate::engine::session::{Origin, Session};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Names of directory servers that one worker looks up at once.
const LOOK_UPS: usize = 8;

/// Which listener a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TLS from the first octet.
    Ldaps,
    /// StartTLS.
    Ldap,
}

struct Arrival {
    tcp: std::net::TcpStream,
    from: SocketAddr,
    kind: Kind,
    admission: Admission,
}

/// The threads that serve sessions.
#[derive(Clone)]
pub struct Workers {
    workers: Arc<[Worker]>,
}

struct Worker {
    arrivals: mpsc::UnboundedSender<Arrival>,
    sessions: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts `threads` workers.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn start(gate: &Arc<Gate>, threads: usize) -> io::Result<Workers> {
        let mut workers = Vec::new();
        for number in 0..threads.max(1) {
            // Bounded by `max_connections`: an arrival has its place in the registry.
            let (arrivals, receiver) = mpsc::unbounded_channel();
            let sessions = Arc::new(AtomicUsize::new(0));
            // Their threads look up host names, which opens files: as many as `Descriptors` keeps for each worker.
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(LOOK_UPS).build()?;
            let (gate, count) = (gate.clone(), sessions.clone());
            std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || runtime.block_on(work(gate, receiver, count)))?;
            workers.push(Worker { arrivals, sessions });
        }
        Ok(Workers { workers: workers.into() })
    }

    fn deal(&self, arrival: Arrival) {
        if let Some(worker) = self.workers.iter().min_by_key(|worker| worker.sessions.load(Ordering::Relaxed)) {
            worker.sessions.fetch_add(1, Ordering::Relaxed);
            if worker.arrivals.send(arrival).is_err() {
                worker.sessions.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Accepts for ever. Dropping the future stops it.
pub async fn accept(listener: TcpListener, kind: Kind, gate: Arc<Gate>, workers: Workers) {
    loop {
        match listener.accept().await {
            Ok((tcp, from)) => match admission::admit(&gate, from) {
                Ok(admission) => match tcp.into_std() {
                    Ok(tcp) => workers.deal(Arrival { tcp, from, kind, admission }),
                    Err(error) => tracing::warn!(%error, "a connection was lost while it was accepted"),
                },
                Err(bound) => {
                    // Here, not on a worker: what waits for one holds no descriptor beyond the bound.
                    admission::reject(&tcp, kind == Kind::Ldap, bound);
                    tracing::debug!(%from, bound = bound.key(), "rejected: too many connections");
                    gate.rejected.count(bound);
                    gate.metrics.turned_away(kind == Kind::Ldaps);
                }
            },
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to come back.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Takes a session off its worker's count, however the session ended.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn work(gate: Arc<Gate>, mut arrivals: mpsc::UnboundedReceiver<Arrival>, sessions: Arc<AtomicUsize>) {
    let (audit, tally) = (gate.audit.handle(), gate.metrics.tally());
    while let Some(arrival) = arrivals.recv().await {
        let (gate, own, sessions) = (gate.clone(), (audit.clone(), tally.clone()), sessions.clone());
        let counted = Counted(sessions);
        tokio::spawn(async move {
            serve(gate, own, arrival).await;
            drop(counted);
        });
    }
}

async fn serve(gate: Arc<Gate>, own: (AuditHandle, Arc<Tally>), arrival: Arrival) {
    let from = arrival.from;
    let tls = arrival.kind == Kind::Ldaps;
    let Admission { place, commands, address } = arrival.admission;
    let counted = gate.metrics.accepted(tls);
    let Ok(tcp) = TcpStream::from_std(arrival.tcp) else { return };
    // Without it each answer waits for the last one's acknowledgement; a socket that cannot have it is gone.
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    let mut session = Session::new(Origin {
        session: format!("{}-{}", gate.run, place.number()),
        connection_from: from.to_string(),
        tls: None,
    });
    session.bounds.operations = gate.limits.max_operations_per_session;
    session.bounds.filter_parts = gate.limits.max_filter_parts;
    session.confirm_names(gate.confirmed.clone());
    session.record_by(gate.recording);
    session.refer_to(gate.directory.load().refers_to.clone());
    let client = match arrival.kind {
        Kind::Ldap => ClientStream::Plain(tcp),
        Kind::Ldaps => {
            let handshake = TlsAcceptor::from(gate.tls.load_full()).accept(tcp);
            match tokio::time::timeout(gate.limits.handshake_timeout, handshake).await {
                Ok(Ok(tls)) => {
                    super::certificate::introduce(&mut session, &gate, tls.get_ref().1);
                    ClientStream::Tls(Box::new(tls))
                }
                Ok(Err(error)) => {
                    tracing::debug!(%from, %error, "TLS handshake failed");
                    return gate.metrics.handshake_failed(tls);
                }
                Err(_) => {
                    tracing::debug!(%from, "TLS handshake took too long");
                    return gate.metrics.handshake_failed(tls);
                }
            }
        }
    };
    Driver::new(gate, own, session, client, Reached { commands, address }).run().await;
    drop((place, counted));
}
