//! Sets of attribute types: as they are named, and what the names come to in a directory's schema.
//!
//! A type stands for itself and all of its subtypes (RFC 4512 2.5.1), with whatever options. What the
//! schema does not know may be anything: it counts as protected, and as opened by nothing.

use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::schema::{Schema, TypeFacts, TypeId};
use std::sync::Arc;

/// Attribute types by name or OID, as they were written, without options; none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeNames(Arc<[Box<str>]>);

/// Why a list of attributes is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeNamesError {
    /// Nothing is in it.
    #[error("no attribute is named")]
    Empty,
    /// `*`, `+`, `@class`, options, or no name at all.
    #[error("{0:?} is not an attribute's name or OID (without options)")]
    NoName(String),
    /// More than could be meant.
    #[error("more than {MAX_NAMES} attributes")]
    TooMany,
}

/// More names than this are refused.
pub const MAX_NAMES: usize = 256;
/// Longer names than this are refused.
const MAX_NAME_LENGTH: usize = 256;

/// Syntaxes of text, numbers, times and octets (RFC 4517 3.3, MS-ADTS 3.1.1.2.2.2), in which no directory follows a name.
const NAMELESS: &[&str] = &[
    "1.3.6.1.4.1.1466.115.121.1.7",
    "1.3.6.1.4.1.1466.115.121.1.15",
    "1.3.6.1.4.1.1466.115.121.1.24",
    "1.3.6.1.4.1.1466.115.121.1.26",
    "1.3.6.1.4.1.1466.115.121.1.27",
    "1.3.6.1.4.1.1466.115.121.1.28",
    "1.3.6.1.4.1.1466.115.121.1.36",
    "1.3.6.1.4.1.1466.115.121.1.40",
    "1.3.6.1.4.1.1466.115.121.1.41",
    "1.3.6.1.4.1.1466.115.121.1.44",
    "1.3.6.1.4.1.1466.115.121.1.50",
    "1.2.840.113556.1.4.906",
];

/// Attributes that directories make of others when they are asked for, and that clients cannot write: the value
/// of one tells of a value of those behind it, or (none) of any (Active Directory, MS-ADTS 3.1.1.4.5). Those that
/// show values of any are known to no schema.
const TELLERS: &[(&str, &[&str])] = &[
    ("replPropertyMetaData", &[]),
    ("msDS-ReplAttributeMetaData", &[]),
    ("tokenGroups", GROUPS),
    ("tokenGroupsGlobalAndUniversal", GROUPS),
    ("tokenGroupsNoGCAcceptable", GROUPS),
    ("msDS-TokenGroupNames", GROUPS),
    ("msDS-TokenGroupNamesGlobalAndUniversal", GROUPS),
    ("msDS-TokenGroupNamesNoGCAcceptable", GROUPS),
    ("msds-memberOfTransitive", &["memberOf"]),
    ("msds-memberTransitive", &["member"]),
    ("primaryGroupToken", &["objectSid"]),
    ("msDS-PrincipalName", &["sAMAccountName", "objectSid"]),
    ("msDS-UserPasswordExpiryTimeComputed", &["pwdLastSet"]),
    ("msDS-User-Account-Control-Computed", &["userAccountControl", "lockoutTime", "pwdLastSet"]),
    ("modifyTimeStamp", &["whenChanged"]),
    ("createTimeStamp", &["whenCreated"]),
];
const GROUPS: &[&str] = &["memberOf", "primaryGroupID", "sIDHistory"];

impl AttributeNames {
    /// A list of names.
    ///
    /// # Errors
    /// It is empty or too long, or something in it is not the name or OID of an attribute type (RFC 4512 1.4).
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<AttributeNames, AttributeNamesError> {
        let mut list: Vec<Box<str>> = Vec::new();
        for name in names {
            let name = name.as_ref();
            if !is_name(name) {
                return Err(AttributeNamesError::NoName(name.chars().take(MAX_NAME_LENGTH).collect()));
            }
            if !list.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                list.push(name.into());
            }
        }
        match list.len() {
            0 => Err(AttributeNamesError::Empty),
            1..=MAX_NAMES => Ok(AttributeNames(list.into())),
            _ => Err(AttributeNamesError::TooMany),
        }
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// Only this one of these names.
    pub fn only(&self, name: &str) -> AttributeNames {
        AttributeNames(self.0.iter().filter(|known| ***known == *name).cloned().collect())
    }

    /// Those of these names that surely stand for something that is among `others`.
    pub fn within<'n>(&'n self, others: &'n AttributeNames, schema: &Schema) -> impl Iterator<Item = &'n str> {
        let set = TypeSet::of(others, schema);
        let held: Vec<bool> = self
            .iter()
            .map(|name| {
                let described = AttributeDescription(name.as_bytes());
                set.surely_holds(described, schema) || others.iter().any(|other| other.eq_ignore_ascii_case(name))
            })
            .collect();
        self.iter().zip(held).filter(|(_, held)| *held).map(|(name, _)| name)
    }

    /// Whether all of these are surely among `others`.
    pub fn is_within(&self, others: &AttributeNames, schema: &Schema) -> bool {
        self.within(others, schema).count() == self.0.len()
    }
}

fn is_name(name: &str) -> bool {
    let mut octets = name.bytes();
    name.len() <= MAX_NAME_LENGTH
        && octets.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && octets.all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_'))
}

/// Whether values of a type may name entries: unless its syntax is known to be another.
pub(super) fn can_hold_names(facts: &TypeFacts) -> bool {
    !facts.syntax.as_deref().is_some_and(|syntax| NAMELESS.contains(&syntax))
}

/// A set of attribute types of one [`Schema`]; means nothing to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeSet {
    /// A bit for each type.
    words: Vec<u64>,
    /// Whether names are in it that the schema does not know.
    strangers: bool,
}

impl TypeSet {
    /// What names stand for, subtypes included.
    pub fn of(names: &AttributeNames, schema: &Schema) -> TypeSet {
        let mut set = TypeSet::default();
        for name in names.iter() {
            match schema.canonical(AttributeDescription(name.as_bytes())) {
                Some(id) => schema.subtypes(id).iter().for_each(|id| set.insert(*id)),
                None => set.strangers = true,
            }
        }
        set
    }

    /// What has to be protected for what names stand for to be: with what directories make of it.
    pub fn protecting(names: &AttributeNames, schema: &Schema) -> TypeSet {
        let mut set = TypeSet::of(names, schema);
        let id = |name: &str| schema.canonical(AttributeDescription(name.as_bytes()));
        let named = set.clone();
        for (teller, told) in TELLERS {
            if told.is_empty() || told.iter().any(|told| id(told).is_some_and(|id| named.contains(id))) {
                id(teller).into_iter().for_each(|teller| set.insert(teller));
            }
        }
        set
    }

    fn insert(&mut self, id: TypeId) {
        let (word, bit) = (id.index() / 64, id.index() % 64);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    /// Whether a type is in it.
    pub fn contains(&self, id: TypeId) -> bool {
        self.words.get(id.index() / 64).is_some_and(|word| word >> (id.index() % 64) & 1 == 1)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        !self.strangers && self.words.iter().all(|word| *word == 0)
    }

    /// Whether a type or one of its subtypes is in it: what an assertion on it, or a request for it, may touch.
    pub fn meets(&self, id: TypeId, schema: &Schema) -> bool {
        schema.subtypes(id).iter().any(|id| self.contains(*id))
    }

    /// Whether what a description names may touch anything in this. What the schema does not know may.
    pub fn may_meet(&self, description: AttributeDescription<'_>, schema: &Schema) -> bool {
        match schema.canonical(description) {
            Some(id) => self.meets(id, schema),
            None => !self.is_empty(),
        }
    }

    /// Whether values that came under this description may be of a type in this.
    pub fn may_hold(&self, description: AttributeDescription<'_>, schema: &Schema) -> bool {
        match schema.canonical(description) {
            Some(id) => self.contains(id),
            None => !self.is_empty(),
        }
    }

    /// Whether all that a description names is in this.
    pub fn surely_holds(&self, description: AttributeDescription<'_>, schema: &Schema) -> bool {
        schema.canonical(description).is_some_and(|id| self.contains(id))
    }

    /// Whether a value of a type in this may name an entry: unless its syntax is known to be another.
    pub fn may_hold_names(&self, schema: &Schema) -> bool {
        let holds = |(id, facts): (TypeId, &TypeFacts)| self.contains(id) && can_hold_names(facts);
        self.strangers || schema.types().any(holds)
    }

    /// Adds what is in `other`.
    pub fn add(&mut self, other: &TypeSet) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
        self.strangers |= other.strangers;
    }

    /// Takes away what is in `other`; what is not known stays.
    pub fn remove(&mut self, other: &TypeSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// Keeps what is in `other` as well; what is not known goes.
    pub fn keep(&mut self, other: &TypeSet) {
        self.words.truncate(other.words.len());
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
        self.strangers = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> AttributeNames {
        AttributeNames::new(list).unwrap()
    }

    #[test]
    fn names_are_names() {
        for (list, expected) in [
            (&["cn", "CN", "2.5.4.3"][..], Ok(names(&["cn", "2.5.4.3"]))),
            (&[], Err(AttributeNamesError::Empty)),
            (&["*"], Err(AttributeNamesError::NoName("*".into()))),
            (&["cn;lang-de"], Err(AttributeNamesError::NoName("cn;lang-de".into()))),
            (&["@person"], Err(AttributeNamesError::NoName("@person".into()))),
            (&[""], Err(AttributeNamesError::NoName(String::new()))),
        ] {
            assert_eq!(AttributeNames::new(list), expected);
        }
    }

    #[test]
    fn a_set_has_subtypes_and_every_spelling() {
        let schema = Schema::standard();
        // Set, description, whether it may meet, may hold, surely holds.
        for (set, description, meets, holds, surely) in [
            (&["sn"][..], "sn", true, true, true),
            (&["sn"], "SURNAME;lang-de", true, true, true),
            (&["sn"], "2.5.4.4;binary", true, true, true),
            (&["sn"], "name", true, false, false),
            (&["sn"], "cn", false, false, false),
            (&["sn"], "unheardOf", true, true, false),
            (&["name"], "sn", true, true, true),
            (&["name"], "mail", false, false, false),
            (&["unheardOf"], "unheardOf", true, true, false),
            (&["unheardOf"], "cn", false, false, false),
        ] {
            let (set, description) = (TypeSet::of(&names(set), &schema), AttributeDescription(description.as_bytes()));
            assert_eq!(set.may_meet(description, &schema), meets, "{set:?} {description:?}");
            assert_eq!(set.may_hold(description, &schema), holds, "{set:?} {description:?}");
            assert_eq!(set.surely_holds(description, &schema), surely, "{set:?} {description:?}");
        }
        assert!(!TypeSet::default().may_meet(AttributeDescription(b"unheardOf"), &schema));
    }

    #[test]
    fn what_is_made_of_others_is_protected_with_them() {
        let types = [
            "( 1.2.3.1 NAME 'memberOf' )",
            "( 1.2.3.2 NAME 'tokenGroups' )",
            "( 1.2.3.3 NAME 'replPropertyMetaData' )",
        ];
        let schema = Schema::from_subschema(types.iter().map(|text| text.as_bytes()), []);
        for (named, also) in
            [("memberOf", &["tokenGroups", "replPropertyMetaData"][..]), ("mail", &["replPropertyMetaData"])]
        {
            let set = TypeSet::protecting(&names(&[named]), &schema);
            for (name, _) in TELLERS {
                let Some(id) = schema.canonical(AttributeDescription(name.as_bytes())) else { continue };
                assert_eq!(set.contains(id), also.contains(name), "{name} by {named}");
            }
            // What is opened is what is named.
            assert!(
                !set.clone().is_empty()
                    && !TypeSet::of(&names(&[named]), &schema)
                        .may_hold(AttributeDescription(b"replPropertyMetaData"), &schema)
            );
        }
    }

    #[test]
    fn sets_are_added_and_taken_away() {
        let schema = Schema::standard();
        let set = |list: &[&str]| TypeSet::of(&names(list), &schema);
        let mut both = set(&["sn"]);
        both.add(&set(&["mail", "unheardOf"]));
        assert!(both.contains(schema.canonical(AttributeDescription(b"mail")).unwrap()));
        let mut left = both.clone();
        left.remove(&set(&["sn", "mail"]));
        assert!(!left.is_empty(), "what is not known stays");
        let mut kept = both.clone();
        kept.keep(&set(&["name"]));
        assert!(kept.surely_holds(AttributeDescription(b"sn"), &schema));
        assert!(!kept.surely_holds(AttributeDescription(b"mail"), &schema));
        assert!(names(&["sn", "unheardOf"]).is_within(&names(&["UNHEARDOF", "name"]), &schema));
        assert!(!names(&["sn", "mail"]).is_within(&names(&["name"]), &schema));
    }
}
