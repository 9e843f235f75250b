//! Runs one operation as often as asked, for a tool that counts instructions:
//!
//!     cargo bench --bench instructions --no-run
//!     valgrind --tool=callgrind --toggle-collect='*::measured' target/release/deps/instructions-HASH search 1000
//!
//! The count, divided by how often, is what the operation costs. Without arguments it names the operations.

#![expect(clippy::unwrap_used, reason = "a bench may end where it cannot go on")]
#![expect(clippy::print_stdout, reason = "says what can be counted")]

mod cases;

use cases::{Answer, bind, dn, modify, now, pass, recorded_search, search, snapshot, write_record};
use std::hint::black_box;
use std::sync::Arc;
use tidegate::engine::ldap::Dn;
use tidegate::engine::ldap::message::Envelope;
use tidegate::engine::ldap::request::Request;
use tidegate::engine::policy::{Mode, Policy, RefusalStyle, Subject};

const OTHERS: [&str; 10] = [
    "decode",
    "bind",
    "search",
    "search-granted",
    "search-all",
    "search-many",
    "search-many-open",
    "modify",
    "modify-granted",
    "record",
];

/// Calls it so often; the only thing whose instructions are counted.
#[inline(never)]
fn measured(times: u32, operation: &mut dyn FnMut()) {
    for _ in 0..times {
        operation();
    }
}

/// Names to be read: usual ones, and the worst that are known.
fn names() -> Vec<(&'static str, String)> {
    vec![
        ("name-plain", "uid=user-7,ou=people,dc=example,dc=com".to_owned()),
        ("name-escape", r"cn=Schmidt\, Joerg,ou=people,dc=example,dc=com".to_owned()),
        ("name-latin", r"cn=Schmidt\, Jörg,ou=Löhne,dc=example,dc=com".to_owned()),
        ("name-cyrillic", "cn=Иван Иванов,ou=Люди,dc=example,dc=com".to_owned()),
        ("name-cjk", "cn=山田太郎,ou=営業部,dc=example,dc=com".to_owned()),
        ("name-ligatures-147", format!("ou={}", "\u{fdfa}".repeat(48))),
        ("name-ligatures-8k", format!("ou={}", "\u{fdfa}".repeat(2_729))),
        ("name-marks-8k", format!("ou={}", "\u{345}\u{301}\u{316}\u{30}".repeat(1_169))),
        ("name-folds-8k", format!("ou={}", "\u{1e9e}".repeat(2_729))),
        ("name-zeros-8k", format!("uidNumber={}", "0".repeat(8_182))),
        ("name-spaces-8k", format!("ou=a{}", r"\20".repeat(2_729))),
        ("name-rdns-8k", vec!["1.2.3.4.5.6.7.8.9=\u{f6}"; 100].join(",")),
        // Three times as long when written out.
        ("name-hidden-3k", format!("ou={}", "\u{200b}".repeat(909))),
        ("name-deepest-8k", format!(r"member=member\=member\\\=cn\\\\\\\={}", "\u{fdfa}".repeat(2_716))),
        ("name-joined-8k", vec![format!("cn={}", "\u{fdfa}".repeat(169)); 16].join("+")),
        ("name-nested-8k", format!(r"member=member\=cn\\\={}", "\u{1e9e}".repeat(2_720))),
        // Every character from another page, as far as there are such: read once.
        ("name-first-8k", format!("ou={}", pages().collect::<String>())),
    ]
}

/// A character of every page that can be filled.
fn pages() -> impl Iterator<Item = char> {
    let without = |c: &char| matches!(c, '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fa5}' | '\u{e000}'..='\u{f8ff}' | '\u{20000}'..='\u{2a6d6}');
    (64..0x30000).step_by(64).filter_map(char::from_u32).filter(move |c| !without(c))
}

/// A policy that protects nothing.
fn open() -> Policy {
    Policy::new(Mode::Enforce, RefusalStyle::Explain, vec![], vec![], vec![])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name, times] = &*arguments else {
        return names().iter().map(|(name, _)| *name).chain(OTHERS).for_each(|name| println!("{name}"));
    };
    let times = times.parse().unwrap();
    if let Some((_, octets)) = names().iter().find(|(known, _)| known == name) {
        // What is made only once is no part of it, unless that is asked for.
        assert!(name == "name-first-8k" || Dn::parse(octets.as_bytes()).is_ok());
        return measured(times, &mut || drop(black_box(Dn::parse(black_box(octets.as_bytes())).unwrap())));
    }
    let mut out = Vec::with_capacity(4_096);
    let subject = Subject::Dn(dn("uid=user-7,ou=people,dc=example,dc=com"));
    let frame = match &**name {
        "record" => {
            let request = recorded_search();
            return measured(times, &mut || {
                out.clear();
                write_record(&mut out, now(), black_box(&subject), black_box(&request));
            });
        }
        "decode" => {
            let frame = search("ou=people,dc=example,dc=com");
            return measured(times, &mut || {
                drop(black_box(Request::decode(&Envelope::parse_request(black_box(&frame)).unwrap())));
            });
        }
        // A search of 1,000 entries through a session, with its answer; and the same where nothing is protected.
        "search-many" | "search-many-open" => {
            let mut snapshot = snapshot(1_000);
            if name == "search-many-open" {
                snapshot.policy = Arc::new(open());
            }
            let answer = Answer::of(1_000);
            return measured(times, &mut || answer.pass(black_box(&snapshot), &mut out));
        }
        "bind" => bind(),
        "search" => search("ou=people,dc=example,dc=com"),
        "search-granted" => search("ou=unit-7,ou=protected,dc=example,dc=com"),
        "search-all" => search("dc=example,dc=com"),
        "modify" => modify("uid=user-9,ou=people,dc=example,dc=com"),
        "modify-granted" => modify("cn=a,ou=unit-7,ou=protected,dc=example,dc=com"),
        other => return println!("no operation is called {other}"),
    };
    let snapshot = snapshot(1_000);
    assert!(pass(&snapshot, &subject, &frame, &mut out));
    measured(times, &mut || assert!(pass(black_box(&snapshot), &subject, black_box(&frame), &mut out)));
}
