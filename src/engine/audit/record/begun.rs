//! The begun line of an operation: what is recorded of it before anything of it is forwarded.
//!
//! It is made of the first part of the operation's record, and is short: of the request it has the operation and the
//! target, and of the session who it is. All of it is in the ended line, which has the same `operation_id`.

use super::PHASE_ENDED;

const PHASE_BEGUN: &[u8] = b",\"phase\":\"begun\"";

/// What of the first part of a record stands in the begun line: from one member up to the next.
const KEPT: [(&[u8], &[u8]); 5] = [
    (b"\"time\":", b",\"connection_from\":"),
    (b",\"subject\":", b",\"authentication\":"),
    (b",\"message_id\":", PHASE_ENDED),
    (b",\"operation_id\":", b",\"scope\":"),
    (b",\"decision\":", b""),
];

/// Writes the begun line of an operation, line end included. `first` is the first part of its record, as
/// [`super::begin`] wrote it; nothing is written for an operation without a number.
pub fn begun(out: &mut Vec<u8>, first: &[u8]) {
    let mut rest = first;
    let start = out.len();
    for (from, to) in KEPT {
        // Quotes inside values are escaped, so these octets stand only where the members themselves are.
        let Some((_, found)) = split(rest, from) else { return out.truncate(start) };
        let (kept, behind) = match to {
            b"" => (found, &b""[..]),
            to => match split(found, to) {
                Some(parts) => parts,
                None => return out.truncate(start),
            },
        };
        out.extend_from_slice(kept);
        if to == PHASE_ENDED {
            out.extend_from_slice(PHASE_BEGUN);
        }
        rest = behind;
    }
    out.extend_from_slice(b"}\n");
}

/// What stands before a member, and the rest from it on.
fn split<'a>(line: &'a [u8], member: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(member.len()).position(|window| window == member)?;
    Some(line.split_at(at))
}
