//! Operations that wait until it is known in which groups somebody is.

use super::*;
use crate::engine::ldap::control::{Control, oid, write_controls};
use crate::engine::policy::Standing;
use crate::engine::policy::groups::{Belongs, GroupList, PersonGroups};
use crate::engine::policy::selector::Selector;

const CLERKS: &str = "cn=clerks,ou=groups,dc=example,dc=com";
const APP: &str = "cn=app,ou=services,dc=example,dc=com";

/// The group has standing access to everything that is protected, and acts for others where that is wanted.
fn world(proxies: bool) -> World {
    let mut world = World::new();
    let clerks = || vec![Selector::Group(dn(CLERKS))];
    let standing = (0..2).map(|resource| Standing {
        who: clerks(),
        resource: ResourceIndex(resource),
        operations: OperationSet::all(),
        reason: "clerks".into(),
        replicate: false,
    });
    let resources = world.snapshot.policy.resources.clone();
    let mut policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, standing.collect(), Vec::new());
    if proxies {
        policy.proxied_authorization = clerks();
        Arc::make_mut(&mut world.snapshot.directory).proxied_authorization = true;
    }
    world.snapshot.policy = Arc::new(policy);
    Arc::make_mut(&mut world.snapshot.groups).asked = Arc::new(GroupList::new([dn(CLERKS)]));
    world
}

impl World {
    /// The directory says whether somebody is in the group.
    fn says(&mut self, person: &str, found: Belongs) {
        let groups = &self.snapshot.groups;
        let (asked, at) = (Arc::clone(&groups.asked), self.now.monotonic);
        let known =
            PersonGroups::new(dn(person), asked, &[found], at, groups.person(&dn(person)).map(|known| &**known));
        self.snapshot.groups = Arc::new(groups.with(known));
    }

    fn hears(&mut self) {
        self.session.on_membership(&self.snapshot, self.now, &mut self.fx);
        self.perform();
    }

    fn awaits(&self) -> Option<&str> {
        self.session.awaited_person().map(Dn::text)
    }
}

#[test]
fn an_operation_waits_until_it_is_known_and_is_decided_by_it() {
    for (found, code) in [(Belongs::Member, None), (Belongs::NotMember, Some(50)), (Belongs::Unknown, Some(50))] {
        let mut world = world(false);
        world.bound(1, ALICE);
        assert_eq!(world.awaits(), None, "a bind that needs nothing waits for nothing");
        assert_eq!(world.search(2, PAYROLL), Flow::Wait);
        assert_eq!(world.awaits(), Some(ALICE));
        assert!(!world.session.reads_client());
        assert_eq!(world.search(2, PAYROLL), Flow::Wait, "nothing of the client is taken up");
        assert_eq!(world.client(3, &Request::Unbind), Flow::Wait, "in the order in which it came");
        assert!(world.at_client().is_empty() && world.at_directory().is_empty(), "{found:?}");
        world.says(ALICE, found);
        world.hears();
        assert_eq!(world.search(2, PAYROLL), Flow::Done);
        assert_eq!(world.at_client().first().and_then(|seen| seen.code), code, "{found:?}");
        assert_eq!(world.at_directory().len(), usize::from(code.is_none()), "{found:?}");
        // The next one needs no waiting.
        assert_eq!(world.search(4, PAYROLL), Flow::Done);
    }
}

#[test]
fn who_cannot_be_asked_about_is_not_waited_for_again_and_again() {
    let mut world = world(false);
    world.bound(1, ALICE);
    assert_eq!(world.search(2, PAYROLL), Flow::Wait);
    world.hears();
    assert_eq!(world.search(2, PAYROLL), Flow::Done);
    assert_eq!(world.at_client()[0].code, Some(50), "what is not known opens nothing");
    assert_eq!(world.search(3, PAYROLL), Flow::Done);
    world.now.monotonic += Duration::from_secs(2);
    assert_eq!(world.search(4, PAYROLL), Flow::Wait);
}

#[test]
fn old_knowledge_is_waited_for_before_it_is_believed_no_longer() {
    for found in [Belongs::NotMember, Belongs::Member] {
        let mut world = world(false);
        world.bound(1, ALICE);
        world.says(ALICE, found);
        for (seconds, flow) in [(0, Flow::Done), (9, Flow::Done), (2, Flow::Wait)] {
            world.now.monotonic += Duration::from_secs(seconds);
            assert_eq!(world.search(seconds as i32 + 2, PAYROLL), flow, "{found:?} {seconds}");
        }
    }
}

#[test]
fn what_no_group_could_open_waits_for_nobody() {
    let mut world = world(false);
    world.bound(1, ALICE);
    assert_eq!(world.search(2, "ou=people,dc=example,dc=com"), Flow::Done);
    let mut plain = World::new();
    plain.bound(1, ALICE);
    assert_eq!(plain.search(2, PAYROLL), Flow::Done);
    assert_eq!(plain.at_client()[0].code, Some(50));
    // Nobody is in no group.
    let mut world = self::world(false);
    assert_eq!(world.search(1, PAYROLL), Flow::Done);
}

#[test]
fn a_search_that_hides_waits_as_well() {
    let mut world = world(false);
    world.bound(1, ALICE);
    assert_eq!(world.search(2, BASE), Flow::Wait);
    world.says(ALICE, Belongs::Member);
    world.hears();
    assert_eq!(world.search(2, BASE), Flow::Done);
    let asked = world.at_directory();
    world.entry(asked[0].id, PAYROLL);
    assert_eq!(world.at_client().len(), 1, "a member sees it");
}

#[test]
fn a_bind_waits_for_who_binds() {
    let mut world = world(false);
    assert_eq!(world.bind(1, ROBOT, b"secret"), Flow::Wait);
    assert_eq!(world.awaits(), Some(ROBOT));
    world.says(ROBOT, Belongs::Member);
    world.hears();
    assert_eq!(world.bind(1, ROBOT, b"secret"), Flow::Done);
    assert_eq!(world.at_directory().len(), 1);
}

#[test]
fn a_bind_by_another_name_waits_once_it_is_known_who_that_is() {
    for found in [Belongs::Member, Belongs::NotMember] {
        let mut world = world(false);
        world.bind(1, "robot@example.com", b"secret");
        let asked = world.at_directory();
        world.result(asked[0].id, tag::BIND_RESPONSE, 0);
        let asked = world.at_directory();
        let mut frame = Vec::new();
        let (id, value) = (ClientMessageId(asked[0].id), format!("dn:{ROBOT}"));
        response::write_extended_result(&mut frame, id, ResultCode::SUCCESS, "", None, Some(value.as_bytes()));
        world.upstream(&frame);
        assert_eq!(world.awaits(), Some(ROBOT));
        assert!(world.at_client().is_empty() && world.session.is_binding());
        world.says(ROBOT, found);
        world.hears();
        let becomes = match found {
            Belongs::Member => Subject::Dn(dn(ROBOT)),
            Belongs::NotMember | Belongs::Unknown => Subject::Anonymous,
        };
        assert_eq!(*world.session.subject(), becomes);
        assert_eq!(
            world.at_client().len(),
            usize::from(found == Belongs::Member),
            "else the directory words the answer"
        );
    }
}

#[test]
fn acting_for_others_waits_for_both() {
    let mut world = world(true);
    world.bound(1, APP);
    let mut controls = Vec::new();
    let value = format!("dn:{ALICE}");
    let control = Control { oid: oid::PROXIED_AUTHORIZATION_V2, critical: true, value: Some(value.as_bytes()) };
    write_controls(&mut controls, &[control]);
    world.with_controls(2, &search(PAYROLL), &controls);
    assert_eq!(world.awaits(), Some(APP));
    world.says(APP, Belongs::Member);
    world.hears();
    world.with_controls(2, &search(PAYROLL), &controls);
    assert_eq!(world.awaits(), Some(ALICE));
    world.says(ALICE, Belongs::Member);
    world.hears();
    world.with_controls(2, &search(PAYROLL), &controls);
    assert_eq!(world.at_directory().len(), 1);
    assert_eq!(world.session.lasting_people().map(Dn::text).collect::<Vec<_>>(), [APP, ALICE]);
}
