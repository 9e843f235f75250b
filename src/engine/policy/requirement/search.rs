//! Search: everything that base and scope can reach, and with aliases everything there is.

use super::Touches;
use crate::engine::ldap::request::{DerefAliases, SearchRequest, SearchScope};

pub(super) fn touches<'a>(request: &'a SearchRequest<'_>) -> Option<Touches<'a>> {
    // The rootDSE is no entry of any tree (RFC 4512 5.1).
    if request.base.is_root() && request.scope == SearchScope::Base {
        return None;
    }
    let aliases = match request.deref {
        DerefAliases::Never => false,
        DerefAliases::InSearching | DerefAliases::FindingBase | DerefAliases::Always => true,
    };
    Some(Touches::Reach { base: &request.base, scope: request.scope, aliases })
}
