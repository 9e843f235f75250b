//! TCP keepalive: a peer that has vanished is found out within two minutes, on both sides.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// After so long without a segment, the peer is probed.
const IDLE: Duration = Duration::from_secs(60);
/// From one probe to the next.
const INTERVAL: Duration = Duration::from_secs(15);
/// So many probes without an answer end the connection.
const PROBES: u32 = 4;
/// What was sent to the directory and is not acknowledged for so long ends the connection (RFC 5482). Not set for clients:
/// Linux counts the time in which a client that lives does not read, too.
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

/// Probes clients. Set on a listener, from which accepted connections inherit it.
///
/// # Errors
/// The system's.
pub fn of_listener(listener: &impl AsFd) -> io::Result<()> {
    SockRef::from(listener)
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL).with_retries(PROBES))
}

/// Probes a directory server, and gives it up when it acknowledges nothing.
///
/// # Errors
/// The system's.
pub fn of_directory(connection: &impl AsFd) -> io::Result<()> {
    of_listener(connection)?;
    SockRef::from(connection).set_tcp_user_timeout(Some(UNACKNOWLEDGED))
}
