//! `tidegate extend`.

use super::connection::Connection;
use super::output::Output;
use super::release::grant_id;
use super::{Outcome, view};
use crate::api::{DurationText, ExtendBody, RequestView, routes};
use chrono::Utc;

/// Ask for more time: a request with a review of its own, and no gap in access
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate extend grant-7f3k9q2m --for 30m --reason 'not done yet'")]
pub(super) struct Extend {
    /// The grant, or the request that it came from
    id: String,

    /// How much longer, from its end on, like 45s, 90m or 1h30m
    #[arg(long = "for", value_name = "DURATION")]
    duration: DurationText,

    /// Why; those who approve and those who audit read it
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Extend {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let id = grant_id(&client, &self.id)?;
        let body = ExtendBody { duration: self.duration, reason: self.reason };
        let answer = client.post::<RequestView>(&routes::extend(&id), &body)?;
        self.output.answer(&answer.json, |width| view::request(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
