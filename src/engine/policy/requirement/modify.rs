//! Modify: the entry, whatever the changes are.

use super::{Part, Touches};
use crate::engine::ldap::request::ModifyRequest;
use std::borrow::Cow;

pub(super) fn touches<'a>(request: &'a ModifyRequest<'_>) -> Touches<'a> {
    Touches::Entry(Cow::Borrowed(&request.entry))
}

pub(super) fn part<'a>(request: &'a ModifyRequest<'_>) -> Part<'a> {
    Part::Attributes(request.changes.iter().map(|change| Cow::Borrowed(change.attribute.description.0)).collect())
}
