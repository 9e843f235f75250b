//! What is asked by, who is kept, and what waits.

use super::*;
use crate::daemon::directory::Kind;

fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

fn plan(kinds: &[(&str, Result<Kind, Trouble>)]) -> Plan {
    let groups = Arc::new(GroupList::new(kinds.iter().map(|(group, _)| dn(group))));
    Plan { groups, kinds: kinds.iter().map(|(_, kind)| kind.clone()).collect(), ..Plan::default() }
}

fn fine() -> Result<Kind, Trouble> {
    Ok(Kind { member: true, ..Kind::default() })
}

fn words(changes: Vec<(Dn, Option<Trouble>)>) -> Vec<(String, Option<&'static str>)> {
    changes.into_iter().map(|(group, trouble)| (group.to_string(), trouble.as_ref().map(Trouble::word))).collect()
}

#[test]
fn a_group_in_trouble_is_said_once_and_named() {
    let (memberships, _jobs) = Memberships::new();
    let (a, b) = ("cn=a,dc=x", "cn=b,dc=x");
    let at = Duration::from_secs(100);
    let install = |kinds: &[(&str, Result<Kind, Trouble>)]| {
        let (groups, changes) = memberships.install(plan(kinds), false, at);
        (groups, words(changes))
    };
    let (first, said) = install(&[(a, fine()), (b, fine())]);
    assert!(said.is_empty());
    let (same, _) = install(&[(a, fine()), (b, fine())]);
    assert!(Arc::ptr_eq(&first, &same), "what was said of people is still enough");
    let (other, said) = install(&[(a, fine()), (b, Err(Trouble::Hidden))]);
    assert!(!Arc::ptr_eq(&first, &other));
    assert_eq!(said, [(b.to_owned(), Some("members-hidden"))]);
    assert!(install(&[(a, fine()), (b, Err(Trouble::Hidden))]).1.is_empty());
    let metrics = |now| {
        let mut out = Exposition::default();
        memberships.write(&mut out, now);
        out.into_text()
    };
    let now = metrics(at);
    assert!(now.contains("tidegate_group_unknown{group=\"cn=a,dc=x\"} 0"), "{now}");
    assert!(now.contains("tidegate_group_unknown{group=\"cn=b,dc=x\"} 1"), "{now}");
    let later = metrics(at + GROUP_MAX_AGE + Duration::from_secs(1));
    assert!(later.contains("tidegate_group_unknown{group=\"cn=a,dc=x\"} 1"), "{later}");
    assert_eq!(install(&[(a, fine()), (b, fine())]).1, [(b.to_owned(), None)]);
    let (anew, _) = memberships.install(plan(&[(a, fine()), (b, fine())]), true, at);
    assert!(!Arc::ptr_eq(&anew, &first), "a reload may mean another directory");
}

#[test]
fn people_are_kept_for_as_long_as_anything_lasts() {
    let (memberships, _jobs) = Memberships::new();
    let one = memberships.keep(&dn("uid=a,dc=x"));
    let two = memberships.keep(&dn("uid=a,dc=x"));
    drop(one);
    assert_eq!(memberships.kept().len(), 1);
    drop(two);
    assert_eq!(memberships.kept().len(), 0);
}

#[tokio::test]
async fn what_does_not_fit_in_the_queue_is_answered_at_once() {
    let (memberships, jobs) = Memberships::new();
    let person = dn("uid=a,dc=x");
    let mut waiting: Vec<_> = (0..QUEUE).map(|_| memberships.look_up(&person, Duration::ZERO)).collect();
    assert!(memberships.look_up(&person, Duration::ZERO).await.is_err());
    assert!(waiting.iter_mut().all(|one| one.try_recv() == Err(oneshot::error::TryRecvError::Empty)));
    // Nobody works any more.
    drop(jobs);
    let last = waiting.pop().unwrap();
    assert!(last.await.is_err());
    let lookup: &dyn Lookup = &*memberships;
    lookup.ask(&[person], Duration::ZERO, Duration::from_secs(60));
}
