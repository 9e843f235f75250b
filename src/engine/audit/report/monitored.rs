//! What monitoring saw: for each subject and application what enforcing would take away. What would lose nothing is kept
//! apart from what would.

use super::super::query::Line;
use super::{ROWS, Tally, address};
use std::collections::{BTreeSet, HashMap};

/// So many names of attributes a row lists.
const ATTRIBUTES: usize = 50;

/// What enforcing would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Refuse the operation.
    Refused,
    /// Take entries, or attributes of entries, out of the answer.
    Loses,
    /// It is not known: the record is of a version that did not find out, or the answer did not tell.
    Unknown,
    /// Nothing: the answer would be the same.
    Nothing,
}

impl Outcome {
    /// What reports call it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Refused => "refused",
            Outcome::Loses => "loses",
            Outcome::Unknown => "unknown",
            Outcome::Nothing => "nothing",
        }
    }
}

/// What rows are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are those of the log")]
pub struct Watched {
    pub outcome: Outcome,
    pub subject: String,
    /// Of the client, without its port.
    pub address: String,
    pub operation: String,
    pub resources: Vec<String>,
    pub reason: String,
}

/// What would be lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// Operations.
    pub tally: Tally,
    /// Entries that would be missing, over all of them.
    pub withheld: u64,
    /// Attributes that would be missing from entries that are shown.
    pub cut: u64,
    /// Their names.
    pub attributes: BTreeSet<String>,
    /// Entries of which it is not known.
    pub undecided: u64,
}

/// Counts what is monitored.
#[derive(Debug, Default)]
pub struct Monitored {
    rows: HashMap<Watched, Losses>,
    left_out: u64,
}

impl Monitored {
    /// Another line.
    pub fn see(&mut self, line: &Line) {
        if line.decision.as_deref() != Some("monitored") {
            return;
        }
        let (withheld, cut) = (line.withheld.unwrap_or(0), line.cut.unwrap_or(0));
        let undecided = line.undecided.unwrap_or(0);
        let outcome = match line.reason.as_deref() {
            Some("redacted") if withheld + cut > 0 => Outcome::Loses,
            Some("redacted") if line.would_redact.is_none() || undecided > 0 => Outcome::Unknown,
            Some("redacted") => Outcome::Nothing,
            Some(_) | None => Outcome::Refused,
        };
        let row = Watched {
            outcome,
            // Whoever binds is nobody yet.
            subject: match line.operation.as_deref() {
                Some("bind") => line.target.clone().or_else(|| line.subject.clone()),
                Some(_) | None => line.subject.clone(),
            }
            .unwrap_or_default(),
            address: address(line.connection_from.as_deref()),
            operation: line.operation.clone().unwrap_or_default(),
            resources: line.resources.clone().unwrap_or_default(),
            reason: line.reason.clone().unwrap_or_default(),
        };
        if self.rows.len() >= ROWS && !self.rows.contains_key(&row) {
            self.left_out += 1;
            return;
        }
        let losses = self.rows.entry(row).or_default();
        losses.tally.add(line);
        losses.withheld += withheld;
        losses.cut += cut;
        losses.undecided += undecided;
        for name in line.would_redact.iter().flatten() {
            if losses.attributes.len() < ATTRIBUTES {
                losses.attributes.insert(name.clone());
            }
        }
    }

    /// What would be refused first, then what would lose something, the most often first; and how many lines found no room.
    pub fn finish(self) -> (Vec<(Watched, Losses)>, u64) {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_by(|(a, x), (b, y)| {
            let key = |row: &Watched| (row.subject.clone(), row.address.clone(), row.operation.clone());
            (a.outcome, y.tally.count).cmp(&(b.outcome, x.tally.count)).then_with(|| key(a).cmp(&key(b)))
        });
        (rows, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::line;
    use super::*;

    #[test]
    fn what_would_lose_nothing_is_kept_apart_from_what_would() {
        let mut report = Monitored::default();
        for (who, port, rest) in [
            ("jenkins", 1, r#""reason":"redacted","withheld":0,"cut":0,"would_redact":[],"undecided":0"#),
            ("jenkins", 2, r#""reason":"redacted","withheld":0,"cut":0,"would_redact":[],"undecided":0"#),
            ("alice", 3, r#""reason":"redacted","withheld":3,"cut":2,"would_redact":["homePhone"],"undecided":1"#),
            ("alice", 4, r#""reason":"redacted","withheld":4,"cut":1,"would_redact":["mail"],"undecided":0"#),
            ("alice", 5, r#""reason":"not held""#),
            ("carol", 6, r#""reason":"redacted","withheld":0,"cut":0"#),
        ] {
            report.see(&line(&format!(
                r#"01Z","session":"s","connection_from":"192.0.2.1:{port}","subject":"{who}","operation":"search","decision":"monitored","resources":["payroll"],{rest}"#
            )));
        }
        let (rows, _) = report.finish();
        let told: Vec<_> = rows
            .iter()
            .map(|(row, losses)| (row.outcome.word(), &*row.subject, losses.tally.count, losses.withheld, losses.cut))
            .collect();
        assert_eq!(
            told,
            [
                ("refused", "alice", 1, 0, 0),
                ("loses", "alice", 2, 7, 3),
                ("unknown", "carol", 1, 0, 0),
                ("nothing", "jenkins", 2, 0, 0),
            ]
        );
        assert_eq!(rows[0].0.address, "192.0.2.1");
        assert_eq!(rows[1].1.attributes.iter().map(String::as_str).collect::<Vec<_>>(), ["homePhone", "mail"]);
        assert_eq!(rows[1].1.undecided, 1);
    }
}
