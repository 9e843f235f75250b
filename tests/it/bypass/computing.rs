//! What a user writes so that the directory computes with what is hidden, or says whether it is there.

use crate::support::gate::Setup;
use crate::support::ldap::{Client, SCOPE_BASE, Search, add_request, modify_request, rename_request};
use crate::support::slapd::{BASE, Extra, ROOT_DN, ROOT_PASSWORD, person};
use crate::support::target::Target;

const ADD: i32 = 0;
const REPLACE: i32 = 2;

fn dynamic_lists() -> Extra {
    Extra {
        configuration: "include /etc/ldap/schema/dyngroup.schema\nmoduleload dynlist\n".to_owned(),
        database: "overlay dynlist\ndynlist-attrset labeledURIObject labeledURI\ndynlist-attrset groupOfURLs memberURL member\n"
            .to_owned(),
        ..Extra::default()
    }
}

/// A URL that lends every description in the payroll.
fn url() -> String {
    format!("ldap:///ou=payroll,{BASE}?description?sub?(objectClass=*)")
}

fn reads(client: &mut Client, dn: &str) -> String {
    let found = client.search(&Search::new(dn).scope(SCOPE_BASE).attributes(&["*", "+"]));
    format!("{found:?}")
}

/// The hidden values, as `Debug` writes them of entries (octets).
fn shows_salaries(text: &str) -> bool {
    text.contains(&format!("{:?}", b"salary 1000".to_vec()))
}

#[test]
fn dynamic_lists_are_not_made_of_what_is_hidden() {
    let mut target = Target::gated(dynamic_lists(), Setup::default());
    let alice = person("alice");
    // What the directory would do, and does for whoever comes another way.
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let mut direct = Client::ldaps(port, &ca);
    direct.bind_as("carol");
    assert_eq!(direct.ask(&modify_request(&person("carol"), ADD, "objectClass", &[b"labeledURIObject"]), &[]).code, 0);
    let list = modify_request(&person("carol"), ADD, "labeledURI", &[url().as_bytes()]);
    assert_eq!(direct.ask(&list, &[]).code, 0);
    assert!(shows_salaries(&reads(&mut direct, &person("carol"))), "the test tests nothing");

    let mut client = target.client();
    client.bind_as("alice");
    let lent = |attribute: &str, url: &str| modify_request(&alice, ADD, attribute, &[url.as_bytes()]);
    let group = |dn: &str, more: &[(&str, &str)]| {
        let attributes = [&[("objectClass", "groupOfURLs"), ("cn", "list")], more].concat();
        add_request(dn, &attributes)
    };
    let escaped = url().replace('=', "\\3d").replace(',', "\\2c");
    for (what, operation) in [
        ("the attribute", lent("labeledURI", &url())),
        ("its OID", lent("1.3.6.1.4.1.250.1.57", &url())),
        ("an option", lent("labeledURI;x-a", &url())),
        ("upper case", lent("LABELEDURI", &url().to_uppercase())),
        ("the class", modify_request(&alice, ADD, "objectClass", &[b"labeledURIObject"])),
        ("replacing", modify_request(&alice, REPLACE, "labeledURI", &[url().as_bytes()])),
        ("a subtype", group(&format!("cn=list,ou=groups,{BASE}"), &[("memberURL", &url())])),
        ("the class alone", group(&format!("cn=list,ou=groups,{BASE}"), &[])),
        ("in a new name", group(&format!("cn=list+memberURL={escaped},ou=groups,{BASE}"), &[])),
        ("in another name", rename_request(&alice, &format!("uid=alice+labeledURI={escaped}"), None)),
    ] {
        let answer = client.ask(&operation, &[]);
        assert_eq!(answer.code, 50, "{what}: {answer:?}");
        assert!(answer.message.contains("payroll"), "{what}: {answer:?}");
    }
    assert!(!shows_salaries(&reads(&mut client, &alice)));
    target.gate().audit.wait_for("it is in the log", |record| record["reason"] == "computes");
    // A web page is one.
    let page = modify_request(&alice, ADD, "labeledURI", &[b"https://www.example.com/alice Alice"]);
    assert_eq!(client.ask(&page, &[]).code, 0);
}

#[test]
fn a_name_that_is_written_does_not_tell_what_is_there() {
    let mut target = Target::gated(
        Extra {
            configuration: "moduleload refint\n".to_owned(),
            database: "memberof-dangling error\n".to_owned(),
            ..Extra::default()
        },
        Setup::default(),
    );
    let group = format!("cn=hr,ou=groups,{BASE}");
    let (there, nowhere) = (format!("uid=e01,ou=payroll,{BASE}"), format!("uid=nobody,ou=payroll,{BASE}"));
    let member = |dn: &str| modify_request(&group, ADD, "member", &[dn.as_bytes()]);
    let before = target.slapd().log().len();
    let mut client = target.client();
    client.bind_as("alice");
    let (one, other) = (client.ask(&member(&there), &[]), client.ask(&member(&nowhere), &[]));
    assert_eq!((one.code, &one.message, &one.matched), (other.code, &other.message, &other.matched));
    assert_eq!(one.code, 50, "{one:?}");
    for form in [format!("OU=x;{there}"), format!("<GUID=00ff>;{there}"), "<SID=S-1-5-21-1-1104>".to_owned()] {
        assert_eq!(client.ask(&member(&form), &[]).code, 21, "{form}");
    }
    assert!(!target.slapd().log()[before..].contains("MOD dn="), "the directory was not asked");
    assert_eq!(client.ask(&member(&person("erin")), &[]).code, 0, "whoever is not hidden");
    let mut admin = Client::ldaps(target.slapd().ldaps, &target.slapd().authority.ca.clone());
    assert_eq!(admin.bind(ROOT_DN, ROOT_PASSWORD).code, 0);
    let hidden = reads(&mut admin, &there);
    assert!(!hidden.contains("memberOf"), "nothing was written into it: {hidden}");
}
