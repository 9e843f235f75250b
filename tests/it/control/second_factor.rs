//! The second factor: enrolled by its owner, each code good once, demanded where a role says so.

use super::person;
use crate::support::gate::{Gate, Setup};
use crate::support::https::Https;
use crate::support::slapd::{Slapd, password, person as dn};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

const GUARDED: &str = r#"
[[role]]
name = "guarded"
allow = [{ resource = "payroll", operations = ["search"] }]
eligible = ["group:cn=hr,ou=groups,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "4h"
second_factor = ["requester", "approver"]
"#;

fn open() -> (Slapd, Gate) {
    let slapd = Slapd::start();
    let gate = Setup::default().and(GUARDED).https().start(&slapd);
    (slapd, gate)
}

/// An authenticator that shows codes ahead of time, so that tests need not wait for the next.
struct Authenticator {
    secret: Vec<u8>,
    step: i64,
}

impl Authenticator {
    fn new(secret: &str) -> Authenticator {
        let (mut bits, mut word, mut octets) = (0, 0u32, Vec::new());
        for letter in secret.bytes() {
            let digit = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
            (word, bits) = (word << 5 | digit as u32, bits + 5);
            if bits >= 8 {
                bits -= 8;
                octets.push((word >> bits) as u8);
            }
        }
        // From the earliest code that is taken on: three can be had at once.
        Authenticator { secret: octets, step: now() / 30 - 1 }
    }

    /// A code that was not shown before; waits for the next one when there is none.
    fn code(&mut self) -> String {
        crate::support::eventually("the next code", || (self.step <= now() / 30 + 1).then_some(()));
        let code = code_at(&self.secret, self.step.max(now() / 30 - 1));
        self.step = self.step.max(now() / 30 - 1) + 1;
        code
    }
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

fn code_at(secret: &[u8], step: i64) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), &step.to_be_bytes());
    let offset = usize::from(tag.as_ref()[19] & 15);
    let word = u32::from_be_bytes(tag.as_ref()[offset..offset + 4].try_into().unwrap());
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

fn enrol(who: &Https) -> Authenticator {
    let begun = who.post("/v1/totp", &json!({}));
    assert_eq!(begun.status, 200, "{begun:#?}");
    let begun = begun.json();
    let secret = begun["secret"].as_str().unwrap();
    assert!(begun["uri"].as_str().unwrap().contains(&format!("secret={secret}")), "{begun}");
    let mut authenticator = Authenticator::new(secret);
    let confirmed = who.post("/v1/totp/confirm", &json!({ "code": authenticator.code() }));
    assert_eq!(confirmed.status, 200, "{confirmed:#?}");
    authenticator
}

fn wish() -> Value {
    json!({ "role": "guarded", "reason": "HR-7: test" })
}

#[test]
fn a_role_demands_it_of_who_asks_and_of_who_approves() {
    let (_slapd, gate) = open();
    let (alice, bob) = (person(&gate, "alice"), person(&gate, "bob"));
    assert_eq!(alice.post("/v1/requests", &wish()).problem(), (403, "second-factor-needed".to_owned()));
    enrol(&alice);
    // To confirm was to show it.
    let asked = alice.post("/v1/requests", &wish());
    assert_eq!(asked.status, 201, "{asked:#?}");
    let asked = asked.json();
    let path = format!("/v1/requests/{}/reviews", asked["id"].as_str().unwrap());
    let review = |word: &str| json!({ "decision": word, "reason": "seen", "scope_digest": asked["scope_digest"], "revision": asked["revision"] });
    assert_eq!(bob.post(&path, &review("approve")).problem(), (403, "second-factor-needed".to_owned()));
    enrol(&bob);
    // Another login of Bob's has not shown it.
    let other = person(&gate, "bob");
    assert_eq!(other.get("/v1/me").json()["second_factor"], json!(false));
    assert_eq!(other.post(&path, &review("approve")).problem(), (403, "second-factor-needed".to_owned()));
    assert_eq!(bob.post(&path, &review("approve")).json()["state"], json!("approved"));
    // Who denies need not show it.
    let again = alice.post("/v1/requests", &wish()).json();
    let deny = json!({
        "decision": "deny", "reason": "no", "scope_digest": again["scope_digest"], "revision": again["revision"],
    });
    let path = format!("/v1/requests/{}/reviews", again["id"].as_str().unwrap());
    assert_eq!(other.post(&path, &deny).json()["state"], json!("denied"));
}

#[test]
fn each_code_is_good_once_wherever_it_is_shown() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let mut authenticator = enrol(&alice);
    let other = person(&gate, "alice");
    let code = authenticator.code();
    assert_eq!(other.post("/v1/step-up", &json!({ "code": code })).status, 200);
    assert_eq!(other.get("/v1/me").json()["second_factor"], json!(true));
    let third = person(&gate, "alice");
    assert_eq!(third.post("/v1/step-up", &json!({ "code": code })).problem(), (403, "wrong-code".to_owned()));
    assert_eq!(third.post_with("/v1/requests", &code, &wish()).problem(), (403, "wrong-code".to_owned()));
    let replayed = json!({ "name": "alice", "password": password("alice"), "code": code });
    let nobody = Https::new(&gate);
    assert_eq!(nobody.post("/v1/login", &replayed).problem(), (401, "login-failed".to_owned()));
    assert_eq!(third.get("/v1/me").json()["second_factor"], json!(false));
    // Along with the call that needs it.
    let asked = third.post_with("/v1/requests", &authenticator.code(), &wish());
    assert_eq!(asked.status, 201, "{asked:#?}");
}

#[test]
fn enrolling_again_takes_the_old_code_or_an_administrator() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let mut old = enrol(&alice);
    // A login that has not shown it cannot replace it.
    let stolen = person(&gate, "alice");
    assert_eq!(stolen.post("/v1/totp", &json!({})).problem(), (403, "second-factor-needed".to_owned()));
    assert_eq!(stolen.post_with("/v1/totp", "000000", &json!({})).problem(), (403, "wrong-code".to_owned()));
    let begun = stolen.post_with("/v1/totp", &old.code(), &json!({}));
    assert_eq!(begun.status, 200, "{begun:#?}");
    // Until the new one is confirmed, the old one is the one.
    let wrong = stolen.post("/v1/totp/confirm", &json!({ "code": "000000" }));
    assert_eq!(wrong.problem(), (403, "wrong-code".to_owned()));
    let reset = json!({ "subject": dn("alice"), "reason": "lost her telephone" });
    assert_eq!(alice.post("/v1/totp/reset", &reset).problem(), (403, "not-administrator".to_owned()));
    let administrator = person(&gate, "root-admin");
    let own = json!({ "subject": dn("root-admin"), "reason": "mine" });
    assert_eq!(administrator.post("/v1/totp/reset", &own).problem(), (403, "own-second-factor".to_owned()));
    assert_eq!(administrator.post("/v1/totp/reset", &reset).status, 200);
    enrol(&person(&gate, "alice"));
    gate.audit.wait_for("the reset", |record| {
        record["event"] == json!("second factor reset") && record["about"] == json!(dn("alice"))
    });
    assert!(!gate.audit.text().contains(begun.json()["secret"].as_str().unwrap()));
}

#[test]
fn at_the_socket_the_code_comes_along() {
    let (_slapd, mut gate) = open();
    // Whoever runs the tests acts as others: the second factor is their own.
    let refused = gate.cli("alice", &["request", "guarded", "--reason", "HR-7: test"]).expect(1);
    assert!(refused.stderr.contains("second factor"), "{refused:#?}");
    let alice = person(&gate, "alice");
    let mut authenticator = enrol(&alice);
    let folder = gate.folder.path().join("store.second-factors");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!((files.len(), mode(&files[0])), (1, 0o600));
    // A restart ends logins, and forgets neither who enrolled nor which codes were used.
    let used = authenticator.code();
    assert_eq!(alice.post("/v1/step-up", &json!({ "code": used })).status, 200);
    gate.stop("TERM");
    gate.launch();
    let moved = alice.moved_to(gate.https);
    assert_eq!(moved.get("/v1/me").problem(), (401, "bad-token".to_owned()));
    let alice = person(&gate, "alice");
    assert_eq!(alice.post("/v1/step-up", &json!({ "code": used })).problem(), (403, "wrong-code".to_owned()));
    assert_eq!(alice.post("/v1/step-up", &json!({ "code": authenticator.code() })).status, 200);
}

#[test]
fn of_two_calls_with_one_code_at_once_one_has_it() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let mut authenticator = enrol(&alice);
    let logins: Vec<Https> = (0..4).map(|_| person(&gate, "alice")).collect();
    let code = authenticator.code();
    let taken: Vec<u16> = std::thread::scope(|scope| {
        let show = |login: &Https| login.post("/v1/step-up", &json!({ "code": code })).status;
        let tries: Vec<_> = logins.iter().map(|login| scope.spawn(move || show(login))).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().filter(|status| **status == 200).count(), 1, "{taken:?}");
    let shown = logins.iter().filter(|login| login.get("/v1/me").json()["second_factor"] == json!(true));
    assert_eq!(shown.count(), 1);
}

#[test]
fn what_was_begun_before_does_not_replace_the_owners() {
    let (_slapd, gate) = open();
    // Who knows the password begins while there is none yet, and waits.
    let thief = person(&gate, "alice");
    let begun = thief.post("/v1/totp", &json!({})).json();
    let mut theirs = Authenticator::new(begun["secret"].as_str().unwrap());
    let alice = person(&gate, "alice");
    enrol(&alice);
    let late = thief.post("/v1/totp/confirm", &json!({ "code": theirs.code() }));
    assert_eq!(late.problem(), (409, "not-enrolling".to_owned()));
    assert_eq!(thief.post("/v1/totp", &json!({})).problem(), (403, "second-factor-needed".to_owned()));
    assert_eq!(thief.get("/v1/me").json()["second_factor"], json!(false));
}

#[test]
fn what_was_shown_with_one_that_was_reset_counts_no_more() {
    let (_slapd, gate) = open();
    let (alice, administrator) = (person(&gate, "alice"), person(&gate, "root-admin"));
    enrol(&alice);
    assert_eq!(alice.get("/v1/me").json()["second_factor"], json!(true));
    let reset = json!({ "subject": dn("alice"), "reason": "stolen" });
    assert_eq!(administrator.post("/v1/totp/reset", &reset).status, 200);
    assert_eq!(alice.get("/v1/me").json()["second_factor"], json!(false));
    assert_eq!(alice.post("/v1/requests", &wish()).problem(), (403, "second-factor-needed".to_owned()));
    // Nor does what another login of hers shows, once there is a new one.
    let mut first = enrol(&alice);
    let other = person(&gate, "alice");
    let begun = other.post_with("/v1/totp", &first.code(), &json!({})).json();
    let mut second = Authenticator::new(begun["secret"].as_str().unwrap());
    assert_eq!(other.post("/v1/totp/confirm", &json!({ "code": second.code() })).status, 200);
    let shown = |login: &Https| login.get("/v1/me").json()["second_factor"].clone();
    assert_eq!((shown(&alice), shown(&other)), (json!(false), json!(true)));
    assert_eq!(alice.post("/v1/step-up", &json!({ "code": first.code() })).problem().0, 403, "the old one is none");
}

#[test]
fn codes_are_not_guessed_and_not_used_up_by_looking() {
    let (_slapd, gate) = open();
    let alice = person(&gate, "alice");
    let mut authenticator = enrol(&alice);
    let other = person(&gate, "alice");
    let code = authenticator.code();
    // A code that comes with what changes nothing shows nothing and is not used up.
    let looked = other.send("GET", "/v1/me", &[("Tidegate-Code", &code)], "");
    assert_eq!(looked.json()["second_factor"], json!(false));
    assert_eq!(other.post("/v1/step-up", &json!({ "code": code })).status, 200);
    let wrong: Vec<u16> = (0..8).map(|_| other.post("/v1/step-up", &json!({ "code": "000000" })).status).collect();
    assert_eq!(wrong, [403, 403, 403, 403, 403, 429, 429, 429]);
    let right = alice.post("/v1/step-up", &json!({ "code": authenticator.code() }));
    assert_eq!(right.problem(), (429, "too-many-attempts".to_owned()), "in whichever login, and even the right one");
    // Bob's are his own.
    enrol(&person(&gate, "bob"));
    let told = |record: &Value| record["reason"] == json!("too-many-attempts");
    gate.audit.wait_for("the refusal", told);
    assert_eq!(gate.audit.records().iter().filter(|record| told(record)).count(), 1, "once, however often it is tried");
}

#[test]
fn at_the_socket_a_role_demands_it_of_both_too() {
    // Whoever runs the tests has a name in the directory, and logs in to enrol.
    let own = crate::support::gate::user();
    let entry = format!(
        "dn: {}\nobjectClass: inetOrgPerson\nuid: {own}\ncn: {own}\nsn: {own}\nuserPassword: {}\n\n",
        dn(&own),
        password(&own)
    );
    let slapd = Slapd::with(crate::support::slapd::Extra { ldif: entry, ..Default::default() });
    let gate = Setup::default().and(GUARDED).https().start(&slapd);
    let mut authenticator = enrol(&person(&gate, &own));
    let ask = ["request", "guarded", "--reason", "HR-7: test", "--output", "json"];
    let refused = gate.cli("alice", &ask).expect(1);
    assert!(refused.stderr.contains("second factor"), "{refused:#?}");
    let asked = gate.cli("alice", &[&ask[..], &["--code", &authenticator.code()]].concat()).expect(0).json();
    let id = asked["id"].as_str().unwrap();
    let refused = gate.cli("bob", &["approve", id]).expect(1);
    assert!(refused.stderr.contains("second factor"), "{refused:#?}");
    let approved = gate.cli("bob", &["approve", id, "--code", &authenticator.code()]).expect(0);
    assert!(approved.stdout.contains("approved"), "{approved:#?}");
    let again = gate.cli("alice", &[&ask[..], &["--code", "000000"]].concat()).expect(1);
    assert!(again.stderr.contains("code"), "{again:#?}");
}
