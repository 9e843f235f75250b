//! Locks: who sets and lifts them, whom they are of, what they stop.

use super::super::locks::{check_leaves_administrator, lock, unlock};
use super::*;
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::Naming;

fn locked(world: World, subject: &str) -> World {
    let lock = lock(None, &dn(subject), "laptop lost", &person("root"), &world.context()).unwrap();
    World { locks: world.locks.with(&lock), ..world }
}

#[test]
fn only_administrators_lock_and_say_why() {
    let world = World::new();
    let rows = [
        (person("root"), "why", Ok(())),
        (person("rita"), "why", Err("not-administrator")),
        (person("lars"), "why", Err("not-administrator")),
        (person("root"), " ", Err("reason-missing")),
        (person("root"), "\u{1b}", Err("bad-text")),
    ];
    for (actor, reason, expected) in rows {
        let result = lock(None, &uid("anna"), reason, &actor, &world.context());
        assert_eq!(result.map(|_| ()).map_err(|error| error.word()), expected, "{actor:?} {reason:?}");
    }
    let first = lock(None, &uid("anna"), "why", &person("root"), &world.context()).unwrap();
    let again = lock(Some(&first), &uid("anna"), "why", &person("root"), &world.context());
    assert_eq!(again.unwrap_err().word(), "locked-already");
    assert_eq!(
        unlock(Some(&first), &uid("anna"), &person("lars"), &world.context()).unwrap_err().word(),
        "not-administrator"
    );
    let lifted = unlock(Some(&first), &uid("anna"), &person("root"), &world.context()).unwrap();
    assert_eq!((lifted.locked, lifted.revision), (false, 2));
    assert_eq!(
        unlock(Some(&lifted), &uid("anna"), &person("root"), &world.context()).unwrap_err().word(),
        "not-locked"
    );
    assert_eq!(unlock(None, &uid("anna"), &person("root"), &world.context()).unwrap_err().word(), "not-locked");
    let second = lock(Some(&lifted), &uid("anna"), "again", &person("root"), &world.context()).unwrap();
    assert_eq!((second.revision, second.history.len()), (3, 3));
}

#[test]
fn a_lock_is_of_a_subject_however_it_is_spelled() {
    let world = locked(World::new(), "UID=Anna, OU=People, DC=X");
    assert!(world.locks.of(&uid("anna"), &Naming::unread()).is_some());
    assert!(world.locks.of(&dn("uid=a\\6ena,ou=people,dc=x"), &Naming::unread()).is_some());
    assert!(
        world.locks.of(&uid("bert"), &Naming::unread()).is_none()
            && world.locks.of(&dn("ou=people,dc=x"), &Naming::unread()).is_none()
    );
    assert_eq!(Lock::id_of(&dn("uid = ANNA,ou=people,dc=x")), Lock::id_of(&uid("anna")));
    assert_ne!(Lock::id_of(&uid("bert")), Lock::id_of(&uid("anna")));
    let root = locked(World::new(), "uid=root,ou=people,dc=x");
    let lifting =
        unlock(root.locks.of(&uid("root"), &Naming::unread()), &uid("root"), &person("root"), &root.context());
    assert_eq!(lifting.unwrap_err().word(), "locked", "nobody lifts their own");
}

#[test]
fn who_is_locked_can_neither_ask_nor_decide_nor_hold() {
    let request = asked_by("anna", "editor");
    let grant = World::new().grant(&request, &person("lars"));
    let anna = locked(World::new(), "uid=anna,ou=people,dc=x");
    assert_eq!(anna.ask(&person("anna"), wish("editor")).unwrap_err().word(), "locked");
    assert_eq!(anna.ask(&person_as("olga", "anna"), wish("editor")).unwrap_err().word(), "locked");
    assert_eq!(anna.review(&request, &person("lars"), Verdict::Approve).unwrap_err().word(), "locked");
    assert_eq!(anna.review(&request, &person("lars"), Verdict::Deny).unwrap().state, RequestState::Denied);
    let (ended, effect) = on_policy(&grant, &anna.context()).unwrap().unwrap();
    assert_eq!((ended.state, effect), (GrantState::Revoked, Effect::Close));
    let why = ended.history.last().unwrap().reason.clone();
    assert_eq!(why.as_deref(), Some("uid=anna,ou=people,dc=x is locked by an administrator"));
    let lars = locked(World::new(), "uid=lars,ou=people,dc=x");
    assert_eq!(lars.review(&request, &person("lars"), Verdict::Approve).unwrap_err().word(), "locked");
    assert_eq!(lars.review(&request, &person_as("lars", "lena"), Verdict::Approve).unwrap_err().word(), "locked");
    assert_eq!(revoke(&grant, &person("lars"), "why", &lars.context()).unwrap_err().word(), "locked");
    let sync = locked(World::new(), "cn=sync,dc=x");
    let for_sync = Wish { subject: Some(dn("cn=sync,dc=x")), ..wish("editor") };
    assert_eq!(sync.ask(&person("anna"), for_sync).unwrap_err().word(), "locked");
}

#[test]
fn nobody_has_more_requests_waiting_than_they_may() {
    use super::super::asking::check_pending;
    let world = World::new();
    assert_eq!(check_pending(19, &world.context()), Ok(()));
    assert_eq!(check_pending(20, &world.context()), Err(WorkflowError::TooManyPending(20)));
}

#[test]
fn only_who_locks_themselves_can_be_the_last_administrator() {
    let world = World::new();
    let root = person("root");
    let check = |subject: &str, others: &[Dn]| {
        check_leaves_administrator(&uid(subject), &root, others, &world.context()).map_err(|error| error.word())
    };
    assert_eq!(check("anna", &[]), Ok(()));
    assert_eq!(check("root", &[]), Err("last-administrator"));
    assert_eq!(check("ROOT", &[uid("root")]), Err("last-administrator"));
    assert_eq!(check("root", &[uid("olaf")]), Ok(()));
    let olaf_is_locked = locked(World::new(), "uid=olaf,ou=people,dc=x");
    let left = check_leaves_administrator(&uid("root"), &root, &[uid("olaf")], &olaf_is_locked.context());
    assert_eq!(left.map_err(|error| error.word()), Err("last-administrator"));
}
