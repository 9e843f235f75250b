//! Locks: list, set, lift. A lock that would do nothing, or shut out the last administrator, is refused.

use super::Control;
use super::answer::{Answer, Failure, UNWRITTEN, blocking, json, read, read_or_default};
use super::identity::Caller;
use super::requests::name;
use crate::api::{LockBody, LockView, NothingBody};
use crate::engine::ldap::Dn;
use crate::engine::policy::selector::Selector;
use crate::engine::workflow::locks::check_administers;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// A lock waits for the directory no longer than this: who must be kept out is kept out while it is down.
const WAIT: Duration = Duration::from_secs(3);

/// So many other administrators are looked for in the directory at most.
const MAX_OTHERS: usize = 20;

/// Object classes of what can be a subject: they come before the others.
const SUBJECTS: [&str; 8] = [
    "person",
    "organizationalPerson",
    "inetOrgPerson",
    "user",
    "account",
    "posixAccount",
    "simpleSecurityObject",
    "applicationProcess",
];
/// Those of groups.
const GROUPS: [&str; 8] = [
    "groupOfNames",
    "groupOfUniqueNames",
    "groupOfMembers",
    "groupOfEntries",
    "groupOfURLs",
    "posixGroup",
    "group",
    "ipaUserGroup",
];
/// Those of what only has entries below it.
const CONTAINERS: [&str; 7] =
    ["organizationalUnit", "organization", "domain", "container", "builtinDomain", "country", "locality"];

pub(super) async fn list(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    let locks = control.broker.locks(&caller.actor)?;
    json(StatusCode::OK, &locks.iter().map(LockView::new).collect::<Vec<_>>())
}

pub(super) async fn lock(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: LockBody = read(body)?;
    let subject = name(&body.subject)?;
    let (mut unknown, mut others) = (None, Vec::new());
    // Who does not administer learns nothing of the directory here: the broker refuses them.
    if control.broker.with_context(|context| check_administers(&caller.actor, context)).is_ok() {
        unknown = check_subject(&control, &caller, &subject, body.force).await?;
        others = other_administrators(&control, &caller, &subject).await;
    }
    let broker = Arc::clone(&control.broker);
    let locked = subject.clone();
    let result = blocking(move || broker.lock(&subject, &body.reason, &caller.actor, &others)).await;
    // Whoever holds a token of theirs is out, too; they may log in again, and hold nothing. So if the lock is in force
    // and could not be written down.
    let is_kept = result.as_ref().err().is_none_or(|failure| failure.0.status == 503);
    let policy = control.shared.snapshot.load().policy.clone();
    if is_kept && control.shared.locks.load().of(&locked, policy.naming()).is_some() {
        control.logins.end_all_of(&locked);
    }
    let lock = result?;
    let note = control.broker.is_unwritten(&lock.id).then(|| UNWRITTEN.to_owned()).or(unknown);
    json(StatusCode::CREATED, &LockView { note, ..LockView::new(&lock) })
}

/// Refuses to lock what is nobody. Returns what is to be said where the directory could not be asked: the lock is set
/// all the same.
async fn check_subject(
    control: &Control,
    caller: &Caller,
    subject: &Dn,
    force: bool,
) -> Result<Option<String>, Failure> {
    let found = tokio::time::timeout(WAIT, control.hooks.object_classes(subject.clone())).await;
    let refused = |word: &str, why: String| {
        control.broker.record_refusal("lock", subject.text(), &caller.actor, word, &why);
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, word, why)
    };
    match found {
        Ok(Ok(Some(classes))) => match why_nobody(&classes) {
            None => Ok(None),
            Some(what) => Err(refused("not-a-subject", format!("{subject} is {what}, which nobody logs in as"))),
        },
        // Some accounts have no entry (an administrator of the server, say): where the gate knows one, it is there.
        Ok(Ok(None)) if force || is_in_use(control, subject).await => Ok(None),
        Ok(Ok(None)) => {
            let why = format!("the directory has no entry {subject} that the gate may read: is the name right?");
            Err(refused("unknown-subject", why))
        }
        Ok(Err(_)) | Err(_) => {
            Ok(Some("the directory could not be asked whether there is such a subject: is the name right?".to_owned()))
        }
    }
}

/// What an entry of these classes is, where nobody can be bound as it.
fn why_nobody(classes: &[String]) -> Option<String> {
    let find = |known: &[&str]| classes.iter().find(|class| known.iter().any(|name| class.eq_ignore_ascii_case(name)));
    if find(&SUBJECTS).is_some() {
        return None;
    }
    let group = find(&GROUPS).map(|class| format!("a group ({class})"));
    group.or_else(|| find(&CONTAINERS).map(|class| format!("a container ({class})")))
}

/// Whether the subject holds a grant or has a session now.
async fn is_in_use(control: &Control, subject: &Dn) -> bool {
    let holds = control.shared.snapshot.load().grants.get(subject).next().is_some();
    let is_its = |text: &str| Dn::parse(text.as_bytes()).is_ok_and(|name| name.is_surely(subject));
    holds || control.hooks.sessions().await.iter().any(|session| is_its(&session.subject))
}

/// Who administers besides the caller, where the caller locks themselves: those that are in the directory.
async fn other_administrators(control: &Control, caller: &Caller, subject: &Dn) -> Vec<Dn> {
    if !control.broker.with_context(|context| context.may_be(&caller.actor, subject)) {
        return Vec::new();
    }
    let find = async {
        let mut others = Vec::new();
        let administrators = control.shared.authority.load().administrators.clone();
        for selector in administrators {
            match selector {
                Selector::Dn(name) => others.push(name),
                Selector::Group(group) => others.extend(control.hooks.members(group).await.unwrap_or_default()),
                Selector::Subtree(_) | Selector::Certificate(_) | Selector::Local(_) | Selector::Anyone => {}
            }
        }
        others.retain(|name| !control.broker.with_context(|context| context.is_locked(name)));
        others.retain(|name| !name.may_be(subject));
        others.truncate(MAX_OTHERS);
        for name in others {
            if let Ok(Some(_)) = control.hooks.object_classes(name.clone()).await {
                return vec![name];
            }
        }
        Vec::new()
    };
    tokio::time::timeout(WAIT, find).await.unwrap_or_default()
}

pub(super) async fn unlock(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let NothingBody {} = read_or_default(body)?;
    let subject = name(&id)?;
    let broker = Arc::clone(&control.broker);
    let lock = blocking(move || broker.unlock(&subject, &caller.actor)).await?;
    json(StatusCode::OK, &LockView::new(&lock))
}
