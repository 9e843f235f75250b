//! Rename: the old name, the new name and everything below both; and what thereby leaves a resource.
//!
//! A resource that protects, say, only searching is evaded by moving its entries elsewhere, or by
//! moving its base from under its name. So that touches it too, whatever its operations are.

use super::super::resource::{Resource, ResourceIndex};
use super::super::{OperationKind, Policy};
use super::{Need, Part, Spot, Touches};
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::{RenameRequest, SearchScope};
use std::borrow::Cow;

pub(super) fn touches(request: &RenameRequest) -> Touches<'_> {
    let to = match (&request.new_superior, request.entry.parent()) {
        (Some(parent), _) => Dn::join(&request.new_rdn, parent),
        (None, Some(parent)) => Dn::join(&request.new_rdn, &parent),
        (None, None) => request.new_rdn.clone(),
    };
    Touches::Move { from: &request.entry, to }
}

/// All of what is there, and of attributes those that name the entry, before and after.
pub(super) fn part<'a>(request: &'a RenameRequest) -> Part<'a> {
    let after = request.new_rdn.naming_types();
    // The old values stay, unless they are to go.
    let before = request.entry.naming_types().filter(|_| request.delete_old_rdn);
    Part::Whole(after.chain(before).map(|name| Cow::Borrowed(name.as_bytes())).collect())
}

pub(super) fn needs<'a>(policy: &Policy, from: &'a Dn, to: &'a Dn, visit: &mut impl FnMut(Need<'a>)) {
    for tree in [from, to] {
        for resource in policy.reached(tree, SearchScope::Subtree, Some(OperationKind::Rename)) {
            visit(Need { resource, spot: Spot::Tree(tree), attributes: None, leaving: false });
        }
    }
    for at in policy.reached(from, SearchScope::Subtree, None) {
        if policy.resource(at).is_some_and(|resource| leaves(resource, from, to)) {
            visit(need_to_leave(at, from));
        }
    }
}

/// Attribute resources whose border an entry crosses: which attributes it has is not known here, and all
/// of them come under other rules, or into what others take for protected.
pub(super) fn crossings<'a>(policy: &Policy, from: &'a Dn, to: &'a Dn, visit: &mut impl FnMut(Need<'a>)) {
    if is_same(from, to) {
        return;
    }
    let stays = |resource: &Resource| resource.holds(from) && resource.holds(to);
    // What is only read there is not harmed by what comes in.
    let writes = [OperationKind::Add, OperationKind::Modify, OperationKind::Rename];
    let is_written = |resource: &Resource| writes.iter().any(|kind| resource.operations.contains(*kind));
    for (tree, comes_in) in [(from, false), (to, true)] {
        for at in policy.attributes_reached(tree, SearchScope::Subtree, None) {
            let crosses = |resource: &&Resource| !stays(resource) && (!comes_in || is_written(resource));
            if policy.resource(at).filter(crosses).is_some() {
                visit(Need { resource: at, spot: Spot::Tree(tree), attributes: None, leaving: true });
            }
        }
    }
}

fn need_to_leave(resource: ResourceIndex, from: &Dn) -> Need<'_> {
    Need { resource, spot: Spot::Tree(from), attributes: None, leaving: true }
}

/// Whether entries leave a resource that does not protect renaming itself.
fn leaves(resource: &Resource, from: &Dn, to: &Dn) -> bool {
    if resource.operations.contains(OperationKind::Rename) || is_same(from, to) {
        return false;
    }
    let base_moves = resource.base.is_within(from);
    base_moves || (resource.contains(from) && !resource.holds(to))
}

/// Whether the entry keeps its name, as far as protection goes.
fn is_same(from: &Dn, to: &Dn) -> bool {
    from == to && !from.is_vague()
}
