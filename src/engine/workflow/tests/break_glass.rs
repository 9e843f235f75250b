//! Break-glass: at once, marked, for those who are named, and open until somebody else signs it off.

use super::super::ending::sign_off;
use super::*;
use crate::engine::grant::basis::Basis;
use crate::engine::grant::lifecycle::LifecycleError;

fn breakable() -> World {
    World::with_roles(vec![Role {
        break_glass: selectors(&["dn:uid=bert,ou=people,dc=x", "group:cn=unread,dc=x"]),
        ..editor()
    }])
}

fn emergency() -> Wish {
    Wish { break_glass: true, ..wish("editor") }
}

fn broken() -> Grant {
    breakable().asked(&person("bert"), emergency()).unwrap().grant.unwrap().0
}

#[test]
fn who_is_named_is_in_at_once() {
    let step = breakable().asked(&person("bert"), emergency()).unwrap();
    assert_eq!((step.request.state, step.request.basis), (RequestState::Approved, Basis::BreakGlass));
    let (grant, effect) = step.grant.unwrap();
    assert_eq!((grant.state, effect, grant.basis), (GrantState::Active, Effect::Open, Basis::BreakGlass));
    assert!(grant.is_unsigned());
    assert_eq!(grant.history[0].by, uid("bert").to_string());
    assert_eq!(step.notices, [Notice::BreakGlass { request: "req-1".to_owned(), grant: "grant-1".to_owned() }]);
}

#[test]
fn nobody_else_and_for_nobody_else() {
    let pattern = regex_lite::Regex::new("^HR-[0-9]+$").unwrap();
    let rows: Vec<(Actor, Wish, Result<(), &str>)> = vec![
        (person("bert"), emergency(), Ok(())),
        // Who is in the group is not known: it opens nothing.
        (person("anna"), emergency(), Err("membership-unknown")),
        (person("bert"), Wish { reason: " ".to_owned(), ..emergency() }, Err("reason-missing")),
        (person("bert"), Wish { subject: Some(dn("cn=sync,dc=x")), ..emergency() }, Err("bad-break-glass")),
        (person("bert"), Wish { subject: Some(uid("bert")), ..emergency() }, Ok(())),
        (person("bert"), Wish { start: Some(at(10).wall), ..emergency() }, Err("bad-break-glass")),
        (person("bert"), Wish { duration: Some(HOUR * 5), ..emergency() }, Err("bad-duration")),
        (person("bert"), Wish { ticket: Some("x".to_owned()), ..emergency() }, Err("bad-ticket")),
    ];
    for (actor, wish, expected) in rows {
        let role = Role {
            reason_required: false,
            ticket_pattern: Some(pattern.clone()),
            ..breakable().policy.roles[0].as_ref().clone()
        };
        let result = World::with_roles(vec![role]).asked(&actor, wish.clone());
        assert_eq!(result.map(|_| ()).map_err(|error| error.word()), expected, "{actor:?} {wish:?}");
    }
    assert_eq!(World::new().asked(&person("anna"), emergency()).unwrap_err().word(), "not-break-glass");
}

#[test]
fn it_ends_when_the_configuration_no_longer_names_its_holder() {
    let grant = broken();
    assert_eq!(on_policy(&grant, &breakable().context()), Ok(None));
    let (ended, _) = on_policy(&grant, &World::new().context()).unwrap().unwrap();
    assert_eq!(ended.state, GrantState::Revoked);
    assert!(ended.is_unsigned(), "ending it is not looking at it");
}

#[test]
fn an_auditor_other_than_its_holder_signs_it_off_when_it_is_over() {
    let world = breakable();
    let active = broken();
    let over = release(&active, &person("bert"), &world.context()).unwrap().0;
    let auditors = selectors(&["dn:uid=rita,ou=people,dc=x", "dn:uid=bert,ou=people,dc=x"]);
    let world = World { authority: Authority { auditors, ..world.authority.clone() }, ..world };
    let rows = [
        (&active, person("rita"), Err("not-ended")),
        (&over, person("rita"), Ok(())),
        (&over, person("root"), Err("not-auditor")),
        (&over, person("lars"), Err("not-auditor")),
        (&over, person("bert"), Err("own-grant")),
        (&over, person_as("bert", "rita"), Err("own-grant")),
    ];
    for (grant, actor, expected) in rows {
        let result = sign_off(grant, &actor, Some("seen"), &world.context());
        assert_eq!(result.map(|_| ()).map_err(|error| error.word()), expected, "{actor:?}");
    }
    let (signed, effect) = sign_off(&over, &person("rita"), Some("seen"), &world.context()).unwrap();
    assert_eq!((signed.state, signed.is_unsigned(), effect), (GrantState::Released, false, Effect::Nothing));
    assert_eq!(signed.revision, over.revision + 1);
    let again = sign_off(&signed, &person("rita"), None, &world.context());
    assert_eq!(again.unwrap_err(), WorkflowError::Lifecycle(LifecycleError::SignedOff));
    let asked = Grant { basis: Basis::Reviews, ..over };
    assert_eq!(sign_off(&asked, &person("rita"), None, &world.context()).unwrap_err().word(), "no-break-glass");
}
