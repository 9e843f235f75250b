//! `tidegate reload`.

use super::Outcome;
use super::connection::Connection;
use super::output::Output;
use super::table::Details;
use crate::api::{DifferenceView, EndView, ReloadBody, ReloadView, routes};

/// Take over configuration and certificates without dropping a connection
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate check --config tidegate.toml && tidegate reload --config tidegate.toml")]
pub(super) struct Reload {
    /// Say what it would open, close and end; take nothing over
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Reload {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let answer = client.post::<ReloadView>(routes::RELOAD, &ReloadBody { dry_run: self.dry_run })?;
        self.output.answer(&answer.json, |width| text(&answer.value, width))?;
        Ok(Outcome::Done)
    }
}

fn text(view: &ReloadView, width: Option<usize>) -> String {
    let mut details = Details::default();
    show(&view.difference, view.dry_run, &mut details);
    for what in &view.reloaded {
        details.line("reloaded", what);
    }
    if view.dry_run {
        details.line("dry run", "nothing was taken over");
    }
    details.render(width)
}

/// What is different: what opens first, and so that it is seen.
pub(super) fn show(difference: &DifferenceView, would: bool, details: &mut Details) {
    let DifferenceView { before, after, opens, changes, closes, ends, sessions_cut, needs_restart } = difference;
    for (name, lines) in
        [("OPENS", opens), ("changes", changes), ("closes", closes), ("needs a restart", needs_restart)]
    {
        lines.iter().for_each(|line| details.line(name, line));
    }
    for EndView { grant, subject, role, reason } in ends {
        details.line(if would { "would end" } else { "ended" }, format!("{grant} ({role}, {subject}): {reason}"));
    }
    if *sessions_cut > 0 {
        details.line(
            if would { "would be cut" } else { "cut" },
            match sessions_cut {
                1 => "1 session".to_owned(),
                several => format!("{several} sessions"),
            },
        );
    }
    let same = if before == after { ", as before" } else { "" };
    details.line("configuration", format!("{after}{same}"));
    if before != after {
        details.line("before", before);
    }
}
