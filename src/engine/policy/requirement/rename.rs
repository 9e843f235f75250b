//! Rename: the old name, the new name and everything below both; and what thereby leaves a resource.
//!
//! A resource that protects, say, only searching is evaded by moving its entries elsewhere, or by
//! moving its base from under its name. So that touches it too, whatever its operations are.

use super::super::resource::{Resource, ResourceIndex};
use super::super::{OperationKind, Policy};
use super::{Need, Spot, Touches};
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::{RenameRequest, SearchScope};

pub(super) fn touches(request: &RenameRequest) -> Touches<'_> {
    let to = match (&request.new_superior, request.entry.parent()) {
        (Some(parent), _) => Dn::join(&request.new_rdn, parent),
        (None, Some(parent)) => Dn::join(&request.new_rdn, &parent),
        (None, None) => request.new_rdn.clone(),
    };
    Touches::Move { from: &request.entry, to }
}

pub(super) fn needs<'a>(policy: &Policy, from: &'a Dn, to: &'a Dn, visit: &mut impl FnMut(Need<'a>)) {
    for tree in [from, to] {
        for resource in policy.reached(tree, SearchScope::Subtree, Some(OperationKind::Rename)) {
            visit(Need { resource, spot: Spot::Tree(tree), leaving: false });
        }
    }
    for at in policy.reached(from, SearchScope::Subtree, None) {
        if policy.resource(at).is_some_and(|resource| leaves(resource, from, to)) {
            visit(need_to_leave(at, from));
        }
    }
}

fn need_to_leave(resource: ResourceIndex, from: &Dn) -> Need<'_> {
    Need { resource, spot: Spot::Tree(from), leaving: true }
}

/// Whether entries leave a resource that does not protect renaming itself.
fn leaves(resource: &Resource, from: &Dn, to: &Dn) -> bool {
    if resource.operations.contains(OperationKind::Rename) || from == to {
        return false;
    }
    let base_moves = resource.base.is_within(from);
    base_moves || (resource.contains(from) && !resource.contains(to))
}
