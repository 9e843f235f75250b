//! From the session to the sockets.

use super::{CHUNK, ClientStream, Driver, Sent, Upstream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, AsyncWriteExt};

impl Driver {
    pub(super) fn write_client(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.client_sent.written;
        let done = match &mut self.client {
            ClientStream::Plain(stream) => drain(stream, cx, &mut self.fx.to_client, &mut self.client_sent),
            ClientStream::Tls(stream) => drain(stream.as_mut(), cx, &mut self.fx.to_client, &mut self.client_sent),
        };
        match done {
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Ready(Err(_)) => {
                self.session.on_client_lost(self.gate.clock.now(), &mut self.fx);
                true
            }
            Poll::Pending => self.client_sent.written > before,
        }
    }

    pub(super) fn write_upstream(&mut self, cx: &mut Context<'_>) -> bool {
        let Upstream::Open(stream) = &mut self.upstream else { return false };
        let before = self.upstream_sent.written;
        match drain(stream, cx, &mut self.fx.to_upstream, &mut self.upstream_sent) {
            Poll::Ready(Ok(wrote)) => wrote,
            Poll::Ready(Err(_)) => {
                // What it still has to say (a notice of disconnection) is read first; the end shows there.
                self.fx.to_upstream.clear();
                self.upstream_sent = Sent::default();
                false
            }
            Poll::Pending => self.upstream_sent.written > before,
        }
    }
}

/// Writes what there is. `Ready(true)`: something was written or flushed.
fn drain<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut Vec<u8>,
    sent: &mut Sent,
) -> Poll<io::Result<bool>> {
    let mut wrote = false;
    while let Some(rest) = buffer.get(sent.written..).filter(|rest| !rest.is_empty()) {
        let written = ready!(Pin::new(&mut *stream).poll_write(cx, rest))?;
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

pub(super) async fn finish<S: AsyncWrite + Unpin>(stream: &mut S, rest: &[u8]) -> io::Result<()> {
    stream.write_all(rest).await?;
    stream.flush().await?;
    stream.shutdown().await
}
