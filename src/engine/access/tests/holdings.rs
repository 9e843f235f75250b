//! Every operation by everybody: nothing held, held by standing access, by grants that are whole, narrowed, ended,
//! somebody else's, or two at once; enforced and monitored.

use super::dsl::{Case, POLICY, becomes, check_cases, matrix, policy};
use crate::engine::policy::Mode;

fn payroll() -> Vec<Case> {
    [matrix(READS), matrix(WRITES), matrix(MOVES), matrix(SCOPES)].concat()
}

/// What reads, at the base, in the part `ou=a` and from above.
const READS: &str = "
    what                                  | bert       | sync       | anna+reader     | anna+reader@ou=a,ou=payroll,dc=x | anna+reader/search | anna+reader/compare | anna+editor     | anna+writer | anna+reader~950 | anna+reader~1000 | anna+bert:reader | anna+reader@ou=a,ou=payroll,dc=x+reader@ou=b,ou=payroll,dc=x
    search base ou=payroll,dc=x           | 50 payroll | ok         | ok reader       | 50 payroll      | ok reader       | 50 payroll      | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | 50 payroll
    search one ou=payroll,dc=x            | 50 payroll | ok         | ok reader       | 50 payroll      | ok reader       | 50 payroll      | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | 50 payroll
    search sub ou=payroll,dc=x            | 50 payroll | ok         | ok reader       | 50 payroll      | ok reader       | 50 payroll      | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | 50 payroll
    search children ou=payroll,dc=x       | 50 payroll | ok         | ok reader       | 50 payroll      | ok reader       | 50 payroll      | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | 50 payroll
    search base ou=a,ou=payroll,dc=x      | 50 payroll | ok         | ok reader       | ok reader       | ok reader       | 50 payroll      | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | ok reader
    search sub ou=a,ou=payroll,dc=x       | 50 payroll | ok         | ok reader       | ok reader       | ok reader       | 50 payroll      | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | ok reader
    search sub ou=b,ou=payroll,dc=x       | 50 payroll | ok         | ok reader       | 50 payroll      | ok reader       | 50 payroll      | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | ok reader
    search base dc=x                      | ok         | ok         | ok              | ok              | ok              | ok              | ok              | ok         | ok         | ok         | ok         | ok
    search one dc=x                       | ok hides   | ok hides   | ok reader hides | ok reader hides | ok reader hides | ok hides        | ok editor hides | ok hides   | ok hides   | ok hides   | ok hides   | ok reader reader hides
    search sub dc=x                       | ok hides   | ok hides   | ok reader hides | ok reader hides | ok reader hides | ok hides        | ok editor hides | ok hides   | ok hides   | ok hides   | ok hides   | ok reader reader hides
    search sub ou=people,dc=x             | ok         | ok         | ok              | ok              | ok              | ok              | ok              | ok         | ok         | ok         | ok         | ok
    compare ou=payroll,dc=x               | 50 payroll | 50 payroll | ok reader       | 50 payroll      | 50 payroll      | ok reader       | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | 50 payroll
    compare cn=1,ou=a,ou=payroll,dc=x     | 50 payroll | 50 payroll | ok reader       | ok reader       | 50 payroll      | ok reader       | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | ok reader
    compare cn=1,ou=c,ou=payroll,dc=x     | 50 payroll | 50 payroll | ok reader       | 50 payroll      | 50 payroll      | ok reader       | ok editor       | 50 payroll | 50 payroll | 50 payroll | 50 payroll | 50 payroll
    compare uid=a,ou=people,dc=x          | ok         | ok         | ok              | ok              | ok              | ok              | ok              | ok         | ok         | ok         | ok         | ok
";

/// What writes one entry.
const WRITES: &str = "
    what                                  | bert              | sync              | anna+owner       | anna+writer | anna+owner+writer | anna+owner@ou=a,ou=payroll,dc=x+writer | anna+owner+writer@ou=a,ou=payroll,dc=x | anna+owner/modify+writer | anna+owner+writer/add,delete | anna+editor       | anna+owner~950+writer | anna+bert:owner+writer
    modify ou=payroll,dc=x                | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | 50 payroll      | 50 writes       | ok owner writer | 50 writes       | ok editor         | 50 payroll | 50 payroll
    modify cn=1,ou=a,ou=payroll,dc=x      | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | ok owner writer | 50 writes       | ok editor         | 50 payroll | 50 payroll
    modify-add ou=a,ou=payroll,dc=x cn    | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | ok owner writer | 50 writes       | ok editor         | 50 payroll | 50 payroll
    modify-delete ou=a,ou=payroll,dc=x cn | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | ok owner writer | 50 writes       | ok editor         | 50 payroll | 50 payroll
    increment ou=a,ou=payroll,dc=x cn     | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | ok owner writer | 50 writes       | ok editor         | 50 payroll | 50 payroll
    modify uid=a,ou=people,dc=x           | 50 writes         | 50 writes         | 50 writes        | ok writer   | ok writer         | ok writer       | 50 writes       | ok writer       | 50 writes       | 50 writes         | ok writer  | ok writer
    add cn=1,ou=payroll,dc=x              | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | 50 payroll      | 50 writes       | 50 payroll      | ok owner writer | 50 payroll writes | 50 payroll | 50 payroll
    add cn=1,ou=a,ou=payroll,dc=x         | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | 50 payroll      | ok owner writer | 50 payroll writes | 50 payroll | 50 payroll
    add ou=payroll,dc=x                   | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | 50 payroll      | 50 writes       | 50 payroll      | ok owner writer | 50 payroll writes | 50 payroll | 50 payroll
    delete ou=payroll,dc=x                | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | 50 payroll      | 50 writes       | 50 payroll      | ok owner writer | 50 payroll writes | 50 payroll | 50 payroll
    delete ou=a,ou=payroll,dc=x           | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | 50 payroll      | ok owner writer | 50 payroll writes | 50 payroll | 50 payroll
    delete uid=a,ou=people,dc=x           | 50 writes         | 50 writes         | 50 writes        | ok writer   | ok writer         | ok writer       | 50 writes       | ok writer       | ok writer       | 50 writes         | ok writer  | ok writer
    password uid=1,ou=payroll,dc=x        | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | 50 payroll      | 50 writes       | 50 payroll      | 50 writes       | 50 payroll writes | 50 payroll | 50 payroll
    password uid=1,ou=a,ou=payroll,dc=x   | 50 payroll writes | 50 payroll writes | 50 writes        | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | 50 payroll      | 50 writes       | 50 payroll writes | 50 payroll | 50 payroll
    password                              | 50 writes         | 50 writes         | 50 writes        | ok writer   | ok writer         | ok writer       | 50 writes       | ok writer       | 50 writes       | 50 writes         | ok writer  | ok writer
";

/// What moves entries: both names, and what lies below both.
const MOVES: &str = "
    what                                                       | bert              | anna+owner | anna+writer | anna+owner+writer | anna+owner@ou=a,ou=payroll,dc=x+writer | anna+owner/rename+writer/rename | anna+owner/search+writer | anna+owner+writer@ou=payroll,dc=x
    rename ou=payroll,dc=x ou=old                              | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | 50 payroll      | ok owner writer | 50 payroll      | 50 writes
    rename cn=1,ou=payroll,dc=x cn=2                           | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | 50 payroll      | ok owner writer | 50 payroll      | ok owner writer
    rename cn=1,ou=a,ou=payroll,dc=x cn=2                      | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | 50 payroll      | ok owner writer
    rename-keep cn=1,ou=a,ou=payroll,dc=x cn=2                 | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | 50 payroll      | ok owner writer
    rename cn=1,ou=a,ou=payroll,dc=x cn=1 ou=b,ou=payroll,dc=x | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | 50 payroll      | ok owner writer | 50 payroll      | ok owner writer
    rename cn=1,ou=a,ou=payroll,dc=x cn=1 ou=people,dc=x       | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | 50 payroll      | 50 writes
    rename cn=1,ou=people,dc=x cn=1 ou=a,ou=payroll,dc=x       | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | ok owner writer | ok owner writer | 50 payroll      | 50 writes
    rename cn=1,ou=people,dc=x cn=1 ou=payroll,dc=x            | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | 50 payroll      | ok owner writer | 50 payroll      | 50 writes
    rename ou=q,dc=x ou=payroll                                | 50 payroll writes | 50 writes  | 50 payroll  | ok owner writer   | 50 payroll      | ok owner writer | 50 payroll      | 50 writes
    rename cn=1,ou=people,dc=x cn=2                            | 50 writes         | 50 writes  | ok writer   | ok writer         | ok writer       | ok writer       | ok writer       | 50 writes
";

/// Resources of one entry, of what is below, and for reading alone, next to each other.
const SCOPES: &str = "
    what                                 | bert              | anna+it     | anna+writer       | anna+it+writer  | cleo              | anna+clerk        | anna+viewer
    search base cn=card,ou=it,dc=x       | 50 card           | ok it       | 50 card           | ok it           | 50 card           | 50 card           | ok viewer
    search one cn=card,ou=it,dc=x        | 50 card           | ok it       | 50 card           | ok it           | 50 card           | 50 card           | ok viewer
    search base cn=1,cn=card,ou=it,dc=x  | ok                | ok          | ok                | ok              | ok                | ok                | ok
    search base ou=desks,dc=x            | ok                | ok          | ok                | ok              | ok                | ok                | ok
    search one ou=desks,dc=x             | ok hides          | ok it       | ok hides          | ok it           | ok hides          | ok hides          | ok viewer
    search children ou=desks,dc=x        | ok hides          | ok it       | ok hides          | ok it           | ok hides          | ok hides          | ok viewer
    search sub cn=1,ou=desks,dc=x        | 50 desks          | ok it       | 50 desks          | ok it           | 50 desks          | 50 desks          | ok viewer
    search one cn=1,ou=desks,dc=x        | 50 desks          | ok it       | 50 desks          | ok it           | 50 desks          | 50 desks          | ok viewer
    search sub cn=2,cn=1,ou=desks,dc=x   | ok                | ok          | ok                | ok              | ok                | ok                | ok
    search base cn=1,ou=letters,dc=x     | 50 letters        | 50 letters  | 50 letters        | 50 letters      | ok                | ok clerk          | ok viewer
    search sub cn=1,ou=vaults,dc=x       | 50 vaults         | 50 vaults   | 50 vaults         | 50 vaults       | 50 vaults         | 50 vaults         | ok viewer
    compare cn=1,ou=letters,dc=x         | ok                | ok          | ok                | ok              | ok                | ok                | ok
    compare cn=1,ou=vaults,dc=x          | 50 vaults         | 50 vaults   | 50 vaults         | 50 vaults       | 50 vaults         | 50 vaults         | 50 vaults
    compare cn=2,cn=1,ou=vaults,dc=x     | ok                | ok          | ok                | ok              | ok                | ok                | ok
    compare cn=card,ou=it,dc=x           | 50 card           | ok it       | 50 card           | ok it           | 50 card           | 50 card           | 50 card
    modify cn=card,ou=it,dc=x            | 50 card writes    | 50 writes   | 50 card           | ok it writer    | 50 card writes    | 50 card writes    | 50 card writes
    modify ou=desks,dc=x                 | 50 writes         | 50 writes   | ok writer         | ok writer       | 50 writes         | 50 writes         | 50 writes
    modify cn=1,ou=desks,dc=x            | 50 desks writes   | 50 writes   | 50 desks          | ok it writer    | 50 desks writes   | 50 desks writes   | 50 desks writes
    modify cn=1,ou=letters,dc=x          | 50 writes         | 50 writes   | ok writer         | ok writer       | 50 writes         | 50 writes         | 50 writes
    add cn=2,cn=1,ou=desks,dc=x          | 50 writes         | 50 writes   | ok writer         | ok writer       | 50 writes         | 50 writes         | 50 writes
    delete cn=1,ou=desks,dc=x            | 50 desks writes   | 50 writes   | 50 desks          | ok it writer    | 50 desks writes   | 50 desks writes   | 50 desks writes
    # The answer tells whether anything is below.
    delete cn=1,ou=letters,dc=x          | 50 letters writes | 50 letters writes | 50 letters      | 50 letters      | 50 writes         | 50 writes         | 50 writes
    password uid=root,ou=admins,dc=x     | 50 writes         | 50 writes   | ok writer         | ok writer       | 50 writes         | 50 writes         | 50 writes
    bind uid=root,ou=admins,dc=x         | 50 admins         | 50 admins   | 50 admins         | 50 admins       | 50 admins         | 50 admins         | 50 admins
    bind cn=1,ou=desks,dc=x              | 50 desks          | 50 desks    | 50 desks          | 50 desks        | 50 desks          | 50 desks          | 50 desks
    bind cn=1,ou=letters,dc=x            | ok                | ok          | ok                | ok              | ok                | ok                | ok
";

#[test]
fn each_operation_by_each_holder() {
    let checked = check_cases(payroll(), || policy(POLICY), |_| {});
    assert!(checked > 600, "{checked}");
}

/// What is refused when enforcing is forwarded when monitoring, and said to be what was missing; all else is the same.
#[test]
fn monitoring_forwards_and_says_what_enforcing_refuses() {
    let monitor = || {
        let mut policy = policy(POLICY);
        policy.mode = Mode::Monitor;
        policy
    };
    let mut wrong = Vec::new();
    for (who, what, enforced) in payroll() {
        let monitored = becomes(&who, what, monitor(), |_| {});
        let as_expected = match (enforced.strip_prefix("50 "), enforced.strip_suffix(" hides")) {
            (Some(missing), _) => monitored.starts_with("ok") && monitored.ends_with(&format!(" monitored {missing}")),
            // Nothing is taken out of the answer, and all that would have been is named.
            (_, Some(rest)) => monitored.starts_with(&format!("{rest} monitored ")),
            (None, None) => monitored == enforced,
        };
        if !as_expected {
            wrong.push(format!("{who} : {what} -> {enforced}\n    but monitored: {monitored}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
