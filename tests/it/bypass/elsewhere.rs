//! Directories that answer with entries from outside of the base and scope that were asked for: what an entry's own name says
//! holds whatever the search was.

use crate::support::gate::Setup;
use crate::support::ldap::{Client, SCOPE_BASE, SCOPE_ONE, Search};
use crate::support::slapd::{BASE, Extra};
use crate::support::target::Target;

/// Passwords are protected everywhere, the payroll as a whole.
const POLICY: &str = r#"
[[resource]]
name = "payroll"
base = "ou=payroll,dc=example,dc=com"

[[resource]]
name = "passwords"
base = "dc=example,dc=com"
attributes = ["userPassword"]
"#;

/// A relay that rewrites what is asked, and not what is answered.
const RELAY: &str = r#"
moduleload back_relay
moduleload rwm
database relay
suffix "dc=virtual"
relay "dc=example,dc=com"
overlay rwm
rwm-rewriteEngine on
rwm-rewriteContext default
rwm-rewriteRule "(.*)dc=virtual$" "$1dc=example,dc=com" ":"
rwm-rewriteContext searchEntryDN
rwm-rewriteContext searchAttrDN
rwm-rewriteContext matchedDN
"#;

fn direct(target: &mut Target) -> Client {
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut client = Client::ldaps(port, &ca);
    client.bind_as("alice");
    client
}

/// slapd begins at `defaultsearchbase` where the base is empty and the scope is not base.
#[test]
fn the_empty_base_leads_to_nothing_that_is_hidden() {
    let configuration = format!("defaultsearchbase \"{BASE}\"");
    let mut target = Target::gated(Extra { configuration, ..Extra::default() }, Setup::default().policy(POLICY));
    let mut direct = direct(&mut target);
    let mut client = target.client();
    client.bind_as("alice");
    let payroll = format!("ou=payroll,{BASE}");
    for scope in [SCOPE_ONE, 2, 3] {
        let search = Search::new("").scope(scope).attributes(&["*", "userPassword"]);
        let all = direct.search(&search);
        assert!(all.dns().iter().any(|dn| dn.ends_with(&payroll)), "the test tests nothing: {all:?}");
        let found = client.search(&search);
        assert_eq!(found.answer.code, 0, "{found:?}");
        assert!(!found.entries.is_empty() && !found.dns().iter().any(|dn| dn.ends_with(&payroll)), "{found:?}");
        let names = found.entries.iter().flat_map(|entry| &entry.attributes).map(|(name, _)| name.to_lowercase());
        assert!(!names.into_iter().any(|name| name == "userpassword"), "{found:?}");
        // Neither in number, nor by a filter.
        let limited = client.search(&search.clone().filter("(description=salary 1000)").limit(1));
        assert_eq!(limited.summary(), (0, vec![]), "{scope}");
    }
    // Alone with base scope, the empty name is the rootDSE's.
    let root = client.search(&Search::new("").scope(SCOPE_BASE));
    assert_eq!(root.summary(), (0, vec![""]));
}

#[test]
fn entries_that_come_under_other_names_are_dropped_and_counted() {
    let mut target = Target::gated(
        Extra { configuration: RELAY.to_owned(), ..Extra::default() },
        Setup::default().policy(POLICY).naming_contexts(&[BASE, "dc=virtual"]),
    );
    let mut direct = direct(&mut target);
    let mut client = target.client();
    client.bind_as("alice");
    for base in ["dc=virtual", "ou=payroll,dc=virtual"] {
        let search = Search::new(base).filter("(description=salary*)");
        let all = direct.search(&search);
        assert!(all.dns().contains(&format!("uid=e01,ou=payroll,{BASE}").as_str()), "the test tests nothing: {all:?}");
        assert_eq!(client.search(&search).summary(), (0, vec![]), "{base}");
        let record = target.gate().audit.wait_for("the search", |r| r["operation"] == "search" && r["target"] == base);
        assert_eq!(record["withheld"].as_u64(), Some((all.entries.len() + all.references) as u64), "{record}");
    }
    // What is open is not there either under a name that nobody asked for.
    let people = Search::new("ou=people,dc=virtual").filter("(uid=bob)");
    assert_eq!(direct.search(&people).entries.len(), 1);
    assert_eq!(client.search(&people).summary(), (0, vec![]));
    assert_eq!(client.search(&Search::new(BASE).filter("(uid=bob)")).entries.len(), 1);
}
