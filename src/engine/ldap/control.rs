//! Controls (RFC 4511 4.1.11) as (oid, criticality, value), and what is known of each.

/// One control of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control<'a> {
    /// Which control. Checked to be a numeric OID (RFC 4512 1.4).
    pub oid: &'a str,
    /// Whether the operation must fail when the control cannot be honoured.
    pub critical: bool,
    /// `None` and `Some(b"")` are different things.
    pub value: Option<&'a [u8]>,
}
