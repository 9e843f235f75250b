//! Takes over a changed configuration and changed certificates without dropping a connection; a
//! wrong one changes nothing. Says, and records, what a configuration opens, closes and ends.

use super::assemble;
use super::broker::{Broker, Counts, Ending, EventSink};
use super::configurations::Configurations;
use super::control::{LoginSettings, Logins, PortTls};
use super::gate::Gate;
use super::metrics::Exposition;
use super::notifier::{self, Notifier};
use super::upstream::Health;
use crate::api::{DifferenceView, EndView, LintBody, LintView, ReloadView};
use crate::config::{self, Config, ConfigErrors, lint};
use crate::engine::policy::Mode;
use crate::engine::policy::difference::{Difference, Direction};
use arc_swap::ArcSwap;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// No more lines than these of one kind are recorded, and no more octets of each.
const RECORDED: (usize, usize) = (100, 500);

/// What a reload changes of the control port, and of telling people.
pub(super) struct Doors {
    pub(super) logins: Arc<Logins>,
    /// What the port shows; `None`: there is none.
    pub(super) port_tls: Option<Arc<ArcSwap<PortTls>>>,
    pub(super) notifier: Arc<Notifier>,
}

/// Files that say who is believed: by the key that names each, which file, and what was in it.
pub(super) type Authorities = BTreeMap<&'static str, (PathBuf, String)>;

/// Reloads.
pub struct Reloader {
    pub(super) gate: Arc<Gate>,
    broker: Arc<Broker>,
    pub(super) config: Arc<ArcSwap<Config>>,
    /// What the process was started with: what cannot change while it runs is still so.
    started: Arc<Config>,
    source: Option<PathBuf>,
    configurations: Configurations,
    reloaded: watch::Sender<u64>,
    doors: Doors,
    /// One reload at a time.
    authorities: Mutex<Authorities>,
}

impl Reloader {
    pub(super) fn new(
        gate: Arc<Gate>,
        broker: Arc<Broker>,
        config: Arc<ArcSwap<Config>>,
        source: Option<PathBuf>,
        reloaded: watch::Sender<u64>,
        doors: Doors,
    ) -> Reloader {
        let started = config.load_full();
        let configurations = Configurations::beside(&started.store.path);
        let authorities = Mutex::new(authorities(&started));
        gate.metrics.certificates(assemble::expiries(&started));
        Reloader { gate, broker, config, started, source, configurations, reloaded, doors, authorities }
    }

    /// Reads the file again, on a thread of a runtime that may block (files, the store, other sessions). `by`: who has
    /// it reloaded, as fields of the record.
    ///
    /// # Errors
    /// Everything that is wrong with the new configuration, a line each; the old one stays in force.
    pub fn reload(&self, by: Value) -> Result<ReloadView, Vec<String>> {
        let mut one_at_a_time = self.lock();
        let result = self.take_over(&mut one_at_a_time);
        let mut event = match &result {
            Ok(view) => of_reload(view, self.mode()),
            Err(errors) => json!({ "event": "reload failed", "errors": bounded(errors) }),
        };
        if let (Some(event), Value::Object(by)) = (event.as_object_mut(), by) {
            event.extend(by);
        }
        self.record(event);
        self.gate.metrics.reloaded(result.is_ok(), self.gate.clock.now().wall.timestamp());
        result
    }

    /// A signal asked for it: there is nobody to answer, so the process's own log says what was done.
    pub fn on_signal(&self, signal: &str) {
        self.gate.audit.reopen();
        self.record(json!({ "event": "reload", "signal": signal }));
        match self.reload(json!({ "signal": signal })) {
            Ok(ReloadView { difference, .. }) => {
                let DifferenceView { before, after, opens, changes, closes, ends, sessions_cut, needs_restart } =
                    difference;
                opens.iter().for_each(|line| tracing::warn!("opens: {line}"));
                changes.iter().for_each(|line| tracing::warn!("changes: {line}"));
                closes.iter().for_each(|line| tracing::info!("closes: {line}"));
                for EndView { grant, subject, role, reason } in ends {
                    tracing::info!(grant, subject, role, "ended: {reason}");
                }
                needs_restart.iter().for_each(|what| tracing::warn!("needs a restart: {what}"));
                tracing::info!(before, after, sessions_cut, "configuration reloaded");
            }
            Err(errors) => {
                errors.iter().for_each(|error| tracing::error!("{error}"));
                tracing::error!("the configuration was not taken over: the one before stays in force");
            }
        }
    }

    /// What a reload would do now.
    ///
    /// # Errors
    /// As [`Reloader::reload`].
    pub fn dry_run(&self) -> Result<ReloadView, Vec<String>> {
        let before = self.lock();
        let config = self.load()?;
        let parts = Parts::of(&config)?;
        let difference = self.difference(&config, &before, self.broker.would_end(&config.policy));
        drop(parts);
        Ok(ReloadView { dry_run: true, reloaded: Vec::new(), difference })
    }

    /// What is wrong with a configuration, what looks wrong, and what it would do.
    ///
    /// # Errors
    /// This gate has no file, so that there is no folder that paths are relative to.
    pub fn lint(&self, body: &LintBody) -> Result<LintView, String> {
        let source = self.source()?;
        let file = body.file.as_deref().map_or(source, Path::new);
        let folder = source.parent().unwrap_or(Path::new(""));
        let config = match Config::parse(&body.configuration, file, folder) {
            Ok(config) => config,
            Err(errors) => return Ok(LintView { errors: lines(&errors), ..LintView::default() }),
        };
        let warnings = lint(&config).iter().map(ToString::to_string).collect();
        let difference = body.against_running.then(|| {
            let before = self.lock();
            self.difference(&config, &before, self.broker.would_end(&config.policy))
        });
        Ok(LintView { errors: Vec::new(), warnings, difference })
    }

    fn record(&self, event: Value) {
        self.gate.metrics.event(&event);
        self.gate.audit.event(event);
    }

    /// What is counted, and how things are, in the text format of Prometheus.
    pub(super) fn exposition(&self) -> String {
        let mut out = Exposition::default();
        self.gate.metrics.write(&mut out);
        crate::daemon::limits::exposition::write(&self.gate, &mut out);
        out.family(
            "tidegate_configuration_info",
            "gauge",
            "The configuration in force, by its digest (as in the log).",
        );
        out.sample("tidegate_configuration_info", &[("digest", &self.digest())], 1);
        let directory = self.gate.directory.load();
        let mut servers = |name: &str, kind, help, value: fn(Health) -> u64| {
            out.family(name, kind, help);
            directory.health().for_each(|(url, health)| out.sample(name, &[("url", url)], value(health)));
        };
        servers("tidegate_upstream_up", "gauge", "Whether a directory server did not fail lately.", |health| {
            u64::from(health.up)
        });
        servers(
            "tidegate_upstream_connections_total",
            "counter",
            "Connections made to a directory server.",
            |health| health.connections,
        );
        servers("tidegate_upstream_failures_total", "counter", "Connections to it that failed.", |health| {
            health.failures
        });
        let Counts { pending, active, scheduled, unsigned, locked, conflicts } = self.broker.counts();
        out.family("tidegate_grants", "gauge", "Grants that have not ended.");
        for (state, count) in [("active", active), ("scheduled", scheduled)] {
            out.sample("tidegate_grants", &[("state", state)], count);
        }
        out.number("tidegate_requests_pending", "gauge", "Requests that wait.", pending);
        out.number("tidegate_grants_unsigned", "gauge", "Break-glass grants that nobody has signed off.", unsigned);
        out.number("tidegate_locks", "gauge", "Subjects that are locked.", locked);
        self.gate.memberships.write(&mut out, self.gate.clock.now().monotonic);
        let (waiting, dead) = self.broker.notification_count();
        out.family("tidegate_notifications", "gauge", "What is still to be told, and what could not be.");
        for (state, count) in [("pending", waiting), ("dead", dead)] {
            out.sample("tidegate_notifications", &[("state", state)], count);
        }
        let help = "Transitions that were decided again because somebody else was faster.";
        out.number("tidegate_broker_conflicts_total", "counter", help, conflicts);
        let failed = u64::from(self.broker.failure().is_some());
        out.number("tidegate_store_failed", "gauge", "Whether the store failed: no new requests and grants.", failed);
        let help = "Ends that are in force and that the store has not taken yet.";
        out.number("tidegate_store_ends_unwritten", "gauge", help, self.broker.unwritten_ends());
        let help = "Steps of the workflow that the log had and the store had not, when it was opened.";
        out.number("tidegate_store_behind_log", "gauge", help, self.broker.behind_log());
        let recording = u64::from(self.gate.audit.recording());
        out.number("tidegate_log_recording", "gauge", "Whether operations can be recorded.", recording);
        out.number(
            "tidegate_log_lines_lost_total",
            "counter",
            "Lines of the log that were lost.",
            self.gate.audit.lost(),
        );
        let help = "Refused operations that are summed in lines of the log, not recorded one by one.";
        out.number("tidegate_audit_repeated_total", "counter", help, self.gate.audit.repeated());
        let help = "How long sessions were not read because there was little room for their records, all together.";
        let seconds = self.gate.audit.held_back().as_secs_f64();
        out.number("tidegate_audit_backpressure_seconds_total", "counter", help, seconds);
        out.into_text()
    }

    /// Which configuration is in force.
    pub(super) fn digest(&self) -> String {
        self.config.load().digest().to_owned()
    }

    /// Whether the policy in force is enforced or only monitored.
    fn mode(&self) -> &'static str {
        mode_of(&self.config.load())
    }

    /// What became of the configuration with this start, compared with what was in force when the gate ran last: fields of
    /// the event `started`. From here on this configuration is the one in force.
    pub(super) fn started(&self) -> Value {
        let config = self.config.load();
        let authorities = self.lock();
        let file = self.source.as_deref().unwrap_or(Path::new(""));
        let change = self.configurations.compare(&config, file, &authorities);
        self.keep(&config, &authorities);
        let lines = |direction| bounded(&change.lines(direction));
        json!({
            "configuration": config.digest(),
            "configuration_before": change.before,
            "mode": mode_of(&config),
            "opens": lines(Direction::Opens),
            "changes": lines(Direction::Changes),
            "closes": lines(Direction::Closes),
        })
    }

    /// A disk that takes nothing must not keep a configuration from closing something.
    fn keep(&self, config: &Config, authorities: &Authorities) {
        if let Err(error) = self.configurations.keep(config, authorities) {
            tracing::error!(%error, configuration = config.digest(), "the text of the configuration cannot be kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Authorities> {
        // Replaced as a whole.
        self.authorities.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> Result<&Path, String> {
        self.source.as_deref().ok_or_else(|| "this gate was not started from a file".to_owned())
    }

    fn load(&self) -> Result<Config, Vec<String>> {
        Config::load(self.source().map_err(|error| vec![error])?).map_err(|errors| lines(&errors))
    }

    fn take_over(&self, before: &mut Authorities) -> Result<ReloadView, Vec<String>> {
        let config = self.load()?;
        // Everything that can fail comes before anything that is taken over.
        let Parts { tls, upstream, port_tls, telling } = Parts::of(&config)?;
        // Who is cut is seen before it is.
        let mut difference = self.difference(&config, before, self.broker.would_end(&config.policy));
        self.gate.tls.store(Arc::new(tls));
        self.gate.certificate_subject.store(Arc::new(assemble::certificate_subject(&config.tls)));
        if let (Some(current), Some(new)) = (&self.doors.port_tls, port_tls) {
            current.store(Arc::new(new));
        }
        // A port that was taken out of the file goes on serving until the restart; as it was.
        if config.control.port.is_some() {
            self.doors.logins.install(LoginSettings::new(config.control.port.as_ref()));
        }
        // Even if the section says what it said: the file with the authority may hold another.
        self.gate.directory.store(Arc::new(upstream));
        // Perhaps it is another directory.
        self.gate.confirmed.clear();
        // Who loses a grant by this is told in the new way.
        self.doors.notifier.install(telling);
        self.broker.tell_of(assemble::wanted(&config.notify));
        self.broker.end_unknown_after(config.directory.group_unknown_after);
        let ended = self.broker.install(Arc::new(config.policy.clone()), assemble::authority(&config.control));
        difference.ends = ended.into_iter().map(end_view).collect();
        *before = authorities(&config);
        self.keep(&config, before);
        self.gate.metrics.certificates(assemble::expiries(&config));
        self.config.store(Arc::new(config));
        self.reloaded.send_modify(|count| *count += 1);
        let reloaded = [
            "policy",
            "certificates",
            "directory servers",
            "who may do what at the control port",
            "who is told of what",
        ];
        Ok(ReloadView { dry_run: false, reloaded: reloaded.map(str::to_owned).to_vec(), difference })
    }

    fn difference(&self, config: &Config, before: &Authorities, ends: Vec<Ending>) -> DifferenceView {
        let running = self.config.load();
        let mut found = running.difference(config);
        compare_authorities(before, &authorities(config), &mut found);
        let lines = |direction| found.lines(direction).map(str::to_owned).collect();
        DifferenceView {
            before: running.digest().to_owned(),
            after: config.digest().to_owned(),
            opens: lines(Direction::Opens),
            changes: lines(Direction::Changes),
            closes: lines(Direction::Closes),
            sessions_cut: self.resting_on(&ends),
            ends: ends.into_iter().map(end_view).collect(),
            needs_restart: self.started.needs_restart(config),
        }
    }

    /// How many sessions have something that rests on these grants.
    fn resting_on(&self, ends: &[Ending]) -> usize {
        let ids: HashSet<&str> = ends.iter().map(|ending| ending.grant.id.as_str()).collect();
        // Nobody is asked where there is nothing to count.
        let (false, Ok(runtime)) = (ids.is_empty(), tokio::runtime::Handle::try_current()) else { return 0 };
        let sessions = runtime.block_on(self.gate.registry.inspect());
        let rests = |grants: &[String]| grants.iter().any(|id| ids.contains(id.as_str()));
        let cut = sessions.iter().filter(|session| {
            let searches = session.outstanding.iter().filter(|outstanding| outstanding.operation == "search");
            rests(&session.grants) || searches.into_iter().any(|search| rests(&search.grants))
        });
        cut.count()
    }
}

/// What is made of a configuration and can fail.
struct Parts {
    tls: rustls::ServerConfig,
    upstream: super::upstream::Directory,
    port_tls: Option<PortTls>,
    telling: notifier::Settings,
}

impl Parts {
    fn of(config: &Config) -> Result<Parts, Vec<String>> {
        let tls = assemble::server_tls(&config.tls).map_err(|error| error.to_string());
        let upstream = assemble::upstream(&config.directory).map_err(|error| error.to_string());
        let port_tls = config.control.port.as_ref().map(assemble::port_tls).transpose();
        let telling = assemble::telling(&config.notify).map_err(|error| error.to_string());
        match (tls, upstream, port_tls.map_err(|error| error.to_string()), telling) {
            (Ok(tls), Ok(upstream), Ok(port_tls), Ok(telling)) => Ok(Parts { tls, upstream, port_tls, telling }),
            (tls, upstream, port_tls, telling) => {
                Err([tls.err(), upstream.err(), port_tls.err(), telling.err()].into_iter().flatten().collect())
            }
        }
    }
}

fn authorities(config: &Config) -> Authorities {
    let read = |path: &Path| std::fs::read(path).map_or_else(|_| String::new(), |content| config::digest(&content));
    config.authorities().into_iter().map(|(key, path)| (key, (path.to_owned(), read(path)))).collect()
}

/// Files that keep their names; another name is told by the configuration itself.
fn compare_authorities(old: &Authorities, new: &Authorities, found: &mut Difference) {
    for (key, (path, content)) in new {
        if old.get(key).is_some_and(|(same, before)| same == path && before != content) {
            found.changes(format!("{key}: {} holds something else than before", path.display()));
        }
    }
}

fn lines(errors: &ConfigErrors) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn end_view(ending: Ending) -> EndView {
    let Ending { grant, why } = ending;
    EndView { subject: grant.subject.text().to_owned(), role: grant.role, grant: grant.id, reason: why }
}

fn mode_of(config: &Config) -> &'static str {
    match config.policy.mode {
        Mode::Enforce => "enforce",
        Mode::Monitor => "monitor",
    }
}

fn of_reload(view: &ReloadView, mode: &str) -> Value {
    let DifferenceView { before, after, opens, changes, closes, ends, sessions_cut, needs_restart } = &view.difference;
    let ends: Vec<String> = ends.iter().map(|end| end.grant.clone()).collect();
    json!({
        "event": "reloaded",
        "mode": mode,
        "configuration_before": before,
        "configuration": after,
        "reloaded": view.reloaded,
        "opens": bounded(opens),
        "changes": bounded(changes),
        "closes": bounded(closes),
        "revoked": bounded(&ends),
        "sessions_cut": sessions_cut,
        "needs_restart": needs_restart,
    })
}

/// As many lines as a record should have; the last says how many were left out.
fn bounded(lines: &[String]) -> Vec<String> {
    let (most, longest) = RECORDED;
    let shorter = |line: &String| match line.char_indices().map(|(at, _)| at).find(|at| *at >= longest) {
        Some(end) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.clone(),
    };
    let mut kept: Vec<String> = lines.iter().take(most).map(shorter).collect();
    if let Some(more) = lines.len().checked_sub(most).filter(|more| *more > 0) {
        kept.push(format!("and {more} more"));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_bounds() {
        let (most, longest) = RECORDED;
        let found = bounded(&vec!["ö".repeat(longest); most + 7]);
        assert_eq!(found.len(), most + 1);
        assert!(found.iter().all(|line| line.len() <= longest + "…".len()));
        assert_eq!(found.last().map(String::as_str), Some("and 7 more"));
        assert_eq!(bounded(&["as it is".to_owned()]), ["as it is"]);
    }
}
