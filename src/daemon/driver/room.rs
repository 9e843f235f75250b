//! How much a session may keep in memory, and for how long it may leave things half done: messages, binds, and what has
//! no room. Timers exist only while there is something to wait for.

use super::{CHUNK, ClientStream, Driver, HIGH_WATER, Upstream};
use crate::daemon::limits::charge::FREE;
use crate::daemon::limits::rejected::Bound;
use crate::engine::audit::record::{Done, Kind};
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::ber::Header;
use crate::engine::ldap::message::Envelope;
use crate::engine::ldap::request::Request;
use crate::engine::ldap::tag;
use crate::engine::session::bounds;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A session for which there is no room queues, and reads at once, no more than this.
const SMALL: usize = 16 * 1024;
/// What rustls keeps of what a client does not take.
const TLS_BACKLOG: usize = 64 * 1024;
/// How often a session for which there is no room looks again.
const AGAIN: Duration = Duration::from_millis(100);
/// How often a session whose client takes nothing looks whether others need the room that it has.
const WANTED: Duration = Duration::from_secs(1);

/// Since when something is half done.
#[derive(Default)]
pub(super) struct Watch {
    /// A message of the client: some of it is there.
    unfinished: Option<Instant>,
    /// A bind: the directory was asked.
    binding: Option<Instant>,
    /// There is no room, and the client has taken nothing since.
    short: Option<Instant>,
    /// Room is taken by what the client does not take.
    stalled: Option<Instant>,
    /// Something was not read for want of room: nobody wakes the session for it.
    skipped: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    /// A message is complete: the next one has its own time.
    pub(super) fn message_done(&mut self) {
        self.unfinished = None;
    }

    /// The gate does not read the client, who then cannot finish a message either.
    pub(super) fn client_not_read(&mut self) {
        self.unfinished = None;
    }

    /// The directory has said something: while a bind is in flight, on that.
    pub(super) fn directory_heard(&mut self) {
        self.binding = None;
    }

    /// The client took something.
    pub(super) fn client_took(&mut self) {
        self.short = None;
        self.stalled = None;
    }

    /// The gate waits for the log: neither client nor directory is to blame for what stands still.
    fn gate_waits(&mut self) {
        self.client_not_read();
        self.directory_heard();
        self.client_took();
    }

    fn is_idle(&self) -> bool {
        let Watch { unfinished, binding, short, stalled, skipped: _, timer } = self;
        [unfinished, binding, short, stalled].into_iter().all(Option::is_none) && timer.is_none()
    }
}

impl Driver {
    /// How many octets the session keeps, or is about to.
    fn kept(&self) -> usize {
        let tls = match self.client {
            ClientStream::Tls(_) if !self.fx.to_client.is_empty() => TLS_BACKLOG,
            ClientStream::Tls(_) | ClientStream::Plain(_) => 0,
        };
        self.client_in.capacity().max(self.client_expected)
            + self.upstream_in.capacity().max(self.upstream_expected)
            + self.fx.to_client.capacity()
            + self.fx.to_upstream.capacity()
            + self.fx.records.capacity()
            + bounds::kept_octets(&self.session)
            + tls
    }

    /// Charges what is kept; whether there is room for it.
    pub(super) fn settle(&mut self) -> bool {
        let kept = self.kept();
        (kept <= FREE && !self.share.is_charged()) || self.settle_charged(kept)
    }

    #[cold]
    fn settle_charged(&mut self, mut kept: usize) -> bool {
        if kept > FREE && self.fx.to_client.is_empty() && self.fx.to_upstream.is_empty() {
            // An idle session gives back what a busy moment took: nobody else could.
            for buffer in [&mut self.fx.to_client, &mut self.fx.to_upstream, &mut self.fx.records] {
                buffer.shrink_to(SMALL / 4);
            }
            kept = self.kept();
        }
        self.share.charge(kept, self.session.subject())
    }

    /// Whether so much waits to be written to one side that the other is not read: past a little, there must be room for
    /// it.
    pub(super) fn is_full(&mut self, waits: usize) -> bool {
        let lacks_room = waits > SMALL && !self.settle();
        self.watch.skipped |= lacks_room;
        lacks_room || waits > HIGH_WATER
    }

    /// How much may be read from the client now; 0: nothing, for there is no room for what it has begun.
    pub(super) fn readable_from_client(&mut self) -> usize {
        if self.settle() {
            return CHUNK;
        }
        let has_begun = !self.client_in.is_empty() || self.session.in_flight().next().is_some();
        self.watch.skipped |= has_begun;
        if has_begun { 0 } else { SMALL }
    }

    /// The same of the directory.
    pub(super) fn readable_from_directory(&mut self) -> usize {
        match self.upstream_in.is_empty() || self.upstream_expected <= FREE {
            // What is small always gets through: it is how room comes to be.
            true if self.watch.short.is_some() => SMALL,
            true => CHUNK,
            false if self.settle() => CHUNK,
            false => {
                self.watch.skipped = true;
                0
            }
        }
    }

    /// When nothing else can be done: whether something that is half done has had its time, or may have room by now.
    pub(super) fn watch(&mut self, cx: &mut Context<'_>) -> bool {
        if self.commit.waits() {
            self.watch.gate_waits();
        }
        let has_room = self.settle();
        if std::mem::take(&mut self.watch.skipped) && has_room {
            return true;
        }
        let asks = self.session.is_binding() && matches!(self.upstream, Upstream::Open(..));
        let unfinished = self.client_expected > 0;
        let stalled = self.share.is_charged() && !self.fx.to_client.is_empty();
        if has_room && !asks && !unfinished && !stalled && self.watch.is_idle() {
            return false;
        }
        let now = Instant::now();
        let since = |is: bool, since: &mut Option<Instant>| *since = is.then(|| since.unwrap_or(now));
        since(!has_room, &mut self.watch.short);
        since(asks, &mut self.watch.binding);
        since(unfinished, &mut self.watch.unfinished);
        since(stalled, &mut self.watch.stalled);
        self.watch_slowly(now, cx)
    }

    #[cold]
    fn watch_slowly(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let directory = self.gate.directory.load();
        let (message_timeout, bind_timeout) = (self.gate.limits.message_timeout, directory.bind_timeout);
        let due = |since: Option<Instant>, after: Duration| since.is_some_and(|since| since + after <= now);
        if due(self.watch.binding, bind_timeout) {
            self.watch.binding = None;
            if let Some(server) = self.server.take() {
                directory.set_back(&server);
            }
            drop(directory);
            self.gate.rejected.count(Bound::BindTime);
            bounds::on_bind_timeout(&mut self.session, self.gate.clock.now(), &mut self.fx);
            self.client_ready = !self.client_in.is_empty();
            self.perform();
            return true;
        }
        drop(directory);
        if due(self.watch.short, message_timeout) {
            self.end_because(Bound::BufferedBytes, ResultCode::BUSY, "no room: too much waits to be read or written");
            return true;
        }
        if due(self.watch.stalled, message_timeout) && self.share.is_wanted(self.session.subject()) {
            self.end_because(Bound::BufferedBytes, ResultCode::BUSY, "others need the room of what is not read");
            return true;
        }
        if due(self.watch.unfinished, message_timeout) {
            self.end_because(Bound::MessageTime, ResultCode::UNAVAILABLE, "the message was not finished in time");
            return true;
        }
        let Watch { unfinished, binding, short, stalled, timer, skipped: _ } = &mut self.watch;
        let ends = [
            unfinished.map(|since| since + message_timeout),
            binding.map(|since| since + bind_timeout),
            short.map(|_| now + AGAIN),
            stalled.map(|since| (since + message_timeout).max(now + WANTED)),
        ];
        let Some(next) = ends.into_iter().flatten().min() else {
            *timer = None;
            return false;
        };
        // A timer that is early looks again; it is set only when it is too late.
        let sleep = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
        if sleep.deadline() > next {
            sleep.as_mut().reset(next);
        }
        let fired = sleep.as_mut().poll(cx).is_ready();
        if fired {
            *timer = None;
        }
        fired
    }

    fn end_because(&mut self, bound: Bound, code: ResultCode, reason: &str) {
        self.gate.rejected.count(bound);
        bounds::end(&mut self.session, code, reason, self.gate.clock.now(), &mut self.fx);
        // Others need not end for what is about to go.
        self.share.charge(0, self.session.subject());
    }

    /// A frame that is about to be handed to the session: whether it is a bind, and whether the directory may be asked.
    pub(super) fn look_at_bind(&mut self, frame: &[u8]) {
        self.session.bounds.refuses_binds = false;
        if !self.gate.failed_binds.counts() || !is_bind(frame) {
            return;
        }
        // The outcome of the bind before belongs to what that one counts under.
        self.hand_over_records();
        let request = Envelope::parse_request(frame).ok();
        let Some(Ok(Request::Bind(bind))) = request.map(|envelope| Request::decode(&envelope)) else { return };
        let attempt = self.gate.failed_binds.attempt(&bind, self.share.address().account());
        let may_try = self.gate.failed_binds.may_try(attempt, self.gate.clock.now().monotonic);
        self.session.bounds.refuses_binds = !may_try;
        self.attempt = may_try.then_some(attempt);
    }

    /// An operation is over: if it is a bind of which the directory was asked, its outcome is counted.
    pub(super) fn bind_done(&mut self, done: &Done) {
        if done.kind != Kind::Bind {
            return;
        }
        if done.result == Some(ResultCode::BUSY) && done.duration.is_none() {
            return self.gate.rejected.count(Bound::FailedBinds);
        }
        let Some(attempt) = self.attempt.take().filter(|_| done.duration.is_some()) else { return };
        let succeeded = match done.result {
            Some(ResultCode::SUCCESS) => true,
            // A client that left did not wait for the answer, but the directory was asked all the same.
            Some(ResultCode::INVALID_CREDENTIALS) | None => false,
            Some(_) => return,
        };
        self.gate.failed_binds.tried(attempt, succeeded, self.gate.clock.now().monotonic);
    }
}

/// Whether a message is a bind, in whatever form its lengths are written.
fn is_bind(frame: &[u8]) -> bool {
    let operation = || {
        let message = Header::read(frame).ok()??;
        let rest = frame.get(message.header..)?;
        let id = Header::read(rest).ok()??;
        rest.get(id.header + id.content).copied()
    };
    operation() == Some(tag::BIND_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_one_in_every_form_of_lengths() {
        let lengths = |content: &[u8], form: usize| match form {
            0 => vec![content.len() as u8],
            form => [&[0x80 | form as u8][..], &(content.len() as u64).to_be_bytes()[8 - form..]].concat(),
        };
        let element = |tag: u8, content: &[u8], form| [&[tag][..], &lengths(content, form), content].concat();
        for form in [0, 1, 2, 4, 8] {
            for (operation, expected) in [(tag::BIND_REQUEST, true), (tag::SEARCH_REQUEST, false)] {
                let id = element(0x02, &[0x60], form);
                let content = [id, element(operation, &[0x60; 5], form)].concat();
                for outer in [0, 1, 2, 4, 8] {
                    assert_eq!(is_bind(&element(0x30, &content, outer)), expected, "{form} {outer}");
                }
            }
        }
        let whole = element(0x30, &[element(0x02, &[1], 4), vec![tag::BIND_REQUEST, 0]].concat(), 4);
        assert!(is_bind(&whole));
        (0..whole.len() - 2).for_each(|end| assert!(!is_bind(&whole[..end]), "{end}"));
    }
}
