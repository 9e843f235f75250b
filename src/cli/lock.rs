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
///
/// A lock ends the subject's grants and its logins at the control port. Until it is lifted, the subject can neither request, nor
/// approve, nor administer. A lock does not end LDAP sessions, does not stop the subject from binding, and does not
/// take standing access away: close the account in the directory for that, and end sessions with `tidegate kill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate lock uid=alice,ou=people,dc=example,dc=com --reason 'laptop lost'
  tidegate lock cn=Manager,dc=example,dc=com --reason 'password leaked' --force")]
pub(super) struct Lock {
    /// Whom
    #[arg(value_name = "DN", value_parser = name)]
    subject: Dn,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Lock it although the directory shows no entry of this name
    #[arg(long)]
    force: bool,

    /// Do not ask for confirmation on a terminal
    #[arg(long, short = 'y')]
    yes: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// What a lock leaves as it is.
const LEFT: &str = "\nIts LDAP sessions stay open, it can still bind, and it keeps its standing access. To stop that, close the\n\
                    account in the directory and end its sessions: tidegate sessions, tidegate kill SESSION.\n";

impl Lock {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let question =
            format!("Lock {}? Its grants end, and it gets none until it is unlocked.", visible(self.subject.text()));
        prompt::confirm(&question, self.yes)?;
        let body = LockBody { subject: self.subject.text().to_owned(), reason: self.reason, force: self.force };
        let answer = self.connection.client()?.post::<LockView>(routes::LOCKS, &body)?;
        self.output.answer(&answer.json, |width| format!("{}{LEFT}", view::lock(&answer.value, Utc::now(), width)))?;
        Ok(Outcome::Done)
    }
}
