//! What a session wants done. The driver performs it; nothing here does I/O.

use super::asking::Asking;
use crate::engine::audit::record::Done;
use crate::engine::ldap::frame::frame_length;
use crate::engine::ldap::message::{ClientMessageId, Envelope};
use crate::engine::ldap::tag;

/// Octets to write and things to do, filled by the session and emptied by its driver.
///
/// After each call into the session the driver looks at the flags in the order of the fields,
/// before it hands over the next message.
#[derive(Debug, Default)]
pub struct Effects {
    /// Octets for the client: whole messages from its first octet on.
    pub to_client: Vec<u8>,
    /// How many of these are written; the driver says so before it tells the session of grants that changed.
    pub client_written: usize,
    /// Octets for the directory; kept until the connection is there.
    pub to_upstream: Vec<u8>,
    /// Roles that are to be asked for. What comes of it is the session's to know: [`super::Session::on_asked`].
    pub asks: Vec<Asking>,
    /// Finished lines for the operation log.
    pub records: Vec<u8>,
    /// Where each of them ends.
    pub record_ends: Vec<usize>,
    /// What is counted of each of them.
    pub done: Vec<Done>,
    /// Close the connection to the directory; what is in `to_upstream` was written after it and stays.
    pub drop_upstream: bool,
    /// Open a connection to the directory.
    pub connect: bool,
    /// Bind it as the gate's account that may act for others, before anything is sent over it.
    pub as_proxy: bool,
    /// Once `to_client` is written, begin the TLS handshake with the client.
    pub start_tls: bool,
    /// Once `to_client` and `to_upstream` are written, close both connections.
    pub close: bool,
}

/// What was taken back of one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Withdrawn {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Effects {
    /// Takes the entries of an operation back that wait to be written. What is begun to be written is not: half a
    /// message would be the end of the connection.
    pub(super) fn withdraw(&mut self, id: ClientMessageId) -> Withdrawn {
        let mut withdrawn = Withdrawn::default();
        let mut at = written_to(&self.to_client, self.client_written);
        let mut kept = at;
        while let Some(length) = message_length(&self.to_client, at) {
            let envelope = self.to_client.get(at..at + length).map(Envelope::parse_response);
            let is_entry = envelope.is_some_and(|envelope| {
                envelope.is_ok_and(|envelope| envelope.id == id.0 && envelope.tag == tag::SEARCH_RESULT_ENTRY)
            });
            if is_entry {
                withdrawn.entries += 1;
                withdrawn.bytes += length as u64;
            } else {
                self.to_client.copy_within(at..at + length, kept);
                kept += length;
            }
            at += length;
        }
        if at == self.to_client.len() {
            self.to_client.truncate(kept);
        }
        withdrawn
    }

    /// Takes back everything that waits to be written to the client.
    pub(super) fn withdraw_all(&mut self) {
        let at = written_to(&self.to_client, self.client_written);
        self.to_client.truncate(at);
    }
}

/// Where the first message begins of which nothing is written, in octets that begin with a message.
fn written_to(octets: &[u8], written: usize) -> usize {
    let done = whole_messages(octets, written);
    if done == written {
        return done;
    }
    message_length(octets, done).map_or(octets.len(), |length| done + length)
}

/// How many of the `written` octets are whole messages, in octets that begin with one. What cannot be cut into
/// messages is one as far as it is written.
pub fn whole_messages(octets: &[u8], written: usize) -> usize {
    let mut at = 0;
    while at < written {
        let Some(length) = message_length(octets, at) else { return written };
        if at + length > written {
            break;
        }
        at += length;
    }
    at
}

fn message_length(octets: &[u8], at: usize) -> Option<usize> {
    let rest = octets.get(at..)?;
    let length = frame_length(rest, usize::MAX).ok().flatten()?;
    (length <= rest.len()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ldap::entry::Entry;
    use crate::engine::ldap::{ResultCode, response};

    fn entry(id: i32, name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Entry { name: name.as_bytes(), attributes: Vec::new() }.write(&mut out, ClientMessageId(id));
        out
    }

    fn done(id: i32) -> Vec<u8> {
        let mut out = Vec::new();
        response::write_result(&mut out, ClientMessageId(id), tag::SEARCH_RESULT_DONE, ResultCode::SUCCESS, "", "");
        out
    }

    #[test]
    fn what_waits_is_taken_back_and_nothing_else() {
        let messages = [entry(1, "a=1"), entry(2, "a=22"), entry(1, "a=333"), done(2), entry(1, "a=4444"), done(1)];
        let all = messages.concat();
        for written in 0..=all.len() {
            let mut fx = Effects { to_client: all.clone(), client_written: written, ..Effects::default() };
            let withdrawn = fx.withdraw(ClientMessageId(1));
            let (mut at, mut expected, mut count) = (0, Vec::new(), Withdrawn::default());
            for (number, message) in messages.iter().enumerate() {
                if at >= written && matches!(number, 0 | 2 | 4) {
                    count = Withdrawn { entries: count.entries + 1, bytes: count.bytes + message.len() as u64 };
                } else {
                    expected.extend_from_slice(message);
                }
                at += message.len();
            }
            assert_eq!((fx.to_client, withdrawn), (expected, count), "{written} were written");
            let mut fx = Effects { to_client: all.clone(), client_written: written, ..Effects::default() };
            fx.withdraw_all();
            assert!(fx.to_client.len() >= written && all.starts_with(&fx.to_client));
            assert!(fx.to_client.len() < written + messages.iter().map(Vec::len).max().unwrap());
            assert_eq!(written_to(&fx.to_client, fx.to_client.len()), fx.to_client.len(), "whole messages");
        }
    }
}
