//! From a typed request to its one canonical encoding.

use super::{
    AddRequest, Attribute, Authentication, BindName, BindRequest, CompareRequest, ExtendedRequest, ModifyRequest,
    RenameRequest, Request, SearchRequest, oid,
};
use crate::engine::ldap::ber::{self, universal};
use crate::engine::ldap::dn::Dn;

impl Request<'_> {
    /// Appends the operation's content octets (the body of an envelope). DNs are written as
    /// [`Dn::text`] has them: what was checked is what is forwarded.
    pub fn write_body(&self, out: &mut Vec<u8>) {
        match self {
            Request::Bind(request) => bind(out, request),
            Request::Unbind => {}
            Request::Search(request) => search(out, request),
            Request::Modify(request) => modify(out, request),
            Request::Add(request) => add(out, request),
            Request::Delete(entry) => out.extend_from_slice(entry.text().as_bytes()),
            Request::Rename(request) => rename(out, request),
            Request::Compare(request) => compare(out, request),
            Request::Abandon(id) => integer_body(out, id.0),
            Request::Extended(request) => extended(out, request),
        }
    }
}

fn dn(out: &mut Vec<u8>, dn: &Dn) {
    ber::write_octets(out, dn.text().as_bytes());
}

/// An integer's content octets without identifier and length.
fn integer_body(out: &mut Vec<u8>, value: i32) {
    let bytes = value.to_be_bytes();
    out.extend(bytes.iter().skip(bytes.len() - ber::integer_octets(value)));
}

fn bind(out: &mut Vec<u8>, request: &BindRequest<'_>) {
    ber::write_integer(out, universal::INTEGER, request.version);
    match &request.name {
        BindName::Dn(name) => dn(out, name),
        BindName::Other(name) => ber::write_octets(out, name),
    }
    match request.authentication {
        Authentication::Simple(password) => ber::write_element(out, super::SIMPLE, password),
        Authentication::Sasl { mechanism, credentials } => ber::write_constructed(out, super::SASL, |out| {
            ber::write_octets(out, mechanism);
            if let Some(credentials) = credentials {
                ber::write_octets(out, credentials);
            }
        }),
        // Its content was not understood and is not kept; such a bind is never forwarded.
        Authentication::Other(tag) => ber::write_element(out, tag, b""),
    }
}

fn search(out: &mut Vec<u8>, request: &SearchRequest<'_>) {
    dn(out, &request.base);
    ber::write_integer(out, universal::ENUMERATED, request.scope as i32);
    ber::write_integer(out, universal::ENUMERATED, request.deref as i32);
    ber::write_integer(out, universal::INTEGER, request.size_limit);
    ber::write_integer(out, universal::INTEGER, request.time_limit);
    ber::write_boolean(out, universal::BOOLEAN, request.types_only);
    request.filter.encode(out);
    ber::write_constructed(out, universal::SEQUENCE, |out| {
        for attribute in &request.attributes {
            ber::write_octets(out, attribute.0);
        }
    });
}

impl Attribute<'_> {
    /// Appends it with its values (RFC 4511 4.1.7).
    pub(in crate::engine::ldap) fn encode(&self, out: &mut Vec<u8>) {
        ber::write_constructed(out, universal::SEQUENCE, |out| {
            ber::write_octets(out, self.description.0);
            ber::write_constructed(out, universal::SET, |out| {
                self.values.iter().for_each(|value| ber::write_octets(out, value));
            });
        });
    }
}

fn modify(out: &mut Vec<u8>, request: &ModifyRequest<'_>) {
    dn(out, &request.entry);
    ber::write_constructed(out, universal::SEQUENCE, |out| {
        for change in &request.changes {
            ber::write_constructed(out, universal::SEQUENCE, |out| {
                ber::write_integer(out, universal::ENUMERATED, change.kind as i32);
                change.attribute.encode(out);
            });
        }
    });
}

fn add(out: &mut Vec<u8>, request: &AddRequest<'_>) {
    dn(out, &request.entry);
    ber::write_constructed(out, universal::SEQUENCE, |out| {
        for attribute in &request.attributes {
            attribute.encode(out);
        }
    });
}

fn rename(out: &mut Vec<u8>, request: &RenameRequest) {
    dn(out, &request.entry);
    dn(out, &request.new_rdn);
    ber::write_boolean(out, universal::BOOLEAN, request.delete_old_rdn);
    if let Some(superior) = &request.new_superior {
        ber::write_element(out, super::NEW_SUPERIOR, superior.text().as_bytes());
    }
}

fn compare(out: &mut Vec<u8>, request: &CompareRequest<'_>) {
    dn(out, &request.entry);
    ber::write_constructed(out, universal::SEQUENCE, |out| {
        ber::write_octets(out, request.attribute.0);
        ber::write_octets(out, request.value);
    });
}

fn extended(out: &mut Vec<u8>, request: &ExtendedRequest<'_>) {
    let name = match request {
        ExtendedRequest::StartTls => oid::START_TLS,
        ExtendedRequest::WhoAmI => oid::WHO_AM_I,
        ExtendedRequest::Password { .. } => oid::PASSWORD_MODIFY,
        ExtendedRequest::Cancel(_) => oid::CANCEL,
        ExtendedRequest::Other { oid, .. } => oid,
    };
    ber::write_element(out, super::EXTENDED_NAME, name.as_bytes());
    match request {
        ExtendedRequest::StartTls | ExtendedRequest::WhoAmI => {}
        // No fields: no value, as ldappasswd sends it.
        ExtendedRequest::Password { identity: None, old: None, new: None } => {}
        ExtendedRequest::Password { identity, old, new } => {
            ber::write_constructed(out, super::EXTENDED_VALUE, |out| {
                ber::write_constructed(out, universal::SEQUENCE, |out| {
                    let fields =
                        [(super::PASSWORD_IDENTITY, identity), (super::PASSWORD_OLD, old), (super::PASSWORD_NEW, new)];
                    for (tag, field) in fields {
                        if let Some(field) = field {
                            ber::write_element(out, tag, field);
                        }
                    }
                });
            });
        }
        ExtendedRequest::Cancel(id) => ber::write_constructed(out, super::EXTENDED_VALUE, |out| {
            ber::write_constructed(out, universal::SEQUENCE, |out| {
                ber::write_integer(out, universal::INTEGER, id.0);
            });
        }),
        ExtendedRequest::Other { value, .. } => {
            if let Some(value) = value {
                ber::write_element(out, super::EXTENDED_VALUE, value);
            }
        }
    }
}
