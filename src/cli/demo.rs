//! `tidegate demo`.

use super::Outcome;
use super::serve::log_to_stderr;
use crate::daemon::demo::Demo;
use crate::daemon::demo::place::Ports;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Run it all on this machine with a small built-in directory, and show what to try
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate demo --tour")]
pub(super) struct DemoCommand {
    /// Take the tour: show each step as it is done, then end
    #[arg(long)]
    tour: bool,

    /// Keep certificates, data and log here [default: a temporary directory]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,

    /// Where to listen for TLS
    #[arg(long, value_name = "ADDRESS", default_value_t = Ports::default().ldaps)]
    ldaps: SocketAddr,

    /// Where to listen for StartTLS
    #[arg(long, value_name = "ADDRESS", default_value_t = Ports::default().ldap)]
    ldap: SocketAddr,

    /// Where to listen for the control API over TLS
    #[arg(long, value_name = "ADDRESS", default_value_t = Ports::default().https)]
    https: SocketAddr,
}

impl DemoCommand {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        log_to_stderr("warn");
        let program = std::env::current_exe()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let ports = Ports { ldaps: self.ldaps, ldap: self.ldap, https: self.https };
            let demo = Demo::start(self.directory.as_deref(), ports).await?;
            let mut out = std::io::stdout();
            let ended = async {
                if self.tour {
                    demo.tour(&mut out, &program).await?;
                } else {
                    demo.introduce(&mut out, &program)?;
                    std::future::pending::<()>().await;
                }
                anyhow::Ok(())
            };
            let outcome = tokio::select! {
                outcome = ended => outcome,
                _ = terminate.recv() => Ok(()),
                _ = interrupt.recv() => Ok(()),
            };
            demo.stop().await;
            outcome.map(|()| Outcome::Done)
        })
    }
}
