//! What the directory says of itself.

use super::trees::{Contexts, LeftOut, Trees};
use crate::engine::ldap::Dn;

/// What the directory said of itself, as far as decisions need it.
#[derive(Debug, Clone, Default)]
pub struct DirectoryFacts {
    /// What is reachable. Empty: not known yet, so that nothing but rootDSE and subschema is.
    pub naming_contexts: Vec<Dn>,
    /// Of what is reachable: trees that hold no ordinary data but the directory's own (its configuration, its schema, what it
    /// counts, what was changed). Writing there makes it compute.
    pub special: Vec<Dn>,
    /// Trees that are not served, some of which may lie in one that is.
    pub left_out: Vec<LeftOut>,
    /// What the rootDSE says of its trees; `None`: it was not read.
    pub contexts: Option<Contexts>,
    /// The subschema subentry.
    pub subschema: Option<Dn>,
    /// Whether it lets somebody act for others (RFC 4370).
    pub proxied_authorization: bool,
    /// The trees in which it was seen to leave entries out that a filter excludes by name (`entryDN` with
    /// `dnSubtreeMatch` and `dnOneLevelMatch`).
    pub excludes: Vec<Dn>,
}

impl DirectoryFacts {
    /// Whether everything that a search from `base` finds can be left out by name; `anywhere`: it may find any entry.
    pub fn can_exclude(&self, base: &Dn, anywhere: bool) -> bool {
        let can = |name: &Dn| self.excludes.iter().any(|tree| name.is_surely_within(tree));
        if anywhere { self.naming_contexts.iter().all(can) } else { can(base) }
    }

    /// Whether a name lies in a tree that is served.
    pub fn holds(&self, name: &Dn) -> bool {
        self.naming_contexts.iter().any(|context| name.is_surely_within(context)) && !self.leaves_out(name)
    }

    /// Whether a name may lie in a tree that is not served, wherever that begins.
    fn leaves_out(&self, name: &Dn) -> bool {
        self.left_out.iter().any(|left_out| {
            let inside = |context: &Dn| context.depth() > left_out.context.depth() && name.is_surely_within(context);
            name.is_within(&left_out.context) && !self.naming_contexts.iter().any(inside)
        })
    }

    /// Whether a tree that is not served begins below a name.
    pub fn leaves_out_below(&self, name: &Dn) -> bool {
        self.left_out.iter().any(|left_out| left_out.context.is_within(name))
    }

    /// These facts, with the trees that are served.
    #[must_use]
    pub fn serving(self, trees: Trees) -> DirectoryFacts {
        DirectoryFacts { naming_contexts: trees.served, special: trees.special, left_out: trees.left_out, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_is_left_out_is_not_held_wherever_it_lies() {
        let dn = |text: &str| text.parse::<Dn>().unwrap();
        let left_out = |text: &str| LeftOut { context: dn(text), why: String::new() };
        let facts = DirectoryFacts {
            naming_contexts: vec![dn("dc=x"), dn("cn=schema,cn=configuration,dc=x")],
            left_out: vec![left_out("cn=configuration,dc=x"), left_out("cn=accesslog")],
            ..DirectoryFacts::default()
        };
        for (name, expected) in [
            ("dc=x", true),
            ("ou=a,dc=x", true),
            ("cn=configuration,dc=x", false),
            ("cn=a,CN=Configuration,dc=x", false),
            ("cn=a,cn=konfiguration,dc=x", true),
            ("cn=schema,cn=configuration,dc=x", true),
            ("cn=a,cn=schema,cn=configuration,dc=x", true),
            ("cn=accesslog", false),
            ("dc=y", false),
        ] {
            assert_eq!(facts.holds(&dn(name)), expected, "{name}");
        }
        assert!(facts.leaves_out_below(&dn("dc=x")) && !facts.leaves_out_below(&dn("ou=a,dc=x")));
    }
}
