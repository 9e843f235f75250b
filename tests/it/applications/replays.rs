//! Applications that cannot be installed for a test: what they say, operation by operation, written from their sources
//! and documentation. Straight and through the gate they are answered the same.

use crate::support::ber::{boolean, children, enumerated, integer, octets, sequence, tlv};
use crate::support::ldap::{
    Client, Found, Message, SCOPE_BASE, SCOPE_ONE, SCOPE_SUBTREE, START_TLS, Search, bind_request, control,
    delete_request, extended_request, modify_request, password_request, tag,
};
use crate::support::slapd::{BASE, person};
use crate::support::target::{Target, same};
use std::cell::RefCell;

const PAGED: &str = "1.2.840.113556.1.4.319";
const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
const DEREFERENCE: &str = "1.3.6.1.4.1.4203.666.5.16";
const TREE_DELETE: &str = "1.2.840.113556.1.4.805";

/// What does not differ between two directories that were filled alike.
type Told = Vec<(String, i32, String, Vec<String>)>;

fn told(what: &str, found: &Found) -> (String, i32, String, Vec<String>) {
    let mut entries: Vec<String> =
        found.entries.iter().map(|entry| format!("{} {:?}", entry.dn, shown(entry))).collect();
    entries.sort();
    let controls = found.controls.iter().map(|(oid, _)| oid.clone());
    (what.to_owned(), found.answer.code, found.answer.matched.clone(), entries.into_iter().chain(controls).collect())
}

fn shown(entry: &crate::support::ldap::Entry) -> Vec<(String, Vec<String>)> {
    const MOVING: [&str; 5] = ["contextCSN", "entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp"];
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    let all = entry.attributes.iter().filter(|(name, _)| !MOVING.contains(&name.as_str()));
    all.map(|(name, values)| (name.clone(), values.iter().map(text).collect())).collect()
}

fn ended(what: &str, message: &Message) -> (String, i32, String, Vec<String>) {
    let answer = message.answer();
    let controls = message.controls.iter().map(|(oid, value)| format!("{oid} {value:?}")).collect();
    (what.to_owned(), answer.code, answer.matched, controls)
}

fn bind(client: &mut Client, dn: &str, password: &str, controls: &[Vec<u8>]) -> (String, i32, String, Vec<String>) {
    let id = client.send(&bind_request(dn, password.as_bytes()), controls);
    ended("bind", &client.receive_for(id))
}

fn page(size: i32, cookie: &[u8], critical: bool) -> Vec<u8> {
    control(PAGED, critical, Some(&sequence(&[&integer(size), &octets(cookie)])))
}

fn cookie(found: &Found) -> Vec<u8> {
    let answer = found.controls.iter().find(|(oid, _)| oid == PAGED);
    answer.map(|(_, value)| children(children(value)[0].1)[1].1.to_vec()).unwrap_or_default()
}

fn root(attributes: &[&str]) -> Search {
    Search::new("").scope(SCOPE_BASE).attributes(attributes)
}

/// SSSD 2.8 (`sdap_async_connection.c`, `sdap_async.c`, `sdap_async_users.c`, `ldap_auth.c`): StartTLS with the rootDSE
/// read before any bind, a service bind with the password-policy control, users and groups in pages, group members
/// by dereference where the rootDSE offers it (critical) or one by one, an enumeration that is abandoned, a login on a connection of its own, a changed password.
fn sssd(target: &Target) -> Told {
    const WANTED: [&str; 9] = [
        "altServer",
        "namingContexts",
        "supportedControl",
        "supportedExtension",
        "supportedFeatures",
        "supportedLDAPVersion",
        "supportedSASLMechanisms",
        "defaultNamingContext",
        "highestCommittedUSN",
    ];
    let mut out = Told::new();
    let mut client = Client::plain(target.ldap);
    let answer = client.extended(START_TLS, None);
    out.push(("start tls".into(), answer.code, answer.matched, Vec::new()));
    client.handshake(&target.ca).expect("a TLS handshake");
    let found = client.search(&root(&WANTED));
    assert_eq!(found.entries.len(), 1);
    let offered = |oid: &str| {
        let all = found.entries[0].attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case("supportedControl"));
        all.is_some_and(|(_, values)| values.iter().any(|value| value == oid.as_bytes()))
    };
    assert!(offered(PAGED) && offered(PASSWORD_POLICY), "{found:?}");
    let policy = control(PASSWORD_POLICY, false, None);
    out.push(bind(&mut client, &format!("cn=app,ou=services,{BASE}"), "app-secret", std::slice::from_ref(&policy)));

    const USER: [&str; 12] = [
        "objectClass",
        "uid",
        "userPassword",
        "uidNumber",
        "gidNumber",
        "gecos",
        "homeDirectory",
        "loginShell",
        "cn",
        "modifyTimestamp",
        "shadowLastChange",
        "memberOf",
    ];
    let user = "(&(uid=alice)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))";
    out.push(told("user", &client.search(&Search::new(BASE).filter(user).attributes(&USER))));
    let groups = format!("(&(member={})(objectClass=groupOfNames)(cn=*))", person("alice"));
    out.push(told("groups", &client.search(&Search::new(BASE).filter(&groups).attributes(&["cn", "member"]))));
    // Every enumeration in pages of 1000 (`ldap_page_size`); small ones here.
    let mut next = Vec::new();
    loop {
        let search = Search::new(BASE).filter("(&(objectclass=posixAccount)(uid=*))").attributes(&["uid"]);
        let found = client.search(&search.control(page(3, &next, false)));
        next = cookie(&found);
        out.push(told("page", &found));
        if next.is_empty() {
            break;
        }
    }
    let specification =
        sequence(&[&sequence(&[&octets("member"), &sequence(&[&octets("uid"), &octets("uidNumber")])])]);
    let group = Search::new(format!("cn=hr,ou=groups,{BASE}")).scope(SCOPE_BASE).attributes(&["member"]);
    // Critically; where it is refused, SSSD looks each member up from then on.
    if offered(DEREFERENCE) {
        let found = client.search(&group.clone().control(control(DEREFERENCE, true, Some(&specification))));
        out.push(told("dereference", &found));
    }
    for member in ["alice", "bob"] {
        let search = Search::new(person(member)).scope(SCOPE_BASE).filter("(objectclass=posixAccount)");
        out.push(told("member", &client.search(&search.attributes(&["uid", "uidNumber"]))));
    }
    // Range retrieval is asked for by name; a directory that does not know the option shows nothing.
    out.push(told("range", &client.search(&group.attributes(&["member;range=0-*"]))));
    let pending = client.send(&Search::new(BASE).filter("(uid=*)").encoded(), &[]);
    client.send(&tlv(tag::ABANDON, &[u8::try_from(pending).unwrap()]), &[]);
    let marker = client.send(&root(&["1.1"]).encoded(), &[]);
    while client.receive().expect("goes on after an abandon").id != marker {}
    let _ = client.receive_for(marker);

    let mut login = Client::ldaps(target.ldaps, &target.ca);
    out.push(bind(&mut login, &person("carol"), "wrong", std::slice::from_ref(&policy)));
    out.push(bind(&mut login, &person("carol"), "carol-secret", std::slice::from_ref(&policy)));
    let id = login.send(&password_request(Some(&person("carol")), b"carol-secret-2"), &[policy]);
    out.push(ended("password", &login.receive_for(id)));
    out.push(bind(&mut login, &person("carol"), "carol-secret-2", &[]));
    out
}

#[test]
fn sssd_is_answered_the_same() {
    let out = same(sssd);
    let codes: Vec<i32> = out.iter().filter(|(what, ..)| what != "page").map(|(_, code, ..)| *code).collect();
    assert!(
        codes.iter().filter(|code| **code == 49).count() == 1 && codes.iter().all(|code| [0, 49].contains(code)),
        "{out:#?}"
    );
    assert_eq!(out.iter().filter(|(what, ..)| what == "page").count(), 3, "{out:#?}");
}

/// Grafana 10 (`pkg/services/ldap/ldap.go`, over go-ldap 3.4): a service bind, the user searched by login with a
/// pseudo-attribute `dn` among those wanted, `memberOf`, the user's own bind on the same connection, the service again.
fn grafana(target: &Target) -> Told {
    let mut out = Told::new();
    let mut client = Client::plain(target.ldap);
    client.start_tls(&target.ca);
    let app = format!("cn=app,ou=services,{BASE}");
    for (user, password) in [("alice", "alice-secret"), ("alice", "wrong"), ("bob", "bob-secret"), ("nobody", "x")] {
        out.push(bind(&mut client, &app, "app-secret", &[]));
        // go-ldap: derefAliases never, no limits, typesOnly false.
        let search = Search::new(BASE).filter(&format!("(|(uid={user})(mail={user}))"));
        let search = search.attributes(&["uid", "sn", "mail", "cn", "memberOf", "dn"]);
        let found = client.search(&search);
        out.push(told("user", &found));
        let Some(entry) = found.entries.first() else { continue };
        out.push(bind(&mut client, &entry.dn, password, &[]));
        out.push(bind(&mut client, &app, "app-secret", &[]));
        let groups = format!("(&(objectClass=groupOfNames)(member={}))", entry.dn);
        out.push(told("groups", &client.search(&Search::new(BASE).filter(&groups).attributes(&["dn", "cn"]))));
    }
    out
}

#[test]
fn grafana_is_answered_the_same() {
    let out = same(grafana);
    assert_eq!(out.iter().filter(|(_, code, ..)| *code == 49).count(), 1, "{out:#?}");
    assert!(out[1].3[0].starts_with(&person("alice")), "{out:#?}");
}

/// Directory Studio 2.0 (`StudioLdapConnection`, `InitializeRootDSERunnable`, `ReloadSchemaRunnable`,
/// `InitializeChildrenRunnable`, `DeleteEntriesRunnable`): everything with ManageDsaIT, children in pages and with
/// `hasSubordinates`, referral entries as entries, trees deleted critically where the rootDSE offers it. `counted` is
/// told whether [`BASE`], directly below which something is protected, came with `hasSubordinates`; `out` is not.
fn directory_studio(target: &Target, counted: &RefCell<Vec<bool>>) -> Told {
    let mut out = Told::new();
    let apart = |mut found: Found| {
        for entry in found.entries.iter_mut().filter(|entry| entry.dn == BASE) {
            let before = entry.attributes.len();
            entry.attributes.retain(|(name, _)| name != "hasSubordinates");
            counted.borrow_mut().push(entry.attributes.len() < before);
        }
        found
    };
    let mut client = target.client();
    client.bind_as("alice");
    let manage = || control(MANAGE_DSA_IT, false, None);
    let found = client.search(&root(&["subschemaSubentry", "namingContexts", "supportedLDAPVersion", "+", "*"]));
    let offers_trees = found.entries[0].attributes.iter().any(|(_, values)| values.contains(&TREE_DELETE.into()));
    let name = found.entries[0].attributes.iter().find(|(name, _)| name == "subschemaSubentry").expect("a schema");
    let schema = Search::new(String::from_utf8_lossy(&name.1[0]).into_owned()).scope(SCOPE_BASE);
    let schema = schema.filter("(objectClass=subschema)").attributes(&[
        "objectClasses",
        "attributeTypes",
        "ldapSyntaxes",
        "matchingRules",
        "matchingRuleUse",
        "createTimestamp",
        "modifyTimestamp",
    ]);
    let found = client.search(&schema);
    let counts = found.entries[0].attributes.iter().map(|(name, values)| format!("{name} {}", values.len())).collect();
    out.push(("schema".into(), found.answer.code, String::new(), counts));
    for (base, scope, filter, attributes) in [
        (BASE.to_owned(), SCOPE_BASE, "(objectClass=*)", &["*", "+"][..]),
        (format!("ou=people,{BASE}"), SCOPE_ONE, "(objectClass=*)", &["hasSubordinates", "objectClass", "ref"]),
        (format!("cn=away,ou=elsewhere,{BASE}"), SCOPE_BASE, "(objectClass=*)", &["*", "+", "ref"]),
        (format!("ou=aliases,{BASE}"), SCOPE_ONE, "(objectClass=alias)", &["aliasedObjectName"]),
        (format!("ou=people,{BASE}"), SCOPE_SUBTREE, "(&(cn>=b)(cn<=e)(!(sn=x))(uid:caseExactMatch:=carol))", &["uid"]),
    ] {
        let search = Search::new(base).scope(scope).filter(filter).attributes(attributes).control(manage());
        out.push(told("search", &apart(client.search(&search))));
        let paged = search.limit(1000).control(page(100, b"", false));
        out.push(told("page", &apart(client.search(&paged))));
    }
    // Scope "subordinate" is not of RFC 4511; Studio does not use it. A delete of a tree is.
    let tree = format!("ou=open,ou=projects,{BASE}");
    if offers_trees {
        let id = client.send(&delete_request(&tree), &[manage(), control(TREE_DELETE, true, None)]);
        out.push(ended("tree", &client.receive_for(id)));
    }
    let id = client.send(&modify_request(&person("alice"), 2, "title", &[b"x"]), &[manage()]);
    out.push(ended("modify", &client.receive_for(id)));
    out
}

#[test]
fn directory_studio_is_answered_the_same() {
    let counted = RefCell::default();
    let out = same(|target| directory_studio(target, &counted));
    // Straight, then through the gate: Studio takes an entry without it for one that may have children.
    let shown = std::env::var_os("DIRECT").is_some();
    assert_eq!(counted.into_inner(), [true, true, shown, shown]);
    assert!(out.iter().all(|(_, code, ..)| [0, 32].contains(code)), "{out:#?}");
    let away = out.iter().find(|(_, _, _, entries)| entries.iter().any(|entry| entry.starts_with("cn=away")));
    assert!(away.is_some(), "{out:#?}");
}

/// The UnboundID SDK 6 (`ldapsearch`, `LDAPConnectionPool`): a health check of the rootDSE, `typesOnly`, a
/// search in pages whose cookie is empty at last, a bind that asks for the authorization identity without insisting.
fn unboundid(target: &Target) -> Told {
    const AUTHORIZATION_IDENTITY: &str = "2.16.840.1.113730.3.4.16";
    let mut out = Told::new();
    let mut client = target.client();
    let wanted = control(AUTHORIZATION_IDENTITY, false, None);
    let id = client.send(&bind_request(&person("alice"), b"alice-secret"), &[wanted]);
    out.push(("bind".into(), client.receive_for(id).answer().code, String::new(), Vec::new()));
    out.push(told("health", &client.search(&root(&["1.1"]))));
    let list = [octets("uid"), octets("*")].concat();
    let parts = [
        octets(format!("ou=people,{BASE}")),
        enumerated(SCOPE_SUBTREE),
        enumerated(0),
        integer(0),
        integer(30),
        boolean(true),
        crate::support::ber::filter("(uid=*)"),
        tlv(0x30, &list),
    ];
    let id = client.send(&tlv(tag::SEARCH, &parts.concat()), &[page(100, b"", false)]);
    out.push(told("types", &client.collect(id)));
    let id = client.send(&extended_request("1.3.6.1.4.1.30221.2.6.1", None), &[]);
    out.push(("unknown".into(), client.receive_for(id).answer().code, String::new(), Vec::new()));
    out
}

#[test]
fn unboundid_is_answered_the_same() {
    let out = same(unboundid);
    let codes: Vec<i32> = out.iter().map(|(_, code, ..)| *code).collect();
    assert_eq!(codes, [0, 0, 0, 2], "{out:#?}");
}

/// Nextcloud takes 1 (operationsError) for a defect of its own and stops, and 52 (unavailable) for a server that is
/// down: neither is the gate's answer to trouble of an ordinary kind.
#[test]
fn trouble_is_neither_an_operations_error_nor_unavailable() {
    let target = Target::gated(crate::support::slapd::Extra::default(), crate::support::gate::Setup::default());
    let mut client = target.client();
    let payroll = format!("ou=payroll,{BASE}");
    let mut codes = vec![
        client.bind(&person("alice"), "wrong").code,
        client.bind(&person("alice"), "").code,
        client.bind("alice@example.com", "x").code,
        client.bind(&format!("uid=e01,{payroll}"), "x").code,
        client.search(&Search::new(&payroll)).answer.code,
    ];
    client.bind_as("alice");
    codes.extend([
        client.search(&Search::new(&payroll)).answer.code,
        client.search(&Search::new("not a name")).answer.code,
        client.search(&Search::new("dc=elsewhere")).answer.code,
        client.search(&Search::new(BASE).filter("(noSuchAttribute=x)")).answer.code,
        client.search(&Search::new(BASE).control(control("1.2.3.4", true, None))).answer.code,
        client.search(&Search::new(format!("cn=away,ou=elsewhere,{BASE}")).scope(SCOPE_BASE)).answer.code,
        client.search(&Search::new(BASE).limit(1)).answer.code,
        client.ask(&modify_request(&format!("uid=e01,{payroll}"), 2, "title", &[b"x"]), &[]).code,
        client.extended("1.2.3.4", None).code,
        client.bind(&person("alice"), "wrong").code,
        client.search(&Search::new(BASE)).answer.code,
    ]);
    assert!(!codes.contains(&1) && !codes.contains(&52), "{codes:?}");
    assert_eq!(codes, [49, 53, 34, 50, 50, 50, 34, 32, 0, 12, 53, 4, 50, 2, 49, 50]);
}
