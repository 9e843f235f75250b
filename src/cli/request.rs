//! `tidegate request`.

use super::client::Client;
use super::connection::{Connection, name};
use super::output::{self, Output, note};
use super::text::visible;
use super::{Outcome, view};
use crate::api::{Decision, DurationText, NarrowBody, RequestBody, RequestState, RequestView, routes};
use crate::engine::ldap::Dn;
use crate::engine::policy::OperationKind;
use chrono::{DateTime, Utc};
use std::io::IsTerminal;
use std::time::Duration;

/// Ask for a role
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate request payroll-editor --reason 'correct the March records' --ticket HR-1204 --for 30m --wait
  tidegate request payroll-reader --reason audit --base cn=alice,ou=payroll,dc=example,dc=com --dry-run")]
pub(super) struct Request {
    /// The role (see `tidegate roles`)
    role: String,

    /// Why you need it; those who approve and those who audit read it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,

    /// For whom, when not for yourself: a beneficiary of the role
    #[arg(long, value_name = "DN", value_parser = name)]
    subject: Option<Dn>,

    /// How long, like 45s, 90m or 1h30m [default: as the role says]
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<DurationText>,

    /// The ticket that it belongs to
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,

    /// From when, like 2026-03-31T08:00:00Z [default: from the approval on]
    #[arg(long, value_name = "TIME")]
    start: Option<DateTime<Utc>>,

    /// Only the entries at or below this
    #[arg(long, value_name = "DN", value_parser = name)]
    base: Option<Dn>,

    /// Only these operations
    #[arg(long, value_name = "OPERATION,…", value_delimiter = ',', value_parser = operation)]
    operations: Option<Vec<String>>,

    /// Only these attributes
    #[arg(long, value_name = "ATTRIBUTE,…", value_delimiter = ',')]
    attributes: Option<Vec<String>>,

    /// In an emergency: at once, without review, for those whom the role lets; an auditor signs it off later
    #[arg(long, conflicts_with_all = ["subject", "start"])]
    break_glass: bool,

    /// Wait until it is decided; exit code 1 if it is not approved
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,

    /// Only show what the request would be
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// Between two looks at a request that is waited for.
const INTERVAL: Duration = Duration::from_secs(1);

fn operation(text: &str) -> Result<String, String> {
    match text.parse::<OperationKind>() {
        Ok(kind) => Ok(kind.name().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Request {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let mut answer = client.post::<RequestView>(routes::REQUESTS, &self.body())?;
        if !self.wait {
            self.output.answer(&answer.json, |width| {
                format!("{}{}", view::request(&answer.value, Utc::now(), width), hint(&client, &answer.value))
            })?;
            return Ok(Outcome::Done);
        }
        let Some(id) = answer.value.id.clone() else {
            anyhow::bail!("the gate made a request without an id");
        };
        let mut status = Status::new();
        while answer.value.state == RequestState::Pending {
            status.show(&answer.value);
            std::thread::sleep(INTERVAL);
            answer = client.get(&routes::request(&id))?;
        }
        status.end();
        self.output.answer(&answer.json, |width| {
            format!("{}{}", view::request(&answer.value, Utc::now(), width), granted(&client, &answer.value))
        })?;
        match answer.value.state {
            RequestState::Approved => Ok(Outcome::Done),
            RequestState::Pending | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed => {
                Ok(Outcome::Refused)
            }
        }
    }

    fn body(&self) -> RequestBody {
        let narrow = NarrowBody {
            base: self.base.as_ref().map(|base| base.text().to_owned()),
            operations: self.operations.clone(),
            attributes: self.attributes.clone(),
        };
        RequestBody {
            role: self.role.clone(),
            reason: self.reason.clone(),
            subject: self.subject.as_ref().map(|subject| subject.text().to_owned()),
            ticket: self.ticket.clone(),
            duration: self.duration,
            start: self.start,
            narrow: (narrow != NarrowBody::default()).then_some(narrow),
            break_glass: self.break_glass,
            dry_run: self.dry_run,
        }
    }
}

/// What comes next.
fn hint(client: &Client, made: &RequestView) -> String {
    match (&made.id, made.state) {
        (None, _) => "\nNothing was asked for: this was a dry run.\n".to_owned(),
        (Some(id), RequestState::Pending) => {
            let id = visible(id);
            format!("\nWho may approve it runs: tidegate approve {id}\nSee how it stands with:  tidegate show {id}\n")
        }
        (Some(_), RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed) => {
            granted(client, made)
        }
    }
}

/// Until when the grant lasts that came of a request.
fn granted(client: &Client, request: &RequestView) -> String {
    let Some(id) = &request.grant else { return String::new() };
    match client.get::<crate::api::GrantView>(&routes::grant(id)) {
        Ok(grant) => {
            let (from, until) = (grant.value.from, grant.value.until);
            let now = Utc::now();
            format!("\nGranted from {} until {}.\n", view::moment(from, now), view::moment(until, now))
        }
        Err(error) => format!("\nGranted; its times could not be read: {}\n", visible(&error.to_string())),
    }
}

/// One line on standard error that says how a request stands: rewritten on a terminal, else
/// written anew when something changed.
struct Status {
    live: bool,
    last: String,
}

impl Status {
    fn new() -> Status {
        Status { live: std::io::stderr().is_terminal(), last: String::new() }
    }

    fn show(&mut self, view: &RequestView) {
        let given = view.reviews.iter().filter(|review| review.decision == Decision::Approve).count();
        let id = view.id.as_deref().unwrap_or_default();
        let line = format!("{id}: {given} of {} approvals, waits for {}", view.approvals, view.waiting_for.join(", "));
        let line = visible(&line).into_owned();
        if self.live {
            let width = output::terminal_width().unwrap_or(80);
            let whole = format!("{line}, lapses {}", view::distance(view.lapses, Utc::now()));
            let fitting: String = whole.chars().take(width.saturating_sub(1)).collect();
            note(&format!("\r\x1b[K{fitting}"));
        } else if line != self.last {
            note(&format!("{line}\n"));
        }
        self.last = line;
    }

    fn end(&self) {
        if self.live && !self.last.is_empty() {
            note("\r\x1b[K");
        }
    }
}
