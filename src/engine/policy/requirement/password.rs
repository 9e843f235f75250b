//! Password modify (RFC 3062): the entry named, or the subject's own.

use super::super::Subject;
use super::{Part, Touches};
use crate::engine::ldap::Dn;
use std::borrow::Cow;

pub(super) fn touches<'a>(identity: Option<&[u8]>, subject: &'a Subject) -> Option<Touches<'a>> {
    // An empty name is read as none by OpenLDAP.
    let Some(identity) = identity.filter(|identity| !identity.is_empty()) else {
        return match subject {
            // Nobody has no password; the directory will say so.
            Subject::Anonymous => None,
            Subject::Dn(own) => Some(Touches::Entry(Cow::Borrowed(own))),
        };
    };
    // RFC 3062 leaves the form open; RFC 4513 5.2.1.8 has this one, its prefix in any case.
    let name = match identity.split_at_checked(3) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(b"dn:") => name,
        _ => identity,
    };
    match Dn::parse(name) {
        Ok(entry) if !entry.is_root() => Some(Touches::Entry(Cow::Owned(entry))),
        // `u:` and whatever else a directory may take for a name.
        _ => Some(Touches::Unknown),
    }
}

/// The attribute, as OpenLDAP and 389 Directory Server call it, and as Active Directory does.
pub(super) fn part<'a>() -> Part<'a> {
    Part::Attributes(vec![Cow::Borrowed(b"userPassword"), Cow::Borrowed(b"unicodePwd")])
}
