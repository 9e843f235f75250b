//! Sessions in which nothing happens. An operation in flight is something, however long it takes.

use super::Driver;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How long a session may be idle, and since when it is.
pub(super) struct Idle {
    after: Duration,
    since: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Idle {
    pub(super) fn new(after: Duration) -> Idle {
        Idle { after, since: Instant::now(), sleep: Box::pin(tokio::time::sleep(after)) }
    }
}

impl Driver {
    /// The client said something.
    pub(super) fn not_idle(&mut self) {
        if let Some(idle) = &mut self.idle {
            idle.since = Instant::now();
        }
    }

    /// Whether it is time to end the session. The timer is set again only when it fires, not for every message.
    pub(super) fn idle_for_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let busy = self.session.in_flight().next().is_some();
        let Some(idle) = &mut self.idle else { return false };
        while idle.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if busy {
                idle.since = now;
            }
            let end = idle.since + idle.after;
            if end <= now {
                return true;
            }
            idle.sleep.as_mut().reset(end);
        }
        false
    }
}
