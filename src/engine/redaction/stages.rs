//! One search of a client as one or more searches of the directory, run one after the other: what each
//! asks for, and what becomes of an entry that it brings. Knows nothing of how they are sent.
//!
//! Where an attribute is hidden in only a part of what a search reaches, its filter is right as it is for
//! entries outside of that part and has to be [rewritten](super::filter) for those inside. So each is asked
//! for by itself, and of each answer only the entries that belong to it are passed on.

use super::filter::Rewritten;
use super::ways::Key;
use super::{Redaction, View};
use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::extended;
use crate::engine::ldap::entry::Entry;
use crate::engine::ldap::filter::Filter;
use crate::engine::ldap::request::SearchRequest;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::{DirectoryFacts, Policy};

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
    /// What it is not asked of: to stand in front of the filter, each True of all that the stage may show.
    pub excluded: Vec<Filter<'a>>,
}

impl<'a> Stage<'a> {
    /// The filter with what it is not asked of in front: directories evaluate from the left, and no further than the first
    /// that is False.
    pub fn to_ask(&self) -> Option<Filter<'a>> {
        let filter = self.filter.clone()?;
        if self.excluded.is_empty() {
            return Some(filter);
        }
        let mut all = self.excluded.clone();
        match filter {
            Filter::And(parts) => all.extend(parts),
            other => all.push(other),
        }
        Some(Filter::And(all))
    }
}

/// How one search is asked.
#[derive(Debug)]
#[must_use = "the search as it was may tell of what is hidden"]
pub struct Plan<'a> {
    /// What the directory is asked.
    pub stages: Stages<'a>,
    /// Whether it evaluates the client's filter on entries that are hidden, which takes time.
    pub is_exposed: bool,
}

impl Plan<'_> {
    /// Whether anything is excluded.
    pub fn excludes(&self) -> bool {
        match &self.stages {
            Stages::AsAsked => false,
            Stages::Several(stages) => stages.iter().any(|stage| !stage.excluded.is_empty()),
        }
    }

    /// The same where the directory would not evaluate what excludes: hidden entries are exposed to the filter.
    pub fn exclude_nothing(&mut self) {
        let Stages::Several(stages) = &mut self.stages else { return };
        for stage in stages.iter_mut().filter(|stage| !stage.excluded.is_empty()) {
            stage.excluded.clear();
            self.is_exposed = true;
        }
    }
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
        let plain = self.bounds.as_ref().is_some_and(|bounds| bounds.plainly_hold(name));
        if self.shows_all_in_reach() && (plain || !self.judges && self.bounds.is_none()) {
            return Some(View::default());
        }
        let mut name = Dn::parse(extended::name(name)).ok()?;
        name.resolve(policy.naming());
        if !plain && self.bounds.as_ref().is_some_and(|bounds| !bounds.hold(&name)) {
            return None;
        }
        if self.trees.as_ref().is_some_and(|directory| !directory.holds(&name)) {
            return None;
        }
        // Without bounds, everything there is was expected.
        self.view(policy, &name, plain || self.bounds.is_none())
    }

    /// Whether a name that is told beside entries may be shown.
    pub fn shows_name(&self, policy: &Policy, name: &Dn) -> bool {
        self.view(policy, name, false).is_some()
    }

    /// What to ask the directory for a search that [is redacted](Redaction::is_empty). The same permit and
    /// the same search give the same plan. `directory`: what can be asked of it.
    pub fn plan<'a>(
        &'a self,
        policy: &'a Policy,
        directory: &DirectoryFacts,
        search: &'a SearchRequest<'_>,
    ) -> Plan<'a> {
        let mut is_exposed = false;
        let mut excluded = |covered| {
            let exclusion = self.exclusion(policy, directory, search, covered);
            is_exposed |= exclusion.is_exposed;
            exclusion.filters
        };
        let rewritten = self.ways.rewrite(&search.filter, policy.schema());
        if rewritten.is_empty() {
            let excluded = excluded(0);
            let stages = match excluded.is_empty() {
                true => Stages::AsAsked,
                false => Stages::Several(vec![Stage { filter: Some(search.filter.clone()), excluded }]),
            };
            return Plan { stages, is_exposed };
        }
        let stage = |(covered, rewritten): (Key, Rewritten<'a>)| {
            let filter = match rewritten {
                Rewritten::Unchanged => search.filter.clone(),
                Rewritten::Changed(filter) => filter,
                Rewritten::Nothing => return Stage { filter: None, excluded: Vec::new() },
            };
            Stage { filter: Some(filter), excluded: excluded(covered) }
        };
        let stages = Stages::Several(rewritten.into_iter().map(stage).collect());
        Plan { stages, is_exposed }
    }

    /// What a search of this filter would be asked as, a filter for each stage; empty: as it is. `None`: nothing could
    /// match in that stage.
    pub fn would_ask<'a>(&self, policy: &Policy, filter: &Filter<'a>) -> Vec<Option<Filter<'a>>> {
        let rewritten = self.ways.rewrite(filter, policy.schema());
        rewritten.iter().map(|(_, rewritten)| rewritten.to_ask(filter).cloned()).collect()
    }

    /// What would be shown of an entry, by the name that the directory sent, and in which of the stages of
    /// [`Redaction::would_ask`] it would have to be found; `None`: nothing would be shown.
    pub fn would_show(&self, policy: &Policy, name: &[u8]) -> Option<(View, usize)> {
        let view = self.view_of(policy, name)?;
        let stage = self.ways.stage_of(&view, policy.schema())?;
        Some((view, stage))
    }

    /// What becomes of an entry that a stage brought, by the name that the directory sent: one that is no
    /// name could be any. `policy` is the one that was decided by.
    pub fn look<'r>(&self, policy: &'r Policy, stage: usize, name: &[u8]) -> Look<'r> {
        if self.is_root_dse() {
            // RFC 4512 5.1: it has no name. Anything else is not what was asked for.
            return if self.judges && !name.is_empty() { Look::Hidden } else { Look::RootDse };
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
