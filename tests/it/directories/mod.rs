//! The main scenario in front of each kind of directory: OpenLDAP, 389 Directory Server, Active Directory.

mod attributes;
mod ds389;
mod openldap;
mod samba;
mod views;

use crate::support::eventually;
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{
    Client, Entry, SCOPE_BASE, Search, add_request, compare_request, control, delete_request, modify_request,
};
use crate::support::slapd::BASE;

const PAGED: &str = "1.2.840.113556.1.4.319";

/// A directory with people, groups and a payroll in it.
struct Directory {
    /// Lines of `[directory]`.
    lines: String,
    /// A connection straight to it.
    connect: Box<dyn Fn() -> Client>,
    names: fn(&str) -> String,
    password: fn(&str) -> String,
    /// An application's account, and the gate's.
    app: (String, String),
    service: (String, String),
    /// A record of the payroll.
    record: String,
    payroll: String,
    groups: String,
    /// A sort of entry that can be added below the payroll.
    class: &'static str,
}

impl Directory {
    /// A gate in front of it, the payroll protected.
    fn gate(&self, more: &str) -> Gate {
        let groups = &self.groups;
        let policy = format!(
            r#"
[[resource]]
name = "payroll"
base = "{payroll}"

[[role]]
name = "payroll-editor"
description = "Correct payroll records"
allow = [{{ resource = "payroll" }}]
eligible = ["group:cn=hr,{groups}"]
approvers = ["group:cn=hr-leads,{groups}"]
max_duration = "4h"
default_duration = "1h"
"#,
            payroll = self.payroll
        );
        let setup = Setup::default().policy(&policy).and(&attributes::policy(self)).and(more);
        setup.before(self.lines.clone(), self.service.clone(), self.names).start_before()
    }

    #[track_caller]
    fn bind(&self, client: &mut Client, name: &str) {
        let answer = client.bind(&(self.names)(name), (self.password)(name));
        assert_eq!(answer.code, 0, "{name}: {answer:?}");
    }
}

/// Entries without an order, but for what changes by itself.
fn settled(entries: &[Entry]) -> Vec<Entry> {
    const MOVING: [&str; 6] =
        ["lastLogon", "lastLogonTimestamp", "logonCount", "uSNChanged", "whenChanged", "badPasswordTime"];
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        entry.attributes.retain(|(name, _)| !MOVING.iter().any(|moving| name.eq_ignore_ascii_case(moving)));
        for (_, values) in &mut entry.attributes {
            values.sort();
        }
        entry.attributes.sort();
    }
    entries.sort_by(|a, b| a.dn.cmp(&b.dn));
    entries
}

/// Everything that a search brings in pages of `size`, critically.
fn paged(client: &mut Client, search: &Search, size: u8) -> (i32, Vec<String>, usize) {
    let (mut dns, mut cookie, mut pages) = (Vec::new(), Vec::new(), 0);
    loop {
        let value = crate::support::ber::sequence(&[
            &crate::support::ber::integer(i32::from(size)),
            &crate::support::ber::octets(&cookie),
        ]);
        let found = client.search(&search.clone().control(control(PAGED, true, Some(&value))));
        dns.extend(found.entries.iter().map(|entry| entry.dn.to_lowercase()));
        pages += 1;
        let answer = found.controls.iter().find(|(oid, _)| oid == PAGED);
        cookie = match answer.map(|(_, value)| crate::support::ber::children(value)) {
            Some(parts) if found.answer.code == 0 => {
                let parts = crate::support::ber::children(parts[0].1);
                parts[1].1.to_vec()
            }
            _ => Vec::new(),
        };
        if cookie.is_empty() {
            dns.sort();
            return (found.answer.code, dns, pages);
        }
        assert!(pages < 1000, "pages without end");
    }
}

/// What every directory must do behind a gate.
fn scenario(directory: &Directory, gate: &Gate) {
    let mut direct = (directory.connect)();
    in_clear_and_over_tls(directory, gate);
    let mut app = gate.client();
    for client in [&mut direct, &mut app] {
        assert_eq!(client.bind(&directory.app.0, "wrong").code, 49);
        let answer = client.bind(&directory.app.0, &directory.app.1);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
    what_is_open_is_the_same(directory, &mut direct, &mut app);
    what_is_protected_is_not_there(directory, &mut direct, &mut app);
    asked_for_granted_and_ended(directory, gate);
    attributes::some_are_protected(directory, gate, &mut direct, &mut app);
}

fn in_clear_and_over_tls(directory: &Directory, gate: &Gate) {
    let root = Search::new("").scope(SCOPE_BASE).attributes(&["*", "+"]);
    let mut client = Client::plain(gate.ldap);
    let found = client.search(&root);
    assert_eq!((found.answer.code, found.entries.len()), (0, 1), "{found:?}");
    let answer = client.bind(&directory.app.0, &directory.app.1);
    assert_eq!(answer.code, 13, "a password in clear: {answer:?}");
    client.start_tls(&gate.authority.ca);
    let found = client.search(&root);
    let all = &found.entries[0].attributes;
    let values = |name: &str| -> Vec<String> {
        let attribute = all.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        let values = attribute.map(|(_, values)| values.clone()).unwrap_or_default();
        values.iter().map(|value| String::from_utf8_lossy(value).to_lowercase()).collect()
    };
    // Active Directory has more than one, within each other.
    let contexts = values("namingContexts");
    assert!(contexts.contains(&BASE.to_owned()) && contexts.iter().all(|c| c.ends_with(BASE)), "{contexts:?}");
    assert!(values("supportedControl").contains(&PAGED.to_owned()));
    let promised = values("supportedExtension");
    assert!(promised.iter().all(|oid| tidegate::engine::access::EXTENSIONS.contains(&oid.as_str())), "{promised:?}");
    // The schema, as applications read it: by the name that the rootDSE gives it.
    let name = values("subschemaSubentry").remove(0);
    assert_eq!(client.bind(&directory.app.0, &directory.app.1).code, 0);
    let schema = Search::new(name).scope(SCOPE_BASE).attributes(&["attributeTypes", "objectClasses"]);
    let schema = client.search(&schema);
    assert_eq!((schema.answer.code, schema.entries.len()), (0, 1), "{:?}", schema.answer);
    assert!(schema.entries[0].attributes[0].1.len() > 100);
}

fn what_is_open_is_the_same(directory: &Directory, direct: &mut Client, app: &mut Client) {
    let alice = (directory.names)("alice");
    let people = alice.split_once(',').unwrap().1.to_owned();
    for search in [
        Search::new(&alice).scope(SCOPE_BASE).attributes(&["*", "+"]),
        Search::new(&alice).scope(SCOPE_BASE).attributes(&[]),
        Search::new(&people).filter("(objectClass=person)").attributes(&[
            "cn",
            "DESCRIPTION",
            "2.5.4.0",
            "noSuchAttribute",
        ]),
        Search::new(&people).filter("(&(cn=a*)(!(cn=app)))").attributes(&["cn"]),
        Search::new(&people).filter("(noSuchAttribute=x)"),
        Search::new(format!("cn=nobody,{people}")),
        Search::new(&directory.groups).filter(&format!("(member={alice})")).attributes(&["cn", "member"]),
        Search::new(&alice).scope(SCOPE_BASE).attributes(&["memberOf"]),
    ] {
        let (one, two) = (direct.search(&search), app.search(&search));
        assert_eq!(one.answer, two.answer, "{search:?}");
        assert_eq!(settled(&one.entries), settled(&two.entries), "{search:?}");
    }
    let compare = compare_request(&format!("cn=hr,{}", directory.groups), "member", &alice);
    assert_eq!((direct.ask(&compare, &[]).code, app.ask(&compare, &[]).code), (6, 6));
    // A modify, and what the directory says to one that it does not take.
    let own = (directory.names)("carol");
    assert_eq!(app.ask(&modify_request(&own, 2, "title", &[b"Lead"]), &[]).code, 0);
    let wrong = modify_request(&own, 0, "noSuchAttribute", &[b"x"]);
    assert_eq!(direct.ask(&wrong, &[]), app.ask(&wrong, &[]));
}

fn what_is_protected_is_not_there(directory: &Directory, direct: &mut Client, app: &mut Client) {
    let (payroll, record) = (&directory.payroll, &directory.record);
    let salaries = Search::new(BASE).filter("(description=salary*)");
    assert!(direct.search(&salaries).entries.len() > 4, "the test tests nothing");
    let found = app.search(&salaries);
    assert_eq!((found.answer.code, found.entries.len(), found.references), (0, 0, 0), "{found:?}");
    let there = app.search(&Search::new(record).scope(SCOPE_BASE));
    let absent = app.search(&Search::new(format!("cn=absent,{payroll}")).scope(SCOPE_BASE));
    assert_eq!((there.answer.code, &there.answer), (50, &absent.answer));
    assert_eq!(app.search(&Search::new(payroll)).answer.code, 50);
    for request in [
        modify_request(record, 2, "description", &[b"salary 9000"]),
        compare_request(record, "description", "salary 1000"),
        delete_request(record),
        add_request(&format!("cn=new,{payroll}"), &[("objectClass", directory.class), ("sn", "x"), ("cn", "new")]),
    ] {
        assert_eq!(app.ask(&request, &[]).code, 50);
    }
    // Page by page: all that is open, and nothing else.
    let everything = Search::new(BASE).filter("(objectClass=person)");
    let (code, all, _) = paged(direct, &everything, 3);
    assert_eq!(code, 0);
    let inside = |dn: &String| dn.ends_with(&payroll.to_lowercase());
    let open: Vec<String> = all.iter().filter(|dn| !inside(dn)).cloned().collect();
    assert!(open.len() < all.len() && open.len() > 5, "{all:?}");
    let (code, seen, pages) = paged(app, &everything, 3);
    assert_eq!((code, seen), (0, open));
    assert!(pages > 1);
}

fn asked_for_granted_and_ended(directory: &Directory, gate: &Gate) {
    let record = Search::new(&directory.record).scope(SCOPE_BASE).attributes(&["description"]);
    let raise = modify_request(&directory.record, 2, "description", &[b"salary 2000"]);
    let mut alice = gate.client();
    directory.bind(&mut alice, "alice");
    assert_eq!(alice.search(&record).answer.code, 50);
    let grant = gate.granted("alice", "payroll-editor", &["--for", "30m"]);
    let found = alice.search(&record);
    assert_eq!((found.answer.code, found.entries.len()), (0, 1), "{found:?}");
    assert_eq!(alice.ask(&raise, &[]).code, 0);
    assert_eq!(alice.search(&record).entries[0].attributes[0].1, [b"salary 2000".to_vec()]);
    let found = alice.search(&Search::new(BASE).filter("(description=salary*)"));
    assert!(found.entries.len() > 4, "{found:?}");
    gate.cli("root-admin", &["revoke", &grant, "--reason", "HR-7: done"]).expect(0);
    assert_eq!(alice.search(&record).answer.code, 50);
    assert_eq!(alice.ask(&raise, &[]).code, 50);
    assert_eq!(alice.search(&Search::new(BASE).filter("(description=salary*)")).entries, []);
}

/// Somebody in a group that is in the group counts as in it, for as long as both are so. `write` changes the directory by LDIF.
fn groups_in_groups(directory: &Directory, gate: &Gate, class: &str, write: &dyn Fn(&str, &str)) {
    let (inner, hr) = (format!("cn=inner,{}", directory.groups), format!("cn=hr,{}", directory.groups));
    let carol = (directory.names)("carol");
    let may = || {
        let roles = gate.json("carol", &["roles"]);
        roles
            .as_array()
            .unwrap()
            .iter()
            .any(|role| role["name"] == "payroll-editor" && role.get("unknown_groups").is_none())
    };
    assert!(!may());
    write("ldapadd", &format!("dn: {inner}\nobjectClass: {class}\ncn: inner\nmember: {carol}\n"));
    write("ldapmodify", &format!("dn: {hr}\nchangetype: modify\nadd: member\nmember: {inner}\n"));
    eventually("carol may request it", || may().then_some(()));
    let grant = gate.granted("carol", "payroll-editor", &[]);
    write("ldapmodify", &format!("dn: {inner}\nchangetype: modify\ndelete: member\nmember: {carol}\n"));
    eventually("her grant ends", || (gate.json("root-admin", &["show", &grant])["state"] == "revoked").then_some(()));
    write("ldapmodify", &format!("dn: {hr}\nchangetype: modify\ndelete: member\nmember: {inner}\n"));
    write("ldapmodify", &format!("dn: {inner}\nchangetype: delete\n"));
}
