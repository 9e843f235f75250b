//! Sets of object classes: those that are named, and every class below them.

use super::{Schema, find};
use std::collections::HashSet;

/// Object classes of one [`Schema`], with all of their subclasses; means nothing to another.
#[derive(Debug, Clone, Default)]
pub struct ClassSet(Box<[bool]>);

impl Schema {
    /// The classes with these names or OIDs, and every class that has one of them among its superclasses
    /// (RFC 4512 2.4). Names that the schema does not know, or gives to two classes, stand for nothing.
    pub fn classes_below(&self, names: &[&str]) -> ClassSet {
        let named: HashSet<u32> = names.iter().filter_map(|name| find(&self.class_names, name.as_bytes())).collect();
        let is_below = |start: u32| {
            let (mut seen, mut ahead) = (HashSet::from([start]), vec![start]);
            while let Some(at) = ahead.pop() {
                if named.contains(&at) {
                    return true;
                }
                let above = self.classes.get(at as usize).map_or(&[][..], |class| &class.superclasses);
                ahead.extend(above.iter().filter(|above| seen.insert(**above)));
            }
            false
        };
        ClassSet((0..).zip(&self.classes).map(|(at, _)| is_below(at)).collect())
    }

    /// Whether a value of `objectClass` names a class of `set`. `None`: the schema does not know the class.
    pub fn is_class_in(&self, value: &[u8], set: &ClassSet) -> Option<bool> {
        let at = find(&self.class_names, value)?;
        Some(set.0.get(at as usize).is_some_and(|found| *found))
    }
}

#[cfg(test)]
mod tests {
    use super::Schema;

    #[test]
    fn subclasses_belong_to_a_set_whatever_their_names() {
        let schema = Schema::from_subschema(
            [],
            [
                &b"( 1.2.3.1 NAME 'base' SUP top )"[..],
                b"( 1.2.3.2 NAME ( 'middle' 'between' ) SUP ( person $ BASE ) )",
                b"( 1.2.3.3 NAME 'leaf' SUP 1.2.3.2 )",
                b"( 1.2.3.4 NAME 'other' SUP top )",
                b"( 1.2.3.5 NAME 'circle' SUP round )",
                b"( 1.2.3.6 NAME 'round' SUP circle )",
            ],
        );
        let set = schema.classes_below(&["base", "nowhere"]);
        for (value, expected) in [
            ("base", Some(true)),
            ("BASE", Some(true)),
            ("1.2.3.1", Some(true)),
            ("between", Some(true)),
            ("leaf", Some(true)),
            ("other", Some(false)),
            ("person", Some(false)),
            ("circle", Some(false)),
            ("nowhere", None),
        ] {
            assert_eq!(schema.is_class_in(value.as_bytes(), &set), expected, "{value}");
        }
    }
}
