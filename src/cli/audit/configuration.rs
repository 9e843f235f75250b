//! `tidegate audit configuration`.

use crate::api::{ConfigurationView, routes};
use crate::cli::Outcome;
use crate::cli::clock;
use crate::cli::connection::Connection;
use crate::cli::output::Output;
use crate::cli::table::Table;
use crate::cli::text::visible;

/// Show a configuration that was in force, as it was written; without a digest, list those that are kept
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate audit configuration
  tidegate audit configuration ddf971fbccadabbc")]
pub(super) struct Configuration {
    /// The digest, as records and reports have it
    digest: Option<String>,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Configuration {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        match &self.digest {
            Some(digest) => {
                let answer = client.get::<ConfigurationView>(&routes::configuration(digest))?;
                let text = answer.value.text.as_deref().unwrap_or_default();
                self.output
                    .answer(&answer.json, |_| text.lines().map(|line| format!("{}\n", visible(line))).collect())?;
            }
            None => {
                let answer = client.get::<Vec<ConfigurationView>>(routes::AUDIT_CONFIGURATIONS)?;
                self.output.answer(&answer.json, |width| list(&answer.value, width))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn list(rows: &[ConfigurationView], width: Option<usize>) -> String {
    let mut table = Table::new(&["digest", &clock::heading("first in force"), ""]);
    for row in rows {
        table.row([&*row.digest, &clock::in_column(row.since), if row.in_force { "in force" } else { "" }]);
    }
    table.render(width)
}
