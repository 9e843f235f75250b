//! Attributes that are protected, and the schema that says what they are called, in front of every directory.

use super::Directory;
use crate::support::gate::Gate;
use crate::support::ldap::{Client, Entry, SCOPE_BASE, Search, compare_request, modify_request};
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::schema::{Problem, Schema};

const PHONE: &str = "0.9.2342.19200300.100.1.20";
/// With a hyphen: no time of the day, which entries show in their own attributes, looks like the number.
const VALUES: [(&str, &str); 2] = [("homePhone", "555-1"), ("physicalDeliveryOfficeName", "Room-77")];

/// What may be about any attribute is known to no schema.
const MADE_OF_OTHERS: [&str; 4] = ["anr", "msDS-ReplValueMetaData", "msDS-ReplValueMetaDataExt", "nscpEntryWSI"];

/// What protects attributes of one person, and who may have them.
pub(super) fn policy(directory: &Directory) -> String {
    let (who, groups) = ((directory.names)("root-admin"), &directory.groups);
    format!(
        r#"
[[resource]]
name = "contact"
base = "{who}"
attributes = ["homePhone", "physicalDeliveryOfficeName"]

[[role]]
name = "dialer"
allow = [{{ resource = "contact" }}]
eligible = ["group:cn=hr,{groups}"]
approvers = ["group:cn=hr-leads,{groups}"]
max_duration = "4h"
default_duration = "1h"
"#
    )
}

/// Whether anything of [`VALUES`] is told.
fn tells(entry: &Entry) -> bool {
    entry.attributes.iter().any(|(name, values)| {
        let name = name.to_lowercase();
        let value = |value: &Vec<u8>| {
            let text = String::from_utf8_lossy(value);
            VALUES.iter().any(|(_, hidden)| text.contains(hidden))
        };
        ["homephone", "hometelephone", PHONE, "physicaldelivery"].iter().any(|hidden| name.contains(hidden))
            || values.iter().any(value)
    })
}

pub(super) fn some_are_protected(directory: &Directory, gate: &Gate, direct: &mut Client, app: &mut Client) {
    let who = (directory.names)("root-admin");
    for (name, value) in VALUES {
        assert_eq!(app.ask(&modify_request(&who, 2, name, &[value.as_bytes()]), &[]).code, 50);
        assert_eq!(direct.ask(&modify_request(&who, 2, name, &[value.as_bytes()]), &[]).code, 0);
    }
    assert_eq!(app.ask(&modify_request(&who, 2, "title", &[b"Root"]), &[]).code, 0);
    let entry = Search::new(&who).scope(SCOPE_BASE);
    assert!(tells(&direct.search(&entry.clone().attributes(&["*"])).entries[0]), "the test tests nothing");
    for requested in [
        &[][..],
        &["*"],
        &["+"],
        &["*", "+"],
        &["homePhone", "title"],
        &["HOMEPHONE"],
        &["homeTelephoneNumber"],
        &[PHONE],
        &["OID.0.9.2342.19200300.100.1.20"],
        &["homePhone;lang-de"],
        &["homePhone;binary"],
        &["homePhone;range=0-*"],
        &["noSuchAttribute", "physicalDeliveryOfficeName"],
    ] {
        for types_only in [false, true] {
            let found = app.search(&Search { types_only, ..entry.clone().attributes(requested) });
            assert_eq!((found.answer.code, found.entries.len()), (0, 1), "{requested:?}");
            assert!(!tells(&found.entries[0]), "{requested:?}: {found:?}");
        }
    }
    no_filter_tells(&entry, direct, app);
    for name in ["homePhone", "HomePhone;lang-de", PHONE, "homeTelephoneNumber", "physicalDeliveryOfficeName"] {
        assert_eq!(app.ask(&compare_request(&who, name, "555-1"), &[]).code, 50, "{name}");
        assert_eq!(app.ask(&modify_request(&who, 2, name, &[b"1"]), &[]).code, 50, "{name}");
    }
    granted_and_ended(directory, gate, &entry);
}

fn no_filter_tells(entry: &Search, direct: &mut Client, app: &mut Client) {
    let mut told = 0;
    for filter in [
        "(homePhone=555-1)",
        "(HOMEPHONE=555-1)",
        "(0.9.2342.19200300.100.1.20=555-1)",
        "(OID.0.9.2342.19200300.100.1.20=555-1)",
        "(homePhone=*)",
        "(homePhone=55*)",
        "(homePhone=*1)",
        "(homePhone>=5)",
        "(homePhone<=6)",
        "(homePhone~=555-1)",
        "(!(homePhone=9))",
        "(!(homePhone=*))",
        "(!(!(homePhone=555-1)))",
        "(homePhone;lang-de=555-1)",
        "(homePhone:caseIgnoreMatch:=555-1)",
        "(|(homePhone=555-1)(physicalDeliveryOfficeName=x))",
        "(&(objectClass=*)(physicalDeliveryOfficeName=Room*))",
        "(anr=Room-77)",
        "(ANR=Room)",
        "(1.2.840.113556.1.4.1208=Room)",
    ] {
        let search = entry.clone().filter(filter).attributes(&["title"]);
        told += direct.search(&search).entries.len();
        assert_eq!(app.search(&search).summary(), (0, vec![]), "{filter}");
    }
    assert!(told > 5, "the test tests nothing: {told}");
}

fn granted_and_ended(directory: &Directory, gate: &Gate, entry: &Search) {
    let who = (directory.names)("root-admin");
    let mut alice = gate.client();
    directory.bind(&mut alice, "alice");
    let phone = entry.clone().attributes(&["homePhone"]);
    let by_phone = entry.clone().filter("(homePhone=55*)");
    assert_eq!(alice.search(&phone).entries[0].attributes, []);
    let grant = gate.granted("alice", "dialer", &["--for", "30m"]);
    assert_eq!(alice.search(&phone).entries[0].attributes, [("homePhone".to_owned(), vec![b"555-1".to_vec()])]);
    assert_eq!(alice.search(&by_phone).entries.len(), 1);
    assert_eq!(alice.ask(&compare_request(&who, "homePhone", "555-1"), &[]).code, 6);
    assert_eq!(alice.ask(&modify_request(&who, 2, "homePhone", &[b"5552"]), &[]).code, 0);
    gate.cli("root-admin", &["revoke", &grant, "--reason", "HR-7: done"]).expect(0);
    assert_eq!(alice.search(&phone).entries[0].attributes, []);
    assert_eq!(alice.search(&by_phone).entries, []);
    assert_eq!(alice.ask(&compare_request(&who, "homePhone", "5552"), &[]).code, 50);
}

/// Reads the directory's schema as the gate does: every name in it is known, but those that may be about any. What was wrong with it, but for names that
/// it gives to something else than the standards do.
pub(super) fn every_type_is_known(client: &mut Client) -> Vec<String> {
    let root = client.search(&Search::new("").scope(SCOPE_BASE).attributes(&["subschemaSubentry"]));
    let name = String::from_utf8(root.entries[0].attributes[0].1[0].clone()).unwrap();
    let search = Search::new(name).scope(SCOPE_BASE).attributes(&["attributeTypes", "objectClasses"]);
    let found = client.search(&search);
    let values = |name: &str| {
        let attributes = &found.entries[0].attributes;
        let values = attributes.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).expect("shown");
        values.1.iter().map(Vec::as_slice)
    };
    let schema = Schema::from_subschema(values("attributeTypes"), values("objectClasses"));
    let mut names = 0;
    for definition in values("attributeTypes") {
        let text = String::from_utf8_lossy(definition);
        let (_, rest) = text.split_once(" NAME ").unwrap_or_else(|| panic!("no name: {text}"));
        let list = match rest.trim_start().strip_prefix('(') {
            Some(list) => list.split(')').next().unwrap(),
            None => rest.trim_start().split(' ').next().unwrap(),
        };
        for name in list.split('\'').map(str::trim).filter(|name| !name.is_empty()) {
            let known = schema.canonical(AttributeDescription(name.as_bytes()));
            let is_any = MADE_OF_OTHERS.iter().any(|made| made.eq_ignore_ascii_case(name));
            assert_eq!(known.is_none(), is_any, "{name} of {text}");
            names += 1;
        }
    }
    assert!(names > 250, "{names}");
    assert_eq!(schema.problems_left_out(), 0);
    // Both have names of their own making for what a standard gives to something else.
    let is_made = |name: &str| MADE_OF_OTHERS.iter().any(|made| made.eq_ignore_ascii_case(name));
    let is_own = |problem: &&Problem| match problem {
        Problem::Contradiction { .. } => true,
        Problem::UnknownAttribute { attribute, .. } => is_made(attribute),
        _ => false,
    };
    schema.problems().iter().filter(|problem| !is_own(problem)).map(ToString::to_string).collect()
}
