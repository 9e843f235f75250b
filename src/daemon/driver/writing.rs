//! From the session to the sockets.

use super::{CHUNK, ClientStream, Driver, Upstream};
use crate::engine::session::whole_messages;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// A buffer on its way out.
struct Sent<'a> {
    buffer: &'a mut Vec<u8>,
    /// How much of the buffer is written.
    written: &'a mut usize,
    /// The stream may hold octets back.
    unflushed: &'a mut bool,
}

/// Which sides are closed, after a session has ended.
#[derive(Default)]
pub(super) struct Leaving {
    client: bool,
    upstream: bool,
}

impl Driver {
    fn drain_client(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let (buffer, written) = (&mut self.fx.to_client, &mut self.fx.client_written);
        let mut sent = Sent { buffer, written, unflushed: &mut self.client_unflushed };
        match &mut self.client {
            ClientStream::Plain(stream) => drain(stream, cx, &mut sent),
            ClientStream::Tls(stream) => drain(stream.as_mut(), cx, &mut sent),
        }
    }

    fn drain_upstream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Upstream::Open(stream, _) = &mut self.upstream else { return Poll::Ready(Ok(false)) };
        let (buffer, written) = (&mut self.fx.to_upstream, &mut self.fx.upstream_written);
        drain(stream, cx, &mut Sent { buffer, written, unflushed: &mut self.upstream_unflushed })
    }

    pub(super) fn write_client(&mut self, cx: &mut Context<'_>) -> bool {
        if self.commit.client || self.fx.hold_client {
            return false;
        }
        match self.drain_client(cx) {
            Poll::Ready(Ok(wrote)) => {
                if wrote {
                    self.watch.client_took();
                }
                if self.fx.to_client.is_empty() {
                    self.session.on_client_written();
                }
                wrote
            }
            Poll::Ready(Err(_)) => {
                self.session.on_client_lost(self.gate.clock.now(), &mut self.fx);
                true
            }
            Poll::Pending => false,
        }
    }

    pub(super) fn write_upstream(&mut self, cx: &mut Context<'_>) -> bool {
        if self.commit.upstream || self.fx.hold_upstream {
            return false;
        }
        match self.drain_upstream(cx) {
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Ready(Err(_)) => {
                // What it still has to say (a notice of disconnection) is read first; the end shows there.
                self.fx.to_upstream.clear();
                self.fx.upstream_written = 0;
                self.upstream_unflushed = false;
                false
            }
            Poll::Pending => false,
        }
    }

    /// The session has ended: writes its last octets and closes both connections, neither waiting for the other. Grants
    /// that end meanwhile still count.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, leaving: &mut Leaving) -> Poll<()> {
        // What must be in the log first is not sent if it cannot be.
        if self.commit.leave(&self.audit, &mut self.fx, cx).is_pending() {
            return Poll::Pending;
        }
        loop {
            let mut progress = self.hear_changes(cx);
            if !leaving.client {
                match self.drain_client(cx) {
                    Poll::Ready(Ok(true)) => progress = true,
                    Poll::Ready(Ok(false)) => {
                        self.session.on_client_written();
                        leaving.client = match &mut self.client {
                            ClientStream::Plain(stream) => Pin::new(stream).poll_shutdown(cx).is_ready(),
                            ClientStream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx).is_ready(),
                        };
                    }
                    Poll::Ready(Err(_)) => leaving.client = true,
                    Poll::Pending => {}
                }
            }
            if !leaving.upstream {
                match self.drain_upstream(cx) {
                    Poll::Ready(Ok(true)) => progress = true,
                    Poll::Ready(Ok(false)) => {
                        leaving.upstream = match &mut self.upstream {
                            Upstream::Open(stream, _) => Pin::new(stream).poll_shutdown(cx).is_ready(),
                            Upstream::None | Upstream::Opening(_) => true,
                        };
                    }
                    Poll::Ready(Err(_)) => leaving.upstream = true,
                    Poll::Pending => {}
                }
            }
            if leaving.client && leaving.upstream {
                return Poll::Ready(());
            }
            if !progress {
                return Poll::Pending;
            }
        }
    }
}

/// Writes what can be written. `Ready(true)`: something was written or flushed.
fn drain<S: AsyncWrite + Unpin>(stream: &mut S, cx: &mut Context<'_>, sent: &mut Sent<'_>) -> Poll<io::Result<bool>> {
    let mut wrote = false;
    while let Some(rest) = sent.buffer.get(*sent.written..).filter(|rest| !rest.is_empty()) {
        let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(cx, rest)? else {
            give_back(sent);
            return if wrote { Poll::Ready(Ok(true)) } else { Poll::Pending };
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        *sent.written += written;
        *sent.unflushed = true;
        wrote = true;
    }
    if !sent.buffer.is_empty() {
        sent.buffer.clear();
        sent.buffer.shrink_to(CHUNK);
        *sent.written = 0;
    }
    if *sent.unflushed {
        ready!(Pin::new(stream).poll_flush(cx))?;
        *sent.unflushed = false;
        wrote = true;
    }
    Poll::Ready(Ok(wrote))
}

/// Drops what was written. A reader that is always a little behind never lets the buffer run empty: it
/// would keep everything that ever went through it. Moving less than was written costs no more than writing it.
/// A message of which a part is written stays whole, so that what comes behind it can be told apart.
fn give_back(sent: &mut Sent<'_>) {
    let written = *sent.written;
    if written < CHUNK || written < sent.buffer.len() - written {
        return;
    }
    let done = whole_messages(sent.buffer, written);
    sent.buffer.drain(..done);
    *sent.written -= done;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Takes so many octets and no more.
    struct Trickle {
        room: usize,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Trickle {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
            let length = octets.len().min(self.room);
            if length == 0 {
                return Poll::Pending;
            }
            self.room -= length;
            self.taken.extend_from_slice(&octets[..length]);
            Poll::Ready(Ok(length))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_reader_that_is_always_a_little_behind_fills_no_memory() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut stream = Trickle { room: 0, taken: Vec::new() };
        let (mut buffer, mut written, mut unflushed, mut all) = (Vec::new(), 0, false, Vec::new());
        let mut push = |stream: &mut Trickle, buffer: &mut Vec<u8>, written: &mut usize| {
            let mut sent = Sent { buffer, written, unflushed: &mut unflushed };
            drain(stream, &mut cx, &mut sent).map(Result::unwrap)
        };
        for round in 0..200u8 {
            // Whole messages, which end elsewhere than chunks do.
            let octets = [&[0x30, 0x82, 0x03, 0xe8][..], &vec![round; 1000]].concat().repeat(CHUNK / 1004);
            all.extend_from_slice(&octets);
            buffer.extend_from_slice(&octets);
            // Two chunks are always waiting.
            stream.room = if round < 2 { 0 } else { octets.len() };
            let expected = if round < 2 { Poll::Pending } else { Poll::Ready(true) };
            assert_eq!(push(&mut stream, &mut buffer, &mut written), expected);
            assert!(buffer.len() - written <= 2 * CHUNK);
            assert!(buffer.capacity() <= 8 * CHUNK, "{} octets are kept in round {round}", buffer.capacity());
            assert_eq!(buffer.first(), Some(&0x30), "what is kept begins with a message");
        }
        stream.room = usize::MAX;
        assert_eq!(push(&mut stream, &mut buffer, &mut written), Poll::Ready(true));
        assert!(stream.taken == all, "octets were lost or turned around");
        assert!(buffer.is_empty() && written == 0);
        assert_eq!(push(&mut stream, &mut buffer, &mut written), Poll::Ready(false));
    }
}
