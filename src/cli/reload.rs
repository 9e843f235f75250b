//! `tidegate reload`.

use super::Outcome;
use super::connection::Connection;
use super::output::Output;
use super::table::Details;
use crate::api::{ReloadView, routes};

/// Take over configuration and certificates without dropping a connection
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate check --config tidegate.toml && tidegate reload --config tidegate.toml")]
pub(super) struct Reload {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Reload {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let answer = self.connection.client()?.post_nothing::<ReloadView>(routes::RELOAD)?;
        self.output.answer(&answer.json, |width| text(&answer.value, width))?;
        Ok(Outcome::Done)
    }
}

fn text(view: &ReloadView, width: Option<usize>) -> String {
    let mut details = Details::default();
    for what in &view.reloaded {
        details.line("reloaded", what);
    }
    for what in &view.needs_restart {
        details.line("needs a restart", what);
    }
    for grant in &view.revoked {
        details.line("revoked", format!("{grant}: the configuration no longer allows it"));
    }
    details.render(width)
}
