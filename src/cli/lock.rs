//! `tidegate lock`.

use super::connection::Connection;
use super::connection::name;
use super::output::Output;
use super::text::visible;
use super::{Outcome, prompt, view};
use crate::api::{LockBody, LockView, routes};
use crate::engine::ldap::Dn;
use chrono::Utc;

/// Lock a subject, as an administrator: its grants end, and there are none until it is unlocked
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate lock uid=alice,ou=people,dc=example,dc=com --reason 'laptop lost'")]
pub(super) struct Lock {
    /// Whom
    #[arg(value_name = "DN", value_parser = name)]
    subject: Dn,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Do not ask for confirmation on a terminal
    #[arg(long, short = 'y')]
    yes: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Lock {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let question =
            format!("Lock {}? Its grants end, and it gets none until it is unlocked.", visible(self.subject.text()));
        prompt::confirm(&question, self.yes)?;
        let body = LockBody { subject: self.subject.text().to_owned(), reason: self.reason };
        let answer = self.connection.client()?.post::<LockView>(routes::LOCKS, &body)?;
        self.output.answer(&answer.json, |width| view::lock(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
