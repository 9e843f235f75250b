//! `tidegate audit search` and `tail`: what is found, by whom, and that it is recorded. And what records say of
//! access that nobody approved.

use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{SCOPE_BASE, Search};
use crate::support::slapd::{BASE, Slapd, person};
use crate::support::{PATIENCE, eventually};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

/// A role that Alice may have at once, and access that Carol always has.
const NOBODY_DECIDES: &str = r#"
[[role]]
name = "emergency"
description = "When it burns"
allow = [{ resource = "payroll" }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "1h"
break_glass = ["dn:uid=alice,ou=people,dc=example,dc=com"]

[[standing]]
who = ["dn:uid=carol,ou=people,dc=example,dc=com"]
resource = "payroll"
operations = ["search"]
reason = "nightly export, HR-112"
"#;

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

/// Lines as they are in the log.
fn found(gate: &Gate, who: &str, more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["audit", "search", "--output", "json"];
    arguments.extend(more);
    let ran = gate.cli(who, &arguments).expect(0);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn whoever_may_finds_what_was_done_under_a_grant() {
    let slapd = Slapd::start();
    let gate = Setup::default().audit_lines("rotate_bytes = 65536").start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let mut alice = gate.client_as("alice");
    assert_eq!(alice.search(&payroll()).answer.code, 0);
    let mut carol = gate.client_as("carol");
    assert_eq!(carol.search(&payroll()).answer.code, 50);
    gate.cli("alice", &["release", &grant]).expect(0);

    let lines = found(&gate, "root-admin", &["--grant", &grant]);
    let what: Vec<&str> = lines.iter().map(|l| l["event"].as_str().or(l["operation"].as_str()).unwrap()).collect();
    assert!(what.contains(&"search") && what.contains(&"released") && what.contains(&"approved"), "{what:?}");
    assert!(lines.windows(2).all(|two| two[0]["seq"].as_u64() < two[1]["seq"].as_u64()), "the oldest first");
    let all: Vec<String> = gate.audit.text().lines().map(str::to_owned).collect();
    let raw = gate.cli("root-admin", &["audit", "search", "--grant", &grant, "--output", "json"]).expect(0).stdout;
    assert!(raw.lines().all(|line| all.iter().any(|known| known == line)), "octet for octet as in the log: {raw}");

    let refused = found(&gate, "root-admin", &["--subject", &person("carol").to_uppercase(), "--decision", "refused"]);
    assert_eq!((refused.len(), &refused[0]["resources"]), (1, &serde_json::json!(["payroll"])));
    let table = gate.cli("root-admin", &["audit", "search", "--resource", "payroll", "--since", "1h"]).expect(0).stdout;
    assert!(table.contains("refused: not held (payroll), code 50"), "{table}");
    assert_eq!(found(&gate, "root-admin", &["--until", "1h"]).len(), 0);
    assert_eq!(found(&gate, "root-admin", &["--limit", "3"]).len(), 3);

    gate.cli("alice", &["audit", "search"]).expect(1);
    gate.cli("bob", &["audit", "tail"]).expect(1);
    let reads = found(&gate, "root-admin", &["--event", "audit.read"]);
    assert_eq!(reads[0]["query"]["grant"], grant.as_str(), "{reads:?}");
    assert_eq!(reads.last().unwrap()["query"]["event"], "audit.read", "its own reading, too");
    assert_eq!(
        found(&gate, "root-admin", &["--event", "refused", "--subject", &person("bob")])[0]["attempt"],
        "read the log"
    );

    // Whatever is read, while files come and go.
    for _ in 0..40 {
        for _ in 0..20 {
            alice.search(&Search::new(person("bob")).scope(SCOPE_BASE));
        }
        assert_eq!(found(&gate, "root-admin", &["--limit", "7"]).len(), 7);
    }
    let seen: Vec<u64> =
        found(&gate, "root-admin", &["--limit", "5000"]).iter().map(|l| l["seq"].as_u64().unwrap()).collect();
    // Of an operation that is over the begun line is left out.
    let begun: Vec<u64> =
        gate.audit.lines().iter().filter(|l| l["phase"] == "begun").filter_map(|l| l["seq"].as_u64()).collect();
    let mut all = [seen.clone(), begun].concat();
    all.sort_unstable();
    assert!(
        seen.is_sorted() && seen.len() > 800 && all.windows(2).all(|two| two[1] == two[0] + 1),
        "each once: {seen:?}"
    );
    assert_eq!(seen[0], 1);
}

#[test]
fn tail_shows_lines_as_they_come() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut tail = crate::support::command::tidegate(["audit", "tail", "-f", "-n", "1", "--decision", "refused"]);
    tail.arg("--control").arg(&gate.control).args(["--as", &person("root-admin")]);
    let mut tail = tail.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let (say, said) = mpsc::channel();
    let out = tail.stdout.take().unwrap();
    std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
    gate.audit.wait_for("the first reading", |r| r["event"] == "audit.read");
    let mut client = gate.client_as("alice");
    for _ in 0..3 {
        assert_eq!(client.search(&payroll()).answer.code, 50);
        let line = said.recv_timeout(PATIENCE).expect("a line");
        assert!(line.contains("search ou=payroll") && line.contains("refused: not held (payroll)"), "{line}");
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    let reads = gate.audit.records().iter().filter(|r| r["event"] == "audit.read").count();
    assert!(reads <= 3, "following is one reading, not {reads}");
}

#[test]
fn what_nobody_approved_is_marked_in_every_record() {
    let slapd = Slapd::start();
    let gate = Setup::default().and(NOBODY_DECIDES).start(&slapd);
    let request = gate.request("alice", "emergency", &["--break-glass"]);
    let mut alice = gate.client_as("alice");
    eventually("the glass is broken", || (alice.search(&payroll()).answer.code == 0).then_some(()));
    let mut carol = gate.client_as("carol");
    assert_eq!(carol.search(&payroll()).answer.code, 0);
    alice.search(&Search::new(person("bob")).scope(SCOPE_BASE));

    let of = |more: &[&str]| found(&gate, "root-admin", &[&["--operation", "search"], more].concat());
    let marked = of(&["--request", &request]);
    assert!(!marked.is_empty() && marked.iter().all(|line| line["break_glass"] == true), "{marked:?}");
    let standing = of(&["--subject", &person("carol")]);
    assert_eq!(standing[0]["standing"], serde_json::json!(["payroll: nightly export, HR-112"]), "{standing:?}");
    assert_eq!((&standing[0]["break_glass"], &standing[0]["reason"]), (&false.into(), &"standing access".into()));
    let plain = gate.audit.wait_for("the search of a person", |r| r["target"] == person("bob"));
    assert_eq!((&plain["break_glass"], &plain["standing"]), (&false.into(), &Value::Null));
    let events = found(&gate, "root-admin", &["--request", &request, "--event", "requested"]);
    assert_eq!(events[0]["break_glass"], true);
    let table = gate.cli("root-admin", &["audit", "search", "--request", &request]).expect(0).stdout;
    assert!(table.contains("BREAK-GLASS"), "{table}");
}

#[test]
fn reports_tell_of_what_is_left_and_what_was_done() {
    let slapd = Slapd::start();
    let gate = Setup::default().and(NOBODY_DECIDES).start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 0);
    gate.cli("alice", &["release", &grant]).expect(0);
    let request = gate.request("alice", "emergency", &["--break-glass"]);
    assert_eq!(gate.client_as("frank").search(&payroll()).answer.code, 50);
    let report = |kind: &str| gate.json("root-admin", &["audit", "report", kind])[kind].clone();
    let unused = report("standing");
    assert_eq!((&unused[0]["uses"], &unused[0]["reason"]), (&0.into(), &"nightly export, HR-112".into()), "{unused}");
    assert_eq!(gate.client_as("carol").search(&payroll()).answer.code, 0);
    let used = report("standing");
    assert_eq!((&used[0]["uses"], &used[0]["used_by"]), (&1.into(), &serde_json::json!([person("carol")])), "{used}");
    let grants = report("grants");
    let of = |id: &str, field: &str| {
        grants.as_array().unwrap().iter().find(|row| row["grant"] == id || row["request"] == id).unwrap()[field].clone()
    };
    assert_eq!((of(&grant, "end"), of(&grant, "uses")), ("released".into(), 1.into()), "{grants}");
    assert_eq!(of(&grant, "approved_by"), serde_json::json!([person("bob")]));
    assert_eq!((of(&request, "break_glass"), of(&request, "signed_off_by")), (true.into(), Value::Null));
    let refused = report("refused");
    assert_eq!((&refused[0]["subject"], &refused[0]["count"]), (&person("frank").into(), &1.into()), "{refused}");
    assert_eq!(report("monitored"), Value::Null);
    for kind in ["standing", "grants", "refused"] {
        assert!(gate.cli("root-admin", &["audit", "report", kind]).expect(0).stdout.lines().count() > 1, "{kind}");
        gate.cli("alice", &["audit", "report", kind]).expect(1);
    }
}
