//! Steps of the workflow read back from the log: what is compared with the store when a gate starts.

use crate::engine::grant::history::{Entry, Happened};
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// A step of a request, a grant or a lock, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The number of its line.
    pub seq: u64,
    /// The id of the request, grant or lock.
    pub about: String,
    /// Of a lock: whose.
    pub subject: Option<String>,
    /// What happened.
    pub entry: Entry,
    /// Whether the store took it at that time.
    pub stored: bool,
}

/// The fields of such a line.
#[derive(Deserialize)]
struct Fields {
    seq: u64,
    event: Happened,
    at: DateTime<Utc>,
    by: String,
    acting_as: Option<String>,
    connection_from: Option<String>,
    reason: Option<String>,
    revision_before: u64,
    revision_after: u64,
    request: Option<String>,
    grant: Option<String>,
    lock: Option<String>,
    subject: Option<String>,
    stored: Option<bool>,
}

impl Transition {
    /// Reads a line (without its line end) if it is one of these. The chain is not verified: what a line says has
    /// ended is taken to have ended.
    pub fn parse(line: &[u8]) -> Option<Transition> {
        if is_operation(line) {
            return None;
        }
        let fields: Fields = serde_json::from_slice(line).ok()?;
        let about = match fields.event {
            Happened::Requested
            | Happened::Approved
            | Happened::Denied
            | Happened::Cancelled
            | Happened::Lapsed
            | Happened::Escalated => fields.request,
            Happened::Granted
            | Happened::Activated
            | Happened::Warned
            | Happened::Expired
            | Happened::Released
            | Happened::Revoked
            | Happened::SignedOff => fields.grant,
            Happened::Locked | Happened::Unlocked => fields.lock,
        };
        let entry = Entry {
            what: fields.event,
            by: fields.by,
            acting_as: fields.acting_as,
            at: fields.at,
            from: fields.connection_from.unwrap_or_default(),
            reason: fields.reason,
            before: fields.revision_before,
            after: fields.revision_after,
        };
        let stored = fields.stored.unwrap_or(true);
        Some(Transition { seq: fields.seq, about: about?, subject: fields.subject, entry, stored })
    }
}

/// Whether the line begins as the record of an operation does: most do, and need not be read.
fn is_operation(line: &[u8]) -> bool {
    let rest = || {
        let rest = line.strip_prefix(b"{\"seq\":")?;
        let rest = rest.get(rest.iter().position(|octet| *octet == b',')?..)?.strip_prefix(b",\"time\":\"")?;
        rest.get(rest.iter().position(|octet| *octet == b'"')? + 1..)
    };
    rest().is_some_and(|rest| rest.starts_with(b",\"session\":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_of_the_workflow_are_read() {
        let revoked = r#"{"seq":7,"time":"2026-01-01T00:00:00.000Z","acting_as":null,"at":"2026-01-01T00:00:00Z","by":"uid=lars","connection_from":"local","event":"revoked","grant":"grant-1","reason":"\"session\":","request":"req-1","revision_after":2,"revision_before":1,"role":"r","state":"revoked","subject":"uid=anna","chain":"x"}"#;
        let read = Transition::parse(revoked.as_bytes()).unwrap();
        assert_eq!((read.seq, read.about.as_str(), read.entry.what), (7, "grant-1", Happened::Revoked));
        assert_eq!((read.entry.before, read.entry.after, read.entry.by.as_str()), (1, 2, "uid=lars"));
        let locked = revoked.replace("revoked", "locked").replace("\"grant\"", "\"lock\"");
        assert_eq!(Transition::parse(locked.as_bytes()).unwrap().subject.as_deref(), Some("uid=anna"));
        for other in [
            r#"{"seq":7,"time":"2026-01-01T00:00:00.000Z","session":"s","event":"revoked"}"#,
            r#"{"seq":7,"time":"2026-01-01T00:00:00.000Z","event":"started"}"#,
            r#"{"seq":7,"time":"2026-01-01T00:00:00.000Z","event":"refused","attempt":"revoke"}"#,
            &revoked[..200],
            "",
        ] {
            assert_eq!(Transition::parse(other.as_bytes()), None, "{other}");
        }
    }
}
