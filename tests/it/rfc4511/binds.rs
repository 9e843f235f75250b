//! Who a session is: what the directory last confirmed, and nothing else.

use crate::support::ber::{integer, octets, tlv};
use crate::support::gate::Setup;
use crate::support::ldap::{SCOPE_BASE, Search, bind_request, modify_request, tag};
use crate::support::slapd::{BASE, DAVE_PASSWORD, Extra, Slapd, password, person};
use crate::support::target::{Target, same};

#[test]
fn the_identity_is_the_last_that_was_confirmed() {
    let told = same(|target| {
        let mut client = target.client();
        let mut out = vec![(0, client.who_am_i())];
        let steps: [(String, Vec<u8>); 7] = [
            (person("alice"), password("alice").into()),
            (person("bob"), password("bob").into()),
            (person("bob"), b"wrong".to_vec()),
            (person("dave"), DAVE_PASSWORD.to_vec()),
            (String::new(), Vec::new()),
            (person("nobody"), b"x".to_vec()),
            (person("carol").to_uppercase(), password("carol").into()),
        ];
        for (dn, secret) in steps {
            let code = client.bind(&dn, secret).code;
            out.push((code, client.who_am_i()));
        }
        out
    });
    let dn = |name: &str| format!("dn:{}", person(name));
    let nobody = String::new();
    assert_eq!(
        told,
        [
            (0, nobody.clone()),
            (0, dn("alice")),
            (0, dn("bob")),
            (49, nobody.clone()),
            (0, dn("dave")),
            (0, nobody.clone()),
            (49, nobody),
            (0, dn("carol")),
        ]
    );
}

#[test]
fn a_failed_rebind_leaves_nothing_of_the_old_identity() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    gate.granted("alice", "payroll-reader", &[]);
    let payroll = Search::new(format!("ou=payroll,{BASE}")).scope(SCOPE_BASE);
    let mut client = gate.client_as("alice");
    assert_eq!(client.search(&payroll).answer.code, 0);
    assert_eq!(client.bind(&person("alice"), "wrong").code, 49);
    assert_eq!(client.who_am_i(), "");
    assert_eq!(client.search(&payroll).summary(), (50, vec![]));
    // What is not protected is asked of the directory as nobody; this one shows nobody anything.
    assert_eq!(client.search(&Search::new(format!("ou=people,{BASE}"))).summary(), (50, vec![]));
}

#[test]
fn a_name_without_a_password_is_nobody() {
    let slapd = Slapd::with(Extra { configuration: "allow bind_anon_dn bind_anon_cred".into(), ..Extra::default() });
    let gate = Setup::default().start(&slapd);
    let mut client = gate.client_as("bob");
    // RFC 4513 5.1.2: unwillingToPerform, even before a directory that would have said yes.
    assert_eq!(client.bind(&person("alice"), "").code, 53);
    assert_eq!(client.who_am_i(), "");
    assert!(!slapd.log().contains("dn=\"uid=alice"), "the directory was asked: {}", slapd.log());
}

#[test]
fn other_versions_and_ways_are_refused() {
    let slapd = Slapd::start();
    let gate = Setup::default().start(&slapd);
    let mut client = gate.client_as("alice");
    let version_two = tlv(tag::BIND, &[integer(2), octets(person("bob")), tlv(0x80, b"bob-secret")].concat());
    assert_eq!(client.ask(&version_two, &[]).code, 2);
    assert_eq!(client.who_am_i(), "", "a bind that fails, for whatever reason, leaves the session anonymous");
    client.bind_as("alice");
    // RFC 4511 4.2: an authentication choice that nobody knows is authMethodNotSupported.
    let unknown = tlv(tag::BIND, &[integer(3), octets(person("bob")), tlv(0x84, b"x")].concat());
    assert_eq!(client.ask(&unknown, &[]).code, 7);
    assert_eq!(client.who_am_i(), "");
    let mechanism = tlv(0xa3, &[octets("NO-SUCH-MECHANISM"), octets("x")].concat());
    let sasl = tlv(tag::BIND, &[integer(3), octets(""), mechanism].concat());
    assert_eq!(client.ask(&sasl, &[]).code, 7);
    assert_eq!(client.who_am_i(), "");
}

#[test]
fn a_protected_bind_is_answered_alike_for_right_and_wrong_passwords() {
    let policy = r#"
[[resource]]
name = "service-logins"
base = "ou=services,dc=example,dc=com"
operations = ["bind"]

[[role]]
name = "service-login"
description = "Bind as a service"
allow = [{ resource = "service-logins", operations = ["bind"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "1h"
default_duration = "1h"
"#;
    let mut target = Target::gated(Extra::default(), Setup::default().policy(policy));
    let app = format!("cn=app,ou=services,{BASE}");
    let mut client = target.client();
    let right = client.bind(&app, "app-secret");
    assert_eq!(client.who_am_i(), "");
    let wrong = client.bind(&app, "wrong");
    let absent = client.bind(&format!("cn=absent,ou=services,{BASE}"), "app-secret");
    assert_ne!(right.code, 0);
    assert_eq!((&right, &right), (&wrong, &absent), "the answer tells whether the password was right");
    assert!(!target.slapd().log().contains("dn=\"cn=app"), "the directory was asked");
}

#[test]
fn what_comes_behind_a_bind_is_measured_when_the_bind_is_answered() {
    let target = Target::gated(Extra::default(), Setup::default());
    let large = vec![b'x'; 300 * 1024];
    // More than a stranger may send, right behind the bind that makes somebody of the stranger.
    let mut client = target.client();
    let bind = client.send(&bind_request(&person("alice"), password("alice").as_bytes()), &[]);
    let modify = client.send(&modify_request(&person("alice"), 2, "description", &[&large]), &[]);
    assert_eq!(client.receive_for(bind).answer().code, 0);
    assert_ne!(client.receive_for(modify).answer().code, 2);
    assert_eq!(client.who_am_i(), format!("dn:{}", person("alice")));
    // Behind one that fails it is still too much.
    let bind = client.send(&bind_request(&person("alice"), b"wrong"), &[]);
    client.send_raw(b"\x30\x83\x04\xb0\x00");
    assert_eq!(client.receive_for(bind).answer().code, 49);
    assert_eq!(client.receive().and_then(|message| message.notice_of_disconnection()), Some(2));
}
