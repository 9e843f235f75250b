//! Takes over a changed configuration and changed certificates without dropping a connection; a
//! wrong one changes nothing. Also what the control port asks of the process.

use super::assemble;
use super::broker::{Broker, EventSink};
use super::control::{ControlHooks, Later, LoginSettings, Logins, PortTls};
use super::directory::ANSWER_TIMEOUT;
use super::gate::Gate;
use super::ldap_client::LdapClient;
use crate::api::{ReloadView, SessionView};
use crate::config::Config;
use crate::engine::ldap::Dn;
use arc_swap::ArcSwap;
use ldap3_proto::proto::LdapResultCode;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What a reload changes of the control port.
pub(super) struct Doors {
    pub(super) logins: Arc<Logins>,
    /// What the port shows; `None`: there is none.
    pub(super) port_tls: Option<Arc<ArcSwap<PortTls>>>,
}

/// Reloads.
pub struct Reloader {
    gate: Arc<Gate>,
    broker: Arc<Broker>,
    config: Arc<ArcSwap<Config>>,
    /// What the process was started with: what cannot change while it runs is still so.
    started: Arc<Config>,
    source: Option<PathBuf>,
    reloaded: watch::Sender<u64>,
    doors: Doors,
    one_at_a_time: Mutex<()>,
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
        Reloader { gate, broker, config, started, source, reloaded, doors, one_at_a_time: Mutex::new(()) }
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
        let port_tls = config.control.port.as_ref().map(assemble::port_tls).transpose();
        let port_tls = port_tls.map_err(|error| vec![error.to_string()])?;
        let needs_restart = needs_restart(&self.started, &config);
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
        ("[control] listen", listens(old) != listens(new)),
        ("[store]", old.store != new.store),
        ("[audit]", old.audit != new.audit),
        ("[runtime]", old.runtime != new.runtime),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name.to_owned()).collect()
}

fn listens(config: &Config) -> Option<SocketAddr> {
    config.control.port.as_ref().map(|port| port.listen)
}

/// A handle that the control port calls.
impl ControlHooks for Reloader {
    fn sessions(&self) -> Later<'_, Vec<SessionView>> {
        Box::pin(self.gate.registry.inspect())
    }

    fn kill(&self, id: &str, reason: &str) -> bool {
        let number = id.strip_prefix(&*self.gate.run).and_then(|rest| rest.strip_prefix('-')?.parse().ok());
        number.is_some_and(|number| self.gate.registry.end(number, reason))
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

    /// Over a connection of its own, which ends with the answer.
    fn check_password(&self, subject: Dn, password: String) -> Later<'_, Result<bool, String>> {
        Box::pin(async move {
            let directory = self.gate.directory.load_full();
            let (stream, _) = directory.connect().await.map_err(|error| error.to_string())?;
            let mut client = LdapClient::new(stream, ANSWER_TIMEOUT);
            let answer = client.bind(subject.text(), &password).await.map_err(|error| error.to_string())?;
            match answer.code {
                LdapResultCode::Success => Ok(true),
                LdapResultCode::Busy | LdapResultCode::Unavailable => Err(format!("{:?}", answer.code)),
                _ => Ok(false),
            }
        })
    }
}
