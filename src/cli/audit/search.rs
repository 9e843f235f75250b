//! `tidegate audit search`.

use super::lines;
use super::wanted::Wanted;
use crate::cli::Outcome;
use crate::cli::connection::Connection;
use crate::cli::output::{Output, note, print, terminal_width};
use crate::cli::text::visible_json;

/// Find lines of the log: the newest that fit, the oldest of them first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate audit search --grant grant-7f3k9q2m
  tidegate audit search --subject uid=alice,ou=people,dc=example,dc=com --since 2h
  tidegate audit search --resource payroll --decision refused --since 2026-03-01T00:00:00Z --output json")]
pub(super) struct Search {
    #[command(flatten)]
    wanted: Wanted,

    /// So many lines at most
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Search {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let (found, more) = self.wanted.newest(&self.connection.client()?, self.limit)?;
        if self.output.is_for_programs() {
            for line in &found {
                print(&format!("{}\n", visible_json(line.get())))?;
            }
        } else {
            print(&lines::table(&found, terminal_width()))?;
        }
        if more {
            note(&format!("These are the newest {}; there may be more: --limit, --since, --until.\n", found.len()));
        }
        Ok(Outcome::Done)
    }
}
