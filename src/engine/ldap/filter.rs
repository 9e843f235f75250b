//! Search filters (RFC 4511 4.5.1.7; text form RFC 4515).

use super::attribute::AttributeDescription;
use super::ber::{self, BerError, Reader, universal};

mod text;

pub use text::MASK;

/// A search filter. Values are octets: they need not be UTF-8.
#[derive(Clone, PartialEq, Eq)]
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

/// Filters nested deeper than this are refused (OpenLDAP CVE-2020-12243).
pub const MAX_DEPTH: usize = 64;
/// Filters of more parts than this are refused, where nothing else is configured: as many names as fit into a message of
/// 16 MiB. Each takes 72 octets while the request is decided.
pub const MAX_NODES: usize = 600_000;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUALITY: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER_OR_EQUAL: u8 = 0xa5;
const LESS_OR_EQUAL: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

const RULE: u8 = 0x81;
const TYPE: u8 = 0x82;
const VALUE: u8 = 0x83;
const DN_ATTRIBUTES: u8 = 0x84;

/// What is wrong with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub enum FilterError {
    /// Not the encoding of a filter.
    Ber(#[from] BerError),
    /// A choice that RFC 4511 does not have.
    Unknown,
    /// Substrings without a part, with an empty one, or with parts out of order.
    Substrings,
    /// An extensible match with neither rule nor attribute.
    Extensible,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More parts than this many, which are allowed.
    TooLarge(usize),
}

impl FilterError {
    /// What is wrong, for a diagnostic message.
    pub fn describe(self) -> &'static str {
        match self {
            FilterError::Ber(_) => "malformed filter",
            FilterError::Unknown => "unknown kind of filter",
            FilterError::Substrings => "malformed substrings in filter",
            FilterError::Extensible => "extensible match without rule and attribute",
            FilterError::TooDeep => "filter nested too deeply",
            FilterError::TooLarge(_) => "filter has too many parts",
        }
    }
}

impl<'a> Filter<'a> {
    /// Decodes the next element as a filter of [`MAX_NODES`] parts at most.
    #[inline]
    pub fn decode(reader: &mut Reader<'a>) -> Result<Filter<'a>, FilterError> {
        Filter::decode_within(reader, MAX_NODES)
    }

    /// Decodes the next element as a filter of so many parts at most. Takes time and memory in its length.
    #[inline]
    pub fn decode_within(reader: &mut Reader<'a>, max_parts: usize) -> Result<Filter<'a>, FilterError> {
        let mut nodes = max_parts;
        decode(reader, MAX_DEPTH, &mut nodes).map_err(|error| match error {
            FilterError::TooLarge(_) => FilterError::TooLarge(max_parts),
            other => other,
        })
    }

    /// Appends the canonical encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Filter::And(parts) => encode_list(out, AND, parts),
            Filter::Or(parts) => encode_list(out, OR, parts),
            Filter::Not(part) => ber::write_constructed(out, NOT, |out| part.encode(out)),
            Filter::Equality { attribute, value } => encode_assertion(out, EQUALITY, *attribute, value),
            Filter::GreaterOrEqual { attribute, value } => encode_assertion(out, GREATER_OR_EQUAL, *attribute, value),
            Filter::LessOrEqual { attribute, value } => encode_assertion(out, LESS_OR_EQUAL, *attribute, value),
            Filter::Approximate { attribute, value } => encode_assertion(out, APPROXIMATE, *attribute, value),
            Filter::Present(attribute) => ber::write_element(out, PRESENT, attribute.0),
            Filter::Substrings { attribute, initial, any, last } => ber::write_constructed(out, SUBSTRINGS, |out| {
                ber::write_octets(out, attribute.0);
                ber::write_constructed(out, universal::SEQUENCE, |out| {
                    let initial = initial.iter().map(|part| (INITIAL, part));
                    let any = any.iter().map(|part| (ANY, part));
                    let last = last.iter().map(|part| (FINAL, part));
                    initial.chain(any).chain(last).for_each(|(tag, part)| ber::write_element(out, tag, part));
                });
            }),
            Filter::Extensible { rule, attribute, value, dn_attributes } => {
                ber::write_constructed(out, EXTENSIBLE, |out| {
                    if let Some(rule) = rule {
                        ber::write_element(out, RULE, rule);
                    }
                    if let Some(attribute) = attribute {
                        ber::write_element(out, TYPE, attribute.0);
                    }
                    ber::write_element(out, VALUE, value);
                    // DEFAULT FALSE: left out (RFC 4511 5.1 (4)).
                    if *dn_attributes {
                        ber::write_boolean(out, DN_ATTRIBUTES, true);
                    }
                });
            }
        }
    }

    /// Visits this filter and everything in it, outside first.
    pub fn walk<'f>(&'f self, visit: &mut dyn FnMut(&'f Filter<'a>)) {
        visit(self);
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Filter::Not(part) => part.walk(visit),
            Filter::Equality { .. }
            | Filter::Substrings { .. }
            | Filter::GreaterOrEqual { .. }
            | Filter::LessOrEqual { .. }
            | Filter::Present(_)
            | Filter::Approximate { .. }
            | Filter::Extensible { .. } => {}
        }
    }

    /// The attribute that this part itself asserts something about. None for and, or, not, and for an
    /// extensible match with a rule alone, which is about every attribute.
    pub fn attribute(&self) -> Option<AttributeDescription<'a>> {
        match self {
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) => None,
            Filter::Equality { attribute, .. }
            | Filter::Substrings { attribute, .. }
            | Filter::GreaterOrEqual { attribute, .. }
            | Filter::LessOrEqual { attribute, .. }
            | Filter::Approximate { attribute, .. }
            | Filter::Present(attribute) => Some(*attribute),
            Filter::Extensible { attribute, .. } => *attribute,
        }
    }
}

fn decode<'a>(reader: &mut Reader<'a>, depth: usize, nodes: &mut usize) -> Result<Filter<'a>, FilterError> {
    *nodes = nodes.checked_sub(1).ok_or(FilterError::TooLarge(0))?;
    let (tag, content) = reader.element()?;
    let mut inside = Reader::new(content);
    let filter = match tag {
        AND => Filter::And(decode_list(&mut inside, depth, nodes)?),
        OR => Filter::Or(decode_list(&mut inside, depth, nodes)?),
        NOT => {
            let depth = depth.checked_sub(1).ok_or(FilterError::TooDeep)?;
            Filter::Not(Box::new(decode(&mut inside, depth, nodes)?))
        }
        EQUALITY => {
            let (attribute, value) = decode_assertion(&mut inside)?;
            Filter::Equality { attribute, value }
        }
        GREATER_OR_EQUAL => {
            let (attribute, value) = decode_assertion(&mut inside)?;
            Filter::GreaterOrEqual { attribute, value }
        }
        LESS_OR_EQUAL => {
            let (attribute, value) = decode_assertion(&mut inside)?;
            Filter::LessOrEqual { attribute, value }
        }
        APPROXIMATE => {
            let (attribute, value) = decode_assertion(&mut inside)?;
            Filter::Approximate { attribute, value }
        }
        PRESENT => return Ok(Filter::Present(AttributeDescription(ber::name_content(content)?))),
        SUBSTRINGS => decode_substrings(&mut inside)?,
        EXTENSIBLE => decode_extensible(&mut inside)?,
        _ => return Err(FilterError::Unknown),
    };
    inside.finish()?;
    Ok(filter)
}

fn decode_list<'a>(inside: &mut Reader<'a>, depth: usize, nodes: &mut usize) -> Result<Vec<Filter<'a>>, FilterError> {
    let depth = depth.checked_sub(1).ok_or(FilterError::TooDeep)?;
    // Each element is counted once at its own level: memory is what the parts take, however many there are.
    let mut ahead = *inside;
    let mut count = 0;
    while !ahead.is_empty() {
        ahead.element()?;
        count += 1;
        if count > *nodes {
            return Err(FilterError::TooLarge(0));
        }
    }
    let mut parts = Vec::with_capacity(count);
    while !inside.is_empty() {
        parts.push(decode(inside, depth, nodes)?);
    }
    Ok(parts)
}

#[inline]
fn decode_assertion<'a>(inside: &mut Reader<'a>) -> Result<(AttributeDescription<'a>, &'a [u8]), FilterError> {
    Ok((AttributeDescription(inside.name()?), inside.octets()?))
}

/// RFC 4511 4.5.1.7.2: at least one part; initial only first, final only last. RFC 4517 3.3.30: none is empty.
fn decode_substrings<'a>(inside: &mut Reader<'a>) -> Result<Filter<'a>, FilterError> {
    let attribute = AttributeDescription(inside.name()?);
    let mut parts = inside.sequence()?;
    if parts.is_empty() {
        return Err(FilterError::Substrings);
    }
    let initial = parts.optional(INITIAL)?;
    let mut any = Vec::new();
    while let Some(part) = parts.optional(ANY)? {
        any.push(part);
    }
    let last = parts.optional(FINAL)?;
    parts.finish().map_err(|_| FilterError::Substrings)?;
    // OpenLDAP stops at an empty part and reads what is left of the assertion as what comes behind it: further
    // filters, or the list of attributes.
    if initial.iter().chain(&any).chain(&last).any(|part| part.is_empty()) {
        return Err(FilterError::Substrings);
    }
    Ok(Filter::Substrings { attribute, initial, any, last })
}

/// RFC 4511 4.5.1.7.7.
fn decode_extensible<'a>(inside: &mut Reader<'a>) -> Result<Filter<'a>, FilterError> {
    let rule = inside.optional(RULE)?.map(ber::name_content).transpose()?;
    let attribute = inside.optional(TYPE)?.map(ber::name_content).transpose()?.map(AttributeDescription);
    let value = inside.expect(VALUE)?;
    let dn_attributes = match inside.optional(DN_ATTRIBUTES)? {
        Some(content) => ber::boolean_content(content)?,
        None => false,
    };
    if rule.is_none() && attribute.is_none() {
        return Err(FilterError::Extensible);
    }
    Ok(Filter::Extensible { rule, attribute, value, dn_attributes })
}

fn encode_list(out: &mut Vec<u8>, tag: u8, parts: &[Filter<'_>]) {
    ber::write_constructed(out, tag, |out| parts.iter().for_each(|part| part.encode(out)));
}

fn encode_assertion(out: &mut Vec<u8>, tag: u8, attribute: AttributeDescription<'_>, value: &[u8]) {
    ber::write_constructed(out, tag, |out| {
        ber::write_octets(out, attribute.0);
        ber::write_octets(out, value);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_visits_every_part_outside_first() {
        let [a, b, c] = [&b"a"[..], b"b", b"c"].map(AttributeDescription);
        let filter = Filter::And(vec![
            Filter::Present(a),
            Filter::Not(Box::new(Filter::Or(vec![
                Filter::Extensible { rule: None, attribute: Some(b), value: b"", dn_attributes: false },
                Filter::Extensible { rule: Some(b"r"), attribute: None, value: b"", dn_attributes: true },
            ]))),
            Filter::Substrings { attribute: c, initial: None, any: vec![b"x"], last: None },
        ]);
        let mut seen = Vec::new();
        filter.walk(&mut |part| seen.push(part.attribute()));
        assert_eq!(seen, [None, Some(a), None, None, Some(b), None, Some(c)]);
    }
}
