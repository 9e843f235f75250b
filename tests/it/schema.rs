//! The schema of a real directory is read to its last definition.

use crate::support::ldap::{Client, SCOPE_BASE, Search};
use crate::support::slapd::Slapd;
use tidegate::engine::ldap::attribute::AttributeDescription;
use tidegate::engine::ldap::schema::{Schema, TypeId};

fn id(schema: &Schema, name: &str) -> TypeId {
    schema.canonical(AttributeDescription(name.as_bytes())).unwrap_or_else(|| panic!("{name} is known"))
}

#[test]
fn openldaps_subschema_is_understood() {
    let slapd = Slapd::start();
    let mut client = Client::plain(slapd.ldap);
    client.bind_as("alice");
    let found =
        client.search(&Search::new("cn=Subschema").scope(SCOPE_BASE).attributes(&["attributeTypes", "objectClasses"]));
    let attributes = &found.entries.first().expect("a subschema").attributes;
    let values = |name: &str| {
        let values = attributes.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).expect("shown");
        values.1.iter().map(Vec::as_slice)
    };
    let (types, classes) = (values("attributeTypes"), values("objectClasses"));
    assert!(types.len() > 250 && classes.len() > 60, "{} and {}", types.len(), classes.len());

    // What it refers to without showing it is in the built-in table, and nothing there contradicts it.
    let schema = Schema::from_subschema(types.clone(), classes.clone());
    assert_eq!(schema.problems(), []);
    assert_eq!(Schema::from_subschema_alone(types.clone(), []).types().count(), types.len());
    let (cn, name, config) = (id(&schema, "cn"), id(&schema, "name"), id(&schema, "olcOverlay"));
    assert!(schema.is_subtype(cn, name) && schema.is_subtype(config, id(&schema, "olcBackend")));
    let person = schema.class_attributes(AttributeDescription(b"@inetOrgPerson")).expect("a class");
    assert!(person.must.contains(&cn) && person.may.contains(&id(&schema, "mail")) && !person.open);
}
