//! Resources that protect attributes: what touches them, what is cut, and what is asked instead.

use super::dsl::{check, decision, now, operation, policy, snapshot_for};
use crate::engine::access::Decision;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::Attribute;
use crate::engine::redaction::Look;

const POLICY: &str = "
    resource hashes  subtree dc=x            *             userPassword,authPassword
    resource phones  subtree ou=sales,dc=x   search        homePhone,mobile
    resource names   one     ou=staff,dc=x   *             name
    resource titles  subtree ou=staff,dc=x   modify        employeeType
    resource payroll subtree ou=payroll,dc=x *
    standing hashes search,compare dn:uid=sync,ou=people,dc=x
    resource badges  subtree ou=badges,dc=x  password      unicodePwd,mail
    role hasher  hashes/*
    role badger  badges/password
    role dialer  phones/search
    role namer   names/*
    role titler  titles/modify
    role reader  payroll/search,compare,modify,add
    role owner   payroll/*
    role mover   hashes/rename phones/search names/rename
    role plain   payroll/search#cn,mail
";

#[test]
fn what_touches_an_attribute() {
    check(
        "
        bert        : compare uid=a,ou=people,dc=x userPassword           -> 50 hashes
        bert        : compare uid=a,ou=people,dc=x USERPASSWORD;x-a       -> 50 hashes
        bert        : compare uid=a,ou=people,dc=x 2.5.4.35               -> 50 hashes
        bert        : compare uid=a,ou=people,dc=x cn                     -> ok
        bert        : compare uid=a,ou=people,dc=x unheardOf              -> 50 hashes
        bert        : compare uid=a,ou=staff,dc=x cn                      -> 50 names
        bert        : compare uid=a,ou=staff,dc=x name                    -> 50 names
        bert        : compare uid=a,ou=staff,dc=x surname;lang-de         -> 50 names
        bert        : compare uid=a,ou=staff,dc=x mail                    -> ok
        bert        : compare ou=staff,dc=x cn                            -> ok
        bert        : compare uid=a,ou=sales,dc=x homePhone               -> ok
        sync        : compare uid=a,ou=people,dc=x userPassword           -> ok
        anna+hasher : compare uid=a,ou=people,dc=x userPassword           -> ok hasher
        anna+hasher : compare uid=a,ou=people,dc=x unheardOf              -> ok hasher
        anna+hasher#authPassword : compare uid=a,ou=people,dc=x userPassword -> 50 hashes
        anna+hasher#userPassword : compare uid=a,ou=people,dc=x userPassword -> ok hasher
        bert        : modify uid=a,ou=people,dc=x cn,mail                 -> ok
        bert        : modify uid=a,ou=people,dc=x cn,userPassword         -> 50 hashes
        bert        : modify uid=a,ou=staff,dc=x employeeType                    -> 50 titles
        bert        : modify uid=a,ou=staff,dc=x employeeType,sn                 -> 50 names titles
        bert        : modify uid=a,ou=sales,dc=x mobile                   -> ok
        anna+titler : modify uid=a,ou=staff,dc=x employeeType                    -> ok titler
        anna+titler : modify uid=a,ou=staff,dc=x employeeType,cn                 -> 50 names
        anna+titler+namer : modify uid=a,ou=staff,dc=x employeeType,cn           -> ok namer titler
        anna+namer#cn : modify uid=a,ou=staff,dc=x cn                     -> ok namer
        anna+namer#cn : modify uid=a,ou=staff,dc=x cn,sn                  -> 50 names
        anna+namer#cn : modify uid=a,ou=staff,dc=x name                   -> 50 names
        anna+namer#cn+namer#sn : modify uid=a,ou=staff,dc=x cn,sn         -> ok namer namer
        bert        : add uid=a,ou=people,dc=x objectClass,uid            -> ok
        bert        : add uid=a,ou=people,dc=x objectClass,uid,authPassword -> 50 hashes
        bert        : add uid=a,ou=staff,dc=x objectClass,uid             -> ok
        bert        : add cn=a,ou=staff,dc=x objectClass                  -> 50 names
        bert        : add cn=a+uid=b,ou=staff,dc=x objectClass            -> 50 names
        bert        : delete uid=a,ou=staff,dc=x                          -> ok
        bert        : delete ou=staff,dc=x !treedelete                    -> ok [tree delete]
        bert        : bind uid=a,ou=people,dc=x                           -> ok
        bert        : password uid=a,ou=people,dc=x                       -> 50 hashes
        bert        : password                                            -> 50 hashes
        # By the other name, which the schema does not know.
        anna+hasher : password cn=a,ou=badges,dc=x                        -> 50 badges
        anna+hasher+badger : password cn=a,ou=badges,dc=x                 -> ok badger hasher
        anna+hasher+badger#mail : password cn=a,ou=badges,dc=x            -> 50 badges
        bert        : password u:somebody                                 -> 50 badges hashes payroll
        anna+hasher : password uid=a,ou=people,dc=x                       -> ok hasher
        anna+hasher#userPassword : password uid=a,ou=people,dc=x          -> ok hasher
        anna+hasher#authPassword : password uid=a,ou=people,dc=x          -> 50 hashes
        anna+owner#userPassword : password cn=a,ou=payroll,dc=x           -> 50 hashes
        anna+owner#userPassword+hasher : password cn=a,ou=payroll,dc=x    -> ok hasher owner
        anna+owner#cn+hasher : password cn=a,ou=payroll,dc=x              -> 50 payroll
        # Naming attributes, and borders.
        bert        : rename uid=a,ou=staff,dc=x uid=b                    -> ok
        bert        : rename uid=a,ou=staff,dc=x cn=b                     -> 50 names
        bert        : rename cn=a,ou=staff,dc=x uid=b                     -> 50 names
        bert        : rename uid=a,ou=people,dc=x userPassword=b          -> 50 hashes
        bert        : rename uid=a,ou=people,dc=x uid=b ou=other,dc=x     -> ok
        bert        : rename uid=a,ou=sales,dc=x uid=a ou=people,dc=x     -> 50 phones
        bert        : rename uid=a,ou=people,dc=x uid=a ou=sales,dc=x     -> ok
        bert        : rename uid=a,ou=people,dc=x uid=a ou=staff,dc=x     -> 50 names titles
        bert        : rename uid=a,ou=staff,dc=x uid=a ou=people,dc=x     -> 50 names titles
        bert        : rename ou=sales,dc=x ou=trade                       -> 50 phones
        anna+dialer : rename ou=sales,dc=x ou=trade                       -> ok dialer
        anna+dialer#mobile : rename ou=sales,dc=x ou=trade                -> 50 phones
        # Only some attributes of entries that are protected.
        anna+reader#cn   : compare cn=a,ou=payroll,dc=x cn                -> ok reader
        anna+reader#cn   : compare cn=a,ou=payroll,dc=x mail              -> 50 payroll
        anna+reader#cn   : compare cn=a,ou=payroll,dc=x name              -> 50 payroll
        anna+reader#name : compare cn=a,ou=payroll,dc=x cn                -> ok reader
        anna+reader#cn   : modify cn=a,ou=payroll,dc=x cn,mail            -> 50 payroll
        anna+reader#cn,mail : modify cn=a,ou=payroll,dc=x cn,mail         -> ok reader
        anna+reader#cn,objectClass : add cn=a,ou=payroll,dc=x objectClass -> ok reader
        anna+reader#objectClass    : add cn=a,ou=payroll,dc=x objectClass -> 50 payroll
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn what_a_search_asks_for() {
    check(
        "
        # Hidden everywhere: looked at only where it may be returned.
        bert : search sub ou=people,dc=x                                  -> ok cuts
        bert : search sub ou=people,dc=x [*]                              -> ok cuts
        bert : search sub ou=people,dc=x [+]                              -> ok cuts
        bert : search sub ou=people,dc=x [*,+]                            -> ok cuts
        bert : search sub ou=people,dc=x [1.1]                            -> ok
        bert : search sub ou=people,dc=x [1.1,cn]                         -> ok
        bert : search sub ou=people,dc=x [1.1,userPassword]               -> ok cuts
        bert : search sub ou=people,dc=x [cn,mail]                        -> ok
        bert : search sub ou=people,dc=x [cn,userpassword;binary]         -> ok cuts
        bert : search sub ou=people,dc=x [2.5.4.35]                       -> ok cuts
        bert : search sub ou=people,dc=x [@person]                        -> ok cuts
        bert : search sub ou=people,dc=x [@country]                       -> ok
        bert : search sub ou=people,dc=x [@extensibleObject]              -> ok cuts
        bert : search sub ou=people,dc=x [@unheardOf]                     -> ok cuts
        bert : search sub ou=people,dc=x [dn]                             -> ok cuts
        sync : search sub ou=people,dc=x [*]                              -> ok
        anna+hasher : search sub ou=people,dc=x [*]                       -> ok hasher
        anna+hasher : search sub ou=people,dc=x [cn]                      -> ok
        anna+hasher#userPassword : search sub ou=people,dc=x [*]          -> ok hasher cuts
        bert : search one ou=staff,dc=x [cn]                              -> ok cuts
        bert : search one ou=staff,dc=x [name]                            -> ok cuts
        bert : search one ou=staff,dc=x [mail]                            -> ok
        bert : search base ou=staff,dc=x [cn]                             -> ok
        # The filter.
        bert : search sub ou=people,dc=x [cn] (userPassword=a)            -> ok cuts asks nothing
        bert : search sub ou=people,dc=x [cn] (2.5.4.35;x-a=a)            -> ok cuts asks nothing
        bert : search sub ou=people,dc=x [cn] (!(userPassword=*))         -> ok cuts asks nothing
        bert : search sub ou=people,dc=x [cn] (|(cn=a)(userPassword=a))   -> ok cuts asks (cn=a)
        bert : search sub ou=people,dc=x [cn] (&(cn=a)(!(userPassword=a)))  -> ok cuts asks nothing
        bert : search sub ou=people,dc=x [cn] (!(&(cn=a)(userPassword=a)))  -> ok cuts asks (!(cn=a))
        bert : search sub ou=people,dc=x [cn] (unheardOf=a)               -> ok cuts asks nothing
        bert : search sub ou=people,dc=x [cn] (:2.5.13.2:=a)              -> ok cuts asks nothing
        bert : search sub ou=people,dc=x [cn] (|(cn:dn:2.5.13.2:=a)(userPassword:dn:=a)) -> ok cuts asks (cn:dn:2.5.13.2:=a)
        anna+hasher : search sub ou=people,dc=x [cn] (userPassword=a)     -> ok hasher
        # Of a part of what is reached: once for those inside, once for those outside.
        bert : search sub dc=x [cn] (homePhone=1)                         -> ok hides cuts asks (homePhone=1) asks nothing
        bert : search sub dc=x [homePhone] (mail=1)                       -> ok hides cuts
        bert : search sub dc=x [mail] (|(mail=1)(mobile=1))               -> ok hides cuts asks (|(mail=1)(mobile=1)) asks (mail=1)
        bert : search sub ou=sales,dc=x [mail] (|(mail=1)(mobile=1))      -> ok cuts asks (mail=1)
        bert : search sub ou=sales,dc=x [mail] (|(mail=1)(mobile=1)(userPassword=1)) -> ok cuts asks (mail=1)
        anna+dialer : search sub dc=x [mail] (|(mail=1)(mobile=1))        -> ok dialer hides
        anna+dialer#mobile : search sub dc=x [mail] (|(homePhone=1)(mobile=1)) -> ok dialer hides cuts asks (|(homePhone=1)(mobile=1)) asks (mobile=1) asks nothing
        anna+dialer@ou=a,ou=sales,dc=x : search sub ou=sales,dc=x [mail] (mobile=1) -> ok dialer cuts asks (mobile=1) asks nothing
        bert : search sub dc=x [mail] (|(sn=1)(mobile=1))                 -> ok hides cuts asks (|(sn=1)(mobile=1)) asks (mobile=1) asks (sn=1) asks nothing
        # Aliases lead out of what is covered.
        bert : search-deref sub ou=people,dc=x [cn] (userPassword=a)      -> ok hides cuts asks (userPassword=a) asks nothing
        bert : search-deref sub ou=people,dc=x [mail] (mail=a)            -> ok hides
        # Entries of which only some attributes are open.
        anna+plain  : search sub ou=payroll,dc=x [cn] (cn=a)              -> ok plain hides
        anna+plain  : search sub ou=payroll,dc=x [cn] (sn=a)              -> ok plain hides asks nothing
        anna+plain  : search sub ou=payroll,dc=x [cn] (|(cn=a)(sn=b))     -> ok plain hides asks (cn=a)
        # Counts of what is below, where it may be hidden.
        bert : search base dc=x [hasSubordinates]                         -> ok cuts
        bert : search base dc=x [2.5.18.9]                                -> ok cuts
        bert : search base dc=x [numSubordinates]                         -> ok cuts
        bert : search base ou=people,dc=x [hasSubordinates]               -> ok
        bert : search one dc=x [mail] (hasSubordinates=a)                 -> ok hides cuts asks (hasSubordinates=a) asks nothing
        anna+reader : search base dc=x [hasSubordinates]                  -> ok reader
        # A rule that follows names from entry to entry.
        bert : search sub ou=people,dc=x [mail] (memberOf:1.2.840.113556.1.4.1941:=a) -> ok asks nothing
        bert : search sub ou=people,dc=x [mail] (member:inchainMatch:=a)  -> ok asks nothing
        bert : search sub ou=people,dc=x [mail] (member:INCHAIN:=a)       -> ok asks nothing
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn names_are_followed_past_attributes_that_hold_none() {
    check(
        "
        bert : search sub dc=x [mail] (member:1.2.840.113556.1.4.1941:=a) -> ok
        bert : search sub dc=x [mail] (|(member:1.2.840.113556.1.4.1941:=a)(mail=b)) -> ok
        bert : search sub ou=people,dc=x [mail] (unheardOf:1.2.840.113556.1.4.1941:=a) -> ok asks nothing
        bert : search sub ou=people,dc=x [mail] (userPassword:1.2.840.113556.1.4.1941:=a) -> ok asks nothing
        ",
        || policy("resource hashes subtree ou=staff,dc=x * userPassword"),
        |_| {},
    );
    // Where an attribute that holds names is hidden, if elsewhere, or an entry.
    for resource in ["resource groups subtree ou=groups,dc=x * member", "resource payroll subtree ou=payroll,dc=x *"] {
        let row = "bert : search sub ou=people,dc=x [mail] (manager:1.2.840.113556.1.4.1941:=a) -> ok asks nothing";
        check(row, || policy(resource), |_| {});
    }
}

#[test]
fn what_is_cut_from_entries() {
    const ROWS: &str = "
        bert : search sub dc=x : uid=a,ou=people,dc=x : cn mail homePhone hasSubordinates
        bert : search sub dc=x : uid=a,ou=sales,dc=x  : cn mail hasSubordinates
        bert : search sub dc=x : uid=a,ou=staff,dc=x  : mail homePhone hasSubordinates
        bert : search sub dc=x : ou=staff,dc=x        : cn mail homePhone hasSubordinates
        bert : search sub dc=x : uid=a,uid=b,ou=staff,dc=x : cn mail homePhone hasSubordinates
        bert : search sub dc=x : cn=a,ou=payroll,dc=x : hidden
        sync : search sub dc=x : uid=a,ou=people,dc=x : cn mail homePhone userPassword;x-a 2.5.4.35 hasSubordinates unheardOf
        anna+plain : search sub dc=x : cn=a,ou=payroll,dc=x : cn mail
        anna+plain : search sub dc=x : uid=a,ou=people,dc=x : cn mail homePhone hasSubordinates
        anna+plain+reader : search sub dc=x : cn=a,ou=payroll,dc=x : cn mail homePhone hasSubordinates
        anna+dialer@ou=a,ou=sales,dc=x : search sub dc=x : uid=a,ou=a,ou=sales,dc=x : cn mail homePhone hasSubordinates
        anna+dialer@ou=a,ou=sales,dc=x : search sub dc=x : uid=a,ou=sales,dc=x      : cn mail hasSubordinates
        bert : search sub dc=x [+] : dc=x : cn mail homePhone
        bert : search sub dc=x [+] : ou=people,dc=x : cn mail homePhone hasSubordinates
    ";
    let names = ["cn", "mail", "homePhone", "userPassword;x-a", "2.5.4.35", "hasSubordinates", "unheardOf"];
    for line in ROWS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [who, what, name, expected] = line.split(" : ").map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("not understood: {line}")
        };
        let (snapshot, subject) = snapshot_for(policy(POLICY), who);
        let Decision::Permitted(permit) = decision(&snapshot, &subject, &operation(what), now()) else {
            panic!("refused: {line}")
        };
        let attribute = |name: &&'static str| Attribute {
            description: AttributeDescription(name.as_bytes()),
            values: vec![&b"x"[..]],
        };
        let mut entry = Entry { name: name.as_bytes(), attributes: names.iter().map(attribute).collect() };
        let outcome = match permit.redaction().look(&snapshot.policy, 0, name.as_bytes()) {
            Look::Hidden => "hidden".to_owned(),
            Look::Elsewhere => "elsewhere".to_owned(),
            look => {
                if let Look::Cut(cut) = look {
                    cut.apply(&mut entry);
                }
                let shown = |name: &&str| entry.attributes.iter().any(|found| found.description.0 == name.as_bytes());
                names.into_iter().filter(shown).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(outcome, expected, "{line}");
    }
}

#[test]
fn each_entry_is_taken_in_one_stage() {
    for (who, what, name, stage) in [
        ("bert", "search sub dc=x [cn] (homePhone=1)", "uid=a,ou=people,dc=x", Some(0)),
        ("bert", "search sub dc=x [cn] (homePhone=1)", "uid=a,ou=sales,dc=x", Some(1)),
        ("bert", "search sub dc=x [cn] (homePhone=1)", "uid=a,OU=S\\61les,dc=x", Some(1)),
        ("bert", "search sub dc=x [cn] (homePhone=1)", "cn=a,ou=payroll,dc=x", None),
        ("bert", "search sub dc=x [mail] (|(sn=1)(mobile=1))", "uid=a,ou=people,dc=x", Some(0)),
        ("bert", "search sub dc=x [mail] (|(sn=1)(mobile=1))", "uid=a,ou=staff,dc=x", Some(1)),
        ("bert", "search sub dc=x [mail] (|(sn=1)(mobile=1))", "uid=a,ou=sales,dc=x", Some(2)),
        ("bert", "search sub dc=x [mail] (|(sn=1)(mobile=1))", "no name", None),
        ("bert", "search one dc=x [mail] (hasSubordinates=a)", "ou=people,dc=x", Some(0)),
        ("bert", "search-deref sub ou=people,dc=x [cn] (userPassword=a)", "uid=a,ou=people,dc=x", Some(1)),
    ] {
        let (snapshot, subject) = snapshot_for(policy(POLICY), who);
        let Decision::Permitted(permit) = decision(&snapshot, &subject, &operation(what), now()) else {
            panic!("refused: {what}")
        };
        let looks: Vec<_> = (0..4)
            .filter(|stage| {
                let look = permit.redaction().look(&snapshot.policy, *stage, name.as_bytes());
                matches!(look, Look::Whole | Look::Cut(_))
            })
            .collect();
        assert_eq!(looks, Vec::from_iter(stage), "{what} {name}");
    }
}

/// More assertions than there are bits: each entry still has its stage, and none asks what is hidden.
#[test]
fn many_assertions_are_taken_for_one() {
    use super::dsl::search_for;
    let schema = crate::engine::ldap::schema::Schema::standard();
    let names: Vec<Vec<u8>> = schema.types().map(|(_, facts)| facts.name.as_bytes().to_vec()).take(200).collect();
    assert_eq!(names.len(), 200);
    let text = |names: &[Vec<u8>]| names.iter().map(|name| String::from_utf8_lossy(name)).collect::<Vec<_>>().join(",");
    let (some, others) = names.split_at(100);
    let policy = policy(&format!(
        "resource all subtree ou=a,dc=x search {}\nresource rest subtree ou=b,dc=x search {}",
        text(some),
        text(others)
    ));
    let part = |name: &Vec<u8>| Filter::Present(AttributeDescription(Vec::leak(name.clone())));
    let parts: Vec<_> = names.iter().map(part).collect();
    for whole in [Filter::Or(parts.clone()), Filter::And(parts)] {
        let request = search_for("dc=x", whole);
        let (snapshot, subject) = snapshot_for(policy.clone(), "bert");
        let Decision::Permitted(permit) = decision(&snapshot, &subject, &request, now()) else { panic!("refused") };
        let stages = |name: &str| -> Vec<usize> {
            let look = |stage: &usize| permit.redaction().look(&snapshot.policy, *stage, name.as_bytes());
            (0..8).filter(|stage| matches!(look(stage), Look::Whole | Look::Cut(_))).collect()
        };
        for name in ["uid=x,dc=x", "uid=x,ou=a,dc=x", "uid=x,ou=b,dc=x"] {
            assert_eq!(stages(name).len(), 1, "{name}");
        }
    }
}
