//! What begins, what ends, and who sees it.

use super::*;

#[test]
fn scheduled_grants_begin_only_if_they_still_may() {
    let request = World::new().ask(&person("anna"), Wish { start: Some(at(100).wall), ..wish("editor") }).unwrap();
    let grant = World::new().grant(&request, &person("lars"));
    let become_at = |world: World, seconds| match on_deadline(&grant, None, &world.at(seconds).context()) {
        Ok(Outcome::Moved(grant, _)) => Ok(Some((grant.state, grant.history.last().unwrap().reason.clone()))),
        Ok(Outcome::Undecided) => Ok(None),
        Err(error) => Err(error),
    };
    let not_eligible = Role { eligible: selectors(&["dn:uid=bert,dc=x"]), ..editor() };
    assert_eq!(become_at(World::new(), 99), Err(LifecycleError::NotYet));
    assert_eq!(become_at(World::with_roles(vec![]), 99), Err(LifecycleError::NotYet));
    assert_eq!(become_at(World::new(), 100), Ok(Some((GrantState::Active, None))));
    assert_eq!(become_at(World::new(), 3_700), Ok(Some((GrantState::Expired, None))));
    let (state, why) = become_at(World::with_roles(vec![]), 100).unwrap().unwrap();
    assert_eq!((state, why.as_deref()), (GrantState::Revoked, Some("the role editor is no longer configured")));
    let (state, why) = become_at(World::with_roles(vec![not_eligible]), 100).unwrap().unwrap();
    assert_eq!(state, GrantState::Revoked);
    assert_eq!(why.as_deref(), Some("uid=anna,ou=people,dc=x may no longer request the role editor"));
    // Whether she is still in the group is not known: it waits, and its time runs.
    let unknown = World { groups: Groups::default(), now: at(100), ..World::new() };
    assert_eq!(on_deadline(&grant, None, &unknown.context()), Ok(Outcome::Undecided));
}

#[test]
fn a_changed_configuration_ends_what_it_no_longer_allows() {
    let grant = World::new().grant(&asked_by("anna", "editor"), &person("lars"));
    let ended = |world: World| on_policy(&grant, &world.context()).unwrap().map(|(grant, _)| grant.state);
    assert_eq!(ended(World::new()), None);
    assert_eq!(ended(World { groups: Groups::default(), ..World::new() }), None, "not knowing ends nothing");
    assert_eq!(ended(World::with_roles(vec![vault()])), Some(GrantState::Revoked));
    let not_eligible = Role { eligible: selectors(&["dn:uid=bert,dc=x"]), ..editor() };
    assert_eq!(ended(World::with_roles(vec![not_eligible])), Some(GrantState::Revoked));
    let gone = World {
        policy: policy_of(resources()[..2].to_vec(), vec![Role { allow: editor().allow[..1].to_vec(), ..editor() }]),
        ..World::new()
    };
    assert_eq!(ended(gone), Some(GrantState::Revoked));
}

#[test]
fn who_ends_a_grant() {
    let world = World::new();
    let request = world.ask(&person("anna"), Wish { subject: Some(dn("cn=sync,dc=x")), ..wish("editor") }).unwrap();
    let grant = world.grant(&request, &person("lars"));
    let sync = Actor::own(Identity::of_dn(dn("cn=sync,dc=x")), "local");
    let local_root = Actor::own(Identity { local_user: Some("root".to_owned()), ..Identity::default() }, "local");
    for (actor, may_release, may_revoke) in [
        (sync, Ok(()), Err("own-grant")),
        (person("anna"), Ok(()), Err("own-grant")),
        (person("bert"), Err("not-holder"), Err("not-revoker")),
        (person("rita"), Err("not-holder"), Err("not-revoker")),
        (person("lena"), Err("not-holder"), Ok(())),
        (person("root"), Err("not-holder"), Ok(())),
        (local_root, Err("not-holder"), Ok(())),
        (person_as("olga", "lena"), Err("not-holder"), Ok(())),
        (person_as("root", "bert"), Err("not-holder"), Err("not-revoker")),
    ] {
        let context = world.context();
        let released = release(&grant, &actor, &context);
        assert_eq!(
            released.map(|(grant, _)| assert_eq!(grant.state, GrantState::Released)).map_err(|e| e.word()),
            may_release,
            "{actor:?}"
        );
        let revoked = revoke(&grant, &actor, "left the team", &context);
        assert_eq!(
            revoked.map(|(grant, _)| assert_eq!(grant.state, GrantState::Revoked)).map_err(|e| e.word()),
            may_revoke,
            "{actor:?}"
        );
    }
    assert_eq!(revoke(&grant, &person("root"), " ", &world.context()).unwrap_err().word(), "reason-missing");
    let over = World::new().at(3_600);
    assert_eq!(release(&grant, &person("anna"), &over.context()).unwrap_err().word(), "already-ended");
}

#[test]
fn who_sees_a_request() {
    let world = World::new();
    let request = world.ask(&person("anna"), Wish { subject: Some(dn("cn=sync,dc=x")), ..wish("editor") }).unwrap();
    for (actor, expected) in [
        (person("anna"), Match::Yes),
        (Actor::own(Identity::of_dn(dn("cn=sync,dc=x")), "local"), Match::Yes),
        (person("lars"), Match::Yes),
        (person("root"), Match::Yes),
        (person("rita"), Match::Yes),
        (person("bert"), Match::No),
        (person_as("root", "bert"), Match::No),
    ] {
        let seen = world.context().may_see(&actor, &request.requested_by, &request.subject, &request.role);
        assert_eq!(seen, expected, "{actor:?}");
    }
    assert!(may_review(&request, &person("lars"), &world.context()).is_ok());
    // While nobody knows who the leads are, one of them is told just that.
    let away = World { groups: Groups::default(), ..World::new() };
    let seen = |name| away.context().may_see(&person(name), &request.requested_by, &request.subject, &request.role);
    assert_eq!([seen("lars"), seen("root"), seen("anna")], [Match::Unknown, Match::Yes, Match::Yes]);
    let grant = world.grant(&request, &person("lars"));
    let error = revoke(&grant, &person("lars"), "why", &away.context()).unwrap_err();
    assert_eq!(error.word(), "membership-unknown");
}
