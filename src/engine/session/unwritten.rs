//! Answers of operations that are over and whose octets may still wait for the client: what they depend on, so that
//! their content is withheld when it ends first. Knows no more of them than their ids; bounded by what waits.

use super::effects::Fate;
use super::outstanding::Operation;
use super::{Effects, Identity, Session};
use crate::engine::access::{Dependence, Snapshot};
use crate::engine::audit::record::{self, Ending, Weight};
use crate::engine::ldap::message::{ClientMessageId, Envelope};
use crate::engine::ldap::response::{self, ResultView};
use crate::engine::ldap::{ResultCode, tag};
use crate::engine::policy::Subject;
use crate::engine::time::Now;
use chrono::{DateTime, Utc};
use serde_json::json;
use std::time::Duration;

/// How many answers are kept before it is looked which of them still wait.
const LOOK_AFTER: usize = 64;
/// While answers wait that depend on this many different things, the client is not read.
const MAX_GROUPS: usize = 1024;
/// How many message ids a record of withheld answers names.
const NAMED: usize = 100;

/// What a client is told in place of content.
const WITHHELD: &str = "what this answer depends on has ended before it was delivered";

/// Answers that depend on the same.
#[derive(Debug)]
struct Group {
    on: Dependence,
    /// The client's ids, and whether the operation had side effects.
    answers: Vec<(ClientMessageId, bool)>,
}

/// All of a session's.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// The last may be empty: most answers depend on the same as the one before.
    groups: Vec<Group>,
    count: usize,
    /// At how many it is looked which of them still wait.
    look_at: usize,
}

impl Unwritten {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether nothing more is taken up before some were written.
    pub(super) fn is_full(&self) -> bool {
        self.groups.len() >= MAX_GROUPS
    }

    /// Everything was written.
    pub(super) fn clear(&mut self) {
        self.groups.drain(..self.groups.len().saturating_sub(1));
        self.groups.iter_mut().for_each(|group| group.answers.clear());
        self.count = 0;
    }

    /// The earliest ends of grants that answers depend on.
    pub(super) fn ends(&self) -> impl Iterator<Item = (DateTime<Utc>, Duration)> {
        self.groups.iter().filter(|group| !group.answers.is_empty()).filter_map(|group| group.on.ends())
    }

    /// Those whose groups may decide whether answers may still be delivered.
    pub(super) fn people(&self) -> impl Iterator<Item = &Subject> {
        self.groups.iter().filter(|group| !group.answers.is_empty()).flat_map(|group| group.on.people())
    }

    /// An operation that depends on something has its final answer, which was just put into `to_client`.
    pub(super) fn add(&mut self, operation: &Operation, identity: &Identity, fx: &Effects) {
        if self.count >= self.look_at.max(LOOK_AFTER) {
            self.forget_written(fx);
            self.look_at = 2 * self.count;
        }
        let (subject, certificate) = (&identity.subject, identity.certificate.as_ref());
        let answer = (operation.client_id, operation.has_side_effects);
        self.count += 1;
        match self.groups.last_mut() {
            Some(group) if group.on.is_of(&operation.permit, subject, certificate) => group.answers.push(answer),
            Some(_) | None => {
                let on = operation.permit.dependence(subject, certificate);
                self.groups.retain(|group| !group.answers.is_empty());
                self.groups.push(Group { on, answers: vec![answer] });
            }
        }
    }

    /// Forgets those that were written in the meantime.
    fn forget_written(&mut self, fx: &Effects) {
        let mut waiting = fx.unwritten_answers();
        waiting.sort_unstable();
        for group in &mut self.groups {
            group.answers.retain(|(id, _)| waiting.binary_search(&id.0).is_ok());
        }
        self.groups.retain(|group| !group.answers.is_empty());
        self.count = self.groups.iter().map(|group| group.answers.len()).sum();
    }

    /// Takes those whose dependence has ended.
    fn take_ended(&mut self, snapshot: &Snapshot, now: Now) -> Vec<Group> {
        let holds = |group: &mut Group| group.answers.is_empty() || group.on.renew(snapshot, now);
        let ended: Vec<Group> = self.groups.extract_if(.., |group| !holds(group)).collect();
        self.count = self.groups.iter().map(|group| group.answers.len()).sum();
        ended
    }

    /// Whether anything has ended that an answer depends on.
    pub(super) fn any_ended(&mut self, snapshot: &Snapshot, now: Now) -> bool {
        self.groups.iter_mut().any(|group| !group.answers.is_empty() && !group.on.renew(snapshot, now))
    }
}

impl Session {
    /// Everything that was for the client is written, as far as the session has anything to do with it.
    pub fn on_client_written(&mut self) {
        if !self.unwritten.is_empty() {
            self.unwritten.clear();
        }
    }

    /// Withholds the content of answers that wait and depend on what has ended.
    pub(super) fn withhold_unwritten(&mut self, snapshot: &Snapshot, now: Now, fx: &mut Effects) {
        if self.unwritten.is_empty() {
            return;
        }
        for mut group in self.unwritten.take_ended(snapshot, now) {
            group.answers.sort_unstable_by_key(|(id, _)| *id);
            let (mut entries, mut answers) = (0, Vec::new());
            fx.review_unwritten(|envelope, _| {
                let id = ClientMessageId(envelope.id);
                let Ok(at) = group.answers.binary_search_by_key(&id, |(id, _)| *id) else { return Fate::Kept };
                let has_side_effects = group.answers.get(at).is_some_and(|(_, effects)| *effects);
                if tag::is_final_response(envelope.tag) {
                    answers.push(id.0);
                } else {
                    entries += u64::from(envelope.tag == tag::SEARCH_RESULT_ENTRY);
                }
                without_content(envelope, has_side_effects)
            });
            if answers.is_empty() {
                continue;
            }
            answers.truncate(NAMED);
            let grants: Vec<&str> = group.on.grants().iter().map(|grant| &*grant.id).collect();
            let subject = match group.on.subject() {
                Subject::Anonymous => "anonymous",
                Subject::Dn(name) => name.text(),
            };
            let event = json!({
                "event": "answers withheld",
                "ending": Ending::Withheld.name(),
                "session": self.origin.session,
                "connection_from": self.origin.connection_from,
                "subject": subject,
                "grant": Some(grants.join(",")).filter(|grants| !grants.is_empty()),
                "message_ids": answers,
                "entries": entries,
            });
            record::event(&mut fx.records, now, &event);
            fx.record_ends.push((fx.records.len(), Weight::Access));
        }
    }

    /// Withdraws everything that waits for the client, but that a write was done: whoever the session was is no longer.
    pub(super) fn withhold_all(&mut self, fx: &mut Effects) {
        self.unwritten.clear();
        fx.review_unwritten(|envelope, _| match envelope.tag {
            tag::MODIFY_RESPONSE | tag::ADD_RESPONSE | tag::DELETE_RESPONSE | tag::RENAME_RESPONSE => {
                without_content(envelope, true)
            }
            _ => Fate::Withdrawn,
        });
    }
}

/// What is left of a message when its content is not for the client any more. That a write succeeded is true and stays;
/// what else an answer says is content: the code of one that did nothing, names, messages, values and controls.
fn without_content(envelope: &Envelope<'_>, has_side_effects: bool) -> Fate {
    if !tag::is_final_response(envelope.tag) {
        return Fate::Withdrawn;
    }
    let (code, text) = match ResultView::peek(envelope.tag, envelope.body).map(|view| view.code) {
        Ok(ResultCode::SUCCESS) if has_side_effects => (ResultCode::SUCCESS, ""),
        // It says nothing of the directory's content, and perhaps that the outcome is not known.
        Ok(ResultCode::UNAVAILABLE) => (ResultCode::UNAVAILABLE, ""),
        Ok(_) | Err(_) => (ResultCode::INSUFFICIENT_ACCESS_RIGHTS, WITHHELD),
    };
    let (mut out, id) = (Vec::new(), ClientMessageId(envelope.id));
    response::write_result(&mut out, id, envelope.tag, code, "", text);
    Fate::Replaced(out)
}
