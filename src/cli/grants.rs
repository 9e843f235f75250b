//! `tidegate grants`.

use super::connection::Connection;
use super::output::Output;
use super::table::Table;
use super::{Outcome, view};
use crate::api::{GrantState, GrantView, routes};
use chrono::{DateTime, Utc};

/// List grants: by default those that have not ended, of all that you may see
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tidegate grants --active\n  tidegate grants --all --output json")]
pub(super) struct Grants {
    /// Only those that open something now
    #[arg(long, conflicts_with = "all")]
    active: bool,

    /// Only break-glass grants that no auditor has signed off
    #[arg(long, conflicts_with_all = ["all", "active"])]
    unsigned: bool,

    /// Ended ones too, however long ago
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Grants {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let found = self.connection.client()?.get_all(&self.path())?;
        let mut shown = Vec::new();
        let mut values = Vec::new();
        for value in found {
            let grant: GrantView = serde_json::from_value(value.clone())?;
            if self.wants(grant.state) {
                shown.push(grant);
                values.push(value);
            }
        }
        let json = serde_json::to_string(&values)?;
        self.output.answer(&json, |width| table(&shown, Utc::now(), width))?;
        Ok(Outcome::Done)
    }

    fn path(&self) -> String {
        if self.unsigned {
            return format!("{}?unsigned=true", routes::GRANTS);
        }
        // What has not ended is all that most calls want, and little of what there is.
        format!("{}?{}", routes::GRANTS, if self.all { "archived=true" } else { "active=true" })
    }

    fn wants(&self, state: GrantState) -> bool {
        match state {
            GrantState::Active => true,
            GrantState::Scheduled => !self.active || self.unsigned,
            GrantState::Expired | GrantState::Released | GrantState::Revoked => self.all || self.unsigned,
        }
    }
}

fn table(grants: &[GrantView], now: DateTime<Utc>, width: Option<usize>) -> String {
    if grants.is_empty() {
        return "There is no such grant that you may see.\n".to_owned();
    }
    let mut table = Table::new(&["grant", "state", "role", "subject", "when", "opens"]);
    for grant in grants {
        // Of one that was ended early, when that was.
        let until = grant.ended.map_or(grant.until, |ended| ended.min(grant.until));
        let when = match grant.state {
            GrantState::Scheduled => format!("begins {}", view::distance(grant.from, now)),
            GrantState::Active => format!("ends {}", view::distance(until, now)),
            GrantState::Expired | GrantState::Released | GrantState::Revoked => view::distance(until, now),
        };
        let opens = view::scope_cell(&grant.scope);
        let mark = view::glass(grant.break_glass, grant.signed_off);
        let state = format!("{}{mark}", view::grant_state(grant.state));
        table.row([&grant.id, &state, &grant.role, &grant.subject, &when, &opens]);
    }
    table.render(width)
}
