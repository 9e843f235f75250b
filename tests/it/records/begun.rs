//! What is done with a grant or with standing access is in the log before the directory hears of it: a search that never
//! ends, a gate that is killed, a disk that is full.

use crate::support::command::run;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{SCOPE_BASE, Search, compare_request, tag};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::wire::Wire;
use crate::support::{eventually, ldap};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const BIG: &str = r#"
[[resource]]
name = "big"
base = "ou=big,dc=example,dc=com"

[[role]]
name = "big-reader"
description = "Read what is big"
allow = [{ resource = "big", operations = ["search"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
default_duration = "1h"

[[standing]]
who = ["dn:uid=carol,ou=people,dc=example,dc=com"]
resource = "payroll"
operations = ["search"]
reason = "nightly export"
"#;

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

fn begun(gate: &Gate) -> Vec<Value> {
    gate.audit.lines().into_iter().filter(|line| line["phase"] == "begun").collect()
}

/// A limit on the size of its files is as a full disk: the next write fails.
fn limit_files(gate: &Gate, size: &str) {
    run(Command::new("prlimit").args([&format!("--fsize={size}"), "--pid", &gate.pid().to_string()])).expect(0);
}

#[test]
fn a_search_that_never_ends_is_in_the_log_from_its_beginning() {
    let slapd = Slapd::with(Extra { big: (3_000, 2_000), ..Extra::default() });
    let mut gate = Setup::default().and(BIG).start(&slapd);
    let grant = gate.granted("alice", "big-reader", &[]);
    let mut client = gate.client_as("alice");
    let id = client.send(&Search::new(format!("ou=big,{BASE}")).attributes(&["*"]).encoded(), &[]);
    for number in 0..250 {
        assert_eq!(client.receive_for(id).tag, tag::ENTRY);
        if number == 0 {
            // Not some time later: before there was a first entry.
            let lines = begun(&gate);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert_eq!((&lines[0]["grant"], &lines[0]["subject"]), (&grant.as_str().into(), &person("alice").into()));
            assert_eq!((&lines[0]["operation"], &lines[0]["resources"][0]), (&"search".into(), &"big".into()));
        }
    }
    // Nobody reads on. A crash of the gate takes nothing back.
    gate.stop("KILL");
    assert_eq!(begun(&gate).len(), 1);
    gate.launch();
    gate.cli("root-admin", &["audit", "verify"]).expect(0);
    let shown = gate.json("root-admin", &["audit", "search", "--grant", &grant, "--operation", "search"]);
    assert_eq!((&shown["phase"], &shown["grant"]), (&"begun".into(), &grant.as_str().into()), "{shown}");
    let report = gate.json("root-admin", &["audit", "report", "grants"]);
    assert_eq!(report["grants"][0]["uses"], 1, "{report}");
    // One that ends is shown and counted once, too.
    let mut client = gate.client_as("alice");
    assert_eq!(client.search(&Search::new(format!("ou=big,{BASE}")).scope(SCOPE_BASE)).answer.code, 0);
    eventually("the search is over", || {
        let report = gate.json("root-admin", &["audit", "report", "grants"]);
        assert!(report["grants"][0]["uses"].as_u64() <= Some(2), "{report}");
        (report["grants"][0]["uses"] == 2).then_some(())
    });
}

/// Entries that clients ask about under a grant: those of whom the directory heard, against those in the log.
fn whatever_the_directory_hears_is_in_the_log(setup: Setup, base: &str) {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let mut gate = setup.plain_directory(wire.port).start(&slapd);
    gate.granted("alice", "payroll-reader", &[]);
    let name = |round: usize, client: usize, number: usize| format!("cn=x{round}-{client}-{number}x,{base}");
    for round in 0..5 {
        std::thread::scope(|scope| {
            for client in 0..2 {
                let mut connection = gate.client_as("alice");
                scope.spawn(move || {
                    for number in 0..200 {
                        // Several at once; the gate is gone before the last.
                        let burst: Vec<u8> = (0..5)
                            .flat_map(|of| {
                                let id = i32::try_from(number * 5 + of + 10).unwrap();
                                let request = compare_request(&name(round, client, number * 5 + of), "cn", "x");
                                ldap::message(id, &request, &[])
                            })
                            .collect();
                        connection.send_raw(&burst);
                        for _ in 0..5 {
                            if connection.receive().is_none() {
                                return;
                            }
                        }
                    }
                });
            }
            let first = format!("cn=x{round}-0-{}x", 7 * round);
            wire.wait_for("some of them", |heard| String::from_utf8_lossy(&heard.body).contains(&first));
            run(Command::new("kill").args(["-9", &gate.pid().to_string()])).expect(0);
        });
        gate.stop("KILL");
        let named = |text: &str| -> Option<String> {
            let start = text.find("cn=x")?;
            text.get(start..)?.split_once("x,").map(|(name, _)| name.to_owned())
        };
        let heard: BTreeSet<String> =
            wire.heard().iter().filter_map(|heard| named(&String::from_utf8_lossy(&heard.body))).collect();
        let recorded: BTreeSet<String> =
            begun(&gate).iter().filter_map(|line| named(line["target"].as_str()?)).collect();
        let missing: Vec<_> = heard.difference(&recorded).collect();
        assert!(missing.is_empty(), "round {round}: the directory heard of what is not in the log: {missing:?}");
        assert!(heard.len() > 7 * round, "round {round}: the directory heard of {}", heard.len());
        gate.launch();
        gate.cli("root-admin", &["audit", "verify"]).expect(0);
    }
}

#[test]
fn a_killed_gate_leaves_a_begun_line_of_all_that_the_directory_heard_under_a_grant() {
    whatever_the_directory_hears_is_in_the_log(Setup::default(), &format!("ou=payroll,{BASE}"));
}

#[test]
fn with_each_that_is_so_of_every_operation() {
    let each = Setup::default().audit_lines("durable = \"each\"");
    whatever_the_directory_hears_is_in_the_log(each, &format!("ou=people,{BASE}"));
}

#[test]
fn standing_access_is_refused_while_nothing_can_be_recorded() {
    let slapd = Slapd::start();
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().and(BIG).ignoring_file_size_signals().plain_directory(wire.port).start(&slapd);
    gate.granted("alice", "payroll-reader", &[]);
    let mut clients = [gate.client_as("alice"), gate.client_as("carol")];
    for client in &mut clients {
        assert_eq!(client.search(&payroll()).answer.code, 0);
    }
    // Otherwise these are the first lines that fail, and no operation waits for one of its own.
    for who in ["alice", "carol"] {
        gate.audit.wait_for("the end of the first search", |r| r["phase"] == "ended" && r["subject"] == person(who));
    }
    let heard = || wire.heard().iter().filter(|heard| heard.body.windows(10).any(|w| w == b"ou=payroll")).count();
    let before = heard();
    limit_files(&gate, "1:unlimited");
    for client in &mut clients {
        for _ in 0..3 {
            // The very first, too: its begun line cannot be written.
            assert_eq!(client.search(&payroll()).answer.code, 52);
        }
        assert_eq!(
            client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code,
            0,
            "what needs none is served"
        );
    }
    assert_eq!(heard(), before, "the directory heard of none of it");
    limit_files(&gate, "unlimited:unlimited");
    for client in &mut clients {
        eventually("access is back", || (client.search(&payroll()).answer.code == 0).then_some(()));
    }
    // Those that waited for their line when the disk was full say that nothing was done.
    gate.audit.wait_for("what was not done", |r| r["phase"] == "ended" && r["reason"] == "not recorded");
    let records = gate.audit.records();
    let waited = records.iter().filter(|r| r["phase"] == "ended" && r["reason"] == "not recorded").count();
    assert!(waited > 0 && records.iter().all(|r| r["reason"] != "not recorded" || r["result"] == 52), "{records:#?}");
    gate.cli("root-admin", &["audit", "verify"]).expect(0);
}

#[test]
fn nothing_is_served_without_a_record_where_that_is_configured() {
    let slapd = Slapd::start();
    let gate = Setup::default().audit_lines("when_full = \"refuse\"").ignoring_file_size_signals().start(&slapd);
    let mut client = gate.client_as("alice");
    let bob = Search::new(person("bob")).scope(SCOPE_BASE);
    assert_eq!(client.search(&bob).answer.code, 0);
    limit_files(&gate, "1:unlimited");
    eventually("it is refused", || (client.search(&bob).answer.code == 52).then_some(()));
    assert_eq!(client.search(&bob).answer.code, 52);
    limit_files(&gate, "unlimited:unlimited");
    eventually("it is served again", || (client.search(&bob).answer.code == 0).then_some(()));
}
