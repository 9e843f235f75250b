//! The envelope of a message (RFC 4511 4.1.1): id, operation, controls. Knows no operation's inside.

use super::ber::{self, BerError, Reader, universal};
use super::control::{self, Control};
use super::request::{ExtendedRequest, Request};
use super::tag;

/// The tag of the controls element in an LDAPMessage.
const CONTROLS: u8 = 0xa0;

/// A message id that a client chose. Never the same thing as an [`UpstreamMessageId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientMessageId(pub i32);

/// A message id that the session chose towards the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamMessageId(pub i32);

/// Octets that are not a message. With `answerable` the operation's response says `protocolError`;
/// without, a Notice of Disconnection does (RFC 4511 4.1.1, 4.4.1, 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MalformedMessage {
    /// Id and request tag, when both could be read and the operation has a response.
    pub answerable: Option<(ClientMessageId, u8)>,
    /// What is wrong, for the diagnostic message.
    pub message: &'static str,
}

/// A message cut open, nothing but its outermost layer looked at. Serves both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// 0 only in an unsolicited notification.
    pub id: i32,
    /// The identifier octet of the operation, e.g. `0x63` for a search request.
    pub tag: u8,
    /// The operation's content octets (without tag and length).
    pub body: &'a [u8],
    /// The content octets of the controls element, when there is one.
    pub controls: Option<&'a [u8]>,
}

impl<'a> Envelope<'a> {
    /// Cuts open what a client sent: exactly one message, its id above zero (RFC 4511 4.1.1.1), its
    /// operation a request.
    #[inline]
    pub fn parse_request(frame: &'a [u8]) -> Result<Envelope<'a>, MalformedMessage> {
        let (id, mut message) = open(frame)?;
        if id == 0 {
            return Err(unanswerable("message id 0 is not for requests"));
        }
        let Some(found) = message.peek_tag().filter(|found| tag::is_request(*found)) else {
            return Err(unanswerable("not a request"));
        };
        close(id, &mut message).map_err(|error| malformed_request(id, found, error.describe()))
    }

    /// Cuts open what the directory sent: exactly one message, its operation a response. Id 0 is an
    /// unsolicited notification, which is an extended response (RFC 4511 4.4).
    #[inline]
    pub fn parse_response(frame: &'a [u8]) -> Result<Envelope<'a>, MalformedMessage> {
        let (id, mut message) = open(frame)?;
        let envelope = close(id, &mut message).map_err(|error| unanswerable(error.describe()))?;
        if !tag::is_response(envelope.tag) {
            return Err(unanswerable("not a response"));
        }
        if id == 0 && envelope.tag != tag::EXTENDED_RESPONSE {
            return Err(unanswerable("message id 0 is for unsolicited notifications"));
        }
        Ok(envelope)
    }

    /// The controls (RFC 4511 4.1.11). Without any, nothing is allocated.
    pub fn controls(&self) -> Result<Vec<Control<'a>>, MalformedMessage> {
        match self.controls {
            None => Ok(Vec::new()),
            Some(content) => control::decode_controls(content)
                .map_err(|error| malformed_request(self.id, self.tag, error.describe())),
        }
    }
}

/// The id, and a reader behind it.
#[inline]
fn open(frame: &[u8]) -> Result<(i32, Reader<'_>), MalformedMessage> {
    let mut outside = Reader::new(frame);
    let mut message = outside.sequence().map_err(|error| unanswerable(error.describe()))?;
    outside.finish().map_err(|_| unanswerable("trailing octets after the message"))?;
    match message.integer() {
        Ok(id) if id >= 0 => Ok((id, message)),
        Ok(_) | Err(_) => Err(unanswerable("malformed message id")),
    }
}

/// Operation and controls, and nothing else.
#[inline]
fn close<'a>(id: i32, message: &mut Reader<'a>) -> Result<Envelope<'a>, BerError> {
    let (tag, body) = message.element()?;
    let controls = message.optional(CONTROLS)?;
    message.finish()?;
    Ok(Envelope { id, tag, body, controls })
}

fn unanswerable(message: &'static str) -> MalformedMessage {
    MalformedMessage { answerable: None, message }
}

fn malformed_request(id: i32, request_tag: u8, message: &'static str) -> MalformedMessage {
    let answerable = tag::response_to(request_tag).map(|_| (ClientMessageId(id), request_tag));
    MalformedMessage { answerable, message }
}

/// Appends a message with this body, octet for octet, and the content of a controls element.
#[inline]
pub fn write_message(out: &mut Vec<u8>, id: i32, tag: u8, body: &[u8], controls: Option<&[u8]>) {
    let element = |length: usize| 1 + ber::length_octets(length) + length;
    let content =
        element(ber::integer_octets(id)) + element(body.len()) + controls.map_or(0, |controls| element(controls.len()));
    out.reserve(element(content));
    out.push(universal::SEQUENCE);
    ber::write_length(out, content);
    ber::write_integer(out, universal::INTEGER, id);
    ber::write_element(out, tag, body);
    if let Some(controls) = controls {
        ber::write_element(out, CONTROLS, controls);
    }
}

/// Appends a message whose body and controls' content the closures append.
#[inline]
pub(super) fn write_message_with(
    out: &mut Vec<u8>,
    id: i32,
    tag: u8,
    body: impl FnOnce(&mut Vec<u8>),
    controls: &[Control<'_>],
) {
    ber::write_constructed(out, universal::SEQUENCE, |out| {
        ber::write_integer(out, universal::INTEGER, id);
        ber::write_constructed(out, tag, body);
        if !controls.is_empty() {
            ber::write_constructed(out, CONTROLS, |out| control::write_controls(out, controls));
        }
    });
}

/// Appends a request in canonical form: what was decoded and decided upon, and nothing else.
pub fn write_request(out: &mut Vec<u8>, id: UpstreamMessageId, request: &Request<'_>, controls: &[Control<'_>]) {
    write_message_with(out, id.0, request.tag(), |out| request.write_body(out), controls);
}

/// Appends an abandon (RFC 4511 4.11) of what the directory knows under `target`.
pub fn write_abandon(out: &mut Vec<u8>, id: UpstreamMessageId, target: UpstreamMessageId) {
    write_request(out, id, &Request::Abandon(ClientMessageId(target.0)), &[]);
}

/// Appends a cancel (RFC 3909) of what the directory knows under `target`.
pub fn write_cancel(out: &mut Vec<u8>, id: UpstreamMessageId, target: UpstreamMessageId, controls: &[Control<'_>]) {
    // The one place where a request holds an id of the other side: it is written and gone.
    let request = Request::Extended(ExtendedRequest::Cancel(ClientMessageId(target.0)));
    write_request(out, id, &request, controls);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_cut_open_and_written_again() {
        let frame = b"\x30\x84\x00\x00\x00\x14\x02\x02\x01\x00\x4a\x82\x00\x03a=b\xa0\x07\x30\x05\x04\x031.2";
        let envelope = Envelope::parse_request(frame).unwrap();
        assert_eq!((envelope.id, envelope.tag, envelope.body), (256, tag::DELETE_REQUEST, &b"a=b"[..]));
        assert_eq!(envelope.controls().unwrap(), [Control { oid: "1.2", critical: false, value: None }]);
        let mut out = Vec::new();
        write_message(&mut out, 7, envelope.tag, envelope.body, envelope.controls);
        assert_eq!(out, b"\x30\x11\x02\x01\x07\x4a\x03a=b\xa0\x07\x30\x05\x04\x031.2");
    }

    #[test]
    fn a_message_of_any_size_is_relayed_octet_for_octet() {
        for size in [0, 1, 117, 118, 119, 120, 121, 122, 128, 240, 256, 70_000] {
            let body = vec![0xa5; size];
            let mut out = b"earlier".to_vec();
            write_message(&mut out, i32::MAX, tag::SEARCH_RESULT_ENTRY, &body, None);
            let envelope = Envelope::parse_response(&out[7..]).unwrap();
            assert_eq!((envelope.id, envelope.body, envelope.controls), (i32::MAX, &body[..], None));
        }
    }

    /// What is wrong, and whether id and operation are known all the same.
    #[test]
    fn malformed_requests_are_answered_as_far_as_they_can_be_read() {
        let answer = Some((ClientMessageId(5), tag::SEARCH_REQUEST));
        for (frame, answerable) in [
            (&b""[..], None),
            (b"\x30", None),
            (b"\x31\x05\x02\x01\x05\x42\x00", None),
            (b"\x30\x80\x02\x01\x05\x42\x00\x00\x00", None),
            (b"\x30\x00", None),
            (b"\x30\x03\x02\x01\x05", None),
            // Octets behind the message.
            (b"\x30\x05\x02\x01\x05\x42\x00\x00", None),
            // Ids: zero, negative, empty, redundant zero, beyond 2^31-1, beyond 32 bits, no integer.
            (b"\x30\x05\x02\x01\x00\x42\x00", None),
            (b"\x30\x05\x02\x01\xff\x42\x00", None),
            (b"\x30\x04\x02\x00\x42\x00", None),
            (b"\x30\x06\x02\x02\x00\x05\x42\x00", None),
            (b"\x30\x08\x02\x04\x80\x00\x00\x00\x42\x00", None),
            (b"\x30\x09\x02\x05\x00\x80\x00\x00\x00\x42\x00", None),
            (b"\x30\x0a\x02\x06\x01\x00\x00\x00\x00\x01\x42\x00", None),
            (b"\x30\x05\x04\x01\x05\x42\x00", None),
            // Not a request: unknown, high tag, a response.
            (b"\x30\x05\x02\x01\x05\x7e\x00", None),
            (b"\x30\x06\x02\x01\x05\x7f\x63\x00", None),
            (b"\x30\x05\x02\x01\x05\x65\x00", None),
            // Abandon and unbind have no response.
            (b"\x30\x05\x02\x01\x05\x42\x01", None),
            (b"\x30\x07\x02\x01\x05\x50\x01\x01\x00", None),
            // Operation cut short, or of indefinite length; something else behind it; controls twice, cut short.
            (b"\x30\x04\x02\x01\x05\x63", answer),
            (b"\x30\x06\x02\x01\x05\x63\x02\x00", answer),
            (b"\x30\x07\x02\x01\x05\x63\x80\x00\x00", answer),
            (b"\x30\x0a\x02\x01\x05\x63\x84\xff\xff\xff\xff\x00", answer),
            (b"\x30\x08\x02\x01\x05\x63\x00\x04\x01x", answer),
            (b"\x30\x07\x02\x01\x05\x63\x00\xa1\x00", answer),
            (b"\x30\x09\x02\x01\x05\x63\x00\xa0\x00\xa0\x00", answer),
            (b"\x30\x07\x02\x01\x05\x63\x00\xa0\x01", answer),
        ] {
            let error = Envelope::parse_request(frame).unwrap_err();
            assert_eq!(error.answerable, answerable, "{frame:x?}: {error}");
        }
    }

    #[test]
    fn malformed_controls_are_answered_with_the_operation_s_response() {
        for controls in [
            &b"\x30\x00"[..],
            b"\x04\x00",
            b"\x30\x03\x04\x01x",
            b"\x30\x02\x04\x00",
            b"\x30\x05\x04\x031.2\x00",
            b"\x30\x08\x04\x031.2\x01\x01\xff\x30\x00",
            b"\x30\x07\x04\x031.2\x01\x00",
            b"\x30\x08\x04\x031.2\x01\x01\xff\x01\x01\xff",
            b"\x30\x0a\x04\x031.2\x04\x00\x01\x01\xff\x04\x00",
        ] {
            let mut frame = Vec::new();
            write_message(&mut frame, 9, tag::MODIFY_REQUEST, b"", Some(controls));
            let error = Envelope::parse_request(&frame).unwrap().controls().unwrap_err();
            assert_eq!(error.answerable, Some((ClientMessageId(9), tag::MODIFY_REQUEST)), "{controls:x?}");
        }
    }

    #[test]
    fn responses_may_be_unsolicited_only_as_extended_responses() {
        assert!(Envelope::parse_response(b"\x30\x05\x02\x01\x00\x78\x00").is_ok());
        assert!(Envelope::parse_response(b"\x30\x05\x02\x01\x00\x65\x00").is_err());
        assert!(Envelope::parse_response(b"\x30\x05\x02\x01\x01\x65\x00").is_ok());
        assert!(Envelope::parse_response(b"\x30\x05\x02\x01\x01\x63\x00").is_err());
    }
}
