//! `tidegate grants`.

use super::client::Answer;
use super::connection::Connection;
use super::output::Output;
use super::table::Table;
use super::{Outcome, view};
use crate::api::{GrantState, GrantView, routes};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// List grants: by default those that have not ended, of all that you may see
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tidegate grants --active\n  tidegate grants --all --output json")]
pub(super) struct Grants {
    /// Only those that open something now
    #[arg(long, conflicts_with = "all")]
    active: bool,

    /// Ended ones too
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Grants {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let answer: Answer<Vec<Value>> = self.connection.client()?.get(&self.path())?;
        let mut shown = Vec::new();
        let mut values = Vec::new();
        for value in answer.value {
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
        // What has not ended is all that most calls want, and little of what there is.
        if self.all { routes::GRANTS.to_owned() } else { format!("{}?active=true", routes::GRANTS) }
    }

    fn wants(&self, state: GrantState) -> bool {
        match state {
            GrantState::Active => true,
            GrantState::Scheduled => !self.active,
            GrantState::Expired | GrantState::Released | GrantState::Revoked => self.all,
        }
    }
}

fn table(grants: &[GrantView], now: DateTime<Utc>, width: Option<usize>) -> String {
    if grants.is_empty() {
        return "There is no such grant that you may see.\n".to_owned();
    }
    let mut table = Table::new(&["grant", "state", "role", "subject", "from", "until", "opens"]);
    for grant in grants {
        // Of one that was ended early, when that was.
        let until = grant.ended.map_or(grant.until, |ended| ended.min(grant.until));
        let [from, until] = [grant.from, until].map(|at| view::distance(at, now));
        let opens = view::scope_cell(&grant.scope);
        let state = view::grant_state(grant.state);
        table.row([&grant.id, state, &grant.role, &grant.subject, &from, &until, &opens]);
    }
    table.render(width)
}
