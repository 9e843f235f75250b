//! Delete: the entry; with tree delete, critical or not, everything below it too.

use super::Touches;
use crate::engine::ldap::Dn;
use crate::engine::ldap::control::{Control, oid};
use std::borrow::Cow;

pub(super) fn touches<'a>(entry: &'a Dn, controls: &[Control<'_>]) -> Touches<'a> {
    if controls.iter().any(|control| control.oid == oid::TREE_DELETE) {
        Touches::Tree(entry)
    } else {
        Touches::Entry(Cow::Borrowed(entry))
    }
}
