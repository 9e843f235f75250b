//! The calls: log in and out; enrol, confirm, show and reset a second factor.

use super::super::Control;
use super::super::answer::{Answer, Failure, json, read, read_or_default};
use super::super::identity::{Caller, Door};
use super::super::requests::name;
use super::secrets::CodeError;
use super::tokens::Enrolment;
use super::totp::{SECRET, base32};
use super::{Place, TokenHash, check, on_disk};
use crate::api::{CodeBody, DoneView, LoginBody, NothingBody, ResetBody, TokenView, TotpView};
use crate::engine::grant::history::{Actor, Identity};
use crate::engine::ldap::Dn;
use crate::engine::workflow::locks;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// No answer to a wrong name or password comes earlier, so that it does not tell how far it came.
const LEAST_TIME: Duration = Duration::from_millis(400);

pub(in crate::daemon::control) async fn login(
    State(control): State<Arc<Control>>,
    door: Door,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let mut body: LoginBody = read(body)?;
    let password = Zeroizing::new(std::mem::take(&mut body.password));
    let began = tokio::time::Instant::now();
    let tried = control.logins.subject_of(&body.name);
    let nobody = Actor::own(Identity::default(), &door.from());
    let about = tried.as_ref().map_or("", Dn::text);
    let (place, key) = (door.place(), name_key(tried.as_ref(), &body.name));
    admit(&control, place, key, &nobody, about)?;
    let right = match &tried {
        Some(subject) => check::is_right(&control, subject, password).await,
        None => Ok(None),
    };
    let Ok(found) = right else {
        // Those before it were wrong all the same.
        control.logins.of_name.take_back(&(place, key));
        control.logins.of_place.take_back(&place);
        let why = "the directory cannot be asked at the moment; try again";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "directory-away", why));
    };
    let now = control.clock.now();
    let right = found.is_some();
    let code = match (&found, body.code) {
        (Some(subject), Some(code)) => {
            Some(control.logins.take_code(subject.clone(), code, None, now).await.map_err(|error| error.to_string()))
        }
        (_, _) => None,
    };
    let (Some(subject), None | Some(Ok(()))) = (found, &code) else {
        let why = if right { "the code is wrong" } else { "the name or the password is wrong" };
        control.broker.record_refusal("log in", about, &nobody, "login-failed", why);
        tokio::time::sleep_until(began + LEAST_TIME).await;
        let why = "the name, the password or the code is wrong";
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "login-failed", why));
    };
    control.logins.of_name.forgive(&(place, key));
    control.logins.of_place.take_back(&place);
    control.logins.regulars.add((place, key), now.monotonic);
    let ttl = control.logins.settings.load().token_ttl;
    let issued = control.logins.tokens.issue(subject.clone(), ttl, code.is_some(), now);
    let (token, expires) = issued.map_err(|error| internal(&error))?;
    control.broker.record_call("logged in", &Actor::own(Identity::of_dn(subject.clone()), &door.from()));
    json(StatusCode::OK, &TokenView { token, expires, subject: subject.text().to_owned() })
}

/// Whether somebody may try now.
fn admit(control: &Control, place: Place, key: [u8; 32], nobody: &Actor, about: &str) -> Result<(), Failure> {
    let now = control.clock.now().monotonic;
    let logins = &control.logins;
    // Whoever is behind the same address and guesses holds up nobody who logged in from there before.
    let counted = !logins.regulars.contain(&(place, key));
    let by_place = if counted { logins.of_place.admit(place, now) } else { Ok(()) };
    let admitted = by_place.and_then(|()| {
        logins.of_name.admit((place, key), now).inspect_err(|_| {
            if counted {
                logins.of_place.take_back(&place);
            }
        })
    });
    admitted.map_err(|held| {
        if held.is_news {
            control.broker.record_refusal("log in", about, nobody, "too-many-attempts", "too many attempts from there");
        }
        too_many(held.wait)
    })
}

fn too_many(wait: Duration) -> Failure {
    let seconds = wait.as_secs() + 1;
    let why = format!("too many wrong attempts from where you are; try again in {seconds} seconds");
    let mut failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", why);
    failure.0.retry_after = Some(seconds);
    failure
}

fn name_key(subject: Option<&Dn>, name: &str) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, subject.map_or(name.as_bytes(), Dn::key)).as_ref());
    key
}

pub(in crate::daemon::control) async fn logout(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let NothingBody {} = read_or_default(body)?;
    let token = logged_in(&caller)?;
    control.logins.tokens.end(token);
    control.broker.record_call("logged out", &caller.actor);
    done("logged out")
}

pub(in crate::daemon::control) async fn enrol_totp(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let NothingBody {} = read_or_default(body)?;
    let token = logged_in(&caller)?;
    if !caller.fresh {
        let why = "a second factor is enrolled soon after logging in: log in again first";
        return Err(caller.refused(&control, "enrol a second factor", "", "login-not-fresh", why));
    }
    let subject = own_subject(&caller)?;
    let (secrets, of) = (Arc::clone(&control.logins.secrets), subject.clone());
    let replaces = on_disk(move || secrets.enrolled(&of)).await.map_err(|error| kept(&error.into()))?;
    if replaces.is_some() && !caller.actor.second_factor {
        let why = "there is one already: show its code (Tidegate-Code), or have an administrator reset it";
        return Err(caller.refused(&control, "enrol a second factor", "", "second-factor-needed", why));
    }
    let mut secret = [0; SECRET];
    getrandom::fill(&mut secret).map_err(|error| internal(&error))?;
    control.logins.tokens.begin_enrolment(token, Enrolment { secret, replaces }, control.clock.now());
    let secret = base32(&secret);
    let label: String = subject.text().bytes().map(percent).collect();
    let uri = format!("otpauth://totp/Tidegate:{label}?secret={secret}&issuer=Tidegate");
    json(StatusCode::OK, &TotpView { secret, uri })
}

/// RFC 3986 2.1.
fn percent(octet: u8) -> String {
    match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(octet).to_string(),
        other => format!("%{other:02X}"),
    }
}

pub(in crate::daemon::control) async fn confirm_totp(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: CodeBody = read(body)?;
    let token = logged_in(&caller)?;
    let now = control.clock.now();
    let Some(begun) = control.logins.tokens.enrolling(token, now) else { return Err(not_enrolling()) };
    let (secrets, subject) = (Arc::clone(&control.logins.secrets), own_subject(&caller)?);
    let of = subject.clone();
    let enrolled = on_disk(move || secrets.enrol(&of, &begun, &body.code, now)).await;
    enrolled.map_err(|error| wrong_code(&control, &caller, &error))?;
    control.logins.forget_second_factor(&subject);
    control.logins.tokens.step_up(token, now);
    control.broker.record_call("second factor enrolled", &caller.actor);
    done("second factor enrolled")
}

pub(in crate::daemon::control) async fn step_up(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: CodeBody = read(body)?;
    let token = logged_in(&caller)?;
    let taken = control.logins.take_code(own_subject(&caller)?, body.code, Some(token), control.clock.now()).await;
    taken.map_err(|error| wrong_code(&control, &caller, &error))?;
    control.broker.record_call("second factor shown", &caller.actor);
    done("second factor shown")
}

pub(in crate::daemon::control) async fn reset_totp(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: ResetBody = read(body)?;
    let subject = name(&body.subject)?;
    let attempt = "reset a second factor";
    if let Err(error) = control.broker.with_context(|context| locks::check_administers(&caller.actor, context)) {
        return Err(caller.refused(&control, attempt, subject.text(), error.word(), &error.to_string()));
    }
    // Or a stolen login of an administrator's would be rid of its second factor.
    if control.broker.with_context(|context| context.may_be(&caller.actor, &subject)) {
        let why = "nobody resets their own: another administrator has to";
        return Err(caller.refused(&control, attempt, subject.text(), "own-second-factor", why));
    }
    if body.reason.trim().is_empty() {
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "reason-missing", "a reason is needed"));
    }
    let (secrets, of) = (Arc::clone(&control.logins.secrets), subject.clone());
    let owner = on_disk(move || secrets.reset(&of)).await.map_err(|error| kept(&error.into()))?;
    control.logins.forget_second_factor(&subject);
    let about = owner.as_deref().unwrap_or(subject.text());
    control.broker.record_done("second factor reset", about, &body.reason, &caller.actor);
    done(if owner.is_some() { "second factor reset" } else { "there was no second factor" })
}

/// The token of a caller who has one.
fn logged_in(caller: &Caller) -> Result<TokenHash, Failure> {
    let why = "this is for those who logged in: `tidegate login`, or POST /v1/login";
    caller.token.ok_or_else(|| Failure::new(StatusCode::CONFLICT, "not-logged-in", why))
}

/// The subject who logged in, whoever they act as.
fn own_subject(caller: &Caller) -> Result<Dn, Failure> {
    let own = caller.actor.really.as_ref().unwrap_or(&caller.actor.acts);
    own.dn.clone().ok_or_else(|| Failure::forbidden("no-subject", "you have no name in the directory"))
}

/// The answer to a code that was not taken; it is recorded.
pub(in crate::daemon::control) fn wrong_code(control: &Control, caller: &Caller, error: &CodeError) -> Failure {
    match error {
        CodeError::Wrong => {
            let why = "the code is wrong, or was used before: wait for the next one";
            caller.refused(control, "show a second factor", "", "wrong-code", why)
        }
        CodeError::Wait(held) => {
            if held.is_news {
                let why = "too many wrong codes";
                control.broker.record_refusal("show a second factor", "", &caller.actor, "too-many-attempts", why);
            }
            too_many(held.wait)
        }
        CodeError::Changed => not_enrolling(),
        CodeError::Io(_) => kept(error),
    }
}

fn not_enrolling() -> Failure {
    let why = "nothing is being enrolled in this login, or it took too long: begin with POST /v1/totp";
    Failure::new(StatusCode::CONFLICT, "not-enrolling", why)
}

/// What the disk says is for the log.
fn kept(error: &CodeError) -> Failure {
    tracing::error!(%error, "second factors");
    let why = "second factors cannot be read or written at the moment";
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "store-failed", why)
}

fn internal(error: &dyn std::fmt::Display) -> Failure {
    tracing::error!(%error, "no random numbers");
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no-randomness", "the system gives no random numbers")
}

fn done(what: &str) -> Answer {
    json(StatusCode::OK, &DoneView { done: what.to_owned() })
}
