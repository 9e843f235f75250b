//! The Unix socket: made so that at no moment anybody but its owner can connect, and served with
//! bounds on connections and time.

use super::{Control, Peer, router};
use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections served at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 128;

/// How long a request's head may take to arrive, and a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// How long calls that are under way have to finish when the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another process serves it.
    #[error("the control socket {0} is in use by another process")]
    InUse(PathBuf),
    /// The address of the port cannot be had.
    #[error("the control port cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// What went wrong.
        error: std::io::Error,
    },
    /// There is something else of that name.
    #[error("{0} exists and is not a socket")]
    NotASocket(PathBuf),
    /// The system's.
    #[error("the control socket {path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
}

/// A bound control socket. Dropping it removes the file, if it is still this one's.
#[derive(Debug)]
pub struct ControlSocket {
    listener: StdListener,
    path: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
    connections: usize,
}

impl ControlSocket {
    /// Binds the socket, mode 0600; takes the place of one that a dead process left behind.
    ///
    /// # Errors
    /// It is in use, is no socket, or cannot be made.
    pub fn bind(path: &Path) -> Result<ControlSocket, ControlError> {
        let io = |error| ControlError::Io { path: path.to_owned(), error };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io)?;
        // The name that clients will use must fit into an address; the one it is born under is shorter.
        std::os::unix::net::SocketAddr::from_pathname(path).map_err(io)?;
        check_place(path)?;
        // Made in a directory that only its owner can enter, given its mode, and only then moved
        // to where others can see it. (The umask is the whole process's: not to be touched.)
        let nursery = Nursery::new(parent).map_err(io)?;
        let newborn = nursery.0.join("s");
        let listener = StdListener::bind(&newborn).map_err(io)?;
        std::fs::set_permissions(&newborn, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        listener.set_nonblocking(true).map_err(io)?;
        std::fs::rename(&newborn, path).map_err(io)?;
        let metadata = std::fs::symlink_metadata(path).map_err(io)?;
        Ok(ControlSocket {
            listener,
            path: path.to_owned(),
            file: (metadata.dev(), metadata.ino()),
            connections: MAX_CONNECTIONS,
        })
    }

    /// Serves no more than `connections` at a time.
    #[must_use]
    pub fn bounded(mut self, connections: usize) -> ControlSocket {
        self.connections = connections.min(MAX_CONNECTIONS);
        self
    }

    /// Serves until `stop`, then lets calls that are under way finish.
    ///
    /// # Errors
    /// The listener does not work.
    pub async fn serve(self, control: Arc<Control>, stop: impl Future<Output = ()>) -> Result<(), ControlError> {
        let io = |error| ControlError::Io { path: self.path.clone(), error };
        let listener = UnixListener::from_std(self.listener.try_clone().map_err(io)?).map_err(io)?;
        let stopping = CancellationToken::new();
        let places = Arc::new(Semaphore::new(self.connections));
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            };
            tokio::select! {
                () = &mut stop => break,
                (accepted, place) = accepted => match accepted {
                    Ok((stream, _)) => {
                        let (control, stopping) = (Arc::clone(&control), stopping.clone());
                        connections.spawn(async move {
                            serve_connection(stream, control, stopping).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the control socket does not accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        stopping.cancel();
        let drained = async { while connections.join_next().await.is_some() {} };
        // What does not finish in time is broken off as the set is dropped.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
        Ok(())
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.file);
        if ours {
            // A socket that stays is taken for a dead one next time.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A directory that only its owner can enter; gone when dropped.
struct Nursery(PathBuf);

impl Nursery {
    fn new(parent: &Path) -> std::io::Result<Nursery> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let path = parent.join(format!(".{:08x}", u32::from_ne_bytes(random)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Nursery(path))
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0.join("s"));
        // An empty directory that stays harms nobody.
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Whether the path is free, or holds a socket that nobody serves.
fn check_place(path: &Path) -> Result<(), ControlError> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(ControlError::Io { path: path.to_owned(), error }),
    };
    if !metadata.file_type().is_socket() {
        return Err(ControlError::NotASocket(path.to_owned()));
    }
    match StdStream::connect(path) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(ControlError::Io { path: path.to_owned(), error }),
        Ok(_) => Err(ControlError::InUse(path.to_owned())),
    }
}

async fn serve_connection(stream: UnixStream, control: Arc<Control>, stopping: CancellationToken) {
    let Ok(credentials) = stream.peer_cred() else { return };
    let uid = credentials.uid();
    let Ok(peer) = tokio::task::spawn_blocking(move || Peer::of_uid(uid)).await else { return };
    let service = TowerToHyperService::new(router(control).layer(Extension(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A caller that hangs up or does not speak HTTP is no news.
        _ = connection.as_mut() => {}
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
