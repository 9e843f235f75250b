//! `tidegate audit report`.

use super::wanted::Period;
use crate::api::{GrantRow, RefusedRow, ReportQuery, ReportView, StandingRow, routes};
use crate::cli::Outcome;
use crate::cli::clock;
use crate::cli::connection::Connection;
use crate::cli::output::{Output, note};
use crate::cli::table::Table;
use chrono::{DateTime, Utc};
use clap::ValueEnum;

/// Report what the log comes to: standing access that is left, grants, refusals, what enforcing would refuse
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate audit report standing --since 90d
  tidegate audit report grants --since 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z
  tidegate audit report monitored --since 7d --output json")]
pub(super) struct Report {
    /// Which
    #[arg(value_enum)]
    report: Kind,

    #[command(flatten)]
    period: Period,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Standing access that is left: whose, and how often it was used
    Standing,
    /// Who had which role when, approved by whom, and how it ended
    Grants,
    /// What was refused, the most often first
    Refused,
    /// What enforcing would have refused or redacted
    Monitored,
}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let word = match self.report {
            Kind::Standing => "standing",
            Kind::Grants => "grants",
            Kind::Refused => "refused",
            Kind::Monitored => "monitored",
        };
        let query = ReportQuery { since: self.period.since, until: self.period.until };
        let path = routes::with_query(&routes::report(word), &query);
        let answer = self.connection.client()?.get::<ReportView>(&path)?;
        let view = &answer.value;
        self.output.answer(&answer.json, |width| match self.report {
            Kind::Standing => standing(&view.standing, width),
            Kind::Grants => grants(&view.grants, width),
            Kind::Refused => refused(&view.refused, width),
            Kind::Monitored => refused(&view.monitored, width),
        })?;
        if !view.complete {
            note(
                "The log is too long to be read in one call: this is what was read. Ask for less with --since and --until.\n",
            );
        }
        if view.left_out > 0 {
            note(&format!(
                "{} lines found no room in this report. Ask for less with --since and --until.\n",
                view.left_out
            ));
        }
        Ok(Outcome::Done)
    }
}

const NOTHING: &str = "There is nothing to report.\n";

fn moment(at: Option<DateTime<Utc>>) -> String {
    at.map(clock::in_column).unwrap_or_default()
}

fn standing(rows: &[StandingRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let mut table = Table::new(&["resource", "operations", "who", "reason", "uses", &clock::heading("last used")]);
    for row in rows {
        let who = if row.configured {
            row.who.join(", ")
        } else {
            format!("no longer configured; {}", row.used_by.join(", "))
        };
        let last = if row.uses == 0 { "not used".to_owned() } else { moment(row.last_used) };
        table.row([&row.resource, &row.operations.join(", "), &who, &row.reason, &row.uses.to_string(), &last]);
    }
    table.render(width)
}

fn grants(rows: &[GrantRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let mut table = Table::new(&[
        "grant",
        "role",
        "subject",
        &clock::heading("from"),
        &clock::heading("until"),
        "end",
        "approved by",
        "uses",
    ]);
    for row in rows {
        let by = match (row.break_glass, row.automatic, &row.signed_off_by) {
            (true, _, Some(auditor)) => format!("BREAK-GLASS, signed off by {auditor}"),
            (true, _, None) => "BREAK-GLASS, unsigned".to_owned(),
            (false, Some(rule), _) => format!("rule {rule}"),
            (false, None, _) => row.approved_by.join(", "),
        };
        let until = moment(row.ended.or(row.until));
        let end = row.end.as_deref().unwrap_or_default();
        table.row([&*row.grant, &row.role, &row.subject, &moment(row.from), &until, end, &by, &row.uses.to_string()]);
    }
    table.render(width)
}

fn refused(rows: &[RefusedRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let mut table = Table::new(&["times", "subject", "operation", "resources", "reason", &clock::heading("last")]);
    for row in rows {
        let resources = row.resources.join(", ");
        table.row([&row.count.to_string(), &row.subject, &row.operation, &resources, &row.reason, &moment(row.last)]);
    }
    table.render(width)
}
