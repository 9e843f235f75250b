//! The questions that auditors ask, each answered by one command: of grants, of policies that were in force, of what
//! monitoring saw.

use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::Search;
use crate::support::slapd::{BASE, Slapd, person};
use serde_json::{Value, json};

fn report(gate: &Gate, arguments: &[&str]) -> Value {
    gate.json("root-admin", &[&["audit", "report"], arguments].concat())
}

fn change(gate: &Gate, from: &str, to: &str) {
    let text = std::fs::read_to_string(&gate.configuration).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    std::fs::write(&gate.configuration, text.replacen(from, to, 1)).unwrap();
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[test]
fn a_grant_is_reported_with_its_scope_and_ticket_whenever_it_was_in_force() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let narrow = format!("uid=e01,ou=payroll,{BASE}");
    let more = ["--ticket", "HR-1204", "--base", &narrow, "--operations", "search", "--for", "20m"];
    let grant = gate.granted("alice", "payroll-reader", &more);
    let lines = gate.audit.text();
    for what in ["HR-1204", narrow.as_str()] {
        assert!(lines.contains(what), "{what}");
    }
    // Nothing is done in the period, and nothing is decided in it.
    let (since, until) = (now(), now());
    let found = report(&gate, &["grants", "--since", &since, "--until", &until]);
    let row = &found["grants"][0];
    assert_eq!((&row["grant"], &row["ticket"], &row["duration"]), (&json!(grant), &json!("HR-1204"), &json!("20m")));
    assert_eq!((&row["scope"][0]["base"], &row["approved_by"]), (&json!(narrow), &json!([person("bob")])), "{row}");
    gate.cli("alice", &["release", &grant]).expect(0);
    let over = now();
    assert_eq!(report(&gate, &["grants", "--since", &over]).get("grants"), None);
    assert_eq!(report(&gate, &["unused"])["grants"][0]["grant"], grant.as_str());
    let table = gate.cli("root-admin", &["audit", "report", "grants"]).expect(0).stdout;
    assert!(table.contains("HR-1204") && table.contains(&narrow), "{table}");
    // The same from the files alone.
    let found = report(&gate, &["grants", "--since", &since, "--until", &until]);
    let folder = gate.audit.0.to_string_lossy().into_owned();
    let archived = report(&gate, &["grants", "--since", &since, "--until", &until, "--files", &folder]);
    assert_eq!(archived["grants"], found["grants"]);
    let line = gate.cli("root-admin", &["audit", "search", "--grant", &grant, "--files", &folder, "-o", "json"]);
    assert!(line.expect(0).stdout.contains("HR-1204"));
}

#[test]
fn a_start_with_another_policy_says_what_it_opens_and_both_texts_are_kept() {
    let slapd = Slapd::start();
    let mut gate = Setup::default().policy_lines("mode = \"enforce\"\n").start(&slapd);
    let first = gate.audit.wait_for("the start", |r| r["event"] == "started");
    assert_eq!((&first["mode"], &first["configuration_before"]), (&json!("enforce"), &Value::Null));
    gate.stop("TERM");
    let before = std::fs::read_to_string(&gate.configuration).unwrap();
    change(&gate, "mode = \"enforce\"", "mode = \"monitor\"");
    gate.launch();
    let starts = || gate.audit.records().into_iter().filter(|r| r["event"] == "started").collect::<Vec<_>>();
    let second = eventually("the second start", || starts().into_iter().nth(1));
    assert_eq!((&second["mode"], &second["configuration_before"]), (&json!("monitor"), &first["configuration"]));
    assert!(second["opens"][0].as_str().unwrap().contains("monitor"), "{second}");
    // Whoever reloads is in the record of what that did.
    change(&gate, "mode = \"monitor\"", "mode = \"enforce\"");
    gate.cli("root-admin", &["reload"]).expect(0);
    let reloaded = gate.audit.wait_for("the reload", |r| r["event"] == "reloaded");
    assert_eq!((&reloaded["mode"], &reloaded["configuration"]), (&json!("enforce"), &first["configuration"]));
    assert_eq!(reloaded["acting_as"], person("root-admin"), "{reloaded}");
    let table = gate.cli("root-admin", &["audit", "search", "--event", "reloaded"]).expect(0).stdout;
    assert!(table.contains("mode enforce") && table.contains("closes") && table.contains("root-admin"), "{table}");

    let policy = report(&gate, &["policy"]);
    let modes: Vec<&str> = policy["policy"].as_array().unwrap().iter().filter_map(|r| r["mode"].as_str()).collect();
    assert_eq!(modes, ["enforce", "monitor", "enforce"]);
    let digest = first["configuration"].as_str().unwrap();
    let text = gate.cli("root-admin", &["audit", "configuration", digest]).expect(0).stdout;
    assert_eq!(text, before);
    let all = gate.json("root-admin", &["audit", "configuration"]);
    assert_eq!(all.as_array().map(Vec::len), Some(2), "{all}");
    gate.cli("alice", &["audit", "configuration", digest]).expect(1);
    gate.cli("root-admin", &["audit", "configuration", "0123456789abcdef"]).expect(1);
    for entry in std::fs::read_dir(gate.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".configurations") {
            use std::os::unix::fs::PermissionsExt as _;
            for kept in std::fs::read_dir(&path).unwrap() {
                assert_eq!(kept.unwrap().metadata().unwrap().permissions().mode() & 0o077, 0);
            }
        }
    }
}

#[test]
fn who_could_and_who_did_at_a_moment_and_on_what_basis() {
    let slapd = Slapd::start();
    let standing = "[[standing]]\nwho = [\"dn:uid=carol,ou=people,dc=example,dc=com\"]\nresource = \"payroll\"\n\
                    operations = [\"search\"]\nreason = \"nightly export, HR-112\"\n";
    let mut gate = Setup::default().policy_lines("mode = \"enforce\"\n").and(standing).start(&slapd);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let payroll = Search::new(format!("ou=payroll,{BASE}"));
    assert_eq!(gate.client_as("alice").search(&payroll).answer.code, 0);
    assert_eq!(gate.client_as("carol").search(&payroll).answer.code, 0);
    assert_eq!(gate.client_as("bob").search(&payroll).answer.code, 50);
    gate.audit.wait_for("alice's search", |r| r["phase"] == "ended" && r["grant"] == grant.as_str());
    let enforced = now();
    gate.stop("TERM");
    change(&gate, "mode = \"enforce\"", "mode = \"monitor\"");
    gate.launch();
    assert_eq!(gate.client_as("bob").search(&payroll).answer.code, 0);
    gate.audit.wait_for("bob's search", |r| r["decision"] == "monitored");
    let bases = |view: &Value| -> Vec<String> {
        let rows = view["could"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["basis"].as_str().unwrap(), row["who"][0].as_str().unwrap())).collect()
    };
    let then = report(&gate, &["access", "--resource", "payroll", "--at", &enforced]);
    let alice = person("alice");
    let mut found = bases(&then);
    found.sort();
    assert_eq!(found, [format!("grant {alice}"), format!("standing access dn:{}", person("carol"))], "{then}");
    let all = report(&gate, &["access", "--resource", "payroll"]);
    assert!(bases(&all).contains(&"monitor mode everybody".to_owned()), "{all}");
    let did: Vec<_> = all["did"].as_array().unwrap().iter().map(|row| (&row["subject"], &row["basis"])).collect();
    for (who, basis) in [("alice", "grant"), ("carol", "standing access"), ("bob", "monitor mode")] {
        assert!(did.contains(&(&json!(person(who)), &json!(basis))), "{who}: {all}");
    }
    let wrong = gate.cli("root-admin", &["audit", "report", "access", "--resource", "payrol"]).expect(1);
    assert!(wrong.stderr.contains("did you mean \"payroll\"?"), "{wrong:#?}");
}

#[test]
fn monitoring_tells_who_would_lose_what_from_who_would_lose_nothing() {
    let slapd = Slapd::start();
    let phones = "[[resource]]\nname = \"mails\"\nbase = \"ou=people,dc=example,dc=com\"\nattributes = [\"mail\"]\n";
    let gate = Setup::default().policy_lines("mode = \"monitor\"\n").and(phones).start(&slapd);
    let search = |who: &str, filter: &str| {
        let found = gate.client_as(who).search(&Search::new(BASE).filter(filter).attributes(&["cn", "mail"]));
        assert_eq!(found.answer.code, 0, "{who}");
    };
    // Only asks for what is open; would lose entries; would lose an attribute.
    let open = Search::new(BASE).filter("(ou=groups)");
    assert_eq!(gate.client_as("bob").search(&open).entries.len(), 1);
    search("carol", "(objectClass=organizationalUnit)");
    search("alice", "(uid=bob)");
    gate.audit.wait_for("alice's search", |r| r["subject"] == person("alice") && r["operation"] == "search");
    let rows = report(&gate, &["monitored"]);
    let outcome = |who: &str| {
        let rows = rows["monitored"].as_array().unwrap().iter();
        let of: Vec<&Value> =
            rows.filter(|row| row["subject"] == person(who) && row["operation"] == "search").collect();
        assert_eq!(of.len(), 1, "{who}: {rows:?}", rows = of);
        of[0].clone()
    };
    assert_eq!(outcome("bob")["outcome"], "nothing");
    let carol = outcome("carol");
    assert_eq!(
        (&carol["outcome"], &carol["withheld"]),
        (&json!("loses"), &json!(3)),
        "payroll, its archive, the secret project: {carol}"
    );
    let alice = outcome("alice");
    assert_eq!(
        (&alice["outcome"], &alice["attributes"], &alice["address"]),
        (&json!("loses"), &json!(["mail"]), &json!("127.0.0.1"))
    );
    let table = gate.cli("root-admin", &["audit", "report", "monitored"]).expect(0).stdout;
    assert!(table.contains("would change nothing") && table.contains("would take something out"), "{table}");
}
