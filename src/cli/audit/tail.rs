//! `tidegate audit tail`.

use super::lines;
use super::wanted::Wanted;
use crate::cli::Outcome;
use crate::cli::connection::Connection;
use crate::cli::output::{Output, print};
use crate::cli::text::visible_json;
use crate::engine::audit::chain::seq_of;
use serde_json::value::RawValue;

/// Show the newest lines of the log, and with --follow those that come
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate audit tail
  tidegate audit tail --follow --decision refused")]
pub(super) struct Tail {
    /// Go on showing lines as they are written, until interrupted
    #[arg(short, long)]
    follow: bool,

    /// So many lines to begin with
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
    lines: usize,

    #[command(flatten)]
    wanted: Wanted,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Tail {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        // What is asked for first also says where to go on.
        let (mut found, _) = self.wanted.newest(&client, self.lines.max(1))?;
        let mut after = found.last().and_then(|line| seq_of(line.get().as_bytes())).unwrap_or_default();
        found.drain(..found.len().saturating_sub(self.lines));
        self.show(&found)?;
        if !self.follow {
            return Ok(Outcome::Done);
        }
        loop {
            let (lines, next) = self.wanted.after(&client, after)?;
            self.show(&lines)?;
            after = next;
        }
    }

    fn show(&self, found: &[Box<RawValue>]) -> anyhow::Result<()> {
        if self.output.is_for_programs() {
            return print(&found.iter().map(|line| format!("{}\n", visible_json(line.get()))).collect::<String>());
        }
        print(&lines::plain(found))
    }
}
