//! Search: everything that base and scope can reach; with aliases, from the root (where a directory may begin
//! wherever it is configured to), or of the entries that an attribute names (MS-ADTS 3.1.1.3.4.1.18), everything there is.

use super::Touches;
use crate::engine::ldap::control::{Control, oid};
use crate::engine::ldap::request::{DerefAliases, SearchRequest, SearchScope};

pub(super) fn touches<'a>(request: &'a SearchRequest<'_>, controls: &[Control<'_>]) -> Option<Touches<'a>> {
    let redirected = controls.iter().any(|control| control.oid == oid::ATTRIBUTE_SCOPED_QUERY);
    // The rootDSE is no entry of any tree (RFC 4512 5.1).
    if request.base.is_root() && request.scope == SearchScope::Base && !redirected {
        return None;
    }
    let aliases = match request.deref {
        DerefAliases::Never => false,
        DerefAliases::InSearching | DerefAliases::FindingBase | DerefAliases::Always => true,
    };
    Some(Touches::Reach {
        base: &request.base,
        scope: request.scope,
        aliases: aliases || redirected || request.base.is_root(),
    })
}
