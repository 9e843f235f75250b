//! Hidden entries do not match in the directory at all, where it can be asked so; and that changes nothing of what is shown.

use crate::support::ber::{children, integer, octets, sequence};
use crate::support::gate::{Gate, Setup};
use crate::support::ldap::{Client, SCOPE_BASE, Search, control};
use crate::support::slapd::{BASE, Extra, SERVICE_DN, Slapd, person};

const PAGED: &str = "1.2.840.113556.1.4.319";
const SORT: &str = "1.2.840.113556.1.4.473";

/// Entries, one entry, entries directly below, attributes of a part, and what opens some of each.
const POLICY: &str = r#"
[[resource]]
name = "payroll"
base = "ou=payroll,dc=example,dc=com"

[[resource]]
name = "leaflet"
base = "uid=leaflet,ou=open,ou=projects,dc=example,dc=com"
scope = "base"

[[resource]]
name = "groups"
base = "ou=groups,dc=example,dc=com"
scope = "one"

[[resource]]
name = "mails"
base = "ou=people,dc=example,dc=com"
attributes = ["mail", "uidNumber"]

[[role]]
name = "payroll-reader"
allow = [{ resource = "payroll", operations = ["search"] }]
eligible = ["anyone"]
approvers = ["dn:uid=bob,ou=people,dc=example,dc=com"]
max_duration = "4h"

[[role]]
name = "names-reader"
allow = [{ resource = "payroll", operations = ["search"], attributes = ["cn", "uid", "objectClass"] }]
eligible = ["anyone"]
approvers = ["dn:uid=bob,ou=people,dc=example,dc=com"]
max_duration = "4h"
"#;

fn gate(slapd: &Slapd, more: &str, policy_lines: &str) -> Gate {
    let lines = format!("urls = [\"ldap://127.0.0.1:{}\"]\n{more}", slapd.ldap);
    Setup::default().policy(POLICY).policy_lines(policy_lines).directory(lines).start(slapd)
}

/// The filters of the searches of this base that slapd was asked since.
fn asked(slapd: &Slapd, before: usize) -> Vec<String> {
    let log = slapd.log();
    let lines = log.get(before..).unwrap_or_default().lines().filter(|line| line.contains(" SRCH base="));
    lines
        .filter_map(|line| line.split_once(" filter=\""))
        .map(|(_, filter)| filter.trim_end_matches('"').to_owned())
        .collect()
}

#[test]
fn the_directory_is_asked_to_leave_out_what_is_hidden() {
    let slapd = Slapd::start();
    let gate = gate(&slapd, "", "");
    let mut client = gate.client_as("alice");
    let all = "(!(entryDN:dnOneLevelMatch:=ou=groups,dc=example,dc=com))(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=example,dc=com))(!(entryDN=uid=leaflet,ou=open,ou=projects,dc=example,dc=com))";
    let mine = |filters: Vec<String>| -> Vec<String> {
        filters.into_iter().filter(|filter| filter.contains("(uid=") || filter.contains("(mail=")).collect()
    };
    for (base, filter, expected) in [
        (BASE.to_owned(), "(uid=e01)", vec![format!("(&{all}(uid=e01))")]),
        (format!("ou=people,{BASE}"), "(uid=e01)", vec!["(uid=e01)".to_owned()]),
        (format!("ou=people,{BASE}"), "(|(uid=bob)(mail=x))", vec!["(uid=bob)".to_owned()]),
        (
            BASE.to_owned(),
            "(|(uid=bob)(mail=x))",
            vec![
                format!("(&{all}(!(entryDN:dnSubtreeMatch:=ou=people,dc=example,dc=com))(|(uid=bob)(mail=x)))"),
                format!("(&{all}(uid=bob))"),
            ],
        ),
    ] {
        let before = slapd.log().len();
        let found = client.search(&Search::new(base).filter(filter).attributes(&["cn"]));
        assert_eq!(found.answer.code, 0, "{found:?}");
        let mut filters = mine(asked(&slapd, before));
        // In which order they are asked for is no matter; slapd writes what it understood.
        filters.sort_by_key(|filter| std::cmp::Reverse(filter.len()));
        assert_eq!(filters, expected, "{filter}");
    }
    // What does not come is not counted as withheld.
    let found = client.search(&Search::new(BASE).filter("(description=salary*)"));
    assert_eq!((found.answer.code, found.entries.len()), (0, 0));
    let is_it = |r: &serde_json::Value| r["operation"] == "search" && r["filter"].to_string().contains("salary");
    let record = gate.audit.wait_for("the search", is_it);
    // But for the reference, which every search of the suffix brings.
    assert_eq!(record["withheld"].as_u64(), Some(1), "{record}");
}

/// Everything that a search shows, in any order, in pages or not.
fn shown(client: &mut Client, search: &Search, paged: bool) -> (i32, Vec<String>) {
    let (mut all, mut cookie) = (Vec::new(), Vec::new());
    loop {
        let value = sequence(&[&integer(3), &octets(&cookie)]);
        let asked = if paged { search.clone().control(control(PAGED, true, Some(&value))) } else { search.clone() };
        let found = client.search(&asked);
        for mut entry in found.entries {
            entry.attributes.sort();
            all.push(format!("{entry:?}"));
        }
        let answer = found.controls.iter().find(|(oid, _)| oid == PAGED);
        cookie = answer.map_or(Vec::new(), |(_, value)| children(children(value)[0].1)[1].1.to_vec());
        if cookie.is_empty() {
            all.sort();
            return (found.answer.code, all);
        }
    }
}

#[test]
fn what_is_shown_is_the_same() {
    let slapd = Slapd::with(Extra { big: (40, 10), ..Extra::default() });
    let gates = [gate(&slapd, "exclude_hidden = false", "exposed_searches_per_minute = 0"), gate(&slapd, "", "")];
    let mut compared = 0;
    for grants in [&[][..], &[("payroll-reader", "ou=archive,ou=payroll")], &[("names-reader", "ou=payroll")]] {
        for gate in &gates {
            for (role, base) in grants {
                gate.granted("alice", role, &["--base", &format!("{base},{BASE}")]);
            }
        }
        let mut clients = gates.each_ref().map(|gate| gate.client_as("alice"));
        let by_name = sequence(&[&sequence(&[&octets("cn")])]);
        for base in [BASE, "ou=projects,dc=example,dc=com", "ou=archive,ou=payroll,dc=example,dc=com", ""] {
            for (scope, deref) in [(1, 0), (2, 0), (2, 3), (3, 0), (SCOPE_BASE, 0)] {
                for filter in [
                    "(objectClass=*)",
                    "(uid=*)",
                    "(!(uid=alice))",
                    "(|(mail=b*)(cn=e01)(cn=old))",
                    "(hasSubordinates=TRUE)",
                    "(&(objectClass=inetOrgPerson)(!(mail=alice@example.com)))",
                    "(description=salary*)",
                    "(unheardOf=x)",
                ] {
                    let search = Search::new(base).scope(scope).deref(deref).filter(filter).attributes(&["*", "+"]);
                    let sorted = search.clone().control(control(SORT, false, Some(&by_name)));
                    for (search, paged) in
                        [(&search, false), (&search, true), (&sorted, false), (&search.clone().limit(4), false)]
                    {
                        let [before, now] = clients.each_mut().map(|client| shown(client, search, paged));
                        // Which of more entries than the limit come first is the directory's business.
                        let counted = |(code, all): &(i32, Vec<String>)| (*code, all.len());
                        assert_eq!(counted(&before), counted(&now), "{base:?} {scope} {deref} {filter} {paged}");
                        assert!(before == now || before.0 == 4, "{base:?} {scope} {deref} {filter} {paged}");
                        compared += before.1.len();
                    }
                }
            }
        }
    }
    assert!(compared > 1_000, "the test tests nothing: {compared}");
}

/// The directory's own limit counts what is shown, and nothing else.
#[test]
fn the_directorys_limits_do_not_count_what_is_hidden() {
    // Eight entries are shown; more than twenty others have such a name.
    let slapd = Slapd::with(Extra { configuration: "sizelimit 8".to_owned(), ..Extra::default() });
    for (more, code) in [("exclude_hidden = false", 4), ("", 0)] {
        let gate = gate(&slapd, more, "");
        let mut client = gate.client_as("alice");
        let found = client.search(&Search::new(BASE).filter("(uid=*)"));
        assert_eq!(found.answer.code, code, "{more}: {found:?}");
        if code == 0 {
            assert_eq!(found.entries.len(), 8);
        }
    }
}

/// Where hidden entries cannot be left out, how often they are searched for is bounded, for each person and over all of
/// their sessions.
#[test]
fn searches_that_the_directory_evaluates_hidden_entries_for_are_rate_limited() {
    let slapd = Slapd::start();
    let gate = gate(&slapd, "exclude_hidden = false", "exposed_searches_per_minute = 60");
    let search = Search::new(BASE).filter("(&(uid=e01)(description=salary*))");
    let codes: Vec<i32> = (0..25).map(|_| gate.client_as("alice").search(&search).answer.code).collect();
    let rejected = codes.iter().filter(|code| **code == 51).count();
    assert!(codes.iter().all(|code| matches!(code, 0 | 51)) && codes[..10].iter().all(|code| *code == 0), "{codes:?}");
    assert!(rejected > 0, "{codes:?}");
    // Others, and searches that reach nothing hidden, go on.
    let mut alice = gate.client_as("alice");
    let open = Search::new(format!("ou=projects,{BASE}")).scope(1);
    assert!((0..25).all(|_| alice.search(&open).answer.code == 0));
    assert_eq!(gate.client_as("bob").search(&search).answer.code, 0);
    let record = gate.audit.wait_for("a refusal", |r| r["result"] == 51);
    assert_eq!(
        (record["decision"].as_str(), record["reason"].as_str()),
        (Some("refused"), Some("rate of searches")),
        "{record}"
    );
}

/// Where the directory's access control keeps somebody from what excludes, they find what they find without the gate, and
/// no more; how often they may search is bounded.
#[test]
fn who_may_not_search_names_of_entries_finds_what_is_there() {
    let access = format!(
        "access to attrs=userPassword by anonymous auth\n\
         access to attrs=entry,children,objectClass,uid,cn,sn,mail by users read\n\
         access to * by dn.exact={SERVICE_DN} read by * none"
    );
    let slapd = Slapd::with(Extra { access, ..Extra::default() });
    let gate = gate(&slapd, "", "exposed_searches_per_minute = 60");
    let mut direct = Client::ldaps(slapd.ldaps, &slapd.authority.ca);
    direct.bind_as("alice");
    let excluding = "(&(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=example,dc=com))(uid=bob))";
    assert_eq!(direct.search(&Search::new(BASE).filter(excluding)).summary(), (0, vec![]), "the test tests nothing");
    for (uid, dns) in [("bob", vec![person("bob")]), ("e01", vec![]), ("nobody", vec![])] {
        let mut client = gate.client_as("alice");
        for _ in 0..2 {
            let found = client.search(&Search::new(BASE).filter(&format!("(uid={uid})")).attributes(&["cn"]));
            assert_eq!((found.answer.code, found.dns()), (0, dns.iter().map(String::as_str).collect()), "{uid}");
        }
    }
    let mut client = gate.client_as("alice");
    let codes: Vec<i32> = (0..25).map(|_| client.search(&Search::new(BASE).filter("(uid=e01)")).answer.code).collect();
    assert!(codes.contains(&51) && codes.iter().all(|code| matches!(code, 0 | 51)), "{codes:?}");
}
