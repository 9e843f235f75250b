//! Roles that operations of this session ask for, and what comes of it.

use super::Driver;
use crate::daemon::asking::{News, Room, newsagent};
use crate::daemon::broker::Waiting;
use crate::engine::session::Answer;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// What a session has asked for; there is none before it asks for the first time.
pub(super) struct Asked {
    room: Room,
    sender: mpsc::Sender<News>,
    receiver: mpsc::Receiver<News>,
    /// Requests whose end is waited for, by the numbers of the operations.
    waiting: Vec<(u64, Waiting)>,
}

impl Driver {
    /// Asks for what the session wants asked for.
    pub(super) fn ask(&mut self) {
        let snapshot = self.gate.shared.snapshot.load();
        for asking in std::mem::take(&mut self.fx.asks) {
            let number = asking.number;
            let asker = &self.gate.asker;
            let asked = self.asked.get_or_insert_with(|| {
                let (sender, receiver) = newsagent();
                Box::new(Asked { room: asker.room(), sender, receiver, waiting: Vec::new() })
            });
            let bounds = snapshot.policy.held;
            let fits = self.share.hold(self.session.subject(), bounds) && asked.room.take(bounds.in_all);
            if !fits || !asker.ask(asking, asked.sender.clone()) {
                self.session.on_asked(number, Answer::TooMany, &snapshot, self.gate.clock.now(), &mut self.fx);
            }
        }
    }

    /// What came of it.
    pub(super) fn hear_asked(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(asked) = &mut self.asked else { return false };
        let mut heard = false;
        while let Poll::Ready(Some(news)) = asked.receiver.poll_recv(cx) {
            heard = true;
            let News { number, answer, waiting } = news;
            asked.waiting.extend(waiting.map(|waiting| (number, waiting)));
            let snapshot = self.gate.shared.snapshot.load();
            self.session.on_asked(number, answer, &snapshot, self.gate.clock.now(), &mut self.fx);
        }
        // Of what no longer waits nobody wants to hear, and others may have its room.
        asked.waiting.retain(|(number, _)| self.session.is_held(*number));
        asked.room.keep(self.session.held());
        self.share.keep_held(self.session.held());
        if heard {
            self.perform();
        }
        heard
    }
}
