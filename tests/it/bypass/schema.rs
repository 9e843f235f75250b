//! Names of entries by the directory's own schema: further names of standard types, and types of its own. And names that
//! the directory takes for others.

use crate::support::command::{self, Ran, tidegate};
use crate::support::eventually;
use crate::support::gate::{Gate, POLICY, Setup};
use crate::support::https::Https;
use crate::support::ldap::{
    Client, SCOPE_BASE, Search, add_request, compare_request, delete_request, modify_request, rename_request,
};
use crate::support::slapd::{BASE, Extra, ROOT_PASSWORD, password, person};
use crate::support::target::Target;

/// A slapd that calls `ou` also `abteilung` (unless this says otherwise), with naming attributes of its own.
fn extra() -> Extra {
    let types = "
attributetype ( 1.3.6.1.4.1.32473.9.1 NAME ( 'validFrom' 'gueltigAb' ) EQUALITY generalizedTimeMatch \
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
attributetype ( 1.3.6.1.4.1.32473.9.2 NAME 'heldBy' EQUALITY distinguishedNameMatch \
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
attributetype ( 1.3.6.1.4.1.32473.9.3 NAME 'badge' EQUALITY numericStringMatch \
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.36 )
";
    let mut ldif = String::new();
    for (rdn, attribute, value) in [
        ("validFrom=20200101000000Z", "validFrom", "20200101000000Z".to_owned()),
        ("heldBy=uid\\3Dbob\\,ou\\3Dpeople", "heldBy", "uid=bob,ou=people".to_owned()),
        ("badge=12 3", "badge", "12 3".to_owned()),
        ("badge=45", "badge", "45".to_owned()),
    ] {
        ldif += &format!(
            "dn: {rdn},{BASE}\nobjectClass: device\nobjectClass: extensibleObject\ncn: thing\n{attribute}: {value}\n\
             userPassword: thing-secret\n\n"
        );
    }
    Extra { unit: "'abteilung'", configuration: types.to_owned(), ldif, ..Extra::default() }
}

fn policy() -> String {
    let resource = |name: &str, base: &str| format!("[[resource]]\nname = \"{name}\"\nbase = '{base},{BASE}'\n\n");
    resource("old", "validFrom=20200101000000Z")
        + &resource("bobs", "heldBy=uid\\3Dbob\\,ou\\3Dpeople")
        + &resource("badge", "badge=123")
        + POLICY
}

/// Nobody's grant: every operation on the entry is refused, whatever it is called.
fn is_protected(client: &mut Client, dn: &str, direct: &mut Client) {
    let base = Search::new(dn).scope(SCOPE_BASE);
    assert_eq!(direct.search(&base).entries.len(), 1, "{dn} is not there: the test tests nothing");
    assert!(client.search(&base).entries.is_empty(), "{dn} is shown");
    for (what, request) in [
        ("compare", compare_request(dn, "cn", "thing")),
        ("modify", modify_request(dn, 2, "description", &[b"taken"])),
        ("add", add_request(&format!("cn=new,{dn}"), &[("objectClass", "device"), ("cn", "new")])),
        ("rename", rename_request(dn, "cn=moved", Some(&format!("ou=people,{BASE}")))),
        ("delete", delete_request(dn)),
    ] {
        let answer = client.ask(&request, &[]);
        assert_eq!(answer.code, 50, "{what} of {dn}: {answer:?}");
    }
}

#[test]
fn an_entry_is_protected_by_every_name_that_the_schema_gives_it() {
    let mut target = Target::gated(extra(), Setup::default().policy(&policy()));
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut direct = Client::ldaps(port, &ca);
    direct.bind_as("alice");
    let mut client = target.client();
    client.bind_as("alice");
    for rdn in [
        "uid=e01,abteilung=payroll",
        "uid=e01,ABTEILUNG = Pay\\72oll",
        "abteilung=payroll",
        "validFrom=20200101000000.0Z",
        "gueltigAb=202001010000Z",
        "1.3.6.1.4.1.32473.9.1=20200101000000Z",
        "heldBy=uid\\3Dbo\\5C62\\,ou\\3Dpeople",
        "heldBy=uid\\3DBOB\\,abteilung\\3Dpeople",
        "badge=12 3",
        "badge=1 2 3",
    ] {
        is_protected(&mut client, &format!("{rdn},{BASE}"), &mut direct);
    }
    // A bind that is not protected stays possible, and what lies beside is open.
    for open in ["uid=bob,abteilung=people", "badge=4 5", "abteilung=people"] {
        let found = client.search(&Search::new(format!("{open},{BASE}")).scope(SCOPE_BASE));
        assert_eq!(found.entries.len(), 1, "{open}: {found:?}");
    }
    // Entries keep their names, and what is above shows nothing of them.
    let found = client.search(&Search::new(BASE).filter("(objectClass=device)"));
    assert_eq!(found.dns(), [format!("badge=45,{BASE}")]);
}

/// The command line, as whoever this DN names.
fn cli_as(gate: &Gate, dn: &str, arguments: &[&str]) -> Ran {
    let mut command = tidegate(arguments);
    command::run(command.arg("--control").arg(&gate.control).args(["--as", dn]))
}

#[test]
fn what_the_schema_calls_one_person_is_one_person() {
    let policy = POLICY.replace(
        "approvers = [\"group:cn=hr-leads,ou=groups,dc=example,dc=com\"]",
        "approvers = [\"subtree:ou=people,dc=example,dc=com\"]\napprovals = 2",
    );
    let target = Target::gated(extra(), Setup::default().policy(&policy));
    let gate = target.gate();
    let id = gate.request("alice", "payroll-reader", &[]);
    for other in ["uid=alice,abteilung=people", "uid=ALICE,2.5.4.11=people"] {
        let tried = cli_as(gate, &format!("{other},{BASE}"), &["approve", &id]);
        tried.expect(1);
    }
    gate.cli("bob", &["approve", &id]).expect(0);
    let again = cli_as(gate, &format!("uid=bob,abteilung=people,{BASE}"), &["approve", &id]);
    // Who has approved does not approve again.
    again.expect(1);
    let mut client = target.client();
    assert_eq!(client.bind(&format!("uid=alice,abteilung=people,{BASE}"), password("alice")).code, 0);
    let payroll = Search::new(format!("abteilung=payroll,{BASE}"));
    assert_eq!(client.search(&payroll).answer.code, 50);
    gate.cli("carol", &["approve", &id]).expect(0);
    assert_eq!(client.search(&payroll).answer.code, 0, "a grant is its holder's under every name");
}

#[test]
fn a_change_of_the_schema_is_noticed() {
    let mut target = Target::gated(Extra { unit: "", ..extra() }, Setup::default().policy(&policy()));
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut client = target.client();
    client.bind_as("alice");
    let badge = Search::new(format!("room=45,{BASE}")).scope(SCOPE_BASE);
    // A type that the schema does not have may be any.
    assert_eq!(client.search(&badge).answer.code, 50);
    let mut root = Client::ldaps(port, &ca);
    assert_eq!(root.bind("cn=config", ROOT_PASSWORD).code, 0);
    let room = b"( 1.3.6.1.4.1.32473.9.4 NAME 'room' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )";
    let added = root.ask(&modify_request("cn=schema,cn=config", 0, "olcAttributeTypes", &[room]), &[]);
    assert_eq!(added.code, 0, "{added:?}");
    // Now it is known to be none of those that are protected.
    eventually("the schema is read again", || (client.search(&badge).answer.code == 32).then_some(()));
}

#[test]
fn a_name_that_is_rewritten_is_whom_it_leads_to() {
    let extra = Extra {
        configuration: "moduleload rwm\nmoduleload back_relay\n".to_owned(),
        database: "database relay\nsuffix dc=virtual\noverlay rwm\n\
            rwm-suffixmassage \"dc=virtual\" \"dc=example,dc=com\"\n"
            .to_owned(),
        ..Extra::default()
    };
    let protected = format!(
        "[[resource]]\nname = \"logins\"\nbase = \"{}\"\nscope = \"base\"\noperations = [\"bind\"]\n\n{POLICY}",
        person("frank")
    );
    let target = Target::gated(extra, Setup::default().policy(&protected).https());
    let payroll = Search::new(format!("ou=payroll,{BASE}"));
    target.gate().granted("alice", "payroll-reader", &[]);
    let rewritten = |name: &str| person(name).replace(BASE, "dc=virtual");
    for _ in 0..2 {
        let mut client = target.client();
        assert_eq!(client.bind(&rewritten("alice"), password("alice")).code, 0);
        assert_eq!(client.search(&payroll).answer.code, 0, "it is alice, who holds a grant");
        assert_eq!(client.bind(&rewritten("carol"), password("carol")).code, 0);
        assert_eq!(client.search(&payroll).answer.code, 50);
        // Binding as Frank is protected, by whatever name.
        let refused = client.bind(&rewritten("frank"), password("frank"));
        assert_eq!(refused.code, 49, "{refused:?}");
        assert_eq!(client.who_am_i(), "");
    }
    let log_in = |dn: &str, name: &str| {
        let body = serde_json::json!({ "name": dn, "password": password(name) });
        Https::new(target.gate()).post("/v1/login", &body)
    };
    assert_eq!(log_in(&rewritten("alice"), "alice").json()["subject"], person("alice"));
    assert_eq!(log_in(&rewritten("frank"), "frank").problem(), (401, "login-failed".to_owned()));
}
