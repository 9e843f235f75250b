//! `tidegate locks`.

use super::connection::Connection;
use super::output::Output;
use super::{Outcome, view};
use crate::api::{LockView, routes};
use chrono::Utc;

/// List the locks that are in force
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate locks")]
pub(super) struct Locks {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Locks {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let answer = self.connection.client()?.get::<Vec<LockView>>(routes::LOCKS)?;
        self.output.answer(&answer.json, |width| view::locks(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
