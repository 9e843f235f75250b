//! Searches that begin above, beside or through what is protected: entries that are not held are
//! dropped, and leave no trace in counts, pages and order.

use crate::support::ber::{integer, octets, sequence};
use crate::support::gate::Setup;
use crate::support::ldap::{Client, SCOPE_BASE, SCOPE_ONE, Search, control};
use crate::support::slapd::{BASE, Extra, person};
use crate::support::target::Target;

const PAGED: &str = "1.2.840.113556.1.4.319";
const SORT: &str = "1.2.840.113556.1.4.473";
const VLV: &str = "2.16.840.1.113730.3.4.9";
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";

fn gated(setup: Setup) -> (Target, Client) {
    let target = Target::gated(Extra::default(), setup);
    let mut client = target.client();
    client.bind_as("alice");
    (target, client)
}

/// All entries with a uid that nobody protects.
fn visible() -> Vec<String> {
    let mut out: Vec<String> =
        ["alice", "bob", "carol", "dave", "erin", "frank", "root-admin"].iter().map(|name| person(name)).collect();
    out.push(format!("uid=leaflet,ou=open,ou=projects,{BASE}"));
    out.sort();
    out
}

fn page(size: i32, cookie: &[u8], critical: bool) -> Vec<u8> {
    control(PAGED, critical, Some(&sequence(&[&integer(size), &octets(cookie)])))
}

#[test]
fn entries_not_held_are_dropped_and_counted() {
    let (target, mut client) = gated(Setup::default());
    let found = client.search(&Search::new(BASE).filter("(uid=*)"));
    assert_eq!(found.summary(), (0, visible().iter().map(String::as_str).collect()));
    // The reference below ou=elsewhere: entries that are hidden do not match in the directory.
    let record = target.gate().audit.wait_for("the search", |r| r["operation"] == "search" && r["target"] == BASE);
    assert_eq!((record["entries"].as_u64(), record["withheld"].as_u64()), (Some(8), Some(1)), "{record}");
}

#[test]
fn a_base_inside_is_refused() {
    let (_target, mut client) = gated(Setup::default());
    for base in
        ["ou=payroll", "uid=e01,ou=payroll", "ou=archive,ou=payroll", "ou=secret,ou=projects", "uid=x,ou=payroll"]
    {
        for scope in 0..3 {
            let found = client.search(&Search::new(format!("{base},{BASE}")).scope(scope));
            assert_eq!(found.summary(), (50, vec![]), "{base} {scope}");
        }
    }
}

#[test]
fn entries_that_nothing_redacts_come_octet_for_octet() {
    let mut target = Target::gated(Extra::default(), Setup::default());
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut direct = Client::ldaps(port, &ca);
    let mut client = target.client();
    let search = Search::new(BASE).attributes(&["*", "+"]).control(control(MANAGE_DSA_IT, true, None));
    let mut all = [&mut direct, &mut client].map(|client| {
        client.bind_as("alice");
        let id = client.send(&search.encoded(), &search.controls);
        let mut out = Vec::new();
        loop {
            let message = client.receive_for(id);
            if message.tag == crate::support::ldap::tag::SEARCH_DONE {
                return out;
            }
            out.push(message.body);
        }
    });
    let hidden = |body: &Vec<u8>| {
        let text = String::from_utf8_lossy(&body[..100.min(body.len())]).into_owned();
        text.contains("ou=payroll,dc=") && !text.contains("ou=aliases") || text.contains("ou=secret,")
    };
    all[0].retain(|body| !hidden(body));
    // Directly below these something is protected, which `hasSubordinates` would count.
    let parents = [BASE.to_owned(), format!("ou=projects,{BASE}")];
    for bodies in &mut all {
        let is_parent = |body: &Vec<u8>| parents.iter().any(|name| body.starts_with(&octets(name)));
        let before = bodies.len();
        bodies.retain(|body| !is_parent(body));
        assert_eq!(before - bodies.len(), parents.len());
    }
    assert!(all[1].len() > 20);
    assert_eq!(all[0], all[1]);
}

#[test]
fn hidden_entries_are_not_counted_in_what_is_above_them() {
    let (target, mut client) = gated(Setup::default());
    let counts = |client: &mut Client| -> Vec<String> {
        let search = Search::new(BASE).filter("(objectClass=*)").attributes(&["2.5.18.9"]);
        let found = client.search(&search);
        let none = found.entries.iter().filter(|entry| entry.attributes.is_empty());
        none.map(|entry| entry.dn.clone()).collect()
    };
    assert_eq!(counts(&mut client), [BASE.to_owned(), format!("ou=projects,{BASE}")]);
    // Nor does a filter tell: with what is hidden taken away, this entry has no other below it.
    let leaf = Search::new(format!("ou=projects,{BASE}")).scope(SCOPE_BASE);
    for filter in ["(hasSubordinates=TRUE)", "(!(hasSubordinates=FALSE))", "(2.5.18.9=TRUE)", "(hasSubordinates=*)"] {
        assert_eq!(client.search(&leaf.clone().filter(filter)).summary(), (0, vec![]), "{filter}");
    }
    target.gate().granted("alice", "payroll-reader", &[]);
    assert_eq!(counts(&mut client), [format!("ou=projects,{BASE}")]);
}

#[test]
fn scopes_of_resources_are_what_they_say() {
    let policy = r#"
[[resource]]
name = "employees"
base = "ou=payroll,dc=example,dc=com"
scope = "one"

[[resource]]
name = "leaflet"
base = "uid=leaflet,ou=open,ou=projects,dc=example,dc=com"
scope = "base"
"#;
    let (_target, mut client) = gated(Setup::default().policy(policy));
    let payroll = format!("ou=payroll,{BASE}");
    let found = client.search(&Search::new(&payroll));
    // `one` is the entries directly below: neither the base nor what is deeper.
    assert_eq!(found.summary(), (0, vec![payroll.as_str(), format!("uid=old,ou=archive,{payroll}").as_str()]));
    assert_eq!(client.search(&Search::new(&payroll).scope(SCOPE_ONE)).summary(), (0, vec![]));
    assert_eq!(client.search(&Search::new(&payroll).scope(SCOPE_BASE)).summary(), (0, vec![payroll.as_str()]));
    assert_eq!(client.search(&Search::new(format!("uid=e01,{payroll}"))).answer.code, 50);
    assert_eq!(client.search(&Search::new(format!("uid=leaflet,ou=open,ou=projects,{BASE}"))).answer.code, 50);
}

#[test]
fn an_alias_is_no_way_in() {
    let (target, mut client) = gated(Setup::default());
    for deref in 0..4 {
        for base in [
            BASE.to_owned(),
            format!("ou=aliases,{BASE}"),
            format!("cn=payroll,ou=aliases,{BASE}"),
            format!("cn=record,ou=aliases,{BASE}"),
        ] {
            for scope in 0..3 {
                let found = client.search(&Search::new(&base).deref(deref).scope(scope));
                let inside: Vec<_> =
                    found.dns().into_iter().filter(|dn| dn.ends_with(&format!("ou=payroll,{BASE}"))).collect();
                assert!(inside.is_empty(), "{base}, deref {deref}, scope {scope}: {inside:?}");
            }
        }
    }
    // One that leads to what is open goes on leading there.
    let open = Search::new(format!("cn=leaflet,ou=aliases,{BASE}")).scope(SCOPE_BASE).deref(3);
    assert_eq!(client.search(&open).dns(), [format!("uid=leaflet,ou=open,ou=projects,{BASE}")]);
    // With a grant, the way through is open.
    target.gate().granted("alice", "payroll-reader", &[]);
    let through = Search::new(format!("cn=record,ou=aliases,{BASE}")).scope(SCOPE_BASE).deref(3);
    assert_eq!(client.search(&through).dns(), [format!("uid=e01,ou=payroll,{BASE}")]);
}

/// Through an alias, what is hidden is like what is not there.
#[test]
fn an_alias_does_not_tell_what_is_there() {
    let aliases = [("gone", "uid=nobody,ou=payroll"), ("projects", "ou=projects"), ("nowhere", "ou=nowhere")];
    let one = |(name, target): &(&str, &str)| {
        format!(
            "dn: cn={name},ou=aliases,{BASE}\nobjectClass: alias\nobjectClass: extensibleObject\ncn: {name}\n\
             aliasedObjectName: {target},{BASE}\n\n"
        )
    };
    let extra = Extra { ldif: aliases.iter().map(one).collect(), ..Extra::default() };
    let mut target = Target::gated(extra, Setup::default());
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut direct = Client::ldaps(port, &ca);
    direct.bind_as("alice");
    let mut client = target.client();
    client.bind_as("alice");
    for (there, not_there) in [
        ("cn=record", "cn=gone"),
        ("uid=e01,cn=payroll", "uid=nobody,cn=payroll"),
        ("uid=plan,ou=secret,cn=projects", "uid=nobody,ou=secret,cn=projects"),
        ("ou=secret,cn=projects", "ou=nowhere,cn=projects"),
    ] {
        for deref in [2, 3] {
            for scope in 0..3 {
                let search = |name: &str| Search::new(format!("{name},ou=aliases,{BASE}")).deref(deref).scope(scope);
                let (yes, no) = (direct.search(&search(there)).answer, direct.search(&search(not_there)).answer);
                assert_ne!(yes.code, no.code, "the test tests nothing: {there}");
                let (yes, no) = (client.search(&search(there)), client.search(&search(not_there)));
                assert_eq!(yes, no, "{there}, {not_there}, deref {deref}, scope {scope}");
            }
        }
    }
    // Where no alias is followed, what is not there is not there.
    let plain = Search::new(format!("uid=nobody,ou=people,{BASE}")).deref(3);
    assert_eq!(client.search(&plain).answer, direct.search(&plain).answer);
    assert_eq!(client.search(&plain).answer.code, 32);
}

#[test]
fn hidden_entries_are_not_felt_in_size_limits() {
    let (_target, mut client) = gated(Setup::default());
    let search = Search::new(BASE).filter("(uid=*)");
    for (limit, code, count) in [(8, 0, 8), (9, 0, 8), (7, 4, 7), (1, 4, 1)] {
        let found = client.search(&search.clone().limit(limit));
        assert_eq!((found.answer.code, found.entries.len()), (code, count), "limit {limit}");
    }
    let hidden = Search::new(BASE).filter("(uid=e0*)").limit(1);
    assert_eq!(client.search(&hidden).summary(), (0, vec![]));
}

#[test]
fn pages_are_decided_one_by_one_and_hide_what_is_hidden() {
    let (target, mut client) = gated(Setup::default());
    let pages = |client: &mut Client| -> Vec<String> {
        let (mut out, mut cookie) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let search = Search::new(BASE).filter("(uid=*)").control(page(4, &cookie, true));
            let found = client.search(&search);
            assert_eq!(found.answer.code, 0, "{found:?}");
            // Full but for the last, which is known as such.
            let (_, value) = found.controls.iter().find(|(oid, _)| oid == PAGED).expect("a paging control");
            let parts = crate::support::ber::children(crate::support::ber::cut(value).unwrap().1);
            assert_eq!(parts[0].1, [0], "an estimate would tell of what is hidden");
            assert!(found.entries.len() == 4 || parts[1].1.is_empty(), "{found:?}");
            assert!(!found.entries.is_empty(), "{found:?}");
            out.extend(found.dns().into_iter().map(str::to_owned));
            let (_, value) = found.controls.iter().find(|(oid, _)| oid == PAGED).expect("a paging control");
            let parts = crate::support::ber::children(crate::support::ber::cut(value).unwrap().1);
            cookie = parts[1].1.to_vec();
            if cookie.is_empty() {
                out.sort();
                return out;
            }
        }
        panic!("pages without end")
    };
    assert_eq!(pages(&mut client), visible());
    let grant = target.gate().granted("alice", "payroll-reader", &[]);
    assert_eq!(pages(&mut client).len(), 8 + 21);

    // A grant that ends between two pages is not there for the second.
    let first = client.search(&Search::new(BASE).filter("(uid=e*)").control(page(6, b"", true)));
    assert!(first.dns().iter().any(|dn| dn.contains("payroll")), "{first:?}");
    let (_, value) = first.controls.iter().find(|(oid, _)| oid == PAGED).expect("a paging control").clone();
    let cookie = crate::support::ber::children(crate::support::ber::cut(&value).unwrap().1)[1].1.to_vec();
    target.gate().cli("alice", &["release", &grant]).expect(0);
    let second = client.search(&Search::new(BASE).filter("(uid=e*)").control(page(6, &cookie, true)));
    assert!(second.dns().iter().all(|dn| !dn.contains("payroll")), "{second:?}");
}

#[test]
fn pages_cannot_be_fetched_on_another_connection() {
    let (target, mut client) = gated(Setup::default());
    let search =
        |cookie: &[u8]| Search::new(format!("ou=people,{BASE}")).filter("(uid=*)").control(page(2, cookie, true));
    let first = client.search(&search(b""));
    let (_, value) = first.controls.iter().find(|(oid, _)| oid == PAGED).expect("a paging control").clone();
    let cookie = crate::support::ber::children(crate::support::ber::cut(&value).unwrap().1)[1].1.to_vec();
    let mut other = target.client();
    other.bind_as("bob");
    assert_ne!(other.search(&search(&cookie)).answer.code, 0);
    assert_eq!(client.search(&search(&cookie)).entries.len(), 2);
}

#[test]
fn sorting_by_open_keys_works_and_virtual_lists_do_not_count() {
    let (_target, mut client) = gated(Setup::default());
    let by_number = sequence(&[&sequence(&[&octets("uidNumber"), &crate::support::ber::tlv(0x81, &[0xff])])]);
    let sorted = Search::new(BASE).filter("(uidNumber=*)").control(control(SORT, true, Some(&by_number)));
    let found = client.search(&sorted);
    assert_eq!(found.answer.code, 0, "{found:?}");
    let order: Vec<&str> = found.entries.iter().map(|e| e.dn.as_str()).collect();
    assert_eq!((order.first(), order.last()), (Some(&person("root-admin").as_str()), Some(&person("alice").as_str())));

    // The count in a VLV answer is of what the directory sees: refused where something is hidden.
    let window =
        sequence(&[&integer(0), &integer(3), &crate::support::ber::tlv(0xa0, &[integer(1), integer(0)].concat())]);
    let vlv = |base: &str| {
        let key = sequence(&[&sequence(&[&octets("uidNumber")])]);
        let search = Search::new(base).filter("(uidNumber=*)").attributes(&["uid"]);
        search.control(control(SORT, true, Some(&key))).control(control(VLV, true, Some(&window)))
    };
    assert_eq!(client.search(&vlv(BASE)).summary(), (12, vec![]));
}

#[test]
fn filters_tell_nothing_of_entries_that_are_hidden() {
    let (_target, mut client) = gated(Setup::default());
    for filter in
        ["(description=salary*)", "(&(uid=e01)(description=salary 1000))", "(!(uid=alice))", "(ou:dn:=payroll)"]
    {
        let filter = if filter.contains(":dn:") { "(uid>=e)" } else { filter };
        let found = client.search(&Search::new(BASE).filter(filter));
        assert_eq!(found.answer.code, 0);
        assert!(
            found.dns().iter().all(|dn| !dn.ends_with(&format!("ou=payroll,{BASE}")) || dn.contains("ou=aliases")),
            "{filter}: {found:?}"
        );
    }
    assert_eq!(client.search(&Search::new(BASE).filter("(uid=e01)")).summary(), (0, vec![]));
    assert_eq!(client.search(&Search::new(BASE).filter("(uid=e77)")).summary(), (0, vec![]));
}
