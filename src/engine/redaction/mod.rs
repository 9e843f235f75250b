//! What a permit takes out of an answer: entries and attributes that are hidden; and what is asked instead,
//! where a filter would tell of them. What is hidden from whom is the decision's to say.
//!
//! What is hidden is looked up for each entry by its own name, so that it costs the same however much
//! is hidden, and holds wherever aliases led to.

use super::ldap::Dn;
use super::ldap::request::SearchScope;
use super::policy::DirectoryFacts;
use super::policy::attributes::TypeSet;
use super::policy::resource::ResourceIndex;
use bounds::Bounds;
use std::sync::Arc;

mod bounds;
mod dereferenced;
mod exclusion;
pub mod filter;
mod stages;
mod view;
mod ways;

pub use exclusion::{MAX_EXCLUDED, trial};
pub use stages::{Cut, Look, Plan, Stage, Stages};
use view::Open;
pub use view::View;
pub(super) use view::{Asserted, counts, counts_children};
pub(super) use ways::{Key, Ways, asserted, follows, identifies};

/// What is taken out of one search's answer.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// Entries may be hidden, or shown in part.
    hides: bool,
    /// Attributes may be hidden.
    cuts: bool,
    /// Counts of what is below an entry may be.
    children: bool,
    /// What the subject may see all the same.
    open: Vec<Open>,
    ways: Ways,
    /// Entries outside of these trees are dropped.
    trees: Option<Arc<DirectoryFacts>>,
    root_dse: bool,
    /// Something is protected somewhere: each entry is judged by its own name, whatever was reached.
    judges: bool,
    /// Entries outside of these are dropped.
    bounds: Option<Box<Bounds>>,
    /// The directory may send entries from outside, which it counts.
    strays: bool,
    /// What is taken out of what a dereference control tells, which may be about any entry.
    dereferenced: Option<Box<Redaction>>,
}

impl Redaction {
    /// Hides everything that protects searching from now on, but for what is [opened](Self::open).
    pub(super) fn hide(&mut self) {
        self.hides = true;
    }

    /// Hides the attributes that are protected from searching, but for what is [opened](Self::open).
    pub(super) fn cut(&mut self) {
        self.cuts = true;
    }

    /// Hides counts of what is below an entry, where any of that may be hidden.
    pub(super) fn hide_counts(&mut self) {
        self.children = true;
    }

    /// Shows a resource, or as much of it as lies at or below `base`, or these attributes.
    pub(super) fn open(&mut self, resource: ResourceIndex, base: Option<&Dn>, attributes: Option<TypeSet>) {
        self.open.push(Open { resource, base: base.cloned(), attributes });
    }

    /// Has the filter asked in several ways, so that it tells nothing of what is hidden.
    pub(super) fn ask_in(&mut self, ways: Ways) {
        self.ways = ways;
    }

    /// Drops entries that lie in none of the trees that are served.
    pub(super) fn keep_to_trees(&mut self, directory: &Arc<DirectoryFacts>) {
        self.trees = Some(Arc::clone(directory));
    }

    /// Says that the answer is the rootDSE.
    pub(super) fn mark_root_dse(&mut self) {
        self.root_dse = true;
    }

    /// Judges each entry by its own name, whatever the search was expected to reach.
    pub(super) fn judge(&mut self) {
        self.judges = true;
    }

    /// Drops entries that a search of this base and scope cannot find.
    pub(super) fn keep_within(&mut self, base: &Dn, scope: SearchScope) {
        self.bounds = Some(Box::new(Bounds::new(base, scope)));
    }

    /// Says that the directory may find entries all the same that base and scope do not reach.
    pub(super) fn expect_strays(&mut self) {
        self.strays = true;
    }

    /// Takes out what `there` takes out of what a dereference control tells beside the entries.
    pub(super) fn look_at_dereferenced(&mut self, there: Redaction) {
        self.dereferenced = Some(Box::new(there));
    }

    /// What is to be taken out of what a dereference control tells: for [`Redaction::rewrite_dereferenced`].
    pub fn dereferenced(&self) -> Option<&Redaction> {
        self.dereferenced.as_deref()
    }

    /// Whether nothing is taken out of what base and scope reach: the search may be asked as it is, with its size limit and in
    /// its pages. Entries may [need to be looked at](Self::looks_at_entries) all the same.
    pub fn is_empty(&self) -> bool {
        self.shows_all_in_reach() && !self.strays
    }

    fn shows_all_in_reach(&self) -> bool {
        !self.hides && !self.cuts && !self.children && self.trees.is_none() && self.ways.is_empty()
    }

    /// Whether each entry has to be looked at.
    pub fn looks_at_entries(&self) -> bool {
        !self.is_empty() || self.judges || self.bounds.is_some() || self.root_dse
    }

    /// Whether the directory may send entries from outside of base and scope.
    pub fn expects_strays(&self) -> bool {
        self.strays
    }

    /// Whether entries are dropped because they are protected, and not only because they lie in no tree that is
    /// served.
    pub fn hides_protected(&self) -> bool {
        self.hides
    }

    /// Whether entries of trees that are not served are dropped.
    pub fn keeps_to_trees(&self) -> bool {
        self.trees.is_some()
    }

    /// Whether attributes, or counts of entries, are taken out.
    pub fn cuts(&self) -> bool {
        self.cuts || self.children
    }

    /// Whether the answer is the rootDSE: what that may say is known where it is decided what is let through.
    pub fn is_root_dse(&self) -> bool {
        self.root_dse
    }
}
