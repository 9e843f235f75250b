//! `tidegate release`.

use super::client::Client;
use super::connection::Connection;
use super::output::Output;
use super::{Outcome, view};
use crate::api::{GrantView, RequestView, routes};
use chrono::Utc;

/// End your own grant early: "I am done"
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate release grant-7f3k9q2m")]
pub(super) struct Release {
    /// The grant, or the request that it came from
    id: String,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Release {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let id = grant_id(&client, &self.id)?;
        let answer = client.post_nothing::<GrantView>(&routes::release(&id))?;
        self.output.answer(&answer.json, |width| view::grant(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}

/// The grant that is meant: people have the id of their request at hand.
pub(super) fn grant_id(client: &Client, id: &str) -> anyhow::Result<String> {
    if !id.starts_with("req-") {
        return Ok(id.to_owned());
    }
    let request = client.get::<RequestView>(&routes::request(id))?.value;
    match request.grant {
        Some(grant) => Ok(grant),
        None => anyhow::bail!("{id} has no grant: it is {}", view::request_state(request.state)),
    }
}
