//! Delete: the entry; with tree delete, critical or not, everything below it too.

use super::super::{OperationKind, Policy};
use super::{Need, Spot, Touches};
use crate::engine::ldap::Dn;
use crate::engine::ldap::control::{Control, oid};
use crate::engine::ldap::request::SearchScope;
use std::borrow::Cow;

pub(super) fn touches<'a>(entry: &'a Dn, controls: &[Control<'_>]) -> Touches<'a> {
    if controls.iter().any(|control| control.oid == oid::TREE_DELETE) {
        Touches::Tree(entry)
    } else {
        Touches::Entry(Cow::Borrowed(entry))
    }
}

/// The directory says whether anything is below what is to be deleted (RFC 4511 4.8): entries that are hidden
/// there would be told of, so these have to be held too.
pub(super) fn needs_below<'a>(policy: &Policy, entry: &'a Dn, visit: &mut impl FnMut(Need<'a>)) {
    for resource in policy.reached(entry, SearchScope::One, Some(OperationKind::Search)) {
        visit(Need { resource, spot: Spot::Tree(entry), attributes: None, leaving: true });
    }
}
