//! What a directory is asked not to match at all: the entries that a stage of a search must not evaluate its filter on. An
//! entry that matches and is dropped here has been felt in how long the answer took, and in the directory's own limits.
//!
//! Excluded is what is surely hidden from a stage, never what it may show: an area is named as the policy names it, which
//! to a directory is the same or less than what is protected; and what is open in it is let in again, which to a directory is the
//! same or more than what is opened. What comes all the same is judged by its own name, as ever.

use super::Redaction;
use super::view::{Open, View};
use super::ways::Key;
use crate::engine::ldap::Dn;
use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::{SearchRequest, SearchScope};
use crate::engine::policy::attributes::TypeSet;
use crate::engine::policy::resource::{Resource, ResourceIndex, ResourceScope};
use crate::engine::policy::{DirectoryFacts, OperationKind, Policy};

/// The most names that one filter excludes or lets in again. Each costs the directory something for every entry that it looks at.
pub const MAX_EXCLUDED: usize = 32;

const ENTRY_DN: AttributeDescription<'static> = AttributeDescription(b"entryDN");

/// What one stage excludes.
#[derive(Debug, Default)]
pub(super) struct Exclusion<'a> {
    /// Each True of every entry that the stage may show; to be evaluated before anything that the client asserts.
    pub(super) filters: Vec<Filter<'a>>,
    /// Entries that are hidden from the stage may match all the same.
    pub(super) is_exposed: bool,
    names: usize,
}

/// Where entries are that hide something.
#[derive(Debug, Clone, Copy)]
enum Area<'a> {
    Of(&'a Resource),
    /// This entry alone.
    At(&'a Dn),
    /// The entry directly above this.
    Above(&'a Dn),
}

impl Redaction {
    /// What a stage is not to be asked of, in which `covered` is Undefined: whatever hides more than that.
    pub(super) fn exclusion<'a>(
        &'a self,
        policy: &'a Policy,
        directory: &DirectoryFacts,
        search: &SearchRequest<'_>,
        covered: Key,
    ) -> Exclusion<'a> {
        let mut exclusion = Exclusion::default();
        let goes_beyond = |view: &View| self.ways.key_of(view, policy.schema()) & !covered != 0;
        let counts = View { children: true, ..View::default() };
        let hides_counts = self.children && goes_beyond(&counts);
        if self.hides {
            for at in self.in_reach(policy, search, search.scope, Kind::Entries) {
                self.exclude_entries(policy, at, &goes_beyond, hides_counts, &mut exclusion);
            }
        }
        if self.cuts && !self.ways.is_empty() {
            for at in self.in_reach(policy, search, search.scope, Kind::Attributes) {
                self.exclude_attributes(policy, at, &goes_beyond, &mut exclusion);
            }
        }
        if hides_counts {
            let scope = match search.scope {
                SearchScope::Base => SearchScope::One,
                SearchScope::One | SearchScope::Subtree | SearchScope::Subordinate => SearchScope::Subtree,
            };
            for at in self.in_reach(policy, search, scope, Kind::Entries) {
                let Some(resource) = policy.resource(at) else { continue };
                let area = match resource.scope {
                    ResourceScope::Base | ResourceScope::Subtree => Area::Above(&resource.base),
                    // Its base is the one above them.
                    ResourceScope::One => Area::At(&resource.base),
                };
                exclusion.add(policy, at, area, &[]);
            }
        }
        let can_exclude = directory.can_exclude(&search.base, self.bounds.is_none());
        if !can_exclude || exclusion.names > MAX_EXCLUDED {
            exclusion.is_exposed |= exclusion.names > 0;
            exclusion.filters.clear();
        }
        exclusion
    }

    /// The resources that may hide something of what is reached.
    fn in_reach<'a>(
        &'a self,
        policy: &'a Policy,
        search: &SearchRequest<'_>,
        scope: SearchScope,
        kind: Kind,
    ) -> Vec<ResourceIndex> {
        let search_kind = OperationKind::Search;
        let mut found: Vec<ResourceIndex> = match (kind, self.bounds.is_some()) {
            (Kind::Entries, true) => policy.reached(&search.base, scope, Some(search_kind)).collect(),
            (Kind::Entries, false) => policy.protecting(search_kind).collect(),
            (Kind::Attributes, true) => policy.attributes_reached(&search.base, scope, Some(search_kind)).collect(),
            (Kind::Attributes, false) => policy.attributes_protecting(search_kind).collect(),
        };
        found.retain(|at| !self.shows_all(*at));
        found
    }

    /// Excludes the entries of a resource, but for those that are shown: all of them, or as far as the stage covers what is not.
    fn exclude_entries<'a>(
        &'a self,
        policy: &'a Policy,
        at: ResourceIndex,
        goes_beyond: &impl Fn(&View) -> bool,
        hides_counts: bool,
        exclusion: &mut Exclusion<'a>,
    ) {
        let Some(resource) = policy.resource(at) else { return };
        let partly = View { only: Some(self.shown_in_part(at)), ..View::default() };
        let beyond = goes_beyond(&partly);
        // All that is within may have hidden entries below it.
        let opened = self.opened(at, |open| {
            !(hides_counts && resource.scope == ResourceScope::Subtree) && (open.attributes.is_none() || !beyond)
        });
        if let Some(opened) = opened {
            exclusion.add(policy, at, Area::Of(resource), &opened);
        }
    }

    /// Excludes entries of which attributes are hidden that the stage asserts.
    fn exclude_attributes<'a>(
        &'a self,
        policy: &'a Policy,
        at: ResourceIndex,
        goes_beyond: &impl Fn(&View) -> bool,
        exclusion: &mut Exclusion<'a>,
    ) {
        let (Some(resource), Some(types)) = (policy.resource(at), policy.types(at)) else { return };
        let hiding = |hidden: TypeSet| View { hidden, ..View::default() };
        if !goes_beyond(&hiding(types.clone())) {
            return;
        }
        let mut rest = types.clone();
        rest.remove(&self.shown_in_part(at));
        let beyond = goes_beyond(&hiding(rest));
        if let Some(opened) = self.opened(at, |open| open.attributes.is_none() || !beyond) {
            exclusion.add(policy, at, Area::Of(resource), &opened);
        }
    }

    /// All that is shown of a resource anywhere where it is shown in part: no entry of it shows more.
    fn shown_in_part(&self, at: ResourceIndex) -> TypeSet {
        let mut shown = TypeSet::default();
        let open = self.open.iter().filter(|open| open.resource == at);
        open.filter_map(|open| open.attributes.as_ref()).for_each(|attributes| shown.add(attributes));
        shown
    }

    /// The bases below which a resource is open in a way that counts; `None`: it is so everywhere.
    fn opened(&self, at: ResourceIndex, counts: impl Fn(&Open) -> bool) -> Option<Vec<&Dn>> {
        self.open.iter().filter(|open| open.resource == at && counts(open)).map(|open| open.base.as_ref()).collect()
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Entries,
    Attributes,
}

impl<'a> Exclusion<'a> {
    /// Excludes an area but for what lies at or below these names.
    fn add(&mut self, policy: &Policy, at: ResourceIndex, area: Area<'a>, opened: &[&'a Dn]) {
        // A name that the directory does not take makes the filter Undefined: nothing at all would be found.
        let takes = policy.is_taken(at) && opened.iter().all(|name| policy.schema().takes(name));
        let outside = match area {
            Area::Above(base) if base.depth() < 2 => return,
            Area::Of(resource) if resource.base.is_root() => None,
            Area::At(name) => Some(is(name.text())),
            Area::Above(base) => Some(is(base.text_above())),
            Area::Of(resource) => Some(match resource.scope {
                ResourceScope::Base => is(resource.base.text()),
                ResourceScope::One => matches(b"dnOneLevelMatch", resource.base.text()),
                ResourceScope::Subtree => matches(b"dnSubtreeMatch", resource.base.text()),
            }),
        };
        let Some(outside) = outside.filter(|_| takes).map(|inside| Filter::Not(Box::new(inside))) else {
            self.is_exposed = true;
            return;
        };
        self.names += 1 + opened.len();
        let opened = opened.iter().map(|name| matches(b"dnSubtreeMatch", name.text()));
        let mut either: Vec<Filter<'a>> = std::iter::once(outside).chain(opened).collect();
        self.filters.push(match either.len() {
            1 => either.remove(0),
            _ => Filter::Or(either),
        });
    }
}

/// What is True of every entry for which the directory evaluates filters that exclude, and Undefined of all others; `tree`: a
/// name that it takes.
pub fn trial(tree: &Dn) -> Filter<'_> {
    let within = matches(b"dnSubtreeMatch", tree.text());
    Filter::Or(vec![within.clone(), Filter::Not(Box::new(within))])
}

fn is(name: &str) -> Filter<'_> {
    Filter::Equality { attribute: ENTRY_DN, value: name.as_bytes() }
}

fn matches<'a>(rule: &'static [u8], name: &'a str) -> Filter<'a> {
    Filter::Extensible { rule: Some(rule), attribute: Some(ENTRY_DN), value: name.as_bytes(), dn_attributes: false }
}
