//! Records read back: what a line of the log says, and which lines somebody wants to see.

use crate::engine::ldap::Dn;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// The operations that a line may be about.
pub const OPERATIONS: &[&str] =
    &["bind", "unbind", "search", "compare", "add", "modify", "delete", "rename", "password", "extended", "abandon"];

/// What may have been decided.
pub const DECISIONS: &[&str] = &["permitted", "refused", "monitored", "ended"];

/// Every event that the log may hold.
pub const EVENTS: &[&str] = &[
    "activated",
    "answers withheld",
    "approved",
    "audit.acknowledged",
    "audit.broken",
    "audit.emptied",
    "audit.headless",
    "audit.lost",
    "audit.moved",
    "audit.read",
    "audit.repaired",
    "audit.reopened",
    "audit.repeated",
    "audit.resumed",
    "bound reached",
    "cancelled",
    "denied",
    "escalated",
    "expired",
    "granted",
    "group known",
    "group unknown",
    "killed",
    "lapsed",
    "locked",
    "logged in",
    "logged out",
    "notification dead",
    "notification dropped",
    "notification retried",
    "refused",
    "released",
    "reload",
    "reload failed",
    "reloaded",
    "requested",
    "revoked",
    "second factor enrolled",
    "second factor reset",
    "second factor shown",
    "signed-off",
    "started",
    "stopped",
    "store.ahead_of_log",
    "store.behind_log",
    "store.failed",
    "store.recovered",
    "unlocked",
    "warned",
];

/// One line of the log, as far as others go by it: the record of an operation, or an event (then [`Line::event`]
/// says which, and what applies to operations only is absent).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `record`, and of the events in docs/operations.md")]
pub struct Line {
    pub seq: u64,
    pub time: DateTime<Utc>,
    pub event: Option<String>,
    pub session: Option<String>,
    pub connection_from: Option<String>,
    pub subject: Option<String>,
    pub phase: Option<Phase>,
    pub operation_id: Option<String>,
    pub operation: Option<String>,
    pub target: Option<String>,
    pub filter: Option<String>,
    pub decision: Option<String>,
    pub reason: Option<String>,
    pub resources: Option<Vec<String>>,
    pub role: Option<String>,
    pub grant: Option<String>,
    pub request: Option<String>,
    pub standing: Option<Vec<String>>,
    pub result: Option<u32>,
    pub entries: Option<u64>,
    pub withheld: Option<u64>,
    pub cut: Option<u64>,
    pub break_glass: Option<bool>,
    pub automatic: Option<u32>,
    pub extends: Option<String>,
    pub state: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub by: Option<String>,
    pub acting_as: Option<String>,
    pub attempt: Option<String>,
    pub about: Option<String>,
    pub detail: Option<String>,
    pub what: Option<String>,
    pub repeated: Option<u64>,
    pub first: Option<DateTime<Utc>>,
    pub last: Option<DateTime<Utc>>,
    /// Of a search, how far it goes; of an event, what is opened: a list.
    pub scope: Option<Value>,
    pub request_reason: Option<String>,
    pub ticket: Option<String>,
    pub duration: Option<String>,
    pub approvers: Option<Vec<String>>,
    pub would_redact: Option<Vec<String>>,
    pub undecided: Option<u64>,
    pub mode: Option<String>,
    pub configuration: Option<String>,
    pub configuration_before: Option<String>,
    pub opens: Option<Vec<String>>,
    pub changes: Option<Value>,
    pub closes: Option<Vec<String>>,
    pub errors: Option<Vec<String>>,
    pub signal: Option<String>,
    pub file: Option<String>,
    pub head: Option<String>,
}

/// Which line of an operation that has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Written before anything of the operation was forwarded.
    Begun,
    /// Written when it was over. It says all that the begun line says.
    Ended,
}

impl Line {
    /// Reads one line.
    ///
    /// # Errors
    /// When it is not a record: a line that a crash cut short, or one that somebody altered.
    pub fn parse(line: &[u8]) -> Result<Line, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// The operation of which this is the begun line. When it is over there is another line, which says more.
    pub fn begun(&self) -> Option<&str> {
        self.operation_id.as_deref().filter(|_| self.phase == Some(Phase::Begun))
    }

    /// The operation that has a begun line, and of which this is the last.
    pub fn ended(&self) -> Option<&str> {
        self.operation_id.as_deref().filter(|_| self.phase == Some(Phase::Ended))
    }

    /// Whether a gate began to run. No operation that began before lasts any longer.
    pub fn is_start(&self) -> bool {
        self.event.as_deref() == Some("started")
    }

    /// Whether the operation rested on this grant, or the event is about it.
    pub fn is_about_grant(&self, id: &str) -> bool {
        names(self.grant.as_deref(), id) || self.about.as_deref() == Some(id)
    }

    /// Whether it touched this resource.
    pub fn touches(&self, resource: &str) -> bool {
        self.resources.iter().flatten().any(|name| name == resource)
    }

    /// Whether it is an event about something that opens this resource, at least in part.
    pub fn opens_resource(&self, resource: &str) -> bool {
        let entries = self.scope.iter().filter_map(Value::as_array).flatten();
        entries.filter_map(|entry| entry.get("resource")?.as_str()).any(|name| name == resource)
    }

    /// What an event says has changed: of an operation, `changes` is something else.
    pub fn changed(&self) -> Vec<String> {
        let lines = self.changes.iter().filter(|_| self.event.is_some()).filter_map(Value::as_array).flatten();
        lines.filter_map(|line| line.as_str().map(str::to_owned)).collect()
    }

    /// The names of those who did it or to whom it was done.
    fn people(&self) -> impl Iterator<Item = &str> {
        // Whoever binds is nobody yet, and is to become whom the bind names.
        let bound = self.target.as_deref().filter(|_| self.operation.as_deref() == Some("bind"));
        let event = [self.by.as_deref(), self.acting_as.as_deref(), self.about.as_deref()];
        [self.subject.as_deref(), bound].into_iter().chain(event).flatten()
    }
}

/// Whether one of the names, which stand with commas between them, is this.
fn names(all: Option<&str>, one: &str) -> bool {
    all.is_some_and(|all| all.split(',').any(|name| name == one))
}

/// Whose lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Of those who were nobody.
    Anonymous,
    /// Of this one, however the name is spelled.
    Dn(Dn),
}

/// Which lines are wanted: those that fit everything that is set.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Who did it, or to whom it was done.
    pub subject: Option<Who>,
    /// What it rested on or is about.
    pub grant: Option<String>,
    /// The same.
    pub request: Option<String>,
    /// The same.
    pub role: Option<String>,
    /// What was touched.
    pub resource: Option<String>,
    /// From this moment on.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Which operation.
    pub operation: Option<String>,
    /// What was decided.
    pub decision: Option<String>,
    /// The result code that the client got.
    pub code: Option<u32>,
    /// Which event.
    pub event: Option<String>,
    /// In which session.
    pub session: Option<String>,
    /// What was found out on the way.
    pub known: Spellings,
}

/// Which spellings of names are the subject's: most names come again and again.
#[derive(Debug, Clone, Default)]
pub struct Spellings(HashMap<String, bool>);

/// So many spellings are remembered.
const SPELLINGS: usize = 4096;

impl Filter {
    /// Whether the line is wanted.
    pub fn takes(&mut self, line: &Line) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let one_of = |wanted: &Option<String>, found: &Option<String>| {
            wanted.as_ref().is_none_or(|one| names(found.as_deref(), one))
        };
        let resource = |name: &String| line.touches(name) || line.opens_resource(name);
        // A line that stands for several is of all the time that these took.
        let (first, last) = (line.first.unwrap_or(line.time), line.last.unwrap_or(line.time));
        same(&self.operation, &line.operation)
            && same(&self.decision, &line.decision)
            && same(&self.event, &line.event)
            && same(&self.session, &line.session)
            && self.since.is_none_or(|since| since <= last)
            && self.until.is_none_or(|until| first < until)
            && self.code.is_none_or(|code| line.result == Some(code))
            && one_of(&self.request, &line.request)
            && one_of(&self.role, &line.role)
            && self.grant.as_ref().is_none_or(|id| line.is_about_grant(id))
            && self.resource.as_ref().is_none_or(resource)
            && self.takes_one_of(line)
    }

    fn takes_one_of(&mut self, line: &Line) -> bool {
        let subject = match &self.subject {
            None => return true,
            Some(Who::Anonymous) => return line.subject.as_deref() == Some("anonymous"),
            Some(Who::Dn(subject)) => subject,
        };
        let known = &mut self.known.0;
        line.people().any(|name| {
            if let Some(same) = known.get(name) {
                return *same;
            }
            let same = Dn::parse(name.as_bytes()).is_ok_and(|name| name.is_surely(subject));
            if known.len() >= SPELLINGS {
                known.clear();
            }
            known.insert(name.to_owned(), same);
            same
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATION: &str = r#"{"seq":7,"time":"2026-11-20T17:48:13.000412Z","session":"1-2","message_id":2,"operation":"search",
        "subject":"UID=Alice,ou=people,dc=x","target":"ou=payroll,dc=x","attributes":["cn"],"decision":"permitted",
        "reason":"grant","resources":["payroll","writes"],"role":"reader,editor","grant":"grant-1,grant-2",
        "request":"req-1,req-2","result":0,"duration_us":12}"#;
    const BIND: &str = r#"{"seq":8,"time":"2026-11-20T17:48:14Z","operation":"bind","subject":"anonymous",
        "target":"uid=alice,ou=people,dc=x","decision":"refused","resources":[]}"#;
    const EVENT: &str = r#"{"seq":9,"time":"2026-11-20T17:48:15Z","event":"approved","grant":"grant-1","by":"uid=bob,dc=x",
        "subject":"uid=alice,ou=people,dc=x","acting_as":null}"#;

    fn line(text: &str) -> Line {
        Line::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn operations_and_events() {
        let operation = line(OPERATION);
        assert_eq!((operation.seq, operation.event.as_deref(), operation.result), (7, None, Some(0)));
        assert!(operation.is_about_grant("grant-2") && !operation.is_about_grant("grant-"));
        let event = line(EVENT);
        assert_eq!((event.event.as_deref(), event.is_about_grant("grant-1")), (Some("approved"), true));
        assert!(Line::parse(b"{\"seq\":9,\"ti").is_err());
    }

    #[test]
    fn each_condition_takes_what_it_says() {
        let who = |name: &str| Filter { subject: Some(Who::Dn(name.parse().unwrap())), ..Filter::default() };
        let text = |set: fn(&mut Filter) -> &mut Option<String>, value: &str| {
            let mut filter = Filter::default();
            *set(&mut filter) = Some(value.to_owned());
            filter
        };
        let at = |text: &str| Some(text.parse().unwrap());
        // (filter, whether it takes the operation, the bind, the event)
        for (mut filter, expected) in [
            (Filter::default(), [true, true, true]),
            (who("uid=alice, ou=people, dc=x"), [true, true, true]),
            (who("uid=\\61LICE,OU=People,dc=x"), [true, true, true]),
            (who("uid=bob,dc=x"), [false, false, true]),
            (who("ou=people,dc=x"), [false, false, false]),
            (who("ou=payroll,dc=x"), [false, false, false]),
            (Filter { subject: Some(Who::Anonymous), ..Filter::default() }, [false, true, false]),
            (text(|f| &mut f.grant, "grant-1"), [true, false, true]),
            (text(|f| &mut f.grant, "grant-2"), [true, false, false]),
            (text(|f| &mut f.grant, "grant"), [false, false, false]),
            (text(|f| &mut f.request, "req-2"), [true, false, false]),
            (text(|f| &mut f.role, "editor"), [true, false, false]),
            (text(|f| &mut f.resource, "writes"), [true, false, false]),
            (text(|f| &mut f.operation, "bind"), [false, true, false]),
            (text(|f| &mut f.decision, "refused"), [false, true, false]),
            (text(|f| &mut f.event, "approved"), [false, false, true]),
            (text(|f| &mut f.session, "1-2"), [true, false, false]),
            (Filter { since: at("2026-11-20T17:48:14Z"), ..Filter::default() }, [false, true, true]),
            (Filter { until: at("2026-11-20T17:48:14Z"), ..Filter::default() }, [true, false, false]),
            (
                Filter { decision: Some("permitted".into()), ..text(|f| &mut f.operation, "bind") },
                [false, false, false],
            ),
        ] {
            let taken = [OPERATION, BIND, EVENT].map(|text| filter.takes(&line(text)));
            assert_eq!(taken, expected, "{filter:?}");
            // From memory, too.
            assert_eq!([OPERATION, BIND, EVENT].map(|text| filter.takes(&line(text))), expected, "{filter:?}");
        }
    }
}
