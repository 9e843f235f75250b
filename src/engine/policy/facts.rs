//! What the directory says of itself.

use crate::engine::ldap::Dn;

/// What the directory said of itself, as far as decisions need it.
#[derive(Debug, Clone, Default)]
pub struct DirectoryFacts {
    /// What is reachable. Empty: not known yet, so that nothing but rootDSE and subschema is.
    pub naming_contexts: Vec<Dn>,
    /// The subschema subentry.
    pub subschema: Option<Dn>,
    /// Whether it lets somebody act for others (RFC 4370).
    pub proxied_authorization: bool,
}

impl DirectoryFacts {
    /// Whether a name lies in a tree that is served.
    pub fn holds(&self, name: &Dn) -> bool {
        self.naming_contexts.iter().any(|context| name.is_surely_within(context))
    }
}
