//! `tidegate revoke`.

use super::connection::Connection;
use super::output::{Output, error_width, note};
use super::release::grant_id;
use super::{Outcome, prompt, view};
use crate::api::{GrantView, RevokeBody, routes};
use chrono::Utc;

/// End somebody's grant, as an administrator or approver
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate revoke grant-7f3k9q2m --reason 'laptop lost'")]
pub(super) struct Revoke {
    /// The grant, or the request that it came from
    id: String,

    /// Why; its holder reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Do not ask for confirmation on a terminal
    #[arg(long, short = 'y')]
    yes: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Revoke {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let id = grant_id(&client, &self.id)?;
        if !self.yes && prompt::is_possible() {
            let seen = client.get::<GrantView>(&routes::grant(&id))?;
            note(&view::grant(&seen.value, Utc::now(), error_width()));
            prompt::confirm("Revoke this grant?", false)?;
        }
        let answer = client.post::<GrantView>(&routes::revoke(&id), &RevokeBody { reason: self.reason })?;
        self.output.answer(&answer.json, |width| view::grant(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
