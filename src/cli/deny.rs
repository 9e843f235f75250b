//! `tidegate deny`.

use super::approve::review;
use super::connection::Connection;
use super::output::Output;
use super::{Outcome, view};
use crate::api::{Decision, RequestView, routes};
use chrono::Utc;

/// Deny a request: one deny ends it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate deny req-7f3k9q2m --reason 'not before the audit'")]
pub(super) struct Deny {
    /// The request
    id: String,

    /// Why; who asked reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Deny {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let seen = client.get::<RequestView>(&routes::request(&self.id))?;
        let answer = review(&client, &self.id, &seen.value, Decision::Deny, Some(self.reason))?;
        self.output.answer(&answer.json, |width| view::request(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
