//! Active Directory, as Samba's domain controller has it, and what is different about it.

use super::attributes::every_type_is_known;
use super::{Directory, groups_in_groups, scenario};
use crate::support::ber::{integer, octets, sequence, tlv};
use crate::support::gate::Gate;
use crate::support::ldap::{Client, SCOPE_BASE, Search, control};
use crate::support::samba::{ADMINISTRATOR, PASSWORD, Samba, person};
use crate::support::slapd::BASE;

/// One domain for all of it: making it takes some seconds.
#[test]
fn the_main_scenario() {
    let samba = Samba::start();
    let (address, ca) = (samba.address.clone(), samba.authority.ca.clone());
    let directory = Directory {
        lines: format!("urls = [\"ldaps://{address}\"]\nca = {ca:?}"),
        connect: Box::new(move || Client::ldaps_at(&address, 636, &ca)),
        names: person,
        password: |_| PASSWORD.to_owned(),
        app: (person("app"), PASSWORD.into()),
        service: (person("tidegate"), PASSWORD.into()),
        record: format!("CN=e01,OU=payroll,{BASE}"),
        payroll: format!("OU=payroll,{BASE}"),
        groups: format!("OU=groups,{BASE}"),
        class: "user",
    };
    let app = person("app");
    let gate = directory.gate(&format!(
        "\n[[resource]]\nname = \"logins\"\nbase = \"{app}\"\noperations = [\"bind\"]\n\n[[standing]]\nwho = [\"dn:{app}\"]\n\
         resource = \"logins\"\noperations = [\"bind\"]\nreason = \"HR-1\"\n\n[[resource]]\nname = \"administrator\"\n\
         base = \"{ADMINISTRATOR}\"\noperations = [\"bind\"]\n\n[[resource]]\nname = \"guards\"\n\
         base = \"CN=security,{groups}\"\nattributes = [\"member\"]\n\n[[resource]]\nname = \"logons\"\n\
         base = \"{administrator}\"\nattributes = [\"memberOf\", \"sAMAccountName\", \"pwdLastSet\"]\n",
        groups = directory.groups,
        administrator = person("root-admin"),
    ));
    scenario(&directory, &gate);
    let mut direct = (directory.connect)();
    assert_eq!(direct.bind(&directory.app.0, &directory.app.1).code, 0);
    assert_eq!(every_type_is_known(&mut direct), [""; 0]);
    made_of_others(&directory, &gate);
    other_names(&directory, &gate);
    other_bases_and_filters(&directory, &gate);
    ranges(&directory, &gate, &samba);
    groups_in_groups(&directory, &gate, "group", &|tool, data| _ = samba.ldap(tool, &[], data).expect(0));
    references_and_trees(&directory, &gate);
}

/// `user@realm` and `DOMAIN\\user` are who they are.
fn other_names(directory: &Directory, gate: &Gate) {
    let record = Search::new(&directory.record).scope(SCOPE_BASE).attributes(&["cn"]);
    let grant = gate.granted("alice", "payroll-editor", &[]);
    for name in ["alice@example.com", "EXAMPLE\\alice", "ALICE@EXAMPLE.COM", "example\\Alice"] {
        let mut client = gate.client();
        assert_eq!(client.bind(name, "wrong"), (directory.connect)().bind(name, "wrong"));
        let answer = client.bind(name, PASSWORD);
        assert_eq!(answer.code, 0, "{name}: {answer:?}");
        let found = client.search(&record);
        assert_eq!((found.answer.code, found.entries.len()), (0, 1), "{name} holds what {} holds", person("alice"));
    }
    let said = gate.audit.wait_for("a search as alice", |r| r["operation"] == "search" && r["grant"] == grant.as_str());
    assert_eq!(said["subject"].as_str().unwrap().to_lowercase(), person("alice").to_lowercase());
    gate.cli("alice", &["release", &grant]).expect(0);
    let mut client = gate.client();
    assert_eq!(client.bind("alice@example.com", PASSWORD).code, 0);
    assert_eq!(client.search(&record).answer.code, 50);
    // Whom a standing access lets bind.
    assert_eq!(client.bind("app@example.com", PASSWORD).code, 0);
    // Who may not bind is told the same with the right password as with a wrong one.
    let secret = crate::support::samba::ADMINISTRATOR_PASSWORD;
    for name in ["EXAMPLE\\Administrator", "administrator@example.com"] {
        assert_eq!((directory.connect)().bind(name, secret).code, 0, "the test tests nothing");
        let wrong = client.bind(name, "wrong");
        assert_eq!((wrong.code, client.bind(name, secret)), (49, wrong.clone()));
        assert_eq!(client.search(&Search::new(person("alice")).scope(SCOPE_BASE)).entries, []);
    }
}

/// An attribute's first value.
fn value(client: &mut Client, entry: &str, attribute: &str) -> Vec<u8> {
    let found = client.search(&Search::new(entry).scope(SCOPE_BASE).attributes(&[attribute]));
    found.entries[0].attributes[0].1[0].clone()
}

/// By `objectGUID`, whose octets are not text, and by `<GUID=...>` and `<SID=...>`, which are no DNs.
fn other_bases_and_filters(directory: &Directory, gate: &Gate) {
    let (mut direct, mut app) = ((directory.connect)(), gate.client());
    for client in [&mut direct, &mut app] {
        assert_eq!(client.bind("app@example.com", PASSWORD).code, 0);
    }
    for (entry, shown) in [(person("alice"), 1), (directory.record.clone(), 0)] {
        let guid = value(&mut direct, &entry, "objectGUID");
        let mut search = Search::new(BASE);
        search.filter = tlv(0xa3, &[octets("objectGUID"), octets(&guid)].concat());
        assert_eq!(direct.search(&search).entries.len(), 1, "the test tests nothing");
        let found = app.search(&search);
        assert_eq!((found.answer.code, found.entries.len()), (0, shown), "{entry}");
        // Which entry that is only the directory knows: refused, whichever it is.
        let text: String = guid.iter().map(|octet| format!("{octet:02x}")).collect();
        let base = Search::new(format!("<GUID={text}>")).scope(SCOPE_BASE);
        assert_eq!(direct.search(&base).entries.len(), 1, "the test tests nothing");
        let found = app.search(&base);
        assert_eq!(found.summary(), (34, vec![]));
        let sid = value(&mut direct, &entry, "objectSid");
        let mut search = Search::new(BASE);
        search.filter = tlv(0xa3, &[octets("objectSid"), octets(&sid)].concat());
        assert_eq!(app.search(&search).entries.len(), shown, "{entry}");
    }
    // Rules of Active Directory's own: bits, and membership through groups.
    for filter in [
        "(userAccountControl:1.2.840.113556.1.4.803:=512)".to_owned(),
        "(sAMAccountType=805306368)".to_owned(),
        "(anr=alice)".to_owned(),
    ] {
        let search = Search::new(BASE).filter(&filter).attributes(&["sAMAccountName"]);
        let (all, open) = (direct.search(&search), app.search(&search));
        let hidden = |dn: &&str| dn.to_lowercase().ends_with(&directory.payroll.to_lowercase());
        let expected: Vec<_> = all.dns().into_iter().filter(|dn| !hidden(dn)).collect();
        assert!(!expected.is_empty(), "{filter}");
        assert_eq!((open.answer.code, open.dns()), (0, expected), "{filter}");
    }
    // From name to name through whatever entries: hidden ones too, so not for whom any entry is hidden.
    let through = format!("(memberOf:1.2.840.113556.1.4.1941:=CN=Domain Admins,CN=Users,{BASE})");
    let search = Search::new(person("app")).scope(SCOPE_BASE).filter(&through);
    assert_eq!(direct.search(&search).entries.len(), 1, "the test tests nothing");
    assert_eq!(app.search(&search).summary(), (0, vec![]));
}

/// A group's members in parts (`member;range=0-*`).
fn ranges(directory: &Directory, gate: &Gate, samba: &Samba) {
    let mut data = String::new();
    let large = format!("CN=large,{}", directory.groups);
    data.push_str(&format!("dn: {large}\nobjectClass: group\nsAMAccountName: large\n"));
    for name in crate::support::samba::PEOPLE {
        data.push_str(&format!("member: {}\n", person(name)));
    }
    samba.ldap("ldapadd", &[], &data).expect(0);
    let (mut direct, mut app) = ((directory.connect)(), gate.client());
    for client in [&mut direct, &mut app] {
        assert_eq!(client.bind("app@example.com", PASSWORD).code, 0);
    }
    for wanted in ["member;range=0-*", "member;range=0-1", "member;range=2-3", "member;range=2-*"] {
        let search = Search::new(&large).scope(SCOPE_BASE).attributes(&[wanted]);
        let (one, two) = (direct.search(&search), app.search(&search));
        assert!(!one.entries[0].attributes.is_empty(), "{wanted}");
        assert_eq!(one.entries, two.entries, "{wanted}");
    }
}

/// Parts of values, and attributes that the directory makes of others when they are asked for.
fn made_of_others(directory: &Directory, gate: &Gate) {
    let (mut direct, mut app) = ((directory.connect)(), gate.client());
    for client in [&mut direct, &mut app] {
        assert_eq!(client.bind("app@example.com", PASSWORD).code, 0);
    }
    let shown = |client: &mut Client, dn: &str, wanted: &str| {
        let found = client.search(&Search::new(dn).scope(SCOPE_BASE).attributes(&[wanted]));
        assert_eq!(found.answer.code, 0, "{wanted}");
        found.entries[0].attributes.clone()
    };
    let guards = format!("CN=security,{}", directory.groups);
    for wanted in ["member", "member;range=0-*", "member;range=0-0", "MEMBER;Range=0-*", "2.5.4.31;range=0-0"] {
        assert_eq!(shown(&mut app, &guards, wanted), [], "{wanted}");
    }
    assert_ne!(shown(&mut direct, &guards, "member;range=0-0"), []);
    let member = Search::new(&guards).scope(SCOPE_BASE).filter(&format!("(member={})", person("carol")));
    assert_eq!((direct.search(&member).entries.len(), app.search(&member).entries.len()), (1, 0));
    let administrator = person("root-admin");
    let mut there = Vec::new();
    for wanted in [
        "memberOf",
        "tokenGroups",
        "tokenGroupsGlobalAndUniversal",
        "tokenGroupsNoGCAcceptable",
        "msDS-PrincipalName",
        "msDS-UserPasswordExpiryTimeComputed",
        "msds-memberOfTransitive",
        "msDS-TokenGroupNames",
        "replPropertyMetaData",
        "msDS-ReplAttributeMetaData",
        "msDS-ReplValueMetaData",
    ] {
        if !shown(&mut direct, &administrator, wanted).is_empty() {
            there.push(wanted);
        }
        assert_eq!(shown(&mut app, &administrator, wanted), [], "{wanted}");
        // Elsewhere nothing is lost.
        assert_eq!(shown(&mut app, &person("bob"), wanted), shown(&mut direct, &person("bob"), wanted), "{wanted}");
    }
    for expected in ["tokenGroups", "msDS-UserPasswordExpiryTimeComputed", "replPropertyMetaData"] {
        assert!(there.contains(&expected), "the test tests nothing: {there:?}");
    }
    for wanted in ["distinguishedName", "primaryGroupID", "userAccountControl", "allowedAttributesEffective"] {
        assert_eq!(shown(&mut app, &administrator, wanted), shown(&mut direct, &administrator, wanted), "{wanted}");
    }
}

/// The domain root refers to other servers; the configuration and the schema are trees of their own.
fn references_and_trees(directory: &Directory, gate: &Gate) {
    let (mut direct, mut app) = ((directory.connect)(), gate.client());
    for client in [&mut direct, &mut app] {
        assert_eq!(client.bind("app@example.com", PASSWORD).code, 0);
    }
    let search = Search::new(BASE).filter("(cn=alice)").attributes(&["cn"]);
    let found = direct.search(&search);
    assert!(found.references > 0 && found.entries.len() == 1, "the test tests nothing: {found:?}");
    let found = app.search(&search);
    assert_eq!((found.answer.code, found.entries.len(), found.references), (0, 1, 0));
    // These lie below the domain, and are not served unless they are named.
    for tree in [
        "CN=User,CN=Schema,CN=Configuration",
        "CN=Schema,CN=Configuration",
        "CN=Configuration",
        "cn=partitions,cn=configuration",
    ] {
        let search = Search::new(format!("{tree},{BASE}")).scope(SCOPE_BASE);
        let (there, here) = (direct.search(&search), app.search(&search));
        assert_eq!((there.answer.code, there.entries.len()), (0, 1), "the test tests nothing: {tree}");
        assert_eq!((here.answer.code, here.entries.len()), (32, 0), "{tree}");
    }
    // Windows asks the rootDSE for what only it has, and asks in the clear for the time and the name of the domain.
    let wanted = ["defaultNamingContext", "dnsHostName", "ldapServiceName", "domainFunctionality", "dsServiceName"];
    let root = Search::new("").scope(SCOPE_BASE).attributes(&wanted);
    assert_eq!(direct.search(&root).entries, app.search(&root).entries);
    // What the domain controller promises and the gate does not let through is not promised.
    let value = sequence(&[&integer(7)]);
    let flags = Search::new(person("alice")).scope(SCOPE_BASE).attributes(&["nTSecurityDescriptor"]);
    let flags = flags.control(control("1.2.840.113556.1.4.801", true, Some(&value)));
    assert_eq!(direct.search(&flags).answer.code, 0);
    let (one, two) = (direct.search(&flags), app.search(&flags));
    assert_eq!((two.answer.code, two.entries), (0, one.entries));
}
