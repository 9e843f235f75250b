//! The table itself.

use super::table::{ATTRIBUTES, CLASSES};
use super::{Computing, Kind, features};
use crate::engine::ldap::attribute::{AttributeDescription, numeric_oid};
use crate::engine::ldap::schema::Schema;
use std::collections::HashSet;

#[test]
fn no_row_stands_twice_and_oids_are_oids() {
    for rows in [
        ATTRIBUTES.iter().map(|(name, oid, _)| (*name, *oid)).collect::<Vec<_>>(),
        CLASSES.iter().map(|(name, oid, _)| (*name, *oid)).collect(),
    ] {
        let mut seen = HashSet::new();
        for (name, oid) in rows {
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
            assert!(
                oid.is_empty() || numeric_oid(oid.as_bytes()).is_some() && seen.insert(oid.to_owned()),
                "{name} {oid}"
            );
        }
    }
}

/// With a schema that was not read, and with one that gives a name to two types, the name alone decides.
#[test]
fn a_name_that_is_not_known_is_looked_up_in_the_table() {
    let ambiguous = ["( 1.2.3.1 NAME 'nsViewFilter' )", "( 1.2.3.2 NAME 'nsViewFilter' )"];
    let ambiguous = Schema::from_subschema(ambiguous.iter().map(|text| text.as_bytes()), []);
    for schema in [Schema::standard(), ambiguous.into()] {
        let computing = Computing::of(&schema);
        for (name, _, _) in ATTRIBUTES {
            let upper = name.to_ascii_uppercase();
            let kind = computing.kind(AttributeDescription(upper.as_bytes()), &schema);
            assert!(matches!(kind, Kind::Computes(_)), "{name}: {kind:?}");
        }
        let kind = |name: &str| computing.kind(AttributeDescription(name.as_bytes()), &schema);
        assert_eq!(kind("oid.2.16.840.1.113730.3.1.576"), kind("nsRoleFilter"));
        assert_eq!((kind("member"), kind("cn"), kind("unheardOf")), (Kind::Names, Kind::Plain, Kind::Unknown));
    }
}

#[test]
fn features_are_those_of_the_directory() {
    assert_eq!(features(&Schema::standard()), []);
    let types = [&b"( 2.16.840.1.113730.3.1.3023 NAME 'nsViewFilter' )"[..], b"( 1.2.3 NAME 'olcUniqueURI' )"];
    let schema = Schema::from_subschema(types, []);
    let found: Vec<(&str, bool)> = features(&schema).iter().map(|feature| (feature.name, feature.lasts)).collect();
    assert_eq!(found, [("views (nsViewFilter)", true), ("uniqueness (slapo-unique)", false)]);
}
