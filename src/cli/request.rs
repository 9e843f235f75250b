//! `tidegate request`.

use super::client::{Client, ClientError};
use super::connection::{Connection, name};
use super::moment::moment;
use super::output::Output;
use super::text::visible;
use super::{Outcome, view, wait};
use crate::api::{
    DurationText, GrantState, GrantView, NarrowBody, RequestBody, RequestState, RequestView, RoleView, routes,
};
use crate::config::nearest;
use crate::engine::ldap::Dn;
use crate::engine::policy::OperationKind;
use chrono::{DateTime, Utc};

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

    /// From when, like 14:00, 'tomorrow 09:00' or 2026-03-31T08:00:00Z [default: from the approval on]
    #[arg(long, value_name = "TIME", value_parser = moment)]
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

fn operation(text: &str) -> Result<String, String> {
    match text.parse::<OperationKind>() {
        Ok(kind) => Ok(kind.name().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Request {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let client = self.connection.client()?;
        let answer = client.post::<RequestView>(routes::REQUESTS, &self.body());
        let answer = answer.map_err(|error| meant(&client, &self.role, error))?;
        if !self.wait {
            self.output.answer(&answer.json, |width| {
                format!("{}{}", view::request(&answer.value, Utc::now(), width), hint(&client, &answer.value))
            })?;
            return Ok(Outcome::Done);
        }
        let Some(id) = answer.value.id.clone() else {
            anyhow::bail!("the gate made a request without an id");
        };
        let answer = wait::until_decided(&client, &id, answer)?;
        self.output.answer(&answer.json, |width| {
            format!("{}{}", view::request(&answer.value, Utc::now(), width), granted(&client, &answer.value))
        })?;
        Ok(wait::outcome(answer.value.state))
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

/// With the role that was most likely meant, where there is none of that name.
fn meant(client: &Client, role: &str, error: ClientError) -> ClientError {
    let ClientError::Problem(problem, hint) = error else { return error };
    if problem.word() != "unknown-role" {
        return ClientError::Problem(problem, hint);
    }
    let known = client.get::<Vec<RoleView>>(routes::ROLES).map(|answer| answer.value).unwrap_or_default();
    match nearest(role, known.iter().map(|role| role.name.as_str())) {
        Some(meant) => ClientError::Problem(problem, Some(format!("did you mean {meant}?"))),
        None => ClientError::Problem(problem, hint),
    }
}

/// Until when the grant lasts that came of a request, and how it stands.
pub(super) fn granted(client: &Client, request: &RequestView) -> String {
    let Some(id) = &request.grant else { return String::new() };
    let grant = match client.get::<GrantView>(&routes::grant(id)) {
        Ok(grant) => grant.value,
        Err(error) => return format!("\nGranted; its times could not be read: {}\n", visible(&error.to_string())),
    };
    let now = Utc::now();
    let (from, until) = (view::moment(grant.from, now), view::moment(grant.until, now));
    let state = view::grant_state(grant.state);
    match grant.state {
        GrantState::Scheduled | GrantState::Active => format!("\nGranted from {from} until {until}: {state}.\n"),
        GrantState::Expired | GrantState::Released | GrantState::Revoked => {
            let ended = view::moment(grant.ended.unwrap_or(grant.until), now);
            format!("\nGranted from {from}: {state} {ended}.\n")
        }
    }
}
