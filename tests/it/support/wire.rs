//! A wire between the gate and slapd that can be slowed down, cut and listened to.
//!
//! It carries plain LDAP, message by message, so that a test can hold a search open for as long
//! as it likes and see what was said to the directory.

use super::ber::{children, cut, value};
use super::eventually;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A message that the gate sent to the directory.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Which connection, counted from 0.
    pub(crate) connection: usize,
    pub(crate) id: i32,
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
    /// The whole message.
    pub(crate) bytes: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    entry_delay_us: AtomicU64,
    request_delay_us: AtomicU64,
    /// Answers wait while this is set.
    held: AtomicBool,
    ended: AtomicBool,
    heard: Mutex<Vec<Heard>>,
    streams: Mutex<Vec<TcpStream>>,
}

/// A wire with its own port.
pub(crate) struct Wire {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl Wire {
    /// To a directory's plain port.
    pub(crate) fn to(port: u16) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        std::thread::spawn(move || {
            for (connection, near) in listener.incoming().flatten().enumerate() {
                if state.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for stream in [&near, &far] {
                    let _ = stream.set_nodelay(true);
                    state.streams.lock().unwrap().push(stream.try_clone().unwrap());
                }
                let (up, down) = ((near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near));
                let (listen, slow) = (Arc::clone(&state), Arc::clone(&state));
                std::thread::spawn(move || carry(up.0, up.1, |bytes| listen.hear(connection, bytes)));
                std::thread::spawn(move || carry(down.0, down.1, |bytes| slow.delay(bytes)));
            }
        });
        Wire { port: own, shared }
    }

    /// From now on every entry takes this long.
    pub(crate) fn slow_entries(&self, delay: Duration) {
        self.shared.entry_delay_us.store(delay.as_micros() as u64, Ordering::Relaxed);
    }

    /// From now on every request takes this long.
    pub(crate) fn slow_requests(&self, delay: Duration) {
        self.shared.request_delay_us.store(delay.as_micros() as u64, Ordering::Relaxed);
    }

    /// From now on (`true`), no answer comes through until it is let go (`false`).
    pub(crate) fn hold(&self, held: bool) {
        self.shared.held.store(held, Ordering::Relaxed);
    }

    /// What the gate has said so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the gate has said something as wanted.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Heard {
        eventually(&format!("on the wire: {what}"), || self.heard().into_iter().find(&wanted))
    }

    /// Cuts every connection there is; new ones are carried.
    pub(crate) fn cut(&self) {
        for stream in self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn hear(&self, connection: usize, bytes: &[u8]) {
        let Some((_, content, _)) = cut(bytes) else { return };
        let parts = children(content);
        let heard = Heard {
            connection,
            id: value(parts[0].1),
            tag: parts[1].0,
            body: parts[1].1.to_vec(),
            bytes: bytes.to_vec(),
        };
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
        let delay = self.request_delay_us.load(Ordering::Relaxed);
        if delay > 0 {
            std::thread::sleep(Duration::from_micros(delay));
        }
    }

    fn delay(&self, bytes: &[u8]) {
        while self.held.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let delay = self.entry_delay_us.load(Ordering::Relaxed);
        let entry = cut(bytes).is_some_and(|(_, content, _)| children(content)[1].0 == 0x64);
        if entry && delay > 0 {
            std::thread::sleep(Duration::from_micros(delay));
        }
    }
}

/// Carries whole messages one way until either side ends.
fn carry(mut from: TcpStream, mut to: TcpStream, each: impl Fn(&[u8])) {
    let (mut buffer, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        while let Some((_, _, rest)) = cut(&buffer) {
            let length = buffer.len() - rest.len();
            each(&buffer[..length]);
            if to.write_all(&buffer[..length]).is_err() {
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
            buffer.drain(..length);
        }
        match from.read(&mut chunk) {
            Ok(count @ 1..) => buffer.extend_from_slice(&chunk[..count]),
            _ => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}
