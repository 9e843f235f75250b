//! Search filters (RFC 4511 4.5.1.7; text form RFC 4515).

use super::attribute::AttributeDescription;

/// A search filter. Values are octets: they need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 4511")]
pub enum Filter<'a> {
    /// True when empty (RFC 4526).
    And(Vec<Filter<'a>>),
    /// False when empty (RFC 4526).
    Or(Vec<Filter<'a>>),
    Not(Box<Filter<'a>>),
    Equality {
        attribute: AttributeDescription<'a>,
        value: &'a [u8],
    },
    Substrings {
        attribute: AttributeDescription<'a>,
        initial: Option<&'a [u8]>,
        any: Vec<&'a [u8]>,
        last: Option<&'a [u8]>,
    },
    GreaterOrEqual {
        attribute: AttributeDescription<'a>,
        value: &'a [u8],
    },
    LessOrEqual {
        attribute: AttributeDescription<'a>,
        value: &'a [u8],
    },
    Present(AttributeDescription<'a>),
    Approximate {
        attribute: AttributeDescription<'a>,
        value: &'a [u8],
    },
    Extensible {
        rule: Option<&'a [u8]>,
        attribute: Option<AttributeDescription<'a>>,
        value: &'a [u8],
        dn_attributes: bool,
    },
}
