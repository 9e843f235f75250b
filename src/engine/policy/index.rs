//! Look-ups over resources, so that no decision walks through all of them. One index for the resources
//! that protect entries, one for those that protect attributes.
//!
//! Upwards by one hash look-up for each level at which any resource begins; downwards by a range of
//! sorted keys. Names are compared coarsely: this is what protects. A vague name (see [`Dn`]) has no key that would
//! find all that it may be, nor has a resource with a vague base: then every resource is looked at.

use super::resource::{Resource, ResourceIndex, ResourceScope};
use super::{OperationKind, OperationSet, Policy};
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::SearchScope;
use std::collections::HashMap;
use std::sync::Arc;

/// What there is to know of a resource without looking at it.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: ResourceIndex,
    scope: ResourceScope,
    operations: OperationSet,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// By the key of their base.
    bases: HashMap<Arc<[u8]>, Vec<Mark>>,
    /// By the key of their base's parent.
    children: HashMap<Arc<[u8]>, Vec<Mark>>,
    /// A bit for each depth at which a base lies. There are fewer depths than bits.
    depths: u128,
    /// For each operation the resources that protect it, by the key of their base.
    by_kind: [Vec<(Arc<[u8]>, ResourceIndex)>; OperationKind::ALL.len()],
    /// All resources, by the key of their base.
    all: Vec<(Arc<[u8]>, ResourceIndex)>,
    /// All resources with their base.
    marks: Vec<(Dn, Mark)>,
    /// Whether any base is vague.
    vague: bool,
}

impl Index {
    pub(super) fn new<'r>(resources: impl Iterator<Item = (ResourceIndex, &'r Resource)>) -> Index {
        let mut index = Index::default();
        for (at, resource) in resources {
            let mark = Mark { at, scope: resource.scope, operations: resource.operations };
            let key: Arc<[u8]> = resource.base.key().into();
            if let Some(parent) = resource.base.parent() {
                index.children.entry(parent.key().into()).or_default().push(mark);
            }
            index.depths |= 1u128.checked_shl(resource.base.depth() as u32).unwrap_or(0);
            for (kind, list) in OperationKind::ALL.into_iter().zip(&mut index.by_kind) {
                if resource.operations.contains(kind) {
                    list.push((key.clone(), at));
                }
            }
            index.all.push((key.clone(), at));
            index.marks.push((resource.base.clone(), mark));
            index.vague |= resource.base.is_vague();
            index.bases.entry(key).or_default().push(mark);
        }
        index.by_kind.iter_mut().for_each(|list| list.sort());
        index.all.sort();
        index
    }

    fn sorted(&self, kind: Option<OperationKind>) -> &[(Arc<[u8]>, ResourceIndex)] {
        kind.and_then(|kind| self.by_kind.get(kind as usize)).unwrap_or(&self.all)
    }

    /// What has to be looked at one by one for this name: all, or nothing.
    fn unindexed(&self, name: &Dn) -> &[(Dn, Mark)] {
        if self.vague || name.is_vague() { &self.marks } else { &[] }
    }

    /// The resources that begin at `entry` or above it, with how many levels above.
    fn upwards(&self, entry: &Dn) -> impl Iterator<Item = (usize, Mark)> {
        let depth = entry.depth();
        let slow = self.unindexed(entry).iter();
        let depths = if slow.len() == 0 { self.depths } else { 0 };
        let lineage = entry.lineage().enumerate().filter(move |(at, _)| depths >> at & 1 == 1);
        lineage
            .flat_map(move |(at, key)| self.bases.get(key).into_iter().flatten().map(move |mark| (depth - at, *mark)))
            .chain(
                slow.filter(|(base, _)| entry.is_within(base)).map(move |(base, mark)| (depth - base.depth(), *mark)),
            )
    }
}

impl Index {
    fn touched(&self, entry: &Dn, kind: OperationKind) -> impl Iterator<Item = ResourceIndex> {
        let fits = move |(above, mark): &(usize, Mark)| mark.operations.contains(kind) && mark.scope.spans(*above);
        self.upwards(entry).filter(fits).map(|(_, mark)| mark.at)
    }

    fn reached(
        &self,
        base: &Dn,
        scope: SearchScope,
        kind: Option<OperationKind>,
    ) -> impl Iterator<Item = ResourceIndex> {
        let protects = move |mark: &Mark| kind.is_none_or(|kind| mark.operations.contains(kind));
        let above = self
            .upwards(base)
            .filter(move |(above, mark)| protects(mark) && mark.scope.meets_from_below(*above, scope))
            .map(|(_, mark)| mark.at);
        let slow = self.unindexed(base);
        let children = match scope {
            SearchScope::One if slow.is_empty() => self.children.get(base.key()).map_or(&[][..], Vec::as_slice),
            SearchScope::One | SearchScope::Base | SearchScope::Subtree | SearchScope::Subordinate => &[],
        };
        let children = children
            .iter()
            .filter(move |mark| protects(mark) && mark.scope.meets_from_above(1, scope))
            .map(|mark| mark.at);
        let below = match scope {
            SearchScope::Subtree | SearchScope::Subordinate if slow.is_empty() => below(self.sorted(kind), base.key()),
            SearchScope::Subtree | SearchScope::Subordinate | SearchScope::Base | SearchScope::One => &[],
        };
        let slow = slow.iter().filter(move |(at, mark)| {
            let down = at.depth().saturating_sub(base.depth());
            down > 0 && protects(mark) && at.is_within(base) && mark.scope.meets_from_above(down, scope)
        });
        above.chain(children).chain(below.iter().map(|(_, at)| *at)).chain(slow.map(|(_, mark)| mark.at))
    }

    fn protecting(&self, kind: OperationKind) -> impl ExactSizeIterator<Item = ResourceIndex> {
        self.sorted(Some(kind)).iter().map(|(_, at)| *at)
    }
}

/// The resources that protect entries as such.
impl Policy {
    /// Those that protect `kind` at `entry`.
    pub fn touched(&self, entry: &Dn, kind: OperationKind) -> impl Iterator<Item = ResourceIndex> {
        self.entries.touched(entry, kind)
    }

    /// Those that protect `kind` (or anything) at an entry that `scope` reaches from `base`.
    pub fn reached(
        &self,
        base: &Dn,
        scope: SearchScope,
        kind: Option<OperationKind>,
    ) -> impl Iterator<Item = ResourceIndex> {
        self.entries.reached(base, scope, kind)
    }

    /// Those that protect `kind` anywhere.
    pub fn protecting(&self, kind: OperationKind) -> impl ExactSizeIterator<Item = ResourceIndex> {
        self.entries.protecting(kind)
    }
}

/// The resources that protect attributes.
impl Policy {
    /// Whether anything protects `kind`, entries or attributes.
    pub fn protects(&self, kind: OperationKind) -> bool {
        self.protecting(kind).len() + self.attributes_protecting(kind).len() > 0
    }

    /// Those that protect attributes for `kind` at `entry`.
    pub fn attributes_touched(&self, entry: &Dn, kind: OperationKind) -> impl Iterator<Item = ResourceIndex> {
        self.attributes.touched(entry, kind)
    }

    /// Those that protect attributes for `kind` (or anything) at an entry that `scope` reaches from `base`.
    pub fn attributes_reached(
        &self,
        base: &Dn,
        scope: SearchScope,
        kind: Option<OperationKind>,
    ) -> impl Iterator<Item = ResourceIndex> {
        self.attributes.reached(base, scope, kind)
    }

    /// Those that protect attributes for `kind` anywhere.
    pub fn attributes_protecting(&self, kind: OperationKind) -> impl ExactSizeIterator<Item = ResourceIndex> {
        self.attributes.protecting(kind)
    }
}

/// The part of a sorted list whose keys lie strictly below `base`.
fn below<'a>(sorted: &'a [(Arc<[u8]>, ResourceIndex)], base: &[u8]) -> &'a [(Arc<[u8]>, ResourceIndex)] {
    let start = sorted.partition_point(|(key, _)| **key <= *base);
    let rest = sorted.get(start..).unwrap_or_default();
    let length = rest.partition_point(|(key, _)| key.starts_with(base));
    rest.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Mode, RefusalStyle};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn name() -> impl Strategy<Value = Dn> {
        proptest::collection::vec(prop::sample::select(vec!["ou=a", "ou=aa", "ou=b", "OU=A", "ou=ä"]), 0..4)
            .prop_map(|rdns| rdns.join(",").parse().unwrap())
    }

    fn resources() -> impl Strategy<Value = Vec<Resource>> {
        let scopes = prop::sample::select(vec![ResourceScope::Base, ResourceScope::One, ResourceScope::Subtree]);
        let operations = prop::sample::subsequence(OperationKind::ALL.to_vec(), 1..8);
        let resource = (name(), scopes, operations).prop_map(|(base, scope, operations)| Resource {
            name: "r".into(),
            base,
            scope,
            operations: operations.into_iter().collect(),
            attributes: None,
            on_missing: None,
        });
        proptest::collection::vec(resource, 0..12)
    }

    proptest! {
        #[test]
        fn look_ups_find_what_walking_through_all_finds(resources in resources(), entry in name()) {
            let policy = Policy::new(Mode::Enforce, RefusalStyle::Explain, resources, vec![], vec![]);
            let all = |test: &dyn Fn(&Resource) -> bool| -> BTreeSet<ResourceIndex> {
                policy.indexed().filter(|(_, resource)| test(resource)).map(|(at, _)| at).collect()
            };
            for kind in OperationKind::ALL {
                let touched: Vec<_> = policy.touched(&entry, kind).collect();
                let expected = all(&|r| r.operations.contains(kind) && r.contains(&entry));
                prop_assert_eq!(touched.len(), expected.len());
                prop_assert_eq!(touched.into_iter().collect::<BTreeSet<_>>(), expected);
                prop_assert_eq!(policy.protecting(kind).len(), all(&|r| r.operations.contains(kind)).len());
                for scope in [SearchScope::Base, SearchScope::One, SearchScope::Subtree, SearchScope::Subordinate] {
                    let reached: Vec<_> = policy.reached(&entry, scope, Some(kind)).collect();
                    let expected = all(&|r| r.operations.contains(kind) && r.meets(&entry, scope));
                    prop_assert_eq!(reached.len(), expected.len());
                    prop_assert_eq!(reached.into_iter().collect::<BTreeSet<_>>(), expected);
                    let reached: BTreeSet<_> = policy.reached(&entry, scope, None).collect();
                    prop_assert_eq!(reached, all(&|r| r.meets(&entry, scope)));
                }
            }
        }
    }
}
