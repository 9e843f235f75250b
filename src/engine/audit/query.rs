//! Records read back: what a line of the log says, for those who look things up in it.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// One line of the log: the record of an operation, or an event (then [`Line::event`] says which, and
/// what applies to operations only is absent).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `record`")]
pub struct Line {
    pub seq: u64,
    pub time: DateTime<Utc>,
    pub event: Option<String>,
    pub session: Option<String>,
    pub connection_from: Option<String>,
    pub tls: Option<String>,
    pub subject: Option<String>,
    pub authentication: Option<String>,
    pub message_id: Option<i32>,
    pub operation: Option<String>,
    pub target: Option<String>,
    pub scope: Option<String>,
    pub filter: Option<String>,
    pub attributes: Option<Vec<String>>,
    pub controls: Option<Vec<String>>,
    pub changes: Option<Vec<String>>,
    pub decision: Option<String>,
    pub reason: Option<String>,
    pub resources: Option<Vec<String>>,
    pub role: Option<String>,
    pub grant: Option<String>,
    pub request: Option<String>,
    pub upstream: Option<String>,
    pub result: Option<u32>,
    pub entries: Option<u64>,
    pub withheld: Option<u64>,
    #[serde(default)]
    pub cut: Option<u64>,
    pub bytes: Option<u64>,
    pub duration_us: Option<u64>,
}

impl Line {
    /// Reads one line.
    ///
    /// # Errors
    /// When it is not a record: a line that a crash cut short, or one that somebody altered.
    pub fn parse(line: &str) -> Result<Line, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// Whether the operation rested on this grant, or the event is about it.
    pub fn is_about_grant(&self, id: &str) -> bool {
        self.grant.as_deref().is_some_and(|grants| grants.split(',').any(|grant| grant == id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_events() {
        let operation = Line::parse(
            r#"{"seq":7,"time":"2026-11-20T17:48:13.000412Z","session":"1","message_id":2,"operation":"search",
               "attributes":["cn"],"grant":"grant-1,grant-2","result":0,"duration_us":12}"#,
        )
        .unwrap();
        assert_eq!((operation.seq, operation.event.as_deref(), operation.result), (7, None, Some(0)));
        assert!(operation.is_about_grant("grant-2") && !operation.is_about_grant("grant-"));
        let event =
            Line::parse(r#"{"seq":8,"time":"2026-11-20T17:48:14Z","event":"approved","grant":"grant-1","by":"x"}"#)
                .unwrap();
        assert_eq!((event.event.as_deref(), event.is_about_grant("grant-1")), (Some("approved"), true));
        assert!(Line::parse("{\"seq\":9,\"ti").is_err());
    }
}
