//! A resource: a named part of the directory that is protected. Knows names, not who holds it.

use super::OperationSet;
use super::asking::OnMissing;
use super::attributes::AttributeNames;
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::SearchScope;
use std::sync::Arc;

/// Position of a resource in its policy. Means nothing in another policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceIndex(pub u32);

/// Which entries, from the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceScope {
    /// The base entry alone.
    Base,
    /// The entries directly below the base, without the base.
    One,
    /// The base and everything below.
    Subtree,
}

/// A named, protected part of the directory.
#[derive(Debug, Clone)]
pub struct Resource {
    /// What people and logs call it.
    pub name: Arc<str>,
    /// Where it begins.
    pub base: Dn,
    /// How far it goes.
    pub scope: ResourceScope,
    /// For which operations it is protected.
    pub operations: OperationSet,
    /// Only these attributes of its entries, with their subtypes; `None`: the entries as such.
    pub attributes: Option<AttributeNames>,
    /// What becomes of an operation for which it is missing; `None`: what others say, else it is refused.
    pub on_missing: Option<OnMissing>,
}

impl Resource {
    /// Whether `entry` may be one of its entries.
    pub fn contains(&self, entry: &Dn) -> bool {
        entry.is_within(&self.base) && self.scope.spans(entry.depth() - self.base.depth())
    }

    /// Whether `entry` is one of its entries to every directory that takes the two for one name or neither: never
    /// where either name is vague.
    pub fn holds(&self, entry: &Dn) -> bool {
        self.contains(entry) && !entry.is_vague() && !self.base.is_vague()
    }

    /// Whether one of its entries may be among those that a search of `scope` from `base` can reach.
    pub fn meets(&self, base: &Dn, scope: SearchScope) -> bool {
        if base.is_within(&self.base) {
            self.scope.meets_from_below(base.depth() - self.base.depth(), scope)
        } else if self.base.is_within(base) {
            self.scope.meets_from_above(self.base.depth() - base.depth(), scope)
        } else {
            false
        }
    }
}

impl ResourceScope {
    /// Whether an entry `depth` levels below the base is meant.
    pub(super) fn spans(self, depth: usize) -> bool {
        match self {
            ResourceScope::Base => depth == 0,
            ResourceScope::One => depth == 1,
            ResourceScope::Subtree => true,
        }
    }

    /// For a search whose base lies `depth` levels below the resource's, 0 included.
    pub(super) fn meets_from_below(self, depth: usize, scope: SearchScope) -> bool {
        match scope {
            SearchScope::Base => self.spans(depth),
            SearchScope::One | SearchScope::Subordinate => match self {
                ResourceScope::Base => false,
                ResourceScope::One => depth == 0,
                ResourceScope::Subtree => true,
            },
            SearchScope::Subtree => match self {
                ResourceScope::Base => depth == 0,
                ResourceScope::One => depth <= 1,
                ResourceScope::Subtree => true,
            },
        }
    }

    /// For a search whose base lies `depth` levels above the resource's, at least 1.
    pub(super) fn meets_from_above(self, depth: usize, scope: SearchScope) -> bool {
        match scope {
            SearchScope::Base => false,
            SearchScope::One => depth == 1 && self != ResourceScope::One,
            SearchScope::Subtree | SearchScope::Subordinate => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPES: [SearchScope; 4] =
        [SearchScope::Base, SearchScope::One, SearchScope::Subtree, SearchScope::Subordinate];

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    fn resource(scope: ResourceScope) -> Resource {
        Resource {
            name: "r".into(),
            base: dn("ou=r,dc=x"),
            scope,
            operations: OperationSet::all(),
            attributes: None,
            on_missing: None,
        }
    }

    /// For each base, whether searches of scope base, one, subtree and subordinate reach the
    /// resource `ou=r,dc=x` of scope base, one and subtree.
    const REACH: &[(&str, [&str; 3])] = &[
        ("", ["--ss", "--ss", "--ss"]),
        ("dc=x", ["-oss", "--ss", "-oss"]),
        ("ou=r,dc=x", ["b-s-", "-oss", "boss"]),
        ("cn=a,ou=r,dc=x", ["----", "b-s-", "boss"]),
        ("cn=b,cn=a,ou=r,dc=x", ["----", "----", "boss"]),
        ("ou=q,dc=x", ["----", "----", "----"]),
        ("ou=rr,dc=x", ["----", "----", "----"]),
        ("dc=y", ["----", "----", "----"]),
    ];

    #[test]
    fn searches_reach_resources() {
        for (base, rows) in REACH {
            for (kind, row) in [ResourceScope::Base, ResourceScope::One, ResourceScope::Subtree].into_iter().zip(rows) {
                for (scope, mark) in SCOPES.into_iter().zip(row.chars()) {
                    assert_eq!(resource(kind).meets(&dn(base), scope), mark != '-', "{scope:?} {base:?} {kind:?}");
                }
            }
        }
    }

    /// The table above, derived from single entries instead.
    #[test]
    fn reach_is_what_single_entries_say() {
        let names =
            ["", "dc=x", "ou=r,dc=x", "cn=a,ou=r,dc=x", "cn=b,cn=a,ou=r,dc=x", "cn=c,cn=b,cn=a,ou=r,dc=x", "ou=q,dc=x"]
                .map(dn);
        for kind in [ResourceScope::Base, ResourceScope::One, ResourceScope::Subtree] {
            for base in &names[..5] {
                for scope in SCOPES {
                    let reached = |entry: &Dn| match scope {
                        SearchScope::Base => entry == base,
                        SearchScope::One => entry.is_child_of(base),
                        SearchScope::Subtree => entry.is_within(base),
                        SearchScope::Subordinate => entry.is_within(base) && entry != base,
                    };
                    let expected = names.iter().any(|entry| reached(entry) && resource(kind).contains(entry));
                    assert_eq!(resource(kind).meets(base, scope), expected, "{scope:?} {base:?} {kind:?}");
                }
            }
        }
    }
}
