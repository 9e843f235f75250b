//! Who is calling: the peer's user id at the socket, the subject that it leads to, and whom the
//! caller may act as. Who somebody is does not depend on anything in the body.

use super::Control;
use super::answer::Failure;
use crate::api::routes::AS_HEADER;
use crate::engine::grant::history::{Actor, Identity};
use crate::engine::ldap::Dn;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use nix::unistd::{Uid, User};
use std::sync::Arc;

/// From where callers at the Unix socket come, for records.
const LOCAL: &str = "local";

/// The process at the other end of the Unix socket, as the kernel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its user id.
    pub uid: u32,
    /// The name of that user, if there is one of that id.
    pub user: Option<String>,
}

impl Peer {
    /// Looks up the user's name. May block: name services may ask a directory.
    pub fn of_uid(uid: u32) -> Peer {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
        Peer { uid, user }
    }
}

/// A caller who is somebody.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Under which name they act.
    pub(super) actor: Actor,
    /// Whether the process is theirs to stop and start anyway: the user it runs as, or root, under
    /// their own name.
    pub(super) owns_process: bool,
}

impl FromRequestParts<Arc<Control>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Caller, Failure> {
        let unknown = |why: String| Failure::new(StatusCode::UNAUTHORIZED, "who-are-you", why);
        let peer = parts.extensions.get::<Peer>().ok_or_else(|| unknown("nobody is known to call".to_owned()))?;
        let user = peer.user.clone().ok_or_else(|| unknown(format!("no user of this machine has id {}", peer.uid)))?;
        let own = Identity { dn: control.shared.authority.load().subject_of(&user), local_user: Some(user) };
        let Some(subject) = acted_as(parts)? else {
            let owns_process = peer.uid == 0 || Uid::from_raw(peer.uid) == nix::unistd::geteuid();
            return Ok(Caller { actor: Actor::own(own, LOCAL), owns_process });
        };
        if !control.broker.with_context(|context| context.is(&context.authority.act_as, &own)) {
            let (word, why) = ("may-not-act-as", "you may not act as somebody else (act_as)");
            let caller = Caller { actor: Actor::own(own, LOCAL), owns_process: false };
            return Err(caller.refused(control, "act as", subject.text(), word, why));
        }
        let actor = Actor { acts: Identity::of_dn(subject), really: Some(own), from: LOCAL.to_owned() };
        // Under somebody else's name: with that name's rights, and no others.
        Ok(Caller { actor, owns_process: false })
    }
}

impl Caller {
    /// The answer to what the caller may not; it is recorded that they tried.
    pub(super) fn refused(&self, control: &Control, attempt: &str, about: &str, word: &str, why: &str) -> Failure {
        control.broker.record_refusal(attempt, about, &self.actor, word, why);
        Failure::forbidden(word, why)
    }
}

/// The DN in the header, if there is one: exactly one, and somebody's.
fn acted_as(parts: &Parts) -> Result<Option<Dn>, Failure> {
    let mut values = parts.headers.get_all(AS_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = || Failure::bad_request(format!("{AS_HEADER} takes one distinguished name"));
    if values.next().is_some() {
        return Err(bad());
    }
    let subject = Dn::parse(value.as_bytes()).map_err(|_| bad())?;
    if subject.is_root() { Err(bad()) } else { Ok(Some(subject)) }
}
