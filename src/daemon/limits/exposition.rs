//! Bounds for Prometheus: what is taken of them, and how often they were met.

use super::rejected::Bound;
use crate::daemon::gate::Gate;
use crate::daemon::metrics::Exposition;

/// Writes all of it.
pub(in crate::daemon) fn write(gate: &Gate, out: &mut Exposition) {
    let name = "tidegate_bounds_reached_total";
    out.family(name, "counter", "Connections, sessions and binds rejected or ended because of a bound, by its key.");
    for bound in Bound::ALL {
        out.sample(name, &[("bound", bound.key())], gate.rejected.get(bound));
    }
    let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    let help =
        "Octets that sessions keep beyond 32 KiB each: unfinished messages, queued answers, operations in flight.";
    out.number("tidegate_buffered_bytes", "gauge", help, number(gate.ledger.all.octets.get()));
    let help = "How many octets that may be (max_buffered_bytes).";
    out.number("tidegate_buffered_bytes_limit", "gauge", help, number(gate.ledger.budget()));
    let help = "How many clients are served at once: max_connections, or fewer where the limit on open files is lower.";
    out.number("tidegate_sessions_limit", "gauge", help, number(gate.limits.max_connections));
}
