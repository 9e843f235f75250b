//! The policy as it was configured: what is protected, who holds what permanently, what can be
//! requested. Knows nothing of grants.

pub mod deciding;
pub mod hours;
mod index;
mod operation;
pub mod requirement;
pub mod resource;
pub mod role;
pub mod selector;

use super::ldap::Dn;
use super::ldap::sasl::Mechanisms;
use index::Index;
use resource::{Resource, ResourceIndex};
use role::Role;
use selector::Selector;
use std::collections::BTreeSet;
use std::sync::Arc;

pub use operation::{OperationError, OperationKind, OperationSet};

/// Who the session is, as the directory last confirmed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Nobody in particular.
    Anonymous,
    /// A DN.
    Dn(Dn),
}

/// Whether what is missing is refused, or only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Refuse and redact.
    Enforce,
    /// Forward, but record what would have been refused or redacted.
    Monitor,
}

/// How much a refused client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalStyle {
    /// Resource, roles that open it, and the command that asks.
    Explain,
    /// No names.
    Opaque,
}

/// A permanent exception.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Who holds it.
    pub who: Vec<Selector>,
    /// What it opens.
    pub resource: ResourceIndex,
    /// For which operations.
    pub operations: OperationSet,
    /// Why it is there; reports show it.
    pub reason: String,
    /// Whether what it opens may be replicated: sync, persistent search, DirSync.
    pub replicate: bool,
}

/// Everything that was configured about access. Immutable; a reload makes a new one.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Enforce or monitor.
    pub mode: Mode,
    /// Explain or opaque.
    pub refusal: RefusalStyle,
    /// How clients may authenticate besides simple binds.
    pub mechanisms: Mechanisms,
    /// What is protected.
    pub resources: Vec<Resource>,
    /// Who holds what permanently.
    pub standing: Vec<Standing>,
    /// What can be requested.
    pub roles: Vec<Arc<Role>>,
    /// Extended operations that are passed as they are, whatever they touch: OIDs.
    pub extended_operations: Vec<String>,
    /// Look-ups over the above, which therefore must not be changed.
    index: Index,
}

impl Policy {
    /// Puts a policy together. The indexes in `standing` and `roles` are positions in `resources`.
    pub fn new(
        mode: Mode,
        refusal: RefusalStyle,
        resources: Vec<Resource>,
        standing: Vec<Standing>,
        roles: Vec<Arc<Role>>,
    ) -> Policy {
        let index = Index::new(&resources, &standing);
        let (mechanisms, extended_operations) = (Mechanisms::all(), Vec::new());
        Policy { mode, refusal, mechanisms, resources, standing, roles, extended_operations, index }
    }

    /// The resource at a position of this policy.
    pub fn resource(&self, at: ResourceIndex) -> Option<&Resource> {
        self.resources.get(at.0 as usize)
    }

    /// Every resource with its position.
    pub fn indexed(&self) -> impl Iterator<Item = (ResourceIndex, &Resource)> {
        (0..).map(ResourceIndex).zip(&self.resources)
    }

    /// The position of the resource with this name.
    pub fn resource_named(&self, name: &str) -> Option<ResourceIndex> {
        self.indexed().find(|(_, resource)| &*resource.name == name).map(|(at, _)| at)
    }

    /// The role with this name.
    pub fn role(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.iter().find(|role| &*role.name == name)
    }

    /// The standing access to a resource.
    pub fn standing_for(&self, resource: ResourceIndex) -> impl Iterator<Item = &Standing> {
        self.index.standing(resource).iter().filter_map(|at| self.standing.get(*at))
    }

    /// Every group that decides about somebody's access: what has to be kept fresh.
    pub fn groups(&self) -> BTreeSet<Dn> {
        let roles = self.roles.iter().flat_map(|role| role.selectors());
        let lists = self.standing.iter().map(|standing| &standing.who).chain(roles);
        let group = |selector: &Selector| match selector {
            Selector::Group(group) => Some(group.clone()),
            Selector::Dn(_)
            | Selector::Subtree(_)
            | Selector::Certificate(_)
            | Selector::Local(_)
            | Selector::Anyone => None,
        };
        lists.flatten().filter_map(group).collect()
    }
}
