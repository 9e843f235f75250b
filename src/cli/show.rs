//! `tidegate show`.

use super::connection::Connection;
use super::output::Output;
use super::{Outcome, WrongUse, view};
use crate::api::{GrantView, RequestView, routes};
use chrono::Utc;

/// Show a request or a grant with its whole history
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tidegate show req-7f3k9q2m\n  tidegate show grant-7f3k9q2m")]
pub(super) struct Show {
    /// The request (req-…) or the grant (grant-…)
    id: String,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        if self.id.starts_with("req-") {
            let answer = client.get::<RequestView>(&routes::request(&self.id))?;
            self.output.answer(&answer.json, |width| view::request(&answer.value, Utc::now(), width))?;
        } else if self.id.starts_with("grant-") {
            let answer = client.get::<GrantView>(&routes::grant(&self.id))?;
            self.output.answer(&answer.json, |width| view::grant(&answer.value, Utc::now(), width))?;
        } else {
            let message = format!("{:?} is neither a request (req-…) nor a grant (grant-…)", self.id);
            return Err(WrongUse(message).into());
        }
        Ok(Outcome::Done)
    }
}
