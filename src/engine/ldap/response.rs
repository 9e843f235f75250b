//! Answers: peeks into what the directory sends, and writers for those that the proxy gives itself.

use super::ber::{self, BerError, Reader, universal};
use super::message::{ClientMessageId, write_message_with};
use super::result::ResultCode;
use super::tag;

const REFERRAL: u8 = 0xa3;
const SERVER_SASL_CREDENTIALS: u8 = 0x87;
const EXTENDED_NAME: u8 = 0x8a;
const EXTENDED_VALUE: u8 = 0x8b;

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
