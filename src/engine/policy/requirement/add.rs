//! Add: the new entry. Its parent is not touched.

use super::{Part, Touches};
use crate::engine::ldap::request::AddRequest;
use std::borrow::Cow;

pub(super) fn touches<'a>(request: &'a AddRequest<'_>) -> Touches<'a> {
    Touches::Entry(Cow::Borrowed(&request.entry))
}

/// Its attributes, and those of its name: the directory adds these by itself.
pub(super) fn part<'a>(request: &'a AddRequest<'_>) -> Part<'a> {
    let given = request.attributes.iter().map(|attribute| Cow::Borrowed(attribute.description.0));
    let naming = request.entry.naming_types().map(|name| Cow::Borrowed(name.as_bytes()));
    Part::Attributes(given.chain(naming).collect())
}
