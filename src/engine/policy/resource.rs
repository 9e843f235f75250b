//! A resource: a named part of the directory that is protected.

use super::OperationSet;
use crate::engine::ldap::Dn;
use std::sync::Arc;

/// Position of a resource in its policy. Means nothing in another policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceIndex(pub u32);

/// Which entries, from the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceScope {
    /// The base entry alone.
    Base,
    /// The entries directly below the base, without the base.
    One,
    /// The base and everything below.
    Subtree,
}

/// A named, protected part of the directory.
#[derive(Debug, Clone)]
pub struct Resource {
    /// What people and logs call it.
    pub name: Arc<str>,
    /// Where it begins.
    pub base: Dn,
    /// How far it goes.
    pub scope: ResourceScope,
    /// For which operations it is protected.
    pub operations: OperationSet,
}
