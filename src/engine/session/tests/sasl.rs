//! SASL binds: RFC 4511 4.2.1, RFC 4513 5.2, RFC 4370, and the ways around them.

use super::*;
use crate::engine::ldap::control::{Control, oid};
use crate::engine::ldap::sasl::{Mechanism, Mechanisms};

const SUBJECT: &str = "cn=alice,o=people";

fn step<'a>(mechanism: &'a str, credentials: Option<&'a [u8]>) -> Request<'a> {
    let authentication = Authentication::Sasl { mechanism: mechanism.as_bytes(), credentials };
    Request::Bind(BindRequest { version: 3, name: BindName::Dn(Dn::root()), authentication })
}

/// A bind response with credentials of the server.
fn challenge(world: &mut World, id: i32, code: u32, credentials: &[u8]) {
    let view = response::ResultView {
        code: ResultCode(code),
        matched_dn: b"",
        message: b"said by the directory",
        referrals: None,
        server_sasl_credentials: None,
        name: None,
        value: None,
    };
    let mut frame = Vec::new();
    response::write_bind_result(&mut frame, ClientMessageId(id), &view, Some(credentials), None);
    world.upstream(&frame);
}

fn who_is(world: &mut World, id: i32, authorization: &[u8]) {
    let mut frame = Vec::new();
    response::write_extended_result(
        &mut frame,
        ClientMessageId(id),
        ResultCode::SUCCESS,
        "",
        None,
        Some(authorization),
    );
    world.upstream(&frame);
}

/// What the directory was asked, one thing.
fn asked(world: &mut World) -> Seen {
    let mut asked = world.at_directory();
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked.remove(0)
}

/// A directory that binds nobody but the one named.
fn without_protected_binds() -> World {
    let mut world = World::new();
    let resources = vec![resource("payroll", PAYROLL, [OperationKind::Search].into_iter().collect())];
    world.snapshot.policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, Vec::new(), Vec::new()).into();
    world
}

#[test]
fn the_subject_is_who_the_directory_says_after_the_last_step() {
    let mut world = World::new();
    world.client(1, &step("SCRAM-SHA-256", Some(b"n,,n=alice,r=x")));
    assert!(!world.session.reads_client(), "nothing else is taken up");
    let first = asked(&mut world);
    challenge(&mut world, first.id, 14, b"r=xy,s=c2FsdA==,i=4096");
    assert_eq!(world.at_client()[0].code, Some(14));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    world.client(2, &step("SCRAM-SHA-256", Some(b"c=biws,r=xy,p=cHJvb2Y=")));
    let second = asked(&mut world);
    challenge(&mut world, second.id, 0, b"v=c2ln");
    assert_eq!(world.at_client(), Vec::new(), "success waits for the answer to Who am I?");
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    assert!(!world.session.reads_client());
    let question = asked(&mut world);
    assert_eq!(question.tag, tag::EXTENDED_REQUEST);
    who_is(&mut world, question.id, format!("dn:{ALICE}").as_bytes());
    let told = world.at_client();
    assert_eq!((told[0].id, told[0].code), (2, Some(0)));
    assert!(told[0].body.ends_with(b"\x87\x06v=c2ln"), "the server's proof is passed on: {:?}", told[0]);
    assert_eq!(*world.session.subject(), Subject::Dn(dn(ALICE)));
    assert_eq!(world.session.authentication(), "sasl:SCRAM-SHA-256");
    let records = world.records();
    assert_eq!(records[1]["target"], ALICE);
    assert_eq!((&records[0]["result"], &records[1]["result"]), (&14.into(), &0.into()));
    assert!(!format!("{records:?}").contains("biws"), "{records:?}");
}

#[test]
fn who_the_directory_cannot_name_is_nobody() {
    for authorization in [&b"u:alice"[..], b"", b"dn:", b"dn:alice", b"DN"] {
        let mut world = without_protected_binds();
        world.client(1, &step("PLAIN", Some(b"\0alice\0secret")));
        let first = asked(&mut world);
        world.result(first.id, tag::BIND_RESPONSE, 0);
        let question = asked(&mut world);
        who_is(&mut world, question.id, authorization);
        // Active Directory may know it by its SID; this one does not.
        let question = asked(&mut world);
        let mut frame = Vec::new();
        let code = ResultCode::SUCCESS;
        response::write_result(&mut frame, ClientMessageId(question.id), tag::SEARCH_RESULT_DONE, code, "", "");
        world.session.on_upstream(&frame, &world.snapshot, world.now, &mut world.fx);
        assert!(world.fx.drop_upstream, "{}", authorization.escape_ascii());
        assert_eq!(world.at_client()[0].code, Some(49));
        assert_eq!(*world.session.subject(), Subject::Anonymous);
    }
}

#[test]
fn another_operation_between_the_steps_gives_the_bind_up() {
    let mut world = World::new();
    world.client(1, &step("SCRAM-SHA-1", Some(b"n,,n=alice,r=x")));
    let first = asked(&mut world);
    challenge(&mut world, first.id, 14, b"r=xy");
    world.at_client();
    let next = frame(2, &search(BASE));
    world.session.on_client(&next, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream);
    world.perform();
    assert_eq!(world.at_client()[0].code, Some(1));
    assert_eq!(world.at_directory(), Vec::new());
    // What would have gone on with it begins anew, over a new connection.
    let next = frame(3, &step("SCRAM-SHA-1", Some(b"c=biws,r=xy,p=x")));
    world.session.on_client(&next, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.connect);
}

#[test]
fn another_mechanism_or_none_gives_the_bind_up() {
    for (request, code) in [
        (step("PLAIN", Some(b"\0a\0b")), None),
        (bind(ALICE, b"secret"), None),
        (step("", None), Some(7)),
        (step("ANONYMOUS", None), Some(7)),
        (bind(ROBOT, b"secret"), Some(50)),
    ] {
        let mut world = World::new();
        world.client(1, &step("SCRAM-SHA-1", Some(b"n,,n=alice,r=x")));
        let first = asked(&mut world);
        challenge(&mut world, first.id, 14, b"r=xy");
        world.at_client();
        let next = frame(2, &request);
        world.session.on_client(&next, false, &world.snapshot, world.now, &mut world.fx);
        assert!(world.fx.drop_upstream, "{request:?}");
        assert_eq!(world.fx.connect, code.is_none(), "{request:?}");
        assert_eq!(world.at_client().first().and_then(|told| told.code), code, "{request:?}");
    }
}

#[test]
fn a_bind_that_fails_leaves_nobody_and_no_connection() {
    let mut world = World::new();
    world.bound(1, ALICE);
    world.client(2, &step("PLAIN", Some(b"\0alice\0wrong")));
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    let first = asked(&mut world);
    let mut frame = Vec::new();
    response::write_result(&mut frame, ClientMessageId(first.id), tag::BIND_RESPONSE, ResultCode(49), "", "no");
    world.session.on_upstream(&frame, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream);
    assert_eq!(*world.session.subject(), Subject::Anonymous);
}

/// Wrong credentials, and right ones of somebody who may not bind: in every way that directories say it.
#[test]
fn a_protected_bind_does_not_tell_right_credentials_from_wrong_ones() {
    let mut answers = Vec::new();
    for code in [49, 50, 80, 53, 32] {
        let mut world = World::new();
        world.client(1, &step("PLAIN", Some(b"\0robot\0wrong")));
        let first = asked(&mut world);
        challenge(&mut world, first.id, code, b"what the directory says to it");
        answers.push(world.at_client());
        assert_eq!(*world.session.subject(), Subject::Anonymous);
    }
    for authorization in [format!("dn:{ROBOT}"), "u:robot".to_owned()] {
        let mut world = World::new();
        world.client(1, &step("PLAIN", Some(b"\0robot\0right")));
        let first = asked(&mut world);
        world.result(first.id, tag::BIND_RESPONSE, 0);
        let question = asked(&mut world);
        who_is(&mut world, question.id, authorization.as_bytes());
        if authorization.starts_with("u:") {
            let question = asked(&mut world);
            world.result(question.id, tag::SEARCH_RESULT_DONE, 0);
        }
        answers.push(world.at_client());
        assert_eq!(*world.session.subject(), Subject::Anonymous);
        if authorization.starts_with("dn:") {
            let record = world.records().remove(0);
            assert_eq!((&record["decision"], &record["target"]), (&"refused".into(), &ROBOT.into()));
        }
    }
    // The server's proof, in a step of its own.
    let mut world = World::new();
    world.client(1, &step("SCRAM-SHA-256", Some(b"c=biws,r=x,p=y")));
    let first = asked(&mut world);
    challenge(&mut world, first.id, 14, b"v=c2ln");
    answers.push(world.at_client());
    assert!(answers.iter().all(|answer| answer.len() == 1 && answer[0].code == Some(49)), "{answers:?}");
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[test]
fn a_grant_opens_a_protected_bind_and_ends_it() {
    let mut world = World::new();
    world.grant("g1", ROBOT, 1);
    world.client(1, &step("PLAIN", Some(b"\0robot\0right")));
    let first = asked(&mut world);
    world.result(first.id, tag::BIND_RESPONSE, 0);
    let question = asked(&mut world);
    who_is(&mut world, question.id, format!("dn:{ROBOT}").as_bytes());
    assert_eq!(world.at_client()[0].code, Some(0));
    assert_eq!(world.records()[0]["grant"], "g1");
    world.revoke("g1", ROBOT);
    assert!(world.session.is_closed());
}

#[test]
fn where_binds_are_protected_nobody_acts_as_somebody_else() {
    for (mechanism, credentials) in [
        ("PLAIN", &b"dn:uid=bob\0robot\0right"[..]),
        ("SCRAM-SHA-1", b"n,a=bob,n=robot,r=x"),
        ("DIGEST-MD5", br#"username="robot",authzid="u:bob",qop=auth"#),
    ] {
        let mut world = World::new();
        world.client(1, &step(mechanism, Some(credentials)));
        assert_eq!(world.at_client()[0].code, Some(123), "{mechanism}");
        assert_eq!(world.at_directory(), Vec::new());
        let mut world = without_protected_binds();
        world.client(1, &step(mechanism, Some(credentials)));
        assert_eq!(world.at_directory().len(), 1, "{mechanism}");
    }
}

#[test]
fn security_layers_are_neither_offered_nor_passed() {
    let mut world = without_protected_binds();
    world.client(1, &step("DIGEST-MD5", None));
    let first = asked(&mut world);
    challenge(&mut world, first.id, 14, br#"nonce="n",qop="auth,auth-int,auth-conf",cipher="rc4""#);
    let told = world.at_client();
    assert!(told[0].body.ends_with(br#"nonce="n",qop="auth""#), "{}", told[0].body.escape_ascii());
    let next = frame(2, &step("DIGEST-MD5", Some(br#"username="alice",qop=auth-conf"#)));
    world.session.on_client(&next, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream, "the directory would expect wrapped octets");
    assert_eq!(world.at_client()[0].code, Some(53));
    assert_eq!(world.at_directory(), Vec::new());
}

#[test]
fn success_before_a_layer_was_declined_is_none() {
    for mechanism in ["GSSAPI", "DIGEST-MD5"] {
        let mut world = without_protected_binds();
        world.client(1, &step(mechanism, None));
        let first = asked(&mut world);
        world.result(first.id, tag::BIND_RESPONSE, 0);
        assert_eq!(world.at_client()[0].code, Some(49), "{mechanism}");
        assert_eq!(*world.session.subject(), Subject::Anonymous);
        assert!(!world.at_directory().iter().any(|seen| seen.tag == tag::EXTENDED_REQUEST));
    }
}

#[test]
fn only_mechanisms_of_the_list_are_passed() {
    let mut world = World::new();
    let mut policy = (*world.snapshot.policy).clone();
    policy.mechanisms = [Mechanism::ScramSha256].into_iter().collect();
    world.snapshot.policy = policy.into();
    for mechanism in ["PLAIN", "EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1"] {
        world.client(1, &step(mechanism, Some(b"\0a\0b")));
        assert_eq!(world.at_client()[0].code, Some(7), "{mechanism}");
    }
    world.client(2, &step("scram-sha-256", Some(b"n,,n=a,r=x")));
    let first = asked(&mut world);
    assert!(first.body.windows(13).any(|window| window == b"SCRAM-SHA-256"), "in the name that was decided upon");
}

/// A session whose client showed a certificate.
fn certified(name: Result<Dn, &'static str>) -> World {
    let mut world = World::new();
    let mut directory = (*world.snapshot.directory).clone();
    directory.proxied_authorization = true;
    world.snapshot.directory = directory.into();
    world.session.client_certificate(Certificate { subject: Ok(dn(SUBJECT)), name });
    world
}

fn external(world: &mut World, id: i32) {
    world.client(id, &step("EXTERNAL", None));
    let question = asked(world);
    who_is(world, question.id, format!("dn:{ALICE}").as_bytes());
    assert_eq!(world.at_client()[0].code, Some(0));
}

/// Every request towards the directory, with its controls.
fn sent(world: &mut World) -> Vec<(u8, Vec<(String, bool, Vec<u8>)>)> {
    let octets = std::mem::take(&mut world.fx.to_upstream);
    let mut rest = octets.as_slice();
    let mut found = Vec::new();
    while let Some(length) = frame_length(rest, usize::MAX).unwrap() {
        let (frame, behind) = rest.split_at(length);
        let envelope = Envelope::parse_request(frame).unwrap();
        let controls = envelope.controls().unwrap();
        let owned = |c: &Control<'_>| (c.oid.to_owned(), c.critical, c.value.unwrap_or_default().to_vec());
        found.push((envelope.tag, controls.iter().map(owned).collect()));
        rest = behind;
    }
    found
}

#[test]
fn external_is_asserted_with_every_operation() {
    let mut world = certified(Ok(dn(ALICE)));
    let start = frame(1, &step("EXTERNAL", None));
    world.session.on_client(&start, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.connect && world.fx.as_proxy, "over a connection of the gate's own");
    world.perform();
    let assertion = (oid::PROXIED_AUTHORIZATION_V2.to_owned(), true, format!("dn:{ALICE}").into_bytes());
    let asked = sent(&mut world);
    assert_eq!(asked, [(tag::EXTENDED_REQUEST, vec![assertion.clone()])], "it is tried out first");
    assert_eq!(*world.session.subject(), Subject::Anonymous);
    who_is(&mut world, 1, format!("dn:{ALICE}").as_bytes());
    assert_eq!(*world.session.subject(), Subject::Dn(dn(ALICE)));
    assert_eq!(world.session.authentication(), "sasl:EXTERNAL");
    assert_eq!(world.records()[0]["certificate"], SUBJECT);

    world.search(2, BASE);
    world.client(3, &Request::Delete(dn("cn=x,dc=example,dc=com")));
    world.client(4, &Request::Extended(ExtendedRequest::WhoAmI));
    world.client(5, &Request::Extended(ExtendedRequest::Password { identity: None, old: None, new: Some(b"x") }));
    let sent_now = sent(&mut world);
    assert_eq!(sent_now.len(), 4);
    for (request_tag, controls) in sent_now {
        assert_eq!(controls, std::slice::from_ref(&assertion), "{request_tag:#x}");
    }
    // These name the connection's own operations only, and RFC 4370 has no control on them.
    world.client(6, &Request::Abandon(ClientMessageId(3)));
    world.client(7, &Request::Extended(ExtendedRequest::Cancel(ClientMessageId(2))));
    assert_eq!(sent(&mut world), [(tag::ABANDON_REQUEST, vec![]), (tag::ABANDON_REQUEST, vec![])]);
    let told: Vec<_> = world.at_client().iter().map(|seen| (seen.id, seen.code)).collect();
    assert_eq!(told[1..], [(2, Some(118)), (7, Some(0))]);
    world.client(8, &Request::Extended(ExtendedRequest::Cancel(ClientMessageId(4))));
    assert_eq!(world.at_client()[0].code, Some(121));
    assert_eq!(sent(&mut world), []);
}

#[test]
fn another_bind_leaves_the_gates_own_connection() {
    for request in [bind(ALICE, b"secret"), bind("", b""), step("PLAIN", Some(b"\0a\0b")), step("EXTERNAL", None)] {
        let mut world = certified(Ok(dn(ALICE)));
        external(&mut world, 1);
        world.at_directory();
        let next = frame(2, &request);
        world.session.on_client(&next, false, &world.snapshot, world.now, &mut world.fx);
        assert_eq!(*world.session.subject(), Subject::Anonymous);
        assert!(world.fx.drop_upstream && world.fx.connect, "{request:?}");
        let again = matches!(
            request,
            Request::Bind(BindRequest { authentication: Authentication::Sasl { mechanism: b"EXTERNAL", .. }, .. })
        );
        assert_eq!(world.fx.as_proxy, again, "{request:?}");
        world.perform();
        let sent = sent(&mut world);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].1.is_empty(), !again, "{request:?}");
    }
    // One that is refused here.
    let mut world = certified(Ok(dn(ALICE)));
    external(&mut world, 1);
    let next = frame(2, &bind(ROBOT, b"x"));
    world.session.on_client(&next, false, &world.snapshot, world.now, &mut world.fx);
    assert!(world.fx.drop_upstream);
}

#[test]
fn losing_the_gates_own_connection_ends_the_session() {
    let mut world = certified(Ok(dn(ALICE)));
    external(&mut world, 1);
    world.session.on_upstream_lost(world.now, &mut world.fx);
    assert!(world.session.is_closed());
}

#[test]
fn what_external_needs_is_missed_when_it_is_not_there() {
    let rows: Vec<(&str, World, Option<&[u8]>, u32)> = vec![
        ("no certificate", World::new(), None, 48),
        ("no name in it", certified(Err("no")), None, 49),
        ("for another", certified(Ok(dn(ALICE))), Some(b"dn:uid=bob,dc=example,dc=com"), 49),
        ("for another form", certified(Ok(dn(ALICE))), Some(b"u:alice"), 49),
        ("for a protected one", certified(Ok(dn(ROBOT))), None, 50),
    ];
    for (name, mut world, credentials, code) in rows {
        world.client(1, &step("EXTERNAL", credentials));
        assert_eq!(world.at_client()[0].code, Some(code), "{name}");
        assert_eq!(world.at_directory(), Vec::new(), "{name}");
        assert_eq!(*world.session.subject(), Subject::Anonymous);
    }
    let mut world = certified(Ok(dn(ALICE)));
    world.snapshot.directory =
        DirectoryFacts { proxied_authorization: false, ..(*world.snapshot.directory).clone() }.into();
    world.client(1, &step("EXTERNAL", None));
    assert_eq!(world.at_client()[0].code, Some(52));
    // The same identity, said twice.
    let mut world = certified(Ok(dn(ALICE)));
    world.client(1, &step("EXTERNAL", Some(format!("dn:{}", ALICE.to_uppercase()).as_bytes())));
    assert_eq!(world.at_directory().len(), 1);
}

#[test]
fn a_directory_that_does_things_for_another_is_not_used() {
    for said in [&b"dn:uid=bob,ou=people,dc=example,dc=com"[..], b"", b"u:alice", b"dn:cn=tidegate,dc=example,dc=com"] {
        let mut world = certified(Ok(dn(ALICE)));
        world.client(1, &step("EXTERNAL", None));
        let question = asked(&mut world);
        let mut frame = Vec::new();
        let id = ClientMessageId(question.id);
        response::write_extended_result(&mut frame, id, ResultCode::SUCCESS, "", None, Some(said));
        world.session.on_upstream(&frame, &world.snapshot, world.now, &mut world.fx);
        assert!(world.fx.drop_upstream, "{}", said.escape_ascii());
        assert_eq!(world.at_client()[0].code, Some(49));
        assert_eq!(*world.session.subject(), Subject::Anonymous);
    }
}

#[test]
fn a_certificate_counts_where_external_showed_it() {
    let selector = crate::engine::policy::selector::Selector::Certificate(dn(SUBJECT));
    let standing = crate::engine::policy::Standing {
        who: vec![selector],
        resource: ResourceIndex(0),
        operations: OperationSet::all(),
        reason: "test".into(),
        replicate: false,
    };
    let policy = || {
        let resources = vec![resource("payroll", PAYROLL, OperationSet::all())];
        Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![standing.clone()], Vec::new())
    };
    let mut world = certified(Ok(dn(ALICE)));
    world.snapshot.policy = policy().into();
    world.search(1, PAYROLL);
    assert_eq!(world.at_client()[0].code, Some(50), "shown in the handshake alone");
    world.bound(2, ALICE);
    world.search(3, PAYROLL);
    assert_eq!(world.at_client()[0].code, Some(50), "bound with a password");
    external(&mut world, 4);
    world.search(5, PAYROLL);
    assert_eq!(world.at_client(), Vec::new());
    assert_eq!(world.at_directory().len(), 1);
    assert!(Mechanisms::all().contains(Mechanism::External));
}
