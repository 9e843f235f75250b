//! `tidegate audit`: the log, for those who may read it. One file a command.

mod verify;

use super::Outcome;
use clap::Subcommand;

/// Read the log of operations and of the workflow, as an auditor or administrator; that it was read is recorded
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate audit verify")]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Verify),
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Verify(command) => command.run(),
        }
    }
}
