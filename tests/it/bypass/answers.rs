//! What an answer says besides its entries: response controls, limits, matched names and codes. They are the directory's own
//! wherever that tells nothing of what is hidden, and the same whatever is hidden.

use crate::support::ber::{integer, octets, sequence, tlv};
use crate::support::gate::Setup;
use crate::support::ldap::{Client, Found, SCOPE_BASE, SCOPE_ONE, Search, compare_request, control, modify_request};
use crate::support::slapd::{BASE, Extra, SERVICE_DN, person};
use crate::support::target::Target;

const PAGED: &str = "1.2.840.113556.1.4.319";
const SORT: &str = "1.2.840.113556.1.4.473";
/// An attribute is hidden everywhere as well.
const HASHES: &str = "[[resource]]\nname = \"hashes\"\nbase = \"dc=example,dc=com\"\nattributes = [\"userPassword\"]\n\
                      operations = [\"search\", \"compare\"]\n";

fn page(size: i32, cookie: &[u8]) -> Vec<u8> {
    control(PAGED, false, Some(&sequence(&[&integer(size), &octets(cookie)])))
}

fn sorted(attribute: &str) -> Vec<u8> {
    control(SORT, false, Some(&sequence(&[&sequence(&[&octets(attribute)])])))
}

/// The same clients directly and through a gate, each bound as alice.
fn pair(extra: fn() -> Extra, setup: Setup) -> [(Target, Client); 2] {
    [Target::direct(extra()), Target::gated(extra(), setup)].map(|target| {
        let mut client = target.client();
        client.bind_as("alice");
        (target, client)
    })
}

fn controls(found: &Found) -> Vec<&str> {
    found.controls.iter().map(|(oid, _)| oid.as_str()).collect()
}

fn aliases() -> Extra {
    let alias = |name: &str, target: &str| {
        format!(
            "dn: cn={name},ou=aliases,{BASE}\nobjectClass: alias\nobjectClass: extensibleObject\ncn: {name}\n\
             aliasedObjectName: {target},{BASE}\n\n"
        )
    };
    let ldif = [alias("nothing", "uid=nobody,ou=payroll"), alias("people", "ou=people")].concat();
    Extra { ldif, ..Extra::default() }
}

#[test]
fn paged_and_sorted_answers_have_their_control_whatever_aliases_are_followed() {
    let [(_direct, mut direct), (_gate, mut gated)] = pair(aliases, Setup::default());
    for (asked, oid) in [(page(5, b""), PAGED), (sorted("modifyTimestamp"), "1.2.840.113556.1.4.474")] {
        for deref in 0..4 {
            for (base, scope) in [
                (format!("ou=people,{BASE}"), 2),
                (format!("ou=people,{BASE}"), SCOPE_ONE),
                (BASE.to_owned(), 2),
                (person("bob"), SCOPE_BASE),
                (format!("cn=people,ou=aliases,{BASE}"), SCOPE_ONE),
                (format!("ou=nowhere,{BASE}"), 2),
            ] {
                let search = Search::new(&base).scope(scope).deref(deref).filter("(uid=nosuch)");
                let [there, here] = [&mut direct, &mut gated].map(|c| c.search(&search.clone().control(asked.clone())));
                assert_eq!(there.summary(), here.summary(), "{base} {scope} {deref}");
                assert_eq!(controls(&there), controls(&here), "{base} {scope} {deref}");
                assert_eq!(here.answer.code == 0, controls(&here) == [oid], "{base} {scope} {deref}");
            }
        }
    }
}

/// Both at once, where the answer must not tell whether the entry that an alias leads to is there.
#[test]
fn response_controls_do_not_tell_what_an_alias_leads_to() {
    let [(_direct, _), (_gate, mut gated)] = pair(aliases, Setup::default());
    for deref in [2, 3] {
        for asked in [vec![page(5, b"")], vec![sorted("cn")], vec![sorted("cn"), page(1, b"")], vec![page(0, b"")]] {
            let mut answers = Vec::new();
            for (name, scope) in
                [("record", 0), ("record", 1), ("record", 2), ("payroll", 2), ("nothing", 0), ("nothing", 2)]
            {
                let mut search = Search::new(format!("cn={name},ou=aliases,{BASE}")).scope(scope).deref(deref);
                search.controls = asked.clone();
                let found = gated.search(&search);
                assert!(found.entries.is_empty());
                answers.push((found.answer, found.controls));
            }
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{deref}: {answers:?}");
        }
    }
}

fn limited() -> Extra {
    let mut ldif = String::new();
    for n in 0..26 {
        ldif.push_str(&format!("dn: {}\nobjectClass: account\nuid: u{n:02}\n\n", person(&format!("u{n:02}"))));
    }
    Extra {
        ldif,
        configuration: "sizelimit size.soft=5 size.hard=15".to_owned(),
        database: format!("limits dn.exact=\"{SERVICE_DN}\" size=unlimited"),
        ..Extra::default()
    }
}

#[test]
fn a_size_limit_that_the_client_asks_for_is_the_directorys_to_grant() {
    for setup in [Setup::default(), Setup::default().and(HASHES)] {
        let [(_direct, mut direct), (_gate, mut gated)] = pair(limited, setup);
        for base in [BASE.to_owned(), format!("ou=people,{BASE}")] {
            for limit in [0, 3, 5, 10, 15, 20, 100, i32::MAX] {
                let search = Search::new(&base).filter("(uid=*)").limit(limit);
                let [there, here] = [&mut direct, &mut gated].map(|client| {
                    let found = client.search(&search);
                    (found.answer.code, found.entries.len())
                });
                assert_eq!(there, here, "{base} {limit}");
                let [there, here] = [&mut direct, &mut gated].map(|client| {
                    let (mut cookie, mut seen) = (Vec::new(), Vec::new());
                    loop {
                        let found = client.search(&search.clone().control(page(4, &cookie)));
                        seen.push((found.answer.code, found.entries.len()));
                        cookie = cookie_of(&found);
                        if cookie.is_empty() || seen.len() > 20 {
                            return seen;
                        }
                    }
                });
                assert_eq!(there, here, "{base} {limit}, in pages");
            }
        }
    }
}

fn cookie_of(found: &Found) -> Vec<u8> {
    let Some((_, value)) = found.controls.iter().find(|(oid, _)| oid == PAGED) else { return Vec::new() };
    // SEQUENCE { INTEGER of one octet, OCTET STRING }.
    value[2 + 2 + usize::from(value[3])..][2..].to_vec()
}

#[test]
fn a_first_page_of_no_entries_has_its_control_and_a_cookie_that_tells_nothing() {
    let [(_direct, mut direct), (_gate, mut gated)] = pair(Extra::default, Setup::default());
    for filter in ["(uid=alice)", "(uid=nosuch)", "(sn=Surname)"] {
        for base in [BASE.to_owned(), format!("ou=people,{BASE}")] {
            let search = Search::new(&base).filter(filter).control(page(0, b""));
            let [there, here] = [&mut direct, &mut gated].map(|client| client.search(&search));
            assert_eq!((there.summary(), controls(&there)), (here.summary(), controls(&here)), "{base} {filter}");
        }
        // Above what is hidden, all begins with the next page, whether or not anything is found.
        let search = Search::new(BASE).filter(filter);
        let cookie = cookie_of(&gated.search(&search.clone().control(page(0, b""))));
        assert!(cookie.starts_with(b"tidegate"), "{filter}");
        let next = gated.search(&search.clone().control(page(100, &cookie)));
        assert_eq!(next.summary(), gated.search(&search).summary(), "{filter}");
        assert_eq!(cookie_of(&next), b"");
    }
    let nowhere = Search::new(format!("ou=nowhere,{BASE}")).control(page(0, b""));
    let [there, here] = [&mut direct, &mut gated].map(|client| client.search(&nowhere).answer);
    assert_eq!((there.code, there), (32, here));
}

#[test]
fn the_matched_name_is_kept_where_it_is_not_hidden() {
    let [(_direct, mut direct), (_gate, mut gated)] = pair(Extra::default, Setup::default().and(HASHES));
    for (base, filter) in [
        (format!("uid=nobody,ou=people,{BASE}"), "(objectClass=*)"),
        (format!("uid=nobody,ou=people,{BASE}"), "(userPassword=x)"),
        (format!("uid=x,ou=y,uid=bob,ou=people,{BASE}"), "(uid=*)"),
        (format!("ou=nowhere,{BASE}"), "(uid=*)"),
    ] {
        for attributes in [&["1.1"][..], &["*"], &["userPassword"]] {
            for scope in 0..3 {
                let search = Search::new(&base).scope(scope).filter(filter).attributes(attributes);
                let [there, here] = [&mut direct, &mut gated].map(|client| client.search(&search).answer);
                assert_eq!(there, here, "{base} {filter} {scope}");
            }
        }
        let [there, here] = [&mut direct, &mut gated].map(|client| client.ask(&compare_request(&base, "cn", "x"), &[]));
        assert_eq!((there.code, there.matched), (here.code, here.matched));
    }
}

#[test]
fn an_attribute_that_no_schema_knows_is_undefined_and_not_protected() {
    let members = "[[resource]]\nname = \"ghosts\"\nbase = \"ou=groups,dc=example,dc=com\"\nattributes = [\"ghost\"]\n";
    let [(_direct, mut direct), (_gate, mut gated)] = pair(Extra::default, Setup::default().and(HASHES).and(members));
    for name in ["unheardOf", "unheardOf;lang-de", "1.2.3.4.5.6", "userPasswort"] {
        for request in [
            compare_request(&person("bob"), name, "x"),
            modify_request(&person("bob"), 2, name, &[b"x"]),
            modify_request(&person("nobody"), 2, name, &[b"x"]),
        ] {
            let [there, here] = [&mut direct, &mut gated].map(|client| client.ask(&request, &[]).code);
            assert_eq!((there, here), (17, 17), "{name}");
        }
    }
    // What the schema knows is protected by every name, and so is what a resource names that no schema knows.
    for (dn, name) in [("bob", "userPassword"), ("bob", "2.5.4.35"), ("bob", "USERPASSWORD;x-y")] {
        assert_eq!(gated.ask(&compare_request(&person(dn), name, "x"), &[]).code, 50, "{name}");
    }
    assert_eq!(gated.ask(&compare_request(&format!("cn=hr,ou=groups,{BASE}"), "Ghost", "x"), &[]).code, 50);
}

/// An or of so many names, of which only the last is there.
fn names(count: usize) -> Vec<u8> {
    let name = |n: usize| if n + 1 == count { "bob".to_owned() } else { format!("x{n}") };
    tlv(0xa1, &(0..count).flat_map(|n| tlv(0xa3, &[octets("uid"), octets(name(n))].concat())).collect::<Vec<u8>>())
}

#[test]
fn a_filter_of_many_names_is_answered_and_beyond_the_bound_named() {
    let extra = || Extra { database: format!("limits dn.exact=\"{SERVICE_DN}\" size=unlimited"), ..Extra::default() };
    let [(_direct, mut direct), (_gate, mut gated)] = pair(extra, Setup::default().and(HASHES));
    for count in [4000, 8192, 30_000] {
        for base in [BASE.to_owned(), person("bob")] {
            let search = Search { filter: names(count), ..Search::new(&base) };
            let [there, here] = [&mut direct, &mut gated].map(|client| client.search(&search));
            assert_eq!(
                (there.summary(), here.summary()),
                ((0, vec![person("bob").as_str()]), there.summary()),
                "{count}"
            );
        }
    }
    let bounded = Target::gated(Extra::default(), Setup::default().listen_lines("max_filter_parts = 100"));
    let mut client = bounded.client();
    client.bind_as("alice");
    let mut answer = |count| client.search(&Search { filter: names(count), ..Search::new(BASE) }).answer;
    assert_eq!(answer(99).code, 0);
    let refused = answer(100);
    assert_eq!((refused.code, refused.message.contains("100 (max_filter_parts)")), (11, true), "{refused:?}");
    assert_eq!(answer(99).code, 0, "the session continues");
}
