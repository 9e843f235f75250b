//! Where the entries of an answer must lie by the base and the scope of the search. What a directory sends from
//! elsewhere (views, default search bases, rewritten names) nobody has decided on.

use crate::engine::ldap::Dn;
use crate::engine::ldap::dn::MAX_LENGTH;
use crate::engine::ldap::request::SearchScope;

/// Names of more RDNs below the base than this are parsed.
const MAX_PLAIN_LEVELS: usize = 16;

/// The base and the scope of a search that follows nothing to other places.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    base: Dn,
    scope: SearchScope,
}

impl Bounds {
    pub(super) fn new(base: &Dn, scope: SearchScope) -> Bounds {
        Bounds { base: base.clone(), scope }
    }

    /// Whether an entry of this name may be one that base and scope reach.
    pub(super) fn hold(&self, name: &Dn) -> bool {
        match self.scope {
            SearchScope::Base => name.may_be(&self.base),
            SearchScope::One => name.is_child_of(&self.base),
            SearchScope::Subtree => name.is_within(&self.base),
            SearchScope::Subordinate => name.is_within(&self.base) && name.depth() > self.base.depth(),
        }
    }

    /// Whether the octets of a name alone show that [`Bounds::hold`] holds: it ends as the base is written, and stands
    /// for plain RDNs below it. `false`: it must be parsed to be judged.
    ///
    /// An entry whose name ends in the very octets of the base lies at a place that the decision was about: it needs no
    /// look-up. Most answers have no other entries, and there may be thousands of them.
    pub(super) fn plainly_hold(&self, name: &[u8]) -> bool {
        let base = self.base.text().as_bytes();
        let Some((below, end)) = name.len().checked_sub(base.len()).and_then(|at| name.split_at_checked(at)) else {
            return false;
        };
        // Case means nothing to what is protected, whatever the attribute.
        if name.len() > MAX_LENGTH || !(end == base || end.eq_ignore_ascii_case(base)) {
            return false;
        }
        match (below, self.scope) {
            ([], SearchScope::Base | SearchScope::Subtree) => true,
            ([rdns @ .., b','], SearchScope::One) => plain_levels(rdns) == Some(1),
            ([rdns @ .., b','], SearchScope::Subtree | SearchScope::Subordinate) => plain_levels(rdns).is_some(),
            _ => false,
        }
    }
}

/// How many RDNs these are, where each has one value of plain ASCII in which nothing is escaped.
fn plain_levels(rdns: &[u8]) -> Option<usize> {
    let mut levels = 0;
    for rdn in rdns.split(|octet| *octet == b',') {
        levels += 1;
        let (name, value) = rdn.split_at_checked(rdn.iter().position(|octet| *octet == b'=')?)?;
        let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-');
        // With the sign in front.
        let is_value = !matches!(value, [_] | [_, b' ' | b'#', ..] | [.., b' '])
            && value.iter().all(|octet| PLAIN.get(usize::from(*octet)) == Some(&true));
        if !is_name || !is_value || levels > MAX_PLAIN_LEVELS {
            return None;
        }
    }
    Some(levels)
}

/// What stands for itself in a value.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut octet = b' ';
    while octet <= b'~' {
        plain[octet as usize] = !matches!(octet, b'"' | b'+' | b';' | b'<' | b'>' | b'\\');
        octet += 1;
    }
    plain
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCOPES: [SearchScope; 4] =
        [SearchScope::Base, SearchScope::One, SearchScope::Subtree, SearchScope::Subordinate];

    /// For each base and entry whether it is one that scope base, one, subtree and subordinate reach.
    const ROWS: &[(&str, &str, &str)] = &[
        ("ou=a,dc=x", "ou=a,dc=x", "b-s-"),
        ("ou=a,dc=x", "OU = A, DC=X", "b-s-"),
        ("ou=a,dc=x", "cn=b,ou=a,dc=x", "-oss"),
        ("ou=a,dc=x", "cn=b+sn=c,ou=a,dc=x", "-oss"),
        ("ou=a,dc=x", r"cn=b\,c,ou=a,dc=x", "-oss"),
        ("ou=a,dc=x", "cn=c,cn=b,ou=a,dc=x", "--ss"),
        ("ou=a,dc=x", "dc=x", "----"),
        ("ou=a,dc=x", "ou=aa,dc=x", "----"),
        ("ou=a,dc=x", "ou=b,dc=x", "----"),
        ("ou=a,dc=x", "uid=e01,ou=payroll,dc=x", "----"),
        ("ou=a,dc=x", r"cn=b\,ou=a,dc=x", "----"),
        ("ou=a,dc=x", r"cn=b,cn=c\,ou=a,dc=x", "----"),
        ("ou=a,dc=x", "cn=b,ou=a,dc=x,dc=y", "----"),
        ("ou=a,dc=x", "", "----"),
        ("dc=x", "ou=a,dc=x", "-oss"),
        ("dc=x", "ou=a,dc=xx", "----"),
        ("dc=x", "ou=a,c=dc=x", "----"),
    ];

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    #[test]
    fn an_entry_lies_where_base_and_scope_reach_or_it_does_not() {
        for (base, entry, row) in ROWS {
            for (scope, mark) in SCOPES.into_iter().zip(row.chars()) {
                let bounds = Bounds::new(&dn(base), scope);
                assert_eq!(bounds.hold(&dn(entry)), mark != '-', "{base} {scope:?} {entry}");
                assert!(mark != '-' || !bounds.plainly_hold(entry.as_bytes()), "{base} {scope:?} {entry}");
            }
        }
    }

    #[test]
    fn usual_names_need_not_be_parsed() {
        for (scope, name, plain) in [
            (SearchScope::Subtree, "uid=user 7,ou=people,DC=example,dc=com", true),
            (SearchScope::Subtree, "dc=example,dc=com", true),
            (SearchScope::Base, "DC=Example,dc=com", true),
            (SearchScope::One, "ou=people,dc=example,dc=com", true),
            (SearchScope::One, "uid=a,ou=people,dc=example,dc=com", false),
            (SearchScope::Subordinate, "dc=example,dc=com", false),
            (SearchScope::Subtree, "uid=a+cn=b,dc=example,dc=com", false),
            (SearchScope::Subtree, "uid=ä,dc=example,dc=com", false),
            (SearchScope::Subtree, "uid,dc=example,dc=com", false),
            (SearchScope::Subtree, ",dc=example,dc=com", false),
            (SearchScope::Subtree, "uid=,dc=example,dc=com", false),
            (SearchScope::Subtree, "uid=#04,dc=example,dc=com", false),
            (SearchScope::Subtree, "=a,dc=example,dc=com", false),
            (SearchScope::Subtree, "<GUID=00>;uid=a,dc=example,dc=com", false),
        ] {
            let bounds = Bounds::new(&dn("dc=example,dc=com"), scope);
            assert_eq!(bounds.plainly_hold(name.as_bytes()), plain, "{scope:?} {name}");
        }
    }

    proptest! {
        /// The octets never say more than the name does.
        #[test]
        fn what_the_octets_show_is_so(
            base in "(ou=[ab]|cn=[Aä]|foo=x\\\\,y)(,dc=[xX])?",
            below in "((ou|CN|2\\.5\\.4\\.3|fo-o|)[= ]?(a|B|\\\\,|ä|#04|\"|;|\\+cn=|=)?[, ]?){0,3}",
            upper in any::<bool>(),
            comma in any::<bool>(),
        ) {
            let base = dn(&base);
            let end = if upper { base.text().to_uppercase() } else { base.text().to_owned() };
            let name = format!("{below}{}{end}", if comma { "," } else { "" });
            for scope in SCOPES {
                let bounds = Bounds::new(&base, scope);
                if bounds.plainly_hold(name.as_bytes()) {
                    prop_assert!(Dn::parse(name.as_bytes()).is_ok_and(|name| bounds.hold(&name)), "{} {:?}", name, scope);
                }
            }
        }
    }
}
