//! Which entries are taken out of an answer.

use super::dsl::{POLICY, decision, dn, now, operation, policy, snapshot_for};
use crate::engine::access::Decision;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::request::Attribute;
use crate::engine::redaction::rewrite_root_dse;

/// Who searches what, and whether an entry of this name is passed on.
const ROWS: &str = "
    bert        : search sub dc=x : dc=x                               : shown
    bert        : search sub dc=x : uid=a,ou=people,dc=x               : shown
    bert        : search sub dc=x : ou=payroll,dc=x                    : hidden
    bert        : search sub dc=x : cn=a,ou=b,ou=payroll,dc=x          : hidden
    bert        : search sub dc=x : OU = Pay\\72oll,dc=x               : hidden
    bert        : search sub dc=x : ou=payrolls,dc=x                   : shown
    bert        : search sub dc=x : cn=card,ou=it,dc=x                 : hidden
    bert        : search sub dc=x : cn=a,cn=card,ou=it,dc=x            : shown
    bert        : search sub dc=x : ou=desks,dc=x                      : shown
    bert        : search sub dc=x : cn=1,ou=desks,dc=x                 : hidden
    bert        : search sub dc=x : cn=a,cn=1,ou=desks,dc=x            : shown
    bert        : search sub dc=x : cn=a,ou=admins,dc=x                : shown
    bert        : search sub dc=x : this is no name                    : hidden
    bert        : search sub dc=x : <GUID=00>;cn=a,dc=x                : hidden
    -           : search sub dc=x : ou=payroll,dc=x                    : hidden
    sync        : search sub dc=x : cn=a,ou=payroll,dc=x               : shown
    sync        : search sub dc=x : cn=a,ou=letters,dc=x               : hidden
    anna+reader : search sub dc=x : cn=a,ou=payroll,dc=x               : shown
    anna+reader : search sub dc=x : cn=a,ou=letters,dc=x               : hidden
    anna+viewer : search sub dc=x : cn=a,ou=letters,dc=x               : shown
    anna+viewer : search sub dc=x : this is no name                    : shown
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=a,ou=payroll,dc=x      : shown
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : cn=b,ou=a,ou=payroll,dc=x : shown
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=payroll,dc=x           : hidden
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=ä,ou=payroll,dc=x      : hidden
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=aa,ou=payroll,dc=x     : hidden
    bert        : search sub ou=people,dc=x : uid=a,ou=people,dc=x     : shown
    bert        : search sub ou=people,dc=x : this is no name          : shown
    bert        : search-deref sub ou=people,dc=x : cn=a,ou=payroll,dc=x : hidden
    bert        : search-deref sub ou=people,dc=x : cn=a,cn=config       : hidden
    anna+reader : search-deref sub ou=people,dc=x : cn=a,ou=payroll,dc=x : shown
    anna+reader@ou=a,ou=payroll,dc=x : search-deref sub ou=a,ou=payroll,dc=x : cn=b,ou=payroll,dc=x : hidden
    bert        : search sub : cn=config                               : hidden
    bert        : search sub : uid=a,ou=people,dc=x                    : shown
    bert        : search sub : cn=a,ou=payroll,dc=x                    : hidden
";

#[test]
fn entries_are_hidden_by_their_own_names() {
    let mut wrong = Vec::new();
    for line in ROWS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [who, what, entry, expected] = line.split(" : ").map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("not understood: {line}")
        };
        let (snapshot, subject) = snapshot_for(policy(POLICY), who);
        let Decision::Permitted(permit) = decision(&snapshot, &subject, &operation(what), now()) else {
            panic!("refused: {line}")
        };
        let hidden = permit.redaction().hides_name(&snapshot.policy, entry.as_bytes());
        if hidden != (expected == "hidden") {
            wrong.push(line);
        }
        if let Ok(entry) = entry.parse() {
            assert_eq!(permit.redaction().hides(&snapshot.policy, &entry), hidden, "{line}");
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_root_dse_is_known_as_such() {
    let (snapshot, subject) = snapshot_for(policy(POLICY), "-");
    for (what, expected) in [("search base", true), ("search base cn=subschema", false), ("search sub", false)] {
        let Decision::Permitted(permit) = decision(&snapshot, &subject, &operation(what), now()) else {
            panic!("refused: {what}")
        };
        assert_eq!(permit.redaction().is_root_dse(), expected, "{what}");
    }
}

#[test]
fn the_root_dse_promises_what_is_let_through() {
    fn attribute<'a>(name: &'a str, values: &[&'a str]) -> Attribute<'a> {
        let values = values.iter().map(|value| value.as_bytes()).collect();
        Attribute { description: AttributeDescription(name.as_bytes()), values }
    }
    let (snapshot, _) = snapshot_for(policy(POLICY), "-");
    let rewritten = |attributes| {
        let mut entry = Entry { name: b"", attributes };
        rewrite_root_dse(&mut entry, &snapshot.directory);
        entry.attributes
    };
    let all = vec![
        attribute("vendorName", &["a"]),
        attribute("namingContexts", &["dc=x", "cn=config", "dc=y"]),
        attribute("altServer", &["ldap://elsewhere"]),
        attribute(
            "SupportedControl",
            &["1.2.840.113556.1.4.319", "2.16.840.1.113730.3.4.18", "1.2.840.113556.1.4.474", "1.2.3"],
        ),
        attribute("supportedExtension", &["1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.1.21.1", "1.3.6.1.4.1.1466.20037"]),
        attribute("supportedSASLMechanisms", &["PLAIN", "EXTERNAL"]),
    ];
    assert_eq!(
        rewritten(all),
        [
            attribute("vendorName", &["a"]),
            attribute("namingContexts", &["dc=x"]),
            attribute("SupportedControl", &["1.2.840.113556.1.4.319", "1.2.840.113556.1.4.474"]),
            attribute("supportedExtension", &["1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.4.1.1466.20037"]),
        ]
    );
    // By OID, and with an option.
    let by_oid =
        vec![attribute("1.3.6.1.4.1.1466.101.120.6", &["ldap://b"]), attribute("altServer;x-a", &["ldap://c"])];
    assert_eq!(rewritten(by_oid), []);
    // Types only: there is nothing to take out, and nothing to leave out but what is never there.
    let types = vec![attribute("supportedControl", &[]), attribute("altServer", &[])];
    assert_eq!(rewritten(types), [attribute("supportedControl", &[])]);
    assert_eq!(dn("dc=x"), snapshot.directory.naming_contexts[0]);
}
