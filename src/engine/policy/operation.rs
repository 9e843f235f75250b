//! What can be done to an entry, as resources and roles list it.

use std::fmt;
use std::str::FromStr;

/// One kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the operations")]
pub enum OperationKind {
    Bind,
    Search,
    Compare,
    Add,
    Modify,
    Delete,
    Rename,
    Password,
}

/// Why text is not the name of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an operation: one of bind, search, compare, add, modify, delete, rename, password")]
pub struct OperationError;

impl OperationKind {
    /// Every kind, in the order in which they are listed to people.
    pub const ALL: [OperationKind; 8] = [
        OperationKind::Bind,
        OperationKind::Search,
        OperationKind::Compare,
        OperationKind::Add,
        OperationKind::Modify,
        OperationKind::Delete,
        OperationKind::Rename,
        OperationKind::Password,
    ];

    /// What configuration, command line, API and log call it.
    pub const fn name(self) -> &'static str {
        match self {
            OperationKind::Bind => "bind",
            OperationKind::Search => "search",
            OperationKind::Compare => "compare",
            OperationKind::Add => "add",
            OperationKind::Modify => "modify",
            OperationKind::Delete => "delete",
            OperationKind::Rename => "rename",
            OperationKind::Password => "password",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OperationKind {
    type Err = OperationError;

    fn from_str(text: &str) -> Result<OperationKind, OperationError> {
        OperationKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(OperationError)
    }
}

/// A set of [`OperationKind`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OperationSet(u8);

impl OperationSet {
    /// Every kind.
    pub const fn all() -> OperationSet {
        OperationSet(u8::MAX)
    }

    /// Whether `kind` is among them.
    pub const fn contains(self, kind: OperationKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every kind of `other` is among them.
    pub const fn contains_all(self, other: OperationSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// The kinds that are in both.
    pub const fn intersection(self, other: OperationSet) -> OperationSet {
        OperationSet(self.0 & other.0)
    }

    /// The kinds, in the order of [`OperationKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = OperationKind> {
        OperationKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// The names of the kinds.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter().map(OperationKind::name)
    }
}

impl FromIterator<OperationKind> for OperationSet {
    fn from_iter<I: IntoIterator<Item = OperationKind>>(kinds: I) -> OperationSet {
        OperationSet(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }
}

impl From<OperationKind> for OperationSet {
    fn from(kind: OperationKind) -> OperationSet {
        OperationSet::from_iter([kind])
    }
}

impl fmt::Debug for OperationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_and_a_place() {
        for kind in OperationKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            let alone = OperationSet::from(kind);
            assert!(OperationKind::ALL.into_iter().all(|other| alone.contains(other) == (other == kind)));
        }
        assert_eq!("Search".parse::<OperationKind>(), Err(OperationError));
        assert_eq!(OperationSet::from_iter(OperationKind::ALL), OperationSet::all());
    }

    #[test]
    fn sets_are_sets() {
        let both = OperationSet::from_iter([OperationKind::Modify, OperationKind::Search, OperationKind::Search]);
        assert!(both.names().eq(["search", "modify"]));
        assert!(OperationSet::all().contains_all(both) && !both.contains_all(OperationSet::all()));
        assert_eq!(both.intersection(OperationKind::Modify.into()), OperationKind::Modify.into());
        assert!(both.intersection(OperationKind::Add.into()).is_empty());
    }
}
