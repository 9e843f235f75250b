//! `tidegate audit acknowledge`.

use crate::api::{AcknowledgeBody, DoneView, routes};
use crate::cli::Outcome;
use crate::cli::connection::Connection;
use crate::cli::output::Output;

/// Say that it is known what became of a file of the log, as an auditor or administrator: `verify` then reports it as a note
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tidegate audit acknowledge audit-00000000000000070413.jsonl --reason 'moved by hand to the archive, ticket OPS-7'")]
pub(super) struct Acknowledge {
    /// The file, as `tidegate audit verify` names it; or the head that it says the log did not end with
    name: String,

    /// What became of it
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Acknowledge {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let body = AcknowledgeBody { name: self.name, reason: self.reason };
        let answer = self.connection.client()?.post::<DoneView>(routes::AUDIT_ACKNOWLEDGE, &body)?;
        self.output.answer(&answer.json, |_| format!("{}\n", answer.value.done))?;
        Ok(Outcome::Done)
    }
}
