//! Takes over a changed configuration and changed certificates without dropping a connection; a
//! wrong one changes nothing. Also what the control port asks of the process.

use super::assemble;
use super::broker::{Broker, EventSink};
use super::control::{ControlHooks, Later};
use super::gate::Gate;
use crate::api::{ReloadView, SessionView};
use crate::config::Config;
use arc_swap::ArcSwap;
use serde_json::json;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Reloads.
pub struct Reloader {
    gate: Arc<Gate>,
    broker: Arc<Broker>,
    config: Arc<ArcSwap<Config>>,
    /// What the process was started with: what cannot change while it runs is still so.
    started: Arc<Config>,
    source: Option<PathBuf>,
    reloaded: watch::Sender<u64>,
    one_at_a_time: Mutex<()>,
}

impl Reloader {
    pub(super) fn new(
        gate: Arc<Gate>,
        broker: Arc<Broker>,
        config: Arc<ArcSwap<Config>>,
        source: Option<PathBuf>,
        reloaded: watch::Sender<u64>,
    ) -> Reloader {
        let started = config.load_full();
        Reloader { gate, broker, config, started, source, reloaded, one_at_a_time: Mutex::new(()) }
    }

    /// Reads the file again. Blocks (files, the store): not for the threads that serve sessions.
    ///
    /// # Errors
    /// Everything that is wrong with the new configuration, a line each; the old one stays in force.
    pub fn reload(&self) -> Result<ReloadView, Vec<String>> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.take_over();
        let event = match &result {
            Ok(view) => json!({
                "event": "reloaded",
                "reloaded": view.reloaded,
                "needs_restart": view.needs_restart,
                "revoked": view.revoked,
            }),
            Err(errors) => json!({ "event": "reload failed", "errors": errors }),
        };
        self.gate.audit.event(event);
        result
    }

    fn take_over(&self) -> Result<ReloadView, Vec<String>> {
        let Some(source) = &self.source else {
            return Err(vec!["this gate was not started from a file".to_owned()]);
        };
        let config =
            Config::load(source).map_err(|errors| errors.to_string().lines().map(str::to_owned).collect::<Vec<_>>())?;
        // Everything that can fail comes before anything that is taken over.
        let tls = assemble::server_tls(&config.tls).map_err(|error| vec![error.to_string()])?;
        let upstream = assemble::upstream(&config.directory).map_err(|error| vec![error.to_string()])?;
        let needs_restart = needs_restart(&self.started, &config);
        self.gate.tls.store(Arc::new(tls));
        // Even if the section says what it said: the file with the authority may hold another.
        self.gate.directory.store(Arc::new(upstream));
        let revoked = self.broker.install(Arc::new(config.policy.clone()), assemble::authority(&config.control));
        self.config.store(Arc::new(config));
        self.reloaded.send_modify(|count| *count += 1);
        let reloaded = ["policy", "certificates", "directory servers", "who may do what at the control port"];
        Ok(ReloadView { reloaded: reloaded.map(str::to_owned).to_vec(), needs_restart, revoked })
    }
}

/// What was changed in the file and cannot be taken over by a running process.
fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let changed = [
        ("[listen]", old.listen != new.listen),
        ("[control] socket", old.control.socket != new.control.socket),
        ("[store]", old.store != new.store),
        ("[audit]", old.audit != new.audit),
        ("[runtime]", old.runtime != new.runtime),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name.to_owned()).collect()
}

/// A handle that the control port calls.
impl ControlHooks for Reloader {
    fn sessions(&self) -> Later<'_, Vec<SessionView>> {
        Box::pin(self.gate.registry.inspect())
    }

    fn reload(&self) -> Later<'_, Result<ReloadView, Vec<String>>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.reload()) })
    }

    fn ready(&self) -> Result<(), String> {
        if !self.gate.audit.recording() {
            return Err("operations cannot be recorded: what needs a grant is refused".to_owned());
        }
        if self.gate.shared.snapshot.load().directory.naming_contexts.is_empty() {
            return Err("the directory has not answered yet".to_owned());
        }
        Ok(())
    }
}
