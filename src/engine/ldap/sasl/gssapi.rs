//! The SASL mechanism GSSAPI (RFC 4752) over Kerberos (RFC 4121): which security layer the client's
//! last message chooses. It is signed, not encrypted, so that it can be read, though not verified.

use super::{Said, StepError};

/// RFC 1964 1: the OID of Kerberos 5, as RFC 2743 3.1 frames it.
const KERBEROS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// RFC 4121 4.1: KRB_AP_REQ.
const AP_REQUEST: &[u8] = b"\x01\x00";
/// RFC 4121 4.2.6.2.
const WRAP: &[u8] = b"\x05\x04";
const WRAP_HEADER: usize = 16;
const SENT_BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;
/// RFC 4752 3.3: no security layer.
const NO_LAYER: u8 = 1;

/// A message of the client: a context token, nothing, or the last one.
pub(super) fn read(message: &[u8]) -> Result<Said, StepError> {
    match message {
        [] => Ok(Said::default()),
        [0x60, ..] if is_context_token(message) => Ok(Said::default()),
        _ if message.starts_with(WRAP) => chosen(message),
        // Tokens of RFC 1964 (DES, RC4) as well, whose inside depends on the cipher.
        _ => Err(StepError::Unreadable),
    }
}

/// RFC 2743 3.1, with a KRB_AP_REQ in it.
fn is_context_token(message: &[u8]) -> bool {
    let behind_length = match message.get(1) {
        Some(length @ 0..=0x7f) => Some((2, usize::from(*length))),
        Some(0x81) => message.get(2).map(|length| (3, usize::from(*length))),
        Some(0x82) => message.get(2..4).map(|length| (4, length.iter().fold(0, |sum, o| sum << 8 | usize::from(*o)))),
        Some(0x83) => message.get(2..5).map(|length| (5, length.iter().fold(0, |sum, o| sum << 8 | usize::from(*o)))),
        _ => None,
    };
    let Some((start, length)) = behind_length else { return false };
    let Some(content) = message.get(start..) else { return false };
    content.len() == length && content.strip_prefix(KERBEROS).is_some_and(|token| token.starts_with(AP_REQUEST))
}

/// RFC 4121 4.2.4: a wrap token without confidentiality is header | { plaintext | checksum } rotated
/// right by RRC; EC is the length of the checksum.
fn chosen(message: &[u8]) -> Result<Said, StepError> {
    let Some((&[_, _, flags, filler, ec_high, ec_low, rrc_high, rrc_low, ..], body)) = message
        .split_at_checked(WRAP_HEADER)
        .and_then(|(header, body)| Some((<&[u8; WRAP_HEADER]>::try_from(header).ok()?, body)))
    else {
        return Err(StepError::Unreadable);
    };
    let checksum = usize::from(u16::from_be_bytes([ec_high, ec_low]));
    let rotated = usize::from(u16::from_be_bytes([rrc_high, rrc_low]));
    // No checksum would prove nothing to the directory; more rotation than there is to rotate, two
    // libraries may read in two ways.
    if flags & (SEALED | SENT_BY_ACCEPTOR) != 0 || filler != 0xff || checksum == 0 || rotated > body.len() {
        return Err(StepError::Unreadable);
    }
    let mut body = body.to_vec();
    body.rotate_left(rotated);
    body.truncate(body.len().saturating_sub(checksum));
    // RFC 4752 3.1: the layer, the client's buffer in three octets, an authorization identity.
    match body.as_slice() {
        [NO_LAYER, _, _, _, authorization @ ..] => {
            Ok(Said { no_layer: true, authorization: !authorization.is_empty() })
        }
        [_, _, _, _, ..] => Err(StepError::Layer),
        _ => Err(StepError::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(flags: u8, ec: u16, rrc: u16, plain: &[u8]) -> Vec<u8> {
        let mut body = [plain, &vec![0xcc; usize::from(ec)]].concat();
        let length = body.len();
        body.rotate_right(usize::from(rrc) % length.max(1));
        let mut out = vec![5, 4, flags, 0xff];
        out.extend(ec.to_be_bytes());
        out.extend(rrc.to_be_bytes());
        out.extend([0; 8]);
        out.extend(body);
        out
    }

    #[test]
    fn only_no_layer_is_passed() {
        let none = Ok(Said { no_layer: true, authorization: false });
        let (layer, unreadable) = (Err(StepError::Layer), Err(StepError::Unreadable));
        for (name, message, expected) in [
            ("no layer", wrap(0, 12, 0, b"\x01\0\0\0"), none),
            ("acceptor's subkey", wrap(4, 12, 0, b"\x01\0\0\0"), none),
            ("rotated", wrap(0, 12, 12, b"\x01\0\0\0"), none),
            ("rotated by all", wrap(0, 12, 16, b"\x01\0\0\0"), none),
            ("rotated, so that the first octet is another's", wrap(0, 12, 5, b"\x04\0\0\0"), layer),
            ("integrity", wrap(0, 12, 0, b"\x02\0\x10\0"), layer),
            ("confidentiality", wrap(0, 12, 12, b"\x04\0\x10\0"), layer),
            ("two at once", wrap(0, 12, 0, b"\x05\0\0\0"), layer),
            ("nothing at all", wrap(0, 12, 0, b"\0\0\0\0"), layer),
            ("as somebody", wrap(0, 12, 0, b"\x01\0\0\0u:bob"), Ok(Said { no_layer: true, authorization: true })),
            ("sealed", wrap(2, 12, 0, b"\x01\0\0\0"), unreadable),
            ("sent by the acceptor", wrap(1, 12, 0, b"\x01\0\0\0"), unreadable),
            ("without checksum", wrap(0, 0, 0, b"\x01\0\0\0"), unreadable),
            ("rotated by more than there is", wrap(0, 12, 17, b"\x01\0\0\0"), unreadable),
            ("checksum that leaves too little", wrap(0, 12, 0, b"\x01\0\0"), unreadable),
            ("too short", b"\x05\x04\0\xff\0\0\0\0\0\0\0\0\0\0\0".to_vec(), unreadable),
            (
                "a token of RFC 1964",
                b"\x60\x0f\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x02\x01xx".to_vec(),
                unreadable,
            ),
            (
                "a context token",
                b"\x60\x0f\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\0xx".to_vec(),
                Ok(Said::default()),
            ),
            (
                "one with more behind it",
                b"\x60\x0e\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\0xx".to_vec(),
                unreadable,
            ),
            ("nothing", Vec::new(), Ok(Said::default())),
            ("something else", b"hello".to_vec(), unreadable),
        ] {
            assert_eq!(read(&message), expected, "{name}");
        }
    }
}
