//! What a search reaches and must not show: entries, attributes, and what its filter would tell of both.

use super::wanted::{Glance, Wanted, is_about};
use super::{Deciding, rest_on, searching};
use crate::engine::access::holding::{Held, longest};
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::{SearchRequest, SearchScope};
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::attributes::TypeSet;
use crate::engine::policy::requirement::{Need, Spot};
use crate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use crate::engine::policy::{Mode, OperationKind};
use crate::engine::redaction::{Asserted, Key, Ways, counts};

/// Where a search goes.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) base: &'a Dn,
    pub(super) scope: SearchScope,
    /// Whether aliases may lead it anywhere.
    pub(super) aliases: bool,
}

impl<'a> Reach<'a> {
    /// How much of a resource must be held for all that is reached of it to be shown.
    pub(super) fn spot(self) -> Spot<'a> {
        // Where aliases lead only the directory knows.
        if self.aliases { Spot::Everywhere } else { Spot::Tree(self.base) }
    }

    /// Whether every entry that is reached is one of the resource's.
    fn is_covered_by(self, resource: &Resource) -> bool {
        !self.aliases
            && match (resource.scope, self.scope) {
                (ResourceScope::Subtree, _) => self.base.is_within(&resource.base),
                (ResourceScope::Base | ResourceScope::One, SearchScope::Base) => resource.contains(self.base),
                (ResourceScope::One, SearchScope::One) => *self.base == resource.base,
                (ResourceScope::Base, SearchScope::One | SearchScope::Subtree | SearchScope::Subordinate)
                | (ResourceScope::One, SearchScope::Subtree | SearchScope::Subordinate) => false,
            }
    }
}

/// How a resource hides what a filter asserts: in one of these ways, of which none at all may be one.
pub(super) struct Hiding {
    ways: Vec<Way>,
}

/// Types that are hidden, or the only ones that are not.
enum Way {
    Nothing,
    These(TypeSet),
    AllBut(TypeSet),
    Counts,
}

impl<'a> Deciding<'a> {
    /// Finds out what a search reaches and must not show.
    pub(super) fn look_below(&mut self, search: &'a SearchRequest<'a>, reach: Reach<'a>) {
        let policy = &*self.snapshot.policy;
        let mut hidings = Vec::new();
        // Those around the base are in the list already; those below it come once each.
        let at_base = self.permit.resources.len();
        let reached = policy.reached(reach.base, reach.scope, Some(OperationKind::Search));
        self.permit.resources.reserve(reached.size_hint().0);
        for resource in reached {
            if !self.permit.resources.iter().take(at_base).any(|other| *other == resource) {
                self.permit.resources.push(resource);
            }
            if !self.is_shown(resource, reach, &mut hidings) {
                self.hides = true;
                self.monitor(resource, reach);
            }
        }
        if reach.aliases {
            let elsewhere =
                |at: &ResourceIndex| policy.resource(*at).is_some_and(|r| !r.meets(reach.base, reach.scope));
            for resource in policy.protecting(OperationKind::Search).filter(elsewhere) {
                // That an alias may lead there is no news when monitoring: most never do.
                self.hides |= !self.is_shown(resource, reach, &mut hidings);
            }
        }
        let goes_below = reach.scope != SearchScope::Base && self.snapshot.directory.leaves_out_below(reach.base);
        if reach.aliases || reach.base.is_root() || goes_below {
            self.permit.redaction.keep_to_trees(&self.snapshot.directory);
        }
        self.look_into(search, reach, hidings);
    }

    /// Only what is said of it needs to know what is hidden; it may be much.
    fn monitor(&mut self, resource: ResourceIndex, reach: Reach<'a>) {
        if self.mode == Mode::Monitor {
            self.hidden.push(Need { resource, spot: reach.spot(), attributes: None, leaving: false });
        }
    }

    /// The attributes of what is reached.
    fn look_into(&mut self, search: &'a SearchRequest<'a>, reach: Reach<'a>, mut hidings: Vec<Hiding>) {
        let policy = &*self.snapshot.policy;
        if !policy.protects(OperationKind::Search) {
            return;
        }
        let schema = &**policy.schema();
        let (of_some, of_all) = match reach.aliases {
            false => (Some(policy.attributes_reached(reach.base, reach.scope, Some(OperationKind::Search))), None),
            true => (None, Some(policy.attributes_protecting(OperationKind::Search))),
        };
        // Most searches need to be looked at no closer than this.
        let glance = Glance::at(search);
        let mut wanted: Option<Wanted> = None;
        for resource in of_some.into_iter().flatten().chain(of_all.into_iter().flatten()) {
            let Some(types) = policy.types(resource) else { continue };
            let wanted = wanted.get_or_insert_with(|| Wanted::of(search, schema));
            if !wanted.may_return(types, schema) && !wanted.asserts(types, schema) {
                continue;
            }
            self.permit.resources.push(resource);
            if !self.is_shown(resource, reach, &mut hidings) {
                self.cuts = true;
                self.monitor(resource, reach);
            }
        }
        if glance.counts {
            self.look_at_counts(reach, &mut hidings);
        }
        let follows = glance.follows && !self.may_follow(&search.filter);
        if follows || !hidings.is_empty() {
            let wanted = wanted.unwrap_or_else(|| Wanted::of(search, schema));
            self.asks = ways(wanted, &hidings, follows, schema);
        }
    }

    /// Whether counts of what is below the entries that are reached may count what is hidden.
    fn look_at_counts(&mut self, reach: Reach<'a>, hidings: &mut Vec<Hiding>) {
        let policy = &*self.snapshot.policy;
        let scope = match reach.scope {
            SearchScope::Base => SearchScope::One,
            SearchScope::One | SearchScope::Subtree | SearchScope::Subordinate => SearchScope::Subtree,
        };
        let (of_some, of_all) = match reach.aliases {
            false => (Some(policy.reached(reach.base, scope, Some(OperationKind::Search))), None),
            true => (None, Some(policy.protecting(OperationKind::Search))),
        };
        for resource in of_some.into_iter().flatten().chain(of_all.into_iter().flatten()) {
            if !self.is_shown(resource, reach, &mut Vec::new()) {
                self.counts = true;
            }
        }
        if self.counts {
            hidings.push(Hiding { ways: vec![Way::Nothing, Way::Counts] });
        }
    }

    /// Has the redaction show what is held of a resource; whether that is all that is reached of it. If
    /// not, and it is about attributes, `hidings` is told how.
    pub(super) fn is_shown(&mut self, resource: ResourceIndex, reach: Reach<'_>, hidings: &mut Vec<Hiding>) -> bool {
        let policy = &*self.snapshot.policy;
        let Some(protected) = policy.resource(resource) else { return false };
        let (types, schema, around) = (policy.types(resource), &**policy.schema(), reach.spot());
        let openings = || self.holder.openings(resource, searching);
        // Of most resources most hold nothing, and a search may reach many.
        if types.is_none() && openings().next().is_none() {
            return false;
        }
        let whole = |held: &Held<'_>| held.opens_all(types, schema);
        if let Some(held) = longest(openings().filter(|held| whole(held) && held.spans(around, &protected.base))) {
            rest_on(&mut self.permit, policy, held, OperationKind::Search);
            // It spans all that is reached, so nothing narrower needs to be asked of each entry.
            self.permit.redaction.open(resource, None, None);
            return true;
        }
        let mut shown = Vec::new();
        for held in openings() {
            let base = held.base().filter(|_| !held.spans(around, &protected.base));
            let reached = match (around, base) {
                (Spot::Tree(top), Some(narrowed)) => narrowed.is_within(top),
                (Spot::Entry(_) | Spot::Everywhere, _) | (_, None) => true,
            };
            if reached {
                rest_on(&mut self.permit, policy, held, OperationKind::Search);
                let names = held.attributes().filter(|_| !whole(&held));
                let opened = names.map(|names| TypeSet::of(names, schema));
                self.permit.redaction.open(resource, base, opened.clone());
                shown.push(opened);
            }
        }
        hidings.extend(Hiding::of(types, shown, reach.is_covered_by(protected)));
        false
    }
}

/// Of how many sets all unions are looked at. Entries that more of them open are shown less than they could be.
const MAX_SETS: usize = 4;

impl Hiding {
    /// In which ways a resource hides attributes of which this is shown (`None`: all, somewhere below);
    /// `None`: in none. `covered`: all that is reached lies in it.
    fn of(types: Option<&TypeSet>, shown: Vec<Option<TypeSet>>, covered: bool) -> Option<Hiding> {
        let in_part: Vec<&TypeSet> = shown.iter().flatten().collect();
        // One that protects entries hides attributes only of those that it shows in part.
        if types.is_none() && in_part.is_empty() {
            return None;
        }
        // Several may be open at one entry, or none; an entry of which nothing is open is hidden.
        let mut unions = vec![TypeSet::default()];
        for (at, set) in in_part.into_iter().enumerate() {
            let with = unions.iter().take(if at < MAX_SETS { unions.len() } else { 1 }).map(|union| {
                let mut union = union.clone();
                union.add(set);
                union
            });
            let with: Vec<_> = with.collect();
            unions.extend(with);
        }
        if types.is_none() {
            unions.remove(0);
        }
        let way = |shown: TypeSet| match types {
            None => Way::AllBut(shown),
            Some(types) => {
                let mut hidden = types.clone();
                hidden.remove(&shown);
                Way::These(hidden)
            }
        };
        let nothing = (!covered || shown.iter().any(Option::is_none)).then_some(Way::Nothing);
        Some(Hiding { ways: unions.into_iter().map(way).chain(nothing).collect() })
    }
}

impl Way {
    fn hides(&self, asserted: Asserted, schema: &Schema) -> bool {
        match (self, asserted) {
            (Way::Nothing, _) | (_, Asserted::OtherEntries) => false,
            (Way::These(types), _) => is_about(asserted, types, schema),
            (Way::AllBut(_) | Way::Counts, Asserted::Anything) => true,
            (Way::AllBut(shown), Asserted::Type(id)) => schema.subtypes(id).iter().any(|id| !shown.contains(*id)),
            (Way::Counts, Asserted::Type(id)) => schema.subtypes(id).iter().any(|id| counts(*id, schema)),
        }
    }
}

/// More than this are taken for two: what is always hidden, and what ever is.
const MAX_KEYS: usize = 32;

/// Every way in which what is asserted may be hidden at an entry.
fn ways(wanted: Wanted, hidings: &[Hiding], follows: bool, schema: &Schema) -> Ways {
    let is_hidden = |asserted: &Asserted| {
        let mut ways = hidings.iter().flat_map(|hiding| &hiding.ways);
        follows && *asserted == Asserted::OtherEntries || ways.any(|way| way.hides(*asserted, schema))
    };
    let asserted: Vec<Asserted> = wanted.asserted.into_iter().filter(is_hidden).collect();
    let lumped = asserted.len() > Key::BITS as usize;
    let bit = |at: usize| if lumped { 1 } else { 1 << at };
    let key = |hides: &dyn Fn(Asserted) -> bool| {
        asserted.iter().enumerate().filter(|(_, asserted)| hides(**asserted)).fold(0, |key: Key, (at, _)| key | bit(at))
    };
    let mut keys = vec![key(&|asserted| follows && asserted == Asserted::OtherEntries)];
    for hiding in hidings {
        let ways: Vec<Key> = hiding.ways.iter().map(|way| key(&|asserted| way.hides(asserted, schema))).collect();
        keys = keys.iter().flat_map(|key| ways.iter().map(move |way| key | way)).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() > MAX_KEYS {
            keys = vec![keys.iter().fold(Key::MAX, |all, key| all & key), keys.iter().fold(0, |all, key| all | key)];
        }
    }
    Ways::new(asserted, lumped, keys)
}
