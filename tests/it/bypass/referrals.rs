//! A referral would lead the client around the gate.

use crate::support::gate::Setup;
use crate::support::ldap::{Client, SCOPE_BASE, Search, control, modify_request, tag};
use crate::support::slapd::{BASE, Extra, Slapd};
use crate::support::target::Target;

#[test]
fn referrals_do_not_lead_around_the_gate() {
    let mut target = Target::gated(Extra::default(), Setup::default());
    let (port, ca) = (target.slapd().ldaps, target.slapd().authority.ca.clone());
    let away = format!("cn=away,ou=elsewhere,{BASE}");
    let below = Search::new(format!("ou=elsewhere,{BASE}"));
    let mut direct = Client::ldaps(port, &ca);
    direct.bind_as("alice");
    assert_eq!(direct.search(&below).references, 1, "the test tests nothing");
    assert_eq!(direct.search(&Search::new(&away).scope(SCOPE_BASE)).answer.code, 10);

    let mut client = target.client();
    client.bind_as("alice");
    let found = client.search(&below);
    assert_eq!((found.answer.code, found.references, found.dns()), (0, 0, vec![below.base.as_str()]));
    let id = client.send(&Search::new(&away).scope(SCOPE_BASE).encoded(), &[]);
    let message = client.receive_for(id);
    assert_eq!(message.answer().code, 53);
    assert!(!String::from_utf8_lossy(&message.body).contains("elsewhere.example.org"), "{message:?}");
    let answer = client.ask(&modify_request(&format!("cn=x,{away}"), 2, "title", &[b"x"]), &[]);
    assert_eq!(answer.code, 53, "{answer:?}");
    // RFC 3296: with ManageDsaIT it is an entry like any other.
    let manage = Search::new(&away).scope(SCOPE_BASE).control(control("2.16.840.1.113730.3.4.2", true, None));
    assert_eq!(client.search(&manage).summary(), (0, vec![away.as_str()]));
}

#[test]
fn referrals_lead_here_where_that_is_configured() {
    let refers = |name: &str, to: &str| {
        format!(
            "dn: cn={name},ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\ncn: {name}\n\
             ref: ldap://elsewhere.example.org/{to}\n\n"
        )
    };
    let ldif = refers("near", &format!("ou=people,{BASE}")) + &refers("tree", "cn=config");
    let slapd = Slapd::with(Extra { ldif, ..Extra::default() });
    let own = "ldaps://gate.example.com:1636";
    let lines = format!("urls = [\"ldap://127.0.0.1:{}\"]\nreferrals = \"{own}\"", slapd.ldap);
    let gate = Setup::default().directory(lines).start(&slapd);
    let mut client = gate.client_as("alice");
    // Of three, one leads to what is served.
    let id = client.send(&Search::new(format!("ou=elsewhere,{BASE}")).encoded(), &[]);
    let mut references = Vec::new();
    loop {
        let message = client.receive_for(id);
        match message.tag {
            tag::REFERENCE => references.push(String::from_utf8(message.body[2..].to_vec()).unwrap()),
            tag::SEARCH_DONE => break,
            _ => {}
        }
    }
    assert_eq!(references, [format!("{own}/ou=people,{BASE}??sub")]);
    let base = |name: &str| Search::new(format!("cn={name},ou=elsewhere,{BASE}")).scope(SCOPE_BASE);
    let id = client.send(&base("near").encoded(), &[]);
    let message = client.receive_for(id);
    let text = String::from_utf8_lossy(&message.body).into_owned();
    assert_eq!(message.answer().code, 10);
    assert!(text.contains(&format!("{own}/ou=people,{BASE}")) && !text.contains("elsewhere.example.org"), "{text}");
    for other in ["away", "tree"] {
        assert_eq!(client.search(&base(other)).answer.code, 53, "{other}");
    }
    // What is hidden may be what refers.
    assert_eq!(client.search(&Search::new(BASE)).references, 0);
}
