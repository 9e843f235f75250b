//! `tidegate audit`: the log, for those who may read it. One file a command.

mod acknowledge;
mod configuration;
mod files;
mod lines;
mod report;
mod search;
mod shown;
mod tail;
mod verify;
mod wanted;

use super::Outcome;
use clap::Subcommand;

/// Read the log of operations and of the workflow, as an auditor or administrator; that it was read is recorded
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tidegate audit tail --follow\n  tidegate audit verify")]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tail(tail::Tail),
    Search(search::Search),
    Verify(verify::Verify),
    Report(report::Report),
    Configuration(configuration::Configuration),
    Acknowledge(acknowledge::Acknowledge),
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Tail(command) => command.run(),
            Command::Search(command) => command.run(),
            Command::Verify(command) => command.run(),
            Command::Report(command) => command.run(),
            Command::Configuration(command) => command.run(),
            Command::Acknowledge(command) => command.run(),
        }
    }
}
