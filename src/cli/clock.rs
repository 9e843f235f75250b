//! How moments are shown: in the time zone of whoever reads, or in UTC. Knows no gate.

use chrono::{DateTime, Local, Offset as _, Utc};
use std::sync::OnceLock;

/// `--utc`, once the command line was read.
static UTC: OnceLock<bool> = OnceLock::new();

/// Shows all moments of this process in UTC, or else in the local time zone.
pub(super) fn show_in_utc(utc: bool) {
    // The command line is read once.
    let _ = UTC.set(utc);
}

/// A moment to the second, with its offset from UTC: `2026-03-31 10:00:00 +02:00`, or `… UTC`.
pub(super) fn with_zone(at: DateTime<Utc>) -> String {
    shown(at, is_utc())
}

/// A moment to the second, under the heading that [`heading`] gives.
pub(super) fn in_column(at: DateTime<Utc>) -> String {
    let at = if is_utc() { at.naive_utc() } else { at.with_timezone(&Local).naive_local() };
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The heading of a column of moments: its name, and in which time zone they are.
pub(super) fn heading(name: &str) -> String {
    let zone_is_utc = is_utc() || Local::now().offset().fix().local_minus_utc() == 0;
    format!("{name} ({})", if zone_is_utc { "UTC" } else { "local" })
}

fn is_utc() -> bool {
    UTC.get().copied().unwrap_or(false)
}

fn shown(at: DateTime<Utc>, utc: bool) -> String {
    let local = at.with_timezone(&Local);
    match utc || local.offset().fix().local_minus_utc() == 0 {
        true => at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        false => local.format("%Y-%m-%d %H:%M:%S %:z").to_string(),
    }
}
