//! What the directory is asked not to match: hidden entries, and nothing that is shown.

use super::dsl::{decision, now, operation, policy, snapshot_for, text};
use crate::engine::access::{Decision, DirectoryFacts, Permit, Snapshot};
use crate::engine::ldap::Dn;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::{DerefAliases, Request, SearchRequest, SearchScope};
use crate::engine::policy::Subject;
use crate::engine::redaction::{Look, MAX_EXCLUDED, Stage, Stages};
use std::sync::Arc;

const POLICY: &str = "
    resource payroll subtree ou=payroll,dc=x *
    resource card    base    cn=card,ou=it,dc=x *
    resource desks   one     ou=desks,dc=x *
    resource writes  subtree dc=x modify
    resource phones  subtree ou=sales,dc=x search homePhone,mobile
    resource hashes  subtree dc=x search userPassword
    role reader payroll/search
    role plain  payroll/search#cn,mail
    role viewer payroll/search card/search desks/search
    role dialer phones/search
    role hasher hashes/search
";

/// As `snapshot_for`, before a directory that can exclude.
fn world(policy_text: &str, who: &str, adjust: impl FnOnce(&mut DirectoryFacts)) -> (Snapshot, Subject) {
    let (mut snapshot, subject) = snapshot_for(policy(policy_text), who);
    let mut directory = DirectoryFacts::clone(&snapshot.directory);
    directory.excludes.clone_from(&directory.naming_contexts);
    adjust(&mut directory);
    snapshot.directory = Arc::new(directory);
    (snapshot, subject)
}

fn permitted(snapshot: &Snapshot, subject: &Subject, what: &'static str) -> (Permit, SearchRequest<'static>) {
    let operation = operation(what);
    let Decision::Permitted(permit) = decision(snapshot, subject, &operation, now()) else { panic!("refused: {what}") };
    let Request::Search(search) = operation.request else { panic!("a search: {what}") };
    (permit, search)
}

/// Who searches what, and what the directory is asked in each stage; `!`: it evaluates hidden entries.
const ROWS: &str = "
    bert : search sub dc=x (cn=a) : (&(!(entryDN:dnOneLevelMatch:=ou=desks,dc=x))(!(entryDN=cn=card,ou=it,dc=x))(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(cn=a))
    bert : search sub dc=x (&(cn=a)(sn=b)) : (&(!(entryDN:dnOneLevelMatch:=ou=desks,dc=x))(!(entryDN=cn=card,ou=it,dc=x))(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(cn=a)(sn=b))
    # No more than lies in reach.
    bert : search one dc=x (cn=a) : (&(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(cn=a))
    bert : search sub ou=desks,dc=x (cn=a) : (&(!(entryDN:dnOneLevelMatch:=ou=desks,dc=x))(cn=a))
    bert : search sub ou=people,dc=x (cn=a) : as asked
    bert : search base dc=x (cn=a) : as asked
    anna+viewer : search sub dc=x (cn=a) : as asked
    # What is open in it is let in again.
    anna+viewer@ou=a,ou=payroll,dc=x : search sub ou=payroll,dc=x (cn=a) : refused
    anna+reader@ou=a,ou=payroll,dc=x : search one dc=x (cn=a) : (&(|(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(entryDN:dnSubtreeMatch:=ou=a,ou=payroll,dc=x))(cn=a))
    anna+reader@ou=a,ou=payroll,dc=x+reader@ou=b,ou=payroll,dc=x : search-deref sub ou=desks,dc=x (cn=a) : (&(!(entryDN:dnOneLevelMatch:=ou=desks,dc=x))(!(entryDN=cn=card,ou=it,dc=x))(|(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(entryDN:dnSubtreeMatch:=ou=a,ou=payroll,dc=x)(entryDN:dnSubtreeMatch:=ou=b,ou=payroll,dc=x))(cn=a))
    # Of attributes that are hidden in a part, only the stage that asserts them leaves the part out.
    bert : search sub ou=sales,dc=x (homePhone=1) : nothing
    bert : search one dc=x (|(cn=a)(mobile=1)) : (&(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(!(entryDN:dnSubtreeMatch:=ou=sales,dc=x))(|(cn=a)(mobile=1))) (&(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(cn=a))
    anna+dialer@ou=a,ou=sales,dc=x+viewer : search sub dc=x [cn] (|(cn=a)(mobile=1)) : (&(|(!(entryDN:dnSubtreeMatch:=ou=sales,dc=x))(entryDN:dnSubtreeMatch:=ou=a,ou=sales,dc=x))(|(cn=a)(mobile=1))) (cn=a)
    anna+dialer#mobile+viewer : search sub dc=x [cn] (|(cn=a)(mobile=1)) : (|(cn=a)(mobile=1)) (cn=a)
    anna+dialer#homePhone+viewer : search sub dc=x [cn] (|(cn=a)(mobile=1)) : (&(!(entryDN:dnSubtreeMatch:=ou=sales,dc=x))(|(cn=a)(mobile=1))) (cn=a)
    # Entries that are shown in part are left out where they would be asked what is not shown of them.
    anna+plain : search one dc=x [cn] (|(cn=a)(sn=b)) : (&(!(entryDN:dnSubtreeMatch:=ou=payroll,dc=x))(|(cn=a)(sn=b))) (cn=a)
    anna+plain : search one dc=x [cn] (|(cn=a)(mail=b)) : as asked
    # What is above hidden entries says whether they are there.
    anna+viewer : search one dc=x [cn] (hasSubordinates=TRUE) : as asked
    bert : search base ou=it,dc=x [cn] (|(cn=a)(hasSubordinates=TRUE)) : (&(!(entryDN=ou=it,dc=x))(|(cn=a)(hasSubordinates=TRUE))) (cn=a)
    bert : search base ou=desks,dc=x [cn] (|(cn=a)(hasSubordinates=TRUE)) : (&(!(entryDN=ou=desks,dc=x))(|(cn=a)(hasSubordinates=TRUE))) (cn=a)
";

#[test]
fn what_is_hidden_is_left_out_by_the_directory() {
    let mut wrong = Vec::new();
    for line in ROWS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [who, what, expected] = line.splitn(3, " : ").map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("not understood: {line}")
        };
        let (snapshot, subject) = world(POLICY, who, |_| ());
        let asked = operation(what);
        let found = match decision(&snapshot, &subject, &asked, now()) {
            Decision::Refused(_) => "refused".to_owned(),
            Decision::Permitted(permit) => {
                let Request::Search(search) = &asked.request else { panic!("a search") };
                let plan = permit.redaction().plan(&snapshot.policy, &snapshot.directory, search);
                assert!(!plan.is_exposed, "{line}");
                match plan.stages {
                    Stages::AsAsked => "as asked".to_owned(),
                    Stages::Several(stages) => {
                        let filter = |stage: &Stage<'_>| stage.to_ask().map_or("nothing".to_owned(), |f| text(&f));
                        stages.iter().map(filter).collect::<Vec<_>>().join(" ")
                    }
                }
            }
        };
        if found != expected {
            wrong.push(format!("{line}\n  found {found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Whether a search finds entries of this name.
fn reaches_to(search: &SearchRequest<'_>, name: &Dn) -> bool {
    let anywhere = search.deref != DerefAliases::Never || search.base.is_root();
    let depth = name.depth().checked_sub(search.base.depth());
    anywhere
        || name.is_within(&search.base)
            && match search.scope {
                SearchScope::Base => depth == Some(0),
                SearchScope::One => depth == Some(1),
                SearchScope::Subtree => true,
                SearchScope::Subordinate => depth > Some(0),
            }
}

/// What a directory makes of a filter on `entryDN`.
fn matches(filter: &Filter<'_>, name: &Dn) -> bool {
    let dn = |value: &[u8]| Dn::parse(value).unwrap();
    match filter {
        Filter::Not(inner) => !matches(inner, name),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, name)),
        Filter::Equality { attribute, value } if attribute.0 == b"entryDN" => name.is_surely(&dn(value)),
        Filter::Extensible { rule: Some(b"dnSubtreeMatch"), value, .. } => name.is_surely_within(&dn(value)),
        Filter::Extensible { rule: Some(b"dnOneLevelMatch"), value, .. } => {
            name.is_surely_within(&dn(value)) && name.depth() == dn(value).depth() + 1
        }
        other => panic!("nothing else is excluded by: {}", text(other)),
    }
}

#[test]
fn nothing_that_is_shown_is_left_out_and_nothing_that_is_hidden_is_asked() {
    let holders = [
        "bert",
        "-",
        "anna+reader",
        "anna+plain",
        "anna+viewer",
        "anna+dialer",
        "anna+hasher",
        "anna+hasher+viewer",
        "anna+reader@ou=a,ou=payroll,dc=x",
        "anna+plain@ou=a,ou=payroll,dc=x",
        "anna+dialer@ou=a,ou=sales,dc=x",
        "anna+plain@ou=a,ou=payroll,dc=x+reader@ou=b,ou=a,ou=payroll,dc=x",
        "anna+dialer#mobile+dialer@ou=a,ou=sales,dc=x",
        "anna+plain#cn+plain@ou=a,ou=payroll,dc=x#mail",
        "anna+plain+reader@ou=a,ou=payroll,dc=x",
    ];
    let filters = [
        "(cn=a)",
        "(|(cn=a)(mobile=1))",
        "(!(homePhone=1))",
        "(|(mobile=1)(userPassword=x)(mail=a))",
        "(unheardOf=1)",
        "(|(cn=a)(hasSubordinates=TRUE))",
        "(|(sn=a)(hasSubordinates=TRUE)(mobile=1))",
        "(&(mail=a)(sn=b))",
    ];
    let reaches = [
        "search sub dc=x",
        "search one dc=x",
        "search children dc=x",
        "search base ou=it,dc=x",
        "search sub ou=desks,dc=x",
        "search one ou=sales,dc=x",
        "search base ou=desks,dc=x",
        "search-deref sub ou=desks,dc=x",
        "search sub",
        "search sub ou=a,ou=payroll,dc=x",
        "search one ou=payroll,dc=x",
    ];
    let names = [
        "dc=x",
        "ou=payroll,dc=x",
        "cn=p,ou=payroll,dc=x",
        "ou=a,ou=payroll,dc=x",
        "cn=p,ou=a,ou=payroll,dc=x",
        "ou=b,ou=a,ou=payroll,dc=x",
        "cn=p,ou=b,ou=a,ou=payroll,dc=x",
        "ou=it,dc=x",
        "cn=card,ou=it,dc=x",
        "cn=a,cn=card,ou=it,dc=x",
        "ou=desks,dc=x",
        "cn=1,ou=desks,dc=x",
        "cn=2,cn=1,ou=desks,dc=x",
        "ou=sales,dc=x",
        "cn=s,ou=sales,dc=x",
        "ou=a,ou=sales,dc=x",
        "cn=s,ou=a,ou=sales,dc=x",
        "ou=people,dc=x",
        "uid=b,ou=people,dc=x",
    ];
    let (mut excluded, mut kept) = (0, 0);
    for who in holders {
        let (snapshot, subject) = world(POLICY, who, |_| ());
        for (reach, filter) in reaches.iter().flat_map(|reach| filters.iter().map(move |filter| (reach, filter))) {
            let what: &'static str = String::leak(format!("{reach} [cn] {filter}"));
            let asked = operation(what);
            let Decision::Permitted(permit) = decision(&snapshot, &subject, &asked, now()) else { continue };
            let Request::Search(search) = &asked.request else { panic!("a search") };
            let redaction = permit.redaction();
            let plan = redaction.plan(&snapshot.policy, &snapshot.directory, search);
            let none = Stage { filter: Some(search.filter.clone()), excluded: vec![] };
            let stages = match plan.stages {
                Stages::AsAsked => vec![none],
                Stages::Several(stages) => stages,
            };
            for (number, stage) in stages.iter().enumerate().filter(|(_, stage)| stage.filter.is_some()) {
                for name in names {
                    let is_asked = stage.excluded.iter().all(|filter| matches(filter, &name.parse().unwrap()));
                    match redaction.look(&snapshot.policy, number, name.as_bytes()) {
                        Look::Whole | Look::Cut(_) => {
                            assert!(is_asked, "{who} {what}: stage {number} shows {name}");
                            kept += 1;
                        }
                        Look::Hidden => {
                            let name: Dn = name.parse().unwrap();
                            // Others lie outside of what is reached.
                            if !redaction.shows_name(&snapshot.policy, &name) && reaches_to(search, &name) {
                                assert!(!is_asked, "{who} {what}: stage {number} asks {name}");
                                excluded += 1;
                            }
                        }
                        // One of another stage, that is asked more here than there, must not be.
                        Look::Elsewhere => {
                            let own = (0..stages.len()).find(|other| {
                                matches!(
                                    redaction.look(&snapshot.policy, *other, name.as_bytes()),
                                    Look::Whole | Look::Cut(_)
                                )
                            });
                            let several = who.matches('+').count() > 1;
                            assert!(
                                !is_asked || several || own.is_some_and(|own| own < number),
                                "{who} {what}: stage {number} asks {name} of {own:?}"
                            );
                        }
                        Look::RootDse => panic!("the rootDSE"),
                    }
                }
            }
        }
    }
    assert!(excluded > 500 && kept > 2_000, "the test tests nothing: {excluded} {kept}");
}

#[test]
fn where_nothing_can_be_left_out_that_is_said() {
    let exposed = |policy_text: &str, who: &str, what: &'static str, adjust: fn(&mut DirectoryFacts)| {
        let (snapshot, subject) = world(policy_text, who, adjust);
        let (permit, search) = permitted(&snapshot, &subject, what);
        let plan = permit.redaction().plan(&snapshot.policy, &snapshot.directory, &search);
        assert!(!plan.is_exposed || plan.stages == Stages::AsAsked || what.contains("mobile"), "{what}");
        plan.is_exposed
    };
    let cannot: fn(&mut DirectoryFacts) = |directory| directory.excludes.clear();
    let can: fn(&mut DirectoryFacts) = |_| ();
    assert!(!exposed(POLICY, "bert", "search sub dc=x (cn=a)", can));
    assert!(exposed(POLICY, "bert", "search sub dc=x (cn=a)", cannot));
    assert!(exposed(POLICY, "anna+viewer", "search sub dc=x [cn] (|(cn=a)(mobile=1))", cannot));
    // What is asked of nothing that is hidden tells nothing.
    for what in ["search sub ou=people,dc=x (cn=a)", "search base dc=x (cn=a)", "search sub ou=sales,dc=x (mobile=1)"] {
        assert!(!exposed(POLICY, "bert", what, cannot), "{what}");
    }
    assert!(!exposed(POLICY, "anna+viewer", "search sub dc=x [cn] (cn=a)", cannot));
    // An alias may lead to another tree.
    let one: fn(&mut DirectoryFacts) = |directory| directory.naming_contexts.push("dc=y".parse().unwrap());
    assert!(!exposed(POLICY, "bert", "search sub dc=x (cn=a)", one));
    assert!(exposed(POLICY, "bert", "search-deref sub dc=x (cn=a)", one));
    // Names that the directory may not take, and more of them than one filter excludes.
    assert!(exposed("resource a subtree unheardOf=a,dc=x search", "bert", "search sub dc=x (cn=a)", can));
    for (count, is_exposed) in [(MAX_EXCLUDED, false), (MAX_EXCLUDED + 1, true)] {
        let many: String = (0..count).map(|n| format!("resource r{n} subtree ou=r{n},dc=x search\n")).collect();
        assert_eq!(exposed(&many, "bert", "search sub dc=x (cn=a)", can), is_exposed, "{count}");
    }
}
