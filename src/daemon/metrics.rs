//! What is counted while the gate runs, for Prometheus. Kinds, numbers and what the configuration names; never who
//! did what.
//!
//! Each worker counts in a [`Tally`] of its own, which nobody else writes: no lock, no locked instruction.

mod text;

pub(super) use text::Exposition;

use super::audit_log::AuditLog;
use super::broker::{EventSink, LastLine};
use crate::engine::audit::record::{Decided, Done, Kind};
use crate::engine::audit::transition::Transition;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Up to which each part of a histogram of durations counts, in microseconds.
const BOUNDS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 10_000_000];
/// Result codes up to this are counted one by one (RFC 4511, and what other documents added); the rest together.
const CODES: usize = 128;
/// Words of events and refusals are the gate's own. Should they ever not be, this many are told apart.
const MOST_WORDS: usize = 256;

/// A number that one thread counts and others read.
#[derive(Debug, Default)]
struct Own(AtomicU64);

impl Own {
    fn add(&self, more: u64) {
        // Nobody else writes it.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations of one kind of operation.
#[derive(Debug, Default)]
struct Durations {
    parts: [Own; BOUNDS.len()],
    count: Own,
    microseconds: Own,
}

/// What one worker counts.
#[derive(Debug)]
pub struct Tally {
    operations: [[Own; Decided::ALL.len()]; Kind::ALL.len()],
    durations: [Durations; Kind::ALL.len()],
    results: [Own; CODES + 1],
    entries: Own,
    withheld: Own,
    cut: Own,
    bytes: Own,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            operations: Default::default(),
            durations: Default::default(),
            results: std::array::from_fn(|_| Own::default()),
            entries: Own::default(),
            withheld: Own::default(),
            cut: Own::default(),
            bytes: Own::default(),
        }
    }
}

impl Tally {
    /// Counts an operation that is over.
    pub fn count(&self, done: &Done) {
        let Done { kind, decided, result, duration, entries, withheld, cut, bytes } = done;
        if let Some(operations) = self.operations.get(*kind as usize).and_then(|row| row.get(*decided as usize)) {
            operations.add(1);
        }
        if let Some(code) = result
            && let Some(results) = self.results.get((code.0 as usize).min(CODES))
        {
            results.add(1);
        }
        if let (Some(duration), Some(durations)) = (duration, self.durations.get(*kind as usize)) {
            let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
            if let Some(part) = durations.parts.get(BOUNDS.partition_point(|bound| *bound < microseconds)) {
                part.add(1);
            }
            durations.count.add(1);
            durations.microseconds.add(microseconds);
        }
        self.entries.add(*entries);
        self.withheld.add(*withheld);
        self.cut.add(*cut);
        self.bytes.add(*bytes);
    }
}

/// Something that there is or is not: counted while it lives.
#[derive(Debug)]
pub struct Open(Arc<AtomicU64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sessions of one listener.
#[derive(Debug, Default)]
struct Sessions {
    open: Arc<AtomicU64>,
    accepted: AtomicU64,
    turned_away: AtomicU64,
    handshakes_failed: AtomicU64,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    tallies: Mutex<Vec<Arc<Tally>>>,
    ldaps: Sessions,
    ldap: Sessions,
    upstream_open: Arc<AtomicU64>,
    events: Mutex<BTreeMap<String, u64>>,
    refusals: Mutex<BTreeMap<(String, String), u64>>,
    reload_failed: AtomicBool,
    /// When a configuration was last taken over, and when the process began; seconds since 1970.
    reloaded: AtomicU64,
    started: AtomicU64,
    /// By the section that names each: when the certificate expires, in seconds since 1970.
    certificates: Mutex<Vec<(&'static str, i64)>>,
}

impl Metrics {
    /// A tally for one worker.
    pub fn tally(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        locked(&self.tallies).push(Arc::clone(&tally));
        tally
    }

    fn sessions(&self, tls: bool) -> &Sessions {
        if tls { &self.ldaps } else { &self.ldap }
    }

    /// A client was accepted; it is counted as long as what is returned lives. `tls`: by `ldaps`.
    pub fn accepted(&self, tls: bool) -> Open {
        let sessions = self.sessions(tls);
        sessions.accepted.fetch_add(1, Ordering::Relaxed);
        open(&sessions.open)
    }

    /// A client was turned away: there are too many.
    pub fn turned_away(&self, tls: bool) {
        self.sessions(tls).turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// A client's handshake failed.
    pub fn handshake_failed(&self, tls: bool) {
        self.sessions(tls).handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection to the directory; it is counted as long as what is returned lives.
    pub fn upstream(&self) -> Open {
        open(&self.upstream_open)
    }

    /// Something was recorded that is no operation.
    pub fn event(&self, event: &Value) {
        let word = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        count(&self.events, word("event"));
        if event.get("event").is_some_and(|event| event == "refused") {
            count(&self.refusals, (word("attempt"), word("reason")));
        }
    }

    /// The process began.
    pub fn started(&self, now: i64) {
        let now = u64::try_from(now).unwrap_or_default();
        self.started.store(now, Ordering::Relaxed);
        self.reloaded.store(now, Ordering::Relaxed);
    }

    /// A configuration was taken over, or was wrong.
    pub fn reloaded(&self, well: bool, now: i64) {
        self.reload_failed.store(!well, Ordering::Relaxed);
        if well {
            self.reloaded.store(u64::try_from(now).unwrap_or_default(), Ordering::Relaxed);
        }
    }

    /// These certificates are shown from now on.
    pub fn certificates(&self, expire: Vec<(&'static str, i64)>) {
        *locked(&self.certificates) = expire;
    }

    /// Writes all of it.
    pub(super) fn write(&self, out: &mut Exposition) {
        out.family("tidegate_build_info", "gauge", "The version that runs.");
        out.sample("tidegate_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        out.number("process_start_time_seconds", "gauge", "When the process began, since 1970.", get(&self.started));
        self.write_sessions(out);
        self.write_operations(out);
        out.number(
            "tidegate_upstream_connections",
            "gauge",
            "Connections of sessions to the directory that are open.",
            get(&self.upstream_open),
        );
        self.write_events(out);
        let well = u64::from(!self.reload_failed.load(Ordering::Relaxed));
        out.number("tidegate_config_last_reload_successful", "gauge", "Whether the last reload was.", well);
        out.number(
            "tidegate_config_last_reload_success_timestamp_seconds",
            "gauge",
            "When the configuration in force was taken over, since 1970.",
            get(&self.reloaded),
        );
        let name = "tidegate_certificate_expiry_timestamp_seconds";
        out.family(name, "gauge", "When the certificate that is shown expires, since 1970.");
        for (port, expires) in &*locked(&self.certificates) {
            out.sample(name, &[("port", port)], *expires);
        }
    }

    fn write_sessions(&self, out: &mut Exposition) {
        let both = [("ldaps", &self.ldaps), ("ldap", &self.ldap)];
        let mut family = |name: &str, kind, help, value: fn(&Sessions) -> u64| {
            out.family(name, kind, help);
            for (listener, sessions) in both {
                out.sample(name, &[("listener", listener)], value(sessions));
            }
        };
        family("tidegate_sessions", "gauge", "Sessions that are open.", |sessions| get(&sessions.open));
        family(
            "tidegate_sessions_total",
            "counter",
            "Sessions that were accepted.",
            |sessions| get(&sessions.accepted),
        );
        family(
            "tidegate_sessions_turned_away_total",
            "counter",
            "Clients that were turned away because there were too many (max_connections).",
            |sessions| get(&sessions.turned_away),
        );
        family(
            "tidegate_tls_handshakes_failed_total",
            "counter",
            "TLS handshakes of clients that failed.",
            |sessions| get(&sessions.handshakes_failed),
        );
    }

    fn write_operations(&self, out: &mut Exposition) {
        let tallies = locked(&self.tallies).clone();
        let sum = |of: &dyn Fn(&Tally) -> Option<&Own>| {
            tallies.iter().filter_map(|tally| of(tally)).map(Own::get).fold(0, u64::wrapping_add)
        };
        let name = "tidegate_operations_total";
        out.family(name, "counter", "Operations that are over, by what was decided (as in the log).");
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            for (decision, decided) in Decided::ALL.into_iter().enumerate() {
                let value = sum(&|tally| tally.operations.get(at)?.get(decision));
                out.sample(name, &[("operation", kind.name()), ("decision", decided.name())], value);
            }
        }
        let name = "tidegate_results_total";
        out.family(name, "counter", "Operations that were answered, by LDAP result code.");
        for code in 0..=CODES {
            let value = sum(&|tally| tally.results.get(code));
            let label = if code < CODES { code.to_string() } else { "other".to_owned() };
            if value > 0 || code == 0 {
                out.sample(name, &[("code", &label)], value);
            }
        }
        let name = "tidegate_operation_duration_seconds";
        out.family(
            name,
            "histogram",
            "From the decision to the last answer, of operations that the directory was asked.",
        );
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            let of = |part: &dyn Fn(&Durations) -> Option<&Own>| {
                tallies.iter().filter_map(|tally| part(tally.durations.get(at)?)).map(Own::get).sum::<u64>()
            };
            // Read first: what is counted meanwhile is in the parts, and never in less than the parts.
            let microseconds = of(&|durations| Some(&durations.microseconds));
            let parts: Vec<u64> = (0..BOUNDS.len()).map(|part| of(&|durations| durations.parts.get(part))).collect();
            let count = of(&|durations| Some(&durations.count)).max(parts.iter().sum());
            if count == 0 {
                continue;
            }
            out.histogram(name, ("operation", kind.name()), BOUNDS.iter().copied().zip(parts), count, microseconds);
        }
        for (name, help, part) in [
            (
                "tidegate_entries_total",
                "Search entries that were passed on.",
                (|tally| &tally.entries) as fn(&Tally) -> &Own,
            ),
            ("tidegate_entries_withheld_total", "Search entries and references that were left out.", |tally| {
                &tally.withheld
            }),
            ("tidegate_attributes_cut_total", "Attributes taken out of entries that were passed on.", |tally| {
                &tally.cut
            }),
            ("tidegate_client_bytes_total", "Octets of LDAP sent to clients.", |tally| &tally.bytes),
        ] {
            out.number(name, "counter", help, sum(&|tally| Some(part(tally))));
        }
    }

    fn write_events(&self, out: &mut Exposition) {
        let name = "tidegate_events_total";
        out.family(name, "counter", "What was recorded that is no operation (as in the log).");
        for (event, value) in &*locked(&self.events) {
            out.sample(name, &[("event", event)], *value);
        }
        let name = "tidegate_refusals_total";
        out.family(name, "counter", "What was tried at the control port and refused, and why (as in the log).");
        for ((attempt, reason), value) in &*locked(&self.refusals) {
            out.sample(name, &[("attempt", attempt), ("reason", reason)], *value);
        }
    }
}

/// The log, with what is recorded counted.
pub(super) struct Counted {
    pub(super) audit: Arc<AuditLog>,
    pub(super) metrics: Arc<Metrics>,
}

impl EventSink for Counted {
    fn event(&self, event: Value) {
        self.metrics.event(&event);
        self.audit.event(event);
    }

    fn written(&self) -> u64 {
        self.audit.written()
    }

    fn settle(&self) {
        self.audit.settle();
    }

    fn transitions(&self, after: u64, visit: &mut dyn FnMut(Transition)) -> std::io::Result<Option<LastLine>> {
        self.audit.transitions(after, visit)
    }
}

fn open(count: &Arc<AtomicU64>) -> Open {
    count.fetch_add(1, Ordering::Relaxed);
    Open(Arc::clone(count))
}

fn get(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

fn count<K: Ord>(counts: &Mutex<BTreeMap<K, u64>>, key: K) {
    let mut counts = locked(counts);
    if counts.len() < MOST_WORDS || counts.contains_key(&key) {
        *counts.entry(key).or_default() += 1;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds it leaves it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ldap::ResultCode;
    use serde_json::json;
    use std::time::Duration;

    fn text(metrics: &Metrics) -> String {
        let mut out = Exposition::default();
        metrics.write(&mut out);
        out.into_text()
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }

    #[test]
    fn workers_are_added_up() {
        let metrics = Metrics::default();
        let (one, other) = (metrics.tally(), metrics.tally());
        let done = Done {
            kind: Kind::Search,
            result: Some(ResultCode(0)),
            duration: Some(Duration::from_micros(250)),
            entries: 3,
            bytes: 100,
            ..Done::default()
        };
        one.count(&done);
        other.count(&done);
        other.count(&Done { duration: Some(Duration::from_secs(11)), withheld: 1, cut: 2, ..done });
        let refused =
            Done { kind: Kind::Rename, decided: Decided::Refused, result: Some(ResultCode(50)), ..Done::default() };
        one.count(&refused);
        one.count(&Done { result: Some(ResultCode(4096)), ..refused });
        let text = text(&metrics);
        for line in [
            r#"tidegate_operations_total{operation="search",decision="permitted"} 3"#,
            r#"tidegate_operations_total{operation="rename",decision="refused"} 2"#,
            r#"tidegate_operations_total{operation="add",decision="refused"} 0"#,
            r#"tidegate_results_total{code="0"} 3"#,
            r#"tidegate_results_total{code="50"} 1"#,
            r#"tidegate_results_total{code="other"} 1"#,
            r#"tidegate_operation_duration_seconds_bucket{operation="search",le="0.0001"} 0"#,
            r#"tidegate_operation_duration_seconds_bucket{operation="search",le="0.00025"} 2"#,
            r#"tidegate_operation_duration_seconds_bucket{operation="search",le="10"} 2"#,
            r#"tidegate_operation_duration_seconds_bucket{operation="search",le="+Inf"} 3"#,
            r#"tidegate_operation_duration_seconds_sum{operation="search"} 11.0005"#,
            r#"tidegate_operation_duration_seconds_count{operation="search"} 3"#,
            "tidegate_entries_total 9",
            "tidegate_entries_withheld_total 1",
            "tidegate_attributes_cut_total 2",
            "tidegate_client_bytes_total 300",
        ] {
            has(&text, line);
        }
        assert!(!text.contains("duration_seconds_count{operation=\"rename\"}"), "the directory was not asked");
    }

    #[test]
    fn sessions_are_counted_while_they_live() {
        let metrics = Metrics::default();
        let (session, upstream) = (metrics.accepted(true), metrics.upstream());
        has(&text(&metrics), r#"tidegate_sessions{listener="ldaps"} 1"#);
        has(&text(&metrics), "tidegate_upstream_connections 1");
        drop((session, upstream));
        metrics.turned_away(false);
        let text = text(&metrics);
        has(&text, r#"tidegate_sessions{listener="ldaps"} 0"#);
        has(&text, r#"tidegate_sessions_total{listener="ldaps"} 1"#);
        has(&text, r#"tidegate_sessions_turned_away_total{listener="ldap"} 1"#);
        has(&text, "tidegate_upstream_connections 0");
    }

    #[test]
    fn words_have_a_bound_and_names_are_no_words() {
        let metrics = Metrics::default();
        for number in 0..MOST_WORDS + 10 {
            metrics.event(&json!({ "event": format!("event {number}"), "by": "uid=alice" }));
        }
        metrics.event(&json!({ "event": "event 0" }));
        metrics
            .event(&json!({ "event": "refused", "attempt": "log in", "reason": "login-failed", "about": "uid=alice" }));
        let text = text(&metrics);
        assert_eq!(text.matches("tidegate_events_total{").count(), MOST_WORDS);
        has(&text, r#"tidegate_events_total{event="event 0"} 2"#);
        has(&text, r#"tidegate_refusals_total{attempt="log in",reason="login-failed"} 1"#);
        assert!(!text.contains("alice"));
    }
}
