//! `tidegate audit search`.

use super::files;
use super::lines;
use super::wanted::Wanted;
use crate::cli::Outcome;
use crate::cli::connection::Connection;
use crate::cli::output::{Output, note, print, terminal_width};
use crate::cli::text::visible_json;
use std::path::PathBuf;

/// Find lines of the log: the newest that fit, the oldest of them first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate audit search --grant grant-7f3k9q2m
  tidegate audit search --subject uid=alice,ou=people,dc=example,dc=com --since 2h
  tidegate audit search --operation bind --result 49 --since yesterday
  tidegate audit search --subject uid=alice,ou=people,dc=example,dc=com --files /archive/audit
  tidegate audit search --resource payroll --decision refused --since 2026-03-01T00:00:00Z --output json")]
pub(super) struct Search {
    #[command(flatten)]
    wanted: Wanted,

    /// So many lines at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    limit: usize,

    /// Read the files in this folder, without a gate: a copy, or an archive
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Search {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let (found, more) = match &self.files {
            Some(folder) => files::newest(folder, self.wanted.filter()?, self.limit)?,
            None => self.wanted.newest(&self.connection.client()?, self.limit)?,
        };
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

/// None at all would read like proof that there are none.
fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| "a number from 1 on".to_owned())
}
