//! Waits until the directory has said in which groups somebody is, where the session cannot decide before.

use super::Driver;
use crate::daemon::memberships::InUse;
use crate::engine::policy::groups::GROUP_FRESH;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// The longest that an operation waits for it. Then it is decided without.
const LONGEST: Duration = Duration::from_secs(6);

/// What is waited for.
pub(super) struct Asked {
    answer: oneshot::Receiver<()>,
    end: Pin<Box<Sleep>>,
}

/// What a session has to do with groups; nothing, for most.
#[derive(Default)]
pub(super) struct Membership {
    asked: Option<Asked>,
    /// People whose groups decide about something that lasts.
    kept: Vec<InUse>,
}

impl Driver {
    /// Has the directory asked about the one whom the session waits for, and lets it go on when that is done.
    pub(super) fn hear_of_groups(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(person) = self.session.awaited_person() else { return false };
        let asked = self.membership.asked.get_or_insert_with(|| {
            let since = self.gate.clock.now().monotonic.saturating_sub(GROUP_FRESH);
            let answer = self.gate.memberships.look_up(person, since);
            Asked { answer, end: Box::pin(tokio::time::sleep(LONGEST)) }
        });
        if Pin::new(&mut asked.answer).poll(cx).is_pending() && asked.end.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.membership.asked = None;
        let snapshot = self.gate.shared.snapshot.load();
        self.session.on_membership(&snapshot, self.gate.clock.now(), &mut self.fx);
        self.client_ready = !self.client_in.is_empty();
        self.perform();
        true
    }

    /// Sees to it that what is known of the groups of people for whom something lasts stays up to date.
    pub(super) fn keep_people(&mut self) {
        if self.membership.kept.is_empty() && self.session.lasting_people().next().is_none() {
            return;
        }
        if !self.gate.shared.snapshot.load().policy.by_group().access {
            return self.membership.kept.clear();
        }
        let mut kept = std::mem::take(&mut self.membership.kept);
        kept.retain(|one| self.session.lasting_people().any(|person| one.person().is_surely(person)));
        for person in self.session.lasting_people() {
            if !kept.iter().any(|one| one.person().is_surely(person)) {
                kept.push(self.gate.memberships.keep(person));
            }
        }
        self.membership.kept = kept;
    }
}
