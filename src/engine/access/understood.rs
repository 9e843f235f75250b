//! What is answered here whatever the policy says: requests that nobody could decide upon, and names
//! outside of the trees that are served. Monitoring does not let any of it through.

use super::{Asked, Refusal, Snapshot};
use crate::engine::ldap::ResultCode;
use crate::engine::ldap::control::oid as control_oid;
use crate::engine::ldap::request::{Authentication, BindName, BindRequest, ExtendedRequest, Request, SearchScope, oid};
use crate::engine::ldap::sasl::Mechanism;
use crate::engine::policy::requirement::{Requirement, Touches};
use crate::engine::policy::{OperationKind, Policy};

/// The extended operations that are let through or served here (RFC 4511 4.12).
pub const EXTENSIONS: &[&str] = &[oid::START_TLS, oid::WHO_AM_I, oid::PASSWORD_MODIFY, oid::CANCEL];

/// Refuses what is not understood.
pub(super) fn check(request: &Request<'_>, policy: &Policy) -> Result<(), Refusal> {
    match request {
        Request::Bind(bind) => check_bind(bind, policy),
        Request::Extended(ExtendedRequest::Other { oid, .. })
            if policy.extended_operations.iter().any(|passed| passed == oid) =>
        {
            Ok(())
        }
        Request::Extended(ExtendedRequest::Other { .. }) => {
            // RFC 4511 4.12.
            Err(not_understood(ResultCode::PROTOCOL_ERROR, "this extended operation is not supported"))
        }
        Request::Extended(ExtendedRequest::StartTls) => {
            // RFC 4511 4.14.1: the session does it; where it does not, TLS is there already.
            Err(not_understood(ResultCode::OPERATIONS_ERROR, "StartTLS is not possible now"))
        }
        Request::Rename(rename) if rename.new_rdn.depth() != 1 => {
            Err(not_understood(ResultCode::INVALID_DN_SYNTAX, "the new name must be one RDN"))
        }
        Request::Extended(ExtendedRequest::WhoAmI | ExtendedRequest::Password { .. } | ExtendedRequest::Cancel(_))
        | Request::Unbind
        | Request::Search(_)
        | Request::Modify(_)
        | Request::Add(_)
        | Request::Delete(_)
        | Request::Rename(_)
        | Request::Compare(_)
        | Request::Abandon(_) => Ok(()),
    }
}

fn check_bind(bind: &BindRequest<'_>, policy: &Policy) -> Result<(), Refusal> {
    if bind.version != 3 {
        // RFC 4511 4.2.
        return Err(not_understood(ResultCode::PROTOCOL_ERROR, "only LDAP version 3 is served"));
    }
    let named = match &bind.name {
        BindName::Dn(name) => !name.is_root(),
        BindName::Other(name) => !name.is_empty(),
    };
    match bind.authentication {
        // RFC 4513 5.1.2: an application that does not look would take this for a proven password.
        Authentication::Simple([]) if named => Err(Refusal {
            reason: "name without password",
            ..not_understood(ResultCode::UNWILLING_TO_PERFORM, "a name without a password proves nothing")
        }),
        Authentication::Simple(_) => Ok(()),
        Authentication::Sasl { mechanism, .. }
            if Mechanism::named(mechanism).is_some_and(|known| policy.mechanisms.contains(known)) =>
        {
            Ok(())
        }
        // RFC 4511 4.2.1: with an empty name, this is how a client gives up what it has begun.
        Authentication::Sasl { .. } => {
            Err(not_understood(ResultCode::AUTH_METHOD_NOT_SUPPORTED, "this SASL mechanism is not supported"))
        }
        Authentication::Other(_) => {
            Err(not_understood(ResultCode::AUTH_METHOD_NOT_SUPPORTED, "this authentication choice is not supported"))
        }
    }
}

fn not_understood(code: ResultCode, message: &str) -> Refusal {
    Refusal { code, message: message.to_owned(), reason: "not understood", missing: Vec::new(), asks: None }
}

/// Whether this is the read of the subschema, which everybody may see.
pub(super) fn is_subschema_read(snapshot: &Snapshot, asked: &Asked<'_>) -> bool {
    match asked.request {
        Request::Search(search) => {
            search.scope == SearchScope::Base
                // What an attribute of it names is something else.
                && !asked.controls.iter().any(|control| control.oid == control_oid::ATTRIBUTE_SCOPED_QUERY)
                && snapshot.directory.subschema.as_ref().is_some_and(|subschema| search.base.is_surely(subschema))
        }
        _ => false,
    }
}

/// Refuses what goes to a tree that is not served, as a server without that tree would.
pub(super) fn check_targets(snapshot: &Snapshot, requirement: &Requirement<'_>) -> Result<(), Refusal> {
    // A bind reads nothing of the tree that the name lies in.
    if requirement.kind == OperationKind::Bind {
        return Ok(());
    }
    if snapshot.directory.naming_contexts.is_empty() {
        return Err(Refusal {
            code: ResultCode::UNAVAILABLE,
            message: "the directory has not been reached yet".to_owned(),
            reason: "directory not known",
            missing: Vec::new(),
            asks: None,
        });
    }
    // A search from above all trees is answered by some servers; entries of other trees are dropped.
    if matches!(requirement.touches, Touches::Reach { base, .. } if base.is_root()) {
        return Ok(());
    }
    for target in requirement.targets() {
        if !snapshot.directory.holds(target) {
            return Err(Refusal {
                code: ResultCode::NO_SUCH_OBJECT,
                message: "no tree that is served holds this name".to_owned(),
                reason: "other tree",
                missing: Vec::new(),
                asks: None,
            });
        }
    }
    Ok(())
}
