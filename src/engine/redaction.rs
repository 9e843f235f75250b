//! What a permit takes out of an answer.

use super::ldap::Dn;
use super::policy::resource::ResourceIndex;

/// Entries that must be dropped from a search's answer.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// Where something is hidden. Empty: everything is passed on byte for byte.
    pub hidden: Vec<HiddenRegion>,
}

/// One protected resource that is not held, or held only below some bases.
#[derive(Debug, Clone)]
pub struct HiddenRegion {
    /// Which resource.
    pub resource: ResourceIndex,
    /// Where the subject may look all the same (narrowed grants).
    pub open_below: Vec<Dn>,
}
