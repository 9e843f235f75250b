//! What many lines of the log come to: counted as they pass by, in bounded memory. What finds no room any more is
//! counted too ([`Counts::left_out`]): a report that is cut says so.

use super::query::Line;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many different things a report tells apart.
const ROWS: usize = 10_000;
/// So many names one of them lists.
const NAMES: usize = 20;

/// How often, and when first and last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Option<DateTime<Utc>>,
    /// The last time.
    pub last: Option<DateTime<Utc>>,
}

impl Tally {
    /// A line may stand for several operations that are alike.
    fn add(&mut self, line: &Line) {
        let (first, last) = (line.first.unwrap_or(line.time), line.last.unwrap_or(line.time));
        self.count += line.repeated.unwrap_or(1);
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(last, |known| known.max(last)));
    }
}

/// What was refused, or would have been.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// Of whom.
    pub subject: String,
    /// Which operation.
    pub operation: String,
    /// Of what was not held.
    pub resources: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Counts what has one decision.
#[derive(Debug, Default)]
pub struct Refusals {
    rows: HashMap<Refused, Tally>,
    left_out: u64,
}

impl Refusals {
    /// Another line.
    pub fn see(&mut self, line: &Line) {
        let row = Refused {
            subject: line.subject.clone().unwrap_or_default(),
            operation: line.operation.clone().unwrap_or_default(),
            resources: line.resources.clone().unwrap_or_default(),
            reason: line.reason.clone().unwrap_or_default(),
        };
        let full = self.rows.len() >= ROWS;
        match self.rows.get_mut(&row) {
            Some(tally) => tally.add(line),
            None if full => self.left_out += 1,
            None => self.rows.entry(row).or_default().add(line),
        }
    }

    /// The most often refused first; and how many lines found no room.
    pub fn finish(self) -> (Vec<(Refused, Tally)>, u64) {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_by(|(a, x), (b, y)| {
            y.count
                .cmp(&x.count)
                .then_with(|| (&a.subject, &a.operation, &a.resources).cmp(&(&b.subject, &b.operation, &b.resources)))
        });
        (rows, self.left_out)
    }
}

/// What was done with standing access: whose, and what it opened, by the reason that the configuration gives for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// How often.
    pub tally: Tally,
    /// By whom; the first twenty.
    pub subjects: BTreeSet<String>,
}

/// Counts uses of standing access.
#[derive(Debug, Default)]
pub struct Standings {
    rows: BTreeMap<(String, String), Use>,
    left_out: u64,
}

impl Standings {
    /// Another line.
    pub fn see(&mut self, line: &Line) {
        for held in line.standing.iter().flatten() {
            let (resource, reason) = held.split_once(": ").unwrap_or((held, ""));
            let key = (resource.to_owned(), reason.to_owned());
            if self.rows.len() >= ROWS && !self.rows.contains_key(&key) {
                self.left_out += 1;
                continue;
            }
            let row = self.rows.entry(key).or_default();
            row.tally.add(line);
            if let Some(subject) = line.subject.as_ref().filter(|_| row.subjects.len() < NAMES) {
                row.subjects.insert(subject.clone());
            }
        }
    }

    /// By resource and reason; and how many uses found no room.
    pub fn finish(self) -> (BTreeMap<(String, String), Use>, u64) {
        (self.rows, self.left_out)
    }
}

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
    /// Who approved it, in order.
    pub approved_by: Vec<String>,
    /// The rule that approved it.
    pub automatic: Option<u32>,
    pub break_glass: bool,
    pub signed_off_by: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// `expired`, `released` or `revoked`; `None`: it has not ended.
    pub end: Option<String>,
    pub ended: Option<DateTime<Utc>>,
    pub ended_by: Option<String>,
    /// Operations that rested on it.
    pub uses: Tally,
}

/// Gathers what is said of each grant.
#[derive(Debug, Default)]
pub struct Grants {
    rows: HashMap<String, Granted>,
    left_out: u64,
}

impl Grants {
    /// Another line.
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

    /// An operation may rest on several, in the same order in each field.
    fn used(&mut self, line: &Line, requests: &str) {
        let part = |all: &Option<String>, position: usize| {
            all.as_deref().and_then(|all| all.split(',').nth(position)).unwrap_or_default().to_owned()
        };
        for (position, request) in requests.split(',').enumerate() {
            let Some(row) = self.row(request) else { continue };
            row.uses.add(line);
            if row.grant.is_empty() {
                row.grant = part(&line.grant, position);
                row.role = part(&line.role, position);
            }
            if row.subject.is_empty() {
                row.subject = line.subject.clone().unwrap_or_default();
            }
        }
    }

    /// Those that became a grant, the oldest first; and how many lines found no room.
    pub fn finish(self) -> (Vec<Granted>, u64) {
        let mut rows: Vec<Granted> = self.rows.into_values().filter(|row| !row.grant.is_empty()).collect();
        rows.sort_by(|a, b| (a.from, &a.grant).cmp(&(b.from, &b.grant)));
        (rows, self.left_out)
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
    let who = line.acting_as.clone().or_else(|| line.by.clone());
    match event {
        "requested" => {
            row.asked_by = who;
            row.reason.clone_from(&line.reason);
        }
        "approved" => {
            row.approved_by.extend(who.filter(|who| !row.approved_by.contains(who) && row.approved_by.len() < NAMES))
        }
        "released" | "revoked" | "expired" => {
            row.end = Some(event.to_owned());
            row.ended = Some(line.time);
            row.ended_by = who;
        }
        "signed-off" => row.signed_off_by = who,
        // What else happens to a request changes nothing of this.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &str) -> Line {
        Line::parse(format!("{{\"seq\":1,\"time\":\"2026-11-20T17:48:{fields}}}").as_bytes()).unwrap()
    }

    fn at(text: &str) -> Option<DateTime<Utc>> {
        Some(format!("2026-11-20T17:48:{text}Z").parse().unwrap())
    }

    #[test]
    fn refusals_are_counted_by_what_they_are_about() {
        let mut report = Refusals::default();
        let of = |second: u32, who: &str, what: &str| {
            line(&format!(
                r#"{second:02}Z","subject":"{who}","operation":"search","resources":["{what}"],"reason":"not held","decision":"refused""#
            ))
        };
        for (second, who, what) in [(1, "b", "payroll"), (9, "a", "payroll"), (3, "a", "payroll"), (4, "a", "secret")] {
            report.see(&of(second, who, what));
        }
        let (rows, left_out) = report.finish();
        let told: Vec<_> = rows.iter().map(|(row, tally)| (&*row.subject, &*row.resources[0], tally.count)).collect();
        assert_eq!((told, left_out), (vec![("a", "payroll", 2), ("a", "secret", 1), ("b", "payroll", 1)], 0));
        assert_eq!((rows[0].1.first, rows[0].1.last), (at("03"), at("09")));
    }

    #[test]
    fn a_line_that_stands_for_many_counts_as_many() {
        let mut report = Refusals::default();
        report.see(&line(r#"05Z","subject":"a","operation":"search","decision":"refused""#));
        report.see(&line(
            r#"06Z","subject":"a","operation":"search","decision":"refused","repeated":40,"first":"2026-11-20T17:48:06Z","last":"2026-11-20T17:48:07Z""#,
        ));
        let (rows, _) = report.finish();
        assert_eq!((rows.len(), rows[0].1.count, rows[0].1.first, rows[0].1.last), (1, 41, at("05"), at("07")));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut report = Refusals::default();
        for number in 0..ROWS + 7 {
            report.see(&line(&format!(r#"01Z","subject":"{number}""#)));
        }
        report.see(&line(r#"02Z","subject":"0""#));
        let (rows, left_out) = report.finish();
        assert_eq!((rows.len(), left_out, rows[0].1.count), (ROWS, 7, 2));
    }

    #[test]
    fn a_grant_is_told_from_request_to_sign_off() {
        let mut report = Grants::default();
        for fields in [
            r#"01Z","event":"requested","request":"req-1","grant":null,"role":"reader","subject":"a","by":"a","reason":"HR-1","break_glass":false"#,
            r#"02Z","event":"approved","request":"req-1","grant":null,"role":"reader","subject":"a","by":"b""#,
            r#"03Z","event":"approved","request":"req-1","grant":"grant-1","role":"reader","subject":"a","by":"local:x","acting_as":"c""#,
            r#"03Z","event":"activated","request":"req-1","grant":"grant-1","by":"tidegate","from":"2026-11-20T17:48:03Z","until":"2026-11-20T18:48:03Z""#,
            r#"04Z","operation":"search","subject":"a","request":"req-1,req-2","grant":"grant-1,grant-2","role":"reader,editor""#,
            r#"05Z","operation":"search","subject":"a","request":"req-1","grant":"grant-1","role":"reader""#,
            r#"06Z","operation":"search","subject":"a","request":null,"grant":null,"role":null"#,
            r#"07Z","event":"revoked","request":"req-1","grant":"grant-1","by":"root","reason":"enough""#,
            r#"08Z","event":"requested","request":"req-3","grant":null,"role":"reader","subject":"z","by":"z""#,
            r#"08Z","event":"requested","request":"req-4","grant":"grant-4","role":"reader","subject":"z","by":"z","break_glass":true"#,
            r#"09Z","event":"signed-off","request":"req-4","grant":"grant-4","by":"auditor""#,
        ] {
            report.see(&line(fields));
        }
        let (rows, left_out) = report.finish();
        let ids: Vec<&str> = rows.iter().map(|row| &*row.grant).collect();
        assert_eq!((ids, left_out), (vec!["grant-2", "grant-4", "grant-1"], 0), "{rows:#?}");
        let one = &rows[2];
        assert_eq!((one.approved_by.join(" "), one.uses.count, one.uses.last), ("b c".to_owned(), 2, at("05")));
        assert_eq!((one.end.as_deref(), one.ended_by.as_deref(), one.ended), (Some("revoked"), Some("root"), at("07")));
        assert_eq!((one.reason.as_deref(), one.from, one.break_glass), (Some("HR-1"), at("03"), false));
        assert_eq!((rows[0].role.as_str(), rows[0].uses.count), ("editor", 1));
        assert_eq!((rows[1].break_glass, rows[1].signed_off_by.as_deref()), (true, Some("auditor")));
    }

    #[test]
    fn standing_access_is_counted_by_resource_and_reason() {
        let mut report = Standings::default();
        for fields in [
            r#"01Z","subject":"a","standing":["payroll: nightly: HR-1","hashes: IT-7"]"#,
            r#"02Z","subject":"b","standing":["payroll: nightly: HR-1"]"#,
            r#"03Z","subject":"b","standing":null"#,
        ] {
            report.see(&line(fields));
        }
        let (rows, left_out) = report.finish();
        let key = ("payroll".to_owned(), "nightly: HR-1".to_owned());
        assert_eq!((rows.len(), rows[&key].tally.count, rows[&key].subjects.len(), left_out), (2, 2, 2, 0));
    }
}
