//! Whether a name and a password are somebody's: the gate's decision first, as for any bind, then
//! the directory's.

use super::super::Control;
use super::Logins;
use crate::engine::access::{Asked, Decision, decide};
use crate::engine::ldap::Dn;
use crate::engine::ldap::request::{Authentication, BindName, BindRequest, Request};
use crate::engine::policy::Subject;
use crate::engine::workflow::authority::subject_by;
use zeroize::Zeroizing;

/// Longer names and passwords are nobody's.
const MAX_NAME: usize = 1024;
const MAX_PASSWORD: usize = 1024;

/// What is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreachable;

impl Logins {
    /// The subject that somebody means who logs in as `name`.
    pub(super) fn subject_of(&self, name: &str) -> Option<Dn> {
        if name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return None;
        }
        if name.contains('=') {
            return Dn::parse(name.as_bytes()).ok().filter(|dn| !dn.is_root());
        }
        let settings = self.settings.load();
        let pattern = settings.login_subject.as_ref()?;
        (!name.is_empty()).then(|| subject_by(pattern, "{user}", name)).flatten()
    }
}

/// Whom the directory takes the subject for, if the password is right.
pub(super) async fn is_right(
    control: &Control,
    subject: &Dn,
    password: Zeroizing<String>,
) -> Result<Option<Dn>, Unreachable> {
    // RFC 4513 5.1.2: a bind without a password succeeds and proves nothing.
    if password.is_empty() || password.len() > MAX_PASSWORD || !may_bind(control, subject, &password) {
        return Ok(None);
    }
    let Ok(_place) = control.logins.checks.acquire().await else { return Err(Unreachable) };
    match control.hooks.check_password(subject.clone(), password).await {
        // The right to bind must hold for the entry that the name leads to, too.
        Ok(found) => Ok(found.filter(|own| own.is_surely(subject) || may_bind(control, own, "shown"))),
        Err(why) => {
            tracing::warn!(%why, "a password cannot be checked");
            Err(Unreachable)
        }
    }
}

/// The decision that a session's bind would get (invariant 1: nothing goes to the directory
/// without a permit).
fn may_bind(control: &Control, subject: &Dn, password: &str) -> bool {
    let request = Request::Bind(BindRequest {
        version: 3,
        name: BindName::Dn(subject.clone()),
        authentication: Authentication::Simple(password.as_bytes()),
    });
    let snapshot = control.shared.snapshot.load_full();
    let asked = Asked {
        subject: &Subject::Anonymous,
        request: &request,
        controls: &[],
        now: control.clock.now(),
        certificate: None,
    };
    match decide(&snapshot, &asked) {
        Decision::Permitted(_) => true,
        Decision::Refused(_) => false,
    }
}
