//! Octets that wait for the log: those of an operation whose begun line is not in it yet. And clients that are not read
//! because there is little room for their records. Sessions that need neither pay for neither.

use super::Driver;
use crate::daemon::audit_log::{AuditHandle, NotRecording};
use crate::engine::audit::record::Weight;
use crate::engine::session::Effects;
use std::task::{Context, Poll};
use std::time::Instant;

/// What a session waits for.
#[derive(Debug, Default)]
pub(super) struct Commit {
    /// Octets to the directory wait.
    pub(super) upstream: bool,
    /// Octets to the client wait.
    pub(super) client: bool,
    /// For the worker's line of this number to be in the log; `None`: it found no room.
    line: Option<u64>,
    /// As the log knows this task, among those that wait for lines, and for room.
    lines_round: u64,
    room_round: u64,
    /// Since when the session is not read for want of room.
    held_back: Option<Instant>,
}

impl Commit {
    /// Whether the gate itself holds something back: what stands still meanwhile is nobody else's doing.
    pub(super) fn waits(&self) -> bool {
        self.upstream || self.client || self.held_back.is_some()
    }

    /// Whether all that is waited for is in the log.
    fn poll(&mut self, audit: &AuditHandle, cx: &mut Context<'_>) -> Poll<Result<(), NotRecording>> {
        let Some(line) = self.line else { return Poll::Ready(Err(NotRecording)) };
        for registered in [false, true] {
            match audit.is_written(line) {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) if registered => {}
                Ok(false) => audit.wait_for_lines(&mut self.lines_round, cx.waker()),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Pending
    }

    /// The same for a session that has ended: what cannot be recorded is not sent. Part of a message that is written
    /// is the end of the connection either way.
    pub(super) fn leave(&mut self, audit: &AuditHandle, fx: &mut Effects, cx: &mut Context<'_>) -> Poll<()> {
        if !self.upstream && !self.client {
            return Poll::Ready(());
        }
        let Poll::Ready(outcome) = self.poll(audit, cx) else { return Poll::Pending };
        let (upstream, client) = (std::mem::take(&mut self.upstream), std::mem::take(&mut self.client));
        if outcome.is_err() {
            if upstream {
                fx.to_upstream.truncate(fx.upstream_written);
            }
            if client {
                fx.to_client.truncate(fx.client_written);
            }
        }
        Poll::Ready(())
    }
}

impl Driver {
    /// Hands begun and finished lines to the log.
    pub(super) fn hand_over_records(&mut self) {
        let (mut begin, mut last, mut lost) = (0, None, false);
        for (end, weight) in self.fx.record_ends.drain(..) {
            if let Some(line) = self.fx.records.get(begin..end) {
                let appended = self.audit.append(line, weight);
                last = appended.or(last);
                let may_be_summed = matches!(weight, Weight::Refused | Weight::Trivial);
                lost |= appended.is_none() && !may_be_summed;
            }
            begin = end;
        }
        self.fx.records.clear();
        let mut finished = std::mem::take(&mut self.fx.done);
        for done in finished.drain(..) {
            self.tally.count(&done);
            self.bind_done(&done);
        }
        self.fx.done = finished;
        if self.fx.hold_upstream || self.fx.hold_client {
            self.commit.upstream |= std::mem::take(&mut self.fx.hold_upstream);
            self.commit.client |= std::mem::take(&mut self.fx.hold_client);
            self.commit.line = last.filter(|_| !lost);
            self.audit.hurry();
        }
    }

    /// Whether something of what waits may go on, or must not.
    pub(super) fn commit(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.commit.upstream && !self.commit.client {
            return false;
        }
        let Poll::Ready(outcome) = self.commit.poll(&self.audit, cx) else { return false };
        self.commit.upstream = false;
        let answers = std::mem::take(&mut self.commit.client);
        match outcome {
            Ok(()) => self.session.on_recorded(),
            Err(NotRecording) => {
                self.session.on_unrecorded(answers, self.gate.clock.now(), &mut self.fx);
                self.perform();
            }
        }
        true
    }

    /// Whether the session must not be read, on either side, because there is little room for records.
    pub(super) fn is_held_back(&mut self, cx: &mut Context<'_>) -> bool {
        let uses_access = self.session.uses_access();
        if self.audit.is_full_for(uses_access) {
            self.audit.wait_for_room(&mut self.commit.room_round, cx.waker());
            // There may be room since.
            if self.audit.is_full_for(uses_access) {
                self.commit.held_back.get_or_insert_with(Instant::now);
                return true;
            }
        }
        if let Some(since) = self.commit.held_back.take() {
            self.audit.was_held_back(since.elapsed());
        }
        false
    }
}
