//! The policy as it was configured: what is protected, who holds what permanently, what can be
//! requested. Knows nothing of grants.

pub mod requirement;
pub mod resource;
pub mod role;
pub mod selector;

use resource::{Resource, ResourceIndex};
use role::Role;
use selector::Selector;
use std::collections::HashMap;
use std::sync::Arc;

use super::ldap::Dn;

/// What can be done to an entry, as resources and roles list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the operations")]
pub enum OperationKind {
    Bind,
    Search,
    Compare,
    Add,
    Modify,
    Delete,
    Rename,
    Password,
}

/// A set of [`OperationKind`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OperationSet(u8);

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
}

/// Everything that was configured about access. Immutable; a reload makes a new one.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Enforce or monitor.
    pub mode: Mode,
    /// Explain or opaque.
    pub refusal: RefusalStyle,
    /// What is protected.
    pub resources: Vec<Resource>,
    /// Who holds what permanently.
    pub standing: Vec<Standing>,
    /// What can be requested.
    pub roles: Vec<Arc<Role>>,
    /// Look-ups over the above: resources by base key, and bases in key order.
    pub(crate) lookup: HashMap<Box<[u8]>, Vec<ResourceIndex>>,
}
