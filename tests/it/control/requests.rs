//! Requests that are written to be read in two ways: by this server and by a proxy before it, by its check
//! and by its router, by the reader of a body and whoever looks at it afterwards.

use super::{open, person};
use crate::support::gate::{Gate, Setup};
use crate::support::https::{Https, Response};
use crate::support::slapd::Slapd;
use serde_json::json;
use std::io::{Read as _, Write as _};

/// What comes back on one connection for these octets, until it ends.
fn said(https: &Https, octets: &str) -> String {
    let mut stream = https.connect().unwrap();
    let _ = stream.write_all(octets.as_bytes());
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn statuses(text: &str) -> Vec<&str> {
    text.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.split(' ').next()).collect()
}

/// The head of a request, without the empty line at its end.
fn head(gate: &Gate, method: &str, path: &str, lines: &[&str]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", gate.https);
    for line in lines {
        head += &format!("{line}\r\n");
    }
    head
}

#[test]
fn a_request_has_one_end() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let token = format!("Authorization: Bearer {}", alice.token());
    let json = "Content-Type: application/json";
    // What is smuggled behind is a call of Alice's that nobody made.
    let smuggled = head(&gate, "GET", "/v1/me", &[&token, "Connection: close"]) + "\r\n";
    for lengths in [
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 4"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: +5", "X-A: b"],
        ["Content-Length: 5,5", "X-A: b"],
        ["Transfer-Encoding: xchunked", "X-A: b"],
        ["Transfer-Encoding : chunked", "X-A: b"],
        ["X-A: b\r\n Transfer-Encoding: chunked", "X-B: c"],
    ] {
        let request = head(&gate, "POST", "/v1/logout", &[json, lengths[0], lengths[1]]) + "\r\n0\r\n\r\n" + &smuggled;
        let answer = said(&alice, &request);
        assert_eq!(statuses(&answer).len(), 1, "{lengths:?}: {answer}");
        assert!(!answer.contains("\"subject\""), "{lengths:?}: {answer}");
    }
    // A body in pieces is one, and the last thing on its connection.
    let wish = "{\"role\":\"payroll-reader\",\"reason\":\"HR-7\"}";
    let chunked = head(&gate, "POST", "/v1/requests", &[json, &token, "Transfer-Encoding: chunked"]);
    let answer = said(&alice, &format!("{chunked}\r\n{:x}\r\n{wish}\r\n0\r\n\r\n{smuggled}", wish.len()));
    assert_eq!(statuses(&answer), ["201"], "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
}

#[test]
fn calls_on_one_connection_are_each_their_own() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let token = format!("Authorization: Bearer {}", alice.token());
    let with = head(&gate, "GET", "/v1/me", &[&token]) + "\r\n";
    let without = head(&gate, "GET", "/v1/me", &[]) + "\r\n";
    let last = head(&gate, "GET", "/v1/me", &[&token, "Connection: close"]) + "\r\n";
    let answer = said(&alice, &(with.clone() + &without + &last));
    assert_eq!(statuses(&answer), ["200", "401", "200"], "{answer}");
    // A body that is not read takes nothing of the next call with it.
    let body = head(&gate, "POST", "/v1/requests", &["Content-Type: application/json", "Content-Length: 5"]);
    let answer = said(&alice, &(format!("{body}\r\nGET /") + &last));
    assert_eq!(statuses(&answer), ["401", "200"], "{answer}");
}

#[test]
fn only_http_1_is_spoken() {
    let (_slapd, gate) = open();
    let https = Https::new(&gate);
    let mut stream = https.offering(&[b"h2"]).connect().unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let _ = stream.write_all(preface);
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    assert_eq!(stream.conn.alpn_protocol(), None);
    assert!(!text.starts_with(b"\0") && !String::from_utf8_lossy(&text).contains(" 200"), "{text:?}");
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/1.1 x"] {
        let answer = said(&https, &format!("GET /healthz {version}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"));
        assert!(!answer.starts_with("HTTP/1.1 200"), "{version}: {answer}");
    }
    let upgrade = [("Connection", "Upgrade, close"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAARAAAAA")];
    assert_eq!(https.send("GET", "/healthz", &upgrade, "").status, 200, "what is offered is not taken");
}

#[test]
fn a_call_has_one_path() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    assert_eq!(alice.get("/v1/me").status, 200);
    for path in [
        "//v1/me",
        "/v1//me",
        "/v1/me/",
        "/v1/me//",
        "/./v1/me",
        "/v1/./me",
        "/v1/../v1/me",
        "/%2e%2e/v1/me",
        "/v1%2fme",
        "/%761/me",
        "/V1/me",
        "/v1/ME",
        "/v1/me%00",
        "/v1/me%20",
        "/v1/me;x=1",
        "/v1/me%3fx",
        "/healthz/../v1/me",
        "/v1/me.json",
        "*",
    ] {
        let answer = alice.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:#?}");
    }
    let own = format!("https://127.0.0.1:{}", gate.https);
    assert_eq!(alice.get(&format!("{own}/v1/me")).status, 200, "RFC 9112 3.2.2");
    for other in ["https://evil.example.net/v1/me", "http://evil.example.net:8443/v1/me"] {
        assert_eq!(alice.get(other).problem(), (421, "unknown-host".to_owned()), "{other}");
    }
    let evil = [("Host", "evil.example.net")];
    for path in ["/v1/me", "//v1/me", "/healthz/../v1/me", "/v1/openapi.json"] {
        assert_ne!(alice.send("GET", path, &evil, "").status, 200, "{path}");
    }
    let elsewhere = alice.send("CONNECT", "evil.example.net:443", &[], "");
    assert!(elsewhere.status >= 400, "{elsewhere:#?}");
}

#[test]
fn a_subject_with_anything_in_its_name_is_one_segment() {
    let (_slapd, gate) = open();
    let administrator = person(&gate, "root-admin");
    let json = [("Content-Type", "application/json")];
    for (subject, path) in [
        ("cn=a/b,dc=example,dc=com", "cn%3Da%2Fb%2Cdc%3Dexample%2Cdc%3Dcom"),
        ("cn=..,dc=example,dc=com", "cn=..,dc=example,dc=com"),
        ("cn=a%2Fb,dc=example,dc=com", "cn=a%252Fb,dc=example,dc=com"),
        ("cn=a?b,dc=example,dc=com", "cn=a%3Fb,dc=example,dc=com"),
    ] {
        let locked = administrator.post("/v1/locks", &json!({ "subject": subject, "reason": "test", "force": true }));
        assert_eq!(locked.status, 201, "{subject}: {locked:#?}");
        let lifted = administrator.send("DELETE", &format!("/v1/locks/{path}"), &json, "");
        assert_eq!((lifted.status, lifted.json()["locked"].as_bool()), (200, Some(false)), "{subject}: {lifted:#?}");
    }
}

#[test]
fn a_method_is_what_the_request_line_says() {
    let (_slapd, gate) = open();
    let (alice, administrator) = (person(&gate, "alice"), person(&gate, "root-admin"));
    let asked = alice.post("/v1/requests", &json!({ "role": "payroll-reader", "reason": "HR-7: test" })).json();
    let cancel = format!("/v1/requests/{}/cancel", asked["id"].as_str().unwrap());
    let (json, body) = (("Content-Type", "application/json"), "{}");
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        assert_eq!(alice.send("GET", &cancel, &[json, (name, "POST")], body).status, 405, "{name}");
        let lock = "/v1/locks/uid=bob,ou=people,dc=example,dc=com";
        assert_eq!(administrator.send("POST", lock, &[json, (name, "DELETE")], body).status, 405, "{name}");
    }
    assert_eq!(alice.send("GET", &format!("{cancel}?_method=POST"), &[json], body).status, 405);
    for method in ["PUT", "PATCH", "TRACE", "OPTIONS", "post", "FLY"] {
        let answer = alice.send(method, &cancel, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}: {answer:#?}");
        assert!(!answer.text.contains("Bearer"), "nothing is echoed");
    }
    assert_eq!(alice.send("HEAD", "/v1/me", &[], "").text, "");
    let state = alice.get(&format!("/v1/requests/{}", asked["id"].as_str().unwrap())).json();
    assert_eq!(state["state"], json!("pending"), "nothing came of it");
}

#[test]
fn a_body_and_a_query_mean_one_thing_or_nothing() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let post = |path: &str, body: &str| -> Response {
        alice.send("POST", path, &[("Content-Type", "application/json")], body)
    };
    let wish = "\"role\": \"payroll-reader\", \"reason\": \"HR-7\"";
    let deep = format!("{{{wish}, \"narrow\": {}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    for body in [
        format!("{{{wish}, \"role\": \"payroll-editor\"}}"),
        format!("{{{wish}, \"rolle\": \"payroll-editor\"}}"),
        format!("{{{wish}, \"narrow\": {{\"base\": null, \"base\": null}}}}"),
        format!("{{{wish}}} {{{wish}}}"),
        format!("[{{{wish}}}]"),
        "[\"payroll-reader\", \"HR-7\"]".to_owned(),
        format!("{{{wish}, \"dry_run\": 1}}"),
        format!("{{{wish}, \"dry_run\": NaN}}"),
        format!("{{{wish}, \"duration\": 1e999}}"),
        format!("{{{wish}, \"duration\": \"99999999999999999999h\"}}"),
        format!("{{{wish},}}"),
        format!("\u{feff}{{{wish}}}"),
        deep,
        String::new(),
        "null".to_owned(),
    ] {
        let answer = post("/v1/requests", &body);
        assert_eq!(answer.problem(), (400, "bad-request".to_owned()), "{}", &body[..body.len().min(100)]);
    }
    // Not UTF-8: in a body and in a path.
    let head = head(
        &gate,
        "POST",
        "/v1/requests",
        &[
            &format!("Authorization: Bearer {}", alice.token()),
            "Content-Type: application/json",
            "Connection: close",
            "Content-Length: 40",
        ],
    );
    let mut octets = format!("{head}\r\n{{\"role\": \"payroll-reader\", \"reason\": \"").into_bytes();
    octets.resize(octets.len() + 2, 0xff);
    octets.extend(b"\"}");
    assert_eq!(alice.exchange(&octets).status, 400);
    let review =
        |revision: &str| format!("{{\"decision\": \"approve\", \"scope_digest\": \"\", \"revision\": {revision}}}");
    for revision in ["-1", "1.5", "18446744073709551616", "1e400", "\"1\""] {
        assert_eq!(post("/v1/requests/req-0/reviews", &review(revision)).status, 400, "{revision}");
    }
    for query in [
        "mine=true&mine=false",
        "mine=TRUE",
        "all=true",
        "limit=99999999999999999999",
        "limit=-1",
        "limit=1&limit=2",
        "state=pending&state=denied",
        "mine=%ff",
    ] {
        assert_eq!(alice.get(&format!("/v1/requests?{query}")).status, 400, "{query}");
    }
    assert_eq!(alice.get("/v1/requests").json(), json!([]), "nothing came of any of it");
}

#[test]
fn too_many_requests_are_answered_429() {
    let slapd = Slapd::start();
    let gate = Setup::default().https().control_lines("requests_per_hour = 3").start(&slapd);
    let alice = person(&gate, "alice");
    let wish = json!({ "role": "payroll-reader", "reason": "HR-7" });
    for _ in 0..3 {
        let made = alice.post("/v1/requests", &wish);
        assert_eq!(made.status, 201, "{made:#?}");
        let cancel = format!("/v1/requests/{}/cancel", made.json()["id"].as_str().unwrap());
        assert_eq!(alice.post(&cancel, &json!({})).status, 200);
    }
    let answer = alice.post("/v1/requests", &wish);
    assert_eq!(answer.problem(), (429, "too-many-requests".to_owned()), "cancelled ones count");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3_000..=3_601).contains(&wait), "{wait}");
    assert_eq!(person(&gate, "bob").post("/v1/requests", &wish).status, 201, "another's are others");
    gate.audit.wait_for("it is recorded", |record| record["reason"] == "too-many-requests");
}
