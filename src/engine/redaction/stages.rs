//! One search of a client as one or more searches of the directory, run one after the other: what each
//! asks for, and what becomes of an entry that it brings. Knows nothing of how they are sent.
//!
//! Where an attribute is hidden in only a part of what a search reaches, its filter is right as it is for
//! entries outside of that part and has to be [rewritten](super::filter) for those inside. So each is asked
//! for by itself, and of each answer only the entries that belong to it are passed on.

use super::filter::Rewritten;
use super::{Redaction, View};
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::extended;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::SearchRequest;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::Policy;

/// What the directory is asked instead of one search.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the search as it was may tell of what is hidden"]
pub enum Stages<'a> {
    /// One search, with the filter as the client wrote it.
    AsAsked,
    /// These, in this order and numbered from 0. Never empty; one alone is a filter that was rewritten.
    Several(Vec<Stage<'a>>),
}

/// One of several searches, with the base, scope, attributes and controls of the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage<'a> {
    /// Its filter. `None`: nothing can match. Where that is so for every stage, the directory is asked
    /// only whether the base is there.
    pub filter: Option<Filter<'a>>,
}

/// What becomes of one entry that a stage brings.
#[derive(Debug)]
pub enum Look<'r> {
    /// Dropped, and counted as withheld.
    Hidden,
    /// Dropped here: another stage decides whether it is shown.
    Elsewhere,
    /// Passed on as it came.
    Whole,
    /// Passed on with something taken out.
    Cut(Cut<'r>),
    /// Passed on as far as it says what is let through.
    RootDse,
}

/// What is taken out of an entry.
#[derive(Debug, Clone)]
pub struct Cut<'r> {
    view: View,
    schema: &'r Schema,
}

impl Cut<'_> {
    /// Takes it out; how many attributes are gone.
    pub fn apply(&self, entry: &mut Entry<'_>) -> u64 {
        let before = entry.attributes.len();
        entry.attributes.retain(|found| self.view.shows(found.description, self.schema));
        before.saturating_sub(entry.attributes.len()) as u64
    }
}

impl Redaction {
    /// What is shown of an entry, by the name that the directory sent: one that is no name could be any.
    pub(super) fn view_of(&self, policy: &Policy, name: &[u8]) -> Option<View> {
        if self.is_empty() {
            return Some(View::default());
        }
        let mut name = Dn::parse(extended::name(name)).ok()?;
        name.resolve(policy.naming());
        if self.trees.as_ref().is_some_and(|directory| !directory.holds(&name)) {
            return None;
        }
        self.view(policy, &name)
    }

    /// What to ask the directory for a search that [is redacted](Redaction::is_empty). The same permit and
    /// the same search give the same stages.
    pub fn stages<'a>(&self, policy: &Policy, search: &SearchRequest<'a>) -> Stages<'a> {
        let rewritten = self.ways.rewrite(&search.filter, policy.schema());
        if rewritten.is_empty() {
            return Stages::AsAsked;
        }
        let stage = |rewritten: Rewritten<'a>| Stage {
            filter: match rewritten {
                Rewritten::Unchanged => Some(search.filter.clone()),
                Rewritten::Changed(filter) => Some(filter),
                Rewritten::Nothing => None,
            },
        };
        Stages::Several(rewritten.into_iter().map(stage).collect())
    }

    /// What becomes of an entry that a stage brought, by the name that the directory sent: one that is no
    /// name could be any. `policy` is the one that was decided by.
    pub fn look<'r>(&self, policy: &'r Policy, stage: usize, name: &[u8]) -> Look<'r> {
        if self.is_root_dse() {
            return Look::RootDse;
        }
        if self.is_empty() {
            return Look::Whole;
        }
        let Some(view) = self.view_of(policy, name) else { return Look::Hidden };
        match self.ways.stage_of(&view, policy.schema()) {
            None => Look::Hidden,
            Some(own) if own != stage => Look::Elsewhere,
            Some(_) if view.is_whole() => Look::Whole,
            Some(_) => Look::Cut(Cut { view, schema: policy.schema() }),
        }
    }
}
