//! `tidegate unlock`.

use super::connection::Connection;
use super::connection::name;
use super::output::Output;
use super::{Outcome, view};
use crate::api::{LockView, routes};
use crate::engine::ldap::Dn;
use chrono::Utc;

/// Lift a lock, as an administrator; what it ended stays ended
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate unlock uid=alice,ou=people,dc=example,dc=com")]
pub(super) struct Unlock {
    /// Whom
    #[arg(value_name = "DN", value_parser = name)]
    subject: Dn,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Unlock {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let answer = self.connection.client()?.delete::<LockView>(&routes::lock(self.subject.text()))?;
        self.output.answer(&answer.json, |width| view::lock(&answer.value, Utc::now(), width))?;
        Ok(Outcome::Done)
    }
}
