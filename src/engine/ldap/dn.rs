//! Distinguished names (RFC 4514), compared as the directory compares them (RFC 4517, RFC 4518).
//!
//! A [`Dn`] holds two forms: `text`, the canonical rendering of what was parsed with the values'
//! own case and spelling (this is what is forwarded), and `key`, the normalised form that
//! equality, ancestry and look-ups use.

/// A parsed distinguished name. Equality, order and hash are by normalised form.
#[derive(Clone)]
pub struct Dn {
    text: Box<str>,
    /// Normalised RDNs, root first, each self-delimiting, so that ancestry is a test on whole RDNs.
    key: Box<[u8]>,
    /// End of each RDN in `key`, root first.
    ends: Box<[u32]>,
}

/// Why octets are not a DN that can be decided upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a distinguished name of RFC 4514")]
pub struct DnError;

impl Dn {
    /// The empty DN: the rootDSE, or nobody.
    pub fn root() -> Dn {
        Dn { text: "".into(), key: Box::new([]), ends: Box::new([]) }
    }

    /// Whether this is the empty DN.
    pub fn is_root(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many RDNs.
    pub fn depth(&self) -> usize {
        self.ends.len()
    }

    /// What is forwarded and shown: canonical RFC 4514 text, the values as they were written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The normalised form: equal exactly for equal names, and a prefix of the key of every name below.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether this is `ancestor` or below it.
    pub fn is_within(&self, ancestor: &Dn) -> bool {
        self.key.starts_with(&ancestor.key)
    }

    /// Whether `parent` is directly above this.
    pub fn is_child_of(&self, parent: &Dn) -> bool {
        self.depth() == parent.depth() + 1 && self.is_within(parent)
    }

    /// The keys of this name and all names above it, from the root's (empty) key down to its own.
    pub fn lineage(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.key[..0]).chain(self.ends.iter().map(|end| &self.key[..*end as usize]))
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Dn) -> bool {
        self.key == other.key
    }
}

impl Eq for Dn {}

impl PartialOrd for Dn {
    fn partial_cmp(&self, other: &Dn) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dn {
    fn cmp(&self, other: &Dn) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl std::hash::Hash for Dn {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// So that maps by DN can be asked with a key (see [`Dn::lineage`]).
impl std::borrow::Borrow<[u8]> for Dn {
    fn borrow(&self) -> &[u8] {
        &self.key
    }
}

impl std::fmt::Debug for Dn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dn({})", self.text)
    }
}

impl std::fmt::Display for Dn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
