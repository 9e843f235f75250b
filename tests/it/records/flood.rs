//! A stranger's flood of refused operations neither fills the log nor takes the room of what is done under a grant.

use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, message};
use crate::support::slapd::{BASE, Slapd};
use serde_json::json;

/// Refused searches of one stranger.
const MANY: usize = 20_000;
const AT_ONCE: usize = 500;
/// Searches under a grant meanwhile.
const OURS: usize = 300;

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

fn flood(client: &mut Client) {
    let request = payroll().encoded();
    for from in (0..MANY).step_by(AT_ONCE) {
        let burst: Vec<u8> =
            (from..from + AT_ONCE).flat_map(|id| message(i32::try_from(id).unwrap() + 1, &request, &[])).collect();
        client.send_raw(&burst);
        for _ in 0..AT_ONCE {
            assert_eq!(client.receive().expect("an answer").answer().code, 50);
        }
    }
}

fn size(gate: &Gate) -> usize {
    gate.audit.text().len()
}

/// What shows and changes nothing is permitted to everybody, and no flood of it fills the log either.
#[test]
fn a_flood_of_reads_of_the_root_and_of_abandons_is_summed() {
    const EACH: usize = 2_000;
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut stranger = gate.client();
    let before = gate.audit.lines().len();
    let started = std::time::Instant::now();
    let root = Search::new("").scope(SCOPE_BASE).attributes(&["1.1"]).encoded();
    for from in (0..EACH).step_by(AT_ONCE) {
        let id = |at: usize| i32::try_from(from + at).unwrap() + 1;
        // What is abandoned is not there.
        let abandon = [0x50, 2, 0x7f, 0xff];
        let burst: Vec<u8> = (0..AT_ONCE)
            .flat_map(|at| [message(id(at), &root, &[]), message(id(at) + 10_000, &abandon, &[])].concat())
            .collect();
        stranger.send_raw(&burst);
        for _ in 0..2 * AT_ONCE {
            let _ = stranger.receive().expect("an entry or an answer");
        }
    }
    let count = |operation: &str| -> u64 {
        let lines = gate.audit.records();
        let alike = lines.iter().filter(|r| r["operation"] == operation && r["decision"] == "permitted");
        alike.map(|r| r["repeated"].as_u64().unwrap_or(1)).sum()
    };
    crate::support::eventually("all are counted", || {
        (count("search") >= EACH as u64 && count("abandon") >= EACH as u64).then_some(())
    });
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap() + 2;
    let lines = gate.audit.lines().len() - before;
    assert!(lines <= 2 * 25 * seconds + 20, "{lines} lines in {seconds} s");
}

#[test]
fn a_flood_of_refused_operations_is_summed_and_costs_others_no_line() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    gate.granted("alice", "payroll-reader", &[]);
    let mut alice = gate.client_as("alice");
    let before = size(&gate);
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut stranger = gate.client();
            scope.spawn(move || flood(&mut stranger));
        }
        for _ in 0..OURS {
            assert_eq!(alice.search(&payroll()).answer.code, 0, "what is done under a grant is not refused");
        }
    });
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap() + 2;
    let told =
        || gate.audit.records().into_iter().filter(|r| r["subject"] == "anonymous" && r["operation"] == "search");
    let count =
        |lines: &[serde_json::Value]| -> u64 { lines.iter().map(|r| r["repeated"].as_u64().unwrap_or(1)).sum() };
    let refused = crate::support::eventually("all are counted", || {
        let lines: Vec<_> = told().filter(|r| r["decision"] == "refused").collect();
        (count(&lines) == 2 * MANY as u64).then_some(lines)
    });
    // Both come from one address: some lines a second, and one that says how many more there were, and when.
    assert!(refused.len() <= 25 * seconds, "{} lines in {seconds} s", refused.len());
    let sum = refused.iter().find(|r| r["repeated"].is_u64()).expect("a sum");
    assert!(sum["first"].is_string() && sum["last"].is_string() && sum["reason"] == "not held", "{sum}");
    let ours = |phase: &str| {
        let lines = gate.audit.lines();
        lines.iter().filter(|r| r["phase"] == phase && r["operation"] == "search" && r["grant"].is_string()).count()
    };
    assert_eq!((ours("begun"), ours("ended")), (OURS, OURS), "none is lost");
    // 41 MB of lines otherwise.
    let grown = size(&gate) - before;
    assert!(grown < 2_000 * (2 * OURS + 25 * seconds), "{grown} octets");
    assert_eq!(gate.audit.records().iter().filter(|r| r["event"] == "audit.resumed").count(), 0);
    // They are counted as they were.
    let report = gate.json("root-admin", &["audit", "report", "refused"]);
    assert_eq!(report["refused"][0]["count"], json!(2 * MANY), "{report}");
}
