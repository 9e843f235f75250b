//! `tidegate show`.

use super::connection::Connection;
use super::output::Output;
use super::request::granted;
use super::{Outcome, WrongUse, view, wait};
use crate::api::{GrantView, RequestView, routes};
use chrono::Utc;

/// Show a request or a grant with its whole history
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tidegate show req-7f3k9q2m\n  tidegate show grant-7f3k9q2m\n  tidegate show req-7f3k9q2m --wait"
)]
pub(super) struct Show {
    /// The request (req-…) or the grant (grant-…)
    id: String,

    /// Wait until the request is decided; exit code 1 if it is not approved
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        if self.id.starts_with("req-") {
            let mut answer = client.get::<RequestView>(&routes::request(&self.id))?;
            if self.wait {
                answer = wait::until_decided(&client, &self.id, answer)?;
            }
            self.output.answer(&answer.json, |width| {
                format!("{}{}", view::request(&answer.value, Utc::now(), width), granted(&client, &answer.value))
            })?;
            if self.wait {
                return Ok(wait::outcome(answer.value.state));
            }
        } else if self.id.starts_with("grant-") && self.wait {
            return Err(WrongUse("a grant is decided already: --wait is for requests (req-…)".to_owned()).into());
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
