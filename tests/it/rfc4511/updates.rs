//! Writes and compares (RFC 4511 4.6 to 4.10): each result that the directory has for them, unchanged.

use super::exchange::{Row, agree};
use crate::support::ber::{boolean, enumerated, octets, sequence, tlv};
use crate::support::ldap::{
    SCOPE_BASE, Search, add_request, compare_request, delete_request, modify_request, rename_request, tag,
};
use crate::support::slapd::{BASE, person};

fn row<'a>(what: &'a str, request: Vec<u8>, outcome: &'a str) -> Row<'a> {
    (what, request, vec![], outcome)
}

/// All of an entry, to see what a write has done: both sides must show the same.
fn look(what: &'static str, dn: &str, outcome: &'static str) -> Row<'static> {
    row(what, Search::new(dn).scope(SCOPE_BASE).attributes(&["*"]).encoded(), outcome)
}

fn changes(dn: &str, changes: &[(i32, &str, &[&str])]) -> Vec<u8> {
    let one = |(kind, attribute, values): &(i32, &str, &[&str])| {
        let values: Vec<u8> = values.iter().flat_map(octets).collect();
        sequence(&[&enumerated(*kind), &sequence(&[&octets(attribute), &tlv(0x31, &values)])])
    };
    tlv(tag::MODIFY, &[octets(dn), tlv(0x30, &changes.iter().flat_map(one).collect::<Vec<_>>())].concat())
}

#[test]
fn modify() {
    let (bob, nobody) = (person("bob"), person("nobody"));
    let one = |kind, name: &str, values: &[&[u8]]| modify_request(&bob, kind, name, values);
    agree(&[
        row("4.6 add", one(0, "title", &[b"a", b"b"]), "0"),
        row("4.6 add what is there", one(0, "title", &[b"A"]), "20"),
        row("4.6 add no value", one(0, "title", &[]), "2"),
        row("4.6 add one value twice", one(0, "title", &[b"c", b"c"]), "20"),
        row("4.6 delete a value", one(1, "title", &[b"a"]), "0"),
        row("4.6 delete a value that is not there", one(1, "title", &[b"zz"]), "16"),
        row("4.6 delete all", one(1, "title", &[]), "0"),
        row("4.6 delete what is not there", one(1, "title", &[]), "16"),
        row("4.6 replace makes", one(2, "title", &[b"x"]), "0"),
        row("4.6 replace by option", one(2, "title;lang-de", &[b"y"]), "0"),
        row("4.6 replace by OID", one(2, "2.5.4.12", &[b"z"]), "0"),
        look("4.6 what has become of it", &bob, "0 bob"),
        row("4.6 replace by nothing", one(2, "title", &[]), "0"),
        row("4.6 replace what is not there by nothing", one(2, "title", &[]), "0"),
        row("RFC 4525 increment", one(3, "uidNumber", &[b"5"]), "0"),
        row("RFC 4525 increment what is no number", one(3, "cn", &[b"5"]), "19"),
        row("4.6 no such kind", one(9, "title", &[b"x"]), "2"),
        row("4.6 no such entry", modify_request(&nobody, 2, "title", &[b"x"]), "32"),
        row("4.6 no name", modify_request("no name", 2, "title", &[b"x"]), "34"),
        row("4.6 no such type", one(2, "no-such-type", &[b"x"]), "17"),
        row("4.6 a value that is none", one(2, "uidNumber", &[b"x"]), "21"),
        row("4.6 one value too many", one(2, "uidNumber", &[b"1", b"2"]), "19"),
        row("4.6 not of the name", one(1, "uid", &[]), "64"),
        row("4.6 not against the schema", one(1, "sn", &[]), "65"),
        row("4.6 not by users", one(2, "creatorsName", &[b"cn=x"]), "19"),
        row("4.6 all or nothing", changes(&bob, &[(2, "title", &["kept?"]), (1, "mobile", &[])]), "16"),
        row("4.6 in order", changes(&bob, &[(0, "mobile", &["1"]), (1, "mobile", &["1"]), (0, "mobile", &["2"])]), "0"),
        row("4.6 octets that are no text", one(2, "userPassword", &[b"\xff\x00\xfe"]), "0"),
        look("4.6 what has become of it in the end", &bob, "0 bob"),
    ]);
}

#[test]
fn add_and_delete() {
    let unit = format!("ou=new,{BASE}");
    let below = format!("ou=below,{unit}");
    let class = ("objectClass", "organizationalUnit");
    let twice = {
        let values = tlv(0x31, &[octets("a"), octets("a")].concat());
        let list =
            [sequence(&[&octets("objectClass"), &tlv(0x31, &octets("device"))]), sequence(&[&octets("l"), &values])];
        tlv(tag::ADD, &[octets(format!("cn=twice,{BASE}")), tlv(0x30, &list.concat())].concat())
    };
    let empty = {
        let list = sequence(&[&octets("objectClass"), &tlv(0x31, b"")]);
        tlv(tag::ADD, &[octets(format!("cn=none,{BASE}")), tlv(0x30, &list)].concat())
    };
    agree(&[
        row("4.7 below what is not there", add_request(&below, &[class, ("ou", "below")]), "32"),
        row("4.7 add", add_request(&unit, &[class, ("ou", "new")]), "0"),
        row("4.7 again", add_request(&unit, &[class, ("ou", "new")]), "68"),
        row("4.7 naming attributes may be left out", add_request(&below, &[class]), "0"),
        look("4.7 and are there", &below, "0 below"),
        row("4.7 without a class", add_request(&format!("ou=a,{BASE}"), &[("ou", "a")]), "65"),
        row("4.7 without what must be", add_request(&person("p"), &[("objectClass", "person"), ("uid", "p")]), "65"),
        row("4.7 of no such class", add_request(&format!("ou=a,{BASE}"), &[("objectClass", "no-such-class")]), "21"),
        row("4.7 no such type", add_request(&format!("ou=a,{BASE}"), &[class, ("no-such-type", "x")]), "17"),
        row("4.7 no name", add_request("no name", &[class]), "34"),
        row("4.1.7 one value twice", twice, "20"),
        row("4.1.7 no value", empty, "2"),
        row("4.8 not while there is something below", delete_request(&unit), "66"),
        row("4.8 delete", delete_request(&below), "0"),
        row("4.8 again", delete_request(&below), "32"),
        row("4.8 now", delete_request(&unit), "0"),
        row("4.8 no name", delete_request("no name"), "34"),
        look("4.8 is gone", &unit, "32"),
    ]);
}

#[test]
fn rename() {
    let (bob, open) = (person("bob"), format!("ou=open,ou=projects,{BASE}"));
    let keep = tlv(tag::RENAME, &[octets(person("erin")), octets("uid=eve"), boolean(false)].concat());
    agree(&[
        row("4.9 the values go", rename_request(&bob, "uid=rob", None), "0"),
        look("4.9 and have gone", &person("rob"), "0 rob"),
        row("4.9 the old name", rename_request(&bob, "uid=bert", None), "32"),
        row("4.9 the values stay", keep, "0"),
        look("4.9 and have stayed", &person("eve"), "0 eve"),
        row("4.9 to another place", rename_request(&person("rob"), "uid=rob", Some(&open)), "0"),
        look("4.9 and is there", &format!("uid=rob,{open}"), "0 rob"),
        row("4.9 a whole tree", rename_request(&open, "ou=opened", None), "0"),
        look("4.9 with what is below", &format!("uid=rob,ou=opened,ou=projects,{BASE}"), "0 rob"),
        row("4.9 to where somebody is", rename_request(&person("eve"), "uid=carol", None), "68"),
        row("4.9 to where nothing is", rename_request(&person("eve"), "uid=eve", Some(&person("x"))), "32"),
        row("4.9 no name", rename_request(&person("eve"), "no name", None), "34"),
        row("4.9 a name of two", rename_request(&person("eve"), "uid=a,uid=b", None), "34"),
        row("4.9 of several values", rename_request(&person("eve"), "uid=eve+cn=erin", None), "0"),
        look("4.9 in any order", &person("eve").replace("uid=eve", "CN=Erin+UID=Eve"), "0 erin+uid=eve"),
    ]);
}

#[test]
fn compare() {
    let alice = person("alice");
    let ask = |name: &str, value: &str| compare_request(&alice, name, value);
    agree(&[
        row("4.10 compareTrue", ask("uid", "ALICE"), "6"),
        row("4.10 compareFalse", ask("uid", "bob"), "5"),
        row("4.10 by OID", ask("2.5.4.3", "alice"), "6"),
        row("4.10 by a supertype", ask("name", "alice"), "6"),
        row("4.10 with an option", ask("cn;lang-de", "alice"), "16"),
        row("4.10 no such attribute", ask("title", "x"), "16"),
        row("4.10 no such type", ask("no-such-type", "x"), "17"),
        row("4.10 a value that is none", ask("uidNumber", "x"), "21"),
        row("4.10 no such entry", compare_request(&person("nobody"), "uid", "nobody"), "32"),
        row("4.10 no name", compare_request("no name", "uid", "x"), "34"),
        row("4.10 octets that are no text", compare_request(&person("dave"), "userPassword", b"\xff\xfe\x80dave"), "6"),
        row("4.10 operational", ask("hasSubordinates", "FALSE"), "6"),
    ]);
}
