//! Reports as tables.

use crate::api::{
    CouldRow, GrantRow, MonitoredRow, PolicyRow, RefusedRow, ReportView, ScopeView, SpanView, StandingRow,
};
use crate::cli::clock;
use crate::cli::table::{Details, Table};
use chrono::{DateTime, Utc};

const NOTHING: &str = "There is nothing to report.\n";

fn moment(at: Option<DateTime<Utc>>) -> String {
    at.map(clock::in_column).unwrap_or_default()
}

/// Which part of the log was read.
pub(super) fn span(span: &SpanView) -> String {
    let SpanView { first, from, last, to } = span;
    format!("lines {first} to {last}, {} to {}", clock::with_zone(*from), clock::with_zone(*to))
}

pub(super) fn standing(rows: &[StandingRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let mut table = Table::new(&["resource", "operations", "who", "reason", "uses", &clock::heading("last used")]);
    for row in rows {
        let who = if row.configured {
            row.who.join(", ")
        } else {
            format!("not in the configuration; {}", row.used_by.join(", "))
        };
        let last = if row.uses == 0 { "not used".to_owned() } else { moment(row.last_used) };
        table.row([&row.resource, &row.operations.join(", "), &who, &row.reason, &row.uses.to_string(), &last]);
    }
    table.render(width)
}

pub(super) fn grants(rows: &[GrantRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let (from, until) = (clock::heading("from"), clock::heading("until"));
    let mut table = Table::new(&[
        "grant",
        "role",
        "subject",
        "opens",
        "reason",
        "ticket",
        &from,
        &until,
        "end",
        "approved by",
        "uses",
    ]);
    for row in rows {
        let by = basis(row);
        let (from, until, end) = times(row);
        table.row([
            &*row.grant,
            &row.role,
            &row.subject,
            &opens(row.scope.as_deref()),
            row.reason.as_deref().unwrap_or_default(),
            row.ticket.as_deref().unwrap_or_default(),
            &from,
            &until,
            &end,
            &by,
            &row.uses.to_string(),
        ]);
    }
    table.render(width)
}

pub(super) fn break_glass(rows: &[GrantRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let (from, until) = (clock::heading("from"), clock::heading("until"));
    let signed = clock::heading("signed off");
    let mut table = Table::new(&[
        "grant",
        "role",
        "subject",
        "reason",
        &from,
        &until,
        "uses",
        "signed off by",
        &signed,
        "with these words",
    ]);
    for row in rows {
        let (from, until, _) = times(row);
        table.row([
            &*row.grant,
            &row.role,
            &row.subject,
            row.reason.as_deref().unwrap_or_default(),
            &from,
            &until,
            &row.uses.to_string(),
            row.signed_off_by.as_deref().unwrap_or("NOBODY YET"),
            &moment(row.signed_off),
            row.signed_off_reason.as_deref().unwrap_or_default(),
        ]);
    }
    table.render(width)
}

fn basis(row: &GrantRow) -> String {
    match (row.break_glass, row.automatic, &row.signed_off_by) {
        (true, _, Some(auditor)) => format!("BREAK-GLASS, signed off by {auditor}"),
        (true, _, None) => "BREAK-GLASS, unsigned".to_owned(),
        (false, Some(rule), _) => format!("rule {rule}"),
        (false, None, _) => row.approved_by.join(", "),
    }
}

/// From when, until when, and how it ended.
fn times(row: &GrantRow) -> (String, String, String) {
    let end = row.end.clone().unwrap_or_default();
    match (row.began, row.from) {
        (Some(false), None) => ("never began".to_owned(), moment(row.ended), end),
        (Some(false), Some(from)) => (clock::in_column(from), moment(row.until), "not begun yet".to_owned()),
        (_, None) => ("not known".to_owned(), moment(row.ended.or(row.until)), end),
        (_, Some(from)) => {
            let over = match (row.ended, row.until) {
                (Some(ended), Some(until)) => Some(ended.min(until)),
                (ended, until) => ended.or(until),
            };
            (clock::in_column(from), moment(over), end)
        }
    }
}

fn opens(scope: Option<&[ScopeView]>) -> String {
    let Some(scope) = scope else { return "not known".to_owned() };
    let entry = |entry: &ScopeView| {
        let attributes = entry.attributes.as_ref().map(|names| format!(" of {}", names.join(", "))).unwrap_or_default();
        format!("{}: {}{attributes} at {} ({})", entry.resource, entry.operations.join(", "), entry.base, entry.scope)
    };
    scope.iter().map(entry).collect::<Vec<_>>().join("; ")
}

pub(super) fn refused(rows: &[RefusedRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let last = clock::heading("last");
    let mut table = Table::new(&["times", "subject", "operation", "resources", "refused by", "reason", &last]);
    for row in rows {
        let resources = row.resources.join(", ");
        let times = row.count.to_string();
        table.row([&times, &row.subject, &row.operation, &resources, &row.by, &row.reason, &moment(row.last)]);
    }
    table.render(width)
}

/// What would lose nothing comes last, and says so.
pub(super) fn monitored(rows: &[MonitoredRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let last = clock::heading("last");
    let mut table = Table::new(&[
        "enforcing",
        "times",
        "subject",
        "from",
        "operation",
        "resources",
        "entries",
        "attributes",
        &last,
    ]);
    for row in rows {
        let would = match &*row.outcome {
            "refused" => format!("would refuse it: {}", row.reason),
            "loses" => "would take something out".to_owned(),
            "nothing" => "would change nothing".to_owned(),
            _ => "not known".to_owned(),
        };
        let mut entries = if row.withheld > 0 { row.withheld.to_string() } else { String::new() };
        if row.undecided > 0 {
            entries = format!("{} to {}", row.withheld, row.withheld + row.undecided);
        }
        let attributes =
            if row.cut > 0 { format!("{}: {}", row.cut, row.attributes.join(", ")) } else { String::new() };
        table.row([
            &would,
            &row.count.to_string(),
            &row.subject,
            &row.address,
            &row.operation,
            &row.resources.join(", "),
            &entries,
            &attributes,
            &moment(row.last),
        ]);
    }
    table.render(width)
}

pub(super) fn access(view: &ReportView, width: Option<usize>) -> String {
    if view.could.is_empty() && view.did.is_empty() {
        return "Nobody could, and nobody did.\n".to_owned();
    }
    let (from, until) = (clock::heading("from"), clock::heading("until"));
    let mut could = Table::new(&["who could", "by", "what", &from, &until, "approved by", "reason", "uses"]);
    for row in &view.could {
        let CouldRow { basis: by, who, from, until, operations, reason, grant, configuration } = row;
        let what = match grant {
            Some(grant) => format!("{} ({}): {}", grant.grant, grant.role, opens(grant.scope.as_deref())),
            None if operations.is_empty() => "everything".to_owned(),
            None => operations.join(", "),
        };
        let approved = grant.as_ref().map(|grant| basis(grant));
        let approved = approved.or_else(|| configuration.as_ref().map(|digest| format!("configuration {digest}")));
        could.row([
            &who.join(", "),
            by,
            &what,
            &moment(*from),
            &moment(*until),
            &approved.unwrap_or_default(),
            reason.as_deref().unwrap_or_default(),
            &grant.as_ref().map(|grant| grant.uses.to_string()).unwrap_or_default(),
        ]);
    }
    let mut did =
        Table::new(&["who did", "from", "by", "what", "times", &clock::heading("first"), &clock::heading("last")]);
    for row in &view.did {
        let by = if row.by.is_empty() { row.basis.clone() } else { format!("{}: {}", row.basis, row.by) };
        let (first, last) = (moment(row.first), moment(row.last));
        let operations = row.operations.join(", ");
        did.row([&row.subject, &row.address, &by, &operations, &row.count.to_string(), &first, &last]);
    }
    let mut text = String::new();
    match view.could.is_empty() {
        true => text.push_str("Nobody is known who could.\n"),
        false => text.push_str(&could.render(width)),
    }
    text.push('\n');
    match view.did.is_empty() {
        true => text.push_str("Nobody did.\n"),
        false => text.push_str(&did.render(width)),
    }
    text
}

pub(super) fn policy(rows: &[PolicyRow], width: Option<usize>) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let each = rows.iter().map(|row| {
        let mut details = Details::default();
        let by = row.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        details.line("time", clock::with_zone(row.time));
        details.line("what", format!("{}{by}", row.event));
        details.line("mode", row.mode.as_deref().unwrap_or_default());
        let before = row.before.as_ref().filter(|before| Some(*before) != row.configuration.as_ref());
        let before = before.map(|before| format!(", before {before}")).unwrap_or_default();
        details.line("configuration", row.configuration.as_ref().map_or(String::new(), |now| format!("{now}{before}")));
        for (name, lines) in
            [("OPENS", &row.opens), ("changes", &row.changes), ("closes", &row.closes), ("error", &row.errors)]
        {
            lines.iter().for_each(|line| details.line(name, line));
        }
        details.render(width)
    });
    each.collect::<Vec<_>>().join("\n")
}
