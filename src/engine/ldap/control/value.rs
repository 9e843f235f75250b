//! What stands in the values of controls: read strictly, and written again from what was read, so that what
//! was checked is what is forwarded. Knows the syntaxes, not which control has which.

use crate::engine::ldap::attribute::AttributeDescription;
use crate::engine::ldap::ber::{self, BerError, Reader, universal};
use crate::engine::ldap::dn::Dn;
use crate::engine::ldap::filter::{Filter, FilterError};
use crate::engine::ldap::request::MAX_LIST;

mod encode;
#[cfg(test)]
mod tests;

const ORDERING_RULE: u8 = 0x80;
const REVERSE_ORDER: u8 = 0x81;
const BY_OFFSET: u8 = 0xa0;
const BY_VALUE: u8 = 0x81;

/// How the value of a control is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// There is none.
    Absent,
    /// RFC 2696 2.
    Pages,
    /// RFC 2891 1.1.
    SortKeys,
    /// draft-ietf-ldapext-ldapv3-vlv-09 6.1.
    VirtualList,
    /// A BOOLEAN (RFC 3672 3).
    Boolean,
    /// A filter (RFC 4528 3).
    Filter,
    /// An AttributeSelection (RFC 4527 3.1).
    Attributes,
    /// RFC 3876 2.
    ValueFilters,
    /// draft-masarati-ldap-deref-00.
    Dereferences,
    /// An authzId, not encoded (RFC 4370 3).
    AuthorizationId,
    /// A DN in a sequence (draft-weltman-ldapv3-proxy-04 4).
    AuthorizationDn,
    /// RFC 4533 2.2.
    Sync,
    /// draft-ietf-ldapext-psearch-03 4.
    Changes,
    /// MS-ADTS 3.1.1.3.4.1.3.
    DirSync,
    /// A number in a sequence (MS-ADTS 3.1.1.3.4.1.11, .12).
    Number,
    /// The same, or none (MS-ADTS 3.1.1.3.4.1.5).
    OptionalNumber,
    /// An attribute in a sequence (MS-ADTS 3.1.1.3.4.1.18).
    SourceAttribute,
    /// draft-wahl-ldap-session-03 2.
    Tracking,
}

/// What a control says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the specifications")]
pub enum Value<'a> {
    Absent,
    Pages { size: i32, cookie: &'a [u8] },
    SortKeys(Vec<SortKey<'a>>),
    VirtualList { before: i32, after: i32, target: ListTarget<'a>, context: Option<&'a [u8]> },
    Boolean(bool),
    Filter(Filter<'a>),
    Attributes(Vec<AttributeDescription<'a>>),
    ValueFilters(Vec<Filter<'a>>),
    Dereferences(Vec<Dereference<'a>>),
    AuthorizationId(&'a [u8]),
    AuthorizationDn(Dn),
    Sync { mode: SyncMode, cookie: Option<&'a [u8]>, reload_hint: bool },
    Changes { types: i32, changes_only: bool, notify: bool },
    DirSync { flags: i32, size: i32, cookie: &'a [u8] },
    Number(i32),
    OptionalNumber(Option<i32>),
    SourceAttribute(AttributeDescription<'a>),
    Tracking([&'a [u8]; 4]),
}

/// One of the keys to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 2891")]
pub struct SortKey<'a> {
    pub attribute: AttributeDescription<'a>,
    pub rule: Option<&'a [u8]>,
    pub reverse: bool,
}

/// Where in a sorted list a view is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the draft")]
pub enum ListTarget<'a> {
    Offset { offset: i32, content_count: i32 },
    Value(&'a [u8]),
}

/// Whose attributes are to be told beside an entry: those of the entries that one of its attributes names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the draft")]
pub struct Dereference<'a> {
    pub source: AttributeDescription<'a>,
    pub attributes: Vec<AttributeDescription<'a>>,
}

/// RFC 4533 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 4533")]
pub enum SyncMode {
    RefreshOnly = 1,
    RefreshAndPersist = 3,
}

/// What is wrong with the value of a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub enum ValueError {
    /// There is none.
    Missing,
    /// There is one.
    Unexpected,
    /// Not the encoding that its specification gives.
    Ber(#[from] BerError),
    /// A filter that is none, or is of a kind that has no place here.
    Filter,
    /// A filter of more parts or levels than are read.
    FilterLimit,
    /// A number that means nothing.
    Range,
    /// A name that is not a DN.
    Name,
    /// A list without end, or without anything in it.
    Length,
}

impl ValueError {
    /// What is wrong, for a diagnostic message.
    pub fn describe(self) -> &'static str {
        match self {
            ValueError::Missing => "control without value",
            ValueError::Unexpected => "control has no value by its specification",
            ValueError::Ber(_) => "malformed control value",
            ValueError::Filter => "malformed filter in control",
            ValueError::FilterLimit => "the filter in the control has more parts or levels than are allowed here",
            ValueError::Range => "number out of range in control",
            ValueError::Name => "invalid DN in control",
            ValueError::Length => "empty or overlong list in control",
        }
    }
}

impl From<FilterError> for ValueError {
    fn from(error: FilterError) -> ValueError {
        match error {
            FilterError::TooLarge(_) | FilterError::TooDeep => ValueError::FilterLimit,
            FilterError::Ber(_) | FilterError::Unknown | FilterError::Substrings | FilterError::Extensible => {
                ValueError::Filter
            }
        }
    }
}

impl<'a> Value<'a> {
    /// Reads a control's value, to its end.
    pub fn decode(syntax: Syntax, octets: Option<&'a [u8]>) -> Result<Value<'a>, ValueError> {
        match (syntax, octets) {
            // Some libraries write an empty one where there should be none.
            (Syntax::Absent, None | Some([])) => return Ok(Value::Absent),
            (Syntax::Absent, Some(_)) => return Err(ValueError::Unexpected),
            (Syntax::OptionalNumber, None | Some([])) => return Ok(Value::OptionalNumber(None)),
            (_, None) => return Err(ValueError::Missing),
            (Syntax::AuthorizationId, Some(octets)) => return Ok(Value::AuthorizationId(octets)),
            (_, Some(_)) => {}
        }
        let mut outside = Reader::new(octets.unwrap_or_default());
        let value = match syntax {
            Syntax::Boolean => Value::Boolean(outside.boolean()?),
            Syntax::Filter => Value::Filter(Filter::decode(&mut outside)?),
            _ => {
                let mut inside = outside.sequence()?;
                let value = sequence(syntax, &mut inside)?;
                inside.finish()?;
                value
            }
        };
        outside.finish()?;
        Ok(value)
    }
}

/// What stands in the sequence that most values are.
fn sequence<'a>(syntax: Syntax, inside: &mut Reader<'a>) -> Result<Value<'a>, ValueError> {
    Ok(match syntax {
        Syntax::Pages => Value::Pages { size: count(inside.integer()?)?, cookie: inside.octets()? },
        Syntax::SortKeys => Value::SortKeys(some(list(inside, sort_key)?)?),
        Syntax::VirtualList => virtual_list(inside)?,
        Syntax::Attributes => Value::Attributes(list(inside, attribute)?),
        Syntax::ValueFilters => Value::ValueFilters(some(list(inside, value_filter)?)?),
        Syntax::Dereferences => Value::Dereferences(some(list(inside, dereference)?)?),
        Syntax::AuthorizationDn => Value::AuthorizationDn(Dn::parse(inside.octets()?).map_err(|_| ValueError::Name)?),
        Syntax::Sync => Value::Sync {
            mode: match inside.enumerated()? {
                1 => SyncMode::RefreshOnly,
                3 => SyncMode::RefreshAndPersist,
                _ => return Err(ValueError::Range),
            },
            cookie: inside.optional(universal::OCTET_STRING)?,
            reload_hint: default_false(inside.optional(universal::BOOLEAN)?)?,
        },
        Syntax::Changes => Value::Changes {
            types: Some(inside.integer()?).filter(|types| (1..=15).contains(types)).ok_or(ValueError::Range)?,
            changes_only: inside.boolean()?,
            notify: inside.boolean()?,
        },
        Syntax::DirSync => {
            Value::DirSync { flags: inside.integer()?, size: inside.integer()?, cookie: inside.octets()? }
        }
        Syntax::Number => Value::Number(inside.integer()?),
        Syntax::OptionalNumber => Value::OptionalNumber(Some(inside.integer()?)),
        Syntax::SourceAttribute => Value::SourceAttribute(attribute(inside)?),
        Syntax::Tracking => Value::Tracking([inside.octets()?, inside.octets()?, inside.octets()?, inside.octets()?]),
        // Those that are no sequence.
        Syntax::Absent | Syntax::Boolean | Syntax::Filter | Syntax::AuthorizationId => {
            return Err(BerError::UnexpectedTag.into());
        }
    })
}

/// A number of entries: `0..maxInt`.
fn count(number: i32) -> Result<i32, ValueError> {
    if number < 0 { Err(ValueError::Range) } else { Ok(number) }
}

fn default_false(content: Option<&[u8]>) -> Result<bool, BerError> {
    content.map_or(Ok(false), ber::boolean_content)
}

fn list<'a, T>(
    inside: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, ValueError>,
) -> Result<Vec<T>, ValueError> {
    let mut out = Vec::new();
    while !inside.is_empty() {
        if out.len() == MAX_LIST {
            return Err(ValueError::Length);
        }
        out.push(item(inside)?);
    }
    Ok(out)
}

fn some<T>(list: Vec<T>) -> Result<Vec<T>, ValueError> {
    if list.is_empty() { Err(ValueError::Length) } else { Ok(list) }
}

fn attribute<'a>(inside: &mut Reader<'a>) -> Result<AttributeDescription<'a>, ValueError> {
    Ok(AttributeDescription(inside.octets()?))
}

fn sort_key<'a>(inside: &mut Reader<'a>) -> Result<SortKey<'a>, ValueError> {
    let mut key = inside.sequence()?;
    let attribute = attribute(&mut key)?;
    let rule = key.optional(ORDERING_RULE)?;
    let reverse = default_false(key.optional(REVERSE_ORDER)?)?;
    key.finish()?;
    Ok(SortKey { attribute, rule, reverse })
}

fn virtual_list<'a>(inside: &mut Reader<'a>) -> Result<Value<'a>, ValueError> {
    let (before, after) = (count(inside.integer()?)?, count(inside.integer()?)?);
    let target = match inside.peek_tag() {
        Some(BY_OFFSET) => {
            let mut by_offset = inside.constructed(BY_OFFSET)?;
            let (offset, content_count) = (count(by_offset.integer()?)?, count(by_offset.integer()?)?);
            by_offset.finish()?;
            ListTarget::Offset { offset, content_count }
        }
        _ => ListTarget::Value(inside.expect(BY_VALUE)?),
    };
    Ok(Value::VirtualList { before, after, target, context: inside.optional(universal::OCTET_STRING)? })
}

/// RFC 3876 2: no and, or, not, and nothing about the entry's name.
fn value_filter<'a>(inside: &mut Reader<'a>) -> Result<Filter<'a>, ValueError> {
    match Filter::decode(inside)? {
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::Extensible { dn_attributes: true, .. } => {
            Err(ValueError::Filter)
        }
        item @ (Filter::Equality { .. }
        | Filter::Substrings { .. }
        | Filter::GreaterOrEqual { .. }
        | Filter::LessOrEqual { .. }
        | Filter::Present(_)
        | Filter::Approximate { .. }
        | Filter::Extensible { dn_attributes: false, .. }) => Ok(item),
    }
}

fn dereference<'a>(inside: &mut Reader<'a>) -> Result<Dereference<'a>, ValueError> {
    let mut one = inside.sequence()?;
    let source = attribute(&mut one)?;
    let mut attributes = one.sequence()?;
    one.finish()?;
    Ok(Dereference { source, attributes: some(list(&mut attributes, attribute)?)? })
}
