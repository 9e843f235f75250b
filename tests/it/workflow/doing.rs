//! Ask by doing: what an operation without a role asks for, what it waits for, and what becomes of it.

use crate::support::ber::integer;
use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, bind_request, extended_request, modify_request, tag};
use crate::support::slapd::{BASE, Extra, Slapd, password, person};
use crate::support::target::Target;
use crate::support::wire::Wire;
use std::time::{Duration, Instant};

const POLICY: &str = r#"
[[resource]]
name = "payroll"
base = "ou=payroll,dc=example,dc=com"
on_missing = "hold"
hold_for = "10m"

[[resource]]
name = "secret-project"
base = "ou=secret,ou=projects,dc=example,dc=com"
on_missing = "request"

[[resource]]
name = "services"
base = "ou=services,dc=example,dc=com"
operations = ["search"]
on_missing = "hold"
hold_for = "1s"

[[role]]
name = "payroll-editor"
allow = [{ resource = "payroll" }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com", "dn:uid=frank,ou=people,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"

[[role]]
name = "project-reader"
allow = [{ resource = "secret-project", operations = ["search"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"

[[role]]
name = "service-reader"
allow = [{ resource = "services" }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"

[[standing]]
who = ["dn:cn=tidegate,ou=services,dc=example,dc=com"]
resource = "services"
reason = "the gate's own"
"#;

fn setup() -> Setup {
    Setup::default().policy(POLICY)
}

/// A gate whose talk with the directory is heard.
fn heard(setup: Setup) -> (Slapd, Wire, Gate) {
    let slapd = Slapd::with(Extra::default());
    let wire = Wire::to(slapd.ldap);
    let gate = setup.plain_directory(wire.port).start(&slapd);
    (slapd, wire, gate)
}

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

/// What somebody asks for and waits to be decided, once it is there.
fn waiting(gate: &Gate, who: &str) -> String {
    eventually("a request that waits", || {
        let waiting = gate.json(who, &["requests", "--mine", "--state", "pending"]);
        waiting[0]["id"].as_str().map(str::to_owned)
    })
}

fn asked(gate: &Gate, who: &str) -> usize {
    gate.json(who, &["requests", "--mine", "--all"]).as_array().map_or(0, Vec::len)
}

/// How many messages with this tag, about this name, the directory was sent.
fn sent(wire: &Wire, tag: u8, name: &str) -> usize {
    let about = |body: &[u8]| body.windows(name.len()).any(|part| part == name.as_bytes());
    wire.heard().iter().filter(|message| message.tag == tag && about(&message.body)).count()
}

/// Sends a search of the payroll, which waits; returns its id, and that of the request.
fn held(gate: &Gate, client: &mut Client, who: &str) -> (i32, String) {
    let id = client.send(&payroll().encoded(), &[]);
    let request = waiting(gate, who);
    eventually("the operation that waits", || {
        let sessions = gate.json("root-admin", &["sessions"]);
        let all = sessions.as_array().into_iter().flatten();
        let mut outstanding = all.filter_map(|session| session["outstanding"].as_array()).flatten();
        outstanding.any(|one| one["request"] == request.as_str() && one["message_id"] == id).then_some(())
    });
    (id, request)
}

#[test]
fn a_search_waits_and_goes_on_when_it_is_approved() {
    let target = Target::gated(Extra::default(), setup());
    let gate = target.gate();
    let arguments = ["-LLL", "-s", "base", "-b", &format!("ou=payroll,{BASE}"), "ou"];
    std::thread::scope(|scope| {
        let search = scope.spawn(|| target.ldap("ldapsearch", Some("alice"), &arguments, ""));
        let request = waiting(gate, "alice");
        let shown = gate.json("bob", &["show", &request]);
        assert_eq!((&shown["role"], &shown["by_doing"]), (&"payroll-editor".into(), &true.into()));
        let reason = format!("asked by doing: search ou=payroll,{BASE} from 127.0.0.1");
        assert_eq!((&shown["reason"], &shown["subject"]), (&reason.into(), &person("alice").into()));
        assert!(!search.is_finished(), "it waits");
        gate.cli("alice", &["approve", &request]).expect(1);
        gate.cli("bob", &["approve", &request]).expect(0);
        let ran = search.join().expect("no panic").expect(0);
        assert!(ran.stdout.contains("ou: payroll"), "{}", ran.stdout);
        let record = gate.audit.wait_for("the search", |r| r["operation"] == "search" && r["request"] == request);
        assert_eq!((&record["decision"], &record["result"]), (&"permitted".into(), &0.into()));
        assert!(record["grant"].is_string() && record["duration_us"].as_u64() > Some(0));
    });
    // What came of it opens the next without a word.
    target.ldap("ldapsearch", Some("alice"), &arguments, "").expect(0);
    assert_eq!(asked(gate, "alice"), 1);
}

#[test]
fn a_modify_that_waited_is_done_once() {
    let (_slapd, wire, gate) = heard(setup());
    let entry = format!("uid=e01,ou=payroll,{BASE}");
    let mut client = gate.client_as("alice");
    let id = client.send(&modify_request(&entry, 0, "description", &[b"seen"]), &[]);
    let request = waiting(&gate, "alice");
    assert_eq!(sent(&wire, tag::MODIFY, &entry), 0);
    gate.cli("bob", &["approve", &request]).expect(0);
    assert_eq!(client.receive_for(id).answer().code, 0);
    assert!(client.silent_for(Duration::from_millis(200)), "one answer");
    assert_eq!(sent(&wire, tag::MODIFY, &entry), 1);
    // Twice would be attributeOrValueExists.
    assert_eq!(client.ask(&modify_request(&entry, 0, "description", &[b"seen"]), &[]).code, 20);
    let record = gate.audit.wait_for("the modify", |r| r["operation"] == "modify" && r["result"] == 0);
    assert_eq!(record["request"], request);
}

#[test]
fn a_no_refuses_it_at_once_and_is_not_asked_again() {
    let (_slapd, wire, gate) = heard(setup());
    let mut client = gate.client_as("alice");
    let (id, request) = held(&gate, &mut client, "alice");
    gate.cli("bob", &["deny", &request, "--reason", "not today"]).expect(0);
    let answer = client.receive_for(id).answer();
    assert_eq!(answer.code, 50);
    assert!(answer.message.contains(&format!("request {request} was denied")), "{answer:?}");
    let record = gate.audit.wait_for("the search", |r| r["operation"] == "search" && r["request"] == request);
    assert_eq!((&record["decision"], &record["reason"]), (&"refused".into(), &"denied".into()));
    // An application that tries again rings nobody.
    for _ in 0..3 {
        let answer = client.search(&payroll()).answer;
        assert!(answer.code == 50 && answer.message.contains("was denied a short while ago"), "{answer:?}");
    }
    assert_eq!(asked(&gate, "alice"), 1);
    assert_eq!(sent(&wire, tag::SEARCH, "ou=payroll"), 0);
    // Whoever asks by hand is heard, and what is done meanwhile waits for that.
    let by_hand = gate.request("alice", "payroll-editor", &[]);
    let (id, waits) = held(&gate, &mut client, "alice");
    assert_eq!(waits, by_hand);
    gate.cli("frank", &["approve", &by_hand]).expect(0);
    assert_eq!(client.collect(id).answer.code, 0);
}

#[test]
fn it_waits_no_longer_than_it_may_and_the_request_waits_on() {
    let (_slapd, _wire, gate) = heard(setup());
    let mut client = gate.client_as("alice");
    let search = Search::new(format!("ou=services,{BASE}"));
    let began = Instant::now();
    let answer = client.search(&search).answer;
    assert!(began.elapsed() >= Duration::from_secs(1), "it waited");
    let request = waiting(&gate, "alice");
    assert!(answer.code == 50 && answer.message.contains(&format!("request {request} was not decided in time")));
    gate.cli("bob", &["approve", &request]).expect(0);
    assert_eq!(client.search(&search).answer.code, 0);
    assert_eq!(asked(&gate, "alice"), 1);
}

#[test]
fn one_that_only_asks_is_told_the_id_of_its_request() {
    let target = Target::gated(Extra::default(), setup());
    let gate = target.gate();
    let secret = format!("ou=secret,ou=projects,{BASE}");
    let arguments = ["-LLL", "-s", "base", "-b", &secret, "ou"];
    let refused = target.ldap("ldapsearch", Some("alice"), &arguments, "").expect(50);
    let request = waiting(gate, "alice");
    assert!(refused.stderr.contains(&format!("request {request} waits for approval")), "{}", refused.stderr);
    let record = gate.audit.wait_for("the refusal", |r| r["operation"] == "search" && r["request"] == request);
    assert_eq!((&record["decision"], &record["role"]), (&"refused".into(), &"project-reader".into()));
    // The application tries again and again: it is the same request.
    for _ in 0..3 {
        let again = target.ldap("ldapsearch", Some("alice"), &arguments, "").expect(50);
        assert!(again.stderr.contains(&request), "{}", again.stderr);
    }
    assert_eq!(asked(gate, "alice"), 1);
    gate.cli("bob", &["approve", &request]).expect(0);
    target.ldap("ldapsearch", Some("alice"), &arguments, "").expect(0);
    // Who may not ask is refused as ever; so is nobody, and a bind.
    let refused = target.ldap("ldapsearch", Some("carol"), &arguments, "").expect(50);
    assert!(!refused.stderr.contains("req-"), "{}", refused.stderr);
    target.ldap("ldapsearch", None, &arguments, "").expect(50);
    let all = gate.json("root-admin", &["requests", "--all"]);
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
}

#[test]
fn one_that_waits_can_be_abandoned_and_cancelled_while_others_go_on() {
    let (_slapd, wire, gate) = heard(setup());
    let mut client = gate.client_as("alice");
    let (abandoned, request) = held(&gate, &mut client, "alice");
    let cancelled = client.send(&payroll().encoded(), &[]);
    // The session goes on beside them.
    assert_eq!(client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    client.send(&crate::support::ber::tlv(tag::ABANDON, &integer(abandoned)[2..]), &[]);
    // RFC 3909: both are answered, with canceled (118) and success.
    let value = crate::support::ber::tlv(0x30, &integer(cancelled));
    let cancel = client.send(&extended_request("1.3.6.1.1.8", Some(&value)), &[]);
    assert_eq!(client.receive_for(cancelled).answer().code, 118);
    assert_eq!(client.receive_for(cancel).answer().code, 0);
    gate.cli("bob", &["approve", &request]).expect(0);
    assert!(client.silent_for(Duration::from_millis(300)), "neither is answered any more");
    assert_eq!(sent(&wire, tag::SEARCH, "ou=payroll"), 0, "nor done");
    assert_eq!(client.search(&payroll()).answer.code, 0);
}

#[test]
fn who_binds_again_leaves_what_waits_behind() {
    let (_slapd, wire, gate) = heard(setup());
    let mut client = gate.client_as("alice");
    let (id, request) = held(&gate, &mut client, "alice");
    let bind = client.send(&bind_request(&person("carol"), password("carol").as_bytes()), &[]);
    assert_eq!(client.receive_for(id).answer().code, 50);
    assert_eq!(client.receive_for(bind).answer().code, 0);
    gate.cli("bob", &["approve", &request]).expect(0);
    assert!(client.silent_for(Duration::from_millis(300)));
    assert_eq!(sent(&wire, tag::SEARCH, "ou=payroll"), 0);
    assert_eq!(client.search(&payroll()).answer.code, 50, "carol's is not alice's");
}

#[test]
fn what_ends_the_wait_from_outside_ends_it_at_once() {
    let (_slapd, wire, mut gate) = heard(setup());
    // A lock.
    let mut client = gate.client_as("alice");
    let (id, request) = held(&gate, &mut client, "alice");
    gate.cli("root-admin", &["lock", &person("alice").to_uppercase(), "--reason", "laptop lost"]).expect(0);
    let answer = client.receive_for(id).answer();
    assert!(answer.code == 50 && answer.message.contains("was stopped by a lock"), "{answer:?}");
    let answer = client.search(&payroll()).answer;
    assert!(answer.code == 50 && answer.message.contains("is locked by an administrator"), "{answer:?}");
    gate.cli("root-admin", &["unlock", &person("alice")]).expect(0);
    gate.cli("alice", &["cancel", &request]).expect(0);
    // Taken back by who asked.
    let mut client = gate.client_as("frank");
    let (id, request) = held(&gate, &mut client, "frank");
    gate.cli("frank", &["cancel", &request]).expect(0);
    assert!(client.receive_for(id).answer().message.contains("was cancelled"));
    // A reload that takes the role away.
    let mut client = gate.client_as("bob");
    let (id, _) = held(&gate, &mut client, "bob");
    let text = std::fs::read_to_string(&gate.configuration).unwrap();
    let role = "name = \"payroll-editor\"\nallow = [{ resource = \"payroll\" }]\neligible = [\"group:cn=hr,";
    assert!(text.contains(role));
    std::fs::write(&gate.configuration, text.replace(role, &role.replace("cn=hr,", "cn=nobody,"))).unwrap();
    gate.cli("root-admin", &["reload"]).expect(0);
    assert_eq!(client.receive_for(id).answer().code, 50);
    std::fs::write(&gate.configuration, text).unwrap();
    gate.cli("root-admin", &["reload"]).expect(0);
    // The gate's own end.
    let (_, request) = held(&gate, &mut client, "bob");
    gate.stop("TERM");
    let last = client.receive().expect("a notice");
    assert_eq!((last.id, last.answer().code), (0, 52));
    let record = gate.audit.wait_for("the search", |r| r["request"] == request && r["reason"] == "session ended");
    assert_eq!(record["decision"], "refused");
    assert_eq!(sent(&wire, tag::SEARCH, "ou=payroll"), 0);
}

#[test]
fn what_waits_is_bounded_in_a_session_and_in_all() {
    let bounds = "max_held_per_session = 2\nmax_held = 3";
    // As many as these, one address has no share of its own.
    let shared = "shared_addresses = [\"127.0.0.0/8\"]";
    let (_slapd, _wire, gate) = heard(setup().policy_lines(bounds).listen_lines(shared));
    let full = |client: &mut Client| {
        let answer = client.search(&payroll()).answer;
        assert!(answer.code == 50 && answer.message.contains("too many operations wait already"), "{answer:?}");
    };
    let mut alice = gate.client_as("alice");
    let (first, request) = held(&gate, &mut alice, "alice");
    let second = alice.send(&payroll().encoded(), &[]);
    full(&mut alice);
    let mut third = gate.client_as("frank");
    let (_, other) = held(&gate, &mut third, "frank");
    full(&mut third);
    // Whoever leaves makes room.
    drop(third);
    let mut bob = gate.client_as("bob");
    let again = eventually("room", || {
        let id = bob.send(&payroll().encoded(), &[]);
        if bob.silent_for(Duration::from_millis(200)) { Some(id) } else { bob.receive().and(None) }
    });
    gate.cli("frank", &["approve", &request]).expect(0);
    for id in [first, second] {
        assert_eq!(alice.collect(id).answer.code, 0);
    }
    let mine = waiting(&gate, "bob");
    gate.cli("frank", &["approve", &mine]).expect(0);
    assert_eq!(bob.collect(again).answer.code, 0);
    assert_ne!(mine, other);
}

#[test]
fn a_session_in_which_something_waits_is_not_idle() {
    let (_slapd, _wire, gate) = heard(setup().listen_lines("idle_timeout = \"1s\""));
    let mut client = gate.client_as("alice");
    let (id, request) = held(&gate, &mut client, "alice");
    assert!(client.silent_for(Duration::from_millis(2_500)));
    gate.cli("bob", &["approve", &request]).expect(0);
    assert_eq!(client.collect(id).answer.code, 0);
}

#[test]
fn a_rule_that_approves_lets_it_through_at_once() {
    let rule = "\n[[role.automatic]]\naddresses = [\"127.0.0.0/8\"]\n";
    let policy = POLICY.replacen(
        "\n[[role]]\nname = \"project-reader\"",
        &format!("{rule}\n[[role]]\nname = \"project-reader\""),
        1,
    );
    let (_slapd, _wire, gate) = heard(Setup::default().policy(&policy));
    assert_eq!(gate.client_as("alice").search(&payroll()).answer.code, 0);
    let made = gate.json("alice", &["requests", "--mine", "--all"]);
    assert_eq!((&made[0]["state"], &made[0]["automatic"]), (&"approved".into(), &1.into()), "{made}");
}

#[test]
fn an_explanation_says_what_would_be_asked_for() {
    let (_slapd, _wire, gate) = heard(setup());
    let explain = |target: &str| gate.json("alice", &["explain", "search", target])["asks"].clone();
    assert_eq!(
        explain(&format!("ou=payroll,{BASE}")),
        serde_json::json!({"role": "payroll-editor", "hold_for": "10m"})
    );
    assert_eq!(explain(&format!("ou=secret,ou=projects,{BASE}")), serde_json::json!({"role": "project-reader"}));
    assert!(explain(&format!("ou=people,{BASE}")).is_null());
    assert_eq!(asked(&gate, "alice"), 0, "nothing is asked for by explaining");
}
