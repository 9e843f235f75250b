//! `tidegate serve`: the gate, in the foreground.

use super::Outcome;
use crate::config::Config;
use crate::daemon::{self, Running};
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Run the gate in the foreground
///
/// SIGTERM and SIGINT end it: clients are told, records are written. SIGHUP is `tidegate reload`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate serve --config /etc/tidegate/tidegate.toml")]
pub(super) struct Serve {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        log_to_stderr("info");
        let config = Config::load(&self.config)?;
        // Sessions have threads of their own; these serve the control port.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut hang_up = signal(SignalKind::hangup())?;
            let running = daemon::start(config, Some(self.config)).await?;
            say_ready(&running)?;
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = hang_up.recv() => reload(&running),
                }
            }
            running.stop().await;
            Ok(Outcome::Done)
        })
    }
}

/// What the gate has to say about itself goes to standard error; `RUST_LOG` says how much, else `level`.
pub(super) fn log_to_stderr(level: &str) {
    // It prints passwords at trace level.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let filter = match "ldap3_proto=off".parse() {
        Ok(off) => filter.add_directive(off),
        Err(_) => EnvFilter::new(level),
    };
    // A full disk under standard error must not end a thread: what cannot be said is not said.
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    // Fails only when logging was set up before: then it is.
    let subscriber = subscriber.with_ansi(std::io::stderr().is_terminal());
    let _ = subscriber.with_writer(std::io::stderr).try_init();
}

/// One line for whoever started the gate: it serves, and where.
fn say_ready(running: &Running) -> std::io::Result<()> {
    let mut line = "tidegate: ready".to_owned();
    for (name, address) in [("ldaps", running.ldaps()), ("ldap", running.ldap())] {
        if let Some(address) = address {
            line += &format!(" {name}={address}");
        }
    }
    let mut out = std::io::stdout().lock();
    if let Some(address) = running.control_port() {
        line += &format!(" https={address}");
    }
    writeln!(out, "{line} control={}", running.control().display())?;
    out.flush()
}

fn reload(running: &Running) {
    let reloader = running.reloader();
    tokio::task::spawn_blocking(move || reloader.on_signal("HUP"));
}
