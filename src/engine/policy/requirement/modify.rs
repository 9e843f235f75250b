//! Modify: the entry, whatever the changes are.

use super::Touches;
use crate::engine::ldap::request::ModifyRequest;
use std::borrow::Cow;

pub(super) fn touches<'a>(request: &'a ModifyRequest<'_>) -> Touches<'a> {
    Touches::Entry(Cow::Borrowed(&request.entry))
}
