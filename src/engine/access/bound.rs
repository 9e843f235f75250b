//! Who a SASL bind turned out to be: whether they may bind, decided once the directory has said it.

use super::{Asked, Decision, Snapshot, decide};
use crate::engine::Now;
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::{Authentication, BindName, BindRequest, Request};
use crate::engine::policy::Subject;

/// Decides whether `name`, who has been authenticated, may be bound; `certificate` is the subject of the
/// client certificate that showed it, where one did. The permit is that of the bind.
pub fn decide_bound(snapshot: &Snapshot, name: &Dn, certificate: Option<&Dn>, now: Now) -> Decision {
    // The decision is the one that a simple bind with this name gets, whatever is shown for it.
    let authentication = Authentication::Simple(b"shown");
    let request = Request::Bind(BindRequest { version: 3, name: BindName::Dn(name.clone()), authentication });
    decide(snapshot, &Asked { subject: &Subject::Anonymous, request: &request, controls: &[], now, certificate })
}
