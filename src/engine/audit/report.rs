//! What many lines of the log come to: counted as they pass by, in bounded memory. What finds no room any more is
//! counted too: a report that is not of all lines says so.

pub mod access;
pub mod grants;
pub mod monitored;

use super::query::Line;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many different things a report tells apart.
const ROWS: usize = 10_000;
/// So many names one of them lists.
const NAMES: usize = 20;

/// A period that is asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// From this moment on; `None`: from the beginning.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment; `None`: until now.
    pub until: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether what lasted from then until then (`None`: it lasts) reaches into the period. One moment is in it from its
    /// beginning on, and before its end.
    pub fn overlaps(&self, from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> bool {
        let not_over = |since| to.is_none_or(|to| to > since || to == from && to >= since);
        self.since.is_none_or(not_over) && self.until.is_none_or(|until| from < until)
    }
}

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
    pub(super) fn add(&mut self, line: &Line) {
        let (first, last) = (line.first.unwrap_or(line.time), line.last.unwrap_or(line.time));
        self.count += line.repeated.unwrap_or(1);
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(last, |known| known.max(last)));
    }
}

/// The address of a client, without its port.
fn address(connection_from: Option<&str>) -> String {
    let whole = connection_from.unwrap_or_default();
    whole.rsplit_once(':').map_or(whole, |(address, _)| address).to_owned()
}

/// Who has refused something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refuser {
    /// The gate refused an operation.
    Gate,
    /// The directory did: a wrong password, or rights that it does not give.
    Directory,
    /// A login at the control port failed.
    Login,
    /// A step of the workflow, or another call of the control API, was not allowed.
    Workflow,
}

impl Refuser {
    /// What reports call it.
    pub fn word(self) -> &'static str {
        match self {
            Refuser::Gate => "gate",
            Refuser::Directory => "directory",
            Refuser::Login => "login",
            Refuser::Workflow => "workflow",
        }
    }
}

/// Result codes by which a directory denies something (RFC 4511 4.1.9), and what they mean.
const DENIALS: [(u32, &str); 4] = [
    (8, "stronger authentication required (8)"),
    (48, "inappropriate authentication (48)"),
    (49, "invalid credentials (49)"),
    (50, "insufficient access rights (50)"),
];

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// By whom.
    pub by: Refuser,
    /// Of whom.
    pub subject: String,
    /// Which operation.
    pub operation: String,
    /// Of what was not held.
    pub resources: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Counts what was refused.
#[derive(Debug, Default)]
pub struct Refusals {
    rows: HashMap<Refused, Tally>,
    left_out: u64,
}

impl Refusals {
    /// Another line.
    pub fn see(&mut self, line: &Line) {
        let Some(row) = Refused::of(line) else { return };
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

impl Refused {
    /// `None`: the line says that something was done.
    fn of(line: &Line) -> Option<Refused> {
        // Whoever binds is nobody yet, and is to become whom the bind names.
        let subject = || match line.operation.as_deref() {
            Some("bind") => line.target.clone().or_else(|| line.subject.clone()),
            Some(_) | None => line.subject.clone(),
        };
        let operation = |by, reason: String| Refused {
            by,
            subject: subject().unwrap_or_default(),
            operation: line.operation.clone().unwrap_or_default(),
            resources: line.resources.clone().unwrap_or_default(),
            reason,
        };
        match (line.event.as_deref(), line.decision.as_deref()) {
            (Some("refused"), _) => {
                let attempt = line.attempt.clone().unwrap_or_default();
                let login = attempt == "log in";
                let who = line.acting_as.clone().or_else(|| line.by.clone());
                // Who logs in is nobody yet.
                let who = if login { line.about.clone().filter(|about| !about.is_empty()).or(who) } else { who };
                Some(Refused {
                    by: if login { Refuser::Login } else { Refuser::Workflow },
                    subject: who.unwrap_or_default(),
                    operation: attempt,
                    resources: Vec::new(),
                    reason: line.reason.clone().unwrap_or_default(),
                })
            }
            (Some(_), _) => None,
            (None, Some("refused")) => Some(operation(Refuser::Gate, line.reason.clone().unwrap_or_default())),
            (None, _) => {
                let (_, why) = DENIALS.iter().find(|(code, _)| Some(*code) == line.result)?;
                Some(operation(Refuser::Directory, (*why).to_owned()))
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn line(fields: &str) -> Line {
        Line::parse(format!("{{\"seq\":1,\"time\":\"2026-11-20T17:48:{fields}}}").as_bytes()).unwrap()
    }

    pub(super) fn at(text: &str) -> Option<DateTime<Utc>> {
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
            report.see(&line(&format!(r#"01Z","decision":"refused","subject":"{number}""#)));
        }
        report.see(&line(r#"02Z","decision":"refused","subject":"0""#));
        let (rows, left_out) = report.finish();
        assert_eq!((rows.len(), left_out, rows[0].1.count), (ROWS, 7, 2));
    }

    #[test]
    fn refusals_of_the_workflow_and_of_the_directory_count_as_well() {
        let mut report = Refusals::default();
        for fields in [
            r#"01Z","event":"refused","attempt":"approve","about":"req-1","by":"bob","reason":"own-request""#,
            r#"01Z","event":"refused","attempt":"log in","about":"uid=carl","by":"nobody","reason":"login-failed""#,
            r#"02Z","session":"s","operation":"bind","subject":"anonymous","target":"uid=bob","decision":"permitted","result":49"#,
            r#"02Z","session":"s","operation":"bind","subject":"anonymous","target":"uid=bob","decision":"permitted","result":49"#,
            r#"03Z","session":"s","operation":"modify","subject":"uid=bob","target":"dc=x","decision":"permitted","result":50"#,
            r#"04Z","session":"s","operation":"search","subject":"uid=bob","decision":"permitted","result":0"#,
            r#"04Z","session":"s","operation":"search","subject":"uid=bob","decision":"monitored","result":0"#,
            r#"04Z","event":"approved","by":"bob""#,
        ] {
            report.see(&line(fields));
        }
        let (rows, _) = report.finish();
        let told: Vec<_> =
            rows.iter().map(|(row, t)| (row.by.word(), &*row.subject, &*row.operation, t.count)).collect();
        assert_eq!(
            told,
            [
                ("directory", "uid=bob", "bind", 2),
                ("workflow", "bob", "approve", 1),
                ("directory", "uid=bob", "modify", 1),
                ("login", "uid=carl", "log in", 1),
            ]
        );
        assert_eq!(rows[0].0.reason, "invalid credentials (49)");
    }

    #[test]
    fn a_period_holds_its_first_moment_and_not_its_last() {
        let period = Period { since: at("10"), until: at("20") };
        for (from, to, within) in [
            ("05", "10", false),
            ("05", "11", true),
            ("10", "10", true),
            ("19", "30", true),
            ("20", "30", false),
            ("20", "20", false),
        ] {
            assert_eq!(period.overlaps(at(from).unwrap(), at(to)), within, "{from} {to}");
        }
        assert!(period.overlaps(at("01").unwrap(), None));
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
