//! `tidegate cancel`.

use super::connection::Connection;
use super::output::Output;
use super::{Outcome, view};
use crate::api::{CancelBody, RequestView, routes};
use chrono::Utc;

/// Take back a request that you made and that is still pending
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate cancel req-7f3k9q2m")]
pub(super) struct Cancel {
    /// The request
    id: String,

    /// Why; it is kept with the request
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Cancel {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let body = CancelBody { reason: self.reason };
        let answer = self.connection.client()?.post::<RequestView>(&routes::cancel(&self.id), &body)?;
        self.output.answer(&answer.json, |width| view::request(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
