//! Hours of the week, as clocks on the wall show them: `Mon-Fri 08:00-18:00`. Which moment that is, a time
//! zone says; when clocks are set back the hour counts twice, when they are set forward not at all.

use chrono::{DateTime, Datelike, TimeZone, Timelike, Utc, Weekday};

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Mon),
    ("Tue", Weekday::Tue),
    ("Wed", Weekday::Wed),
    ("Thu", Weekday::Thu),
    ("Fri", Weekday::Fri),
    ("Sat", Weekday::Sat),
    ("Sun", Weekday::Sun),
];

/// Minutes of a day.
const DAY: u32 = 24 * 60;

/// The same hours on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// On which days they begin, from Monday on.
    days: [bool; 7],
    /// First minute of the day.
    from: u32,
    /// First minute after it; at or before `from`: of the next day.
    until: u32,
}

/// Why text does not say hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} are no hours; write them like \"Mon-Fri 08:00-18:00\" or \"Fri 22:00-06:00\"")]
pub struct HoursError(String);

impl Hours {
    /// Reads one or several, with commas between: `Mon-Thu 08:00-18:00, Fri 08:00-14:00`, `Mon,Wed 09:00-12:00`.
    ///
    /// # Errors
    /// It is nothing of the kind.
    pub fn parse_list(text: &str) -> Result<Vec<Hours>, HoursError> {
        let wrong = || HoursError(text.to_owned());
        let mut found = Vec::new();
        let mut days = [false; 7];
        let mut open = false;
        for part in text.split(',') {
            let mut words = part.split_whitespace();
            add_days(words.next().ok_or_else(wrong)?, &mut days).ok_or_else(wrong)?;
            open = true;
            if let Some(times) = words.next() {
                let (from, until) = times.split_once('-').ok_or_else(wrong)?;
                let (from, until) = (minute(from).ok_or_else(wrong)?, minute(until).ok_or_else(wrong)?);
                if words.next().is_some() || from == DAY || from == until {
                    return Err(wrong());
                }
                found.push(Hours { days: std::mem::take(&mut days), from, until });
                open = false;
            }
        }
        if open { Err(wrong()) } else { Ok(found) }
    }

    /// Whether clocks in `zone` show one of these hours at `moment`.
    pub fn contain<Z: TimeZone>(&self, moment: DateTime<Utc>, zone: &Z) -> bool {
        let local = moment.with_timezone(zone);
        let today = local.weekday().num_days_from_monday() as usize;
        let minute = local.hour() * 60 + local.minute();
        let on = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        if self.from < self.until {
            return on(today) && (self.from..self.until).contains(&minute);
        }
        on(today) && minute >= self.from || on(today + 6) && minute < self.until
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days: Vec<&str> = DAYS.iter().zip(self.days).filter(|(_, on)| *on).map(|((name, _), _)| *name).collect();
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{} {}-{}", days.join(","), clock(self.from), clock(self.until))
    }
}

/// `Mon`, `Mon-Fri`, `Sat-Mon`.
fn add_days(text: &str, days: &mut [bool; 7]) -> Option<()> {
    let number = |name: &str| DAYS.iter().position(|(day, _)| day.eq_ignore_ascii_case(name));
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    let mut day = first;
    loop {
        *days.get_mut(day)? = true;
        if day == last {
            return Some(());
        }
        day = (day + 1) % 7;
    }
}

/// `08:00` in minutes; `24:00` too.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse::<u32>().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn within(hours: &str, zone: Tz, moment: &str) -> bool {
        Hours::parse_list(hours).unwrap().iter().any(|hours| hours.contain(at(moment), &zone))
    }

    #[test]
    fn hours_of_the_week() {
        let berlin = Tz::Europe__Berlin;
        let office = "Mon-Fri 08:00-18:00, Sat 09:00-12:00";
        for (hours, moment, expected) in [
            // A Friday in winter: 07:00 UTC is 08:00 in Berlin.
            (office, "2026-11-20T07:00:00Z", true),
            (office, "2026-11-20T06:59:59Z", false),
            (office, "2026-11-20T16:59:59Z", true),
            (office, "2026-11-20T17:00:00Z", false),
            (office, "2026-11-21T10:59:00Z", true),
            (office, "2026-11-21T11:00:00Z", false),
            (office, "2026-11-22T10:00:00Z", false),
            // Over midnight: what begins on Friday ends on Saturday.
            ("Fri 22:00-06:00", "2026-11-20T21:00:00Z", true),
            ("Fri 22:00-06:00", "2026-11-21T04:59:00Z", true),
            ("Fri 22:00-06:00", "2026-11-21T05:00:00Z", false),
            ("Fri 22:00-06:00", "2026-11-20T04:00:00Z", false),
            ("Fri 22:00-06:00", "2026-11-21T21:30:00Z", false),
            // Over the week's end.
            ("Sun 22:00-06:00", "2026-11-23T04:00:00Z", true),
            ("Sat-Mon 00:00-24:00", "2026-11-22T23:30:00Z", true),
            ("Sat-Mon 00:00-24:00", "2026-11-23T23:30:00Z", false),
            ("Mon,Wed 09:00-12:00", "2026-11-18T09:00:00Z", true),
            ("Mon,Wed 09:00-12:00", "2026-11-17T09:00:00Z", false),
        ] {
            assert_eq!(within(hours, berlin, moment), expected, "{hours} at {moment}");
        }
    }

    #[test]
    fn clocks_are_set_forward_and_back() {
        let rows = [
            // Berlin, 29 March 2026: after 01:59:59 comes 03:00.
            (Tz::Europe__Berlin, "Sun 01:00-02:00", "2026-03-29T00:59:59Z", true),
            (Tz::Europe__Berlin, "Sun 02:00-03:00", "2026-03-29T01:00:00Z", false),
            (Tz::Europe__Berlin, "Sun 03:00-04:00", "2026-03-29T01:00:00Z", true),
            // The Friday before and the Monday after: the same hours are others in UTC.
            (Tz::Europe__Berlin, "Mon-Fri 08:00-18:00", "2026-03-27T07:00:00Z", true),
            (Tz::Europe__Berlin, "Mon-Fri 08:00-18:00", "2026-03-27T06:30:00Z", false),
            (Tz::Europe__Berlin, "Mon-Fri 08:00-18:00", "2026-03-30T06:30:00Z", true),
            (Tz::Europe__Berlin, "Mon-Fri 08:00-18:00", "2026-03-30T16:30:00Z", false),
            // Berlin, 25 October 2026: 02:00 to 03:00 comes twice.
            (Tz::Europe__Berlin, "Sun 02:00-03:00", "2026-10-25T00:00:00Z", true),
            (Tz::Europe__Berlin, "Sun 02:00-03:00", "2026-10-25T01:59:59Z", true),
            (Tz::Europe__Berlin, "Sun 02:00-03:00", "2026-10-25T02:00:00Z", false),
            (Tz::Europe__Berlin, "Mon-Fri 08:00-18:00", "2026-10-26T06:30:00Z", false),
            (Tz::Europe__Berlin, "Mon-Fri 08:00-18:00", "2026-10-26T07:00:00Z", true),
            // New York changes on other days than Berlin.
            (Tz::America__New_York, "Sun 03:00-04:00", "2026-03-08T07:00:00Z", true),
            (Tz::America__New_York, "Sun 02:00-03:00", "2026-03-08T07:00:00Z", false),
            (Tz::UTC, "Sun 02:00-03:00", "2026-03-29T02:00:00Z", true),
        ];
        for (zone, hours, moment, expected) in rows {
            assert_eq!(within(hours, zone, moment), expected, "{hours} {zone} at {moment}");
        }
    }

    #[test]
    fn what_says_no_hours_is_refused() {
        for text in [
            "",
            "Mon",
            "08:00-18:00",
            "Mon 08:00",
            "Mon 8:00-18:00",
            "Mon 08:00-25:00",
            "Mon 08:60-18:00",
            "Mon +8:00-18:00",
            "Mon 08:+1-18:00",
            "Mon 08:00-08:00",
            "Mon 24:00-06:00",
            "Day 08:00-09:00",
            "Mon-Fri 08:00-18:00,",
            "Mon-Fri 08:00-18:00, Sat",
            "Mon 08:00-18:00 x",
        ] {
            assert!(Hours::parse_list(text).is_err(), "{text}");
        }
        let shown = Hours::parse_list("Mon-Wed 08:00-24:00").unwrap();
        assert_eq!(shown[0].to_string(), "Mon,Tue,Wed 08:00-24:00");
    }
}
