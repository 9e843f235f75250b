//! What the ids of a process's sessions begin with: unique over restarts, so that records of two runs never share an id.

use std::io;

/// Letters and digits in the order of ASCII, without those that are read for one another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Twelve digits: when the process began (`unix`, milliseconds since 1970), and chance. Ids of a later run sort behind
/// those of an earlier one, and two runs that begin at the same moment differ.
///
/// # Errors
/// There is no randomness.
pub fn new(unix: i64) -> io::Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(text(unix, u32::from_ne_bytes(random)))
}

fn text(unix: i64, random: u32) -> String {
    let number = u64::try_from(unix).unwrap_or_default() << 14 | u64::from(random & 0x3fff);
    let digit = |place: u32| ALPHABET.get((number >> (5 * place) & 31) as usize).copied().map_or('0', char::from);
    (0..12).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_later_runs_sort_behind_and_never_repeat() {
        let now = 1_796_000_000_000;
        let ids = [text(now, 7), text(now, 8), text(now + 1, 0), text(2 * now, 0)];
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 12), "{ids:?}");
        assert!(ids.windows(2).all(|two| two[0] != two[1]), "{ids:?}");
        let many: std::collections::BTreeSet<String> = (0..8).map(|_| new(now).unwrap()).collect();
        assert!(many.len() > 6, "{many:?}");
    }
}
