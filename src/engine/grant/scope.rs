//! What a role, request or grant opens, in terms of the directory: computed here and nowhere else,
//! only ever made narrower.
//!
//! A scope names its resources and repeats where they were when it was approved, so that a
//! changed configuration cannot make an approved scope open more.

use super::history::dn_text;
use super::index::Opening;
use crate::engine::ldap::Dn;
use crate::engine::ldap::schema::Schema;
use crate::engine::policy::attributes::AttributeNames;
use crate::engine::policy::resource::{Resource, ResourceScope};
use crate::engine::policy::role::{Allow, Role};
use crate::engine::policy::{OperationKind, Policy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Some entries of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Where it begins.
    pub base: Dn,
    /// How far it goes.
    pub reach: ResourceScope,
}

/// One line of a scope: a part of one resource, for some operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeEntry {
    /// The resource's name.
    pub resource: String,
    /// Where what is opened begins.
    #[serde(with = "dn_text")]
    pub base: Dn,
    /// How far it goes.
    #[serde(with = "reach_text")]
    pub reach: ResourceScope,
    /// For which operations, in the order of [`OperationKind::ALL`].
    #[serde(serialize_with = "write_operations", deserialize_with = "read_operations")]
    pub operations: Vec<OperationKind>,
    /// Only these attributes, by name; `None`: the entries as such.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "names_text")]
    pub attributes: Option<AttributeNames>,
}

/// What something opens. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope(pub Vec<ScopeEntry>);

/// How a request is to be narrower than its role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// Only at or below this.
    pub base: Option<Dn>,
    /// Only these operations.
    pub operations: Option<Vec<OperationKind>>,
    /// Only these attributes.
    pub attributes: Option<AttributeNames>,
}

/// Why a scope cannot be made, or is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The role opens nothing (its bases lie outside its resources).
    #[error("the role opens nothing")]
    Empty,
    /// A base that is not below the role's.
    #[error("{0} is not at or below anything that the role opens")]
    BaseNotBelow(String),
    /// An operation that the role does not open.
    #[error("the role does not open {0}")]
    OperationNotOpened(&'static str),
    /// An empty list of operations.
    #[error("no operation is left")]
    NoOperation,
    /// An attribute that the role does not open.
    #[error("the role does not open the attribute {0}")]
    AttributeNotOpened(String),
    /// Nothing of the role has the base, the operations and the attributes.
    #[error("the role opens none of this there")]
    NothingLeft,
    /// The role opens less than it did.
    #[error("the role no longer opens {0}")]
    NotInRole(String),
    /// The resource is gone.
    #[error("the resource {0} is no longer configured")]
    ResourceGone(String),
    /// The resource now protects other entries.
    #[error("the resource {0} is configured differently now")]
    ResourceChanged(String),
}

impl Region {
    /// What a resource protects, or the part of it at and below `base`.
    pub fn of(resource: &Resource, base: Option<&Dn>) -> Option<Region> {
        let whole = Region { base: resource.base.clone(), reach: resource.scope };
        match base {
            None => Some(whole),
            Some(base) => whole.at_or_below(base),
        }
    }

    /// The part of this at and below `base`, if there is one.
    pub fn at_or_below(&self, base: &Dn) -> Option<Region> {
        if self.base.is_surely_within(base) {
            return Some(self.clone());
        }
        if !base.is_surely_within(&self.base) {
            return None;
        }
        let directly = base.depth() == self.base.depth() + 1;
        match self.reach {
            ResourceScope::Subtree => Some(Region { base: base.clone(), reach: ResourceScope::Subtree }),
            ResourceScope::One if directly => Some(Region { base: base.clone(), reach: ResourceScope::Base }),
            ResourceScope::One | ResourceScope::Base => None,
        }
    }

    /// Whether every entry of this is surely one of `other`.
    pub fn is_within(&self, other: &Region) -> bool {
        let same = self.base.is_surely(&other.base);
        match (self.reach, other.reach) {
            (ResourceScope::Base, ResourceScope::Base) | (ResourceScope::One, ResourceScope::One) => same,
            (ResourceScope::Base, ResourceScope::One) => {
                self.base.is_surely_within(&other.base) && self.base.depth() == other.base.depth() + 1
            }
            (_, ResourceScope::Subtree) => self.base.is_surely_within(&other.base),
            (ResourceScope::One | ResourceScope::Subtree, ResourceScope::Base)
            | (ResourceScope::Subtree, ResourceScope::One) => false,
        }
    }
}

impl ScopeEntry {
    /// The entries that it is about.
    pub fn region(&self) -> Region {
        Region { base: self.base.clone(), reach: self.reach }
    }

    /// The same, as the policy's directory reads their names.
    fn region_by(&self, policy: &Policy) -> Region {
        Region { base: self.base.resolved(policy.naming()).into_owned(), reach: self.reach }
    }

    /// What in it has effects that outlast the grant, for the one who decides.
    pub fn permanent(&self) -> Vec<&'static str> {
        // What lets people in, or says who is let in; other attributes do not outlast the grant by themselves.
        let is_lasting = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_digit())
                || LASTING.iter().any(|lasting| name.eq_ignore_ascii_case(lasting))
        };
        let lasts = |kind: &OperationKind| {
            *kind != OperationKind::Modify || self.attributes.as_ref().is_none_or(|names| names.iter().any(is_lasting))
        };
        self.operations.iter().filter(|kind| lasts(kind)).filter_map(|kind| permanent(*kind)).collect()
    }

    fn of_allow(allow: &Allow, policy: &Policy) -> Option<ScopeEntry> {
        let resource = policy.resource(allow.resource)?;
        let region = Region::of(resource, allow.base.as_ref())?;
        let operations: Vec<_> = allow.operations.iter().collect();
        (!operations.is_empty()).then(|| ScopeEntry {
            resource: resource.name.to_string(),
            base: region.base,
            reach: region.reach,
            operations,
            attributes: allow.attributes.clone().or_else(|| resource.attributes.clone()),
        })
    }

    /// Leaves only those of `wanted` that are opened here; whether any is.
    fn keep_attributes(&mut self, wanted: &AttributeNames, schema: &Schema) -> bool {
        self.attributes = match &self.attributes {
            None => Some(wanted.clone()),
            Some(opened) => AttributeNames::new(wanted.within(opened, schema)).ok(),
        };
        self.attributes.is_some()
    }
}

impl Scope {
    /// All that a role opens.
    ///
    /// # Errors
    /// It opens nothing.
    pub fn of_role(role: &Role, policy: &Policy) -> Result<Scope, ScopeError> {
        let entries: Vec<_> = role.allow.iter().filter_map(|allow| ScopeEntry::of_allow(allow, policy)).collect();
        if entries.is_empty() { Err(ScopeError::Empty) } else { Ok(Scope(entries)) }
    }

    /// The part of this that `narrowing` leaves. Its names are as they are written: how the directory reads them is found out
    /// whenever they are compared.
    ///
    /// # Errors
    /// Something is asked for that this does not have, or nothing is left.
    pub fn narrowed(&self, narrowing: &Narrowing, schema: &Schema) -> Result<Scope, ScopeError> {
        let mut entries = self.0.clone();
        if let Some(base) = &narrowing.base {
            // Something must really begin there: a base above everything asks for more, not for less.
            if !entries.iter().any(|entry| base.is_surely_within(&entry.base)) {
                return Err(ScopeError::BaseNotBelow(base.text().to_owned()));
            }
            entries.retain_mut(|entry| match entry.region().at_or_below(base) {
                Some(region) => {
                    (entry.base, entry.reach) = (region.base, region.reach);
                    true
                }
                None => false,
            });
        }
        if let Some(wanted) = &narrowing.operations {
            if wanted.is_empty() {
                return Err(ScopeError::NoOperation);
            }
            for kind in wanted {
                if !self.0.iter().any(|entry| entry.operations.contains(kind)) {
                    return Err(ScopeError::OperationNotOpened(kind.name()));
                }
            }
            entries.iter_mut().for_each(|entry| entry.operations.retain(|kind| wanted.contains(kind)));
            entries.retain(|entry| !entry.operations.is_empty());
        }
        if let Some(wanted) = &narrowing.attributes {
            for name in wanted.iter() {
                let opens = |entry: &ScopeEntry| entry.clone().keep_attributes(&wanted.only(name), schema);
                if !self.0.iter().any(opens) {
                    return Err(ScopeError::AttributeNotOpened(name.to_owned()));
                }
            }
            entries.retain_mut(|entry| entry.keep_attributes(wanted, schema));
        }
        // What is written down is read again without a schema, and must then be the same.
        entries.iter_mut().for_each(|entry| entry.base = entry.base.as_written());
        if entries.is_empty() { Err(ScopeError::NothingLeft) } else { Ok(Scope(entries)) }
    }

    /// Whether the role, as configured now, still opens all of this.
    ///
    /// # Errors
    /// What it does not open any more.
    pub fn check_within(&self, role: &Role, policy: &Policy) -> Result<(), ScopeError> {
        let whole = Scope::of_role(role, policy)?;
        for entry in &self.0 {
            for kind in &entry.operations {
                let opened = whole.0.iter().any(|line| {
                    line.resource == entry.resource
                        && line.operations.contains(kind)
                        && entry.region_by(policy).is_within(&line.region())
                        && attributes_within(entry.attributes.as_ref(), line.attributes.as_ref(), policy.schema())
                });
                if !opened {
                    let what = format!("{} of {} at {}", kind.name(), entry.resource, entry.base.text());
                    return Err(ScopeError::NotInRole(what));
                }
            }
        }
        Ok(())
    }

    /// This in terms of the policy's resources, for the index that decisions read.
    ///
    /// # Errors
    /// A resource is gone, or now reaches entries that were not in the approved scope.
    pub fn openings(&self, policy: &Policy) -> Result<Vec<Opening>, ScopeError> {
        let mut openings = Vec::with_capacity(self.0.len());
        for entry in &self.0 {
            let (index, resource) = policy
                .indexed()
                .find(|(_, resource)| *resource.name == *entry.resource)
                .ok_or_else(|| ScopeError::ResourceGone(entry.resource.clone()))?;
            // What a decision will open is the resource as it is now, at and below the base.
            let approved = entry.region_by(policy);
            let opens = Region::of(resource, Some(&approved.base))
                .filter(|opens| opens.is_within(&approved))
                .ok_or_else(|| ScopeError::ResourceChanged(entry.resource.clone()))?;
            openings.push(Opening {
                resource: index,
                operations: entry.operations.iter().copied().collect(),
                base: Some(opens.base),
                // The same names as the resource's open all of it, and need not be looked up each time.
                attributes: entry.attributes.clone().filter(|names| resource.attributes.as_ref() != Some(names)),
            });
        }
        Ok(openings)
    }

    /// Whether anything in it has effects that outlast the grant.
    pub fn is_permanent(&self) -> bool {
        self.0.iter().any(|entry| !entry.permanent().is_empty())
    }
}

/// Whether some attributes (`None`: all there are) are among others.
fn attributes_within(some: Option<&AttributeNames>, others: Option<&AttributeNames>, schema: &Schema) -> bool {
    match (some, others) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(some), Some(others)) => some.is_within(others, schema),
    }
}

/// The word for how far a region goes.
pub fn reach_word(reach: ResourceScope) -> &'static str {
    match reach {
        ResourceScope::Base => "base",
        ResourceScope::One => "one",
        ResourceScope::Subtree => "subtree",
    }
}

/// Attributes that decide who may do what after the grant has ended. Others are not known: an OID is taken for one of them.
const LASTING: &[&str] = &[
    "member",
    "uniqueMember",
    "memberUid",
    "memberOf",
    "userPassword",
    "unicodePwd",
    "sambaNTPassword",
    "aci",
    "olcAccess",
    "nTSecurityDescriptor",
    "authzTo",
    "authzFrom",
    "sudoUser",
    "sshPublicKey",
    "userCertificate",
    "altSecurityIdentities",
    "servicePrincipalName",
    "userAccountControl",
    "primaryGroupID",
    "gidNumber",
    "uidNumber",
    "manager",
    "owner",
];

/// What of an operation outlasts the grant: access that was written into the directory stays.
fn permanent(kind: OperationKind) -> Option<&'static str> {
    match kind {
        OperationKind::Add => Some("add may create groups, accounts and access rules, which stay"),
        OperationKind::Modify => Some("modify may write member, userPassword and access rules, which stay"),
        OperationKind::Rename => Some("rename may move entries under other access rules, where they stay"),
        OperationKind::Password => Some("password sets a userPassword, which stays"),
        OperationKind::Bind | OperationKind::Search | OperationKind::Compare | OperationKind::Delete => None,
    }
}

fn write_operations<S: Serializer>(kinds: &[OperationKind], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(kinds.iter().map(|kind| kind.name()))
}

fn read_operations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OperationKind>, D::Error> {
    let words: Vec<String> = Vec::deserialize(deserializer)?;
    words.iter().map(|word| word.parse().map_err(serde::de::Error::custom)).collect()
}

mod names_text {
    use super::{AttributeNames, Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(names: &Option<AttributeNames>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(names.iter().flat_map(AttributeNames::iter))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AttributeNames>, D::Error> {
        let names: Vec<String> = Vec::deserialize(deserializer)?;
        AttributeNames::new(names).map(Some).map_err(serde::de::Error::custom)
    }
}

mod reach_text {
    use super::{Deserialize as _, Deserializer, ResourceScope, Serializer, reach_word};

    pub(super) fn serialize<S: Serializer>(reach: &ResourceScope, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(reach_word(*reach))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceScope, D::Error> {
        let word = String::deserialize(deserializer)?;
        [ResourceScope::Base, ResourceScope::One, ResourceScope::Subtree]
            .into_iter()
            .find(|reach| reach_word(*reach) == word)
            .ok_or_else(|| serde::de::Error::custom(format_args!("{word:?} is not a scope")))
    }
}

#[cfg(test)]
mod tests;
