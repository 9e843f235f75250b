//! From the sockets to the session: whole messages, each decided at its own instant.

use super::{CHUNK, ClientStream, Driver, HIGH_WATER, MAX_UPSTREAM_MESSAGE, Upstream, WAITING_INPUT};
use crate::engine::ldap::frame::{frame_length, peek_frame_length};
use crate::engine::session::Flow;
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

impl Driver {
    pub(super) fn read_upstream(&mut self, cx: &mut Context<'_>) -> bool {
        if self.is_full(self.fx.to_client.len() - self.fx.client_written) || self.is_held_back(cx) {
            return false;
        }
        let most = self.readable_from_directory();
        SCRATCH.with_borrow_mut(|scratch| {
            let Upstream::Open(stream, _) = &mut self.upstream else { return false };
            let Some(room) = scratch.get_mut(..most).filter(|room| !room.is_empty()) else { return false };
            let mut read = ReadBuf::new(room);
            let Poll::Ready(result) = Pin::new(stream).poll_read(cx, &mut read) else { return false };
            let octets = read.filled();
            if !octets.is_empty() {
                self.unheard = None;
                self.watch.directory_heard();
            }
            if result.is_err() || octets.is_empty() {
                self.lose_upstream();
                if let Some(server) = self.unheard.take() {
                    self.gate.directory.load().set_back(&server);
                }
                let session = &self.session.origin().session;
                tracing::info!(%session, error = ?result.err(), "the directory has closed the connection of a session");
                self.session.on_upstream_lost(self.gate.clock.now(), &mut self.fx);
            } else if self.upstream_in.is_empty() {
                let used = self.feed_upstream(octets);
                self.upstream_in.extend_from_slice(octets.get(used..).unwrap_or_default());
            } else {
                let mut buffer = std::mem::take(&mut self.upstream_in);
                append(&mut buffer, octets, self.upstream_expected);
                let used = self.feed_upstream(&buffer);
                self.upstream_in = keep_rest(buffer, used);
            }
            self.client_ready = !self.client_in.is_empty();
            self.perform();
            true
        })
    }

    /// Hands whole messages of the directory to the session; how many octets they were.
    fn feed_upstream(&mut self, octets: &[u8]) -> usize {
        let snapshot = self.gate.shared.snapshot.load();
        let now = self.gate.clock.now();
        if self.session.rests_on_grants() {
            self.session.on_change(&snapshot, now, &mut self.fx);
        }
        let mut used = 0;
        self.upstream_expected = 0;
        while let Some(rest) = octets.get(used..) {
            if self.session.is_closed() || self.fx.drop_upstream {
                return octets.len();
            }
            match frame_length(rest, MAX_UPSTREAM_MESSAGE) {
                Ok(Some(length)) => {
                    let Some(frame) = rest.get(..length) else { break };
                    self.session.on_upstream(frame, &snapshot, now, &mut self.fx);
                    used += length;
                }
                Ok(None) => {
                    self.upstream_expected = expected(rest);
                    break;
                }
                Err(_) => {
                    self.session.on_upstream_garbage(now, &mut self.fx);
                    return octets.len();
                }
            }
        }
        used
    }

    pub(super) fn read_client(&mut self, cx: &mut Context<'_>) -> bool {
        if self.session.is_closed() || self.fx.start_tls {
            return false;
        }
        let busy = self.is_full(self.fx.to_client.len() - self.fx.client_written)
            || self.is_full(self.fx.to_upstream.len() - self.fx.upstream_written);
        // One that waits for the log reads no more, so that what it waits for does not grow.
        if busy || self.commit.upstream || self.is_held_back(cx) {
            self.watch.client_not_read();
            return false;
        }
        if self.client_ready && self.session.reads_client() {
            let buffer = std::mem::take(&mut self.client_in);
            let used = self.feed_client(&buffer);
            self.client_in = keep_rest(buffer, used);
            if used > 0 {
                return true;
            }
        }
        let waits = self.client_ready && !self.client_in.is_empty();
        if waits && self.client_in.len() >= WAITING_INPUT {
            return false;
        }
        let most = self.readable_from_client();
        SCRATCH.with_borrow_mut(|scratch| {
            let Some(room) = scratch.get_mut(..most).filter(|room| !room.is_empty()) else { return false };
            let mut read = ReadBuf::new(room);
            let result = match &mut self.client {
                ClientStream::Plain(stream) => Pin::new(stream).poll_read(cx, &mut read),
                ClientStream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut read),
            };
            let Poll::Ready(result) = result else { return false };
            let octets = read.filled();
            if result.is_err() || octets.is_empty() {
                self.session.on_client_lost(self.gate.clock.now(), &mut self.fx);
                return true;
            }
            self.not_idle();
            if self.client_in.is_empty() {
                let used = self.feed_client(octets);
                self.client_in.extend_from_slice(octets.get(used..).unwrap_or_default());
            } else {
                let mut buffer = std::mem::take(&mut self.client_in);
                append(&mut buffer, octets, self.client_expected);
                let used = self.feed_client(&buffer);
                self.client_in = keep_rest(buffer, used);
            }
            true
        })
    }

    /// Hands whole messages of the client to the session; how many octets they were. Each is
    /// decided at its own instant.
    fn feed_client(&mut self, octets: &[u8]) -> usize {
        self.client_ready = false;
        self.client_expected = 0;
        let mut used = 0;
        while let Some(rest) = octets.get(used..) {
            if self.session.is_closed() || self.fx.start_tls {
                break;
            }
            // How large the next message may be depends on who the bind makes of the client.
            if self.session.is_binding() && !rest.is_empty() {
                self.client_ready = true;
                break;
            }
            let now = self.gate.clock.now();
            match frame_length(rest, self.session.message_limit(self.gate.limits.max_message_bytes)) {
                Ok(Some(length)) => {
                    let Some(frame) = rest.get(..length) else { break };
                    let followed = rest.len() > length;
                    self.watch.message_done();
                    self.look_at_bind(frame);
                    let snapshot = self.gate.shared.snapshot.load();
                    match self.session.on_client(frame, followed, &snapshot, now, &mut self.fx) {
                        Flow::Wait => {
                            self.client_ready = true;
                            break;
                        }
                        Flow::Done => used += length,
                    }
                    self.perform();
                    if self.fx.to_client.len() > HIGH_WATER || self.fx.to_upstream.len() > HIGH_WATER {
                        self.client_ready = true;
                        break;
                    }
                }
                Ok(None) => {
                    self.client_expected = expected(rest);
                    break;
                }
                Err(error) => {
                    self.session.on_client_garbage(&error.to_string(), now, &mut self.fx);
                    return octets.len();
                }
            }
        }
        used
    }
}

/// How long the message is going to be that begins here; 0 where nothing does.
fn expected(begun: &[u8]) -> usize {
    peek_frame_length(begun).ok().flatten().unwrap_or_default().max(begun.len())
}

/// Appends octets of a message whose length is known, with one allocation for all of it.
fn append(buffer: &mut Vec<u8>, octets: &[u8], expected: usize) {
    if expected > buffer.capacity() {
        buffer.reserve_exact(expected - buffer.len());
    }
    buffer.extend_from_slice(octets);
}

/// Drops what was used; gives the memory back when little is left.
fn keep_rest(mut buffer: Vec<u8>, used: usize) -> Vec<u8> {
    if used >= buffer.len() {
        return Vec::new();
    }
    if used > 0 {
        buffer.drain(..used);
        if buffer.capacity() > CHUNK {
            buffer.shrink_to(CHUNK);
        }
    }
    buffer
}
