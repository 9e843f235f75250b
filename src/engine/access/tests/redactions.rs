//! Which entries are taken out of an answer.

use super::dsl::{POLICY, decision, now, operation, policy, snapshot_for};
use crate::engine::access::Decision;

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
