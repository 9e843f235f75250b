//! What a session is doing, for those who ask at the control port.

use super::Driver;
use crate::api::session::{OutstandingView, SessionView};
use crate::engine::policy::Subject;

impl Driver {
    pub(super) fn view(&self) -> SessionView {
        let origin = self.session.origin();
        let subject = match self.session.subject() {
            Subject::Anonymous => String::new(),
            Subject::Dn(name) => name.text().to_owned(),
        };
        SessionView {
            id: origin.session.clone(),
            connection_from: origin.connection_from.clone(),
            tls: origin.tls.clone(),
            subject,
            authentication: self.session.authentication().to_owned(),
            since: self.since,
            grants: self.session.bind_rests_on().map(|grant| grant.id.to_string()).collect(),
            outstanding: self.session.in_flight().filter_map(outstanding_view).collect(),
        }
    }
}

/// What an operation in flight is, read back from its begun log line.
fn outstanding_view(begun: &[u8]) -> Option<OutstandingView> {
    let mut text = Vec::with_capacity(begun.len() + 2);
    text.push(b'{');
    text.extend_from_slice(begun);
    text.push(b'}');
    let line: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let member = |name: &str| line.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let held = member("decision") == "held";
    Some(OutstandingView {
        held,
        request: line.get("request").and_then(|id| id.as_str()).filter(|_| held).map(str::to_owned),
        message_id: line.get("message_id")?.as_i64().and_then(|id| i32::try_from(id).ok())?,
        operation: member("operation"),
        target: member("target"),
        grants: line
            .get("grant")
            .and_then(|grant| grant.as_str())
            .map_or_else(Vec::new, |grants| grants.split(',').map(str::to_owned).collect()),
    })
}
