//! What the broker tells the log: one object for each thing that happened and each that was refused.

use crate::api::{DurationText, ScopeView};
use crate::daemon::store::record::Document;
use crate::engine::audit::transition::Transition;
use crate::engine::grant::history::{Actor, Entry, Identity};
use crate::engine::workflow::telling::Notification;
use crate::engine::workflow::{Request, Verdict};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Takes the steps of the workflow, to be recorded, and shows them again. Recording must not block: it is called
/// where commits wait.
pub trait EventSink: Send + Sync {
    /// An object whose field `event` says what happened.
    fn event(&self, event: Value);

    /// The number of the last line that is written; 0: none since the start.
    fn written(&self) -> u64 {
        0
    }

    /// Waits, for a while, until what was recorded before is on disk. May block.
    fn settle(&self) {}

    /// Shows the steps of the workflow that are in the log after the line `after`, oldest first, and returns what
    /// the log's last line is; from the beginning, if the log does not reach that far. May block.
    ///
    /// # Errors
    /// It cannot be read.
    fn transitions(&self, after: u64, visit: &mut dyn FnMut(Transition)) -> std::io::Result<Option<LastLine>> {
        let _ = (after, visit);
        Ok(None)
    }
}

/// The last line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastLine {
    /// Its number.
    pub seq: u64,
    /// When it was appended.
    pub time: DateTime<Utc>,
}

/// The events of a document's last transition. Each says all that a reader needs to know of the request or grant: lines
/// before it may be in files that are archived.
pub(super) fn of_document(document: &Document) -> Vec<Value> {
    let (history, mut common) = match document {
        Document::Request(request) => (
            &request.history,
            json!({
                "request": request.id,
                "grant": request.grant,
                "role": request.role,
                "subject": request.subject.text(),
                "state": request.state,
                "break_glass": request.basis.is_break_glass(),
                "automatic": request.basis.rule(),
                "rule": request.basis.rule(),
                "extends": request.extends,
                "by_doing": request.by_doing,
                "scope": ScopeView::of(&request.scope),
                "request_reason": request.reason,
                "ticket": request.ticket,
                "duration": DurationText(request.duration),
                "start": request.start,
                "approvals": request.approvals,
                "approvers": names(approvals(request)),
            }),
        ),
        Document::Grant(grant) => (
            &grant.history,
            json!({
                "request": grant.request,
                "grant": grant.id,
                "role": grant.role,
                "subject": grant.subject.text(),
                "state": grant.state,
                "from": grant.from,
                "until": grant.until,
                "break_glass": grant.basis.is_break_glass(),
                "automatic": grant.basis.rule(),
                "rule": grant.basis.rule(),
                "extends": grant.extends,
                "scope": ScopeView::of(&grant.scope),
                "request_reason": grant.reason,
                "ticket": grant.ticket,
                "duration": (grant.until - grant.from).to_std().ok().map(DurationText),
                "approvers": names(grant.approved_by.iter()),
            }),
        ),
        Document::Lock(lock) => (&lock.history, json!({ "lock": lock.id, "subject": lock.subject.text() })),
        // What becomes of it is recorded where that is known (`telling`).
        Document::Notification(_) => return Vec::new(),
    };
    let last = history.iter().filter(|entry| entry.after == document.revision());
    last.map(|entry| {
        describe(entry, &mut common);
        common.clone()
    })
    .collect()
}

/// Who has approved so far.
fn approvals(request: &Request) -> impl Iterator<Item = &Identity> {
    request.reviews.iter().filter(|review| review.verdict == Verdict::Approve).map(|review| &review.who)
}

fn names<'a>(people: impl Iterator<Item = &'a Identity>) -> Vec<String> {
    people.map(ToString::to_string).collect()
}

fn describe(entry: &Entry, event: &mut Value) {
    event["event"] = json!(entry.what.word());
    event["by"] = json!(entry.by);
    event["acting_as"] = json!(entry.acting_as);
    event["at"] = json!(entry.at);
    event["connection_from"] = json!(entry.from);
    event["reason"] = json!(entry.reason);
    event["revision_before"] = json!(entry.before);
    event["revision_after"] = json!(entry.after);
}

/// Somebody tried what they may not, or what does not fit.
pub(super) fn of_refusal(attempt: &str, about: &str, actor: &Actor, reason: &str, detail: &str) -> Value {
    json!({
        "event": "refused",
        "attempt": attempt,
        "about": about,
        "by": actor.by(),
        "acting_as": actor.acting_as(),
        "connection_from": actor.from,
        "reason": reason,
        "detail": detail,
    })
}

/// Somebody called for something.
pub(super) fn of_call(event: &str, actor: &Actor) -> Value {
    json!({
        "event": event,
        "by": actor.by(),
        "acting_as": actor.acting_as(),
        "connection_from": actor.from,
    })
}

/// What became of something that was to be told.
pub(super) fn of_notification(event: &str, one: &Notification) -> Value {
    json!({
        "event": event,
        "notification": one.id,
        "notice": one.notice.kind().word(),
        "about": one.notice.about(),
        "receiver": one.to.to_string(),
        "attempts": one.attempts,
        "reason": one.error,
    })
}

/// Somebody ended a session.
pub(super) fn of_kill(session: &str, reason: &str, actor: &Actor) -> Value {
    let mut event = of_call("killed", actor);
    event["session"] = json!(session);
    event["reason"] = json!(reason);
    event
}
