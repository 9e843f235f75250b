//! Tables and properties of the schema.

mod contents;
mod directories;
mod reading;

use super::*;

/// A schema of these definitions and nothing else.
fn alone(attribute_types: &[&str], object_classes: &[&str]) -> Schema {
    let octets = |text: &&'static str| text.as_bytes();
    // Tests may leak.
    let leaked = |definitions: &[&str]| -> Vec<&'static str> {
        definitions.iter().map(|definition| &*(*definition).to_owned().leak()).collect()
    };
    let (types, classes) = (leaked(attribute_types), leaked(object_classes));
    Schema::from_subschema_alone(types.iter().map(octets), classes.iter().map(octets))
}

/// A schema of these definitions over the built-in table.
fn over_the_standard(attribute_types: &[&str], object_classes: &[&str]) -> Schema {
    Schema::from_subschema(
        attribute_types.iter().map(|text| text.as_bytes()),
        object_classes.iter().map(|text| text.as_bytes()),
    )
}

fn id(schema: &Schema, name: &str) -> TypeId {
    schema.canonical(AttributeDescription(name.as_bytes())).unwrap_or_else(|| panic!("{name} is known"))
}

fn facts<'a>(schema: &'a Schema, name: &str) -> &'a TypeFacts {
    schema.facts(id(schema, name)).expect("a type of this schema")
}

fn is_known(schema: &Schema, name: &str) -> bool {
    schema.canonical(AttributeDescription(name.as_bytes())).is_some()
}

/// First names of types.
fn names(schema: &Schema, ids: &[TypeId]) -> Vec<String> {
    let mut names: Vec<_> = ids.iter().map(|id| schema.facts(*id).expect("known").name.to_string()).collect();
    names.sort();
    names
}

fn class(schema: &Schema, requested: &str) -> Option<ClassAttributes> {
    schema.class_attributes(AttributeDescription(requested.as_bytes()))
}
