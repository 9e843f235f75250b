//! `tidegate roles`.

use super::Outcome;
use super::connection::Connection;
use super::output::Output;
use super::table::Table;
use super::view;
use crate::api::{RoleView, routes};

/// List the roles that you may request, with their limits; those that you may only break the glass for say so
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
    let (roles, unknown): (Vec<_>, Vec<_>) = roles.iter().partition(|role| role.unknown_groups.is_empty());
    let note = note(&unknown);
    if roles.is_empty() && !note.is_empty() {
        return note;
    }
    if roles.is_empty() {
        return "There is no role that you may request; tidegate me says who you are to the gate.\n".to_owned();
    }
    let mut table = Table::new(&["role", "opens", "for", "approval", "needs", "description"]);
    for role in &roles {
        let time = format!("{}, at most {}", role.default_duration, role.max_duration);
        let approval = match (role.break_glass, role.break_glass_only) {
            (_, true) => "none: only with --break-glass, in an emergency".to_owned(),
            (true, false) => format!("{}; or --break-glass, in an emergency", approval(role)),
            (false, false) => approval(role),
        };
        table.row([&role.name, &view::scope_cell(&role.scope), &time, &approval, &needs(role), &role.description]);
    }
    format!("{}{note}", table.render(width))
}

/// The roles of which it cannot be told whether they may be requested.
fn note(unknown: &[&RoleView]) -> String {
    let line = |role: &&RoleView| {
        let groups: Vec<String> = role.unknown_groups.iter().map(|group| format!("group:{group}")).collect();
        let groups = groups.join(", ");
        format!("Whether you may request {} is not known: the directory does not say who is in {groups}.\n", role.name)
    };
    unknown.iter().map(line).collect()
}

/// Who decides, one after another where there are stages.
fn approval(role: &RoleView) -> String {
    let of = |approvals: u32, who: &[String]| format!("{approvals} of {}", who.join(", "));
    if role.stages.is_empty() {
        return of(role.approvals, &role.approvers);
    }
    let mut text = String::new();
    let mut late = None;
    for stage in &role.stages {
        let join = match (text.is_empty(), stage.escalation, late) {
            (true, _, _) => String::new(),
            (false, true, Some(after)) => format!("; or, after {after}, "),
            (false, true, None) => "; or ".to_owned(),
            (false, false, _) => "; then ".to_owned(),
        };
        text.push_str(&format!("{join}{}", of(stage.approvals, &stage.approvers)));
        late = stage.after;
    }
    text
}

/// What a request must say.
fn needs(role: &RoleView) -> String {
    let reason = role.reason_required.then(|| "a reason".to_owned());
    let ticket = role.ticket_pattern.as_ref().map(|pattern| format!("a ticket like {pattern}"));
    let code = role.second_factor.then(|| "a second factor".to_owned());
    reason.into_iter().chain(ticket).chain(code).collect::<Vec<_>>().join(", ")
}
