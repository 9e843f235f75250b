//! `tidegate roles`.

use super::Outcome;
use super::connection::Connection;
use super::output::Output;
use super::table::Table;
use super::view;
use crate::api::{RoleView, routes};

/// List the roles that you may request, with their limits
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate roles")]
pub(super) struct Roles {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Roles {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let answer = self.connection.client()?.get::<Vec<RoleView>>(routes::ROLES)?;
        self.output.answer(&answer.json, |width| table(&answer.value, width))?;
        Ok(Outcome::Done)
    }
}

fn table(roles: &[RoleView], width: Option<usize>) -> String {
    if roles.is_empty() {
        return "There is no role that you may request.\n".to_owned();
    }
    let mut table = Table::new(&["role", "opens", "for", "approval", "needs", "description"]);
    for role in roles {
        let time = format!("{}, at most {}", role.default_duration, role.max_duration);
        let approval = format!("{} of {}", role.approvals, role.approvers.join(", "));
        table.row([&role.name, &view::scope_cell(&role.scope), &time, &approval, &needs(role), &role.description]);
    }
    table.render(width)
}

/// What a request must say.
fn needs(role: &RoleView) -> String {
    let reason = role.reason_required.then(|| "a reason".to_owned());
    let ticket = role.ticket_pattern.as_ref().map(|pattern| format!("a ticket like {pattern}"));
    reason.into_iter().chain(ticket).collect::<Vec<_>>().join(", ")
}
