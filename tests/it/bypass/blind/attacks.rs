//! Questions whose answers might depend on what is hidden: one for each way that anybody has thought of, and any
//! number of random ones.

use super::worlds::{below, eve};
use crate::fuzz::Random;
use crate::support::ber::{boolean, enumerated, integer, octets, sequence, tlv};
use crate::support::ldap::{
    add_request, bind_request, compare_request, control, delete_request, extended_request, modify_request,
    password_request, rename_request, tag,
};

/// One question.
pub(super) struct Attack {
    pub(super) name: String,
    pub(super) operation: Vec<u8>,
    pub(super) controls: Vec<Vec<u8>>,
    /// Whether the connection is of no use after it.
    pub(super) ends: bool,
}

fn attack(name: impl Into<String>, operation: Vec<u8>, controls: Vec<Vec<u8>>) -> Attack {
    Attack { name: name.into(), operation, controls, ends: false }
}

/// How the hidden attributes may be written; the last two are open.
const NAMES: &[&str] = &[
    "employeeNumber",
    "EMPLOYEENUMBER",
    "2.16.840.1.113730.3.1.3",
    "employeeNumber;lang-en",
    "uidNumber",
    "1.3.6.1.1.1.1.0",
    "carLicense",
    "cn",
    "uid",
];
/// What they may be compared with: right in one of the worlds, or near to it.
const VALUES: &[&str] =
    &["secret-17a", "zecret-99", "SECRET-17A", "secret", "s", "t", "1234", "98765", "5000", "A-1", "maybe", "eve", ""];
const BASES: &[&str] = &[
    "",
    "ou=people",
    "uid=eve,ou=people",
    "ou=vault",
    "uid=maybe,ou=vault",
    "uid=nobody,ou=vault",
    "cn=x,uid=maybe,ou=vault",
    "ou=aliases",
    "cn=maybe,ou=aliases",
    "cn=vault,ou=aliases",
    "cn=x,cn=maybe,ou=aliases",
    "cn=eve,ou=aliases",
    "ou=groups",
];
const LISTS: &[&[&str]] = &[
    &[],
    &["*"],
    &["*", "+"],
    &["1.1"],
    &["uid"],
    &["employeeNumber"],
    &["employeenumber;lang-en", "2.16.840.1.113730.3.1.3"],
    &["@inetOrgPerson", "@posixAccount"],
    &["uidNumber", "carLicense", "cn"],
    &["hasSubordinates", "numSubordinates", "memberOf", "structuralObjectClass", "entryDN", "subschemaSubentry"],
];
/// Matching rules, by name and by OID.
const RULES: &[&str] =
    &["caseIgnoreMatch", "2.5.13.2", "integerMatch", "integerOrderingMatch", "caseExactMatch", "2.5.13.4"];

/// An assertion about a value, in one of many ways.
fn leaf(way: usize, name: &str, value: &str) -> Vec<u8> {
    let pair = |tag| tlv(tag, &[octets(name), octets(value)].concat());
    let parts = |parts: &[(u8, &str)]| {
        let parts: Vec<u8> = parts.iter().flat_map(|(tag, part)| tlv(*tag, part.as_bytes())).collect();
        tlv(0xa4, &[octets(name), tlv(0x30, &parts)].concat())
    };
    let rule = RULES[way % RULES.len()];
    let extensible = |rule: Option<&str>, name: Option<&str>, dn: bool| {
        let part = |tag, text: Option<&str>| text.map(|text| tlv(tag, text.as_bytes())).unwrap_or_default();
        let dn = if dn { tlv(0x84, &[0xff]) } else { Vec::new() };
        tlv(0xa9, &[part(0x81, rule), part(0x82, name), tlv(0x83, value.as_bytes()), dn].concat())
    };
    match way % 16 {
        0 | 1 => pair(0xa3),
        2 => pair(0xa5),
        3 => pair(0xa6),
        4 => pair(0xa8),
        5 => tlv(0x87, name.as_bytes()),
        6 => parts(&[(0x80, value)]),
        7 => parts(&[(0x81, value)]),
        8 => parts(&[(0x82, value)]),
        9 => parts(&[(0x80, "s"), (0x81, value), (0x82, "a")]),
        10 => extensible(None, Some(name), false),
        11 => extensible(None, Some(name), true),
        12 => extensible(Some(rule), Some(name), false),
        13 => extensible(Some(rule), None, false),
        14 => extensible(Some(rule), None, true),
        _ => extensible(Some(rule), Some(name), true),
    }
}

/// A filter around another, in one of many ways.
fn around(way: usize, inner: Vec<u8>) -> Vec<u8> {
    let present = tlv(0x87, b"objectClass");
    let eve = tlv(0xa3, &[octets("uid"), octets("eve")].concat());
    let nobody = tlv(0xa3, &[octets("uid"), octets("zzz")].concat());
    let not = |filter: &[u8]| tlv(0xa2, filter);
    let (and, or) = (|parts: &[&[u8]]| tlv(0xa0, &parts.concat()), |parts: &[&[u8]]| tlv(0xa1, &parts.concat()));
    match way % 10 {
        0 | 1 => inner,
        2 => not(&inner),
        3 => and(&[&eve, &inner]),
        4 => or(&[&nobody, &inner]),
        5 => not(&or(&[&nobody, &inner])),
        6 => and(&[&eve, &not(&inner)]),
        7 => or(&[&inner, &not(&inner)]),
        8 => not(&not(&inner)),
        _ => or(&[&and(&[&present, &inner]), &not(&and(&[&eve, &not(&inner)]))]),
    }
}

struct Search<'a> {
    base: String,
    scope: i32,
    deref: i32,
    limit: i32,
    types_only: bool,
    filter: Vec<u8>,
    list: &'a [&'a str],
}

impl Search<'_> {
    fn encoded(&self) -> Vec<u8> {
        let list: Vec<u8> = self.list.iter().flat_map(octets).collect();
        let (scope, deref) = (enumerated(self.scope), enumerated(self.deref));
        let (limit, types_only) = (integer(self.limit), boolean(self.types_only));
        let parts =
            [octets(&self.base), scope, deref, limit, integer(0), types_only, self.filter.clone(), tlv(0x30, &list)];
        tlv(tag::SEARCH, &parts.concat())
    }
}

fn whole(filter: Vec<u8>, list: &'static [&'static str]) -> Search<'static> {
    Search { base: below(""), scope: 2, deref: 0, limit: 0, types_only: false, filter, list }
}

fn sort(keys: &[(&str, bool)]) -> Vec<u8> {
    let key = |(name, reverse): &(&str, bool)| {
        let reverse = if *reverse { tlv(0x81, &[0xff]) } else { Vec::new() };
        sequence(&[&octets(name), &reverse])
    };
    let keys: Vec<u8> = keys.iter().flat_map(key).collect();
    control("1.2.840.113556.1.4.473", false, Some(&tlv(0x30, &keys)))
}

fn paged(size: i32) -> Vec<u8> {
    control("1.2.840.113556.1.4.319", false, Some(&sequence(&[&integer(size), &octets("")])))
}

/// A view of `after` entries from this offset, or from this value on.
fn view(after: i32, from: Result<i32, &str>) -> Vec<u8> {
    let from = match from {
        Ok(offset) => tlv(0xa0, &[integer(offset), integer(0)].concat()),
        Err(value) => tlv(0x81, value.as_bytes()),
    };
    control("2.16.840.1.113730.3.4.9", true, Some(&sequence(&[&integer(0), &integer(after), &from])))
}

fn reads(oid: &str, names: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = names.iter().flat_map(octets).collect();
    control(oid, false, Some(&tlv(0x30, &names)))
}

/// Controls whose answers, or whose effects, may tell something.
fn some_control(way: usize, name: &str, filter: &[u8]) -> Vec<u8> {
    let critical = way.is_multiple_of(2);
    match way % 15 {
        0 => control("1.3.6.1.1.12", true, Some(filter)),
        1 => control("1.2.826.0.1.3344810.2.3", critical, Some(&tlv(0x30, filter))),
        2 => reads("1.3.6.1.1.13.1", &[name]),
        3 => reads("1.3.6.1.1.13.2", &["*", name]),
        4 => sort(&[(name, critical)]),
        5 => sort(&[("gidNumber", false), (name, true)]),
        6 => paged(1 + i32::try_from(way % 7).unwrap_or(1)),
        7 => view(2, Ok(3)),
        8 => view(2, Err("secret")),
        // Dereference: what the members of groups, and whom people are, say of themselves.
        9 => {
            let spec = sequence(&[&octets("member"), &tlv(0x30, &octets(name))]);
            control("1.3.6.1.4.1.4203.666.5.16", critical, Some(&tlv(0x30, &spec)))
        }
        10 => control("2.16.840.1.113730.3.4.2", critical, None),
        11 => control("1.3.6.1.4.1.4203.1.9.1.1", critical, Some(&sequence(&[&enumerated(1)]))),
        12 => control("1.2.840.113556.1.4.1504", critical, Some(&sequence(&[&octets("member")]))),
        13 => control("1.3.6.1.4.1.4203.1.10.1", critical, Some(&boolean(true))),
        _ => control("1.2.840.113556.1.4.841", critical, Some(&sequence(&[&integer(0), &integer(0), &octets("")]))),
    }
}

/// One for each way that is known.
pub(super) fn written() -> Vec<Attack> {
    let mut out = Vec::new();
    for name in NAMES {
        for way in 0..16 {
            for value in ["secret-17a", "secret-1", "1234", "maybe"] {
                let search = whole(leaf(way, name, value), &["1.1"]);
                out.push(attack(format!("filter {way} {name} {value}"), search.encoded(), Vec::new()));
            }
            for outside in 2..10 {
                let search = whole(around(outside, leaf(way, name, "secret-17a")), &["1.1"]);
                out.push(attack(format!("filter {way} in {outside} {name}"), search.encoded(), Vec::new()));
            }
        }
    }
    for base in BASES {
        for (n, list) in LISTS.iter().enumerate() {
            for (scope, deref) in [(0, 0), (1, 3), (2, 3)] {
                let filter = tlv(0x87, b"objectClass");
                let search = Search { base: below(base), scope, deref, limit: 0, types_only: n == 1, filter, list };
                out.push(attack(format!("list {n} {scope} {deref} {base}"), search.encoded(), Vec::new()));
            }
        }
        for limit in 1..6 {
            let filter = leaf(5, "cn", "");
            let search =
                Search { base: below(base), scope: 2, deref: 3, limit, types_only: false, filter, list: &["cn"] };
            out.push(attack(format!("limit {limit} {base}"), search.encoded(), Vec::new()));
        }
    }
    for name in NAMES {
        for way in 0..15 {
            let filter = leaf(6, name, "secret");
            for base in ["", "ou=people", "ou=groups"] {
                let search = Search { base: below(base), ..whole(tlv(0x87, b"objectClass"), &["*"]) };
                let controls = vec![some_control(way, name, &filter)];
                out.push(attack(format!("control {way} {name} {base}"), search.encoded(), controls));
            }
            let sorted = vec![sort(&[(name, false)]), view(2, Ok(1 + i32::try_from(way).unwrap_or(1)))];
            out.push(attack(format!("view {way} {name}"), whole(tlv(0x87, b"uid"), &["uid"]).encoded(), sorted));
        }
        out.extend(changes(name));
    }
    out
}

/// What is changed, or would be if it were there.
fn changes(name: &str) -> Vec<Attack> {
    let mut out = Vec::new();
    let mut push =
        |what: String, operation: Vec<u8>, controls: Vec<Vec<u8>>| out.push(attack(what, operation, controls));
    for value in ["secret-17a", "zecret-99", "1234", "A-1", "other"] {
        for entry in [eve(), below("uid=maybe,ou=vault"), below("uid=nobody,ou=vault"), below("cn=maybe,ou=aliases")] {
            push(format!("compare {name} {value} {entry}"), compare_request(&entry, name, value), Vec::new());
            for kind in 0..4 {
                let operation = modify_request(&entry, kind, name, &[value.as_bytes()]);
                // The naming attributes of what is open may be changed: not here.
                if !["cn", "uid"].contains(&name) || entry.contains("vault") {
                    push(format!("modify {kind} {name} {value} {entry}"), operation, Vec::new());
                }
            }
            let title = modify_request(&entry, 2, "title", &[b"open"]);
            for way in [0, 2, 3] {
                let controls = vec![some_control(way, name, &leaf(0, name, value))];
                push(format!("title with {way} {name} {value} {entry}"), title.clone(), controls);
            }
        }
        let asserted = vec![some_control(0, name, &leaf(0, name, value))];
        push(format!("asserted compare {name} {value}"), compare_request(&eve(), "cn", "eve"), asserted.clone());
        push(format!("asserted delete {name} {value}"), delete_request(&below("uid=nobody,ou=people")), asserted);
        push(format!("rename to {name}={value}"), rename_request(&eve(), &format!("{name}={value}"), None), Vec::new());
    }
    push(format!("modify {name} all"), modify_request(&eve(), 1, name, &[]), Vec::new());
    let entry = below("uid=maybe,ou=vault");
    push("delete".into(), delete_request(&entry), Vec::new());
    push("rename".into(), rename_request(&entry, "uid=gone", None), Vec::new());
    push("rename below".into(), rename_request(&eve(), "uid=eve", Some(&entry)), Vec::new());
    push("add".into(), add_request(&entry, &[("objectClass", "account"), ("uid", "maybe")]), Vec::new());
    push(
        "add below".into(),
        add_request(&format!("cn=a,{entry}"), &[("objectClass", "device"), ("cn", "a")]),
        Vec::new(),
    );
    push("delete what leads there".into(), compare_request(&below("cn=maybe,ou=aliases"), "cn", "maybe"), Vec::new());
    push("password".into(), password_request(Some(&entry), b"new"), Vec::new());
    push("password without".into(), password_request(Some(&below("uid=nobody,ou=vault")), b"new"), Vec::new());
    push("who am I".into(), extended_request("1.3.6.1.4.1.4203.1.11.3", None), Vec::new());
    for password in ["maybe-secret", "wrong"] {
        for entry in ["uid=maybe,ou=vault", "uid=nobody,ou=vault", "cn=maybe,ou=aliases"] {
            let operation = bind_request(&below(entry), password.as_bytes());
            out.push(Attack { ends: true, ..attack(format!("bind {entry} {password}"), operation, Vec::new()) });
        }
    }
    out
}

/// Any search, with any filter and any controls.
pub(super) fn random(random: &mut Random) -> Attack {
    let mut pick = |bound: usize| random.below(bound);
    let name = NAMES[pick(NAMES.len())];
    let mut filter = around(pick(10), leaf(pick(96), name, VALUES[pick(VALUES.len())]));
    for _ in 0..pick(3) {
        let other = around(pick(10), leaf(pick(96), NAMES[pick(NAMES.len())], VALUES[pick(VALUES.len())]));
        filter = around(pick(10), tlv([0xa0, 0xa1][pick(2)], &[filter, other].concat()));
    }
    let mut controls: Vec<Vec<u8>> = Vec::new();
    for _ in 0..pick(3) {
        controls.push(some_control(pick(90), NAMES[pick(NAMES.len())], &filter));
    }
    let search = Search {
        base: below(BASES[pick(BASES.len())]),
        scope: [0, 1, 2, 2, 3][pick(5)],
        deref: [0, 0, 1, 2, 3][pick(5)],
        limit: [0, 0, 1, 2, 3, 5, 20][pick(7)],
        types_only: pick(6) == 0,
        filter,
        list: LISTS[pick(LISTS.len())],
    };
    let operation = search.encoded();
    let hex: String = operation.iter().map(|octet| format!("{octet:02x}")).collect();
    let shown: Vec<_> = controls.iter().map(|control| control.escape_ascii().to_string()).collect();
    attack(format!("random {hex} {shown:?}"), operation, controls)
}
