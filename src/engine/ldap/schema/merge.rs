//! Definitions to a [`Schema`]: the directory's first, then what the built-in table has besides; then
//! names are resolved, cycles cut, and types put in an order in which subtypes stand together.

use super::definition::{AttributeTypeDescription, ObjectClassDescription};
use super::parse::{self, DefinitionError};
use super::rules::equality_rule;
use super::{ClassFacts, Problem, Schema, TypeFacts, TypeId, uncertain};
use crate::engine::ldap::attribute::numeric_oid;
use std::collections::HashMap;

/// The built-in table (RFC 4512, 4519, 4523, 4524, 2798, 2307, …), in the form of a subschema.
pub(super) const STANDARD: &str = include_str!("standard.ldif");

/// The most attribute types, and the most object classes, that are read.
const MAX_DEFINITIONS: u32 = 100_000;
/// The most problems that are kept.
const MAX_PROBLEMS: usize = 1000;
/// How much of an unreadable definition is shown, in octets.
const EXCERPT: usize = 100;
/// RFC 4512 4.3, in lower case.
const EXTENSIBLE_OBJECT: [&str; 2] = ["extensibleobject", "1.3.6.1.4.1.1466.101.120.111"];

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// This index.
    One(u32),
    /// The directory cannot mean all of them.
    Several,
}

/// What the built-in table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standard {
    FillsIn,
    LeftOut,
}

pub(super) fn schema<'a>(
    attribute_types: impl IntoIterator<Item = &'a [u8]>,
    object_classes: impl IntoIterator<Item = &'a [u8]>,
    standard: Standard,
) -> Schema {
    let mut problems = Problems::default();
    let lines = |attribute: &'static str| {
        let lines = STANDARD.lines().filter(move |_| standard == Standard::FillsIn);
        lines.filter_map(move |line| line.strip_prefix(attribute)).map(str::as_bytes)
    };
    let mut attribute_types = attribute_types.into_iter().peekable();
    let is_read = attribute_types.peek().is_some();
    let mut types = Table::read(attribute_types, lines("attributeTypes: "), &mut problems);
    let (is_complete, own) = (is_read && problems.all_is_read(), types.own);
    let classes = Table::read(object_classes, lines("objectClasses: "), &mut problems);

    let supertypes = supertypes(&types, &mut problems);
    let (order, extents) = in_order(&supertypes);
    let known =
        types.rows.iter().map(|row| uncertain::Known { oid: row.oid, names: &row.names, superior: row.definition.sup });
    uncertain::blur(&mut types.claims, known, &supertypes, &order);
    let facts = facts(&types, &supertypes, &order);
    let classes_facts = class_facts(&classes, &types.claims, &mut problems);
    Schema {
        types: facts,
        type_names: types.claims,
        order: order.into_iter().map(TypeId).collect(),
        extents,
        classes: classes_facts,
        class_names: classes.claims,
        problems: problems.kept,
        problems_left_out: problems.left_out,
        own: is_complete.then_some(own),
    }
}

#[derive(Default)]
struct Problems {
    kept: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    /// Whether no definition was passed over so far.
    fn all_is_read(&self) -> bool {
        let passed_over = |problem: &Problem| matches!(problem, Problem::Unreadable { .. } | Problem::TooMany);
        self.left_out == 0 && !self.kept.iter().any(passed_over)
    }

    fn push(&mut self, problem: Problem) {
        if self.kept.len() < MAX_PROBLEMS {
            self.kept.push(problem);
        } else {
            self.left_out += 1;
        }
    }
}

/// What both kinds of definition have.
trait Definition<'a>: Sized {
    fn read(octets: &'a [u8]) -> Result<Self, DefinitionError>;
    fn oid(&self) -> Option<&'a str>;
    fn names(&self) -> &[&'a str];
}

impl<'a> Definition<'a> for AttributeTypeDescription<'a> {
    fn read(octets: &'a [u8]) -> Result<Self, DefinitionError> {
        parse::attribute_type(octets)
    }

    fn oid(&self) -> Option<&'a str> {
        self.oid
    }

    fn names(&self) -> &[&'a str] {
        &self.names
    }
}

impl<'a> Definition<'a> for ObjectClassDescription<'a> {
    fn read(octets: &'a [u8]) -> Result<Self, DefinitionError> {
        parse::object_class(octets)
    }

    fn oid(&self) -> Option<&'a str> {
        self.oid
    }

    fn names(&self) -> &[&'a str] {
        &self.names
    }
}

/// One definition and all that it is called.
struct Row<'a, D> {
    definition: D,
    oid: Option<&'a str>,
    names: Vec<&'a str>,
}

impl<D> Row<'_, D> {
    fn title(&self) -> String {
        self.names.first().copied().or(self.oid).unwrap_or_default().to_owned()
    }
}

/// Definitions of one kind, and what each name means.
struct Table<'a, D> {
    rows: Vec<Row<'a, D>>,
    claims: HashMap<String, Claim>,
    /// How many rows are the directory's: the first.
    own: usize,
}

impl<'a, D: Definition<'a>> Table<'a, D> {
    fn read(
        directory: impl IntoIterator<Item = &'a [u8]>,
        standard: impl Iterator<Item = &'a [u8]>,
        problems: &mut Problems,
    ) -> Self {
        let mut table = Table { rows: Vec::new(), claims: HashMap::new(), own: 0 };
        for (octets, count) in directory.into_iter().zip(0..) {
            if count == MAX_DEFINITIONS {
                problems.push(Problem::TooMany);
                break;
            }
            match D::read(octets) {
                Ok(definition) => table.add(definition, problems),
                Err(error) => {
                    let begins = octets.get(..EXCERPT).unwrap_or(octets);
                    problems.push(Problem::Unreadable { excerpt: begins.escape_ascii().to_string(), error });
                }
            }
        }
        table.own = table.rows.len();
        // A test reads all of them.
        for definition in standard.filter_map(|octets| D::read(octets).ok()) {
            table.fill_in(definition, problems);
        }
        table
    }

    /// A definition of the directory.
    fn add(&mut self, definition: D, problems: &mut Problems) {
        let (oid, names) = (definition.oid(), definition.names().to_vec());
        let defined = oid.and_then(|oid| self.claims.get(&oid.to_ascii_lowercase())).and_then(|claim| match claim {
            Claim::One(id) => Some(*id),
            Claim::Several => None,
        });
        let is_again = |row: &Row<'a, D>| row.oid.zip(oid).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
        let id = match defined.filter(|id| self.rows.get(*id as usize).is_some_and(is_again)) {
            Some(id) => {
                problems.push(Problem::DefinedTwice(oid.unwrap_or_default().to_owned()));
                id
            }
            None => self.push(Row { definition, oid, names: Vec::new() }),
        };
        for name in oid.into_iter().chain(names.iter().copied()) {
            match self.claims.insert(name.to_ascii_lowercase(), Claim::One(id)) {
                None => {}
                Some(Claim::One(other)) if other == id => {}
                Some(Claim::One(_) | Claim::Several) => {
                    self.claims.insert(name.to_ascii_lowercase(), Claim::Several);
                    problems.push(Problem::Ambiguous(name.to_owned()));
                }
            }
        }
        self.call(id, names);
    }

    /// A definition of the built-in table, whose OIDs are numeric.
    fn fill_in(&mut self, definition: D, problems: &mut Problems) {
        let Some(oid) = definition.oid() else { return };
        let names = definition.names().to_vec();
        let id = match self.claims.get(oid) {
            Some(Claim::One(id)) => *id,
            Some(Claim::Several) => return,
            None => {
                let id = match self.unnumbered(&names) {
                    Some(id) => id,
                    None => self.push(Row { definition, oid: Some(oid), names: Vec::new() }),
                };
                if let Some(row) = self.rows.get_mut(id as usize) {
                    row.oid = Some(oid);
                }
                self.claims.insert(oid.to_owned(), Claim::One(id));
                id
            }
        };
        let mut free = Vec::new();
        for name in names {
            match *self.claims.entry(name.to_ascii_lowercase()).or_insert(Claim::One(id)) {
                Claim::One(owner) if owner == id => free.push(name),
                Claim::One(_) => {
                    problems.push(Problem::Contradiction { name: name.to_owned(), standard: oid.to_owned() });
                }
                // Reported when it became so.
                Claim::Several => {}
            }
        }
        self.call(id, free);
    }

    /// What the directory has under one of these names without a number: it has no other OID than the standard one.
    fn unnumbered(&self, names: &[&str]) -> Option<u32> {
        names.iter().find_map(|name| match self.claims.get(&name.to_ascii_lowercase()) {
            Some(Claim::One(id)) => {
                let row = self.rows.get(*id as usize)?;
                row.oid.is_none_or(|oid| numeric_oid(oid.as_bytes()).is_none()).then_some(*id)
            }
            Some(Claim::Several) | None => None,
        })
    }

    fn push(&mut self, row: Row<'a, D>) -> u32 {
        // At most MAX_DEFINITIONS, and the built-in ones.
        let id = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(row);
        id
    }

    /// Adds names that a definition is known by.
    fn call(&mut self, id: u32, names: Vec<&'a str>) {
        let Some(row) = self.rows.get_mut(id as usize) else { return };
        row.names.extend(names);
    }

    fn superior(&self, row: &Row<'a, D>, name: &str, problems: &mut Problems) -> Option<u32> {
        match self.claims.get(&name.to_ascii_lowercase()) {
            Some(Claim::One(id)) => Some(*id),
            Some(Claim::Several) | None => {
                problems.push(Problem::UnknownSuperior { of: row.title(), superior: name.to_owned() });
                None
            }
        }
    }
}

/// Each type's supertype, without cycles.
fn supertypes(types: &Table<'_, AttributeTypeDescription<'_>>, problems: &mut Problems) -> Vec<Option<u32>> {
    let supertype = |row: &Row<'_, AttributeTypeDescription<'_>>, problems: &mut Problems| match row.definition.sup {
        Some(name) => types.superior(row, name, problems),
        None => None,
    };
    let mut supertypes: Vec<_> = types.rows.iter().map(|row| supertype(row, problems)).collect();
    // Which walk came by. Each link is followed once: a walk ends where one was before.
    let mut walked_by = vec![None; supertypes.len()];
    for start in 0..supertypes.len() {
        let mut at = start;
        while let Some(walk) = walked_by.get_mut(at).filter(|walk| walk.is_none()) {
            *walk = Some(start);
            let Some(above) = supertypes.get(at).copied().flatten() else { break };
            if walked_by.get(above as usize) == Some(&Some(start)) {
                problems.push(Problem::Cycle(types.rows.get(at).map(Row::title).unwrap_or_default()));
                if let Some(link) = supertypes.get_mut(at) {
                    *link = None;
                }
                break;
            }
            at = above as usize;
        }
    }
    supertypes
}

/// Types with their subtypes directly behind them, and where in that order each type's are.
fn in_order(supertypes: &[Option<u32>]) -> (Vec<u32>, Vec<(u32, u32)>) {
    let mut subtypes = vec![Vec::new(); supertypes.len()];
    let mut ahead = Vec::new();
    for (id, supertype) in (0..).zip(supertypes) {
        match supertype.and_then(|supertype| subtypes.get_mut(supertype as usize)) {
            Some(subtypes) => subtypes.push(id),
            None => ahead.push(id),
        }
    }
    let mut order = Vec::with_capacity(supertypes.len());
    while let Some(id) = ahead.pop() {
        order.push(id);
        ahead.extend(subtypes.get(id as usize).into_iter().flatten());
    }
    let mut extents = vec![(0, 1); supertypes.len()];
    for (at, id) in (0..).zip(&order) {
        if let Some(extent) = extents.get_mut(*id as usize) {
            *extent = (at, at + 1);
        }
    }
    // From the back: whoever is above ends where its last subtype ends.
    for id in order.iter().rev() {
        let end = extents.get(*id as usize).map_or(0, |(_, end)| *end);
        let above = supertypes.get(*id as usize).copied().flatten();
        if let Some(extent) = above.and_then(|above| extents.get_mut(above as usize)) {
            extent.1 = extent.1.max(end);
        }
    }
    (order, extents)
}

/// What is known of each type, with what it inherits.
fn facts(types: &Table<'_, AttributeTypeDescription<'_>>, supertypes: &[Option<u32>], order: &[u32]) -> Vec<TypeFacts> {
    let own = |(row, supertype): (&Row<'_, AttributeTypeDescription<'_>>, &Option<u32>)| {
        let mut names: Vec<&str> = Vec::with_capacity(row.names.len());
        let mut said = std::collections::HashSet::new();
        names.extend(row.names.iter().copied().filter(|name| said.insert(name.to_ascii_lowercase())));
        TypeFacts {
            name: row.title().into(),
            oid: row.oid.filter(|oid| numeric_oid(oid.as_bytes()).is_some()).map(Into::into),
            names: names.into_iter().map(Into::into).collect(),
            supertype: supertype.map(TypeId),
            equality: row.definition.equality.map(equality_rule),
            syntax: row.definition.syntax.map(Into::into),
            usage: row.definition.usage,
            single_value: row.definition.single_value,
            collective: row.definition.collective,
            no_user_modification: row.definition.no_user_modification,
        }
    };
    let mut facts: Vec<_> = types.rows.iter().zip(supertypes).map(own).collect();
    // Supertypes come first (RFC 4512 4.1.2: what is not said is inherited).
    for id in order {
        let above = supertypes.get(*id as usize).copied().flatten().and_then(|above| facts.get(above as usize));
        let Some((equality, syntax)) = above.map(|above| (above.equality.clone(), above.syntax.clone())) else {
            continue;
        };
        if let Some(own) = facts.get_mut(*id as usize) {
            own.equality = own.equality.take().or(equality);
            own.syntax = own.syntax.take().or(syntax);
        }
    }
    facts
}

fn class_facts(
    classes: &Table<'_, ObjectClassDescription<'_>>,
    types: &HashMap<String, Claim>,
    problems: &mut Problems,
) -> Vec<ClassFacts> {
    let mut facts = Vec::with_capacity(classes.rows.len());
    let extensible = EXTENSIBLE_OBJECT.map(|name| classes.claims.get(name).copied());
    for (id, row) in (0..).zip(&classes.rows) {
        let mut open = extensible.contains(&Some(Claim::One(id)));
        let mut superclasses = Vec::with_capacity(row.definition.sup.len());
        for name in &row.definition.sup {
            match classes.superior(row, name, problems) {
                // Longer cycles are harmless: whoever walks comes by each class once.
                Some(superclass) if superclass == id => problems.push(Problem::Cycle(row.title())),
                Some(superclass) => superclasses.push(superclass),
                None => open = true,
            }
        }
        let mut resolve = |names: &[&str]| {
            let mut ids = Vec::with_capacity(names.len());
            for name in names {
                match types.get(&name.to_ascii_lowercase()) {
                    Some(Claim::One(id)) => ids.push(TypeId(*id)),
                    Some(Claim::Several) | None => {
                        open = true;
                        let attribute = (*name).to_owned();
                        problems.push(Problem::UnknownAttribute { class: row.title(), attribute });
                    }
                }
            }
            ids
        };
        let (must, may) = (resolve(&row.definition.must), resolve(&row.definition.may));
        facts.push(ClassFacts { kind: row.definition.kind, superclasses, must, may, open });
    }
    facts
}
