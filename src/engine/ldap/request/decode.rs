//! From an envelope to a typed request. What the types cannot hold is an error, never passed by.

use super::{
    AddRequest, Attribute, Authentication, BindName, BindRequest, Change, ChangeKind, CompareRequest, DerefAliases,
    ExtendedRequest, MAX_LIST, ModifyRequest, RenameRequest, Request, RequestError, SearchRequest, SearchScope, oid,
};
use crate::engine::ldap::attribute::{AttributeDescription, numeric_oid};
use crate::engine::ldap::ber::{self, BerError, Reader, universal};
use crate::engine::ldap::dn::Dn;
use crate::engine::ldap::filter::{Filter, FilterError, MAX_DEPTH, MAX_NODES};
use crate::engine::ldap::message::{ClientMessageId, Envelope};
use crate::engine::ldap::result::ResultCode;
use crate::engine::ldap::tag;

impl<'a> Request<'a> {
    /// Decodes the operation of a request's envelope, completely: nothing is left over. Abandon and
    /// unbind that fail have no response to carry the error.
    pub fn decode(envelope: &Envelope<'a>) -> Result<Request<'a>, RequestError> {
        Request::decode_within(envelope, MAX_NODES)
    }

    /// As [`Request::decode`], with filters of so many parts at most.
    pub fn decode_within(envelope: &Envelope<'a>, max_filter_parts: usize) -> Result<Request<'a>, RequestError> {
        let mut reader = Reader::new(envelope.body);
        let request = match envelope.tag {
            tag::BIND_REQUEST => Request::Bind(bind(&mut reader)?),
            tag::SEARCH_REQUEST => Request::Search(search(&mut reader, max_filter_parts)?),
            tag::MODIFY_REQUEST => Request::Modify(modify(&mut reader)?),
            tag::ADD_REQUEST => Request::Add(add(&mut reader)?),
            tag::RENAME_REQUEST => Request::Rename(rename(&mut reader)?),
            tag::COMPARE_REQUEST => Request::Compare(compare(&mut reader)?),
            tag::EXTENDED_REQUEST => Request::Extended(extended(&mut reader)?),
            // These three are primitive: the body is the value itself.
            tag::DELETE_REQUEST => return Ok(Request::Delete(dn(envelope.body)?)),
            tag::ABANDON_REQUEST => return Ok(Request::Abandon(message_id(envelope.body)?)),
            tag::UNBIND_REQUEST => Request::Unbind,
            _ => return Err(malformed("not a request")),
        };
        reader.finish()?;
        Ok(request)
    }
}

fn malformed(message: &'static str) -> RequestError {
    RequestError { code: ResultCode::PROTOCOL_ERROR, message: message.into() }
}

impl From<BerError> for RequestError {
    fn from(error: BerError) -> RequestError {
        malformed(error.describe())
    }
}

impl From<FilterError> for RequestError {
    fn from(error: FilterError) -> RequestError {
        // RFC 4511 A.2: what is well-formed and beyond a bound is no error of the protocol.
        let limit = |message| RequestError { code: ResultCode::ADMIN_LIMIT_EXCEEDED, message };
        match error {
            FilterError::TooLarge(most) => {
                limit(format!("the filter has more parts than are allowed here: {most} (max_filter_parts)").into())
            }
            FilterError::TooDeep => limit(format!("the filter is nested deeper than {MAX_DEPTH} levels").into()),
            FilterError::Ber(_) | FilterError::Unknown | FilterError::Substrings | FilterError::Extensible => {
                malformed(error.describe())
            }
        }
    }
}

fn dn(octets: &[u8]) -> Result<Dn, RequestError> {
    Dn::parse(octets).map_err(|_| RequestError { code: ResultCode::INVALID_DN_SYNTAX, message: "invalid DN".into() })
}

/// RFC 4511 4.1.1.1.
fn message_id(content: &[u8]) -> Result<ClientMessageId, RequestError> {
    match ber::integer_content(content)? {
        id if id >= 0 => Ok(ClientMessageId(id)),
        _ => Err(malformed("message id out of range")),
    }
}

/// RFC 4511 4.2.
fn bind<'a>(reader: &mut Reader<'a>) -> Result<BindRequest<'a>, RequestError> {
    let version = reader.integer()?;
    let name = reader.octets()?;
    let name = Dn::parse(name).map_or(BindName::Other(name), BindName::Dn);
    let authentication = match reader.element()? {
        (super::SIMPLE, password) => Authentication::Simple(password),
        (super::SASL, content) => {
            let mut sasl = Reader::new(content);
            let mechanism = sasl.name()?;
            let credentials = sasl.optional(universal::OCTET_STRING)?;
            sasl.finish()?;
            Authentication::Sasl { mechanism, credentials }
        }
        (other, _) => Authentication::Other(other),
    };
    Ok(BindRequest { version, name, authentication })
}

/// RFC 4511 4.5.1.
fn search<'a>(reader: &mut Reader<'a>, max_filter_parts: usize) -> Result<SearchRequest<'a>, RequestError> {
    let base = dn(reader.octets()?)?;
    let scope = match reader.enumerated()? {
        0 => SearchScope::Base,
        1 => SearchScope::One,
        2 => SearchScope::Subtree,
        3 => SearchScope::Subordinate,
        _ => return Err(malformed("unknown search scope")),
    };
    let deref = match reader.enumerated()? {
        0 => DerefAliases::Never,
        1 => DerefAliases::InSearching,
        2 => DerefAliases::FindingBase,
        3 => DerefAliases::Always,
        _ => return Err(malformed("unknown alias dereferencing")),
    };
    let size_limit = reader.integer()?;
    let time_limit = reader.integer()?;
    if size_limit < 0 || time_limit < 0 {
        return Err(malformed("negative limit"));
    }
    let types_only = reader.boolean()?;
    let filter = Filter::decode_within(reader, max_filter_parts)?;
    let mut list = reader.sequence()?;
    let mut attributes = Vec::new();
    while !list.is_empty() {
        push(&mut attributes, AttributeDescription(list.name()?))?;
    }
    Ok(SearchRequest { base, scope, deref, size_limit, time_limit, types_only, filter, attributes })
}

impl<'a> Attribute<'a> {
    /// Decodes the next element as a partial attribute, which may have no values (RFC 4511 4.1.7).
    pub(in crate::engine::ldap) fn decode(reader: &mut Reader<'a>) -> Result<Attribute<'a>, BerError> {
        let mut attribute = reader.sequence()?;
        let description = AttributeDescription(attribute.name()?);
        let mut set = attribute.constructed(universal::SET)?;
        attribute.finish()?;
        let mut values = Vec::new();
        while !set.is_empty() {
            values.push(set.octets()?);
        }
        Ok(Attribute { description, values })
    }
}

/// Appends to a list that must not grow beyond [`MAX_LIST`]: a few octets each make it large in memory.
fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), RequestError> {
    if list.len() == MAX_LIST {
        return Err(malformed("too many elements"));
    }
    list.push(item);
    Ok(())
}

/// RFC 4511 4.6.
fn modify<'a>(reader: &mut Reader<'a>) -> Result<ModifyRequest<'a>, RequestError> {
    let entry = dn(reader.octets()?)?;
    let mut list = reader.sequence()?;
    let mut changes = Vec::new();
    while !list.is_empty() {
        let mut change = list.sequence()?;
        let kind = match change.enumerated()? {
            0 => ChangeKind::Add,
            1 => ChangeKind::Delete,
            2 => ChangeKind::Replace,
            3 => ChangeKind::Increment,
            _ => return Err(malformed("unknown kind of change")),
        };
        let attribute = Attribute::decode(&mut change)?;
        change.finish()?;
        push(&mut changes, Change { kind, attribute })?;
    }
    Ok(ModifyRequest { entry, changes })
}

/// RFC 4511 4.7.
fn add<'a>(reader: &mut Reader<'a>) -> Result<AddRequest<'a>, RequestError> {
    let entry = dn(reader.octets()?)?;
    let mut list = reader.sequence()?;
    let mut attributes = Vec::new();
    while !list.is_empty() {
        let attribute = Attribute::decode(&mut list)?;
        if attribute.values.is_empty() {
            // RFC 4511 4.1.7: an Attribute, other than a PartialAttribute, has values.
            return Err(malformed("attribute without values"));
        }
        push(&mut attributes, attribute)?;
    }
    Ok(AddRequest { entry, attributes })
}

/// RFC 4511 4.9.
fn rename(reader: &mut Reader<'_>) -> Result<RenameRequest, RequestError> {
    let entry = dn(reader.octets()?)?;
    let new_rdn = dn(reader.octets()?)?;
    if new_rdn.depth() != 1 {
        return Err(RequestError { code: ResultCode::INVALID_DN_SYNTAX, message: "the new RDN is not one RDN".into() });
    }
    let delete_old_rdn = reader.boolean()?;
    let new_superior = reader.optional(super::NEW_SUPERIOR)?.map(dn).transpose()?;
    Ok(RenameRequest { entry, new_rdn, delete_old_rdn, new_superior })
}

/// RFC 4511 4.10.
fn compare<'a>(reader: &mut Reader<'a>) -> Result<CompareRequest<'a>, RequestError> {
    let entry = dn(reader.octets()?)?;
    let mut assertion = reader.sequence()?;
    let attribute = AttributeDescription(assertion.name()?);
    let value = assertion.octets()?;
    assertion.finish()?;
    Ok(CompareRequest { entry, attribute, value })
}

/// RFC 4511 4.12.
fn extended<'a>(reader: &mut Reader<'a>) -> Result<ExtendedRequest<'a>, RequestError> {
    let name = reader.expect(super::EXTENDED_NAME)?;
    let value = reader.optional(super::EXTENDED_VALUE)?;
    let oid = numeric_oid(name).ok_or(malformed("extended request name is not an OID"))?;
    match (oid, value) {
        (oid::START_TLS, None) => Ok(ExtendedRequest::StartTls),
        (oid::WHO_AM_I, None) => Ok(ExtendedRequest::WhoAmI),
        // RFC 4511 4.14.1 and RFC 4532 2.1: the value is absent.
        (oid::START_TLS | oid::WHO_AM_I, Some(_)) => Err(malformed("this extended request has no value")),
        (oid::PASSWORD_MODIFY, value) => password(value),
        (oid::CANCEL, Some(value)) => cancel(value),
        (oid::CANCEL, None) => Err(malformed("cancel without an id")),
        (oid, value) => Ok(ExtendedRequest::Other { oid, value }),
    }
}

/// RFC 3062 2. No value at all says the same as one without fields; clients send either.
fn password(value: Option<&[u8]>) -> Result<ExtendedRequest<'_>, RequestError> {
    let Some(value) = value else {
        return Ok(ExtendedRequest::Password { identity: None, old: None, new: None });
    };
    let mut outside = Reader::new(value);
    let mut fields = outside.sequence()?;
    outside.finish()?;
    let identity = fields.optional(super::PASSWORD_IDENTITY)?;
    let old = fields.optional(super::PASSWORD_OLD)?;
    let new = fields.optional(super::PASSWORD_NEW)?;
    fields.finish()?;
    Ok(ExtendedRequest::Password { identity, old, new })
}

/// RFC 3909 2.1.
fn cancel(value: &[u8]) -> Result<ExtendedRequest<'_>, RequestError> {
    let mut outside = Reader::new(value);
    let mut fields = outside.sequence()?;
    outside.finish()?;
    let id = message_id(fields.expect(universal::INTEGER)?)?;
    fields.finish()?;
    Ok(ExtendedRequest::Cancel(id))
}
