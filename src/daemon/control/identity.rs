//! Who is calling: at the socket the peer's user id, over TLS a token or a client certificate; the
//! subject that it leads to, and whom the caller may act as. Who somebody is does not depend on
//! anything in the body.

use super::answer::Failure;
use super::login::{Found, Place, TokenHash, wrong_code};
use super::{Control, PortTls};
use crate::api::routes::{AS_HEADER, CODE_HEADER};
use crate::engine::grant::history::{Actor, Identity};
use crate::engine::ldap::Dn;
use arc_swap::ArcSwap;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use nix::unistd::{Uid, User};
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
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

/// The client at the other end of a TLS connection.
#[derive(Debug, Clone)]
pub struct Remote {
    /// From where.
    pub address: SocketAddr,
    /// The certificate that it showed.
    pub certificate: Option<Shown>,
}

/// A client certificate, good by what the port went by when it was shown.
#[derive(Clone)]
pub struct Shown {
    certificate: Arc<CertificateDer<'static>>,
    by: Arc<PortTls>,
    current: Arc<ArcSwap<PortTls>>,
}

impl Shown {
    /// A certificate that was looked at `by` what was `current`.
    pub fn new(certificate: CertificateDer<'static>, by: Arc<PortTls>, current: Arc<ArcSwap<PortTls>>) -> Shown {
        Shown { certificate: Arc::new(certificate), by, current }
    }

    /// Whether nothing was read again since: another authority, or another revocation list.
    fn is_current(&self) -> bool {
        Arc::ptr_eq(&self.by, &self.current.load())
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

/// The door that a call came through.
#[derive(Debug, Clone)]
pub(super) enum Door {
    Socket(Peer),
    Port(Remote),
}

impl Door {
    /// From where, for records.
    pub(super) fn from(&self) -> String {
        match self {
            Door::Socket(_) => LOCAL.to_owned(),
            Door::Port(remote) => remote.address.to_string(),
        }
    }

    /// From where, for counting.
    pub(super) fn place(&self) -> Place {
        match self {
            Door::Socket(peer) => Place::Local(peer.uid),
            Door::Port(remote) => Place::of(remote.address.ip()),
        }
    }

    fn of(parts: &Parts) -> Result<Door, Failure> {
        let peer = || parts.extensions.get::<Peer>().cloned().map(Door::Socket);
        let remote = || parts.extensions.get::<Remote>().cloned().map(Door::Port);
        peer().or_else(remote).ok_or_else(|| unknown("nobody is known to call"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Door {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Door, Failure> {
        Door::of(parts)
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
    /// The token they came with.
    pub(super) token: Option<TokenHash>,
    /// Whether they logged in a short while ago.
    pub(super) fresh: bool,
}

impl FromRequestParts<Arc<Control>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Caller, Failure> {
        let door = Door::of(parts)?;
        let mut caller = own(&door, parts, control)?;
        show_code(&mut caller, parts, control).await?;
        know(control, caller.actor.acts.dn.as_ref()).await;
        let Some(subject) = acted_as(parts)? else { return Ok(caller) };
        let own = caller.actor.acts.clone();
        // Under somebody else's name: with that name's rights, and no others.
        caller.owns_process = false;
        if !control.broker.with_context(|context| context.is(&context.authority.act_as, &own)) {
            let (word, why) = ("may-not-act-as", "you may not act as somebody else (act_as)");
            return Err(caller.refused(control, "act as", subject.text(), word, why));
        }
        know(control, Some(&subject)).await;
        caller.actor = Actor { acts: Identity::of_dn(subject), really: Some(own), ..caller.actor };
        Ok(caller)
    }
}

/// Waits, within bounds, until it is known in which groups somebody is, where groups decide about anything.
pub(super) async fn know(control: &Control, name: Option<&Dn>) {
    let Some(name) = name.filter(|name| !control.broker.knows(&[name])) else { return };
    let (broker, name) = (Arc::clone(&control.broker), name.clone());
    // What could not be asked is unknown, and opens nothing.
    let _ = tokio::task::spawn_blocking(move || broker.know(&[&name])).await;
}

fn unknown(why: &str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "who-are-you", why)
}

/// The caller under their own name.
fn own(door: &Door, parts: &Parts, control: &Control) -> Result<Caller, Failure> {
    let caller =
        |identity| Caller { actor: Actor::own(identity, &door.from()), owns_process: false, token: None, fresh: false };
    // A token that is sent is what the caller wants to be known by, good or not.
    if let Some(token) = bearer(parts)? {
        let now = control.clock.now();
        let Some(Found { subject, fresh, second_factor }) = control.logins.find(token, now) else {
            return Err(Failure::new(
                StatusCode::UNAUTHORIZED,
                "bad-token",
                "you are no longer logged in: log in again",
            ));
        };
        let mut caller = caller(Identity::of_dn(subject));
        caller.actor.second_factor = second_factor;
        return Ok(Caller { token: Some(token), fresh, ..caller });
    }
    match door {
        Door::Socket(peer) => {
            let user = peer.user.clone();
            let user = user.ok_or_else(|| unknown(&format!("no user of this machine has id {}", peer.uid)))?;
            let dn = control.shared.authority.load().subject_of(&user);
            let owns_process = peer.uid == 0 || Uid::from_raw(peer.uid) == nix::unistd::geteuid();
            let identity = Identity { dn, local_user: Some(user), certificate: None };
            Ok(Caller { owns_process, ..caller(identity) })
        }
        Door::Port(remote) => {
            let shown = remote.certificate.as_ref();
            let shown = shown.ok_or_else(|| unknown("log in first (POST /v1/login)"))?;
            if !shown.is_current() {
                // RFC 9110 15.5.20: for another connection, which callers may make by themselves.
                let why = "the gate was reloaded since the certificate was shown: connect again";
                return Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, "show-again", why));
            }
            let certificate = &*shown.certificate;
            let subject = crate::daemon::certificate::subject(certificate);
            let subject = subject.ok_or_else(|| unknown("the certificate names nobody"))?;
            let dn = control.logins.subject_of_certificate(certificate);
            Ok(caller(Identity { dn, local_user: None, certificate: Some(Box::new(subject)) }))
        }
    }
}

/// The token in the `Authorization` header: at most one, and no other scheme (RFC 6750 2.1).
fn bearer(parts: &Parts) -> Result<Option<TokenHash>, Failure> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = || Failure::bad_request("Authorization takes one token: Bearer, a blank, and the token");
    let text = value.to_str().map_err(|_| bad())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(bad)?;
    if values.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(bad());
    }
    Ok(Some(TokenHash::of(token)))
}

/// Takes the code that came along with something that changes something. It is the code of
/// whoever really calls.
async fn show_code(caller: &mut Caller, parts: &Parts, control: &Control) -> Result<(), Failure> {
    let mut values = parts.headers.get_all(CODE_HEADER).iter();
    let Some(value) = values.next().filter(|_| parts.method != Method::GET && parts.method != Method::HEAD) else {
        return Ok(());
    };
    let bad = || Failure::bad_request(format!("{CODE_HEADER} takes one code"));
    let code = value.to_str().map_err(|_| bad())?.to_owned();
    if values.next().is_some() {
        return Err(bad());
    }
    let Some(subject) = caller.actor.acts.dn.clone() else {
        return Err(Failure::forbidden("no-subject", "you have no name in the directory, and so no second factor"));
    };
    let taken = control.logins.take_code(subject, code, caller.token, control.clock.now()).await;
    taken.map_err(|error| wrong_code(control, caller, &error))?;
    caller.actor.second_factor = true;
    Ok(())
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
