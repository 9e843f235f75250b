//! Compare: the entry. It is a read of one value.

use super::{Part, Touches};
use crate::engine::ldap::request::CompareRequest;
use std::borrow::Cow;

pub(super) fn touches<'a>(request: &'a CompareRequest<'_>) -> Touches<'a> {
    Touches::Entry(Cow::Borrowed(&request.entry))
}

pub(super) fn part<'a>(request: &CompareRequest<'a>) -> Part<'a> {
    Part::Attributes(vec![Cow::Borrowed(request.attribute.0)])
}
