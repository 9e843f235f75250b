//! What a session wants done. The driver performs it; nothing here does I/O.

use super::asking::Asking;
use crate::engine::audit::record::{Done, Weight};
use crate::engine::ldap::frame::frame_length;
use crate::engine::ldap::message::{Envelope, UpstreamMessageId};
use crate::engine::ldap::tag;

/// Octets to write and things to do, filled by the session and emptied by its driver.
///
/// After each call into the session the driver looks at the flags in the order of the fields,
/// before it hands over the next message.
#[derive(Debug, Default)]
pub struct Effects {
    /// Octets for the client: whole messages from its first octet on.
    pub to_client: Vec<u8>,
    /// How many of these are written: the driver keeps it right whenever it calls the session.
    pub client_written: usize,
    /// Octets for the directory: whole messages from its first octet on; kept until the connection is there.
    pub to_upstream: Vec<u8>,
    /// How many of these are written, as `client_written`. A message of which one octet is written counts as sent.
    pub upstream_written: usize,
    /// Roles that are to be asked for. What comes of it is the session's to know: [`super::Session::on_asked`].
    pub asks: Vec<Asking>,
    /// Begun and finished lines for the operation log.
    pub records: Vec<u8>,
    /// Where each of them ends in `records`, and what it is worth.
    pub record_ends: Vec<(usize, Weight)>,
    /// Nothing more of `to_upstream` is to be written before all of `records` are in the log.
    pub hold_upstream: bool,
    /// Nothing more of `to_client` is to be written before all of `records` are in the log.
    pub hold_client: bool,
    /// What is counted of each that is finished.
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

/// What becomes of a message that waits to be written to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is written as it is.
    Kept,
    /// It is withdrawn.
    Withdrawn,
    /// Others are written in its place.
    Replaced(Vec<u8>),
}

impl Effects {
    /// Decides on every message that waits to be written to the client. What is begun to be written is not looked at:
    /// half a message would be the end of the connection.
    pub(super) fn review_unwritten(&mut self, mut fate: impl FnMut(&Envelope<'_>, usize) -> Fate) {
        let at = written_to(&self.to_client, self.client_written);
        if at >= self.to_client.len() {
            return;
        }
        let waiting = self.to_client.split_off(at);
        let mut at = 0;
        while let Some(length) = message_length(&waiting, at) {
            let message = waiting.get(at..at + length).unwrap_or_default();
            at += length;
            // What cannot be read is not ours, and nothing that could be shown.
            match Envelope::parse_response(message).map(|envelope| fate(&envelope, length)) {
                Ok(Fate::Kept) => self.to_client.extend_from_slice(message),
                Ok(Fate::Replaced(octets)) => self.to_client.extend_from_slice(&octets),
                Ok(Fate::Withdrawn) | Err(_) => {}
            }
        }
    }

    /// The client's ids of all messages that wait to be written to it, final ones only.
    pub(super) fn unwritten_answers(&self) -> Vec<i32> {
        let mut ids = Vec::new();
        let mut at = written_to(&self.to_client, self.client_written);
        while let Some(length) = message_length(&self.to_client, at) {
            let envelope =
                self.to_client.get(at..at + length).and_then(|message| Envelope::parse_response(message).ok());
            ids.extend(envelope.filter(|envelope| tag::is_final_response(envelope.tag)).map(|envelope| envelope.id));
            at += length;
        }
        ids
    }

    /// Withdraws everything that waits to be written to the client.
    pub(super) fn withdraw_all(&mut self) {
        let at = written_to(&self.to_client, self.client_written);
        self.to_client.truncate(at);
    }

    /// Drops everything for the directory, because the connection that it was for is no more.
    pub(super) fn clear_upstream(&mut self) {
        self.to_upstream.clear();
        self.upstream_written = 0;
    }

    /// Withdraws the messages to the directory of which nothing is written and whose id is `wanted`; returns these ids,
    /// in the order of the messages.
    pub(super) fn withdraw_unsent(&mut self, wanted: impl Fn(UpstreamMessageId) -> bool) -> Vec<UpstreamMessageId> {
        let mut withdrawn = Vec::new();
        let mut at = written_to(&self.to_upstream, self.upstream_written);
        let mut kept = at;
        while let Some(length) = message_length(&self.to_upstream, at) {
            let id = self.to_upstream.get(at..at + length).and_then(|message| Envelope::parse_request(message).ok());
            match id.map(|envelope| UpstreamMessageId(envelope.id)).filter(|id| wanted(*id)) {
                Some(id) => withdrawn.push(id),
                None => {
                    self.to_upstream.copy_within(at..at + length, kept);
                    kept += length;
                }
            }
            at += length;
        }
        if at == self.to_upstream.len() {
            self.to_upstream.truncate(kept);
        }
        withdrawn
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
    use crate::engine::ldap::message::{self, ClientMessageId};
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
    fn what_waits_is_withdrawn_and_nothing_else() {
        let messages = [entry(1, "a=1"), entry(2, "a=22"), entry(1, "a=333"), done(2), entry(1, "a=4444"), done(1)];
        let all = messages.concat();
        for written in 0..=all.len() {
            let mut fx = Effects { to_client: all.clone(), client_written: written, ..Effects::default() };
            let (mut count, mut octets) = (0, 0);
            fx.review_unwritten(|envelope, length| match (envelope.id, envelope.tag) {
                (1, tag::SEARCH_RESULT_ENTRY) => {
                    count += 1;
                    octets += length;
                    Fate::Withdrawn
                }
                (2, tag::SEARCH_RESULT_DONE) => Fate::Replaced(done(7)),
                _ => Fate::Kept,
            });
            let (mut at, mut expected, mut expected_count, mut expected_octets) = (0, Vec::new(), 0, 0);
            for (number, message) in messages.iter().enumerate() {
                match number {
                    0 | 2 | 4 if at >= written => {
                        expected_count += 1;
                        expected_octets += message.len();
                    }
                    3 if at >= written => expected.extend_from_slice(&done(7)),
                    _ => expected.extend_from_slice(message),
                }
                at += message.len();
            }
            assert_eq!((fx.to_client, count, octets), (expected, expected_count, expected_octets), "{written} written");
            let mut fx = Effects { to_client: all.clone(), client_written: written, ..Effects::default() };
            fx.withdraw_all();
            assert!(fx.to_client.len() >= written && all.starts_with(&fx.to_client));
            assert!(fx.to_client.len() < written + messages.iter().map(Vec::len).max().unwrap());
            assert_eq!(written_to(&fx.to_client, fx.to_client.len()), fx.to_client.len(), "whole messages");
        }
    }

    #[test]
    fn what_is_begun_to_be_sent_is_sent() {
        let messages: Vec<Vec<u8>> = (1..=5)
            .map(|id| {
                let mut out = Vec::new();
                message::write_abandon(&mut out, UpstreamMessageId(id), UpstreamMessageId(100 + id));
                out
            })
            .collect();
        let all = messages.concat();
        for written in 0..=all.len() {
            let mut fx = Effects { to_upstream: all.clone(), upstream_written: written, ..Effects::default() };
            let withdrawn = fx.withdraw_unsent(|id| id.0 != 3);
            let (mut at, mut expected, mut ids) = (0, Vec::new(), Vec::new());
            for (id, message) in (1..).zip(&messages) {
                if at >= written && id != 3 {
                    ids.push(UpstreamMessageId(id));
                } else {
                    expected.extend_from_slice(message);
                }
                at += message.len();
            }
            let Effects { to_upstream, .. } = fx;
            assert_eq!((to_upstream, withdrawn), (expected, ids), "{written} written");
        }
    }
}
