//! Who one is: passwords, tokens, certificates.

use super::{open, open_with, person};
use crate::support::certs::Authority;
use crate::support::gate::Setup;
use crate::support::https::Https;
use crate::support::ldap::{Client, modify_request};
use crate::support::slapd::{BASE, ROOT_DN, ROOT_PASSWORD, Slapd, password, person as dn};
use serde_json::json;

#[test]
fn the_same_api_as_at_the_socket_from_request_to_release() {
    let (_slapd, gate) = open();
    let (alice, bob) = (person(&gate, "alice"), person(&gate, "bob"));
    let me = alice.get("/v1/me").json();
    assert_eq!((&me["subject"], &me["local_user"]), (&json!(dn("alice")), &json!(null)));
    let asked = alice.post("/v1/requests", &json!({ "role": "payroll-reader", "reason": "HR-7: test" }));
    assert_eq!(asked.status, 201, "{asked:#?}");
    let asked = asked.json();
    let review = json!({
        "decision": "approve", "scope_digest": asked["scope_digest"], "revision": asked["revision"],
    });
    let path = format!("/v1/requests/{}/reviews", asked["id"].as_str().unwrap());
    assert_eq!(alice.post(&path, &review).problem(), (403, "own-request".to_owned()));
    let approved = bob.post(&path, &review).json();
    assert_eq!(approved["state"], "approved", "{approved:#}");
    let grant = approved["grant"].as_str().unwrap();
    let released = alice.post(&format!("/v1/grants/{grant}/release"), &json!({})).json();
    assert_eq!(released["state"], "released", "{released:#}");
    // Who asked, and from where, is on record.
    let from = asked["history"][0]["from"].as_str().unwrap();
    assert!(from.starts_with("127.0.0.1:"), "{asked:#}");
    assert_eq!(asked["history"][0]["by"], json!(dn("alice")));
}

#[test]
fn nobody_is_anybody_without_proof() {
    let (_slapd, gate) = open();
    let nobody = Https::new(&gate);
    let answer = nobody.get("/v1/me");
    assert_eq!(answer.problem(), (401, "who-are-you".to_owned()));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"tidegate\""));
    assert_eq!(nobody.clone().with_token("tg_0000").get("/v1/me").problem(), (401, "bad-token".to_owned()));
    // Neither a cookie nor a name is a proof; a password is one at `login` only.
    for header in [("Cookie", "token=tg_0000"), ("Tidegate-As", "uid=alice,dc=x")] {
        assert_eq!(nobody.send("GET", "/v1/me", &[header], "").status, 401, "{header:?}");
    }
    let basic = nobody.send("GET", "/v1/me", &[("Authorization", "Basic YWxpY2U6YWxpY2Utc2VjcmV0")], "");
    assert_eq!(basic.status, 400, "{basic:#?}");
    // `act_as` names users of the machine: a token is none.
    let alice = person(&gate, "alice");
    let acted = alice.send("GET", "/v1/me", &[("Tidegate-As", &dn("bob"))], "");
    assert_eq!(acted.problem(), (403, "may-not-act-as".to_owned()));
}

#[test]
fn the_directory_decides_about_passwords() {
    let (_slapd, gate) = open();
    let nobody = Https::new(&gate);
    let by_name = nobody.log_in("alice", &password("alice"));
    assert_eq!((by_name.status, &by_name.json()["subject"]), (200, &json!(dn("alice"))), "{by_name:#?}");
    let by_dn = nobody.log_in(&dn("ALICE").replace("uid", " UID "), &password("alice"));
    assert_eq!(by_dn.status, 200, "{by_dn:#?}");
    // All of one face: known and unknown names, and what could be a name and more.
    let mut faces = Vec::new();
    for (last, name, secret) in [
        (2, "alice", "wrong"),
        (3, "alice", ""),
        (4, "nobody-of-that-name", "wrong"),
        (5, "", "wrong"),
        (6, "alice,ou=people,dc=example,dc=com", &password("alice")),
        (7, "alice)(uid=*", &password("alice")),
        (8, "bob\\2cou=people", "wrong"),
        (9, "ou=people,dc=example,dc=com", ""),
    ] {
        let answer = nobody.clone().from(last).log_in(name, secret);
        assert_eq!(answer.problem(), (401, "login-failed".to_owned()), "{name}");
        faces.push(answer.text);
    }
    faces.dedup();
    assert_eq!(faces.len(), 1, "{faces:?}");
}

#[test]
fn a_bind_that_is_protected_is_no_login_either() {
    let slapd = Slapd::start();
    let policy = "\n[[resource]]\nname = \"people-binds\"\nbase = \"uid=alice,ou=people,dc=example,dc=com\"\noperations = [\"bind\"]\n";
    let gate = Setup::default().and(policy).https().start(&slapd);
    let nobody = Https::new(&gate);
    assert_eq!(nobody.log_in("alice", &password("alice")).problem(), (401, "login-failed".to_owned()));
    assert_eq!(nobody.log_in("bob", &password("bob")).status, 200);
}

#[test]
fn a_token_ends_with_its_time_and_when_it_is_given_back() {
    let (_slapd, gate) = open_with("token_ttl = \"3s\"");
    let (alice, bob) = (person(&gate, "alice"), person(&gate, "bob"));
    assert_eq!(alice.get("/v1/me").status, 200);
    assert_eq!(bob.post("/v1/logout", &json!({})).status, 200);
    assert_eq!(bob.get("/v1/me").problem(), (401, "bad-token".to_owned()));
    crate::support::eventually("the token is over", || {
        let answer = alice.get("/v1/me");
        (answer.status != 200).then(|| assert_eq!(answer.problem(), (401, "bad-token".to_owned())))
    });
}

#[test]
fn certificates_say_who_one_is_and_only_those_of_the_right_authority() {
    let slapd = Slapd::start();
    let folder = tempfile::tempdir().unwrap();
    let (people, others) = (folder.path().join("people"), folder.path().join("others"));
    for path in [&people, &others] {
        std::fs::create_dir(path).unwrap();
    }
    let (people, others) = (Authority::new(&people), Authority::new(&others));
    let lines =
        format!("client_ca = {:?}\ncertificate_subject = \"uid={{cn}},ou=people,dc=example,dc=com\"", people.ca);
    let gate = Setup::default().https().control_lines(&lines).start(&slapd);
    let alice = Https::new(&gate).with_certificate(people.person("alice"));
    let me = alice.get("/v1/me").json();
    assert_eq!((&me["subject"], &me["certificate"]), (&json!(dn("alice")), &json!("cn=alice")), "{me:#}");
    let asked = alice.post("/v1/requests", &json!({ "role": "payroll-reader", "reason": "HR-7: test" }));
    assert_eq!(asked.status, 201, "{asked:#?}");
    // A browser would send the certificate along with whatever a foreign page asks for.
    let forged = alice.send("POST", "/v1/requests", &[("Content-Type", "text/plain")], &asked.text);
    assert_eq!(forged.problem(), (415, "not-json".to_owned()));
    let forged = [("Content-Type", "application/json"), ("Origin", "https://evil.example.net")];
    assert_eq!(alice.send("POST", "/v1/requests", &forged, "{}").problem(), (403, "foreign-origin".to_owned()));
    // A token that is sent is what counts, good or bad.
    assert_eq!(alice.clone().with_token("tg_0").get("/v1/me").problem(), (401, "bad-token".to_owned()));
    let impostor = Https::new(&gate).with_certificate(others.person("alice"));
    let refused = std::panic::catch_unwind(|| impostor.get("/v1/me").status);
    assert!(refused.is_err(), "the handshake fails: {refused:?}");
    assert_eq!(Https::new(&gate).get("/v1/me").status, 401);
}

#[test]
fn certificates_are_renewed_without_dropping_a_connection() {
    use std::io::{Read as _, Write as _};
    let (_slapd, mut gate) = open();
    let https = Https::new(&gate);
    let mut old = https.connect().unwrap();
    let probe = format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", https.port);
    let mut ask = |last: bool| {
        let probe = if last { probe.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") } else { probe.clone() };
        old.write_all(probe.as_bytes()).unwrap();
        let mut octets = Vec::new();
        while !octets.ends_with(b"ok\n") {
            let mut octet = [0];
            old.read_exact(&mut octet).unwrap();
            octets.extend(octet);
        }
    };
    ask(false);
    let folder = gate.folder.path().to_owned();
    let authority = Authority::new(&folder);
    authority.server("gate");
    gate.cli("root-admin", &["reload"]).expect(0);
    // Whoever trusts the old authority only is not served any more; whoever is connected is.
    gate.authority = authority;
    assert_eq!(Https::new(&gate).get("/healthz").status, 200);
    ask(true);
}

#[test]
fn logins_are_recorded_and_never_with_a_password() {
    let (_slapd, gate) = open();
    let nobody = Https::new(&gate);
    assert_eq!(nobody.log_in("alice", "wrong-secret-of-alice").status, 401);
    let alice = person(&gate, "alice");
    alice.post("/v1/logout", &json!({}));
    let seen = |event: &str| gate.audit.wait_for(event, |record| record["event"] == json!(event));
    let failed = seen("refused");
    assert_eq!(
        (&failed["attempt"], &failed["about"], &failed["by"], &failed["reason"]),
        (&json!("log in"), &json!(dn("alice")), &json!("nobody"), &json!("login-failed"))
    );
    assert!(failed["connection_from"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(seen("logged in")["by"], json!(dn("alice")));
    assert_eq!(seen("logged out")["by"], json!(dn("alice")));
    let everything = gate.audit.text() + &gate.errors();
    assert!(!everything.contains("secret") && !everything.contains("tg_"), "{everything}");
}

#[test]
fn a_lock_ends_every_login_of_its_subject_and_no_other() {
    let (_slapd, gate) = open();
    let (first, second, bob) = (person(&gate, "alice"), person(&gate, "alice"), person(&gate, "bob"));
    let administrator = person(&gate, "root-admin");
    let lock = json!({ "subject": dn("ALICE").replace("uid=", "UID = "), "reason": "laptop lost" });
    assert_eq!(administrator.post("/v1/locks", &lock).status, 201);
    for gone in [&first, &second] {
        assert_eq!(gone.get("/v1/me").problem(), (401, "bad-token".to_owned()));
    }
    assert_eq!(bob.get("/v1/me").status, 200);
    // She may say who she is, and do nothing.
    let again = person(&gate, "alice");
    let asked = again.post("/v1/requests", &json!({ "role": "payroll-reader", "reason": "HR-7" }));
    assert_eq!(asked.problem(), (403, "locked".to_owned()));
}

#[test]
fn an_administrator_who_is_locked_administers_nothing() {
    let two = format!("administrators = [\"dn:{}\", \"dn:{}\"]", dn("root-admin"), dn("carol"));
    let (_slapd, gate) = open_with(&two);
    let administrator = person(&gate, "root-admin");
    gate.cli("root-admin", &["lock", &dn("root-admin"), "--reason", "laptop lost"]).expect(0);
    assert_eq!(administrator.get("/v1/me").status, 401);
    let administrator = person(&gate, "root-admin");
    for (path, body) in [
        ("/v1/reload", json!({})),
        ("/v1/totp/reset", json!({ "subject": dn("alice"), "reason": "mine" })),
        ("/v1/locks", json!({ "subject": dn("alice"), "reason": "mine" })),
        ("/v1/sessions/1-1/kill", json!({})),
        ("/v1/explain", json!({ "as": dn("alice"), "operation": "delete", "target": dn("bob") })),
    ] {
        assert_eq!(administrator.post(path, &body).status, 403, "{path}");
    }
    let json = [("Content-Type", "application/json")];
    let own = format!("/v1/locks/{}", dn("root-admin"));
    assert_eq!(administrator.send("DELETE", &own, &json, "").problem(), (403, "locked".to_owned()));
    let request = gate.request("alice", "payroll-reader", &[]);
    assert_eq!(administrator.get(&format!("/v1/requests/{request}")).status, 404);
    assert_eq!(administrator.get("/v1/requests").json(), json!([]));
    assert_eq!(administrator.get("/v1/locks").status, 403);
}

#[test]
fn a_token_carries_no_rights_of_its_own() {
    let (slapd, gate) = open();
    let erin = person(&gate, "erin");
    assert_eq!(erin.get("/v1/me").json()["auditor"], json!(true));
    let request = gate.request("alice", "payroll-reader", &[]);
    let path = format!("/v1/requests/{request}");
    assert_eq!(erin.get(&path).status, 200);
    let mut directory = Client::plain(slapd.ldap);
    assert_eq!(directory.bind(ROOT_DN, ROOT_PASSWORD).code, 0);
    let group = format!("cn=security,ou=groups,{BASE}");
    let others = [dn("carol")];
    let members: Vec<&[u8]> = others.iter().map(String::as_bytes).collect();
    assert_eq!(directory.ask(&modify_request(&group, 2, "member", &members), &[]).code, 0);
    // The directory is asked again.
    gate.cli("root-admin", &["reload"]).expect(0);
    crate::support::eventually("who left the group sees no more", || (erin.get(&path).status == 404).then_some(()));
    assert_eq!(erin.get("/v1/me").json()["auditor"], json!(false));
}

#[test]
fn a_token_is_good_from_any_address_and_each_is_on_record() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let moved = alice.clone().from(44);
    // What a proxy may say of where somebody comes from is not believed.
    let said = [("Content-Type", "application/json"), ("X-Forwarded-For", "10.0.0.1"), ("Forwarded", "for=10.0.0.1")];
    let wish = json!({ "role": "payroll-reader", "reason": "HR-7: test" }).to_string();
    let asked = moved.send("POST", "/v1/requests", &said, &wish).json();
    let from = asked["history"][0]["from"].as_str().unwrap();
    assert!(from.starts_with("127.0.0.44:"), "{asked:#}");
}
