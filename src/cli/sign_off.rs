//! `tidegate sign-off`.

use super::connection::Connection;
use super::output::Output;
use super::release::grant_id;
use super::{Outcome, view};
use crate::api::{GrantView, SignOffBody, routes};
use chrono::Utc;

/// Sign off a break-glass grant that is over, as an auditor: you have seen what was done with it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate sign-off grant-7f3k9q2m --reason 'as agreed in OPS-17'")]
pub(super) struct SignOff {
    /// The grant, or the request that it came from
    id: String,

    /// What is to be said about it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl SignOff {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let id = grant_id(&client, &self.id)?;
        let answer = client.post::<GrantView>(&routes::sign_off(&id), &SignOffBody { reason: self.reason })?;
        self.output.answer(&answer.json, |width| view::grant(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
