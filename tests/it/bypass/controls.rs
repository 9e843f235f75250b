//! Controls: what is not understood is refused or dropped, and nobody speaks for somebody else.

use crate::support::ber::{filter, octets, sequence};
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, control, extended_request, modify_request};
use crate::support::slapd::{BASE, Extra, Slapd, person};
use crate::support::target::Target;
use crate::support::wire::Wire;

const PROXIED_V2: &str = "2.16.840.1.113730.3.4.18";
const PROXIED_V1: &str = "2.16.840.1.113730.3.4.12";
const SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";
const PERSISTENT: &str = "2.16.840.1.113730.3.4.3";
const DIR_SYNC: &str = "1.2.840.113556.1.4.841";
const ASSERTION: &str = "1.3.6.1.1.12";
const PRE_READ: &str = "1.3.6.1.1.13.1";
const POST_READ: &str = "1.3.6.1.1.13.2";
const MATCHED_VALUES: &str = "1.2.826.0.1.3344810.2.3";
const UNKNOWN: &str = "1.3.6.1.4.1.32473.1.2.3";

fn start() -> (Slapd, Wire, Gate, Client) {
    // Where alice may speak for others, a control that gets through has an effect.
    let slapd = Slapd::with(Extra::default());
    let wire = Wire::to(slapd.ldap);
    let gate = Setup::default().plain_directory(wire.port).start(&slapd);
    let client = gate.client_as("alice");
    (slapd, wire, gate, client)
}

fn sent(wire: &Wire, oid: &str) -> bool {
    wire.heard().iter().any(|m| m.bytes.windows(oid.len()).any(|w| w == oid.as_bytes()))
}

#[test]
fn nobody_speaks_for_somebody_else() {
    let (_slapd, wire, _gate, mut client) = start();
    let for_bob = format!("dn:{}", person("bob"));
    for critical in [true, false] {
        for (oid, value) in
            [(PROXIED_V2, for_bob.clone().into_bytes()), (PROXIED_V1, sequence(&[&octets(person("bob"))]))]
        {
            let control = control(oid, critical, Some(&value));
            let search = Search::new(person("alice")).scope(SCOPE_BASE).control(control.clone());
            let found = client.search(&search);
            assert!(found.answer.code != 0 && found.entries.is_empty(), "{oid} {critical}: {found:?}");
            assert_ne!(client.ask(&modify_request(&person("alice"), 2, "title", &[b"x"]), &[control]).code, 0);
            assert!(!sent(&wire, oid), "{oid} reached the directory");
        }
    }
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
}

#[test]
fn who_may_speak_for_somebody_else_has_their_access_and_no_more() {
    let app = format!("cn=app,ou=services,{BASE}");
    let speaks = "dn: cn=speaker,ou=services,dc=example,dc=com\nobjectClass: organizationalRole\n\
                  objectClass: simpleSecurityObject\ncn: speaker\nuserPassword: speaker-secret\n\
                  authzTo: dn.children:ou=people,dc=example,dc=com\n\n";
    let slapd = Slapd::with(Extra { ldif: speaks.to_owned(), ..Extra::default() });
    let wire = Wire::to(slapd.ldap);
    let login =
        "[[resource]]\nname = \"login\"\nbase = \"uid=erin,ou=people,dc=example,dc=com\"\noperations = [\"bind\"]\n";
    let who = format!("proxied_authorization = [\"dn:cn=speaker,ou=services,{BASE}\", \"dn:{app}\"]");
    let gate = Setup::default().plain_directory(wire.port).and(login).policy_lines(&who).start(&slapd);
    let mut client = gate.client();
    assert_eq!(client.bind(&format!("cn=speaker,ou=services,{BASE}"), "speaker-secret").code, 0);
    let speaking =
        |critical, name: &str| control(PROXIED_V2, critical, Some(format!("dn:{}", person(name)).as_bytes()));
    let who_am_i =
        |client: &mut Client, control| client.ask(&extended_request("1.3.6.1.4.1.4203.1.11.3", None), &[control]);
    assert_eq!(who_am_i(&mut client, speaking(true, "alice")).code, 0);
    let heard = wire.wait_for("the control", |m| m.bytes.windows(PROXIED_V2.len()).any(|w| w == PROXIED_V2.as_bytes()));
    let critical = [PROXIED_V2.as_bytes(), &[1, 1, 0xff]].concat();
    assert!(heard.bytes.windows(critical.len()).any(|window| window == critical), "critical on the wire");
    let records = format!("ou=payroll,{BASE}");
    let payroll = |name: &str| Search::new(&records).scope(SCOPE_BASE).control(speaking(true, name));
    assert_eq!(client.search(&payroll("alice")).answer.code, 50);
    let grant = gate.granted("alice", "payroll-reader", &[]);
    assert_eq!(client.search(&payroll("alice")).summary(), (0, vec![records.as_str()]));
    assert_eq!(client.search(&payroll("bob")).answer.code, 50, "it is Alice's");
    assert_eq!(client.search(&Search::new(&records).scope(SCOPE_BASE)).answer.code, 50, "and nobody else's");
    let record = gate.audit.wait_for("of the search", |r| r["operation"] == "search" && r["reason"] == "grant");
    assert_eq!((&record["subject"], &record["grant"]), (&person("alice").into(), &grant.as_str().into()));
    assert_eq!(record["authentication"], format!("simple as cn=speaker,ou=services,{BASE}"));
    gate.cli("alice", &["release", &grant]).expect(0);
    assert_eq!(client.search(&payroll("alice")).answer.code, 50);
    // A login that is protected, what is not critical, and names that nobody knows here.
    // The gate's own questions do not count.
    let asked = || {
        wire.heard().iter().filter(|m| m.bytes.windows(PROXIED_V2.len()).any(|w| w == PROXIED_V2.as_bytes())).count()
    };
    let before = asked();
    assert_eq!(who_am_i(&mut client, speaking(true, "erin")).code, 123);
    assert_eq!(who_am_i(&mut client, speaking(false, "alice")).code, 123);
    assert_eq!(who_am_i(&mut client, control(PROXIED_V2, true, Some(b"u:alice"))).code, 123);
    assert_eq!(asked(), before, "the directory is not asked");
    // The directory has the last word.
    let mut client = gate.client();
    assert_eq!(client.bind(&app, "app-secret").code, 0);
    assert_eq!(who_am_i(&mut client, speaking(true, "alice")).code, 123);
}

#[test]
fn unknown_ones_are_refused_when_critical_and_dropped_when_not() {
    let (_slapd, wire, _gate, mut client) = start();
    let search = |critical| Search::new(person("bob")).scope(SCOPE_BASE).control(control(UNKNOWN, critical, None));
    assert_eq!(client.search(&search(true)).summary(), (12, vec![]));
    assert_eq!(client.search(&search(false)).summary(), (0, vec![person("bob").as_str()]));
    let write = modify_request(&person("bob"), 2, "title", &[b"x"]);
    assert_eq!(client.ask(&write, &[control(UNKNOWN, true, Some(b"x"))]).code, 12);
    assert_eq!(client.ask(&write, &[control(UNKNOWN, false, Some(b"x"))]).code, 0);
    assert!(!sent(&wire, UNKNOWN), "it reached the directory");
}

#[test]
fn replication_is_refused_where_something_is_protected() {
    let (_slapd, wire, _gate, mut client) = start();
    let sync = sequence(&[&crate::support::ber::enumerated(1)]);
    for (oid, value) in [(SYNC, Some(sync.as_slice())), (PERSISTENT, None), (DIR_SYNC, None)] {
        let found = client.search(&Search::new(BASE).control(control(oid, true, value)));
        assert!(found.answer.code != 0 && found.entries.is_empty(), "{oid}: {found:?}");
        assert!(!sent(&wire, oid), "{oid} reached the directory");
    }
}

#[test]
fn controls_that_read_do_not_read_what_is_protected() {
    let (_slapd, wire, _gate, mut client) = start();
    let e01 = format!("uid=e01,ou=payroll,{BASE}");
    let read = sequence(&[&octets("description")]);
    for oid in [PRE_READ, POST_READ] {
        let id = client.send(&modify_request(&e01, 2, "title", &[b"x"]), &[control(oid, true, Some(&read))]);
        let message = client.receive_for(id);
        assert!(matches!(message.answer().code, 50 | 12), "{message:?}");
        assert!(message.controls.is_empty(), "{message:?}");
    }
    let assertion = control(ASSERTION, true, Some(&filter("(description=salary 1000)")));
    let answer = client.ask(&modify_request(&e01, 2, "title", &[b"x"]), std::slice::from_ref(&assertion));
    assert!(matches!(answer.code, 50 | 12), "{answer:?}");
    let values = control(MATCHED_VALUES, true, Some(&sequence(&[&filter("(description=salary 1000)")])));
    for control in [assertion, values] {
        let found = client.search(&Search::new(BASE).filter("(uid=e01)").control(control));
        assert!(found.entries.is_empty(), "{found:?}");
    }
    assert!(!wire.heard().iter().any(|m| m.body.windows(e01.len()).any(|w| w == e01.as_bytes())));
}

#[test]
fn dereference_tells_nothing_of_hidden_entries() {
    let ask = |target: &Target, critical: &str| {
        let extension = format!("{critical}deref=member:uid");
        let groups = format!("ou=groups,{BASE}");
        target.ldap("ldapsearch", Some("alice"), &["-LLL", "-E", &extension, "-b", &groups, "(cn=hr)", "cn"], "")
    };
    let direct = ask(&Target::direct(Extra::default()), "!").expect(0);
    assert!(direct.stdout.contains("<uid=alice>"), "{direct:?}");
    let open = "[[resource]]\nname = \"writes\"\nbase = \"dc=example,dc=com\"\noperations = [\"add\", \"delete\"]\n";
    assert_eq!(ask(&Target::gated(Extra::default(), Setup::default().policy(open)), "!"), direct);
    // Of hidden entries nothing but the name, which stands in the visible entry; of others everything.
    let hidden = Target::gated(Extra { ldif: group_of_payroll(), ..Extra::default() }, Setup::default());
    let told = ask(&hidden, "!").expect(0);
    assert!(told.stdout.contains("<uid=alice>") && told.stdout.contains("uid=e01,ou=payroll"), "{told:?}");
    assert!(!told.stdout.contains("<uid=e01>"), "{told:?}");
    hidden.gate().granted("alice", "payroll-reader", &[]);
    let told = ask(&hidden, "!").expect(0);
    assert!(told.stdout.contains("<uid=e01>"), "{told:?}");
}

/// A second group that `(cn=hr)` finds: of somebody open and of somebody on the payroll.
fn group_of_payroll() -> String {
    let groups = format!("ou=groups,{BASE}");
    format!(
        "dn: cn=hr+description=both,{groups}\nobjectClass: groupOfNames\ncn: hr\ndescription: both\nmember: uid=e01,ou=payroll,{BASE}\nmember: {}\n\n",
        person("alice")
    )
}

#[test]
fn extended_operations_reach_the_directory_only_where_they_are_configured() {
    const OTHER: &str = "1.3.6.1.4.1.32473.7";
    for configured in [false, true] {
        let slapd = Slapd::with(Extra::default());
        let wire = Wire::to(slapd.ldap);
        let mut lines = format!("urls = [\"ldap://127.0.0.1:{}\"]\n", wire.port);
        if configured {
            lines.push_str(&format!("extended_operations = [{OTHER:?}]\n"));
        }
        let gate = Setup::default().directory(lines).start(&slapd);
        let mut client = gate.client_as("alice");
        // slapd does not know it either, and says so itself.
        assert_eq!(client.extended(OTHER, Some(b"x")).code, 2);
        assert_eq!(sent(&wire, OTHER), configured);
        assert_eq!(client.extended("1.3.6.1.1.21.1", None).code, 2);
        assert!(!sent(&wire, "1.3.6.1.1.21.1"), "a transaction was begun");
    }
}
