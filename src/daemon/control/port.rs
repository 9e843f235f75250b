//! The control API over TLS: accepts, shakes hands, and serves within bounds on time and on what
//! one address may take. Certificates may change while it runs.

use super::guard::Names;
use super::{Control, ControlError, Remote, Shown, router};
use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::login::Place;
use crate::daemon::limits::keepalive;
use arc_swap::ArcSwap;

/// Connections served at a time, where the limit on open files allows as many; more are closed at once.
const MAX_CONNECTIONS: usize = 1024;
/// Of those, from one address (or one IPv6 network): one in eight. A browser takes half a dozen, and there may be many
/// people behind one address.
const FROM_ONE: usize = 8;
/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request's head may take to arrive, and a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that is older is asked to go after the answer that it waits for.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);
/// How long that answer may take to be read.
const LAST_ANSWER: Duration = Duration::from_secs(60);
/// How long calls that are under way have to finish when the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Header fields and octets of a request's head that are read at all. What is less and still too
/// much (see `guard`) gets a proper answer; what is more a bare status.
const MAX_HEADERS: usize = 128;
const MAX_HEAD: usize = 64 * 1024;

/// What the port shows, and the names under which it may be called.
pub struct PortTls {
    /// For handshakes.
    pub config: Arc<ServerConfig>,
    /// For the `Host` header.
    pub names: Arc<Names>,
}

/// A bound control port.
pub struct ControlPort {
    listener: TcpListener,
    address: SocketAddr,
    connections: usize,
}

impl ControlPort {
    /// Binds it.
    ///
    /// # Errors
    /// The system's.
    pub async fn bind(address: SocketAddr) -> Result<ControlPort, ControlError> {
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            keepalive::of_listener(&listener)?;
            Ok(ControlPort { listener, address, connections: MAX_CONNECTIONS })
        };
        bound.await.map_err(|error| ControlError::Listen { address, error })
    }

    /// Serves no more than `connections` at a time.
    #[must_use]
    pub fn bounded(self, connections: usize) -> ControlPort {
        ControlPort { connections: connections.min(MAX_CONNECTIONS), ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets calls that are under way finish.
    pub async fn serve(self, control: Arc<Control>, tls: Arc<ArcSwap<PortTls>>, stop: impl Future<Output = ()>) {
        let stopping = CancellationToken::new();
        let places = Places::new(self.connections);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((tcp, address)) => {
                        let Some(place) = places.enter(Place::of(address.ip())) else {
                            tracing::warn!(%address, "turned away from the control port: too many connections");
                            continue;
                        };
                        let (control, tls, stopping) = (Arc::clone(&control), Arc::clone(&tls), stopping.clone());
                        connections.spawn(async move {
                            serve_connection(tcp, address, control, tls, stopping).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the control port does not accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        stopping.cancel();
        let drained = async { while connections.join_next().await.is_some() {} };
        // What does not finish in time is broken off as the set is dropped.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
    }
}

async fn serve_connection(
    tcp: TcpStream,
    address: SocketAddr,
    control: Arc<Control>,
    current: Arc<ArcSwap<PortTls>>,
    stopping: CancellationToken,
) {
    let tls = current.load_full();
    let handshake = TlsAcceptor::from(Arc::clone(&tls.config)).accept(tcp);
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%address, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%address, "TLS handshake took too long"),
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.map(|shown| Shown::new(shown.clone().into_owned(), Arc::clone(&tls), current));
    let remote = Remote { address, certificate };
    let router = router(control).layer(Extension(remote)).layer(Extension(Arc::clone(&tls.names)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        // A caller that hangs up or does not speak HTTP is no news.
        _ = connection.as_mut() => return,
        () = stopping.cancelled() => {}
        () = tokio::time::sleep(MAX_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Whoever does not read is cut off.
    let _ = tokio::time::timeout(LAST_ANSWER, connection).await;
}

/// How many connections there are, from where.
#[derive(Clone)]
struct Places {
    most: usize,
    counts: Arc<Mutex<(usize, HashMap<Place, usize>)>>,
}

/// One connection's place; dropping it gives it up.
struct Taken {
    places: Places,
    place: Place,
}

impl Places {
    fn new(most: usize) -> Places {
        Places { most, counts: Arc::default() }
    }

    fn enter(&self, place: Place) -> Option<Taken> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, by_place) = &mut *counts;
        let here = by_place.get(&place).copied().unwrap_or_default();
        if *all >= self.most || here >= (self.most / FROM_ONE).max(4) {
            return None;
        }
        *all += 1;
        by_place.insert(place, here + 1);
        drop(counts);
        Some(Taken { places: self.clone(), place })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut counts = self.places.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.0 = counts.0.saturating_sub(1);
        if let Some(here) = counts.1.get_mut(&self.place) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                counts.1.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        const MAX_FROM_ONE: usize = MAX_CONNECTIONS / FROM_ONE;
        let places = Places::new(MAX_CONNECTIONS);
        let place = |last: u16| Place::of(std::net::Ipv4Addr::new(192, 0, (last >> 8) as u8, last as u8).into());
        let mut taken: Vec<Taken> = (0..MAX_FROM_ONE).map(|_| places.enter(place(0)).expect("a place")).collect();
        assert!(places.enter(place(0)).is_none());
        let others: Vec<Taken> = (MAX_FROM_ONE..MAX_CONNECTIONS).map_while(|n| places.enter(place(n as u16))).collect();
        assert_eq!(taken.len() + others.len(), MAX_CONNECTIONS);
        assert!(places.enter(place(9999)).is_none());
        taken.pop();
        assert!(places.enter(place(0)).is_some());
        drop((taken, others));
        assert!(places.counts.lock().expect("no panic").1.is_empty());
    }
}
