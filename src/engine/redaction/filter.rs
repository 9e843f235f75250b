//! Rewrites a filter so that it is no oracle on what is hidden: an assertion on a hidden attribute is
//! Undefined (RFC 4511 4.5.1.7), whatever the entry holds. Knows nothing of why something is hidden.
//!
//! What comes out is made of parts that the client sent and of nothing else: `(&)` and `(|)` (RFC 4526)
//! are not supported everywhere, and what `(!(objectClass=*))` is depends on who may read that attribute.
//! None is needed: a part without effect is left out, and a filter of none but such matches nothing.

use super::super::ldap::filter::Filter;

/// What is to be asked instead of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the filter as it was may tell of what is hidden"]
pub enum Rewritten<'a> {
    /// The filter as it is: it asserts nothing that is hidden.
    Unchanged,
    /// This filter, which is neither deeper nor of more nodes than the one that it replaces.
    Changed(Filter<'a>),
    /// Nothing: there is no entry for which the filter is True.
    Nothing,
}

impl<'a> Rewritten<'a> {
    /// The filter to ask, where `original` is the one that was rewritten. None if nothing can match.
    pub fn to_ask<'f>(&'f self, original: &'f Filter<'a>) -> Option<&'f Filter<'a>> {
        match self {
            Rewritten::Unchanged => Some(original),
            Rewritten::Changed(filter) => Some(filter),
            Rewritten::Nothing => None,
        }
    }
}

/// A filter that is True for exactly the entries for which `filter` is True in three-valued logic
/// with every hidden assertion Undefined; where it is not True it may be either of False and
/// Undefined, which a search does not tell apart. Holds as well for directories that know only True
/// and False. The new filter is True for no entry for which the old one is not.
///
/// `hidden` is asked about assertions only, never about and, or, not, and each at most once. It gets
/// the whole assertion, for an extensible match (RFC 4511 4.5.1.7.7) is about more than the attribute
/// that it names: about any without one, and about those of the entry's name with `dnAttributes`.
///
/// Allocates nothing when nothing is hidden. Recurses as deep as the filter: the decoder has bounded it.
pub fn rewrite<'a>(filter: &Filter<'a>, hidden: &impl Fn(&Filter<'a>) -> bool) -> Rewritten<'a> {
    part(filter, Sought::True, hidden)
}

/// The one value of a part on which it depends whether the whole is True. A not turns it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sought {
    True,
    False,
}

/// A part that has the value sought exactly where `filter` has it with hidden assertions Undefined;
/// `Nothing` if that is nowhere.
fn part<'a>(filter: &Filter<'a>, sought: Sought, hidden: &impl Fn(&Filter<'a>) -> bool) -> Rewritten<'a> {
    match (filter, sought) {
        (Filter::And(parts), Sought::True) => every(parts, Filter::And, sought, hidden),
        (Filter::And(parts), Sought::False) => some(parts, Filter::And, sought, hidden),
        (Filter::Or(parts), Sought::True) => some(parts, Filter::Or, sought, hidden),
        (Filter::Or(parts), Sought::False) => every(parts, Filter::Or, sought, hidden),
        (Filter::Not(inner), Sought::True) => not(part(inner, Sought::False, hidden)),
        (Filter::Not(inner), Sought::False) => not(part(inner, Sought::True, hidden)),
        (
            Filter::Equality { .. }
            | Filter::Substrings { .. }
            | Filter::GreaterOrEqual { .. }
            | Filter::LessOrEqual { .. }
            | Filter::Present(_)
            | Filter::Approximate { .. }
            | Filter::Extensible { .. },
            Sought::True | Sought::False,
        ) => match hidden(filter) {
            // Undefined is neither True nor False, and neither is what a not makes of it.
            true => Rewritten::Nothing,
            false => Rewritten::Unchanged,
        },
    }
}

fn not(inner: Rewritten<'_>) -> Rewritten<'_> {
    match inner {
        Rewritten::Changed(filter) => Rewritten::Changed(Filter::Not(Box::new(filter))),
        same @ (Rewritten::Unchanged | Rewritten::Nothing) => same,
    }
}

/// An and that is to be True, an or that is to be False: every part must be, and one that never is
/// decides.
fn every<'a>(
    parts: &[Filter<'a>],
    list: fn(Vec<Filter<'a>>) -> Filter<'a>,
    sought: Sought,
    hidden: &impl Fn(&Filter<'a>) -> bool,
) -> Rewritten<'a> {
    let mut kept = Kept::all(parts);
    for (position, inner) in parts.iter().enumerate() {
        match part(inner, sought, hidden) {
            Rewritten::Nothing => return Rewritten::Nothing,
            other => kept.push(position, inner, other),
        }
    }
    kept.finish(list)
}

/// An and that is to be False, an or that is to be True: some part must be, and one that never is
/// may be left out.
fn some<'a>(
    parts: &[Filter<'a>],
    list: fn(Vec<Filter<'a>>) -> Filter<'a>,
    sought: Sought,
    hidden: &impl Fn(&Filter<'a>) -> bool,
) -> Rewritten<'a> {
    let mut kept = Kept::all(parts);
    for (position, inner) in parts.iter().enumerate() {
        kept.push(position, inner, part(inner, sought, hidden));
    }
    kept.finish(list)
}

/// The parts of a list that stay. Copied only from the first one on that does not stay as it is.
struct Kept<'f, 'a> {
    original: &'f [Filter<'a>],
    changed: Option<Vec<Filter<'a>>>,
}

impl<'f, 'a> Kept<'f, 'a> {
    fn all(original: &'f [Filter<'a>]) -> Self {
        Kept { original, changed: None }
    }

    fn push(&mut self, position: usize, original: &Filter<'a>, rewritten: Rewritten<'a>) {
        if self.changed.is_none() && matches!(rewritten, Rewritten::Unchanged) {
            return;
        }
        let before = self.original.iter().take(position);
        let changed = self.changed.get_or_insert_with(|| before.cloned().collect());
        match rewritten {
            Rewritten::Unchanged => changed.push(original.clone()),
            Rewritten::Changed(filter) => changed.push(filter),
            Rewritten::Nothing => {}
        }
    }

    /// A list of one is that one. A list that has become empty would never have the value sought.
    fn finish(self, list: fn(Vec<Filter<'a>>) -> Filter<'a>) -> Rewritten<'a> {
        let Some(changed) = self.changed else { return Rewritten::Unchanged };
        match <[Filter<'a>; 1]>::try_from(changed) {
            Ok([only]) => Rewritten::Changed(only),
            Err(none) if none.is_empty() => Rewritten::Nothing,
            Err(several) => Rewritten::Changed(list(several)),
        }
    }
}

#[cfg(test)]
mod tests;
