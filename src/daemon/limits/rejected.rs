//! What was rejected because of a bound, counted for metrics and recorded in sum: a flood of rejections fills no log.

use crate::daemon::audit_log::AuditLog;
use crate::daemon::broker::EventSink as _;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often sums are recorded, at most.
const EVERY: Duration = Duration::from_secs(10);

/// Which bound it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Bound {
    /// `max_connections`: the connection was closed.
    Connections,
    /// `max_connections_per_address`: the connection was closed.
    ConnectionsOfAddress,
    /// `max_buffered_bytes`: the session was ended.
    BufferedBytes,
    /// `message_timeout`: the session was ended.
    MessageTime,
    /// `max_failed_binds_per_minute`: the bind was refused.
    FailedBinds,
    /// `[directory] bind_timeout`: the bind was answered, and the connection to the directory given up.
    BindTime,
    /// `max_handshakes_per_minute`: the connection was closed.
    Handshakes,
}

impl Bound {
    /// Every one, in the order of their numbers.
    pub const ALL: [Bound; 7] = [
        Bound::Connections,
        Bound::ConnectionsOfAddress,
        Bound::BufferedBytes,
        Bound::MessageTime,
        Bound::FailedBinds,
        Bound::BindTime,
        Bound::Handshakes,
    ];

    /// The configuration's key.
    pub fn key(self) -> &'static str {
        match self {
            Bound::Connections => "max_connections",
            Bound::ConnectionsOfAddress => "max_connections_per_address",
            Bound::BufferedBytes => "max_buffered_bytes",
            Bound::MessageTime => "message_timeout",
            Bound::FailedBinds => "max_failed_binds_per_minute",
            Bound::BindTime => "bind_timeout",
            Bound::Handshakes => "max_handshakes_per_minute",
        }
    }
}

/// How often each bound was met since the start.
#[derive(Debug, Default)]
pub struct Rejected([AtomicU64; Bound::ALL.len()]);

impl Rejected {
    /// Counts one.
    pub fn count(&self, bound: Bound) {
        if let Some(count) = self.0.get(bound as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often it was met.
    pub fn get(&self, bound: Bound) -> u64 {
        self.0.get(bound as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// Records, every few seconds, how often each bound was met since the last time.
pub async fn record(rejected: Arc<Rejected>, audit: Arc<AuditLog>) {
    let mut before = [0; Bound::ALL.len()];
    loop {
        tokio::time::sleep(EVERY).await;
        for (bound, before) in Bound::ALL.into_iter().zip(&mut before) {
            let now = rejected.get(bound);
            let times = now - std::mem::replace(before, now);
            if times > 0 {
                audit.event(json!({ "event": "bound reached", "bound": bound.key(), "times": times }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_has_its_number() {
        let rejected = Rejected::default();
        for (number, bound) in Bound::ALL.into_iter().enumerate() {
            assert_eq!(bound as usize, number);
            (0..=number).for_each(|_| rejected.count(bound));
        }
        let counts: Vec<u64> = Bound::ALL.into_iter().map(|bound| rejected.get(bound)).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7]);
    }
}
