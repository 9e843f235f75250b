//! Whom the directory means by a DN that is bound: asked once for each spelling, and believed for a while.

use super::*;
use crate::engine::session::{CONFIRMED_FOR, Confirmations, Confirmed, ConfirmedNames};
use std::sync::Mutex;

const VIRTUAL: &str = "uid=alice,ou=people,dc=virtual";

#[derive(Debug)]
struct Kept(Mutex<ConfirmedNames>);

impl Confirmations for Kept {
    fn look_up(&self, spelling: &Dn, server: &str, now: Now) -> Confirmed {
        self.0.lock().unwrap().look_up(spelling, server, now)
    }

    fn keep(&self, spelling: &Dn, name: &Dn, server: &Arc<str>, now: Now) {
        self.0.lock().unwrap().keep(spelling, name, server, now);
    }
}

fn kept() -> Arc<Kept> {
    Arc::new(Kept(Mutex::new(ConfirmedNames::new(100))))
}

fn world(kept: &Arc<Kept>) -> World {
    let mut world = World::new();
    world.session.confirm_names(kept.clone());
    world
}

/// The directory's success for a bind; the question that it is asked then, if it is.
fn succeeds(world: &mut World, name: &str) -> Option<Seen> {
    world.bind(1, name, b"secret");
    let asked = world.at_directory();
    world.result(asked[0].id, tag::BIND_RESPONSE, 0);
    world.at_directory().pop()
}

fn says(world: &mut World, id: i32, code: u32, value: Option<&str>) {
    let mut frame = Vec::new();
    let value = value.map(str::as_bytes);
    response::write_extended_result(&mut frame, ClientMessageId(id), ResultCode(code), "", None, value);
    world.upstream(&frame);
}

#[test]
fn a_spelling_is_asked_about_once() {
    let kept = kept();
    let mut first = world(&kept);
    let question = succeeds(&mut first, ALICE).expect("it is not known whom this means");
    assert_eq!(*first.session.subject(), Subject::Anonymous, "nobody until that is said");
    assert!(first.at_client().is_empty());
    says(&mut first, question.id, 0, Some(&format!("dn:{ALICE}")));
    assert_eq!(*first.session.subject(), Subject::Dn(dn(ALICE)));
    assert_eq!(first.at_client()[0].code, Some(0));

    let mut second = world(&kept);
    assert!(succeeds(&mut second, ALICE).is_none(), "it was asked a moment ago");
    assert_eq!(*second.session.subject(), Subject::Dn(dn(ALICE)));

    let mut late = world(&kept);
    late.now.monotonic += CONFIRMED_FOR;
    assert!(succeeds(&mut late, ALICE).is_some(), "that was long ago");
}

#[test]
fn who_is_bound_is_whom_the_directory_means() {
    let kept = kept();
    for round in 0..2 {
        let mut world = world(&kept);
        world.grant("g", ALICE, 0);
        let question = succeeds(&mut world, VIRTUAL);
        assert_eq!(question.is_some(), round == 0);
        if let Some(question) = question {
            says(&mut world, question.id, 0, Some(&format!("dn:{ALICE}")));
        }
        assert_eq!(*world.session.subject(), Subject::Dn(dn(ALICE)), "{round}");
        assert_eq!(world.at_client()[0].code, Some(0));
        assert_eq!(world.records()[0]["target"], ALICE);
        world.search(2, PAYROLL);
        assert_eq!(world.at_directory().len(), 1, "what is theirs is theirs");
    }
}

#[test]
fn a_name_that_leads_to_somebody_protected_is_a_wrong_password() {
    let kept = kept();
    let mut first = world(&kept);
    let question = succeeds(&mut first, VIRTUAL).expect("it is not known whom this means");
    says(&mut first, question.id, 0, Some(&format!("dn:{ROBOT}")));
    let wrong = first.at_directory().pop().expect("what it says to a wrong password");
    // The second time it is known at once.
    let mut second = world(&kept);
    let again = succeeds(&mut second, VIRTUAL).expect("what it says to a wrong password");
    for (world, question) in [(&mut first, wrong), (&mut second, again)] {
        assert_eq!(question.tag, tag::BIND_REQUEST);
        world.result(question.id, tag::BIND_RESPONSE, 49);
        assert_eq!(world.at_client()[0].code, Some(49));
        assert_eq!(*world.session.subject(), Subject::Anonymous);
    }
}

/// Active Directory and Samba do not answer with a DN.
#[test]
fn where_the_directory_does_not_say_it_the_entry_does() {
    let rows = [
        ("uid=muller,dc=x", Some("uid=müller,dc=x"), Some("uid=müller,dc=x")),
        ("uid=müller,dc=x", Some("uid=muller,dc=x"), Some("uid=muller,dc=x")),
        // Who may not read their own entry: a plain name is taken for the name.
        ("uid=muller,dc=x", None, Some("uid=muller,dc=x")),
        ("uid=müller,dc=x", None, None),
        ("uid=mul  ler,dc=x", None, None),
        ("site=muller,dc=x", None, None),
    ];
    for (spelling, entry, expected) in rows {
        for (code, value) in [(2, None), (0, Some("u:X\\muller"))] {
            let mut world = world(&kept());
            let question = succeeds(&mut world, spelling).expect("asked");
            says(&mut world, question.id, code, value);
            let search = world.at_directory().pop().expect("the entry is asked for");
            assert_eq!(search.tag, tag::SEARCH_REQUEST);
            if let Some(entry) = entry {
                world.entry(search.id, entry);
            }
            world.result(search.id, tag::SEARCH_RESULT_DONE, if entry.is_some() { 0 } else { 32 });
            let subject = expected.map_or(Subject::Anonymous, |name| Subject::Dn(dn(name)));
            assert!(*world.session.subject() == subject, "{spelling} {entry:?} {:?}", world.session.subject());
            let text = match world.session.subject() {
                Subject::Anonymous => None,
                Subject::Dn(name) => Some(name.text().to_owned()),
            };
            assert_eq!(text.as_deref(), expected, "{spelling} {entry:?}");
            assert_eq!(world.at_client()[0].code, Some(if expected.is_some() { 0 } else { 49 }), "{spelling}");
        }
    }
}

#[test]
fn a_directory_that_cannot_say_it_now_binds_nobody() {
    for code in [51, 52, 80] {
        let kept = kept();
        let mut world = world(&kept);
        let question = succeeds(&mut world, ALICE).expect("asked");
        says(&mut world, question.id, code, None);
        assert_eq!(world.at_client()[0].code, Some(52));
        assert_eq!(*world.session.subject(), Subject::Anonymous);
        assert!(succeeds(&mut self::world(&kept), ALICE).is_some(), "nothing was learnt");
    }
}
