//! Moments as people write them, in their own time zone; and as RFC 3339 writes them. Never guesses:
//! what could be meant in two ways is an error that says how to write it.

use crate::api::DurationText;
use chrono::{DateTime, Days, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};

/// Reads what is given on the command line.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    read(text, &Local::now())
}

/// Reads a moment that has passed: of a log line, say. A day alone is its beginning.
pub(super) fn past(text: &str) -> Result<DateTime<Utc>, String> {
    read_past(text, &Local::now())
}

/// Reads a moment that has passed, where it is `now`.
fn read_past<Z: TimeZone>(text: &str, now: &DateTime<Z>) -> Result<DateTime<Utc>, String> {
    const FORMS: &str = "write it like 2026-03-31, '2026-03-31 09:00', yesterday, 'yesterday 09:00', 09:00, \
                         2026-03-31T08:00:00Z, or how long ago, like 2h, 30d or 1w";
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Ok(exact.with_timezone(&Utc));
    }
    if let Some(ago) = ago(text) {
        let at = now.with_timezone(&Utc).checked_sub_signed(ago);
        return at.ok_or_else(|| "that is before the calendar".to_owned());
    }
    let today = now.naive_local().date();
    let text = text.trim();
    let (day, time) = match text.split_once([' ', 'T']) {
        Some((day, time)) => (day, Some(time.trim())),
        None if text.contains(':') => ("today", Some(text)),
        None => (text, None),
    };
    let day = match day {
        "today" => Some(today),
        "yesterday" => today.checked_sub_days(Days::new(1)),
        day => NaiveDate::parse_from_str(day, "%Y-%m-%d").ok(),
    };
    let time = match time {
        None => Some(NaiveTime::MIN),
        Some(time) => {
            NaiveTime::parse_from_str(time, "%H:%M").or_else(|_| NaiveTime::parse_from_str(time, "%H:%M:%S")).ok()
        }
    };
    match (day, time) {
        (Some(day), Some(time)) => in_zone(day.and_time(time), &now.timezone()),
        (_, _) => Err(FORMS.to_owned()),
    }
}

/// How long ago: a duration, or a number of weeks.
fn ago(text: &str) -> Option<chrono::TimeDelta> {
    let weeks = text.strip_suffix('w').and_then(|weeks| weeks.parse::<u32>().ok());
    match weeks {
        Some(weeks) => chrono::TimeDelta::try_weeks(i64::from(weeks)),
        None => text.parse::<DurationText>().ok().and_then(|ago| chrono::TimeDelta::from_std(ago.0).ok()),
    }
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
    fn past_moments_are_days_times_or_ago() {
        let zone = chrono_tz::Europe::Berlin;
        let now = zone.with_ymd_and_hms(2026, 10, 23, 13, 15, 0).single().expect("once");
        let past =
            |text: &str| read_past(text, &now).map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).ok();
        for (text, expected) in [
            ("2026-03-31T10:00:00+02:00", Some("2026-03-31T08:00:00Z")),
            ("2h", Some("2026-10-23T09:15:00Z")),
            ("1w", Some("2026-10-16T11:15:00Z")),
            ("2026-10-20", Some("2026-10-19T22:00:00Z")),
            ("2026-10-20 09:00", Some("2026-10-20T07:00:00Z")),
            ("today", Some("2026-10-22T22:00:00Z")),
            ("yesterday", Some("2026-10-21T22:00:00Z")),
            ("yesterday 23:59:30", Some("2026-10-22T21:59:30Z")),
            ("09:00", Some("2026-10-23T07:00:00Z")),
            ("", None),
            ("-1h", None),
            ("1x", None),
            ("tomorrow", None),
            ("2026-13-01", None),
            ("9999999999w", None),
        ] {
            assert_eq!(past(text).as_deref(), expected, "{text}");
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
