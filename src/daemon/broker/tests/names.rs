//! One person under several names that the directory's schema takes for one: an attribute type with one more name.

use super::*;
use crate::engine::grant::history::Identity;
use crate::engine::grant::scope::Narrowing;
use crate::engine::ldap::schema::Schema;

const SCHEMA: &str = "( 2.5.4.11 NAME ( 'ou' 'organizationalUnitName' 'abteilung' ) SUP name )";

/// A role whose resource is named by a type of the directory's own can be requested.
#[test]
fn a_resource_of_any_name_can_be_requested() {
    let house = house();
    let mut resources = resources();
    resources[0].base = "abteilung=payroll,dc=x".parse().expect("a name");
    house.broker.install(Arc::new(policy_of(resources, vec![editor()])), authority());
    let request = house.ask();
    assert_eq!(request.scope.0[0].base.text(), "abteilung=payroll,dc=x");
    let grant = house.approve(&request, "lars").expect("an approval").grant.expect("a grant");
    assert_eq!(house.open(), [grant]);
}

/// A house in front of a directory that calls `ou` also `abteilung`.
fn house() -> House {
    let (house, _) = House::new();
    let schema = Arc::new(Schema::from_subschema([SCHEMA.as_bytes()], []));
    house.shared.update(|snapshot| {
        let policy = Arc::new(snapshot.policy.with_schema(Arc::clone(&schema)));
        let grants = Arc::new(snapshot.grants.resolved(policy.naming()));
        Snapshot { policy, grants, ..snapshot.clone() }
    });
    house
}

fn otherwise(name: &str) -> Dn {
    format!("uid={name},abteilung=people,dc=x").parse().expect("a name")
}

fn actor(name: &str) -> Actor {
    Actor::own(Identity::of_dn(otherwise(name)), "local")
}

#[test]
fn a_base_is_read_by_the_schema() {
    let house = house();
    for (base, expected) in [
        ("cn=1,abteilung=payroll,dc=x", Ok("cn=1,abteilung=payroll,dc=x")),
        ("cn=1,ABTEILUNG=pay\\72oll,dc=x", Ok("cn=1,ABTEILUNG=payroll,dc=x")),
        ("cn=1,2.5.4.11=payroll,dc=x", Ok("cn=1,2.5.4.11=payroll,dc=x")),
        ("cn=1,abteilung=other,dc=x", Err("not-narrower")),
        ("cn=1,unknown=payroll,dc=x", Err("not-narrower")),
    ] {
        let narrowing = Narrowing { base: base.parse().ok(), ..Narrowing::default() };
        let asked = house.broker.ask(&Wish { narrowing, ..wish() }, &person("anna"), false);
        let shown = asked.as_ref().map(|request| request.scope.0[0].base.text()).map_err(BrokerError::word);
        assert_eq!(shown, expected, "{base}");
        let Ok(request) = asked else { continue };
        let grant = house.approve(&request, "lars").expect("an approval").grant.expect("a grant");
        assert_eq!(house.open(), std::slice::from_ref(&grant), "{base}: it is within the role");
        house.broker.release(&grant, &actor("anna")).expect("her own, by any of her names");
    }
}

#[test]
fn another_name_does_not_give_more_requests() {
    let house = house();
    house.shared.authority.store(Arc::new(Authority { max_pending: Some(2), ..authority() }));
    let ask = |actor: &Actor| house.broker.ask(&Wish { role: "vault".to_owned(), ..wish() }, actor, false);
    ask(&person("anna")).expect("the first");
    ask(&actor("anna")).expect("the second");
    for actor in [person("anna"), actor("anna")] {
        assert_eq!(ask(&actor).expect_err("two wait").word(), "too-many-pending");
    }
    ask(&actor("bert")).expect("somebody else's");
}

#[test]
fn a_lock_is_one_by_every_name() {
    let house = house();
    let (root, anna) = (person("root"), person("anna"));
    house.broker.lock(&otherwise("anna"), "laptop lost", &root, &[]).expect("locked");
    assert_eq!(house.broker.lock(&uid("anna"), "again", &root, &[]).expect_err("it is").word(), "locked-already");
    assert_eq!(house.broker.ask(&wish(), &anna, false).expect_err("locked").word(), "locked");
    assert_eq!(house.broker.unlock(&uid("bert"), &root).expect_err("somebody else").word(), "not-locked");
    house.broker.unlock(&uid("anna"), &root).expect("lifted by another name");
    assert!(house.broker.locks(&root).expect("seen").is_empty());
    house.broker.ask(&wish(), &anna, false).expect("a request");
}

#[test]
fn the_selectors_of_the_control_port_are_read_by_the_schema() {
    let house = house();
    let administrators = selectors(&["dn:uid=rita,abteilung=people,dc=x", "subtree:abteilung=robots,dc=x"]);
    house.shared.authority.store(Arc::new(Authority { administrators, ..authority() }));
    let may = |name: &Dn| {
        let actor = Actor::own(Identity::of_dn(name.clone()), "local");
        house.broker.with_context(|context| context.is_administrator(&actor))
    };
    for (name, expected) in [
        (uid("rita"), true),
        (otherwise("rita"), true),
        ("uid=1,ou=robots,dc=x".parse().expect("a name"), true),
        (uid("anna"), false),
        ("uid=rita,unknown=people,dc=x".parse().expect("a name"), false),
    ] {
        assert_eq!(may(&name), expected, "{name}");
    }
}
