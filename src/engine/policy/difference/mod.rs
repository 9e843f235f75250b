//! What one policy opens and closes compared with another, a line each, for whoever installs it.
//!
//! Each structure is taken apart whole, so that what is added to one cannot be forgotten here. Never says
//! "closes" of what may open anything: what cannot be told apart "changes".

mod role;
mod standing;

use super::asking::{HeldBounds, OnMissing};
use super::attributes::AttributeNames;
use super::resource::{Resource, ResourceIndex, ResourceScope};
use super::selector::Selector;
use super::{Mode, OperationSet, Policy, RefusalStyle};
use crate::engine::ldap::sasl::{Mechanism, Mechanisms};
use crate::engine::ldap::schema::Schema;
use crate::engine::time::format_duration;

/// Which way something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Somebody can do more than before.
    Opens,
    /// Both, or it cannot be said.
    Changes,
    /// Somebody can do less than before, and nobody more.
    Closes,
}

/// Everything that is different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference(Vec<(Direction, String)>);

impl Difference {
    /// Notes something.
    pub fn note(&mut self, direction: Direction, text: impl Into<String>) {
        self.0.push((direction, text.into()));
    }

    /// Notes something that opens.
    pub fn opens(&mut self, text: impl Into<String>) {
        self.note(Direction::Opens, text);
    }

    /// Notes something that opens, closes, or does both.
    pub fn changes(&mut self, text: impl Into<String>) {
        self.note(Direction::Changes, text);
    }

    /// Notes something that closes.
    pub fn closes(&mut self, text: impl Into<String>) {
        self.note(Direction::Closes, text);
    }

    /// Notes something of which more opens and less closes.
    pub fn amount<T: PartialOrd>(&mut self, old: &T, new: &T, text: impl FnOnce() -> String) {
        match old.partial_cmp(new) {
            Some(std::cmp::Ordering::Less) => self.opens(text()),
            Some(std::cmp::Ordering::Equal) => {}
            Some(std::cmp::Ordering::Greater) => self.closes(text()),
            None => self.changes(text()),
        }
    }

    /// Notes who is on a list and was not, which opens, and who is no longer, which closes.
    pub fn people(&mut self, list: &str, old: &[Selector], new: &[Selector]) {
        let (added, gone) = (not_covered(new, old), not_covered(old, new));
        if !added.is_empty() {
            self.opens(format!("{list}: {} as well", join(added)));
        }
        if !gone.is_empty() {
            self.closes(format!("{list}: no longer {}", join(gone)));
        }
    }

    /// What goes this way, a line each, in the order of the configuration.
    pub fn lines(&self, direction: Direction) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| *other == direction).map(|(_, text)| text.as_str())
    }

    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Notes what `new` opens and closes compared with `old`. What names of attributes mean is taken from `old`, which
/// has been in force.
pub fn compare(old: &Policy, new: &Policy, found: &mut Difference) {
    let Policy {
        mode,
        refusal,
        mechanisms,
        proxied_authorization,
        resources,
        standing: _,
        roles,
        extended_operations,
        // How many wait lets nobody do more.
        held: HeldBounds { per_session: _, in_all: _ },
        exposed_searches,
        // Made of the above.
        entries: _,
        attributes: _,
        standing_for: _,
        // The directory's.
        schema,
        types: _,
        naming: _,
        computing: _,
        by_group: _,
        views: _,
        taken: _,
        roles_for: _,
    } = old;
    match (mode, new.mode) {
        (Mode::Enforce, Mode::Monitor) => {
            found.opens("mode is \"monitor\": nothing is refused or redacted, only recorded");
        }
        (Mode::Monitor, Mode::Enforce) => found.closes("mode is \"enforce\": what is not held is refused and redacted"),
        (Mode::Enforce, Mode::Enforce) | (Mode::Monitor, Mode::Monitor) => {}
    }
    let from = found.0.len();
    compare_resources(resources, &new.resources, schema, found);
    standing::compare(old, new, found);
    role::compare_all(old, new, roles, found);
    if new.mode == Mode::Monitor {
        // Of which nothing is refused.
        let closes = found.0.iter_mut().skip(from).filter(|(direction, _)| *direction == Direction::Closes);
        closes.for_each(|(direction, _)| *direction = Direction::Changes);
    }
    match (refusal, new.refusal) {
        (RefusalStyle::Opaque, RefusalStyle::Explain) => {
            found.opens("refusal is \"explain\": clients are told names of resources and roles");
        }
        (RefusalStyle::Explain, RefusalStyle::Opaque) => {
            found.closes("refusal is \"opaque\": clients are told no names of resources and roles");
        }
        (RefusalStyle::Explain, RefusalStyle::Explain) | (RefusalStyle::Opaque, RefusalStyle::Opaque) => {}
    }
    match (*exposed_searches, new.exposed_searches) {
        (was, is) if was == is => {}
        (was, 0) => found.opens(format!("exposed_searches_per_minute: any number, was {was}")),
        (was, is) if was != 0 && is > was => found.opens(format!("exposed_searches_per_minute: {is}, was {was}")),
        (_, is) => found.closes(format!("exposed_searches_per_minute: {is} at most")),
    }
    compare_mechanisms(*mechanisms, new.mechanisms, found);
    found.people("proxied_authorization", proxied_authorization, &new.proxied_authorization);
    for oid in new.extended_operations.iter().filter(|oid| !extended_operations.contains(oid)) {
        found.opens(format!("extended_operations: {oid} is passed as it is"));
    }
    for oid in extended_operations.iter().filter(|oid| !new.extended_operations.contains(oid)) {
        found.closes(format!("extended_operations: {oid} is passed no longer"));
    }
}

fn compare_mechanisms(old: Mechanisms, new: Mechanisms, found: &mut Difference) {
    let only = |these: Mechanisms, others: Mechanisms| {
        let names: Vec<&str> = (Mechanism::ALL.into_iter())
            .filter(|mechanism| these.contains(*mechanism) && !others.contains(*mechanism))
            .map(Mechanism::name)
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if let Some(names) = only(new, old) {
        found.opens(format!("mechanisms: clients may bind with {names}"));
    }
    if let Some(names) = only(old, new) {
        found.closes(format!("mechanisms: clients may no longer bind with {names}"));
    }
}

fn compare_resources(old: &[Resource], new: &[Resource], schema: &Schema, found: &mut Difference) {
    for before in old {
        let Some(after) = new.iter().find(|after| after.name == before.name) else {
            found.opens(format!("resource {:?} is gone: it protected {}", before.name, protected(before)));
            continue;
        };
        let ways = [before, after].map(|resource| resource.on_missing.unwrap_or(OnMissing::Refuse));
        found.amount(&ways[0], &ways[1], || {
            format!("resource {:?}: on_missing is {}, was {}", before.name, way(Some(ways[1])), way(Some(ways[0])))
        });
        let direction = match (protects_all(after, before, schema), protects_all(before, after, schema)) {
            (true, true) => continue,
            (true, false) => Direction::Closes,
            (false, true) => Direction::Opens,
            // What is in entries is less than the entries.
            (false, false) if before.attributes.is_none() && after.attributes.is_some() => Direction::Opens,
            (false, false) => Direction::Changes,
        };
        let (is, was) = (protected(after), protected(before));
        found.note(direction, format!("resource {:?} protects {is}; it protected {was}", before.name));
    }
    for after in new.iter().filter(|after| !old.iter().any(|before| before.name == after.name)) {
        found.closes(format!("resource {:?} is new: it protects {}", after.name, protected(after)));
    }
}

/// Which way it goes when somebody no longer holds a resource: what is no longer protected is not closed by that.
fn no_longer_held(resource: ResourceIndex, old: &Policy, new: &Policy) -> Direction {
    let (before, schema) = (old.resource(resource), old.schema());
    let after = before.and_then(|before| new.resources.iter().find(|after| after.name == before.name));
    match before.zip(after) {
        Some((before, after)) if protects_all(after, before, schema) => Direction::Closes,
        Some(_) | None => Direction::Changes,
    }
}

/// Whether `one` surely protects all that `other` protects, in the same way.
fn protects_all(one: &Resource, other: &Resource, schema: &Schema) -> bool {
    let Resource {
        name: _,
        base,
        scope,
        operations,
        attributes,
        // Protects nothing.
        on_missing: _,
    } = one;
    let attributes = match (attributes, &other.attributes) {
        (None, None) => true,
        // Those who hold it hold it in another way.
        (Some(_), None) | (None, Some(_)) => false,
        (Some(these), Some(others)) => others.is_within(these, schema),
    };
    attributes
        && operations.contains_all(other.operations)
        && other.base.is_surely_within(base)
        && spans(*scope, other.base.depth() - base.depth(), other.scope)
}

/// Whether a scope has in it all of another one that begins `depth` levels below.
fn spans(scope: ResourceScope, depth: usize, other: ResourceScope) -> bool {
    match (scope, other) {
        (ResourceScope::Subtree, ResourceScope::Base | ResourceScope::One | ResourceScope::Subtree) => true,
        (ResourceScope::One, ResourceScope::One) | (ResourceScope::Base, ResourceScope::Base) => depth == 0,
        (ResourceScope::One, ResourceScope::Base) => depth == 1,
        (ResourceScope::One, ResourceScope::Subtree)
        | (ResourceScope::Base, ResourceScope::One | ResourceScope::Subtree) => false,
    }
}

/// What becomes of an operation, in words.
fn way(on_missing: Option<OnMissing>) -> String {
    match on_missing {
        None => "what the resources say".to_owned(),
        Some(OnMissing::Refuse) => "\"refuse\"".to_owned(),
        Some(OnMissing::Request) => "\"request\"".to_owned(),
        Some(OnMissing::Hold(time)) => format!("\"hold\" for {}", format_duration(time)),
    }
}

/// What a resource protects, in words.
fn protected(resource: &Resource) -> String {
    let operations = operations(resource.operations);
    let attributes = match &resource.attributes {
        Some(names) => format!(" of {}", listed(names)),
        None => String::new(),
    };
    let place = match resource.scope {
        ResourceScope::Base => "at",
        ResourceScope::One => "directly below",
        ResourceScope::Subtree => "at and below",
    };
    format!("{operations}{attributes} {place} {}", resource.base)
}

fn operations(set: OperationSet) -> String {
    match set == OperationSet::all() {
        true => "all operations".to_owned(),
        false => set.names().collect::<Vec<_>>().join(", "),
    }
}

fn listed(names: &AttributeNames) -> String {
    names.iter().collect::<Vec<_>>().join(", ")
}

fn join<'s>(selectors: impl IntoIterator<Item = &'s Selector>) -> String {
    selectors.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn not_covered<'s>(these: &'s [Selector], others: &[Selector]) -> Vec<&'s Selector> {
    these.iter().filter(|this| !others.iter().any(|other| covers(other, this))).collect()
}

/// Whether `one` surely names everybody that `other` names.
fn covers(one: &Selector, other: &Selector) -> bool {
    match (one, other) {
        (Selector::Anyone, _) => true,
        (Selector::Dn(one), Selector::Dn(other))
        | (Selector::Group(one), Selector::Group(other))
        | (Selector::Certificate(one), Selector::Certificate(other)) => one.is_surely(other),
        (Selector::Subtree(base), Selector::Dn(name) | Selector::Subtree(name)) => name.is_surely_within(base),
        (Selector::Local(one), Selector::Local(other)) => one == other,
        (
            Selector::Dn(_) | Selector::Subtree(_) | Selector::Group(_) | Selector::Certificate(_) | Selector::Local(_),
            _,
        ) => false,
    }
}
