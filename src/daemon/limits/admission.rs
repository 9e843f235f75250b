//! Whether a new connection is served: `max_connections`, of them `max_connections_per_address` from one address, and
//! `max_handshakes_per_minute` new ones.

use super::accounts::AddressAccount;
use super::rejected::Bound;
use crate::daemon::gate::Gate;
use crate::daemon::registry::{Place, SessionCommand};
use crate::engine::ldap::{ResultCode, response};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// A connection that is served. Dropping it gives up what it takes of the bounds.
pub struct Admission {
    /// Its place among all sessions.
    pub place: Place,
    /// What is asked of the session.
    pub commands: mpsc::Receiver<SessionCommand>,
    /// The account of the client's address.
    pub address: Counted,
}

/// An address account in which one connection is counted.
#[derive(Debug)]
pub struct Counted(AddressAccount);

impl Counted {
    /// Counts a connection, whatever the bound.
    #[cfg(test)]
    pub fn of(account: AddressAccount) -> Counted {
        account.connections.take_over(1);
        Counted(account)
    }

    /// The account.
    pub fn account(&self) -> &AddressAccount {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.remove(1);
    }
}

/// Admits a connection, or says which bound it meets.
///
/// # Errors
/// The bound.
pub fn admit(gate: &Gate, from: SocketAddr) -> Result<Admission, Bound> {
    let account = gate.ledger.address(from.ip());
    let most = if account.is_shared { usize::MAX } else { gate.limits.max_connections_per_address };
    if !account.connections.add(1, 0, most) {
        return Err(Bound::ConnectionsOfAddress);
    }
    let address = Counted(account);
    let account = address.account();
    if !account.is_shared && !gate.handshakes.allows(account.key(), gate.clock.now().monotonic) {
        return Err(Bound::Handshakes);
    }
    let (place, commands) = gate.registry.enter(gate.limits.max_connections).ok_or(Bound::Connections)?;
    Ok(Admission { place, commands, address })
}

/// Closes a connection that is not served. Who has not to shake hands first is told why (RFC 4511 4.4.1); nobody is waited
/// for.
pub fn reject(tcp: &TcpStream, tells: bool, bound: Bound) {
    if tells {
        let mut notice = Vec::new();
        let text = format!("too many connections ({})", bound.key());
        response::write_notice_of_disconnection(&mut notice, ResultCode::BUSY, &text);
        // The buffer of a new connection has room; if not, it is closed without a word.
        let _ = tcp.try_write(&notice);
    }
}
