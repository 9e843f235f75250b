//! What others have to say to the log about who called for what. Decides nothing.

use super::{Broker, events};
use crate::engine::grant::history::Actor;

impl Broker {
    /// Records that somebody tried what they may not and what is not the broker's to do.
    pub fn record_refusal(&self, attempt: &str, about: &str, actor: &Actor, reason: &str, detail: &str) {
        self.events.event(events::of_refusal(attempt, about, actor, reason, detail));
    }

    /// Records that somebody ended a session.
    pub fn record_kill(&self, session: &str, reason: &str, actor: &Actor) {
        self.events.event(events::of_kill(session, reason, actor));
    }

    /// Records that somebody called for something that is not the broker's to do.
    pub fn record_call(&self, event: &str, actor: &Actor) {
        self.events.event(events::of_call(event, actor));
    }

    /// Records that somebody read the log: what of it, and by what query.
    pub fn record_read(&self, what: &str, query: serde_json::Value, actor: &Actor) {
        let mut read = events::of_call("audit.read", actor);
        read["what"] = what.into();
        read["query"] = query;
        self.events.event(read);
    }

    /// The same, with what it was about and why.
    pub fn record_done(&self, event: &str, about: &str, reason: &str, actor: &Actor) {
        let mut done = events::of_call(event, actor);
        done["about"] = about.into();
        done["reason"] = reason.into();
        self.events.event(done);
    }
}
