//! Time as the engine sees it: a value that the caller read, never a clock.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// One reading of both clocks. A grant is active only while both agree (so that setting the
/// wall clock back lengthens nothing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// The wall clock.
    pub wall: DateTime<Utc>,
    /// The monotonic clock: nobody sets it. Goes on over restarts as far as is known.
    pub monotonic: Duration,
}

/// Why text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: write it like 45s, 90m, 1h30m or 4h")]
pub struct DurationError;

/// Units of a written duration, largest first, in seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads `45s`, `90m`, `1h30m`, `2d`: whole numbers, each unit at most once, larger ones first.
/// No sign, no space, no fraction.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut seconds = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next().ok_or(DurationError)?;
        let (_, weight) = units.find(|(name, _)| *name == unit).ok_or(DurationError)?;
        let number: u64 = number.parse().map_err(|_| DurationError)?;
        seconds = number.checked_mul(*weight).and_then(|part| seconds.checked_add(part)).ok_or(DurationError)?;
        rest = &tail[unit.len_utf8()..];
    }
    if text.is_empty() { Err(DurationError) } else { Ok(Duration::from_secs(seconds)) }
}

/// Writes a duration as [`parse_duration`] reads it, in hours, minutes and seconds; what is less
/// than a second is left out.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3_600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        let cases = [
            ("45s", 45, "45s"),
            ("90m", 5_400, "1h30m"),
            ("1h30m", 5_400, "1h30m"),
            ("4h", 14_400, "4h"),
            ("2d", 172_800, "48h"),
            ("1d1h1m1s", 90_061, "25h1m1s"),
            ("0s", 0, "0s"),
        ];
        for (text, seconds, written) in cases {
            let duration = parse_duration(text).expect(text);
            assert_eq!(duration, Duration::from_secs(seconds), "{text}");
            assert_eq!(format_duration(duration), written, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        let overflowing = format!("{}d", u64::MAX);
        for text in [
            "",
            "1",
            "h",
            "-1h",
            "+1h",
            "1h ",
            " 1h",
            "1.5h",
            "30m1h",
            "1h1h",
            "1w",
            "1é",
            "٣h",
            "1H",
            overflowing.as_str(),
        ] {
            assert_eq!(parse_duration(text), Err(DurationError), "{text}");
        }
    }
}
