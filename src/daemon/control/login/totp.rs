//! One-time codes (RFC 6238: SHA-1, six digits, thirty seconds, as every authenticator knows
//! them). Pure: secret and time are arguments.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

/// Octets of a secret: as many as the hash has (RFC 4226 4).
pub(in crate::daemon::control) const SECRET: usize = 20;
/// Seconds that one code is shown.
const STEP: i64 = 30;
/// Steps that a clock may be off, either way.
const WINDOW: i64 = 1;
/// What codes are taken modulo.
const MODULUS: u32 = 1_000_000;

/// The step at a time (seconds since 1970) whose code this is, if it is later than `last`, the
/// step of the last code that was taken: each is good once.
pub(in crate::daemon::control) fn matching_step(
    secret: &[u8; SECRET],
    code: &str,
    unix: i64,
    last: i64,
) -> Option<i64> {
    let now = unix.div_euclid(STEP);
    // All of them are looked at, so that the time taken says nothing.
    let mut found = None;
    for step in now - WINDOW..=now + WINDOW {
        let right = verify_slices_are_equal(code_at(secret, step).as_bytes(), code.as_bytes()).is_ok();
        if right && step > last {
            found = Some(step);
        }
    }
    found
}

/// RFC 4226 5.3.
pub(in crate::daemon::control) fn code_at(secret: &[u8; SECRET], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
    let word = tag.iter().skip(offset).take(4).fold(0u32, |word, octet| word << 8 | u32::from(*octet));
    format!("{:06}", (word & 0x7fff_ffff) % MODULUS)
}

/// RFC 4648 6, without padding, as authenticators take it.
pub(in crate::daemon::control) fn base32(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in octets.chunks(5) {
        let word = chunk.iter().fold(0u64, |word, octet| word << 8 | u64::from(*octet)) << (8 * (5 - chunk.len()));
        for place in 0..(chunk.len() * 8).div_ceil(5) {
            let digit = (word >> (35 - 5 * place)) & 31;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (unix, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(secret, unix / 30), code);
            assert_eq!(matching_step(secret, code, unix, 0), Some(unix / 30));
        }
    }

    #[test]
    fn a_code_is_good_once_and_for_a_step_around_its_own() {
        let secret = &[7; SECRET];
        let code = code_at(secret, 100);
        for (unix, good) in [(2969, false), (2970, true), (3000, true), (3059, true), (3060, false)] {
            assert_eq!(matching_step(secret, &code, unix, 0).is_some(), good, "{unix}");
        }
        assert_eq!(matching_step(secret, &code, 3000, 99), Some(100));
        assert_eq!(matching_step(secret, &code, 3000, 100), None, "it was used");
        assert_eq!(matching_step(secret, &code, 3000, 101), None, "a later one was used");
        for wrong in ["", "0", &code[..5], &format!("{code}0"), &format!(" {code}")] {
            assert_eq!(matching_step(secret, wrong, 3000, 0), None, "{wrong:?}");
        }
    }

    /// RFC 4648 10.
    #[test]
    fn base32_is_that_of_the_rfc() {
        for (octets, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(octets.as_bytes()), text);
        }
    }
}
