//! Who decides, as it is felt from outside: stages and escalation, rules, broken glass, several
//! approvers, what a review names, and for whom one may ask.

use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::https::Https;
use crate::support::ldap::{Client, SCOPE_BASE, Search};
use crate::support::slapd::{BASE, Extra, Slapd, password, person};
use crate::support::target::Target;
use serde_json::{Value, json};

fn payroll() -> Search {
    Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE)
}

/// A role that opens the payroll to HR, with these lines.
fn role(name: &str, lines: &str) -> String {
    format!(
        "\n[[role]]\nname = \"{name}\"\ndescription = \"Read payroll records\"\n\
         allow = [{{ resource = \"payroll\", operations = [\"search\", \"compare\"] }}]\n\
         eligible = [\"group:cn=hr,ou=groups,{BASE}\"]\nmax_duration = \"4h\"\ndefault_duration = \"1h\"\n{lines}\n"
    )
}

fn leads(lines: &str) -> String {
    format!("approvers = [\"group:cn=hr-leads,ou=groups,{BASE}\"]\n{lines}")
}

fn stage(group: &str, lines: &str) -> String {
    format!("[[role.stage]]\napprovers = [\"group:cn={group},ou=groups,{BASE}\"]\n{lines}\n")
}

fn code(client: &mut Client) -> i32 {
    client.search(&payroll()).answer.code
}

fn state(gate: &Gate, id: &str) -> Value {
    gate.json("root-admin", &["show", id])["state"].clone()
}

#[test]
fn stages_decide_one_after_the_other() {
    let chain = role("chained", &(stage("hr-leads", "approvals = 2") + &stage("security", "")));
    let target = Target::gated(Extra::default(), Setup::default().and(&chain));
    let gate = target.gate();
    let mut client = gate.client_as("alice");
    // A no in the last stage ends what the first has approved.
    let request = gate.request("alice", "chained", &[]);
    gate.cli("bob", &["approve", &request]).expect(0);
    gate.cli("frank", &["approve", &request]).expect(0);
    gate.cli("erin", &["deny", &request, "--reason", "not now"]).expect(0);
    assert_eq!((state(gate, &request), code(&mut client)), (json!("denied"), 50));
    let request = gate.request("alice", "chained", &[]);
    gate.cli("erin", &["approve", &request]).expect(1);
    gate.cli("bob", &["approve", &request]).expect(0);
    gate.cli("bob", &["approve", &request]).expect(1);
    gate.cli("erin", &["approve", &request]).expect(1);
    gate.cli("frank", &["approve", &request]).expect(0);
    assert_eq!((state(gate, &request), code(&mut client)), (json!("pending"), 50));
    assert_eq!(gate.json("erin", &["requests", "--to-review"])[0]["id"], json!(request));
    gate.cli("erin", &["approve", &request]).expect(0);
    assert_eq!((state(gate, &request), code(&mut client)), (json!("approved"), 0));
}

#[test]
fn what_nobody_decides_goes_on_and_lapses_in_the_end() {
    let escalating = stage("hr-leads", "after = \"2s\"") + &stage("security", "escalation = true\nafter = \"4s\"");
    let target = Target::gated(
        Extra::default(),
        Setup::default().and(&role("escalating", &escalating)).and(&role("hasty", &leads("request_ttl = \"1s\""))),
    );
    let gate = target.gate();
    let first = gate.request("alice", "escalating", &[]);
    let decides = |id: &str| gate.json("alice", &["show", id])["stage"].clone();
    assert_eq!((decides(&first), gate.cli("erin", &["approve", &first]).code), (json!(1), 1));
    let (second, hasty) = (gate.request("alice", "escalating", &[]), gate.request("alice", "hasty", &[]));
    eventually("its second stage", || (decides(&first) == json!(2)).then_some(()));
    gate.cli("bob", &["approve", &first]).expect(1);
    gate.cli("erin", &["approve", &first]).expect(0);
    assert_eq!(code(&mut gate.client_as("alice")), 0);
    let shown = gate.json("alice", &["show", &first]);
    let what: Vec<_> = shown["history"].as_array().unwrap().iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(what, ["requested", "escalated", "approved"], "{shown:#}");
    for id in [&hasty, &second] {
        eventually("it lapses", || (state(gate, id) == json!("lapsed")).then_some(()));
        gate.cli("erin", &["approve", id]).expect(1);
        gate.cli("bob", &["approve", id]).expect(1);
        gate.cli("alice", &["cancel", id]).expect(1);
    }
}

#[test]
fn a_request_that_waits_does_not_eat_into_the_time() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let request = gate.request("alice", "payroll-reader", &["--for", "10m"]);
    let asked = gate.json("alice", &["show", &request])["created"].clone();
    gate.cli("bob", &["approve", &request]).expect(0);
    let grant = gate.json("alice", &["show", &request])["grant"].as_str().unwrap().to_owned();
    let shown = gate.json("alice", &["show", &grant]);
    let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
    assert_eq!(time(&shown["until"]) - time(&shown["from"]), chrono::TimeDelta::minutes(10), "{shown:#}");
    assert!(time(&shown["from"]) > time(&asked), "{asked} {shown:#}");
}

#[test]
fn rules_approve_what_fits_and_people_the_rest() {
    let every_hour = "hours = \"Mon-Sun 00:00-24:00\"\ntime_zone = \"Pacific/Kiritimati\"\n";
    let rule = leads("[[role.automatic]]\n")
        + &format!("who = [\"dn:{}\"]\naddresses = [\"127.0.0.0/8\"]\nticket = \"^HR-[0-9]+$\"\n", person("alice"))
        + "max_duration = \"30m\"\noperations = [\"search\"]\n"
        + every_hour;
    // Begins at some other time than now, whenever that is.
    let now = chrono::Utc::now();
    let [from, until] = [6, 7].map(|hours| (now + chrono::TimeDelta::hours(hours)).format("%H:00").to_string());
    let closed = leads("[[role.automatic]]\n") + &format!("hours = \"Mon-Sun {from}-{until}\"\ntime_zone = \"UTC\"\n");
    let slapd = Slapd::start();
    let gate = Setup::default().https().and(&role("ruled", &rule)).and(&role("closed", &closed)).start(&slapd);
    let [alice, bob] = ["alice", "bob"].map(|name| Https::new(&gate).logged_in(name, &password(name)));
    let fits = json!({
        "role": "ruled", "reason": "on call", "ticket": "HR-7", "duration": "30m",
        "narrow": { "operations": ["search"] },
    });
    let with = |name: &str, value: Value| {
        let mut wish = fits.clone();
        wish[name] = value;
        wish
    };
    let made = |who: &Https, wish: &Value| who.post("/v1/requests", wish).json();
    for (who, wish) in [
        (&bob, fits.clone()),
        (&alice, with("ticket", json!("HR-x"))),
        (&alice, with("ticket", json!(null))),
        (&alice, with("duration", json!("31m"))),
        (&alice, with("narrow", json!(null))),
        (&alice, with("role", json!("closed"))),
    ] {
        let asked = made(who, &wish);
        assert_eq!((&asked["state"], &asked["grant"]), (&json!("pending"), &json!(null)), "{wish} {asked:#}");
    }
    // At the control socket there is no address.
    let local = ["--for", "30m", "--ticket", "HR-7", "--operations", "search"];
    assert_eq!(state(&gate, &gate.request("alice", "ruled", &local)), "pending");
    assert_eq!(code(&mut gate.client_as("alice")), 50);
    let asked = made(&alice, &fits);
    assert_eq!((&asked["state"], &asked["automatic"], &asked["reviews"]), (&json!("approved"), &json!(1), &json!([])));
    assert_eq!(code(&mut gate.client_as("alice")), 0);
    // And it is recorded as such.
    let grant = asked["grant"].as_str().unwrap();
    assert_eq!(gate.json("erin", &["show", grant])["automatic"], 1);
    gate.audit.wait_for("the approval by a rule", |r| {
        r["event"] == "approved" && r["request"] == asked["id"] && r["by"] == "tidegate" && r["automatic"] == 1
    });
    // It is not gone on with by itself.
    let more = alice.post(&format!("/v1/grants/{grant}/extend"), &json!({ "duration": "10m", "reason": "more" }));
    assert_eq!(more.json()["state"], "pending");
}

#[test]
fn nobody_books_ahead_by_a_rule() {
    let rule = leads("[[role.automatic]]\n") + "max_duration = \"30m\"\n";
    let slapd = Slapd::start();
    let gate = Setup::default().https().and(&role("ruled", &rule)).start(&slapd);
    let alice = Https::new(&gate).logged_in("alice", &password("alice"));
    let begin = chrono::Utc::now() + chrono::TimeDelta::minutes(5);
    let asked = |minutes: i64| {
        let start = begin + chrono::TimeDelta::minutes(minutes);
        let wish = json!({ "role": "ruled", "reason": "on call", "duration": "30m", "start": start.to_rfc3339() });
        alice.post("/v1/requests", &wish).json()["state"].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(asked(0), "approved");
    // End to end, with a gap, far ahead: people decide.
    for minutes in [30, 31, 120, 7 * 60, 9 * 60, 13 * 24 * 60] {
        assert_eq!(asked(minutes), "pending", "{minutes}");
    }
    assert_eq!(asked(15 * 24 * 60), "none", "beyond max_lead");
}

#[test]
fn broken_glass_is_in_at_once_marked_and_signed_off_by_somebody_else() {
    let glass = leads(&format!("break_glass = [\"dn:{}\", \"dn:{}\"]", person("carol"), person("erin")));
    let target = Target::gated(Extra::default(), Setup::default().and(&role("glass", &glass)));
    let gate = target.gate();
    let broken = |who: &str| {
        let request = gate.request(who, "glass", &["--break-glass"]);
        gate.json(who, &["show", &request])["grant"].as_str().unwrap().to_owned()
    };
    gate.cli("alice", &["request", "glass", "--break-glass", "--reason", "curious"]).expect(1);
    gate.cli("carol", &["request", "glass", "--break-glass", "--reason", ""]).expect(1);
    gate.cli("carol", &["request", "glass", "--reason", "not eligible otherwise"]).expect(1);
    let mut client = gate.client_as("carol");
    assert_eq!(code(&mut client), 50);
    let grant = broken("carol");
    assert_eq!(code(&mut client), 0);
    let unsigned = || gate.json("erin", &["grants", "--unsigned"]).as_array().unwrap().clone();
    assert_eq!(unsigned().len(), 1);
    assert_eq!((&unsigned()[0]["id"], &unsigned()[0]["break_glass"]), (&json!(grant), &json!(true)));
    gate.cli("erin", &["sign-off", &grant]).expect(1);
    gate.cli("carol", &["release", &grant]).expect(0);
    assert_eq!((code(&mut client), unsigned().len()), (50, 1));
    for who in ["carol", "bob", "root-admin"] {
        gate.cli(who, &["sign-off", &grant]).expect(1);
    }
    // Nor does an auditor sign off their own.
    let own = broken("erin");
    gate.cli("erin", &["release", &own]).expect(0);
    gate.cli("erin", &["sign-off", &own]).expect(1);
    gate.cli("erin", &["sign-off", &grant, "--reason", "as agreed"]).expect(0);
    gate.cli("erin", &["sign-off", &grant]).expect(1);
    assert_eq!(unsigned().iter().map(|grant| &grant["id"]).collect::<Vec<_>>(), [&json!(own)]);
    for event in ["requested", "activated", "released", "signed-off"] {
        gate.audit.wait_for(event, |r| {
            r["event"] == event && r["break_glass"] == true && r["subject"] == person("carol").as_str()
        });
    }
}

#[test]
fn as_many_different_people_as_the_role_says() {
    let target = Target::gated(Extra::default(), Setup::default().and(&role("two", &leads("approvals = 2"))));
    let gate = target.gate();
    let request = gate.request("alice", "two", &[]);
    gate.cli("bob", &["approve", &request]).expect(0);
    gate.cli("bob", &["approve", &request]).expect(1);
    // Not under another spelling of the name either.
    let mut again = crate::support::command::tidegate(["approve", &request, "--control"]);
    again.arg(&gate.control).args(["--as", "UID = B\\6fb, OU=People ,DC=example,DC=COM"]);
    crate::support::command::run(&mut again).expect(1);
    gate.cli("root-admin", &["approve", &request]).expect(1);
    assert_eq!((state(gate, &request), code(&mut gate.client_as("alice"))), (json!("pending"), 50));
    gate.cli("frank", &["approve", &request]).expect(0);
    assert_eq!(code(&mut gate.client_as("alice")), 0);
}

#[test]
fn a_review_of_something_else_is_refused() {
    let slapd = Slapd::start();
    let gate = Setup::default().https().and(&role("two", &leads("approvals = 2"))).start(&slapd);
    let [alice, bob, frank] = ["alice", "bob", "frank"].map(|name| Https::new(&gate).logged_in(name, &password(name)));
    let asked = alice.post("/v1/requests", &json!({ "role": "two", "reason": "HR-7" })).json();
    let path = format!("/v1/requests/{}/reviews", asked["id"].as_str().unwrap());
    let (digest, revision) = (asked["scope_digest"].as_str().unwrap(), asked["revision"].as_u64().unwrap());
    let review = |who: &Https, decision: &str, digest: &str, revision: u64| {
        let body = json!({ "decision": decision, "reason": "x", "scope_digest": digest, "revision": revision });
        who.post(&path, &body)
    };
    let other = digest.chars().rev().collect::<String>();
    for decision in ["approve", "deny"] {
        for (digest, revision) in [(other.as_str(), revision), (digest, revision + 1), (digest, 0)] {
            assert_eq!(review(&bob, decision, digest, revision).problem(), (409, "stale-review".to_owned()));
        }
        let without = bob.post(&path, &json!({ "decision": decision, "reason": "x" }));
        assert!((400..500).contains(&without.status), "{without:#?}");
    }
    assert_eq!(review(&bob, "approve", digest, revision).status, 200);
    // Bob's word has changed it: Frank must have seen that.
    assert_eq!(review(&frank, "approve", digest, revision).problem(), (409, "stale-review".to_owned()));
    assert_eq!(review(&frank, "approve", digest, revision + 1).json()["state"], "approved");
}

#[test]
fn neither_who_asks_for_somebody_nor_that_one_decides() {
    let app = format!("cn=app,ou=services,{BASE}");
    let lines = format!(
        "approvers = [\"anyone\"]\nbeneficiaries = [\"subtree:ou=services,{BASE}\", \"dn:{}\"]",
        person("frank")
    );
    let target = Target::gated(Extra::default(), Setup::default().and(&role("for-others", &lines)));
    let gate = target.gate();
    for subject in [&app, &person("frank")] {
        let request = gate.request("bob", "for-others", &["--subject", subject]);
        gate.cli("bob", &["approve", &request]).expect(1);
        let mut own = crate::support::command::tidegate(["approve", &request, "--control"]);
        crate::support::command::run(own.arg(&gate.control).args(["--as", subject])).expect(1);
        assert_eq!(state(gate, &request), "pending");
        gate.cli("dave", &["approve", &request]).expect(0);
        let grant = gate.json("bob", &["show", &request])["grant"].as_str().unwrap().to_owned();
        assert_eq!(gate.json("bob", &["show", &grant])["subject"], json!(subject));
    }
    // It is theirs, and not who asked's.
    let mut client = gate.client();
    assert_eq!(client.bind(&app, "app-secret").code, 0);
    assert_eq!((code(&mut client), code(&mut gate.client_as("frank")), code(&mut gate.client_as("bob"))), (0, 0, 50));
    gate.cli("alice", &["request", "for-others", "--reason", "x", "--subject", &person("carol")]).expect(1);
    gate.cli("carol", &["request", "for-others", "--reason", "x", "--subject", &app]).expect(1);
}
