//! What nobody can do to the port: guess, lock others out, hold it up, fill it, or have a page do it.

use super::{open, person};
use crate::support::https::{Https, answer};
use crate::support::slapd::password;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn guessing_is_slowed_down_where_it_comes_from_and_nowhere_else() {
    let (_slapd, gate) = open();
    let stranger = Https::new(&gate).from(66);
    let mut held_back = None;
    for guess in 0..20 {
        let answer = stranger.log_in("alice", &format!("guess-{guess}"));
        if answer.status == 429 {
            held_back = Some(answer);
            break;
        }
        assert_eq!(answer.problem(), (401, "login-failed".to_owned()));
    }
    let held_back = held_back.expect("guessing is held back");
    assert_eq!(held_back.problem(), (429, "too-many-attempts".to_owned()));
    assert!(held_back.header("retry-after").unwrap().parse::<u64>().unwrap() > 0, "{held_back:#?}");
    // Another spelling of the same name is the same name.
    assert_eq!(stranger.log_in("uid=ALICE,ou=People,dc=example,dc=com", &password("alice")).status, 429);
    // Whether the name exists makes no difference.
    let mut unknown = 0;
    while stranger.log_in("nobody-of-that-name", "guess").status == 401 {
        unknown += 1;
        assert!(unknown < 20);
    }
    assert_eq!(unknown, 5);
    // Alice herself is elsewhere, and not locked out; nor is another from there.
    assert_eq!(Https::new(&gate).log_in("alice", &password("alice")).status, 200);
    assert_eq!(stranger.log_in("bob", &password("bob")).status, 200);
}

#[test]
fn trying_many_names_from_one_place_is_slowed_down_too() {
    let (_slapd, gate) = open();
    let stranger = Https::new(&gate).from(67);
    let next = AtomicUsize::new(0);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        // Each answer takes a while; several people guess.
        let guess = || {
            let mut answers = Vec::new();
            loop {
                match next.fetch_add(1, Ordering::Relaxed) {
                    n @ 0..40 => answers.push(stranger.log_in(&format!("name-{n}"), "Winter2026").status),
                    _ => return answers,
                }
            }
        };
        let people: Vec<_> = (0..8).map(|_| scope.spawn(guess)).collect();
        people.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.contains(&429), "{answers:?}");
    // After the thirtieth one more each time that the wait is over.
    assert!(answers.iter().filter(|status| **status == 401).count() <= 34, "{answers:?}");
    assert_eq!(Https::new(&gate).log_in("alice", &password("alice")).status, 200);
}

#[test]
fn pages_of_others_and_other_names_are_turned_away() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let wish = json!({ "role": "payroll-reader", "reason": "HR-7: forged" }).to_string();
    let json = ("Content-Type", "application/json");
    for (headers, expected) in [
        (vec![json, ("Origin", "https://evil.example.net")], (403, "foreign-origin")),
        (vec![json, ("Origin", "null")], (403, "foreign-origin")),
        (vec![json, ("Sec-Fetch-Site", "cross-site")], (403, "foreign-origin")),
        (vec![("Content-Type", "text/plain")], (415, "not-json")),
        (vec![], (415, "not-json")),
        (vec![json, ("Host", "evil.example.net")], (421, "unknown-host")),
    ] {
        let (status, word) = alice.send("POST", "/v1/requests", &headers, &wish).problem();
        assert_eq!((status, word.as_str()), expected, "{headers:?}");
    }
    assert_eq!(alice.get("/v1/requests").json(), json!([]), "nothing came of it");
    let own = format!("https://127.0.0.1:{}", alice.port);
    assert_eq!(alice.send("POST", "/v1/requests", &[json, ("Origin", &own)], &wish).status, 201);
    // Nobody is invited to ask: there is no CORS.
    let asked = [("Origin", "https://evil.example.net"), ("Access-Control-Request-Method", "POST")];
    let preflight = alice.send("OPTIONS", "/v1/requests", &asked, "");
    assert!(preflight.status >= 400 && preflight.header("access-control-allow-origin").is_none(), "{preflight:#?}");
}

#[test]
fn every_error_is_a_problem() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let json = [("Content-Type", "application/json")];
    assert_eq!(alice.get("/v1/nothing").problem(), (404, "no-such-call".to_owned()));
    let wrong = alice.send("PUT", "/v1/requests", &json, "{}");
    assert_eq!(wrong.problem(), (405, "no-such-method".to_owned()));
    assert_eq!(wrong.header("allow"), Some("GET,HEAD,POST"));
    let large = format!("{{\"role\": \"{}\"}}", "x".repeat(70_000));
    assert_eq!(alice.send("POST", "/v1/requests", &json, &large).problem().0, 413);
    assert_eq!(alice.send("POST", "/v1/requests", &json, "{").problem(), (400, "bad-request".to_owned()));
    assert_eq!(alice.get("/v1/requests/%ff").problem().0, 400);
    assert_eq!(alice.get("/v1/requests?state=flying").problem().0, 400);
    // What is not for one's eyes is not there.
    let asked = alice.post("/v1/requests", &json!({ "role": "payroll-reader", "reason": "HR-7: test" })).json();
    let carol = person(&gate, "carol");
    let path = |id: &str| format!("/v1/requests/{id}");
    let hidden = carol.get(&path(asked["id"].as_str().unwrap()));
    let absent = carol.get(&path("req-0000000000"));
    assert_eq!((hidden.problem(), absent.problem()), ((404, "not-found".to_owned()), (404, "not-found".to_owned())));
}

#[test]
fn who_is_slow_holds_up_nobody_and_is_let_go() {
    let (_slapd, gate) = open();
    let https = Https::new(&gate);
    // One that never shakes hands, one that never ends its head, one that never ends its body.
    let mut silent = TcpStream::connect(("127.0.0.1", https.port)).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut head = https.connect().unwrap();
    head.write_all(b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ").unwrap();
    let mut body = https.connect().unwrap();
    let begun = format!(
        "POST /v1/login HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        https.port
    );
    body.write_all(begun.as_bytes()).unwrap();
    assert_eq!(https.get("/healthz").status, 200);
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = silent.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{rest:?}");
    let _ = head.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&rest));
    let late = answer(&mut body).unwrap();
    assert_eq!(late.problem(), (408, "timeout".to_owned()));
    https.hold_to_the_document("POST", "/v1/login", &late);
}

#[test]
fn one_address_cannot_take_every_place() {
    let (_slapd, gate) = open();
    let crowd = Https::new(&gate).from(68);
    let mut taken = Vec::new();
    let turned_away = (0..200).any(|_| {
        let mut connection = crowd.connect().unwrap();
        let served = connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").is_ok()
            && connection.read(&mut [0; 16]).is_ok_and(|read| read > 0);
        taken.push(connection);
        !served
    });
    assert!(turned_away && taken.len() > 64, "{}", taken.len());
    assert_eq!(Https::new(&gate).get("/healthz").status, 200, "others are served");
}

#[test]
fn a_head_that_is_too_large_is_not_read() {
    let (_slapd, gate) = open();
    let https = Https::new(&gate);
    let long = "x".repeat(400_000);
    // It is hung up on, which may overtake the answer.
    let mut stream = https.connect().unwrap();
    let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n").as_bytes());
    let refused = answer(&mut stream).map_or(431, |refused| refused.status);
    assert_eq!(refused, 431);
    // What is somewhat too large is told so.
    let long = https.send("GET", "/healthz", &[("X-Long", &long[..40_000])], "");
    assert_eq!(long.problem(), (431, "too-long".to_owned()));
    let path = format!("/v1/requests/{}", "x".repeat(9_000));
    assert_eq!(https.get(&path).problem(), (414, "too-long".to_owned()));
    let names: Vec<String> = (0..100).map(|n| format!("X-{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    assert_eq!(https.send("GET", "/healthz", &many, "").status, 431);
}

#[test]
fn who_guesses_behind_one_address_locks_out_nobody_there() {
    let (_slapd, gate) = open();
    let office = Https::new(&gate).from(69);
    assert_eq!(office.log_in("alice", &password("alice")).status, 200);
    // Somebody there tries names; what they say of where they are is not believed.
    let next = AtomicUsize::new(0);
    let guess = || {
        let json = ("Content-Type", "application/json");
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let elsewhere = ("X-Forwarded-For", &*format!("10.0.0.{n}"));
            let body = json!({ "name": format!("name-{n}"), "password": "Winter2026" }).to_string();
            if office.send("POST", "/v1/login", &[json, elsewhere], &body).status == 429 {
                return n;
            }
        }
    };
    let tried = std::thread::scope(|scope| {
        let people: Vec<_> = (0..8).map(|_| scope.spawn(guess)).collect();
        people.into_iter().map(|one| one.join().unwrap()).max()
    });
    assert!(tried < Some(60), "{tried:?}");
    assert_eq!(office.log_in("bob", &password("bob")).status, 429, "who was not there before waits");
    assert_eq!(office.log_in("alice", &password("alice")).status, 200);
    // And her own wrong ones count as ever.
    let wrong: Vec<u16> = (0..6).map(|_| office.log_in("alice", "wrong").status).collect();
    assert_eq!(wrong, [401, 401, 401, 401, 401, 429]);
}

#[test]
fn who_is_held_back_fills_no_log() {
    let (_slapd, gate) = open();
    let stranger = Https::new(&gate).from(70);
    let answers: Vec<u16> = (0..25).map(|_| stranger.log_in("alice", "guess").status).collect();
    assert!(answers.iter().filter(|status| **status == 429).count() > 15, "{answers:?}");
    gate.audit.wait_for("the refusal", |record| record["reason"] == json!("too-many-attempts"));
    let told = gate.audit.records().iter().filter(|record| record["reason"] == json!("too-many-attempts")).count();
    let tried = answers.iter().filter(|status| **status == 401).count();
    assert!(told <= tried, "{told} for {answers:?}");
}
