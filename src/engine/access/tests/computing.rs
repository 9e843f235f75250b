//! Writes that make the directory compute, or look up what they name.

use super::dsl::{check, dn, policy};
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::{Mode, Policy};
use std::sync::Arc;

const POLICY: &str = "
    resource payroll subtree ou=payroll,dc=x *
    resource card    base    cn=card,ou=it,dc=x search
    resource phones  subtree ou=sales,dc=x   search  homePhone
    resource letters subtree ou=letters,dc=x modify
    standing payroll search,compare dn:uid=sync,ou=people,dc=x
    standing card    search dn:uid=sync,ou=people,dc=x
    standing phones  search dn:uid=sync,ou=people,dc=x
    role reader payroll/search
    role plain  payroll/search#cn
    role adder  payroll/add,modify
    role dialer phones/search
    role it     card/search
    role viewer payroll/search card/search phones/search
";

/// The same in a directory that has these.
fn with(types: &[&str], classes: &[&str]) -> impl Fn() -> Policy {
    let definitions = |list: &[&str]| list.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let (types, classes) = (definitions(types), definitions(classes));
    move || {
        let schema = Schema::from_subschema(types.iter().map(Vec::as_slice), classes.iter().map(Vec::as_slice));
        policy(POLICY).with_schema(Arc::new(schema))
    }
}

#[test]
fn writing_what_the_directory_computes_by_takes_access_to_everything() {
    check(
        "
        bert : modify-add uid=bert,ou=people,dc=x labeledURI=ldap:///ou=payroll,dc=x?mail?sub -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x labeledURI=LDAP:///dc=x??sub?(mail=a)   -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x labeledURL=ldap:///                     -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x 1.3.6.1.4.1.250.1.57=ldap:///           -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x LABELEDURI;x-a=ldap:///                 -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x labeledURI=www.example.com              -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x labeledURI=https://www.example.com␣Bert -> ok
        bert : modify uid=bert,ou=people,dc=x labeledURI=MAILTO:bert@example.com      -> ok
        bert : modify-delete uid=bert,ou=people,dc=x labeledURI=ldap:///              -> ok
        bert : modify uid=bert,ou=people,dc=x memberURL=https://www.example.com       -> 50 card payroll phones
        bert : modify-delete uid=bert,ou=people,dc=x memberURL                        -> 50 card payroll phones
        bert : add cn=a,ou=it,dc=x objectClass=top memberURL=ldap:///                 -> 50 card payroll phones
        bert : add cn=a⊕labeledURI=http://x,ou=it,dc=x objectClass=top                -> 50 card payroll phones
        bert : rename cn=a,ou=it,dc=x cn=a⊕memberURL=a                                -> 50 card payroll phones
        bert : rename cn=a,ou=it,dc=x cn=b                                            -> ok
        # Whatever it stands in: a URL that says what to search for.
        bert : modify uid=bert,ou=people,dc=x description=ldap:///dc=x?mail?sub       -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x myOwn=<URL:LdapI:///dc=x?mail           -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x description=see␣ldap://host/            -> ok
        # Classes.
        bert : add cn=a,ou=it,dc=x objectClass=groupOfURLs cn=a                       -> 50 card payroll phones
        bert : modify-add cn=a,ou=it,dc=x objectClass=NSVIEW                          -> 50 card payroll phones
        bert : modify-add cn=a,ou=it,dc=x objectClass=2.16.840.1.113730.3.2.304       -> 50 card payroll phones
        bert : modify cn=a,ou=it,dc=x 2.5.4.0=cosIndirectDefinition                   -> 50 card payroll phones
        bert : modify-add cn=a,ou=it,dc=x objectClass=labeledURIObject                -> 50 card payroll phones
        bert : add cn=a,ou=it,dc=x objectClass=labeledURIObject labeledURI=http://a   -> ok
        bert : modify-delete cn=a,ou=it,dc=x objectClass=nsView                       -> ok
        bert : modify-add cn=a,ou=it,dc=x objectClass=person                          -> ok
        # Who may see everything, by standing access or by grants.
        sync : modify uid=bert,ou=people,dc=x labeledURI=ldap:///dc=x?mail            -> ok
        anna+viewer : modify uid=bert,ou=people,dc=x nsRoleFilter=(mail=a)            -> ok viewer
        anna+reader : modify uid=bert,ou=people,dc=x nsRoleFilter=(mail=a)            -> 50 card phones
        anna+reader+it+dialer : modify uid=bert,ou=people,dc=x nsRoleFilter=(mail=a)  -> ok dialer it reader
        anna+viewer@ou=people,dc=x : modify uid=bert,ou=people,dc=x nsViewFilter=a    -> 50 card payroll phones
        # What is missing for the write itself comes first.
        bert : modify cn=a,ou=payroll,dc=x memberURL=ldap:///                         -> 50 payroll
        bert : modify cn=a,ou=letters,dc=x memberURL=ldap:///                         -> 50 letters
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn every_attribute_and_class_of_the_table_is_closed() {
    for name in [
        "memberURL",
        "dgIdentity",
        "nsViewFilter",
        "cosTemplateDn",
        "cosSpecifier",
        "cosIndirectSpecifier",
        "cosAttribute",
        "nsRoleFilter",
        "nsRoleDN",
        "nsRoleScopeDN",
        "mepMappedAttr",
        "autoMemberFilter",
        "subtreeSpecification",
        "ref",
        "msDS-AzLDAPQuery",
        "olcDynListAttrSet",
    ] {
        let row = format!("bert : modify uid=bert,ou=people,dc=x {name}=a -> 50 card payroll phones");
        check(row.leak(), || policy(POLICY), |_| {});
    }
    for name in [
        "groupOfURLs",
        "nsView",
        "cosSuperDefinition",
        "cosClassicDefinition",
        "cosPointerDefinition",
        "nsFilteredRoleDefinition",
        "nsNestedRoleDefinition",
        "nsManagedRoleDefinition",
        "mepTemplateEntry",
        "subentry",
        "referral",
    ] {
        let row = format!("bert : modify-add uid=bert,ou=people,dc=x objectClass={name} -> 50 card payroll phones");
        check(row.leak(), || policy(POLICY), |_| {});
    }
}

#[test]
fn attributes_and_classes_are_those_of_the_directorys_schema() {
    let own = with(
        &[
            "( 1.3.6.1.4.1.250.1.57 NAME ( 'labeledURI' 'webAddress' ) SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
            "( 1.2.3.1 NAME 'staffQuery' SUP labeledURI )",
            "( 1.2.3.2 NAME 'boss' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
            "( 1.2.3.3 NAME 'deputy' SUP boss )",
            "( 1.2.3.4 NAME 'peer' EQUALITY distinguishedNameMatch )",
            "( 1.2.3.5 NAME 'place' )",
            "( 1.2.3.6 NAME 'note' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        ],
        &[
            "( 1.2.3.7 NAME 'teamView' SUP nsView )",
            "( 2.16.840.1.113730.3.2.304 NAME ( 'nsView' 'view' ) SUP top AUXILIARY )",
        ],
    );
    check(
        "
        bert : modify uid=bert,ou=people,dc=x webAddress=ldap:///                    -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x staffQuery=ldap:///                    -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x 1.2.3.1;x-a=ldap:///                   -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x staffQuery=http://a                    -> ok
        bert : modify-add uid=bert,ou=people,dc=x objectClass=teamView               -> 50 card payroll phones
        bert : modify-add uid=bert,ou=people,dc=x objectClass=VIEW                   -> 50 card payroll phones
        bert : modify-add uid=bert,ou=people,dc=x objectClass=1.2.3.7                -> 50 card payroll phones
        bert : modify uid=bert,ou=people,dc=x boss=uid=p,ou=payroll,dc=x             -> 50 payroll
        bert : modify uid=bert,ou=people,dc=x deputy=uid=p,ou=payroll,dc=x           -> 50 payroll
        bert : modify uid=bert,ou=people,dc=x peer=uid=p,ou=payroll,dc=x             -> 50 payroll
        bert : modify uid=bert,ou=people,dc=x place=uid=p,ou=payroll,dc=x            -> 50 payroll
        bert : modify uid=bert,ou=people,dc=x note=uid=p,ou=payroll,dc=x             -> ok
        bert : modify uid=bert,ou=people,dc=x note=<SID=S-1-5>                       -> ok
        bert : modify uid=bert,ou=people,dc=x place=Berlin                           -> ok
        bert : modify uid=bert,ou=people,dc=x place=<SID=S-1-5>                      -> 21
        ",
        own,
        |_| {},
    );
}

#[test]
fn a_name_in_a_value_takes_access_to_what_it_names() {
    check(
        "
        bert        : modify-add cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x         -> 50 payroll
        bert        : modify-add cn=g,ou=groups,dc=x member=uid=p,OU=Pay\\72oll,DC=X      -> 50 payroll
        bert        : modify-add cn=g,ou=groups,dc=x 2.5.4.31;x-a=uid=p,ou=payroll,dc=x   -> 50 payroll
        bert        : modify-add cn=g,ou=groups,dc=x member=uid=a,ou=people,dc=x          -> ok
        bert        : modify-add cn=g,ou=groups,dc=x uniqueMember=uid=p,ou=payroll,dc=x#'01'B -> 50 payroll
        bert        : modify uid=bert,ou=people,dc=x manager=cn=card,ou=it,dc=x           -> 50 card
        bert        : modify uid=bert,ou=people,dc=x seeAlso=ou=payroll,dc=x              -> 50 payroll
        bert        : modify uid=bert,ou=people,dc=x unheardOf=uid=p,ou=payroll,dc=x      -> 50 payroll
        bert        : modify uid=bert,ou=people,dc=x description=uid=p,ou=payroll,dc=x    -> ok
        bert        : add cn=g,ou=groups,dc=x objectClass=groupOfNames member=uid=p,ou=payroll,dc=x -> 50 payroll
        bert        : add cn=g⊕manager=cn\\=a,ou=groups,dc=x objectClass=groupOfNames   -> 21
        # What is removed is in the entry already.
        bert        : modify-delete cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x      -> ok
        # Who may see the entry may name it, in part too.
        anna+reader : modify-add cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x         -> ok reader
        anna+plain  : modify-add cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x         -> ok plain
        anna+reader@ou=a,ou=payroll,dc=x : modify-add cn=g,dc=x member=uid=p,ou=payroll,dc=x -> 50 payroll
        anna+reader@ou=a,ou=payroll,dc=x : modify-add cn=g,dc=x member=uid=p,ou=a,ou=payroll,dc=x -> ok reader
        sync        : modify-add cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x         -> ok
        # One's own name, and that of the entry, tell nothing.
        uid=p,ou=payroll,dc=x : modify-add cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x -> ok
        anna+adder  : add cn=g,ou=payroll,dc=x member=cn=g,ou=payroll,dc=x                -> ok adder
        anna+adder  : add cn=g,ou=payroll,dc=x member=cn=h,ou=payroll,dc=x                -> 50 payroll
        ",
        || policy(POLICY),
        |_| {},
    );
}

#[test]
fn identifiers_and_older_forms_of_names_are_not_served_where_anything_is_hidden() {
    check(
        "
        bert : modify-add cn=g,ou=groups,dc=x member=<SID=S-1-5-21-1-1104>      -> 21
        bert : modify-add cn=g,ou=groups,dc=x member=␣<guid=00ff>               -> 21
        bert : modify-add cn=g,ou=groups,dc=x member=<WKGUID=00,dc=x>           -> 21
        bert : modify-add cn=g,ou=groups,dc=x member=<GUID=00>;uid=p,ou=a,dc=x  -> 21
        bert : modify-add cn=g,ou=groups,dc=x unheardOf=B:4:00ff:<SID=S-1-5>    -> 21
        bert : modify-delete cn=g,ou=groups,dc=x member=<SID=S-1-5-21-1-1104>   -> 21
        bert : modify-add cn=g,ou=groups,dc=x unheardOf=B:4:00ff:uid=p,ou=payroll,dc=x -> 50 payroll
        bert : modify-add cn=g,ou=groups,dc=x member=uid=p;ou=payroll;dc=x      -> 21
        bert : modify-add cn=g,ou=groups,dc=x member=OID.2.5.4.3=p,dc=x         -> 21
        bert : compare cn=g,ou=groups,dc=x member=<SID=S-1-5>                   -> 21
        bert : compare cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x         -> ok
        bert : modify cn=g,ou=groups,dc=x description=<SID=S-1-5>               -> ok
        bert : search sub ou=groups,dc=x [cn] (member=<SID=S-1-5>)              -> ok asks nothing
        bert : search sub ou=groups,dc=x [cn] (!(member=<GUID=00>))             -> ok asks nothing
        bert : search sub ou=groups,dc=x [cn] (|(cn=a)(member:dn:=<GUID=00>))   -> ok asks (cn=a)
        anna+viewer : search sub ou=groups,dc=x [cn] (member=<SID=S-1-5>)       -> ok viewer
        anna+viewer : modify-add cn=g,ou=groups,dc=x member=<SID=S-1-5>         -> ok viewer
        sync : modify-add cn=g,ou=groups,dc=x member=<SID=S-1-5>                -> ok
        ",
        || policy(POLICY),
        |_| {},
    );
    // Where only an attribute that says nothing of names is hidden.
    check(
        "bert : modify-add cn=g,ou=groups,dc=x member=<SID=S-1-5> -> ok",
        || {
            let types = [
                &b"( 1.2.840.113556.1.4.146 NAME 'objectSid' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )"[..],
                b"( 1.2.840.113556.1.4.2 NAME 'objectGUID' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )",
            ];
            let schema = Arc::new(Schema::from_subschema(types, []));
            policy("resource phones subtree ou=sales,dc=x search homePhone").with_schema(schema)
        },
        |_| {},
    );
}

#[test]
fn where_nothing_is_hidden_nothing_is_asked() {
    check(
        "
        bert : modify uid=bert,ou=people,dc=x memberURL=ldap:///dc=x?mail  -> ok
        bert : modify-add cn=g,ou=groups,dc=x member=<SID=S-1-5>           -> ok
        ",
        || policy("resource letters subtree ou=letters,dc=x modify"),
        |_| {},
    );
}

#[test]
fn monitoring_says_it_and_refuses_nothing() {
    check(
        "
        bert : modify uid=bert,ou=people,dc=x memberURL=ldap:///dc=x?mail         -> ok monitored card payroll phones
        bert : modify-add cn=g,ou=groups,dc=x member=uid=p,ou=payroll,dc=x        -> ok monitored payroll
        ",
        || {
            let mut policy = policy(POLICY);
            policy.mode = Mode::Monitor;
            policy
        },
        |_| {},
    );
}

#[test]
fn writing_the_directorys_configuration_takes_access_to_everything() {
    check(
        "
        bert : modify cn=a,cn=config cn               -> 50 card payroll phones
        bert : add olcOverlay=dynlist,cn=config cn    -> 50 card payroll phones
        bert : delete cn=a,cn=config                  -> 50 card payroll phones
        bert : search sub cn=config                   -> ok
        sync : modify cn=a,cn=config cn               -> ok
        ",
        || policy(POLICY),
        |snapshot| {
            let mut facts = (*snapshot.directory).clone();
            facts.naming_contexts.push(dn("cn=config"));
            facts.special.push(dn("cn=config"));
            snapshot.directory = Arc::new(facts);
        },
    );
}
