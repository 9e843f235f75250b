//! What became of requests that led to a grant: gathered from what their events say, and counted where they were used.

use super::super::query::Line;
use super::{NAMES, Period, ROWS, Tally};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::HashMap;

/// What became of a request, as far as the lines tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the events")]
pub struct Granted {
    pub request: String,
    pub grant: String,
    pub role: String,
    pub subject: String,
    pub asked_by: Option<String>,
    pub reason: Option<String>,
    pub ticket: Option<String>,
    /// As it was requested.
    pub duration: Option<String>,
    /// As the events have it: a list of entries.
    pub scope: Option<Value>,
    /// Who approved it, in order.
    pub approved_by: Vec<String>,
    /// The rule that approved it.
    pub automatic: Option<u32>,
    pub break_glass: bool,
    pub signed_off_by: Option<String>,
    pub signed_off: Option<DateTime<Utc>>,
    /// What the auditor said of it.
    pub signed_off_reason: Option<String>,
    /// When it was decided.
    pub granted: Option<DateTime<Utc>>,
    /// Whether it ever opened anything. Not known of one whose events are not in the log.
    pub began: Option<bool>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// `expired`, `released` or `revoked`; `None`: it has not ended.
    pub end: Option<String>,
    pub ended: Option<DateTime<Utc>>,
    pub ended_by: Option<String>,
    pub end_reason: Option<String>,
    /// Operations that depended on it.
    pub uses: Tally,
    /// Of these, those that touched the resource that is asked about; of any, where none is.
    pub touched: Tally,
}

/// Gathers what is said of each grant.
#[derive(Debug, Default)]
pub struct Grants {
    rows: HashMap<String, Granted>,
    resource: Option<String>,
    left_out: u64,
}

impl Grants {
    /// Counts uses of this resource apart.
    pub fn of_resource(resource: &str) -> Grants {
        Grants { resource: Some(resource.to_owned()), ..Grants::default() }
    }

    /// Another line. Events are wanted from before and after the period, too.
    pub fn see(&mut self, line: &Line) {
        let Some(requests) = line.request.as_deref() else { return };
        match line.event.as_deref() {
            None => self.used(line, requests),
            Some(event) => {
                if let Some(row) = self.row(requests) {
                    happened(row, event, line);
                }
            }
        }
    }

    fn row(&mut self, request: &str) -> Option<&mut Granted> {
        if self.rows.len() >= ROWS && !self.rows.contains_key(request) {
            self.left_out += 1;
            return None;
        }
        let row = self.rows.entry(request.to_owned()).or_default();
        row.request = request.to_owned();
        Some(row)
    }

    /// An operation may depend on several, in the same order in each field.
    fn used(&mut self, line: &Line, requests: &str) {
        let part = |all: &Option<String>, position: usize| {
            all.as_deref().and_then(|all| all.split(',').nth(position)).unwrap_or_default().to_owned()
        };
        let touches = self.resource.as_ref().is_none_or(|resource| line.touches(resource));
        for (position, request) in requests.split(',').enumerate() {
            let grant = part(&line.grant, position);
            if grant.is_empty() {
                // A refused operation that has asked for a role.
                continue;
            }
            let Some(row) = self.row(request) else { continue };
            row.uses.add(line);
            if touches {
                row.touched.add(line);
            }
            if row.grant.is_empty() {
                row.grant = grant;
                row.role = part(&line.role, position);
            }
            if row.subject.is_empty() {
                row.subject = line.subject.clone().unwrap_or_default();
            }
        }
    }

    /// Grants that were in force within the period, or decided in it where they have not begun; the oldest first. And how
    /// many lines found no room.
    pub fn finish(self, period: &Period) -> (Vec<Granted>, u64) {
        let whole = self.rows.into_values().filter(|row| !row.grant.is_empty()).map(Granted::settled);
        let mut rows: Vec<Granted> = whole.filter(|row| row.reaches(period)).collect();
        rows.sort_by(|a, b| (a.from.or(a.granted), &a.grant).cmp(&(b.from.or(b.granted), &b.grant)));
        (rows, self.left_out)
    }
}

impl Granted {
    /// One that ended before its beginning never began: it has no period.
    fn settled(mut self) -> Granted {
        let before = |from: DateTime<Utc>| self.ended.is_some_and(|ended| ended <= from);
        if self.from.is_some_and(before) {
            self.began = Some(false);
        }
        if self.began == Some(false) && self.end.is_some() {
            (self.from, self.until) = (None, None);
        }
        self
    }

    /// When it was over: what was written down later changes nothing of that.
    fn over(&self) -> Option<DateTime<Utc>> {
        match (self.ended, self.until) {
            (Some(ended), Some(until)) => Some(ended.min(until)),
            (ended, until) => ended.or(until),
        }
    }

    fn reaches(&self, period: &Period) -> bool {
        match (self.from, self.granted) {
            (Some(from), _) => period.overlaps(from, self.over()),
            (None, Some(granted)) => period.overlaps(granted, self.ended.or(Some(granted))),
            // Its events are not in the log that was read.
            (None, None) => self.uses.count > 0 || self.ended.is_some_and(|ended| period.overlaps(ended, Some(ended))),
        }
    }

    /// Whether its scope names this resource; `None`: no event of it says what it opens.
    pub fn opens(&self, resource: &str) -> Option<bool> {
        let scope = self.scope.as_ref()?.as_array()?;
        Some(scope.iter().any(|entry| entry.get("resource").and_then(Value::as_str) == Some(resource)))
    }
}

fn happened(row: &mut Granted, event: &str, line: &Line) {
    let set = |to: &mut String, from: &Option<String>| {
        if let Some(from) = from {
            from.clone_into(to);
        }
    };
    set(&mut row.grant, &line.grant);
    set(&mut row.role, &line.role);
    set(&mut row.subject, &line.subject);
    row.from = line.from.or(row.from);
    row.until = line.until.or(row.until);
    row.break_glass |= line.break_glass == Some(true);
    row.automatic = line.automatic.or(row.automatic);
    if row.scope.is_none() {
        row.scope = line.scope.clone().filter(Value::is_array);
    }
    row.ticket = line.ticket.clone().or(row.ticket.take());
    if let Some(reason) = line.request_reason.clone().filter(|reason| !reason.is_empty()) {
        row.reason = Some(reason);
    }
    for who in line.approvers.iter().flatten() {
        approved(row, who.clone());
    }
    let who = line.acting_as.clone().or_else(|| line.by.clone());
    match event {
        "requested" => {
            row.asked_by = who;
            row.reason = line.reason.clone().or(row.reason.take());
            row.duration.clone_from(&line.duration);
        }
        "approved" => who.into_iter().for_each(|who| approved(row, who)),
        "granted" => {
            row.granted = Some(line.time);
            row.began.get_or_insert(false);
        }
        "activated" => row.began = Some(true),
        "released" | "revoked" | "expired" => {
            row.end = Some(event.to_owned());
            row.ended = Some(line.time);
            row.ended_by = who;
            row.end_reason.clone_from(&line.reason);
        }
        "signed-off" => {
            row.signed_off_by = who;
            row.signed_off = Some(line.time);
            row.signed_off_reason.clone_from(&line.reason);
        }
        // What else happens to a request changes nothing of this.
        _ => {}
    }
}

fn approved(row: &mut Granted, who: String) {
    if !row.approved_by.contains(&who) && row.approved_by.len() < NAMES {
        row.approved_by.push(who);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, line};
    use super::*;

    fn all(lines: &[&str], period: &Period) -> Vec<Granted> {
        let mut report = Grants::default();
        lines.iter().for_each(|fields| report.see(&line(fields)));
        report.finish(period).0
    }

    #[test]
    fn a_grant_is_told_from_request_to_sign_off() {
        let rows = all(
            &[
                r#"01Z","event":"requested","request":"req-1","grant":null,"role":"reader","subject":"a","by":"a","reason":"why","ticket":"HR-1","duration":"1h","scope":[{"resource":"payroll","base":"ou=p"}],"break_glass":false"#,
                r#"02Z","event":"approved","request":"req-1","grant":null,"role":"reader","subject":"a","by":"b""#,
                r#"03Z","event":"approved","request":"req-1","grant":"grant-1","role":"reader","subject":"a","by":"local:x","acting_as":"c","approvers":["b","c"]"#,
                r#"03Z","event":"granted","request":"req-1","grant":"grant-1","by":"tidegate","from":"2026-11-20T17:48:03Z","until":"2026-11-20T18:48:03Z""#,
                r#"03Z","event":"activated","request":"req-1","grant":"grant-1","by":"tidegate","from":"2026-11-20T17:48:03Z","until":"2026-11-20T18:48:03Z""#,
                r#"04Z","operation":"search","subject":"a","request":"req-1,req-2","grant":"grant-1,grant-2","role":"reader,editor""#,
                r#"05Z","operation":"search","subject":"a","request":"req-1","grant":"grant-1","role":"reader""#,
                r#"06Z","operation":"search","subject":"a","request":null,"grant":null,"role":null"#,
                r#"06Z","operation":"search","subject":"a","request":"req-9","grant":null,"role":"reader""#,
                r#"07Z","event":"revoked","request":"req-1","grant":"grant-1","by":"root","reason":"enough""#,
                r#"08Z","event":"requested","request":"req-3","grant":null,"role":"reader","subject":"z","by":"z""#,
                r#"08Z","event":"requested","request":"req-4","grant":"grant-4","role":"reader","subject":"z","by":"z","break_glass":true"#,
                r#"08Z","event":"granted","request":"req-4","grant":"grant-4","from":"2026-11-20T17:48:08Z","until":"2026-11-20T18:48:08Z""#,
                r#"08Z","event":"activated","request":"req-4","grant":"grant-4""#,
                r#"09Z","event":"signed-off","request":"req-4","grant":"grant-4","by":"auditor","reason":"looked at all of it""#,
            ],
            &Period::default(),
        );
        let ids: Vec<&str> = rows.iter().map(|row| &*row.grant).collect();
        assert_eq!(ids, ["grant-2", "grant-1", "grant-4"], "{rows:#?}");
        let one = &rows[1];
        assert_eq!((one.approved_by.join(" "), one.uses.count, one.uses.last), ("b c".to_owned(), 2, at("05")));
        assert_eq!((one.end.as_deref(), one.ended_by.as_deref(), one.ended), (Some("revoked"), Some("root"), at("07")));
        assert_eq!((one.reason.as_deref(), one.from, one.break_glass), (Some("why"), at("03"), false));
        assert_eq!((one.ticket.as_deref(), one.duration.as_deref()), (Some("HR-1"), Some("1h")));
        assert_eq!(
            (one.opens("payroll"), one.opens("other"), rows[0].opens("payroll")),
            (Some(true), Some(false), None)
        );
        assert_eq!((rows[0].role.as_str(), rows[0].uses.count), ("editor", 1));
        let glass = &rows[2];
        assert_eq!(
            (glass.break_glass, glass.signed_off_by.as_deref(), glass.signed_off),
            (true, Some("auditor"), at("09"))
        );
        assert_eq!(glass.signed_off_reason.as_deref(), Some("looked at all of it"));
    }

    const ONE: &[&str] = &[
        r#"10Z","event":"granted","request":"req-1","grant":"grant-1","from":"2026-11-20T17:48:10Z","until":"2026-11-20T17:48:40Z""#,
        r#"10Z","event":"activated","request":"req-1","grant":"grant-1","from":"2026-11-20T17:48:10Z","until":"2026-11-20T17:48:40Z""#,
        r#"30Z","event":"released","request":"req-1","grant":"grant-1""#,
    ];

    #[test]
    fn a_grant_is_in_the_report_of_every_period_that_it_reaches_into() {
        for (since, until, there) in [
            (None, None, true),
            (Some("11"), Some("12"), true),
            (Some("05"), Some("11"), true),
            (Some("29"), Some("50"), true),
            (Some("29"), None, true),
            (None, Some("11"), true),
            (Some("01"), Some("10"), false),
            (Some("30"), Some("50"), false),
            (Some("35"), None, false),
        ] {
            let period = Period { since: since.and_then(at), until: until.and_then(at) };
            assert_eq!(all(ONE, &period).len(), usize::from(there), "{since:?} {until:?}");
        }
    }

    /// One that was written down as expired late ended when its time was over.
    #[test]
    fn what_is_written_down_late_lasts_no_longer() {
        let late = [ONE[0], ONE[1], r#"55Z","event":"expired","request":"req-1","grant":"grant-1""#];
        let period = Period { since: at("45"), until: at("50") };
        assert_eq!(all(&late, &period), []);
    }

    #[test]
    fn a_grant_that_never_began_has_no_period() {
        let planned = r#"10Z","event":"granted","request":"req-1","grant":"grant-1","from":"2026-11-20T17:48:40Z","until":"2026-11-20T17:48:50Z""#;
        let active = r#"35Z","event":"activated","request":"req-1","grant":"grant-1","from":"2026-11-20T17:48:40Z""#;
        let released = r#"36Z","event":"released","request":"req-1","grant":"grant-1""#;
        for lines in [&[planned, released][..], &[planned, active, released]] {
            let row = &all(lines, &Period::default())[0];
            assert_eq!((row.from, row.until, row.ended, row.began), (None, None, at("36"), Some(false)), "{lines:?}");
        }
        let waiting = &all(&[planned], &Period::default())[0];
        assert_eq!((waiting.from, waiting.began), (at("40"), Some(false)));
    }
}
