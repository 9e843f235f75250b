//! Attribute descriptions (RFC 4512 2.5): a type, by name or OID, and options. Also what a numeric
//! OID looks like (RFC 4512 1.4). How names are compared is `schema`'s business.

/// An attribute description as a client wrote it. Any octets: what a directory makes of an
/// unusual name is the directory's business; how names are compared is `schema`'s.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttributeDescription<'a>(pub &'a [u8]);

impl<'a> AttributeDescription<'a> {
    /// The type: what stands before the first `;`.
    #[inline]
    pub fn attribute_type(self) -> &'a [u8] {
        self.split().0
    }

    /// The options behind the type, in the order given. `a;` has one, which is empty.
    pub fn options(self) -> impl Iterator<Item = &'a [u8]> {
        self.split().1.into_iter().flat_map(|options| options.split(|octet| *octet == b';'))
    }

    #[inline]
    fn split(self) -> (&'a [u8], Option<&'a [u8]>) {
        match self.0.iter().position(|octet| *octet == b';') {
            Some(at) => (self.0.get(..at).unwrap_or(self.0), self.0.get(at + 1..)),
            None => (self.0, None),
        }
    }
}

impl std::fmt::Debug for AttributeDescription<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// These octets as text, if they are a numeric OID (RFC 4512 1.4): numbers without leading zeros,
/// at least two, with dots between.
#[inline]
pub fn numeric_oid(octets: &[u8]) -> Option<&str> {
    let mut numbers = 0;
    for number in octets.split(|octet| *octet == b'.') {
        let well_formed = match number {
            [] => false,
            [b'0', _, ..] => false,
            digits => digits.iter().all(u8::is_ascii_digit),
        };
        if !well_formed {
            return None;
        }
        numbers += 1;
    }
    if numbers < 2 {
        return None;
    }
    std::str::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_a_type_and_options() {
        for (description, attribute_type, options) in [
            ("cn", "cn", &[][..]),
            ("cn;lang-de", "cn", &["lang-de"]),
            ("2.5.4.3;a;b", "2.5.4.3", &["a", "b"]),
            ("cn;", "cn", &[""]),
            (";a", "", &["a"]),
            ("", "", &[]),
        ] {
            let description = AttributeDescription(description.as_bytes());
            assert_eq!(description.attribute_type(), attribute_type.as_bytes(), "{description:?}");
            assert!(description.options().eq(options.iter().map(|option| option.as_bytes())), "{description:?}");
        }
    }

    #[test]
    fn numeric_oids() {
        for oid in ["1.2", "0.0", "2.16.840.1.113730.3.4.2", "1.0.10"] {
            assert_eq!(numeric_oid(oid.as_bytes()), Some(oid));
        }
        for other in ["", "1", ".", "1.", ".1", "1..2", "01.2", "1.00", "1.2x", "1.-2", "cn", "1.2 ", "1.\u{663}"] {
            assert_eq!(numeric_oid(other.as_bytes()), None, "{other}");
        }
    }
}
