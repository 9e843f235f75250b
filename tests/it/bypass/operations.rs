//! Each operation, straight and around the corner, without a grant and with one.

use crate::support::gate::Setup;
use crate::support::ldap::{
    Answer, Client, SCOPE_BASE, Search, add_request, compare_request, control, delete_request, modify_request,
    password_request, rename_request,
};
use crate::support::slapd::{BASE, Extra, ROOT_DN, ROOT_PASSWORD, person};
use crate::support::target::Target;

const TREE_DELETE: &str = "1.2.840.113556.1.4.805";

fn payroll(rdn: &str) -> String {
    format!("{rdn},ou=payroll,{BASE}")
}

fn new_person(dn: &str) -> Vec<u8> {
    add_request(dn, &[("objectClass", "inetOrgPerson"), ("uid", "new"), ("cn", "new"), ("sn", "new")])
}

/// Operations that touch the payroll, whatever entry they start from; and the codes of slapd for them.
fn touching() -> Vec<(&'static str, Vec<u8>, i32)> {
    let e01 = payroll("uid=e01");
    vec![
        ("compare", compare_request(&e01, "sn", "Employee"), 6),
        ("modify", modify_request(&e01, 2, "title", &[b"x"]), 0),
        ("increment", modify_request(&e01, 3, "uidNumber", &[b"1"]), 16),
        ("password", password_request(Some(&e01), b"new"), 0),
        ("add", new_person(&payroll("uid=new")), 0),
        ("delete", delete_request(&payroll("uid=new")), 0),
        ("rename", rename_request(&e01, "uid=e99", None), 0),
        ("move within", rename_request(&payroll("uid=e99"), "uid=e01", Some(&payroll("ou=archive"))), 0),
        ("move out", rename_request(&payroll("uid=e02"), "uid=e02", Some(&format!("ou=people,{BASE}"))), 0),
        ("move in", rename_request(&person("carol"), "uid=carol", Some(&format!("ou=payroll,{BASE}"))), 0),
        ("delete of the base", delete_request(&format!("ou=payroll,{BASE}")), 66),
        ("compare of the base", compare_request(&format!("ou=payroll,{BASE}"), "ou", "payroll"), 6),
        ("add below", new_person(&payroll("uid=new,uid=e03")), 0),
    ]
}

/// Everything in the directory, as its administrator sees it.
fn everything(target: &mut Target) -> Vec<crate::support::ldap::Entry> {
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut admin = Client::ldaps(port, &ca);
    assert_eq!(admin.bind(ROOT_DN, ROOT_PASSWORD).code, 0);
    admin.search(&Search::new(BASE).attributes(&["*"]).control(control("2.16.840.1.113730.3.4.2", true, None))).entries
}

#[test]
fn without_a_grant_each_is_refused_and_nothing_changes() {
    let mut target = Target::gated(Extra::default(), Setup::default());
    let before = everything(&mut target);
    let mut client = target.client();
    client.bind_as("alice");
    for (what, operation, _) in touching() {
        let answer = client.ask(&operation, &[]);
        assert_eq!(answer.code, 50, "{what}: {answer:?}");
        assert!(answer.message.contains("payroll"), "{what} says what is missing: {answer:?}");
        assert_eq!(answer.matched, "", "{what}");
    }
    assert_eq!(everything(&mut target), before, "something reached the directory");
    let asked = target.slapd().log();
    assert!(!asked.contains("uid=e01,ou=payroll"), "the directory was asked: {asked}");
}

#[test]
fn with_a_grant_each_is_the_directorys_to_answer() {
    let target = Target::gated(Extra::default(), Setup::default());
    target.gate().granted("alice", "payroll-editor", &[]);
    let mut client = target.client();
    client.bind_as("alice");
    for (what, operation, code) in touching() {
        assert_eq!(client.ask(&operation, &[]).code, code, "{what}");
    }
}

#[test]
fn what_is_around_it_is_not_protected() {
    let mut target = Target::gated(Extra::default(), Setup::default());
    let mut client = target.client();
    client.bind_as("alice");
    let people = format!("ou=people,{BASE}");
    for (what, operation, code) in [
        ("modify", modify_request(&person("bob"), 2, "title", &[b"x"]), 0),
        ("modify above", modify_request(BASE, 2, "description", &[b"x"]), 0),
        ("add beside", new_person(&format!("uid=new,{people}")), 0),
        ("rename", rename_request(&format!("uid=new,{people}"), "uid=newer", None), 0),
        ("delete", delete_request(&format!("uid=newer,{people}")), 0),
        ("password", password_request(None, b"changed"), 0),
        // Not empty: the directory says so.
        ("delete with others below", delete_request(&people), 66),
        // What is hidden below is not told of.
        ("delete above", delete_request(&format!("ou=projects,{BASE}")), 50),
    ] {
        assert_eq!(client.ask(&operation, &[]).code, code, "{what}");
    }
    assert!(target.slapd().log().matches("RESULT").count() > 7);
}

#[test]
fn an_ancestor_of_what_is_protected_stays_where_it_is() {
    let mut target = Target::gated(Extra::default(), Setup::default());
    let before = everything(&mut target);
    let mut client = target.client();
    client.bind_as("alice");
    let projects = format!("ou=projects,{BASE}");
    for operation in [
        rename_request(&projects, "ou=harmless", None),
        rename_request(&projects, "ou=projects", Some(&format!("ou=people,{BASE}"))),
        rename_request(&format!("OU=Projects,{BASE}"), "ou=harmless", Some(&format!("ou=people,{BASE}"))),
        rename_request(BASE, "ou=harmless", Some(&projects)),
    ] {
        assert_eq!(client.ask(&operation, &[]).code, 50);
    }
    // Out of the tree that is served: there is no such place.
    assert_eq!(client.ask(&rename_request(BASE, "dc=harmless", None), &[]).code, 32);
    for above in [&projects, BASE] {
        let answer = client.ask(&delete_request(above), &[control(TREE_DELETE, true, None)]);
        assert_eq!(answer.code, 50, "{answer:?}");
    }
    assert_eq!(everything(&mut target), before);
    // With the right to what is below, it moves; slapd itself does not know tree delete.
    target.gate().granted("alice", "payroll-editor", &[]);
    assert_eq!(client.ask(&rename_request(&projects, "ou=harmless", None), &[]).code, 50, "another resource's grant");
    let open = format!("ou=open,{projects}");
    assert_eq!(client.ask(&rename_request(&open, "ou=opener", None), &[]).code, 0);
}

#[test]
fn a_refusal_tells_nothing_of_what_is_there() {
    let target = Target::gated(Extra::default(), Setup::default());
    let mut client = target.client();
    client.bind_as("alice");
    let mut ask = |operation: &[u8]| -> Answer { client.ask(operation, &[]) };
    let (there, not, elsewhere) = (payroll("uid=e01"), payroll("uid=e77"), person("bob"));
    for (what, one, other) in [
        ("compare", compare_request(&there, "sn", "Employee"), compare_request(&not, "sn", "Employee")),
        ("modify", modify_request(&there, 2, "title", &[b"x"]), modify_request(&not, 2, "title", &[b"x"])),
        ("delete", delete_request(&there), delete_request(&not)),
        ("add", new_person(&there), new_person(&not)),
        ("password", password_request(Some(&there), b"x"), password_request(Some(&not), b"x")),
        ("rename", rename_request(&there, "uid=z", None), rename_request(&not, "uid=z", None)),
        (
            "new superior",
            rename_request(&elsewhere, "uid=z", Some(&payroll("ou=archive"))),
            rename_request(&elsewhere, "uid=z", Some(&payroll("ou=nothing"))),
        ),
        ("search", Search::new(&there).encoded(), Search::new(&not).encoded()),
        ("deep search", Search::new(payroll("ou=archive")).encoded(), Search::new(payroll("ou=a,ou=b,ou=c")).encoded()),
    ] {
        assert_eq!(ask(&one), ask(&other), "{what}");
    }
    // The matchedDN of an entry that is missing below what is visible names nothing hidden.
    let absent = client.search(&Search::new(format!("uid=x,ou=nothing,{BASE}")).scope(SCOPE_BASE));
    assert_eq!((absent.answer.code, absent.answer.matched.as_str()), (32, BASE));
}
