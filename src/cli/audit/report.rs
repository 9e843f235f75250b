//! `tidegate audit report`.

use super::files;
use super::shown;
use super::wanted::{self, Period};
use crate::api::{ReportQuery, ReportView, routes};
use crate::cli::Outcome;
use crate::cli::connection::Connection;
use crate::cli::moment::past as moment;
use crate::cli::output::{Output, note};
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use std::path::PathBuf;

/// Report what the log comes to: access, grants, refusals, changes of the policy, what enforcing would take away
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate audit report grants --since 2026-03-01 --until 2026-04-01
  tidegate audit report access --resource payroll --at '2026-03-31 12:00'
  tidegate audit report break-glass --since 90d
  tidegate audit report monitored --since 7d --output json
  tidegate audit report grants --files /archive/audit --role payroll-reader")]
pub(super) struct Report {
    /// Which
    #[arg(value_enum)]
    report: Kind,

    #[command(flatten)]
    period: Period,

    /// What was so at this moment
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with_all = ["since", "until"])]
    at: Option<DateTime<Utc>>,

    /// Only what is about this resource
    #[arg(long, required_if_eq("report", "access"))]
    resource: Option<String>,

    /// Only what this one (a DN, or `anonymous`) did, or holds
    #[arg(long, value_name = "DN", value_parser = wanted::who)]
    subject: Option<String>,

    /// Only of this role
    #[arg(long)]
    role: Option<String>,

    /// Read the files in this folder, without a gate: a copy, or an archive
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,

    /// With --files: the folder of configurations that were in force (beside the gate's store)
    #[arg(long, value_name = "FOLDER", requires = "files")]
    configurations: Option<PathBuf>,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Who could use a resource, who did, and by what
    Access,
    /// Who held which role when, approved by whom, and how it ended
    Grants,
    /// Access that nobody approved, and who signed it off, when and with which words
    BreakGlass,
    /// Grants that were not used
    Unused,
    /// Standing access: whose, and how often it was used
    Standing,
    /// What was refused: by the gate, the directory, at a login, in the workflow
    Refused,
    /// What enforcing would refuse or take out of answers, for each subject and application
    Monitored,
    /// Changes of the configuration: what they opened and closed, and who made them
    Policy,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Access => "access",
            Kind::Grants => "grants",
            Kind::BreakGlass => "break-glass",
            Kind::Unused => "unused",
            Kind::Standing => "standing",
            Kind::Refused => "refused",
            Kind::Monitored => "monitored",
            Kind::Policy => "policy",
        }
    }
}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let Period { since, until } = self.period;
        let Report { at, resource, subject, role, .. } = self;
        let query = ReportQuery { since, until, at, resource, subject, role };
        let word = self.report.word();
        let (json, view) = match &self.files {
            Some(folder) => {
                let view = files::report(folder, self.configurations, word, &query)?;
                (serde_json::to_string(&view)?, view)
            }
            None => {
                let path = routes::with_query(&routes::report(word), &query);
                let answer = self.connection.client()?.get::<ReportView>(&path)?;
                (answer.json, answer.value)
            }
        };
        self.output.answer(&json, |width| match self.report {
            Kind::Access => shown::access(&view, width),
            Kind::Grants | Kind::Unused => shown::grants(&view.grants, width),
            Kind::BreakGlass => shown::break_glass(&view.grants, width),
            Kind::Standing => shown::standing(&view.standing, width),
            Kind::Refused => shown::refused(&view.refused, width),
            Kind::Monitored => shown::monitored(&view.monitored, width),
            Kind::Policy => shown::policy(&view.policy, width),
        })?;
        for one in &view.notes {
            note(&format!("note: {one}\n"));
        }
        if !view.complete {
            let part = view.read.as_ref().map_or_else(String::new, shown::span);
            note(&format!(
                "NOT COMPLETE: the log is too long to be read in one call. This report is of {part} only.\n"
            ));
        }
        if view.left_out > 0 {
            note(&format!(
                "{} lines found no room in this report. Ask for less with --since and --until.\n",
                view.left_out
            ));
        }
        // A part is never taken for the whole.
        Ok(if view.complete { Outcome::Done } else { Outcome::Refused })
    }
}
