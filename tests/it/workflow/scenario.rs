//! The main scenario: refused, asked for, approved, passes, ended, refused again; and the record of it all.

use crate::support::gate::Setup;
use crate::support::slapd::{BASE, Extra, person};
use crate::support::target::Target;

#[test]
fn refused_requested_approved_passed_released_refused() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let payroll = format!("ou=payroll,{BASE}");
    let read = || target.ldap("ldapsearch", Some("alice"), &["-LLL", "-b", &payroll, "(uid=e01)", "description"], "");
    let change = format!("dn: uid=e01,{payroll}\nchangetype: modify\nreplace: description\ndescription: salary 2000\n");
    let write = || target.ldap("ldapmodify", Some("alice"), &[], &change);

    let refused = read().expect(50);
    for word in ["payroll", "payroll-reader", "payroll-editor", "tidegate request"] {
        assert!(refused.stderr.contains(word), "the client is told of {word}: {refused:?}");
    }
    write().expect(50);

    let roles = gate.json("alice", &["roles"]).to_string();
    assert!(roles.contains("payroll-editor"), "{roles}");
    assert!(!gate.json("carol", &["roles"]).to_string().contains("payroll-editor"));

    let request = gate.request("alice", "payroll-editor", &["--for", "30m"]);
    read().expect(50);
    // Nobody approves their own, whoever else they are; and not everybody decides.
    gate.cli("alice", &["approve", &request]).expect(1);
    gate.cli("carol", &["approve", &request]).expect(1);
    read().expect(50);
    let shown = gate.cli("bob", &["requests", "--to-review"]).expect(0);
    assert!(shown.stdout.contains(&request), "{shown:?}");
    gate.cli("bob", &["approve", &request]).expect(0);

    assert!(read().expect(0).stdout.contains("description: salary 1000"));
    write().expect(0);
    assert!(read().expect(0).stdout.contains("description: salary 2000"));
    // It is Alice's, and nobody else's.
    target.ldap("ldapsearch", Some("bob"), &["-b", &payroll], "").expect(50);

    let request_view = gate.json("alice", &["show", &request]);
    let grant = request_view["grant"].as_str().unwrap_or_else(|| panic!("{request_view}")).to_owned();
    assert_eq!(request_view["state"], "approved", "{request_view}");
    assert_eq!(gate.json("alice", &["show", &grant])["state"], "active");
    gate.cli("alice", &["release", &grant]).expect(0);
    read().expect(50);
    write().expect(50);
    assert_eq!(gate.json("alice", &["show", &grant])["state"], "released");

    // The log says it all.
    let audit = &gate.audit;
    audit.wait_for("the search that passed", |r| {
        r["operation"] == "search" && r["decision"] == "permitted" && r["grant"] == grant.as_str()
    });
    let modify = audit.wait_for("the modify that passed", |r| {
        r["operation"] == "modify" && r["decision"] == "permitted" && r["grant"] == grant.as_str()
    });
    assert_eq!(modify["request"], request.as_str(), "{modify}");
    assert_eq!(modify["role"], "payroll-editor");
    assert_eq!(modify["subject"], person("alice"));
    assert_eq!(modify["result"], 0);
    assert!(modify["changes"].to_string().contains("description"), "{modify}");
    assert!(!audit.text().contains("salary 2000"), "a value was recorded");
    let refusals = audit.records().iter().filter(|r| r["decision"] == "refused" && r["result"] == 50).count();
    assert!(refusals >= 6, "{refusals} refusals recorded");
    for (what, who) in [("request", "alice"), ("approve", "bob"), ("release", "alice")] {
        audit.wait_for(&format!("the {what}"), |r| {
            let text = r.to_string();
            text.contains(what) && text.contains(&person(who)) && (text.contains(&request) || text.contains(&grant))
        });
    }
}

#[test]
fn refusals_can_be_kept_opaque() {
    let target = Target::gated(Extra::default(), Setup::default().policy_lines("refusal = \"opaque\""));
    let mut client = target.client();
    client.bind_as("alice");
    let found = client.search(&crate::support::ldap::Search::new(format!("ou=payroll,{BASE}")));
    assert_eq!(found.answer.code, 50);
    assert!(!found.answer.message.contains("payroll"), "{found:?}");
}

#[test]
fn monitoring_forwards_and_records_what_would_have_been() {
    let target = Target::gated(Extra::default(), Setup::default().policy_lines("mode = \"monitor\""));
    let mut client = target.client();
    client.bind_as("alice");
    let found = client.search(&crate::support::ldap::Search::new(format!("ou=payroll,{BASE}")).filter("(uid=e0*)"));
    assert_eq!((found.answer.code, found.entries.len()), (0, 9));
    let record = target.gate().audit.wait_for("the search", |r| r["operation"] == "search");
    assert_eq!((&record["decision"], &record["resources"]), (&"monitored".into(), &serde_json::json!(["payroll"])));
}

#[test]
fn standing_access_needs_no_request() {
    let standing = r#"
[[standing]]
who = ["dn:UID=Carol,ou=people,dc=example,dc=com"]
resource = "payroll"
operations = ["search"]
reason = "nightly export, HR-112"
"#;
    let target = Target::gated(Extra::default(), Setup::default().and(standing));
    let payroll = format!("ou=payroll,{BASE}");
    let search = |who| target.ldap("ldapsearch", Some(who), &["-LLL", "-b", &payroll, "(uid=e01)", "uid"], "");
    assert!(search("carol").expect(0).stdout.contains("uid: e01"));
    search("alice").expect(50);
    target.ldap("ldapdelete", Some("carol"), &[&format!("uid=e01,{payroll}")], "").expect(50);
}
