//! Bind: the DN that is bound. Where the name is no DN, and of SASL, the session asks who it stands for, and
//! decides again.

use super::Touches;
use crate::engine::ldap::request::{Authentication, BindName, BindRequest};
use std::borrow::Cow;

pub(super) fn touches<'a>(request: &'a BindRequest<'_>) -> Option<Touches<'a>> {
    match &request.name {
        // RFC 4513 5.2.1: the name is not who binds.
        _ if matches!(request.authentication, Authentication::Sasl { .. }) => None,
        BindName::Dn(name) if name.is_root() => None,
        BindName::Dn(name) => Some(Touches::Entry(Cow::Borrowed(name))),
        BindName::Other(_) => None,
    }
}
