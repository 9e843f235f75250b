//! Which lines of the log are asked for, and pages of them.

use crate::api::{AuditOrder, AuditPage, AuditQuery, DurationText, routes};
use crate::cli::client::{Client, ClientError};
use crate::cli::connection::dn;
use crate::cli::moment::past as moment;
use crate::engine::audit::query::{DECISIONS, EVENTS, Filter, OPERATIONS, Who};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use std::time::Duration;

/// So many are asked for at once.
const AT_ONCE: usize = 500;

/// Conditions; lines that fit all of them are shown.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Wanted {
    /// What this one (a DN, or `anonymous`) did, or what was done to them
    #[arg(long, value_name = "DN", value_parser = who)]
    subject: Option<String>,

    /// What rested on this grant or is about it
    #[arg(long, value_name = "ID")]
    grant: Option<String>,

    /// What rested on this request or is about it
    #[arg(long, value_name = "ID")]
    request: Option<String>,

    /// What rested on this role or is about it
    #[arg(long)]
    role: Option<String>,

    /// What touched this resource
    #[arg(long)]
    resource: Option<String>,

    /// Only this operation
    #[arg(long)]
    operation: Option<String>,

    /// Only this decision: permitted, refused, monitored or ended
    #[arg(long)]
    decision: Option<String>,

    /// Only what was answered with this result code: 49 is a wrong password
    #[arg(long, value_name = "N")]
    result: Option<u32>,

    /// Only this event: approved, revoked, reloaded, audit.read, …
    #[arg(long)]
    event: Option<String>,

    /// Only this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    #[command(flatten)]
    period: Period,
}

/// Of which time.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Period {
    /// From this moment on: a day, 'yesterday 09:00', a time like 2026-03-31T08:00:00Z, or how long ago, like 2h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<DateTime<Utc>>,

    /// Before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) until: Option<DateTime<Utc>>,
}

impl Wanted {
    fn query(&self) -> AuditQuery {
        let Wanted { subject, grant, request, role, resource, operation, decision, result, event, session, period } =
            self.clone();
        let Period { since, until } = period;
        let base =
            AuditQuery { subject, grant, request, role, resource, operation, decision, event, ..AuditQuery::default() };
        AuditQuery { result, session, since, until, ..base }
    }

    /// The same conditions for lines that are read here.
    pub(super) fn filter(&self) -> anyhow::Result<Filter> {
        let Wanted { subject, grant, request, role, resource, operation, decision, result, event, session, period } =
            self.clone();
        for (key, value, known) in
            [("operation", &operation, OPERATIONS), ("decision", &decision, DECISIONS), ("event", &event, EVENTS)]
        {
            if let Some(value) = value.as_deref().filter(|value| !known.contains(value)) {
                anyhow::bail!("{key}: {value:?} cannot match: there are {}", known.join(", "));
            }
        }
        let subject = match subject.as_deref() {
            Some("anonymous") => Some(Who::Anonymous),
            Some(name) => Some(Who::Dn(dn(name).map_err(anyhow::Error::msg)?)),
            None => None,
        };
        let Period { since, until } = period;
        let base = Filter { subject, grant, request, role, resource, since, until, ..Filter::default() };
        Ok(Filter { operation, decision, code: result, event, session, ..base })
    }

    /// The newest lines, so many at most, the oldest of them first; and whether there are more before them.
    pub(super) fn newest(&self, client: &Client, limit: usize) -> Result<(Vec<Box<RawValue>>, bool), ClientError> {
        let mut query = AuditQuery { order: Some(AuditOrder::Newest), ..self.query() };
        let mut lines = Vec::new();
        let mut more = true;
        while more && lines.len() < limit {
            query.limit = Some((limit - lines.len()).min(AT_ONCE));
            let page = client.get::<AuditPage>(&routes::with_query(routes::AUDIT, &query))?.value;
            lines.extend(page.records);
            more = page.more && page.next.is_some();
            query.before = page.next;
        }
        lines.reverse();
        Ok((lines, more))
    }

    /// The lines after one, oldest first, waiting for the first of them for a while; and where to go on.
    pub(super) fn after(&self, client: &Client, after: u64) -> Result<(Vec<Box<RawValue>>, u64), ClientError> {
        let query = AuditQuery {
            order: Some(AuditOrder::Oldest),
            after: Some(after),
            wait: Some(DurationText(Duration::from_secs(15))),
            ..self.query()
        };
        let page = client.get::<AuditPage>(&routes::with_query(routes::AUDIT, &query))?.value;
        Ok((page.records, page.next.unwrap_or(after)))
    }
}

pub(super) fn who(text: &str) -> Result<String, String> {
    if text == "anonymous" { Ok(text.to_owned()) } else { dn(text).map(|_| text.to_owned()) }
}
