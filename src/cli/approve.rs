//! `tidegate approve`; and how every review is given.

use super::client::{Answer, Client, ClientError};
use super::connection::Connection;
use super::output::{Output, note, print};
use super::{Outcome, prompt, view};
use crate::api::{Decision, RequestView, ReviewBody, routes};
use chrono::Utc;

/// Approve a request: shows the exact scope as the gate computed it, asks, and approves just that
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate approve req-7f3k9q2m --reason 'agreed in HR-1204'")]
pub(super) struct Approve {
    /// The request
    id: String,

    /// Why; it is kept with the request
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

impl Approve {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let seen = client.get::<RequestView>(&routes::request(&self.id))?;
        let shown = view::request(&seen.value, Utc::now(), self.output.width());
        // On standard output there is one JSON value and nothing else.
        if self.output.is_for_programs() {
            note(&shown)
        } else {
            print(&shown)?
        }
        prompt::confirm("Approve this?", self.yes)?;
        let answer = review(&client, &self.id, &seen.value, Decision::Approve, self.reason)?;
        self.output.answer(&answer.json, |_| outcome(&answer.value))?;
        Ok(Outcome::Done)
    }
}

/// Reviews what was seen, and nothing that took its place since: digest and revision say so.
pub(super) fn review(
    client: &Client,
    id: &str,
    seen: &RequestView,
    decision: Decision,
    reason: Option<String>,
) -> Result<Answer<RequestView>, ClientError> {
    let body = ReviewBody { decision, reason, scope_digest: seen.scope_digest.clone(), revision: seen.revision };
    client.post(&routes::reviews(id), &body)
}

fn outcome(view: &RequestView) -> String {
    let given = view.reviews.iter().filter(|review| review.decision == Decision::Approve).count();
    let mut text = format!("\nYou approved it: {given} of {} approvals.\n", view.approvals);
    if let Some(grant) = &view.grant {
        text.push_str(&format!("The grant is {}.\n", super::text::visible(grant)));
    }
    text
}
