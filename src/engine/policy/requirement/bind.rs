//! Bind: the DN that is bound. Who it stands for is the session's to ask where the name is no DN.

use super::Touches;
use crate::engine::ldap::request::{BindName, BindRequest};
use std::borrow::Cow;

pub(super) fn touches<'a>(request: &'a BindRequest<'_>) -> Option<Touches<'a>> {
    match &request.name {
        BindName::Dn(name) if name.is_root() => None,
        BindName::Dn(name) => Some(Touches::Entry(Cow::Borrowed(name))),
        BindName::Other(_) => Some(Touches::Unknown),
    }
}
