//! Add: the new entry. Its parent is not touched.

use super::Touches;
use crate::engine::ldap::request::AddRequest;
use std::borrow::Cow;

pub(super) fn touches<'a>(request: &'a AddRequest<'_>) -> Touches<'a> {
    Touches::Entry(Cow::Borrowed(&request.entry))
}
