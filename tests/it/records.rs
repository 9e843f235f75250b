//! The operation log: a line for every operation, every field, no secret, and no access without it.

mod begun;
mod flood;

use crate::support::command::run;
use crate::support::gate::Setup;
use crate::support::ldap::{
    SCOPE_BASE, Search, add_request, compare_request, control, delete_request, modify_request, password_request,
    rename_request,
};
use crate::support::slapd::{BASE, DAVE_PASSWORD, Extra, SERVICE_PASSWORD, Slapd, person};
use crate::support::target::Target;
use std::process::Command;

/// In the order of the specification.
const FIELDS: &str = "seq time session connection_from tls subject authentication message_id operation target scope \
                      filter attributes controls changes decision reason resources role grant request standing break_glass upstream result \
                      ending entries withheld bytes duration_us chain";

#[test]
fn every_operation_has_a_line_with_every_field_and_no_secret() {
    let target = Target::gated(Extra::default(), Setup::default());
    let gate = target.gate();
    let grant = gate.granted("alice", "payroll-reader", &[]);
    let mut client = gate.client();
    assert_eq!(client.bind(&person("alice"), "secret-one").code, 49);
    client.bind_as("alice");
    let new = format!("uid=new,ou=people,{BASE}");
    let person_named = [("objectClass", "inetOrgPerson"), ("uid", "new"), ("cn", "new"), ("sn", "secret-two")];
    client.ask(&add_request(&new, &person_named), &[]);
    client.ask(&modify_request(&new, 2, "userPassword", &[b"secret-three"]), &[]);
    client.ask(&compare_request(&new, "sn", "secret-four"), &[]);
    client.ask(&password_request(Some(&new), b"secret-five"), &[]);
    client.ask(&rename_request(&new, "uid=newer", None), &[]);
    client.ask(&delete_request(&format!("uid=newer,ou=people,{BASE}")), &[]);
    client.search(&Search::new(format!("ou=people,{BASE}")).filter("(userPassword=secret-six)").attributes(&["cn"]));
    let subentries = control("2.16.840.1.113730.3.4.2", true, None);
    client.search(&Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE).control(subentries));
    client.search(&Search::new(format!("ou=secret,ou=projects,{BASE}")));
    client.who_am_i();
    assert_eq!(client.bind(&person("dave"), DAVE_PASSWORD).code, 0);
    client.send_raw(&crate::support::ldap::message(99, &[crate::support::ldap::tag::UNBIND, 0], &[]));
    assert_eq!(client.receive(), None);

    let unbind = gate.audit.wait_for("the unbind", |r| r["operation"] == "unbind");
    let records: Vec<_> = gate.audit.records().into_iter().filter(|r| r["session"] == unbind["session"]).collect();
    let operations: Vec<&str> = records.iter().map(|r| r["operation"].as_str().unwrap_or("?")).collect();
    let expected = "bind bind add modify compare password rename delete search search search extended bind unbind";
    assert_eq!(operations.join(" "), expected);
    for record in &records {
        for field in FIELDS.split_whitespace() {
            assert!(record.get(field).is_some(), "no {field} in {record}");
        }
        assert!(record["connection_from"].as_str().unwrap().starts_with("127.0.0.1:"), "{record}");
        assert!(record["tls"].as_str().unwrap().contains("TLS"), "{record}");
        assert!(chrono::DateTime::parse_from_rfc3339(record["time"].as_str().unwrap()).is_ok(), "{record}");
    }
    let seq: Vec<u64> = gate.audit.lines().iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert!(seq.windows(2).all(|w| w[1] == w[0] + 1), "gaps in seq: {seq:?}");
    let of = |n: usize| &records[n];
    assert_eq!((&of(0)["result"], &of(1)["result"]), (&49.into(), &0.into()));
    assert_eq!(of(2)["subject"], person("alice"));
    assert!(of(3)["changes"].to_string().contains("userPassword"), "{}", of(3));
    assert_eq!(of(9)["grant"], grant.as_str());
    assert_eq!(of(9)["resources"], serde_json::json!(["payroll"]));
    assert_eq!((&of(10)["decision"], &of(10)["result"]), (&"refused".into(), &50.into()));
    assert_eq!(of(10)["upstream"], serde_json::Value::Null);
    assert!(of(9)["upstream"].is_string(), "{}", of(9));
    let text = gate.audit.text() + &gate.errors();
    // (The filter on userPassword carries a credential too.)
    for secret in [
        "secret-one",
        "secret-two",
        "secret-three",
        "secret-four",
        "secret-five",
        "secret-six",
        "alice-secret",
        SERVICE_PASSWORD,
        "80dave",
        "//6A",
    ] {
        assert!(!text.contains(secret), "{secret} was recorded");
    }
}

#[test]
fn refusals_of_what_cannot_be_read_are_recorded() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = gate.client_as("alice");
    client.send_raw(b"\x30\x80\x02\x01\x01");
    while client.receive().is_some() {}
    gate.audit.wait_for("the message", |r| r["decision"] == "refused" && r["subject"] == person("alice"));
}

#[test]
fn what_needs_a_grant_is_refused_while_nothing_can_be_recorded() {
    let slapd = Slapd::start();
    let gate = Setup::default().ignoring_file_size_signals().start(&slapd);
    gate.granted("alice", "payroll-reader", &[]);
    let mut client = gate.client_as("alice");
    let payroll = Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE);
    assert_eq!(client.search(&payroll).answer.code, 0);
    let before = gate.audit.wait_for("the search", |r| r["operation"] == "search");
    // A limit on the size of its files is as a full disk: the next write fails.
    let limit = |size: &str| {
        run(Command::new("prlimit").args([&format!("--fsize={size}"), "--pid", &gate.pid().to_string()])).expect(0)
    };
    limit("1:unlimited");
    crate::support::eventually("access ends", || {
        // What needs no grant goes on, and leads to lines that cannot be written.
        assert_eq!(client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
        let code = client.search(&payroll).answer.code;
        assert!(matches!(code, 0 | 50 | 51 | 52 | 53), "{code}");
        (code != 0).then_some(())
    });
    assert_eq!(client.search(&Search::new(person("bob")).scope(SCOPE_BASE)).answer.code, 0);
    limit("unlimited:unlimited");
    crate::support::eventually("access is back", || (client.search(&payroll).answer.code == 0).then_some(()));
    // The refusals are in the log after all, or said to be lost.
    let records = gate.audit.records();
    assert!(records.len() > 3 && records[0]["seq"].as_u64() <= before["seq"].as_u64());
    gate.audit.wait_for("what was refused meanwhile", |r| r["seq"].as_u64() > before["seq"].as_u64());
}
