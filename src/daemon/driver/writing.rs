//! From the session to the sockets.

use super::{CHUNK, ClientStream, Driver, Sent, Upstream};
use crate::engine::session::whole_messages;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, AsyncWriteExt};

impl Driver {
    pub(super) fn write_client(&mut self, cx: &mut Context<'_>) -> bool {
        let done = match &mut self.client {
            ClientStream::Plain(stream) => drain(stream, cx, &mut self.fx.to_client, &mut self.client_sent),
            ClientStream::Tls(stream) => drain(stream.as_mut(), cx, &mut self.fx.to_client, &mut self.client_sent),
        };
        match done {
            Poll::Ready(Ok(wrote)) => {
                if wrote {
                    self.watch.client_took();
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
        let Upstream::Open(stream, _) = &mut self.upstream else { return false };
        match drain(stream, cx, &mut self.fx.to_upstream, &mut self.upstream_sent) {
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Ready(Err(_)) => {
                // What it still has to say (a notice of disconnection) is read first; the end shows there.
                self.fx.to_upstream.clear();
                self.upstream_sent = Sent::default();
                false
            }
            Poll::Pending => false,
        }
    }
}

/// Writes what can be written. `Ready(true)`: something was written or flushed.
fn drain<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut Vec<u8>,
    sent: &mut Sent,
) -> Poll<io::Result<bool>> {
    let mut wrote = false;
    while let Some(rest) = buffer.get(sent.written..).filter(|rest| !rest.is_empty()) {
        let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(cx, rest)? else {
            give_back(buffer, sent);
            return if wrote { Poll::Ready(Ok(true)) } else { Poll::Pending };
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        sent.written += written;
        sent.unflushed = true;
        wrote = true;
    }
    if !buffer.is_empty() {
        buffer.clear();
        buffer.shrink_to(CHUNK);
        sent.written = 0;
    }
    if sent.unflushed {
        ready!(Pin::new(stream).poll_flush(cx))?;
        sent.unflushed = false;
        wrote = true;
    }
    Poll::Ready(Ok(wrote))
}

/// Drops what was written. A reader that is always a little behind never lets the buffer run empty: it
/// would keep everything that ever went through it. Moving less than was written costs no more than writing it.
/// A message of which a part is written stays whole, so that what comes behind it can be told apart.
fn give_back(buffer: &mut Vec<u8>, sent: &mut Sent) {
    if sent.written < CHUNK || sent.written < buffer.len() - sent.written {
        return;
    }
    let done = whole_messages(buffer, sent.written);
    buffer.drain(..done);
    sent.written -= done;
}

pub(super) async fn finish<S: AsyncWrite + Unpin>(stream: &mut S, rest: &[u8]) -> io::Result<()> {
    stream.write_all(rest).await?;
    stream.flush().await?;
    stream.shutdown().await
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
        let (mut buffer, mut sent, mut all) = (Vec::new(), Sent::default(), Vec::new());
        for round in 0..200u8 {
            // Whole messages, which end elsewhere than chunks do.
            let octets = [&[0x30, 0x82, 0x03, 0xe8][..], &vec![round; 1000]].concat().repeat(CHUNK / 1004);
            all.extend_from_slice(&octets);
            buffer.extend_from_slice(&octets);
            // Two chunks are always waiting.
            stream.room = if round < 2 { 0 } else { octets.len() };
            let expected = if round < 2 { Poll::Pending } else { Poll::Ready(true) };
            assert_eq!(drain(&mut stream, &mut cx, &mut buffer, &mut sent).map(Result::unwrap), expected);
            assert!(buffer.len() - sent.written <= 2 * CHUNK);
            assert!(buffer.capacity() <= 8 * CHUNK, "{} octets are kept in round {round}", buffer.capacity());
            assert_eq!(buffer.first(), Some(&0x30), "what is kept begins with a message");
        }
        stream.room = usize::MAX;
        assert_eq!(drain(&mut stream, &mut cx, &mut buffer, &mut sent).map(Result::unwrap), Poll::Ready(true));
        assert!(stream.taken == all, "octets were lost or turned around");
        assert!(buffer.is_empty() && sent.written == 0);
        assert_eq!(drain(&mut stream, &mut cx, &mut buffer, &mut sent).map(Result::unwrap), Poll::Ready(false));
    }
}
