//! `tidegate kill`.

use super::connection::Connection;
use super::output::Output;
use super::text::visible;
use super::{Outcome, prompt};
use crate::api::{KillBody, KillView, routes};

/// End a session, as an administrator; its subject may connect again (see `tidegate lock`)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate kill 1f3a-7")]
pub(super) struct Kill {
    /// The session (see `tidegate sessions`)
    session: String,

    /// Why; the client is told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Do not ask for confirmation on a terminal
    #[arg(long, short = 'y')]
    yes: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Kill {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        prompt::confirm(&format!("End the session {}?", visible(&self.session)), self.yes)?;
        let body = KillBody { reason: self.reason };
        let answer = self.connection.client()?.post::<KillView>(&routes::kill(&self.session), &body)?;
        self.output.answer(&answer.json, |_| format!("killed {}\n", visible(&answer.value.killed)))?;
        Ok(Outcome::Done)
    }
}
