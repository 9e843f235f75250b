//! Moments as people write them, in their own time zone; and as RFC 3339 writes them. Never guesses:
//! what could be meant in two ways is an error that says how to write it.

use crate::api::DurationText;
use chrono::{DateTime, Days, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};

/// Reads what is given on the command line.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    read(text, &Local::now())
}

/// Reads a moment, where it is `now`.
fn read<Z: TimeZone>(text: &str, now: &DateTime<Z>) -> Result<DateTime<Utc>, String> {
    const FORMS: &str = "write it like 14:00, 'tomorrow 09:00', '2026-03-31 09:00', 'in 2h' or 2026-03-31T08:00:00Z";
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Ok(exact.with_timezone(&Utc));
    }
    if let Some(later) = text.strip_prefix("in ") {
        let later: DurationText = later.trim().parse().map_err(|error| format!("{error}; {FORMS}"))?;
        let later = chrono::TimeDelta::from_std(later.0).ok();
        let at = later.and_then(|later| now.with_timezone(&Utc).checked_add_signed(later));
        return at.ok_or_else(|| "that is beyond the calendar".to_owned());
    }
    let today = now.naive_local().date();
    let (date, time) = match text.trim().split_once([' ', 'T']) {
        None => (None, text.trim()),
        Some(("today", time)) => (Some(today), time),
        Some(("tomorrow", time)) => (today.checked_add_days(Days::new(1)), time),
        Some((date, time)) => {
            let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").map_err(|_| format!("that is no day; {FORMS}"))?;
            (Some(date), time)
        }
    };
    let time = time.trim();
    let time = NaiveTime::parse_from_str(time, "%H:%M").or_else(|_| NaiveTime::parse_from_str(time, "%H:%M:%S"));
    let time = time.map_err(|_| format!("that is no time; {FORMS}"))?;
    let at = in_zone(date.unwrap_or(today).and_time(time), &now.timezone())?;
    if date.is_none() && at < now.with_timezone(&Utc) {
        return Err(format!("{} is over for today; write 'tomorrow {}'", text.trim(), text.trim()));
    }
    Ok(at)
}

/// What the clocks of a time zone show, once.
fn in_zone<Z: TimeZone>(shown: NaiveDateTime, zone: &Z) -> Result<DateTime<Utc>, String> {
    let why = match zone.from_local_datetime(&shown) {
        chrono::LocalResult::Single(at) => return Ok(at.with_timezone(&Utc)),
        chrono::LocalResult::None => "clocks skip",
        chrono::LocalResult::Ambiguous(..) => "clocks show twice",
    };
    let utc = shown.format("%Y-%m-%dT%H:%M:%SZ");
    Err(format!("the clocks change then, and {shown} is what {why}: write it in UTC, like {utc}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is a quarter past one in the afternoon in Berlin, two hours ahead of UTC.
    fn at(text: &str) -> Result<String, String> {
        let zone = chrono_tz::Europe::Berlin;
        let now = zone.with_ymd_and_hms(2026, 10, 23, 13, 15, 0).single().expect("once");
        read(text, &now).map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    }

    #[test]
    fn people_write_what_their_clocks_show() {
        for (text, expected) in [
            ("2026-10-24T08:00:00Z", "2026-10-24T08:00:00Z"),
            ("2026-10-24T08:00:00+02:00", "2026-10-24T06:00:00Z"),
            ("14:00", "2026-10-23T12:00:00Z"),
            ("today 14:00", "2026-10-23T12:00:00Z"),
            ("tomorrow 09:00", "2026-10-24T07:00:00Z"),
            ("tomorrow 9:00", "2026-10-24T07:00:00Z"),
            ("2026-10-26 09:00", "2026-10-26T08:00:00Z"),
            ("2026-10-26T09:00:30", "2026-10-26T08:00:30Z"),
            ("in 1h30m", "2026-10-23T12:45:00Z"),
            // What is over is for the gate to refuse.
            ("2026-10-22 09:00", "2026-10-22T07:00:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_meant_otherwise_is_not_guessed() {
        for (text, part) in [
            ("09:00", "write 'tomorrow 09:00'"),
            ("tomorrow", "that is no time; write it like 14:00"),
            ("soon", "that is no time"),
            ("25:00", "that is no time"),
            ("31.3. 09:00", "that is no day"),
            ("in a while", "write it like"),
            ("in 400000000000h", ""),
            ("2026-10-25 02:30", "clocks show twice: write it in UTC, like 2026-10-25T02:30:00Z"),
            ("2027-03-28 02:30", "clocks skip"),
        ] {
            let error = at(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
