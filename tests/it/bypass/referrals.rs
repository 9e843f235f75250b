//! A referral would lead the client around the gate.

use crate::support::gate::Setup;
use crate::support::ldap::{Client, SCOPE_BASE, Search, control, modify_request};
use crate::support::slapd::{BASE, Extra};
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
