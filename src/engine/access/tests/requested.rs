//! Attribute resources, by how an attribute is named, in each place that an operation has for one.

use super::dsl::{Case, check, check_cases, matrix, policy};

const POLICY: &str = "
    resource hashes  subtree dc=x            *             userPassword
    resource names   subtree ou=staff,dc=x   *             name
    resource mails   subtree ou=sales,dc=x   search        mail
    resource titles  subtree ou=board,dc=x   modify        title
    standing hashes search,compare dn:uid=sync,ou=people,dc=x
    role hasher  hashes/*
    role namer   names/*
    role mailer  mails/search
";

/// Ways to write one attribute, and whether `hashes` (`userPassword`) and `names` (`name`) protect it.
const NAMES: &[(&str, &str)] = &[
    ("userPassword", "hashes"),
    ("USERPASSWORD", "hashes"),
    ("userpassword", "hashes"),
    ("2.5.4.35", "hashes"),
    ("userPassword;binary", "hashes"),
    ("userPassword;x-a;lang-de", "hashes"),
    ("2.5.4.35;lang-en", "hashes"),
    ("UserPassword;LANG-DE", "hashes"),
    ("name", "names"),
    ("2.5.4.41", "names"),
    ("NAME;lang-de", "names"),
    ("cn", "names"),
    ("commonName", "names"),
    ("2.5.4.3", "names"),
    ("cn;lang-de", "names"),
    ("sn", "names"),
    ("surname", "names"),
    ("givenName", "names"),
    ("2.5.4.42;x-a", "names"),
    ("ou", "names"),
    ("o", "names"),
    ("c", "names"),
    ("initials", "names"),
    ("generationQualifier", "names"),
    // What the schema does not know may be anything.
    ("unheardOf", "hashes names"),
    ("1.2.3.4.5", "hashes names"),
    ("unheardOf;x-a", "hashes names"),
    ("mail", ""),
    ("uid", ""),
    ("uid;x-a", ""),
    ("0.9.2342.19200300.100.1.1", ""),
    ("description", ""),
    ("telephoneNumber", ""),
    ("objectClass", ""),
    ("member", ""),
    ("userCertificate;binary", ""),
];

/// Each place for an attribute: refused with what protects it, and open to who holds that.
#[test]
fn an_attribute_is_protected_however_it_is_named_and_wherever() {
    let mut cases: Vec<Case> = Vec::new();
    for (name, protects) in NAMES {
        for place in [
            "compare uid=1,ou=staff,dc=x NAME",
            "modify uid=1,ou=staff,dc=x NAME",
            "modify-add uid=1,ou=staff,dc=x NAME",
            "modify-delete uid=1,ou=staff,dc=x NAME",
            "increment uid=1,ou=staff,dc=x NAME",
            "modify uid=1,ou=staff,dc=x description,NAME",
            "add uid=1,ou=staff,dc=x objectClass,NAME",
        ] {
            let what: &'static str = place.replace("NAME", name).leak();
            let (refused, open) = match *protects {
                "" => ("ok", "ok"),
                "hashes" => ("50 hashes", "ok hasher"),
                "names" => ("50 names", "ok namer"),
                _ => ("50 hashes names", "ok hasher namer"),
            };
            cases.push(("bert".to_owned(), what, refused.to_owned()));
            cases.push(("anna+hasher+namer".to_owned(), what, open.to_owned()));
        }
    }
    let checked = check_cases(cases, || policy(POLICY), |_| {});
    assert_eq!(checked, NAMES.len() * 14);
}

/// As many filters, of each form.
#[test]
fn an_assertion_on_a_hidden_attribute_is_asked_of_nobody() {
    let mut cases: Vec<Case> = Vec::new();
    for (name, protects) in NAMES {
        for form in
            ["(NAME=a)", "(NAME=*)", "(NAME>=a)", "(NAME<=a)", "(NAME~=a)", "(NAME:2.5.13.2:=a)", "(NAME:dn:=a)"]
        {
            let filter = form.replace("NAME", name);
            let alone: &'static str = format!("search sub ou=staff,dc=x [mail] {filter}").leak();
            let negated: &'static str = format!("search sub ou=staff,dc=x [mail] (!{filter})").leak();
            let beside: &'static str = format!("search sub ou=staff,dc=x [mail] (|(uid=a){filter})").leak();
            let with: &'static str = format!("search sub ou=staff,dc=x [mail] (&(uid=a){filter})").leak();
            let hidden = !protects.is_empty();
            for (what, asks) in [(alone, "nothing"), (negated, "nothing"), (with, "nothing"), (beside, "(uid=a)")] {
                let outcome = if hidden { format!("ok cuts asks {asks}") } else { "ok".to_owned() };
                cases.push(("bert".to_owned(), what, outcome));
            }
        }
    }
    check_cases(cases, || policy(POLICY), |_| {});
}

/// What may be returned, by who holds what.
const LISTS: &str = "
    what                                              | bert    | sync    | anna+hasher    | anna+namer     | anna+hasher+namer
    search sub ou=staff,dc=x                          | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [*]                      | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [+]                      | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [*,+]                    | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [mail,*]                 | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [1.1]                    | ok      | ok      | ok             | ok             | ok
    search sub ou=staff,dc=x [1.1,mail]               | ok      | ok      | ok             | ok             | ok
    search sub ou=staff,dc=x [1.1,*]                  | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [mail,uid]               | ok      | ok      | ok             | ok             | ok
    search sub ou=staff,dc=x [userPassword]           | ok cuts | ok      | ok hasher      | ok cuts        | ok hasher
    search sub ou=staff,dc=x [2.5.4.35;x-a]           | ok cuts | ok      | ok hasher      | ok cuts        | ok hasher
    search sub ou=staff,dc=x [mail,USERPASSWORD]      | ok cuts | ok      | ok hasher      | ok cuts        | ok hasher
    search sub ou=staff,dc=x [cn]                     | ok cuts | ok cuts | ok cuts        | ok namer       | ok namer
    search sub ou=staff,dc=x [name]                   | ok cuts | ok cuts | ok cuts        | ok namer       | ok namer
    search sub ou=staff,dc=x [surname;lang-de]        | ok cuts | ok cuts | ok cuts        | ok namer       | ok namer
    search sub ou=staff,dc=x [2.5.4.42]               | ok cuts | ok cuts | ok cuts        | ok namer       | ok namer
    search sub ou=staff,dc=x [cn,userPassword]        | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [@person]                | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [@2.5.6.6]               | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [@PERSON]                | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [@extensibleObject]      | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [@unheardOf]             | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=staff,dc=x [unheardOf]              | ok cuts | ok cuts | ok hasher cuts | ok namer cuts  | ok hasher namer
    search sub ou=people,dc=x [cn]                    | ok      | ok      | ok             | ok             | ok
    search sub ou=people,dc=x [*]                     | ok cuts | ok      | ok hasher      | ok cuts        | ok hasher
    search base uid=1,ou=staff,dc=x [cn]              | ok cuts | ok cuts | ok cuts        | ok namer       | ok namer
    search one ou=sales,dc=x [mail]                   | ok cuts | ok cuts | ok cuts        | ok cuts        | ok cuts
    search sub ou=board,dc=x [title]                  | ok      | ok      | ok             | ok             | ok
    search base [*]                                   | ok      | ok      | ok             | ok             | ok
    search base cn=subschema [*,+]                    | ok      | ok      | ok             | ok             | ok
";

#[test]
fn what_may_be_returned_by_who_holds_what() {
    check_cases(matrix(LISTS), || policy(POLICY), |_| {});
}

/// Filters that name no attribute, or one by a rule, in part hidden.
#[test]
fn filters_of_unusual_forms() {
    check(
        "
        bert             : search sub ou=people,dc=x [mail] (:2.5.13.2:=a)              -> ok cuts asks nothing
        bert             : search sub ou=people,dc=x [mail] (:dn:2.5.13.2:=a)           -> ok cuts asks nothing
        bert             : search sub ou=people,dc=x [mail] (!(:2.5.13.2:=a))           -> ok cuts asks nothing
        bert             : search sub ou=people,dc=x [mail] (uid:dn:=a)                 -> ok
        bert             : search sub ou=people,dc=x [mail] (uid:caseIgnoreMatch:=a)    -> ok
        bert             : search sub ou=people,dc=x [mail] (&(uid=a)(:2.5.13.2:=a))    -> ok cuts asks nothing
        bert             : search sub ou=people,dc=x [mail] (|(uid=a)(:2.5.13.2:=a))    -> ok cuts asks (uid=a)
        bert             : search sub ou=people,dc=x [mail] (&)                         -> ok
        bert             : search sub ou=people,dc=x [mail] (|)                         -> ok
        anna+hasher      : search sub ou=people,dc=x [mail] (userPassword=a)            -> ok hasher
        anna+hasher      : search sub ou=people,dc=x [mail] (:2.5.13.2:=a)              -> ok hasher
        sync             : search sub ou=people,dc=x [mail] (userPassword=a)            -> ok
        # By polarity, at any depth.
        bert             : search sub ou=people,dc=x [mail] (!(!(userPassword=a)))      -> ok cuts asks nothing
        bert             : search sub ou=people,dc=x [mail] (|(userPassword=a)(!(userPassword=a))) -> ok cuts asks nothing
        bert             : search sub ou=people,dc=x [mail] (!(|(uid=a)(userPassword=a))) -> ok cuts asks nothing
        bert             : search sub ou=people,dc=x [mail] (!(&(uid=a)(userPassword=a))) -> ok cuts asks (!(uid=a))
        bert             : search sub ou=people,dc=x [mail] (&(uid=a)(|(mail=b)(userPassword=a))) -> ok cuts asks (&(uid=a)(mail=b))
        bert             : search sub ou=people,dc=x [mail] (|(&(uid=a)(userPassword=*))(mail=b)) -> ok cuts asks (mail=b)
        ",
        || policy(POLICY),
        |_| {},
    );
}

/// The attributes that names are made of: given up, kept, taken on, and in two places at once.
#[test]
fn naming_attributes() {
    check(
        "
        bert       : rename cn=1,ou=staff,dc=x cn=2                               -> 50 names
        bert       : rename cn=1,ou=staff,dc=x uid=2                              -> 50 names
        bert       : rename uid=1,ou=staff,dc=x cn=2                              -> 50 names
        bert       : rename uid=1,ou=staff,dc=x 2.5.4.3=2                         -> 50 names
        bert       : rename uid=1,ou=staff,dc=x uid=2+sn=3                        -> 50 names
        bert       : rename uid=1,ou=staff,dc=x uid=2                             -> ok
        bert       : rename-keep cn=1,ou=staff,dc=x uid=2                         -> ok
        bert       : rename-keep uid=1,ou=staff,dc=x cn=2                         -> 50 names
        bert       : rename uid=1,ou=people,dc=x cn=2                             -> ok
        bert       : rename uid=1,ou=people,dc=x userPassword=2                   -> 50 hashes
        bert       : rename uid=1,ou=people,dc=x uid=2+2.5.4.35=3                 -> 50 hashes
        bert       : rename ou=staff,dc=x ou=crew                                 -> 50 names
        bert       : rename uid=1,ou=staff,dc=x uid=1 ou=people,dc=x              -> 50 names
        bert       : rename uid=1,ou=people,dc=x uid=1 ou=staff,dc=x              -> 50 names
        bert       : rename uid=1,ou=staff,dc=x uid=1 ou=a,ou=staff,dc=x          -> ok
        bert       : rename uid=1,ou=people,dc=x uid=1 ou=board,dc=x              -> 50 titles
        bert       : rename uid=1,ou=people,dc=x uid=1 ou=sales,dc=x              -> ok
        bert       : rename uid=1,ou=sales,dc=x uid=1 ou=people,dc=x              -> 50 mails
        anna+namer : rename cn=1,ou=staff,dc=x uid=2                              -> ok namer
        anna+namer : rename ou=staff,dc=x ou=crew                                 -> ok namer
        anna+namer#cn : rename cn=1,ou=staff,dc=x cn=2                            -> ok namer
        anna+namer#cn : rename cn=1,ou=staff,dc=x sn=2                            -> 50 names
        anna+namer#cn : rename uid=1,ou=staff,dc=x uid=1 ou=people,dc=x           -> 50 names
        anna+namer#name : rename cn=1,ou=staff,dc=x sn=2                          -> ok namer
        bert       : add cn=1,ou=staff,dc=x objectClass                           -> 50 names
        bert       : add uid=1+sn=2,ou=staff,dc=x objectClass                     -> 50 names
        bert       : add uid=1,ou=staff,dc=x objectClass                          -> ok
        bert       : add ou=a,ou=staff,dc=x objectClass                           -> 50 names
        bert       : delete cn=1,ou=staff,dc=x                                    -> ok
        bert       : password uid=1,ou=staff,dc=x                                 -> 50 hashes
        bert       : password dn:uid=1,ou=people,dc=x                             -> 50 hashes
        bert       : password                                                     -> 50 hashes
        anna+hasher@ou=people,dc=x : password                                     -> ok hasher
        anna+hasher@ou=people,dc=x : password uid=1,ou=staff,dc=x                 -> 50 hashes
        anna+hasher@ou=people,dc=x : password u:1                                 -> 50 hashes
        anna+hasher/search : password                                             -> 50 hashes
        ",
        || policy(POLICY),
        |_| {},
    );
}
