//! Answers: peeks into what the directory sends, and writers for those that the proxy gives itself.

use super::ber::{self, BerError, Reader, universal};
use super::message::{ClientMessageId, write_message, write_message_with};
use super::result::ResultCode;
use super::tag;

/// The tag of the referral element (RFC 4511 4.1.9).
pub const REFERRAL: u8 = 0xa3;
const SERVER_SASL_CREDENTIALS: u8 = 0x87;
const EXTENDED_NAME: u8 = 0x8a;
const EXTENDED_VALUE: u8 = 0x8b;

const INTERMEDIATE_NAME: u8 = 0x80;
const INTERMEDIATE_VALUE: u8 = 0x81;

/// The message that says how far a refresh is (RFC 4533 2.5).
pub const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";

/// RFC 4511 4.4.1.
const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// An LDAPResult (RFC 4511 4.1.9) with what bind and extended responses add to it. Strings are octets
/// as the directory sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultView<'a> {
    /// Any number from 0 up, known or not.
    pub code: ResultCode,
    /// How far the directory found its way to the name.
    pub matched_dn: &'a [u8],
    /// The diagnostic message.
    pub message: &'a [u8],
    /// The content of the referral element: one OCTET STRING for each URI.
    pub referrals: Option<&'a [u8]>,
    /// Bind response only.
    pub server_sasl_credentials: Option<&'a [u8]>,
    /// Extended response only: its OID.
    pub name: Option<&'a [u8]>,
    /// Extended response only.
    pub value: Option<&'a [u8]>,
}

impl<'a> ResultView<'a> {
    /// Reads the body of a response that ends an operation (see [`tag::is_final_response`]).
    pub fn peek(response_tag: u8, body: &'a [u8]) -> Result<ResultView<'a>, BerError> {
        if !tag::is_final_response(response_tag) {
            return Err(BerError::UnexpectedTag);
        }
        let mut reader = Reader::new(body);
        let code = u32::try_from(reader.enumerated()?).map_err(|_| BerError::Integer)?;
        let matched_dn = reader.octets()?;
        let message = reader.octets()?;
        let referrals = reader.optional(REFERRAL)?;
        let (mut server_sasl_credentials, mut name, mut value) = (None, None, None);
        if response_tag == tag::BIND_RESPONSE {
            server_sasl_credentials = reader.optional(SERVER_SASL_CREDENTIALS)?;
        }
        if response_tag == tag::EXTENDED_RESPONSE {
            name = reader.optional(EXTENDED_NAME)?;
            value = reader.optional(EXTENDED_VALUE)?;
        }
        reader.finish()?;
        let code = ResultCode(code);
        Ok(ResultView { code, matched_dn, message, referrals, server_sasl_credentials, name, value })
    }

    /// Whether this, with message id 0, is a Notice of Disconnection (RFC 4511 4.4.1).
    pub fn is_notice_of_disconnection(&self) -> bool {
        self.name == Some(NOTICE_OF_DISCONNECTION.as_bytes())
    }
}

/// The DN in the body of a search result entry, as the directory wrote it. Nothing behind it is looked at.
#[inline]
pub fn entry_name(body: &[u8]) -> Result<&[u8], BerError> {
    Reader::new(body).octets()
}

/// The OID in the body of an intermediate response (RFC 4511 4.13), if it has one. All of it is read.
pub fn intermediate_name(body: &[u8]) -> Result<Option<&[u8]>, BerError> {
    let mut reader = Reader::new(body);
    let name = reader.optional(INTERMEDIATE_NAME)?;
    reader.optional(INTERMEDIATE_VALUE)?;
    reader.finish()?;
    Ok(name)
}

/// Appends a response that is an LDAPResult and nothing more.
pub fn write_result(
    out: &mut Vec<u8>,
    id: ClientMessageId,
    response_tag: u8,
    code: ResultCode,
    matched_dn: &str,
    message: &str,
) {
    write_message_with(out, id.0, response_tag, |out| result_fields(out, code, matched_dn, message), &[]);
}

/// Appends the body of a response that is an LDAPResult and nothing more.
pub fn write_result_body(out: &mut Vec<u8>, code: ResultCode, matched_dn: &str, message: &str) {
    result_fields(out, code, matched_dn, message);
}

/// Appends a bind response (RFC 4511 4.2.2) with the code and text of another, these credentials, and the
/// content of a controls element.
pub fn write_bind_result(
    out: &mut Vec<u8>,
    id: ClientMessageId,
    view: &ResultView<'_>,
    credentials: Option<&[u8]>,
    controls: Option<&[u8]>,
) {
    let mut body = Vec::new();
    let code = i32::try_from(view.code.0).unwrap_or(i32::MAX);
    ber::write_integer(&mut body, universal::ENUMERATED, code);
    ber::write_octets(&mut body, b"");
    ber::write_octets(&mut body, view.message);
    if let Some(credentials) = credentials {
        ber::write_element(&mut body, SERVER_SASL_CREDENTIALS, credentials);
    }
    write_message(out, id.0, tag::BIND_RESPONSE, &body, controls);
}

/// Appends an extended response (RFC 4511 4.12).
pub fn write_extended_result(
    out: &mut Vec<u8>,
    id: ClientMessageId,
    code: ResultCode,
    message: &str,
    name: Option<&str>,
    value: Option<&[u8]>,
) {
    extended_result(out, id.0, code, message, name, value);
}

/// Appends a Notice of Disconnection (RFC 4511 4.4.1): the last that is sent before closing.
pub fn write_notice_of_disconnection(out: &mut Vec<u8>, code: ResultCode, message: &str) {
    extended_result(out, 0, code, message, Some(NOTICE_OF_DISCONNECTION), None);
}

fn extended_result(
    out: &mut Vec<u8>,
    id: i32,
    code: ResultCode,
    message: &str,
    name: Option<&str>,
    value: Option<&[u8]>,
) {
    let body = |out: &mut Vec<u8>| {
        result_fields(out, code, "", message);
        if let Some(name) = name {
            ber::write_element(out, EXTENDED_NAME, name.as_bytes());
        }
        if let Some(value) = value {
            ber::write_element(out, EXTENDED_VALUE, value);
        }
    };
    write_message_with(out, id, tag::EXTENDED_RESPONSE, body, &[]);
}

fn result_fields(out: &mut Vec<u8>, code: ResultCode, matched_dn: &str, message: &str) {
    // A code beyond what the protocol can carry cannot come from it either.
    let code = i32::try_from(code.0).unwrap_or(i32::MAX);
    ber::write_integer(out, universal::ENUMERATED, code);
    ber::write_octets(out, matched_dn.as_bytes());
    ber::write_octets(out, message.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::message::Envelope;
    use super::*;

    const ID: ClientMessageId = ClientMessageId(300);

    #[test]
    fn what_is_written_can_be_peeked_into() {
        let mut out = Vec::new();
        let message = "no".repeat(100);
        write_result(&mut out, ID, tag::MODIFY_RESPONSE, ResultCode::INSUFFICIENT_ACCESS_RIGHTS, "dc=x", &message);
        let envelope = Envelope::parse_response(&out).unwrap();
        assert_eq!((envelope.id, envelope.tag), (300, tag::MODIFY_RESPONSE));
        let view = ResultView::peek(envelope.tag, envelope.body).unwrap();
        assert_eq!(view.code, ResultCode::INSUFFICIENT_ACCESS_RIGHTS);
        assert_eq!((view.matched_dn, view.message, view.referrals), (&b"dc=x"[..], message.as_bytes(), None));

        out.clear();
        write_extended_result(&mut out, ID, ResultCode::SUCCESS, "", None, Some(b"dn:"));
        let envelope = Envelope::parse_response(&out).unwrap();
        let view = ResultView::peek(envelope.tag, envelope.body).unwrap();
        assert_eq!((view.code, view.name, view.value), (ResultCode::SUCCESS, None, Some(&b"dn:"[..])));
        assert!(!view.is_notice_of_disconnection());
    }

    #[test]
    fn a_notice_of_disconnection_is_that_of_the_rfc() {
        let mut out = Vec::new();
        write_notice_of_disconnection(&mut out, ResultCode::PROTOCOL_ERROR, "");
        assert_eq!(out, b"\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x02\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036");
        let envelope = Envelope::parse_response(&out).unwrap();
        assert_eq!(envelope.id, 0);
        assert!(ResultView::peek(envelope.tag, envelope.body).unwrap().is_notice_of_disconnection());
    }

    #[test]
    fn each_response_has_the_fields_of_its_kind() {
        let result = b"\x0a\x01\x0e\x04\x00\x04\x00";
        let with = |rest: &[u8]| [&result[..], rest].concat();
        let referral = with(b"\xa3\x03\x04\x01u");
        assert_eq!(ResultView::peek(tag::ADD_RESPONSE, &referral).unwrap().referrals, Some(&b"\x04\x01u"[..]));
        let sasl = with(b"\x87\x02\xff\x00");
        assert_eq!(
            ResultView::peek(tag::BIND_RESPONSE, &sasl).unwrap().server_sasl_credentials,
            Some(&b"\xff\x00"[..])
        );
        assert_eq!(ResultView::peek(tag::ADD_RESPONSE, &sasl), Err(BerError::Trailing));
        assert_eq!(ResultView::peek(tag::BIND_RESPONSE, &with(b"\x8b\x00")), Err(BerError::Trailing));
        assert_eq!(ResultView::peek(tag::SEARCH_RESULT_ENTRY, result), Err(BerError::UnexpectedTag));
        // An unknown code is a code; a negative one is none.
        let unknown = ResultView::peek(tag::ADD_RESPONSE, b"\x0a\x02\x10\x00\x04\x00\x04\x00").unwrap();
        assert_eq!(unknown.code, ResultCode(4096));
        assert_eq!(ResultView::peek(tag::ADD_RESPONSE, b"\x0a\x01\xff\x04\x00\x04\x00"), Err(BerError::Integer));
    }

    #[test]
    fn every_request_with_a_response_has_the_right_one() {
        let answered = (0..=u8::MAX).filter_map(|request| Some((request, tag::response_to(request)?)));
        let expected = [
            (0x4a, 0x6b),
            (0x60, 0x61),
            (0x63, 0x65),
            (0x66, 0x67),
            (0x68, 0x69),
            (0x6c, 0x6d),
            (0x6e, 0x6f),
            (0x77, 0x78),
        ];
        assert!(answered.eq(expected));
        assert_eq!((0..=u8::MAX).filter(|tag| tag::is_request(*tag)).count(), 10);
        assert_eq!((0..=u8::MAX).filter(|tag| tag::is_response(*tag)).count(), 11);
    }
}
