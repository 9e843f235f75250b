//! Searches (RFC 4511 4.5, RFC 4512 2.5 and 5.1, RFC 4526, RFC 4529, RFC 3673): every element of the request.

use super::exchange::{Row, agree};
use crate::support::ber::{filter, octets, tlv};
use crate::support::ldap::{SCOPE_BASE, SCOPE_ONE, Search};
use crate::support::slapd::{BASE, person};
use crate::support::target::same;

fn row<'a>(what: &'a str, search: &Search, outcome: &'a str) -> Row<'a> {
    (what, search.encoded(), search.controls.clone(), outcome)
}

fn people() -> Search {
    Search::new(format!("ou=people,{BASE}")).scope(SCOPE_ONE).attributes(&["uid"])
}

fn alice() -> Search {
    Search::new(person("alice")).scope(SCOPE_BASE)
}

#[test]
fn base_scope_and_limits() {
    let at = |base: &str, scope| Search::new(base).scope(scope);
    let all = format!("ou=people,{BASE}");
    let open = format!("ou=open,ou=projects,{BASE}");
    let alias = format!("cn=leaflet,ou=aliases,{BASE}");
    agree(&[
        row("4.5.1.1 base", &at(&person("bob"), 0), "0 bob"),
        row("4.5.1.1 base, in any case", &at(&person("bob").to_uppercase(), 0), "0 bob"),
        row("4.5.1.1 base, with spaces", &at(&person("bob").replace(',', " , "), 0), "0 bob"),
        row("4.1.3 base, by OID", &at(&person("bob").replace("uid", "0.9.2342.19200300.100.1.1"), 0), "0 bob"),
        row("4.1.3 base, escaped", &at(&person("\\62ob"), 0), "0 bob"),
        row("4.5.1.1 base that is not there", &at(&person("nobody"), 0), "32"),
        row("4.1.9 what of it is there", &at(&format!("cn=a,{}", person("nobody")), 2), "32"),
        row("4.1.3 base that is no name", &at("no name", 0), "34"),
        // Where a resource begins it may be that one, and is refused as such.
        row("4.1.3 base of no known type", &at(&format!("no-such-type=x,ou=people,{BASE}"), 0), "34"),
        row("4.5.1.2 baseObject", &at(&open, 0), "0 open"),
        row("4.5.1.2 singleLevel", &at(&open, 1), "0 leaflet"),
        row("4.5.1.2 wholeSubtree", &at(&open, 2), "0 open leaflet"),
        row("4.5.1.2 subordinates, of a draft", &at(&open, 3), "0 leaflet"),
        row("4.5.1.2 no such scope", &at(&open, 7), "2"),
        row("4.5.1.3 neverDerefAliases", &at(&alias, 0), "0 leaflet"),
        row("4.5.1.3 derefInSearching", &at(&alias, 0).deref(1), "0 leaflet"),
        row("4.5.1.3 derefFindingBaseObj", &at(&alias, 0).deref(2), "0 leaflet"),
        row("4.5.1.3 derefAlways", &at(&alias, 0).deref(3).attributes(&["description"]), "0 leaflet"),
        row("4.5.1.3 no such way", &at(&alias, 0).deref(4), "2"),
        row("4.5.1.4 limit of one", &people().filter("(uid=alice)").limit(1), "0 alice"),
        row("4.5.1.4 no limit", &people().filter("(uid=a*)").limit(0), "0 alice"),
        row("4.5.1.4 limit below zero", &people().limit(-1), "2"),
        row("4.5.1.6 types only", &Search { types_only: true, ..alice().attributes(&["*"]) }, "0 alice"),
        row("4.5.2 nothing found", &Search::new(all).filter("(uid=nobody)"), "0"),
    ]);
    let limited = same(|target| {
        let mut client = target.client();
        client.bind_as("alice");
        let found = client.search(&people().limit(3));
        (found.entries.len(), found.answer.code)
    });
    assert_eq!(limited, (3, 4), "4.5.1.4: sizeLimitExceeded, and as many entries");
}

#[test]
fn filters() {
    let by = |text: &str| people().filter(text);
    let raw = |filter: Vec<u8>| Search { filter, ..people() };
    let extensible = |parts: &[(u8, &[u8])]| {
        raw(tlv(0xa9, &parts.iter().flat_map(|(tag, value)| tlv(*tag, value)).collect::<Vec<_>>()))
    };
    let parts = |parts: &[(u8, &str)]| {
        let parts: Vec<u8> = parts.iter().flat_map(|(tag, value)| tlv(*tag, value.as_bytes())).collect();
        raw(tlv(0xa4, &[octets("uid"), tlv(0x30, &parts)].concat()))
    };
    let everybody = "0 alice bob carol dave erin frank root-admin";
    agree(&[
        row("4.5.1.7 present", &by("(uid=*)"), everybody),
        row("4.5.1.7.1 equality", &by("(uid=ALICE)"), "0 alice"),
        row("4.5.1.7 by OID", &by("(0.9.2342.19200300.100.1.1=alice)"), "0 alice"),
        row("4.5.1.7 by another name", &by("(userid=alice)"), "0 alice"),
        row("4.5.1.7 by a supertype", &by("(name=alice)"), "0 alice"),
        row("4.5.1.7 with an option", &by("(cn;lang-de=alice)"), "0"),
        row("4.5.1.7 and", &by("(&(uid=*)(cn=bob))"), "0 bob"),
        row("4.5.1.7 or", &by("(|(uid=erin)(cn=bob))"), "0 bob erin"),
        row("4.5.1.7 not", &by("(!(uidNumber>=1001))"), "0 alice"),
        row("4.5.1.7.3 greaterOrEqual", &by("(uidNumber>=1005)"), "0 frank root-admin"),
        row("4.5.1.7.4 lessOrEqual", &by("(uidNumber<=1001)"), "0 alice bob"),
        row("4.5.1.7.6 approximate", &by("(cn~=carol)"), "0 carol"),
        row("4.5.1.7.2 initial", &by("(uid=a*)"), "0 alice"),
        row("4.5.1.7.2 any", &parts(&[(0x81, "ari")]), "0"),
        row("4.5.1.7.2 any, found", &parts(&[(0x81, "aro")]), "0 carol"),
        row("4.5.1.7.2 final", &parts(&[(0x82, "k")]), "0 frank"),
        row("4.5.1.7.2 all three", &parts(&[(0x80, "c"), (0x81, "r"), (0x81, "o"), (0x82, "l")]), "0 carol"),
        row("RFC 4526 true", &raw(tlv(0xa0, b"")), everybody),
        row("RFC 4526 false", &raw(tlv(0xa1, b"")), "0"),
        row("4.5.1.7 Undefined", &by("(no-such-type=x)"), "0"),
        row("4.5.1.7 not of Undefined", &by("(!(no-such-type=x))"), "0"),
        row("4.5.1.7 or with Undefined", &by("(|(no-such-type=x)(uid=bob))"), "0 bob"),
        row(
            "4.5.1.7 and with Undefined",
            &by("(!(&(no-such-type=x)(uid=bob)))"),
            "0 alice carol dave erin frank root-admin",
        ),
        row("4.5.1.7 a value that is none", &by("(uidNumber=x)"), "0"),
        row("4.5.1.7.7 a rule by name", &by("(cn:caseExactMatch:=alice)"), "0 alice"),
        row("4.5.1.7.7 a rule by OID", &by("(cn:2.5.13.5:=ALICE)"), "0"),
        row("4.5.1.7.7 no such rule", &by("(cn:no-such-rule:=alice)"), "0"),
        row("4.5.1.7.7 with dnAttributes", &extensible(&[(0x82, b"uid"), (0x83, b"bob"), (0x84, b"\xff")]), "0 bob"),
        row(
            "4.5.1.7.7 dnAttributes of a name above",
            &extensible(&[(0x82, b"ou"), (0x83, b"people"), (0x84, b"\xff")]),
            everybody,
        ),
        row("4.5.1.7 octets that are no text", &raw(tlv(0xa3, &[octets("uid"), octets(b"\xff\xfe")].concat())), "0"),
        row("4.5.1.7 in depth", &raw((0..40).fold(filter("(uid=bob)"), |f, _| tlv(0xa0, &f))), "0 bob"),
    ]);
}

#[test]
fn requested_attributes() {
    let ask = |names: &[&str]| alice().attributes(names);
    let found = same(|target| {
        let mut client = target.client();
        client.bind_as("alice");
        [
            &[][..],
            &["*"],
            &["1.1"],
            &["1.1", "cn"],
            &["cn"],
            &["CN"],
            &["2.5.4.3"],
            &["commonName"],
            &["name"],
            &["cn", "cn"],
            &["cn;lang-de"],
            &["no-such-type"],
            &["cn", "no-such-type"],
            &["@posixAccount"],
            &["@no-such-class"],
            &["objectClass", "structuralObjectClass"],
            &["hasSubordinates"],
            &["*", "hasSubordinates"],
        ]
        .map(|names| {
            let found = client.search(&ask(names));
            let mut names: Vec<_> = found.entries[0].attributes.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names.retain(|name| name != "userPassword");
            names.join(" ")
        })
    });
    let user = "cn gidNumber homeDirectory mail objectClass sn uid uidNumber";
    // 4.5.1.8: an empty list and `*`: all user attributes; `1.1` alone: none; what is not known is passed over.
    assert_eq!((found[0].as_str(), found[1].as_str()), (user, user));
    assert_eq!(&found[2..4], ["", "cn"]);
    assert_eq!(found[4..6].iter().map(|name| name.to_lowercase()).collect::<Vec<_>>(), ["cn", "cn"]);
    assert_eq!(found[8], "cn sn", "subtypes (RFC 4512 2.5.1)");
    assert_eq!((found[9].as_str(), found[10].as_str(), found[11].as_str(), found[12].as_str()), ("cn", "", "", "cn"));
    assert!(found[13].contains("uidNumber") && !found[13].contains("mail"), "RFC 4529: {}", found[13]);
    assert_eq!(found[15], "objectClass structuralObjectClass");
    assert_eq!(found[16], "hasSubordinates");
    assert_eq!(found[17], format!("cn gidNumber hasSubordinates {}", &user[13..]));
}

/// RFC 4512 5.1: what the root tells of the server is what holds for this one.
#[test]
fn the_root_dse() {
    let root = |names: &[&str]| Search::new("").scope(SCOPE_BASE).attributes(names);
    let told = same(|target| {
        let mut client = target.client();
        let mut told = Vec::new();
        for bound in [false, true] {
            if bound {
                client.bind_as("alice");
            }
            for name in ["namingContexts", "supportedLDAPVersion", "subschemaSubentry", "objectClass", "vendorName"] {
                let found = client.search(&root(&[name]));
                told.push((found.answer.code, found.entries));
            }
            // Operational ones only where they are asked for (RFC 4512 5.1).
            let plain = client.search(&root(&["*"]));
            told.push((plain.answer.code, plain.entries));
            let absent = client.search(&root(&["1.1"]).filter("(objectClass=person)"));
            told.push((absent.answer.code, absent.entries));
        }
        told
    });
    assert_eq!(told[0].1[0].attributes, [("namingContexts".to_owned(), vec![BASE.as_bytes().to_vec()])]);
    assert_eq!(told[1].1[0].attributes, [("supportedLDAPVersion".to_owned(), vec![b"3".to_vec()])]);
    assert!(told.iter().all(|(code, _)| *code == 0), "{told:?}");
}
