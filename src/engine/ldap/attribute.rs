//! Attribute descriptions (RFC 4512 2.5): a type, by name or OID, and options.

/// An attribute description as a client wrote it. Any octets: what a directory makes of an
/// unusual name is the directory's business; how names are compared is `schema`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttributeDescription<'a>(pub &'a [u8]);
