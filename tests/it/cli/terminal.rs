//! The command line on a terminal, and at the other end of pipes that close.

use super::canned::Canned;
use crate::support::command::{Ran, run};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

fn request() -> Value {
    json!({
        "id": "req-7f3k9q2m", "state": "pending", "revision": 3, "scope_digest": "ab12",
        "requested_by": "uid=alice,ou=people,dc=example,dc=com", "subject": "uid=alice,ou=people,dc=example,dc=com",
        "role": "payroll-editor", "reason": "correct the March records\u{1b}[2J", "duration": "1h", "scope": [{
            "resource": "payroll", "base": "ou=payroll,dc=example,dc=com", "scope": "subtree",
            "operations": ["search", "modify"], "permanent": ["modify may write member"],
        }],
        "created": "2026-03-31T08:00:00Z", "lapses": "2026-03-31T16:00:00Z", "stage": 2, "stages": 3,
        "approvals": 2, "reviews": [], "waiting_for": ["group:cn=hr-leads,ou=groups,dc=example,dc=com"],
        "may_review": true, "permanent": true, "history": [],
    })
}

/// In a terminal of its own, so many columns wide.
fn on_a_terminal(gate: &Canned, columns: usize, line: &str) -> Ran {
    let command = format!("stty rows 24 cols {columns}; {PROGRAM} {line} --control {}", gate.socket().display());
    let mut terminal = Command::new("script");
    run(terminal.args(["-qec", &command, "/dev/null"]).env_remove("COLUMNS").env_remove("TIDEGATE_CONTROL"))
}

#[test]
fn tables_fit_the_terminal_and_lose_nothing() {
    let gate = Canned::start([("GET /v1/requests?state=pending", 200, json!([request()]))]);
    for columns in [60, 80, 120, 200] {
        let shown = on_a_terminal(&gate, columns, "requests").expect(0).stdout;
        assert!(shown.lines().all(|line| line.trim_end().chars().count() <= columns), "{columns}:\n{shown}");
        for part in ["req-7f3k9q2m", "pending 0/2, stage 2/3, permanent", "payroll-editor", "ou=groups,"] {
            let words: Vec<&str> = part.split(' ').collect();
            assert!(words.iter().all(|word| shown.contains(word)), "{part}: {columns}:\n{shown}");
        }
        assert!(shown.contains("\\u{1b}[2J") && !shown.contains('\u{1b}'), "{shown:?}");
    }
    // To a program: a line for each, whatever the terminal is.
    let piped = run(Command::new(PROGRAM).args(["requests", "--control"]).arg(gate.socket()).env("COLUMNS", "60"));
    assert_eq!(piped.expect(0).stdout.lines().count(), 2);
}

#[test]
fn who_waits_on_a_terminal_sees_one_line_that_changes() {
    let mut denied = request();
    denied["state"] = json!("denied");
    let gate = Canned::start([
        ("GET /v1/requests/req-7f3k9q2m", 200, request()),
        ("GET /v1/requests/req-7f3k9q2m", 200, denied),
    ]);
    let shown = on_a_terminal(&gate, 60, "show req-7f3k9q2m --wait").expect(3).stdout;
    let line = shown.split("\u{1b}[K").nth(1).unwrap_or_default();
    assert!(line.starts_with("req-7f3k9q2m: 0 of 2 approvals, lapses ") && line.contains('…'), "{shown:?}");
    assert!(line.trim_end_matches('\r').chars().count() < 60, "{line:?}");
    assert!(shown.contains("denied"), "{shown}");
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    let gate = Canned::start([("GET /v1/requests/req-7f3k9q2m", 200, request())]);
    let mut command = Command::new(PROGRAM);
    command.args(["show", "req-7f3k9q2m", "--wait", "--control"]).arg(gate.socket());
    let waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It looks a second time when it waits.
    crate::support::eventually("that it waits", || (gate.calls().len() > 1).then_some(()));
    let interrupted = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let ended = waiting.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(1), 0));
    assert_eq!(
        String::from_utf8_lossy(&ended.stderr),
        "req-7f3k9q2m: 0 of 2 approvals, waits for group:cn=hr-leads,ou=groups,dc=example,dc=com; \
         lapses 2026-03-31 16:00:00 UTC\n\
         The request goes on waiting. To wait for it again: tidegate show req-7f3k9q2m --wait\n\
         To take it back: tidegate cancel req-7f3k9q2m\n"
    );
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let many: Vec<Value> = (0..400).map(|_| request()).collect();
    let gate = Canned::start([("GET /v1/requests?state=pending", 200, json!(many))]);
    for line in [
        format!("requests --control {}", gate.socket().display()),
        format!("requests --output json --control {}", gate.socket().display()),
        "completions bash".to_owned(),
        "help".to_owned(),
    ] {
        let script = format!("set -o pipefail; {PROGRAM} {line} | true");
        let ran = run(Command::new("bash").args(["-c", &script])).expect(0);
        assert_eq!(ran.stderr, "", "{line}");
    }
}
