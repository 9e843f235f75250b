//! Binds, extended operations and controls (RFC 4511 4.1.11, 4.2, 4.3, 4.11, 4.12; RFC 4513; those that have an RFC of
//! their own): what is let through does here what it does there.

use super::exchange::{Row, agree};
use crate::support::ber::{boolean, filter, integer, octets, sequence, tlv};
use crate::support::ldap::{
    SCOPE_BASE, SCOPE_ONE, START_TLS, Search, WHO_AM_I, add_request, bind_request, compare_request, control,
    delete_request, extended_request, modify_request, password_request, tag,
};
use crate::support::slapd::{BASE, password, person};
use crate::support::target::same;

const PAGED: &str = "1.2.840.113556.1.4.319";
const SORT: &str = "1.2.840.113556.1.4.473";
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
const SUBENTRIES: &str = "1.3.6.1.4.1.4203.1.10.1";
const ASSERTION: &str = "1.3.6.1.1.12";
const PRE_READ: &str = "1.3.6.1.1.13.1";
const POST_READ: &str = "1.3.6.1.1.13.2";
const MATCHED_VALUES: &str = "1.2.826.0.1.3344810.2.3";
const UNKNOWN: &str = "1.3.6.1.4.1.32473.1";

fn row<'a>(what: &'a str, request: Vec<u8>, outcome: &'a str) -> Row<'a> {
    (what, request, vec![], outcome)
}

fn with<'a>(what: &'a str, request: Vec<u8>, controls: Vec<Vec<u8>>, outcome: &'a str) -> Row<'a> {
    (what, request, controls, outcome)
}

fn alice() -> Vec<u8> {
    Search::new(person("alice")).scope(SCOPE_BASE).attributes(&["*"]).encoded()
}

#[test]
fn binds_and_extended_operations() {
    let as_alice = || bind_request(&person("alice"), password("alice").as_bytes());
    let version = |n| tlv(tag::BIND, &[integer(n), octets(person("bob")), tlv(0x80, b"bob-secret")].concat());
    let who = || extended_request(WHO_AM_I, None);
    let none = tlv(0xa3, &octets("NO-SUCH-MECHANISM"));
    let sasl = tlv(tag::BIND, &[integer(3), octets(""), none].concat());
    agree(&[
        row("4.2 a right password", bind_request(&person("bob"), b"bob-secret"), "0"),
        row("RFC 4513 5.1.3 a wrong one", bind_request(&person("bob"), b"wrong"), "49"),
        row("4.2.1 nobody by then", alice(), "50"),
        row("RFC 4513 5.1.3 nobody of that name", bind_request(&person("nobody"), b"x"), "49"),
        row("RFC 4513 5.1.2 name without password", bind_request(&person("bob"), b""), "53"),
        row("RFC 4513 5.1.1 anonymous", bind_request("", b""), "0"),
        row("4.2 no name", bind_request("no name", b"x"), "34"),
        row("4.2 version 2", version(2), "2"),
        row("4.2 version 4", version(4), "2"),
        row("RFC 4513 5.2 no such mechanism", sasl, "7"),
        row("4.2 once more", as_alice(), "0"),
        row("4.2.1 somebody again", alice(), "0 alice"),
        row("4.12 no such operation", extended_request(UNKNOWN, None), "2"),
        row("RFC 4532 who am I", who(), "0"),
        row("RFC 4532 with a value", extended_request(WHO_AM_I, Some(b"x")), "2"),
        row("4.14.2 StartTLS over TLS", extended_request(START_TLS, None), "1"),
        row("RFC 3062 of another", password_request(Some(&person("carol")), b"new"), "0"),
        row("RFC 3062 and it is so", bind_request(&person("carol"), b"new"), "0"),
        row("RFC 3062 of one's own", password_request(None, b"newer"), "0"),
        row("RFC 3062 and it is so", bind_request(&person("carol"), b"newer"), "0"),
        row("RFC 3062 the old one", bind_request(&person("carol"), b"new"), "49"),
        row("4.3 unbind", tlv(tag::UNBIND, b""), "closed"),
        with("4.3 unbind, controls or not", tlv(tag::UNBIND, b""), vec![control(UNKNOWN, true, None)], "closed"),
    ]);
}

#[test]
fn controls() {
    let unknown = |critical| vec![control(UNKNOWN, critical, None)];
    let bob = person("bob");
    let title = |value: &[u8]| modify_request(&bob, 2, "title", &[value]);
    let referral = Search::new(format!("cn=away,ou=elsewhere,{BASE}")).scope(SCOPE_BASE).attributes(&["ref"]).encoded();
    let manage = |critical| vec![control(MANAGE_DSA_IT, critical, None)];
    let if_ = |text: &str| vec![control(ASSERTION, true, Some(&filter(text)))];
    let read = |oid, names: &[&str]| {
        let names: Vec<u8> = names.iter().flat_map(octets).collect();
        vec![control(oid, true, Some(&tlv(0x30, &names)))]
    };
    let matched = vec![control(MATCHED_VALUES, true, Some(&tlv(0x30, &filter("(objectClass=posixAccount)"))))];
    let sort = |name: &str, critical| vec![control(SORT, critical, Some(&sequence(&[&sequence(&[&octets(name)])])))];
    let twice = vec![control(MANAGE_DSA_IT, false, None), control(MANAGE_DSA_IT, false, None)];
    agree(&[
        with("4.1.11 unknown and critical, search", alice(), unknown(true), "12"),
        with("4.1.11 unknown and not", alice(), unknown(false), "0 alice"),
        with("4.1.11 unknown and critical, modify", title(b"no"), unknown(true), "12"),
        with("4.1.11 unknown and critical, add", add_request("cn=a,dc=b", &[("cn", "a")]), unknown(true), "12"),
        with("4.1.11 unknown and critical, delete", delete_request(&bob), unknown(true), "12"),
        with("4.1.11 unknown and critical, compare", compare_request(&bob, "uid", "bob"), unknown(true), "12"),
        with("4.1.11 unknown and not, compare", compare_request(&bob, "uid", "bob"), unknown(false), "6"),
        with("4.1.11 unknown and critical, extended", extended_request(WHO_AM_I, None), unknown(true), "12"),
        row(
            "4.1.11 and nothing was done",
            Search::new(&bob).scope(SCOPE_BASE).attributes(&["title"]).encoded(),
            "0 bob",
        ),
        with("4.1.11 one twice", alice(), twice, "2"),
        with("RFC 3296 a referral as an entry", referral.clone(), manage(true), "0 away"),
        with("RFC 3296 not critical", referral, manage(false), "0 away"),
        with("RFC 3672 only subentries", alice(), vec![control(SUBENTRIES, true, Some(&boolean(true)))], "0"),
        with("RFC 3672 only entries", alice(), vec![control(SUBENTRIES, true, Some(&boolean(false)))], "0 alice"),
        with("RFC 4528 it holds", title(b"one"), if_("(uid=bob)"), "0"),
        with("RFC 4528 it does not", title(b"two"), if_("(uid=x)"), "122"),
        with("RFC 4528 a compare", compare_request(&bob, "title", "one"), if_("(uid=bob)"), "6"),
        with("RFC 4527 before", title(b"three"), read(PRE_READ, &["title"]), "0"),
        with("RFC 4527 after", title(b"four"), read(POST_READ, &["title", "uid"]), "0"),
        with("RFC 3876 matched values", alice(), matched, "0 alice"),
        with("RFC 2891 sorted", alice(), sort("uidNumber", true), "0 alice"),
        with("RFC 2891 by what has no order", alice(), sort("uid", true), "18"),
        with("RFC 2891 by what there is not", alice(), sort("no-such-type", true), "16"),
    ]);
}

/// RFC 2891 2: in the order that was asked for.
#[test]
fn sorted_results() {
    let order = same(|target| {
        let mut client = target.client();
        client.bind_as("alice");
        let key = |reverse: bool| {
            let rest = if reverse { tlv(0x81, &[0xff]) } else { Vec::new() };
            control(SORT, true, Some(&sequence(&[&sequence(&[&octets("uidNumber"), &rest])])))
        };
        [false, true].map(|reverse| {
            let people = Search::new(format!("ou=people,{BASE}")).scope(SCOPE_ONE).control(key(reverse));
            let found = client.search(&people);
            (found.entries.into_iter().map(|entry| entry.dn).collect::<Vec<_>>(), found.answer.code, found.controls)
        })
    });
    assert_eq!((order[0].0.len(), order[0].0[0].as_str()), (7, person("alice").as_str()));
    assert!(order[0].0.iter().eq(order[1].0.iter().rev()), "{order:?}");
}

/// RFC 2696 3: every page but the last with a cookie; of size 0: given up.
#[test]
fn paged_results() {
    let pages = same(|target| {
        let mut client = target.client();
        client.bind_as("alice");
        let mut ask = |size: i32, cookie: &[u8]| {
            let value = sequence(&[&integer(size), &octets(cookie)]);
            let people = Search::new(format!("ou=people,{BASE}")).scope(SCOPE_ONE);
            let found = client.search(&people.control(control(PAGED, true, Some(&value))));
            let answer = found.controls.iter().find(|(oid, _)| oid == PAGED).map(|(_, value)| value.clone());
            let cookie = answer.map(|value| {
                let inner = crate::support::ber::children(&value)[0].1.to_vec();
                crate::support::ber::children(&inner)[1].1.to_vec()
            });
            (found.entries.len(), found.answer.code, cookie.unwrap_or_default())
        };
        let mut out = Vec::new();
        let mut cookie = Vec::new();
        for size in [3, 3, 3] {
            let (entries, code, next) = ask(size, &cookie);
            out.push((entries, code, next.is_empty()));
            cookie = next;
        }
        let (.., cookie) = ask(2, b"");
        let (entries, code, next) = ask(0, &cookie);
        out.push((entries, code, next.is_empty()));
        out
    });
    assert_eq!(pages[..3], [(3, 0, false), (3, 0, false), (1, 0, true)]);
    assert_eq!((pages[3].0, pages[3].2), (0, true));
}

/// RFC 4511 4.11, 4.1.11: neither an abandon nor its controls are answered, whatever it names.
#[test]
fn an_abandon_is_not_answered() {
    let told = same(|target| {
        let mut client = target.client();
        client.bind_as("alice");
        for id in [0, 1, 77, i32::MAX] {
            client.send(&tlv(tag::ABANDON, &integer(id)[2..]), &[]);
            client.send(&tlv(tag::ABANDON, &integer(id)[2..]), &[control(UNKNOWN, false, None)]);
        }
        client.who_am_i()
    });
    assert_eq!(told, format!("dn:{}", person("alice")));
}
