//! Where a message ends in a stream of octets: one bounded frame at a time. Looks at nothing
//! but the outermost header, and says no as soon as that can be seen.

use super::ber::{BerError, Header, universal};

/// The stream cannot be cut into messages any more: Notice of Disconnection, and close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// RFC 4511 4.1.1: a message is a SEQUENCE. (A TLS hello on a plain port begins with 0x16.)
    #[error("not an LDAP message")]
    NotASequence,
    /// RFC 4511 5.1 (1).
    #[error("indefinite length")]
    IndefiniteLength,
    /// Longer than the configured bound.
    #[error("message too large")]
    TooLarge,
}

/// The length, header included, of the first message in `buffer`; `None` when it is not all there.
/// Messages of more than `max_bytes` (header included) are refused from their header alone.
#[inline]
pub fn frame_length(buffer: &[u8], max_bytes: usize) -> Result<Option<usize>, FrameError> {
    let total = match peek_frame_length(buffer)? {
        Some(total) if total > max_bytes => return Err(FrameError::TooLarge),
        Some(total) => total,
        None if buffer.len() >= max_bytes => return Err(FrameError::TooLarge),
        None => return Ok(None),
    };
    Ok((buffer.len() >= total).then_some(total))
}

/// The length, header included, that the header in `buffer` announces; `None` when the header is
/// not all there. Says how much to reserve; unbounded, so to be compared with a bound first.
#[inline]
pub fn peek_frame_length(buffer: &[u8]) -> Result<Option<usize>, FrameError> {
    match buffer.first() {
        Some(&universal::SEQUENCE) => {}
        Some(_) => return Err(FrameError::NotASequence),
        None => return Ok(None),
    }
    match Header::read(buffer) {
        Ok(Some(header)) => Ok(Some(header.header + header.content)),
        Ok(None) => Ok(None),
        Err(BerError::IndefiniteLength) => Err(FrameError::IndefiniteLength),
        Err(_) => Err(FrameError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: usize = 1000;

    #[test]
    fn a_whole_message_has_its_length_and_less_has_none() {
        let form = |bytes: &[u8]| frame_length(bytes, BOUND);
        for header in [&b"\x30\x05"[..], b"\x30\x81\x05", b"\x30\x84\x00\x00\x00\x05"] {
            let mut stream = header.to_vec();
            stream.extend_from_slice(b"\x02\x01\x01\x42\x00");
            let whole = stream.len();
            for end in 0..whole {
                assert_eq!(form(&stream[..end]), Ok(None), "{end} of {stream:x?}");
            }
            assert_eq!(form(&stream), Ok(Some(whole)));
            stream.extend_from_slice(b"\x30\x05next");
            assert_eq!(form(&stream), Ok(Some(whole)));
        }
        assert_eq!(form(b"\x30\x00"), Ok(Some(2)));
        assert_eq!(peek_frame_length(b"\x30\x84\x00\x00\x01\x00"), Ok(Some(262)));
    }

    #[test]
    fn what_can_never_be_a_message_is_refused_from_its_first_octets() {
        for (stream, error) in [
            (&b"\x16"[..], FrameError::NotASequence),
            (b"GET / HTTP/1.1\r\n", FrameError::NotASequence),
            (b"\x31\x05", FrameError::NotASequence),
            (b"\x30\x80", FrameError::IndefiniteLength),
            (b"\x30\xff", FrameError::TooLarge),
            (b"\x30\x84\xff\xff\xff\xff", FrameError::TooLarge),
            (b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff", FrameError::TooLarge),
            (b"\x30\x82\x03\xe5", FrameError::TooLarge),
        ] {
            assert_eq!(frame_length(stream, BOUND), Err(error), "{stream:x?}");
        }
        // 4 + 996 octets is exactly the bound.
        assert_eq!(frame_length(b"\x30\x82\x03\xe4", BOUND), Ok(None));
    }
}
