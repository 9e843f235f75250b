//! Which entries are taken out of an answer.

use super::dsl::{POLICY, decision, now, operation, policy, snapshot_for};
use crate::engine::access::Decision;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::ber;
use crate::engine::ldap::control::{Control, oid, write_controls};
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::request::Attribute;
use crate::engine::redaction::Look;

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
    # As the extended DN control has names written (MS-ADTS 3.1.1.3.4.1.5).
    bert        : search sub dc=x : <GUID=00ff>;cn=a,dc=x              : shown
    bert        : search sub dc=x : <GUID=8d1b1c6e-0000-4000-8000-000000000000>;<SID=S-1-5-21-1>;cn=a,dc=x : shown
    bert        : search sub dc=x : <GUID=00>;<SID=01>;cn=a,ou=payroll,dc=x : hidden
    bert        : search sub dc=x : <GUID=00>;<GUID=00>                : hidden
    bert        : search sub dc=x : <GUID=00>;                         : hidden
    bert        : search sub dc=x : <WKGUID=00,dc=x>;cn=a,dc=x         : hidden
    bert        : search sub dc=x : <GUID=a;cn=b>;cn=a,dc=x            : hidden
    bert        : search sub dc=x : <GUID=00>cn=a,dc=x                 : hidden
    -           : search sub dc=x : ou=payroll,dc=x                    : hidden
    sync        : search sub dc=x : cn=a,ou=payroll,dc=x               : shown
    sync        : search sub dc=x : cn=a,ou=letters,dc=x               : hidden
    anna+reader : search sub dc=x : cn=a,ou=payroll,dc=x               : shown
    anna+reader : search sub dc=x : cn=a,ou=letters,dc=x               : hidden
    anna+viewer : search sub dc=x : cn=a,ou=letters,dc=x               : shown
    anna+viewer : search sub dc=x : this is no name                    : hidden
    anna+viewer : search sub dc=x : cn=a,ou=payroll,dc=x               : shown
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=a,ou=payroll,dc=x      : shown
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : cn=b,ou=a,ou=payroll,dc=x : shown
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=payroll,dc=x           : hidden
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=ä,ou=payroll,dc=x      : hidden
    anna+reader@ou=a,ou=payroll,dc=x : search sub dc=x : ou=aa,ou=payroll,dc=x     : hidden
    bert        : search sub ou=people,dc=x : uid=a,ou=people,dc=x     : shown
    bert        : search sub ou=people,dc=x : this is no name          : hidden
    # From outside of base and scope comes nothing, hidden or not.
    bert        : search sub ou=people,dc=x : cn=a,ou=payroll,dc=x       : hidden
    bert        : search sub ou=people,dc=x : cn=a,dc=x                  : hidden
    bert        : search sub ou=people,dc=x : ou=people,dc=x             : shown
    bert        : search sub ou=people,dc=x : uid=a,OU = People,dc=x     : shown
    bert        : search sub ou=people,dc=x : cn=a\\,ou=people,dc=x      : hidden
    bert        : search one ou=people,dc=x : uid=a,ou=people,dc=x       : shown
    bert        : search one ou=people,dc=x : ou=people,dc=x             : hidden
    bert        : search one ou=people,dc=x : cn=a,uid=a,ou=people,dc=x  : hidden
    bert        : search base ou=people,dc=x : OU=People,dc=x            : shown
    bert        : search base ou=people,dc=x : cn=a,ou=people,dc=x       : hidden
    bert        : search children ou=people,dc=x : cn=a,ou=people,dc=x      : shown
    bert        : search children ou=people,dc=x : ou=people,dc=x           : hidden
    anna+reader : search sub ou=people,dc=x : cn=a,ou=payroll,dc=x       : hidden
    anna+viewer : search base ou=payroll,dc=x : cn=a,ou=letters,dc=x     : hidden
    bert        : search base cn=subschema : cn=Subschema                : shown
    bert        : search base cn=subschema : cn=a,ou=payroll,dc=x        : hidden
    # The rootDSE has no name.
    bert        : search base : cn=a,ou=payroll,dc=x                     : hidden
    bert        : search base : cn=a,ou=people,dc=x                      : hidden
    bert        : search-deref sub ou=people,dc=x : cn=a,ou=payroll,dc=x : hidden
    bert        : search-deref sub ou=people,dc=x : cn=a,cn=config       : hidden
    anna+reader : search-deref sub ou=people,dc=x : cn=a,ou=payroll,dc=x : shown
    anna+reader@ou=a,ou=payroll,dc=x : search-deref sub ou=a,ou=payroll,dc=x : cn=b,ou=payroll,dc=x : hidden
    # From the root a directory begins where it is configured to.
    bert        : search one : cn=a,ou=payroll,dc=x                      : hidden
    bert        : search one : cn=card,ou=it,dc=x                        : hidden
    bert        : search one : ou=people,dc=x                            : shown
    bert        : search children : cn=1,ou=desks,dc=x                      : hidden
    anna+reader : search one : ou=payroll,dc=x                           : shown
    bert        : search sub : cn=config                               : hidden
    bert        : search sub : uid=a,ou=people,dc=x                    : shown
    bert        : search sub : cn=a,ou=payroll,dc=x                    : hidden
";

#[test]
fn entries_are_hidden_by_their_own_names() {
    let mut wrong = Vec::new();
    for line in ROWS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [who, what, entry, expected] = line.split(" : ").map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("not understood: {line}")
        };
        let (snapshot, subject) = snapshot_for(policy(POLICY), who);
        let Decision::Permitted(permit) = decision(&snapshot, &subject, &operation(what), now()) else {
            panic!("refused: {line}")
        };
        let look = permit.redaction().look(&snapshot.policy, 0, entry.as_bytes());
        if matches!(look, Look::Hidden) != (expected == "hidden") {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Who searches what with a dereference control, and whether what that tells of an entry of this name is passed on.
const DEREFERENCED: &str = "
    bert        : search sub ou=people,dc=x : uid=a,ou=people,dc=x       : shown
    bert        : search sub ou=people,dc=x : cn=a,ou=payroll,dc=x       : hidden
    bert        : search sub ou=people,dc=x : cn=a,cn=config             : hidden
    bert        : search sub ou=people,dc=x : this is no name            : hidden
    anna+reader : search sub ou=people,dc=x : cn=a,ou=payroll,dc=x       : shown
    anna+reader : search sub ou=people,dc=x : cn=a,ou=letters,dc=x       : hidden
    anna+viewer : search sub ou=people,dc=x : cn=a,ou=letters,dc=x       : shown
    anna+viewer : search sub ou=people,dc=x : cn=monitor                 : hidden
    # All that is reached is open; what is dereferenced lies elsewhere.
    anna+reader@ou=a,ou=payroll,dc=x : search sub ou=a,ou=payroll,dc=x : cn=b,ou=a,ou=payroll,dc=x : shown
    anna+reader@ou=a,ou=payroll,dc=x : search sub ou=a,ou=payroll,dc=x : cn=b,ou=payroll,dc=x      : hidden
";

#[test]
fn what_is_told_of_dereferenced_entries_is_hidden_by_their_names() {
    for line in DEREFERENCED.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [who, what, entry, expected] = line.split(" : ").map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("not understood: {line}")
        };
        let (snapshot, subject) = snapshot_for(policy(POLICY), who);
        let asked = operation(String::leak(format!("{what} !deref")));
        let Decision::Permitted(permit) = decision(&snapshot, &subject, &asked, now()) else {
            panic!("refused: {line}")
        };
        let there = permit.redaction().dereferenced().expect("a look at what is dereferenced");
        let told = |told: &str| {
            let values = [(b"uid".as_slice(), b"secret".as_slice())];
            let values: &[_] = if told == "hidden" { &[] } else { &values };
            dereference_answer(&[(entry.as_bytes(), values), (b"uid=b,ou=people,dc=x", &[(b"cn", b"b")])])
        };
        let rewritten = there.rewrite_dereferenced(&snapshot.policy, &told("shown"));
        assert_eq!(rewritten.unwrap_or_else(|| told("shown")), told(expected), "{line}");
    }
}

#[test]
fn what_cannot_be_read_of_a_dereference_is_left_out() {
    let (snapshot, subject) = snapshot_for(policy(POLICY), "bert");
    let asked = operation("search sub ou=people,dc=x !deref");
    let Decision::Permitted(permit) = decision(&snapshot, &subject, &asked, now()) else { panic!("refused") };
    let there = permit.redaction().dereferenced().expect("a look at what is dereferenced");
    let rewrite = |controls: &[u8]| there.rewrite_dereferenced(&snapshot.policy, controls);
    let controls = |value: &[u8]| {
        let mut out = Vec::new();
        let other = Control { oid: "1.2.3", critical: false, value: Some(b"x") };
        let answer = Control { oid: oid::DEREFERENCE, critical: false, value: Some(value) };
        write_controls(&mut out, &[other, answer]);
        out
    };
    let mut other = Vec::new();
    write_controls(&mut other, &[Control { oid: "1.2.3", critical: false, value: Some(b"x") }]);
    assert_eq!(rewrite(&other), None);
    assert_eq!(rewrite(&controls(b"\x30\x00")), None);
    for value in [&b""[..], b"\x30\x01", b"\x30\x02\x30\x00", b"\x30\x06\x30\x04\x04\x00\x04\x00\x00", b"\x31\x00"] {
        assert_eq!(rewrite(&controls(value)).as_ref(), Some(&other), "{value:x?}");
    }
    assert_eq!(rewrite(b"\x04\x00"), Some(Vec::new()));
}

/// The content of a controls element with what is told of each of these names.
fn dereference_answer(told: &[(&[u8], &[(&[u8], &[u8])])]) -> Vec<u8> {
    let mut value = Vec::new();
    ber::write_constructed(&mut value, 0x30, |out| {
        for (name, attributes) in told {
            ber::write_constructed(out, 0x30, |out| {
                ber::write_octets(out, b"member");
                ber::write_octets(out, name);
                if !attributes.is_empty() {
                    let list = attributes.iter().map(|(description, value)| Attribute {
                        description: AttributeDescription(description),
                        values: vec![value],
                    });
                    ber::write_constructed(out, 0xa0, |out| Entry::write_attributes(&list.collect::<Vec<_>>(), out));
                }
            });
        }
    });
    let mut out = Vec::new();
    write_controls(&mut out, &[Control { oid: oid::DEREFERENCE, critical: false, value: Some(&value) }]);
    out
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
