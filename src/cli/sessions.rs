//! `tidegate sessions`.

use super::connection::Connection;
use super::output::Output;
use super::table::Table;
use super::{Outcome, view};
use crate::api::{OutstandingView, SessionView, routes};
use chrono::{DateTime, Utc};

/// List who is connected, as whom, doing what
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate sessions")]
pub(super) struct Sessions {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Sessions {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let answer = self.connection.client()?.get::<Vec<SessionView>>(routes::SESSIONS)?;
        self.output.answer(&answer.json, |width| table(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}

fn table(sessions: &[SessionView], now: DateTime<Utc>, width: Option<usize>) -> String {
    if sessions.is_empty() {
        return "There is no session that you may see.\n".to_owned();
    }
    let mut table = Table::new(&["session", "from", "subject", "since", "doing"]);
    for session in sessions {
        let subject = if session.subject.is_empty() { "anonymous" } else { &session.subject };
        let doing = session.outstanding.iter().map(doing).collect::<Vec<_>>().join("; ");
        let since = view::distance(session.since, now);
        table.row([&session.id, &session.connection_from, subject, &since, &doing]);
    }
    table.render(width)
}

fn doing(outstanding: &OutstandingView) -> String {
    let what = format!("{} {}", outstanding.operation, outstanding.target);
    match (outstanding.held, &outstanding.request) {
        (true, Some(request)) => format!("{what} (waits for {request})"),
        (true, None) => format!("{what} (asks for a role)"),
        (false, _) if outstanding.grants.is_empty() => what,
        (false, _) => format!("{what} (rests on {})", outstanding.grants.join(", ")),
    }
}
