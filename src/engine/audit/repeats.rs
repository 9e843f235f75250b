//! Operations that are alike, when there are many: some are recorded one by one, the rest is summed in one line a second.
//! No flood of them fills the log. Only refused operations come here, and permitted ones that show and change nothing of
//! the directory's data: neither depends on a grant or standing access.
//!
//! Alike are those that come from the same address (of IPv6: the same /64), with the same subject, operation and reason;
//! permitted ones must have the same target and result as well.

use super::json;
use crate::engine::time::Now;
use chrono::{DateTime, Utc};
use core::net::IpAddr;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How many of those that are alike are recorded one by one in a second.
pub const EACH: u32 = 20;
/// How many of all are recorded one by one in a second.
pub const ALL: u32 = 1000;
/// So many different ones are told apart at once.
const KEYS: usize = 4096;
/// For so long they are counted, and summed.
const SECOND: Duration = Duration::from_secs(1);

/// How many there were within a second.
#[derive(Debug, Default)]
struct Count {
    since: Duration,
    count: u32,
}

impl Count {
    /// Counts another; whether it is one of the first `most` of its second.
    fn allows(&mut self, most: u32, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= SECOND {
            *self = Count { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= most
    }
}

/// Operations that are summed.
#[derive(Debug)]
struct Sum {
    /// The line of the first; of all that found no room to be told apart: none.
    line: Vec<u8>,
    since: Duration,
    count: u64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

/// Those that are alike.
#[derive(Debug, Default)]
struct Alike {
    written: Count,
    sum: Option<Sum>,
}

/// All that were refused lately.
#[derive(Debug, Default)]
pub struct Repeats {
    alike: HashMap<u64, Alike>,
    hasher: RandomState,
    written: Count,
    /// Those that are like none that there is room for.
    others: Option<Sum>,
    /// How many have a sum.
    sums: usize,
}

impl Repeats {
    /// Another operation, with its whole line. Whether the line is to be written; else it is summed.
    pub fn see(&mut self, line: &[u8], now: Now) -> bool {
        let Some(key) = self.key(line) else { return true };
        if self.alike.len() >= KEYS && !self.alike.contains_key(&key) {
            let over = |alike: &Alike| now.monotonic.saturating_sub(alike.written.since) >= SECOND;
            self.alike.retain(|_, alike| alike.sum.is_some() || !over(alike));
            if self.alike.len() >= KEYS {
                add(&mut self.others, &mut self.sums, b"", now);
                return false;
            }
        }
        let alike = self.alike.entry(key).or_default();
        // One that is summed stays so until the sum is written: the line tells of a span of time.
        let alone = alike.sum.is_none() && alike.written.allows(EACH, now.monotonic);
        if alone && self.written.allows(ALL, now.monotonic) {
            return true;
        }
        add(&mut alike.sum, &mut self.sums, line, now);
        false
    }

    /// Whether anything is summed that is not written yet.
    pub fn is_empty(&self) -> bool {
        self.sums == 0
    }

    /// Hands over the lines of what has been summed for a second, or of `all`.
    pub fn due(&mut self, all: bool, now: Now, mut write: impl FnMut(&[u8])) {
        if self.sums == 0 {
            return;
        }
        let over = |sum: &mut Sum| all || now.monotonic.saturating_sub(sum.since) >= SECOND;
        let sums = self.alike.values_mut().map(|alike| &mut alike.sum).chain([&mut self.others]);
        for sum in sums {
            let Some(sum) = sum.take_if(over) else { continue };
            self.sums -= 1;
            write(&sum.line(now));
        }
    }

    /// What those have in common that are alike; `None`: it is no line of an operation.
    fn key(&self, line: &[u8]) -> Option<u64> {
        let from = member(line, b",\"connection_from\":", b",\"tls\":")?;
        let address = std::str::from_utf8(from).ok()?.trim_matches('"').rsplit_once(':')?.0;
        let address = match address.trim_matches(['[', ']']).parse().ok() {
            Some(IpAddr::V6(address)) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            Some(address) => address,
            None => return None,
        };
        let subject = member(line, b",\"subject\":", b",\"authentication\":")?;
        let operation = member(line, b",\"operation\":", b",\"target\":")?;
        let reason = member(line, b",\"reason\":", b",\"resources\":")?;
        let decision = member(line, b",\"decision\":", b",\"reason\":")?;
        let what = match decision == b"\"permitted\"" {
            true => {
                Some((member(line, b",\"target\":", b",\"scope\":")?, member(line, b",\"result\":", b",\"ending\":")?))
            }
            false => None,
        };
        Some(self.hasher.hash_one((address, subject, operation, reason, what)))
    }
}

impl Sum {
    fn line(mut self, now: Now) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        if self.count == 1 && !line.is_empty() {
            return line;
        }
        if line.is_empty() {
            line.extend_from_slice(b"\"time\":");
            json::time(&mut line, now.wall);
            line.extend_from_slice(b",\"event\":\"audit.repeated\"");
        } else {
            line.truncate(line.len() - b"}\n".len());
        }
        line.extend_from_slice(b",\"repeated\":");
        json::number(&mut line, self.count);
        line.extend_from_slice(b",\"first\":");
        json::time(&mut line, self.first);
        line.extend_from_slice(b",\"last\":");
        json::time(&mut line, self.last);
        line.extend_from_slice(b"}\n");
        line
    }
}

fn add(sum: &mut Option<Sum>, sums: &mut usize, line: &[u8], now: Now) {
    let sum = sum.get_or_insert_with(|| {
        *sums += 1;
        Sum { line: line.to_vec(), since: now.monotonic, count: 0, first: now.wall, last: now.wall }
    });
    sum.count += 1;
    sum.last = now.wall;
}

/// What stands between two members of a line. Quotes inside values are escaped, so these octets stand only where the
/// members themselves are.
fn member<'a>(line: &'a [u8], from: &[u8], to: &[u8]) -> Option<&'a [u8]> {
    let find = |line: &[u8], member: &[u8]| line.windows(member.len()).position(|window| window == member);
    let rest = line.get(find(line, from)? + from.len()..)?;
    rest.get(..find(rest, to)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: &str, subject: &str, operation: &str, reason: &str, target: u32) -> Vec<u8> {
        let text = format!(
            r#""time":"t","session":"s","connection_from":"{from}","tls":"none","subject":"{subject}","authentication":"simple","certificate":null,"message_id":1,"operation":"{operation}","target":"cn={target}","scope":null,"decision":"refused","reason":"{reason}","resources":[],"duration_us":0}}"#
        );
        [text.as_bytes(), b"\n"].concat()
    }

    fn permitted(operation: &str, target: &str, result: u32) -> Vec<u8> {
        let text = format!(
            r#""time":"t","session":"s","connection_from":"192.0.2.1:1","tls":"none","subject":"anonymous","authentication":"simple","certificate":null,"message_id":1,"operation":"{operation}","target":"{target}","scope":null,"decision":"permitted","reason":null,"resources":[],"result":{result},"ending":null,"duration_us":0}}"#
        );
        [text.as_bytes(), b"\n"].concat()
    }

    /// Which names were tried, and what came of it, must not be lost in a sum.
    #[test]
    fn permitted_operations_are_alike_only_with_the_same_target_and_result() {
        let mut repeats = Repeats::default();
        for _ in 0..EACH {
            assert!(repeats.see(&permitted("bind", "uid=alice", 49), at(0)));
        }
        for (operation, target, result, summed) in [
            ("bind", "uid=alice", 49, true),
            ("bind", "uid=bob", 49, false),
            ("bind", "uid=alice", 53, false),
            ("abandon", "uid=alice", 49, false),
        ] {
            assert_eq!(
                repeats.see(&permitted(operation, target, result), at(1)),
                !summed,
                "{operation} {target} {result}"
            );
        }
        let lines = due(&mut repeats, true, at(2));
        assert_eq!((lines.len(), &lines[0]["target"]), (1, &"uid=alice".into()));
    }

    fn at(millis: u64) -> Now {
        let wall = DateTime::from_timestamp_millis(1_800_000_000_000 + millis as i64).unwrap();
        Now { wall, monotonic: Duration::from_millis(10_000 + millis) }
    }

    fn due(repeats: &mut Repeats, all: bool, now: Now) -> Vec<serde_json::Value> {
        let mut lines = Vec::new();
        let whole = |line: &[u8]| serde_json::from_str(&format!("{{{}", std::str::from_utf8(line).unwrap())).unwrap();
        repeats.due(all, now, |line| lines.push(whole(line)));
        lines
    }

    #[test]
    fn a_flood_of_refusals_is_summed_with_their_number_and_span() {
        let mut repeats = Repeats::default();
        let mut written = 0;
        for number in 0..10_000 {
            let line = line("192.0.2.1:4711", "anonymous", "search", "not held", number);
            written += u32::from(repeats.see(&line, at(u64::from(number) / 20)));
        }
        assert_eq!(written, EACH);
        assert!(!repeats.is_empty() && due(&mut repeats, false, at(500)).is_empty(), "not before its second is over");
        let lines = due(&mut repeats, false, at(1_001));
        assert_eq!((lines.len(), &lines[0]["repeated"]), (1, &(10_000 - u64::from(EACH)).into()), "{lines:?}");
        assert_eq!((&lines[0]["target"], &lines[0]["reason"]), (&"cn=20".into(), &"not held".into()));
        assert_eq!(lines[0]["first"], "2027-01-15T08:00:00.001000Z");
        assert_eq!(lines[0]["last"], "2027-01-15T08:00:00.499000Z");
        assert!(repeats.is_empty());
        // Later ones are recorded one by one again.
        assert!(repeats.see(&line("192.0.2.1:4711", "anonymous", "search", "not held", 1), at(2_000)));
    }

    #[test]
    fn only_those_that_are_alike_are_summed() {
        let mut repeats = Repeats::default();
        let flood = line("[2001:db8::1]:1", "anonymous", "search", "not held", 1);
        for _ in 0..EACH {
            assert!(repeats.see(&flood, at(0)));
        }
        for (from, subject, operation, reason, summed) in [
            ("[2001:db8::1]:1", "anonymous", "search", "not held", true),
            ("[2001:db8::2:3]:4", "anonymous", "search", "not held", true),
            ("[2001:db8:0:1::1]:1", "anonymous", "search", "not held", false),
            ("192.0.2.1:1", "anonymous", "search", "not held", false),
            ("[2001:db8::1]:1", "uid=alice", "search", "not held", false),
            ("[2001:db8::1]:1", "anonymous", "compare", "not held", false),
            ("[2001:db8::1]:1", "anonymous", "search", "control", false),
        ] {
            assert_eq!(repeats.see(&line(from, subject, operation, reason, 1), at(1)), !summed, "{from} {subject}");
        }
        assert!(repeats.see(b"no line", at(1)));
        let lines = due(&mut repeats, true, at(2));
        assert_eq!((lines.len(), &lines[0]["repeated"]), (1, &2.into()));
    }

    #[test]
    fn many_addresses_fill_neither_the_log_nor_the_memory() {
        let mut repeats = Repeats::default();
        let mut written = 0;
        for number in 0..10_000_u32 {
            let from = format!("{}:1", core::net::Ipv4Addr::from_bits(number));
            for _ in 0..3 {
                written += u32::from(repeats.see(&line(&from, "anonymous", "search", "not held", 1), at(5)));
            }
        }
        assert!(written <= ALL, "{written}");
        assert!(repeats.alike.len() <= KEYS);
        let lines = due(&mut repeats, true, at(9));
        assert!(lines.len() <= KEYS + 1, "{}", lines.len());
        let summed: u64 = lines.iter().map(|line| line["repeated"].as_u64().unwrap_or(1)).sum();
        assert_eq!(summed + u64::from(written), 30_000, "none is lost");
        assert_eq!(lines.iter().filter(|line| line["event"] == "audit.repeated").count(), 1);
        // Those of long ago make room.
        assert!(repeats.see(&line("203.0.113.9:1", "anonymous", "search", "not held", 1), at(5_000)));
        assert!(repeats.alike.len() < KEYS);
    }
}
