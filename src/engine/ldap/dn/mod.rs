//! Distinguished names (RFC 4514), compared as the directory compares them (RFC 4517, RFC 4518).
//!
//! Directories do not agree on what is equal: `ou=löhne` is `ou=lohne` to Active Directory alone. So a [`Dn`] has two
//! comparisons. `==`, [`Dn::is_within`] and the key are as *coarse* as any directory: they protect. [`Dn::is_surely`] and
//! [`Dn::is_surely_within`] are as *fine* as any: they open. The wrong one for a look-alike name protects too much or
//! opens too little, never the reverse. A part of a name whose type or value is not understood, by the standard or by
//! the directory's schema ([`Naming`]), is *vague*: to what is protected it may be any part, and it opens only itself.

mod escape;
pub mod extended;
mod fold;
mod naming;
mod parse;
mod prepare;
#[cfg(test)]
mod tests;

pub use naming::Naming;
pub use parse::{MAX_LENGTH, MAX_RDNS};

use std::borrow::Cow;

/// A parsed distinguished name. Equality, order and hash are the coarse ones: they may hold
/// between names that some directory tells apart. To open something, ask [`Dn::is_surely`].
#[derive(Clone)]
pub struct Dn {
    /// The canonical rendering, the values in their own case and spelling.
    text: Box<str>,
    /// Normalised RDNs, root first, each self-delimiting, so that ancestry is a test on whole RDNs.
    key: Box<[u8]>,
    /// End of each RDN in `key`, root first.
    ends: Box<[u32]>,
    /// What most names do not have.
    odd: Option<Box<Odd>>,
    /// A bit for each attribute type in it (see [`super::schema::type_bit`]); there may be more.
    types: u64,
}

/// What tells a name from one that every directory compares in the same way.
#[derive(Clone)]
struct Odd {
    /// The fine form, laid out like `key`; `None` where it is the same as `key`.
    certain: Option<Box<[u8]>>,
    /// A bit for each RDN, root first, that may be any RDN. There are fewer RDNs than bits.
    vague: u128,
}

impl Odd {
    fn new(certain: Option<Box<[u8]>>, vague: u128) -> Option<Box<Odd>> {
        (certain.is_some() || vague != 0).then(|| Box::new(Odd { certain, vague }))
    }
}

/// Why octets are not a DN that can be decided upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a distinguished name of RFC 4514")]
pub struct DnError;

impl Dn {
    /// The empty DN: the rootDSE, or nobody.
    pub fn root() -> Dn {
        Dn { text: "".into(), key: Box::new([]), ends: Box::new([]), odd: None, types: 0 }
    }

    /// Reads a name. Refused besides what RFC 4514 does not allow: forms of older RFCs (semicolons,
    /// quotes, `OID.`), options, `<GUID=…>` and its like, NUL, values in `#hex` that are not strings,
    /// more than [`MAX_LENGTH`] octets (as given or written out again) or [`MAX_RDNS`] RDNs.
    pub fn parse(octets: &[u8]) -> Result<Dn, DnError> {
        parse::parse(octets, 0, None)
    }

    /// The same name, as the directory of this schema reads it. The text is the same. Costs nothing
    /// for a name whose attribute types mean to the directory what the standard says.
    pub fn resolved(&self, naming: &Naming) -> Cow<'_, Dn> {
        if !naming.concerns(self.types) {
            return Cow::Borrowed(self);
        }
        Cow::Owned(parse::parse(self.text.as_bytes(), 0, Some(naming)).unwrap_or_else(|DnError| {
            // What was read before can be read again, but for its length.
            Dn { odd: Odd::new(self.certain().map(Into::into), u128::MAX), ..self.clone() }
        }))
    }

    /// As [`Dn::resolved`], in its place.
    pub fn resolve(&mut self, naming: &Naming) {
        if let Cow::Owned(resolved) = self.resolved(naming) {
            *self = resolved;
        }
    }

    /// The same name, read by the standard alone: what [`Dn::resolved`] made of it is undone.
    #[must_use]
    pub fn as_written(&self) -> Dn {
        Dn::parse(self.text.as_bytes()).unwrap_or_else(|DnError| self.clone())
    }

    /// Whether its two forms are one: to no directory does it look like another name.
    pub fn is_plain(&self) -> bool {
        self.odd.is_none()
    }

    /// The fine form: equal exactly for names that every directory takes for one. Without the directory's schema it
    /// is the same at all times.
    pub fn fine_key(&self) -> &[u8] {
        self.certain_key()
    }

    /// Whether a part of it may be any part: its attribute type, or how its value compares, is not known.
    pub fn is_vague(&self) -> bool {
        self.vague() != 0
    }

    fn vague(&self) -> u128 {
        self.odd.as_ref().map_or(0, |odd| odd.vague)
    }

    /// The fine form, where it is another than the coarse one.
    fn certain(&self) -> Option<&[u8]> {
        self.odd.as_ref()?.certain.as_deref()
    }

    /// The name of the entry `rdn` (of depth one) below `parent`.
    pub fn join(rdn: &Dn, parent: &Dn) -> Dn {
        let text = match (rdn.is_root(), parent.is_root()) {
            (false, false) => format!("{},{}", rdn.text, parent.text).into(),
            (false, true) => rdn.text.clone(),
            (true, _) => parent.text.clone(),
        };
        let shift = parent.key.len() as u32;
        let vague = parent.vague() | rdn.vague().checked_shl(parent.depth() as u32).unwrap_or(u128::MAX);
        let certain = (rdn.certain().is_some() || parent.certain().is_some())
            .then(|| [parent.certain_key(), rdn.certain_key()].concat().into());
        Dn {
            text,
            key: [&*parent.key, &*rdn.key].concat().into(),
            ends: parent.ends.iter().copied().chain(rdn.ends.iter().map(|end| end + shift)).collect(),
            odd: Odd::new(certain, vague),
            types: rdn.types | parent.types,
        }
    }

    /// The name directly above; `None` for the root.
    pub fn parent(&self) -> Option<Dn> {
        let (_, ends) = self.ends.split_last()?;
        let key: Box<[u8]> = self.key.get(..ends.last().map_or(0, |end| *end as usize))?.into();
        let certain = self.certain().and_then(|certain| {
            let inside = certain.split_last()?.1;
            let above = inside.iter().rposition(|octet| *octet == parse::END).map_or(0, |at| at + 1);
            let certain: Box<[u8]> = certain.get(..above)?.into();
            (certain != key).then_some(certain)
        });
        let text = self.text.get(self.rdn_text().len()..)?.trim_start_matches(',').into();
        let vague = self.vague() & !u128::MAX.checked_shl(ends.len() as u32).unwrap_or(0);
        Some(Dn { text, key, ends: ends.into(), odd: Odd::new(certain, vague), types: self.types })
    }

    /// The first RDN of the text, as it is written there.
    fn rdn_text(&self) -> &str {
        let mut escaped = false;
        let end = self.text.bytes().position(|octet| {
            let separator = octet == b',' && !escaped;
            escaped = octet == b'\\' && !escaped;
            separator
        });
        end.and_then(|end| self.text.get(..end)).unwrap_or(&self.text)
    }

    /// The text of the name directly above; that of the root for the root.
    pub fn text_above(&self) -> &str {
        self.text.get(self.rdn_text().len()..).unwrap_or_default().strip_prefix(',').unwrap_or_default()
    }

    /// The attribute types of the first RDN, as they are forwarded.
    pub fn naming_types(&self) -> impl Iterator<Item = &str> {
        let mut escaped = false;
        let parts = self.rdn_text().split(move |character| {
            let separator = character == '+' && !escaped;
            escaped = character == '\\' && !escaped;
            separator
        });
        parts.filter_map(|part| Some(part.split_once('=')?.0))
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

    /// Whether every directory takes the two for one name. What opens something asks this.
    pub fn is_surely(&self, other: &Dn) -> bool {
        self.certain_key() == other.certain_key()
    }

    /// Whether every directory takes this for `ancestor` or a name below it. What opens something
    /// asks this.
    pub fn is_surely_within(&self, ancestor: &Dn) -> bool {
        self.certain_key().starts_with(ancestor.certain_key())
    }

    fn certain_key(&self) -> &[u8] {
        self.certain().unwrap_or(&self.key)
    }

    /// Whether this may be `ancestor` or below it. What protects something asks this.
    pub fn is_within(&self, ancestor: &Dn) -> bool {
        self.key.starts_with(&ancestor.key)
            || (self.odd.is_some() || ancestor.odd.is_some()) && self.may_be_within(ancestor)
    }

    /// Whether some directory may take the two for one name. What protects something asks this.
    pub fn may_be(&self, other: &Dn) -> bool {
        self.depth() == other.depth() && self.is_within(other)
    }

    /// [`Dn::is_within`], one RDN after the other: a vague one is like any.
    fn may_be_within(&self, ancestor: &Dn) -> bool {
        let either = self.vague() | ancestor.vague();
        let alike = |at: usize| either >> at & 1 == 1 || self.rdn(at) == ancestor.rdn(at);
        either != 0 && ancestor.depth() <= self.depth() && (0..ancestor.depth()).all(alike)
    }

    /// The coarse form of one RDN, root first.
    fn rdn(&self, at: usize) -> Option<&[u8]> {
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.key.get(start as usize..*self.ends.get(at)? as usize)
    }

    /// Whether `parent` may be directly above this.
    pub fn is_child_of(&self, parent: &Dn) -> bool {
        self.depth() == parent.depth() + 1 && self.is_within(parent)
    }

    /// The keys of this name and all names above it, from the root's (empty) key down to its own.
    pub fn lineage(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.key[..0]).chain(self.ends.iter().map(|end| &self.key[..*end as usize]))
    }
}

impl std::str::FromStr for Dn {
    type Err = DnError;

    fn from_str(text: &str) -> Result<Dn, DnError> {
        Dn::parse(text.as_bytes())
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
