//! Lines of the log for people: who, what, and what came of it. Whatever they hold, each stays one line.

use crate::cli::clock;
use crate::cli::table::Table;
use crate::cli::text::visible;
use crate::engine::audit::query::Line;
use serde_json::value::RawValue;

/// A table of them.
pub(super) fn table(lines: &[Box<RawValue>], width: Option<usize>) -> String {
    if lines.is_empty() {
        return "There is no such line.\n".to_owned();
    }
    let mut table = Table::new(&[&clock::heading("time"), "who", "what", "came of it", "rests on"]);
    for cells in lines.iter().filter_map(|line| cells(line)) {
        table.row(&cells);
    }
    table.render(width)
}

/// One below the other, as they come.
pub(super) fn plain(lines: &[Box<RawValue>]) -> String {
    let mut text = String::new();
    for cells in lines.iter().filter_map(|line| cells(line)) {
        let cells: Vec<_> = cells.iter().filter(|cell| !cell.is_empty()).map(|cell| visible(cell)).collect();
        text.push_str(&cells.join("  "));
        text.push('\n');
    }
    text
}

fn cells(line: &RawValue) -> Option<[String; 5]> {
    let line = Line::parse(line.get().as_bytes()).ok()?;
    let time = clock::in_column(line.time);
    Some(match &line.event {
        Some(event) => [time, actor(&line), deed(event, &line), consequence(&line), ids(&line)],
        None => [time, text(&line.subject), operation(&line), outcome(&line), ids(&line)],
    })
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

fn actor(line: &Line) -> String {
    if let (None, Some(signal)) = (&line.by, &line.signal) {
        return format!("signal {signal}");
    }
    match (&line.by, &line.acting_as) {
        (Some(by), Some(acts)) => format!("{acts} (really {by})"),
        (Some(by), None) => by.clone(),
        (None, _) => String::new(),
    }
}

fn deed(event: &str, line: &Line) -> String {
    let subject = line.subject.as_ref().map(|subject| format!("for {subject}"));
    let broke = line.break_glass.filter(|broke| *broke).map(|_| "BREAK-GLASS".to_owned());
    let parts = [&line.attempt, &line.what, &line.about, &line.file, &line.role, &subject, &line.session, &broke];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).filter(|part| !part.is_empty()).collect();
    [&[event][..], &parts].concat().join(" ")
}

/// Why it was done, and what it has changed.
fn consequence(line: &Line) -> String {
    let mut parts: Vec<String> = line.reason.iter().cloned().collect();
    let mode = line.mode.iter().map(|mode| format!("mode {mode}"));
    parts.extend(mode.chain(line.configuration.iter().map(|digest| format!("configuration {digest}"))));
    let lines = |name: &'static str, lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| format!("{name} {line}")).collect()
    };
    parts.extend(lines("OPENS", line.opens.as_deref().unwrap_or_default()));
    parts.extend(lines("changes", &line.changed()));
    parts.extend(lines("closes", line.closes.as_deref().unwrap_or_default()));
    parts.extend(lines("error", line.errors.as_deref().unwrap_or_default()));
    parts.extend(line.ticket.iter().map(|ticket| format!("ticket {ticket}")));
    parts.join("; ")
}

fn operation(line: &Line) -> String {
    let what = [line.operation.as_deref().unwrap_or("?"), line.target.as_deref().unwrap_or_default()];
    what.join(" ").trim_end().to_owned()
}

fn outcome(line: &Line) -> String {
    let mut text = text(&line.decision);
    if let Some(reason) = &line.reason {
        text.push_str(&format!(": {reason}"));
    }
    if let Some(resources) = line.resources.as_ref().filter(|resources| !resources.is_empty()) {
        text.push_str(&format!(" ({})", resources.join(", ")));
    }
    if let Some(code) = line.result.filter(|code| *code != 0) {
        text.push_str(&format!(", code {code}"));
    }
    for (count, what) in [(line.entries, "entries"), (line.withheld, "withheld"), (line.cut, "cut")] {
        if let Some(count) = count.filter(|count| *count > 0) {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    if line.begun().is_some() {
        text.push_str(", not ended");
    }
    if let Some(times) = line.repeated {
        text.push_str(&format!(", {times} times"));
    }
    text
}

fn ids(line: &Line) -> String {
    let mut text = line.grant.clone().or_else(|| line.request.clone()).unwrap_or_default();
    if line.event.is_none() && line.break_glass == Some(true) {
        text.push_str(", BREAK-GLASS");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        plain(&[RawValue::from_string(json.to_owned()).unwrap()])
    }

    #[test]
    fn operations_and_events_are_one_line_each() {
        assert_eq!(
            shown(
                r#"{"seq":1,"time":"2026-11-20T17:48:13.000412Z","subject":"uid=alice,dc=x","operation":"search",
                "target":"ou=payroll,dc=x\u001b[2J","decision":"refused","reason":"not held","resources":["payroll"],"result":50}"#
            ),
            "2026-11-20 17:48:13  uid=alice,dc=x  search ou=payroll,dc=x\\u{1b}[2J  refused: not held (payroll), code 50\n"
        );
        assert_eq!(
            shown(
                r#"{"seq":1,"time":"2026-11-20T17:48:13Z","event":"approved","by":"local:root","acting_as":"uid=bob,dc=x",
                "role":"reader","subject":"uid=alice,dc=x","grant":"grant-1","request":"req-1","reason":"go\non"}"#
            ),
            "2026-11-20 17:48:13  uid=bob,dc=x (really local:root)  approved reader for uid=alice,dc=x  go\\non  grant-1\n"
        );
        let (refused, begun) = (
            shown(
                r#"{"seq":1,"time":"2026-11-20T17:48:13Z","subject":"anonymous","operation":"search","target":"dc=x",
                "decision":"refused","reason":"not held","repeated":31}"#,
            ),
            shown(
                r#"{"seq":1,"time":"2026-11-20T17:48:13Z","subject":"uid=alice,dc=x","phase":"begun","operation_id":"1-2-3",
                "operation":"search","target":"dc=x","decision":"permitted","reason":"grant","grant":"grant-1"}"#,
            ),
        );
        assert!(refused.ends_with("refused: not held, 31 times\n"), "{refused}");
        assert!(begun.ends_with("permitted: grant, not ended  grant-1\n"), "{begun}");
        assert_eq!(table(&[], None), "There is no such line.\n");
    }
}
