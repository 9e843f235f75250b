//! Attribute types and object classes: what the directory's subschema says (RFC 4512 4.2), and a
//! built-in table for what it does not.
//!
//! [`builtin`] is the small table that naming looks up for every DN. [`Schema`] is the directory's own,
//! read once ([`parse`]), completed and put in order (`merge`), then only looked up.

pub mod builtin;
mod classes;
pub mod definition;
mod merge;
mod naming;
pub mod parse;
mod rules;
#[cfg(test)]
mod tests;
mod uncertain;

pub use builtin::{ATTRIBUTE_TYPES, AttributeType, Rule, attribute_type, type_bit};
pub(super) use builtin::{NAMES, STRANGE, known_type};
pub use classes::ClassSet;

use super::attribute::{AttributeDescription, numeric_oid};
use definition::{ClassKind, Usage};
use merge::Claim;
use parse::DefinitionError;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use thiserror::Error;

/// An attribute type of one [`Schema`]; means nothing to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(u32);

impl TypeId {
    /// Its position among [`Schema::types`], from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of an attribute type. Where the directory defines it, all but `names` is the
/// directory's word alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeFacts {
    /// The first name as the directory spells it; the OID where there is no name.
    pub name: Box<str>,
    /// The numeric OID, if it has one.
    pub oid: Option<Box<str>>,
    /// Every name that leads to it, with those that only the built-in table knows; not the OID.
    pub names: Box<[Box<str>]>,
    /// The type it is a direct subtype of.
    pub supertype: Option<TypeId>,
    /// The equality matching rule, its own or a supertype's: the numeric OID, or in lower case the name of a
    /// rule that is not known here. `None`: nothing equals, or (Active Directory) the syntax says it.
    pub equality: Option<Box<str>>,
    /// The syntax, its own or a supertype's: an OID.
    pub syntax: Option<Box<str>>,
    /// USAGE.
    pub usage: Usage,
    /// SINGLE-VALUE.
    pub single_value: bool,
    /// COLLECTIVE.
    pub collective: bool,
    /// NO-USER-MODIFICATION.
    pub no_user_modification: bool,
}

impl TypeFacts {
    /// Whether `+` asks for it, and `*` does not (RFC 3673, RFC 4511 4.5.1.8). Active Directory writes
    /// no USAGE: there everything is a user attribute.
    pub fn is_operational(&self) -> bool {
        self.usage != Usage::UserApplications
    }
}

/// What an object class of its own requires and allows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ClassFacts {
    kind: ClassKind,
    /// Indices of the superclasses.
    superclasses: Vec<u32>,
    must: Vec<TypeId>,
    may: Vec<TypeId>,
    open: bool,
}

/// What `@class` asks for (RFC 4529): these types, and their subtypes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassAttributes {
    /// Of the class itself.
    pub kind: ClassKind,
    /// Required, by the class or a superclass; in order, none twice.
    pub must: Vec<TypeId>,
    /// Allowed, by the class or a superclass, and not required; in order, none twice.
    pub may: Vec<TypeId>,
    /// It may ask for any attribute besides: it is or extends `extensibleObject` (RFC 4512 4.3), or it names what nobody defines.
    pub open: bool,
}

/// What was wrong with a subschema. Nothing here stops the rest from being used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// A definition was passed over. Its names are unknown, or what the built-in table says.
    #[error("cannot read {excerpt}: {error}")]
    Unreadable {
        /// How it begins, escaped.
        excerpt: String,
        /// What stopped it.
        error: DefinitionError,
    },
    /// More definitions than are read; the rest was passed over.
    #[error("too many definitions")]
    TooMany,
    /// The directory defines one OID twice. The first definition holds; the names of both lead to it.
    #[error("{0} is defined twice")]
    DefinedTwice(String),
    /// The directory gives one name to two things. It leads to neither.
    #[error("{0} names two things")]
    Ambiguous(String),
    /// The directory has a standard name for something else. The directory's meaning holds; the
    /// standard one keeps its OID and its other names.
    #[error("{name} is not the standard {standard} in this directory")]
    Contradiction {
        /// The name.
        name: String,
        /// The OID that it stands for by the built-in table.
        standard: String,
    },
    /// A supertype or superclass that nobody defines, or that is ambiguous.
    #[error("{of} has an unknown superior {superior}")]
    UnknownSuperior {
        /// The type or class.
        of: String,
        /// What it names.
        superior: String,
    },
    /// A type or class is its own superior. The link is cut.
    #[error("{0} is its own superior")]
    Cycle(String),
    /// A class names an attribute type that nobody defines; `@class` is open then.
    #[error("class {class} has an unknown attribute type {attribute}")]
    UnknownAttribute {
        /// The class.
        class: String,
        /// What it names.
        attribute: String,
    },
}

/// A directory's attribute types and object classes.
#[derive(Debug)]
pub struct Schema {
    types: Vec<TypeFacts>,
    type_names: HashMap<String, Claim>,
    /// Types with every subtype directly behind its supertype and that one's other subtypes.
    order: Vec<TypeId>,
    /// Where in `order` a type and its subtypes are: first, and one past the last.
    extents: Vec<(u32, u32)>,
    classes: Vec<ClassFacts>,
    class_names: HashMap<String, Claim>,
    problems: Vec<Problem>,
    problems_left_out: usize,
    /// How many of the types are the directory's: the first. `None`: it may define others, which were not read.
    own: Option<usize>,
}

impl Schema {
    /// The values of a subschema's `attributeTypes` and `objectClasses`, and from the built-in table
    /// what they leave out: types and classes with other OIDs, and further names of those they have.
    /// A definition of the directory holds as a whole; see [`Problem`] for where the two disagree.
    pub fn from_subschema<'a>(
        attribute_types: impl IntoIterator<Item = &'a [u8]>,
        object_classes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Schema {
        merge::schema(attribute_types, object_classes, merge::Standard::FillsIn)
    }

    /// As [`Schema::from_subschema`], with nothing filled in.
    pub fn from_subschema_alone<'a>(
        attribute_types: impl IntoIterator<Item = &'a [u8]>,
        object_classes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Schema {
        merge::schema(attribute_types, object_classes, merge::Standard::LeftOut)
    }

    /// The built-in table: what holds as long as the directory's subschema was not read.
    pub fn standard() -> Arc<Schema> {
        static STANDARD: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(Schema::from_subschema([], [])));
        Arc::clone(&STANDARD)
    }

    /// The type that a description names by any name or OID, whatever its options. `None`: it is
    /// unknown here, or ambiguous, or what is above it is; to the directory it may be *any* type. So may
    /// what a directory makes of the values of others.
    pub fn canonical(&self, description: AttributeDescription<'_>) -> Option<TypeId> {
        find(&self.type_names, description.attribute_type()).map(TypeId)
    }

    /// Whether the directory defines no type by this name or OID: it answers `undefinedAttributeType` (17), whatever its
    /// entries hold. False as long as its subschema was not read, or was read in part.
    pub fn is_undefined(&self, description: AttributeDescription<'_>) -> bool {
        let Some(own) = self.own else { return false };
        match claim(&self.type_names, description.attribute_type()) {
            None => !uncertain::is_made_of_others(description.attribute_type()),
            Some(Claim::One(id)) => id as usize >= own,
            Some(Claim::Several) => false,
        }
    }

    /// What is known of a type; `None` only for one of another schema.
    pub fn facts(&self, id: TypeId) -> Option<&TypeFacts> {
        self.types.get(id.0 as usize)
    }

    /// Every type.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &TypeFacts)> {
        (0..).map(TypeId).zip(&self.types)
    }

    /// Whether `subtype` is `of` or, over however many steps, one of its subtypes (RFC 4512 2.5.1).
    pub fn is_subtype(&self, subtype: TypeId, of: TypeId) -> bool {
        let (Some((at, _)), Some((first, end))) = (self.extent(subtype), self.extent(of)) else { return false };
        (first..end).contains(&at)
    }

    /// A type and all of its subtypes, itself first.
    pub fn subtypes(&self, of: TypeId) -> &[TypeId] {
        let (first, end) = self.extent(of).unwrap_or_default();
        self.order.get(first as usize..end as usize).unwrap_or_default()
    }

    fn extent(&self, id: TypeId) -> Option<(u32, u32)> {
        self.extents.get(id.0 as usize).copied()
    }

    /// What `@class` in a requested list asks for, the class by any name or OID, whatever the options. `None`:
    /// no such class is known, or there is no `@`. Takes time in the size of the class and its superclasses.
    pub fn class_attributes(&self, requested: AttributeDescription<'_>) -> Option<ClassAttributes> {
        let start = find(&self.class_names, requested.attribute_type().strip_prefix(b"@")?)?;
        let kind = self.classes.get(start as usize)?.kind;
        let (mut must, mut may, mut open) = (Vec::new(), Vec::new(), false);
        let mut seen = HashSet::from([start]);
        let mut ahead = vec![start];
        while let Some(class) = ahead.pop().and_then(|at| self.classes.get(at as usize)) {
            must.extend(&class.must);
            may.extend(&class.may);
            open |= class.open;
            ahead.extend(class.superclasses.iter().filter(|superclass| seen.insert(**superclass)));
        }
        must.sort_unstable();
        must.dedup();
        may.sort_unstable();
        may.dedup();
        may.retain(|id| must.binary_search(id).is_err());
        Some(ClassAttributes { kind, must, may, open })
    }

    /// What was wrong with the subschema; the first thousand.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many problems more there were.
    pub fn problems_left_out(&self) -> usize {
        self.problems_left_out
    }
}

/// Looks up a name or OID in any case; `oid.` before a numeric one is Active Directory's.
fn find(names: &HashMap<String, Claim>, written: &[u8]) -> Option<u32> {
    match claim(names, written)? {
        Claim::One(id) => Some(id),
        Claim::Several => None,
    }
}

/// As [`find`], with names that lead to nothing certain.
fn claim(names: &HashMap<String, Claim>, written: &[u8]) -> Option<Claim> {
    let mut buffer = [0; 64];
    let lower = lower(written, &mut buffer);
    let bare = lower.strip_prefix(b"oid.").filter(|rest| numeric_oid(rest).is_some()).unwrap_or(&lower);
    names.get(std::str::from_utf8(bare).ok()?).copied()
}

/// In lower case, as far as ASCII goes; long ones on the heap.
fn lower<'b>(written: &[u8], buffer: &'b mut [u8]) -> Cow<'b, [u8]> {
    match buffer.get_mut(..written.len()) {
        Some(lower) => {
            lower.copy_from_slice(written);
            lower.make_ascii_lowercase();
            Cow::Borrowed(lower)
        }
        None => Cow::Owned(written.to_ascii_lowercase()),
    }
}
