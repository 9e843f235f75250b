//! A report in the making, whoever reads the lines: the gate, or the command line where it reads files.

use super::report::SpanView;
use super::{CouldRow, DidRow, GrantRow, MonitoredRow, PolicyRow, RefusedRow, ReportQuery, ReportView, StandingRow};
use crate::engine::audit::query::{Filter, Line, Who};
use crate::engine::audit::reading::Span;
use crate::engine::audit::report::access::{Accesses, PolicyChanges};
use crate::engine::audit::report::grants::Grants;
use crate::engine::audit::report::monitored::Monitored;
use crate::engine::audit::report::{Period, Refusals, Standings, Use};
use crate::engine::ldap::Dn;
use crate::engine::policy::Policy;
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// The reports that there are.
pub const REPORTS: &[&str] =
    &["standing", "grants", "refused", "monitored", "access", "break-glass", "unused", "policy"];

/// What a report needs to know of configurations.
pub trait Configurations {
    /// The policy that is in force, where that is known.
    fn current(&self) -> Option<&Policy>;

    /// A policy that was in force, by the digest of its configuration.
    ///
    /// # Errors
    /// Why it is not known.
    fn kept(&self, digest: &str) -> Result<Policy, String>;
}

/// A report in the making.
#[derive(Debug)]
pub struct Reporter {
    name: String,
    period: Period,
    query: ReportQuery,
    subject: Option<Dn>,
    counts: Counts,
}

#[derive(Debug)]
enum Counts {
    Standing(Standings),
    Grants(Grants),
    Refused(Refusals),
    Monitored(Monitored),
    Access(Accesses),
    Policy(PolicyChanges),
}

impl Reporter {
    /// The report of this name; `None`: there is none.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn new(name: &str, query: &ReportQuery) -> Result<Option<Reporter>, String> {
        let counts = match (name, &query.resource) {
            ("standing", _) => Counts::Standing(Standings::default()),
            ("grants" | "break-glass" | "unused", None) => Counts::Grants(Grants::default()),
            ("grants" | "break-glass" | "unused", Some(resource)) => Counts::Grants(Grants::of_resource(resource)),
            ("refused", _) => Counts::Refused(Refusals::default()),
            ("monitored", _) => Counts::Monitored(Monitored::default()),
            ("access", Some(resource)) => Counts::Access(Accesses::new(resource)),
            ("access", None) => return Err("the report access is about one resource: name it".to_owned()),
            ("policy", _) => Counts::Policy(PolicyChanges::default()),
            (_, _) => return Ok(None),
        };
        let period = match (query.at, query.since, query.until) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return Err("at is one moment: it does not go with since and until".to_owned());
            }
            // A moment: what was so just then.
            (Some(at), None, None) => {
                Period { since: Some(at), until: at.checked_add_signed(TimeDelta::microseconds(1)) }
            }
            (None, since, until) => Period { since, until },
        };
        if let (Some(since), Some(until)) = (period.since, period.until)
            && since >= until
        {
            return Err("nothing is at or after since and before until".to_owned());
        }
        let is_dn = query.subject.as_deref().filter(|name| *name != "anonymous");
        let subject = is_dn.map(|name| Dn::parse(name.as_bytes())).transpose();
        let subject = subject.map_err(|_| "subject: not a distinguished name of RFC 4514".to_owned())?;
        Ok(Some(Reporter { name: name.to_owned(), period, query: query.clone(), subject, counts }))
    }

    /// Which lines it counts.
    pub fn filter(&self) -> Filter {
        let counted_by_subject = matches!(self.counts, Counts::Refused(_) | Counts::Monitored(_) | Counts::Standing(_));
        let subject = match (&self.subject, self.query.subject.as_deref()) {
            (Some(dn), _) => Some(Who::Dn(dn.clone())),
            (None, Some("anonymous")) => Some(Who::Anonymous),
            (None, _) => None,
        };
        Filter {
            since: self.period.since,
            until: self.period.until,
            subject: subject.filter(|_| counted_by_subject),
            ..Filter::default()
        }
    }

    /// Whether it needs events of before and after its period.
    pub fn needs_history(&self) -> bool {
        match self.counts {
            Counts::Grants(_) | Counts::Access(_) => true,
            Counts::Standing(_) | Counts::Refused(_) | Counts::Monitored(_) | Counts::Policy(_) => false,
        }
    }

    /// Another line.
    pub fn see(&mut self, line: &Line) {
        let resource = self.query.resource.as_deref();
        let wanted = |line: &Line| resource.is_none_or(|resource| line.touches(resource));
        match &mut self.counts {
            Counts::Standing(counts) => counts.see(line),
            Counts::Grants(counts) => counts.see(line),
            Counts::Refused(counts) if wanted(line) => counts.see(line),
            Counts::Monitored(counts) if wanted(line) => counts.see(line),
            Counts::Refused(_) | Counts::Monitored(_) => {}
            Counts::Access(counts) => counts.see(line),
            Counts::Policy(counts) => counts.see(line),
        }
    }

    /// The report. `span`: what was read; `complete`: whether that is all there is.
    pub fn finish(self, span: &Span, complete: bool, configurations: &dyn Configurations) -> ReportView {
        let Reporter { name, period, query, subject, counts } = self;
        let mut view = ReportView { report: name, complete, ..ReportView::default() };
        match counts {
            Counts::Standing(counts) => {
                let (used, left_out) = counts.finish();
                view.left_out = left_out;
                view.standing = standing(configurations.current(), used);
                view.standing.retain(|row| query.resource.as_ref().is_none_or(|resource| row.resource == *resource));
            }
            Counts::Grants(counts) => {
                let (mut rows, left_out) = counts.finish(&period);
                let of_subject = |name: &str| {
                    subject.as_ref().is_none_or(|one| Dn::parse(name.as_bytes()).is_ok_and(|dn| dn.is_surely(one)))
                };
                rows.retain(|row| {
                    query.role.as_ref().is_none_or(|role| row.role == *role)
                        && query.resource.as_ref().is_none_or(|name| row.opens(name) != Some(false))
                        && of_subject(&row.subject)
                        && match &*view.report {
                            "break-glass" => row.break_glass,
                            "unused" => row.uses.count == 0 && row.began != Some(false),
                            _ => true,
                        }
                });
                view.left_out = left_out;
                view.grants = rows.into_iter().map(GrantRow::new).collect();
            }
            Counts::Refused(counts) => {
                let (rows, left_out) = counts.finish();
                view.left_out = left_out;
                view.refused = rows.into_iter().map(|(row, tally)| RefusedRow::new(row, tally)).collect();
            }
            Counts::Monitored(counts) => {
                let (rows, left_out) = counts.finish();
                view.left_out = left_out;
                view.monitored = rows.into_iter().map(|(row, losses)| MonitoredRow::new(row, losses)).collect();
            }
            Counts::Access(counts) => {
                let access = counts.finish(&period, &|digest| configurations.kept(digest));
                view.left_out = access.left_out;
                view.notes = access.notes;
                view.could = access.could.into_iter().map(CouldRow::new).collect();
                view.did = access.did.into_iter().map(DidRow::new).collect();
            }
            Counts::Policy(counts) => {
                let (rows, left_out) = counts.finish();
                view.left_out = left_out;
                view.policy = rows.into_iter().map(PolicyRow::new).collect();
            }
        }
        if let (Some((first, from)), Some((last, to))) = (span.first, span.last) {
            let begins_later = first > 1 && period.since.is_none_or(|since| since < from || needs_all(&view));
            if begins_later {
                view.notes.push(format!(
                    "the log that was read begins at line {first}, {}: what is before it is not in this report",
                    from.format("%Y-%m-%d %H:%M:%S UTC")
                ));
            }
            view.read = Some(SpanView { first, from, last, to });
        }
        view
    }
}

/// Whether the report depends on what was before its period.
fn needs_all(view: &ReportView) -> bool {
    matches!(&*view.report, "grants" | "break-glass" | "unused" | "access")
}

/// All that is configured, and what was used and is configured no more.
fn standing(policy: Option<&Policy>, mut used: BTreeMap<(String, String), Use>) -> Vec<StandingRow> {
    let row = |resource: String, reason: String, used: Use| StandingRow {
        resource,
        reason,
        configured: false,
        who: Vec::new(),
        operations: Vec::new(),
        uses: used.tally.count,
        last_used: used.tally.last,
        used_by: used.subjects.into_iter().collect(),
    };
    let mut rows = Vec::new();
    for (policy, standing) in policy.iter().flat_map(|policy| policy.standing.iter().map(move |one| (policy, one))) {
        let resource = policy.resource(standing.resource).map(|resource| resource.name.to_string()).unwrap_or_default();
        let reason = standing.reason.to_string();
        let found = used.remove(&(resource.clone(), reason.clone())).unwrap_or_default();
        rows.push(StandingRow {
            configured: true,
            who: standing.who.iter().map(ToString::to_string).collect(),
            operations: standing.operations.names().map(str::to_owned).collect(),
            ..row(resource, reason, found)
        });
    }
    rows.extend(used.into_iter().map(|((resource, reason), used)| row(resource, reason, used)));
    rows
}
