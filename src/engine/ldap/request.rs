//! Typed requests, borrowed from the frame they came in; decoding and canonical encoding.

use super::attribute::AttributeDescription;
use super::dn::{Dn, Naming};
use super::filter::Filter;
use super::message::ClientMessageId;
use super::result::ResultCode;
use super::sasl::Mechanism;
use super::tag;
use std::borrow::Cow;

mod decode;
mod encode;
#[cfg(test)]
mod tests;

/// More attributes in a search's list or in an add, or more changes in a modify, are refused. Values are
/// bounded by the size of the message alone: a group may have very many.
pub const MAX_LIST: usize = 65_536;

const SIMPLE: u8 = 0x80;
const SASL: u8 = 0xa3;
const NEW_SUPERIOR: u8 = 0x80;
const EXTENDED_NAME: u8 = 0x80;
const EXTENDED_VALUE: u8 = 0x81;
const PASSWORD_IDENTITY: u8 = 0x80;
const PASSWORD_OLD: u8 = 0x81;
const PASSWORD_NEW: u8 = 0x82;

/// The OIDs of the extended requests that are understood.
#[expect(missing_docs, reason = "the names say it; the RFC is named beside each")]
pub mod oid {
    pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037"; // RFC 4511 4.14
    pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3"; // RFC 4532
    pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1"; // RFC 3062
    pub const CANCEL: &str = "1.3.6.1.1.8"; // RFC 3909
}

/// Why a request cannot be decided upon: the code and diagnostic message of its answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// `protocolError`; `invalidDNSyntax` for a name that is not a DN; `adminLimitExceeded` for a filter beyond a bound.
    pub code: ResultCode,
    /// What is wrong.
    pub message: Cow<'static, str>,
}

/// Every request of RFC 4511.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 4511")]
pub enum Request<'a> {
    Bind(BindRequest<'a>),
    Unbind,
    Search(SearchRequest<'a>),
    Modify(ModifyRequest<'a>),
    Add(AddRequest<'a>),
    Delete(Dn),
    Rename(RenameRequest),
    Compare(CompareRequest<'a>),
    Abandon(ClientMessageId),
    Extended(ExtendedRequest<'a>),
}

impl Request<'_> {
    /// The identifier octet.
    pub fn tag(&self) -> u8 {
        match self {
            Request::Bind(_) => tag::BIND_REQUEST,
            Request::Unbind => tag::UNBIND_REQUEST,
            Request::Search(_) => tag::SEARCH_REQUEST,
            Request::Modify(_) => tag::MODIFY_REQUEST,
            Request::Add(_) => tag::ADD_REQUEST,
            Request::Delete(_) => tag::DELETE_REQUEST,
            Request::Rename(_) => tag::RENAME_REQUEST,
            Request::Compare(_) => tag::COMPARE_REQUEST,
            Request::Abandon(_) => tag::ABANDON_REQUEST,
            Request::Extended(_) => tag::EXTENDED_REQUEST,
        }
    }

    /// The same with its names as the directory reads them (see [`Dn::resolved`]); `None`: it is the same.
    pub fn resolved(&self, naming: &Naming) -> Option<Self> {
        let is_read_otherwise = |name: &Dn| matches!(name.resolved(naming), Cow::Owned(_));
        let any = match self {
            Request::Bind(BindRequest { name: BindName::Dn(name), .. })
            | Request::Search(SearchRequest { base: name, .. })
            | Request::Modify(ModifyRequest { entry: name, .. })
            | Request::Add(AddRequest { entry: name, .. })
            | Request::Delete(name)
            | Request::Compare(CompareRequest { entry: name, .. }) => is_read_otherwise(name),
            Request::Rename(RenameRequest { entry, new_rdn, new_superior, .. }) => {
                [Some(entry), Some(new_rdn), new_superior.as_ref()].into_iter().flatten().any(is_read_otherwise)
            }
            Request::Bind(_) | Request::Unbind | Request::Abandon(_) | Request::Extended(_) => false,
        };
        any.then(|| {
            let mut request = self.clone();
            request.resolve(naming);
            request
        })
    }

    fn resolve(&mut self, naming: &Naming) {
        match self {
            Request::Bind(BindRequest { name: BindName::Dn(name), .. })
            | Request::Search(SearchRequest { base: name, .. })
            | Request::Modify(ModifyRequest { entry: name, .. })
            | Request::Add(AddRequest { entry: name, .. })
            | Request::Delete(name)
            | Request::Compare(CompareRequest { entry: name, .. }) => name.resolve(naming),
            Request::Rename(RenameRequest { entry, new_rdn, new_superior, .. }) => {
                [Some(entry), Some(new_rdn), new_superior.as_mut()]
                    .into_iter()
                    .flatten()
                    .for_each(|name| name.resolve(naming));
            }
            Request::Bind(_) | Request::Unbind | Request::Abandon(_) | Request::Extended(_) => {}
        }
    }
}

/// RFC 4511 4.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindRequest<'a> {
    /// Always 3 is what can be served; other versions decode, so that they can be answered.
    pub version: i32,
    /// Whom to bind as.
    pub name: BindName<'a>,
    /// How.
    pub authentication: Authentication<'a>,
}

impl BindRequest<'_> {
    /// A word for how: `anonymous` (RFC 4513 5.1.1, without a name), `simple`, `sasl:` and the mechanism,
    /// `sasl` alone where that is not known, or `other`.
    pub fn method(&self) -> &'static str {
        match (&self.authentication, &self.name) {
            (Authentication::Simple(_), BindName::Dn(name)) if name.is_root() => "anonymous",
            (Authentication::Simple(_), BindName::Dn(_) | BindName::Other(_)) => "simple",
            (Authentication::Sasl { mechanism, .. }, _) => {
                Mechanism::named(mechanism).map_or("sasl", Mechanism::authentication)
            }
            (Authentication::Other(_), _) => "other",
        }
    }
}

/// The name in a bind: usually a DN, but Active Directory takes `user@domain` and `DOMAIN\user`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindName<'a> {
    /// A DN; the root DN (empty) means anonymous or "as SASL says".
    Dn(Dn),
    /// Not a DN: whom it stands for only the directory knows.
    Other(&'a [u8]),
}

/// RFC 4511 4.2, `AuthenticationChoice`. Debug output never shows credentials.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// A password; octets.
    Simple(&'a [u8]),
    /// A SASL step.
    Sasl {
        /// Mechanism name.
        mechanism: &'a [u8],
        /// `None` and empty are different things.
        credentials: Option<&'a [u8]>,
    },
    /// A choice that RFC 4511 does not know (its tag): answered with authMethodNotSupported.
    Other(u8),
}

impl std::fmt::Debug for Authentication<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Authentication::Simple(_) => f.write_str("Simple(..)"),
            Authentication::Sasl { mechanism, .. } => write!(f, "Sasl({:?}, ..)", String::from_utf8_lossy(mechanism)),
            Authentication::Other(tag) => write!(f, "Other({tag:#x})"),
        }
    }
}

/// RFC 4511 4.5.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are those of RFC 4511 and, for the last, of draft-sermersheim-ldap-subordinate-scope"
)]
pub enum SearchScope {
    Base = 0,
    One = 1,
    Subtree = 2,
    Subordinate = 3,
}

/// RFC 4511 4.5.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 4511")]
pub enum DerefAliases {
    Never = 0,
    InSearching = 1,
    FindingBase = 2,
    Always = 3,
}

/// RFC 4511 4.5.1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 4511")]
pub struct SearchRequest<'a> {
    pub base: Dn,
    pub scope: SearchScope,
    pub deref: DerefAliases,
    pub size_limit: i32,
    pub time_limit: i32,
    pub types_only: bool,
    pub filter: Filter<'a>,
    pub attributes: Vec<AttributeDescription<'a>>,
}

/// An attribute with values, as add and modify carry it. Debug output never shows values.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Attribute<'a> {
    pub description: AttributeDescription<'a>,
    pub values: Vec<&'a [u8]>,
}

impl std::fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}({} values)", self.description, self.values.len())
    }
}

/// RFC 4511 4.6; increment RFC 4525.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub enum ChangeKind {
    Add = 0,
    Delete = 1,
    Replace = 2,
    Increment = 3,
}

/// One change of a modify.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Change<'a> {
    pub kind: ChangeKind,
    pub attribute: Attribute<'a>,
}

/// RFC 4511 4.6.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct ModifyRequest<'a> {
    pub entry: Dn,
    pub changes: Vec<Change<'a>>,
}

/// RFC 4511 4.7.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct AddRequest<'a> {
    pub entry: Dn,
    pub attributes: Vec<Attribute<'a>>,
}

/// RFC 4511 4.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenameRequest {
    /// The entry's DN before.
    pub entry: Dn,
    /// A DN of depth one.
    pub new_rdn: Dn,
    /// Whether the old naming values go.
    pub delete_old_rdn: bool,
    /// The new parent, when the entry moves.
    pub new_superior: Option<Dn>,
}

/// RFC 4511 4.10. Debug output never shows the value.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct CompareRequest<'a> {
    pub entry: Dn,
    pub attribute: AttributeDescription<'a>,
    pub value: &'a [u8],
}

impl std::fmt::Debug for CompareRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompareRequest")
            .field("entry", &self.entry)
            .field("attribute", &self.attribute)
            .finish_non_exhaustive()
    }
}

/// RFC 4511 4.12, with those extensions that are understood.
#[derive(Clone, PartialEq, Eq)]
pub enum ExtendedRequest<'a> {
    /// RFC 4511 4.14.
    StartTls,
    /// RFC 4532.
    WhoAmI,
    /// RFC 3062.
    Password {
        /// Whose; absent means the session's own. Usually a DN, but RFC 3062 allows anything.
        identity: Option<&'a [u8]>,
        /// The old password.
        old: Option<&'a [u8]>,
        /// The new one; absent means that the directory makes one.
        new: Option<&'a [u8]>,
    },
    /// RFC 3909.
    Cancel(ClientMessageId),
    /// Anything else.
    Other {
        /// Which extension.
        oid: &'a str,
        /// Its value.
        value: Option<&'a [u8]>,
    },
}

impl std::fmt::Debug for ExtendedRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExtendedRequest::StartTls => f.write_str("StartTls"),
            ExtendedRequest::WhoAmI => f.write_str("WhoAmI"),
            ExtendedRequest::Password { .. } => f.write_str("Password(..)"),
            ExtendedRequest::Cancel(id) => write!(f, "Cancel({id:?})"),
            ExtendedRequest::Other { oid, .. } => write!(f, "Other({oid})"),
        }
    }
}
