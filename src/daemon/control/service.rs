//! The caller, roles, sessions, reload, liveness and readiness.

use super::Control;
use super::answer::{Answer, Failure, json, read, read_or_default};
use super::identity::{Caller, Door};
use crate::api::{KillBody, KillView, LintBody, MeView, ReadyView, ReloadBody, RoleView};
use crate::daemon::broker::BrokerError;
use crate::engine::ldap::Dn;
use crate::engine::policy::RefusalStyle;
use crate::engine::workflow::asking::check_text;
use crate::engine::workflow::{Match, locks};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts as _, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use std::sync::Arc;

pub(super) async fn me(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    let actor = &caller.actor;
    let own = actor.really.as_ref().unwrap_or(&actor.acts);
    let view = control.broker.with_context(|context| MeView {
        subject: actor.acts.dn.as_ref().map(|dn| dn.text().to_owned()),
        local_user: own.local_user.clone(),
        certificate: own.certificate.as_ref().map(ToString::to_string),
        really: actor.really.as_ref().map(ToString::to_string),
        administrator: context.is_administrator(actor),
        auditor: context.sees_everything(actor),
        second_factor: actor.second_factor,
    });
    json(StatusCode::OK, &view)
}

pub(super) async fn roles(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    let views: Vec<RoleView> = control.broker.with_context(|context| {
        let asker = &caller.actor.acts;
        // Whoever has no name in the directory can request nothing.
        if asker.dn.is_none() {
            return Vec::new();
        }
        let views = context.policy.roles.iter().filter_map(|role| {
            let break_glass = context.is(&role.break_glass, asker);
            match context.matches(&role.eligible, asker) {
                Match::Yes => Some(RoleView::new(role, context.policy, break_glass)),
                Match::No | Match::Unknown if break_glass => {
                    Some(RoleView { break_glass_only: true, ..RoleView::new(role, context.policy, true) })
                }
                Match::No => None,
                // Where refusals name no roles, this does not, either.
                Match::Unknown if context.policy.refusal == RefusalStyle::Opaque => None,
                Match::Unknown => Some(RoleView::unknown(role, context.unknown_groups(&role.eligible, asker))),
            }
        });
        views.collect()
    });
    json(StatusCode::OK, &views)
}

/// Everybody's for those who may see everything; one's own for everybody else.
pub(super) async fn sessions(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    let mut views = control.hooks.sessions().await;
    if !sees_everything(&control, &caller) {
        let policy = Arc::clone(&control.shared.snapshot.load().policy);
        views.retain(|view| {
            let subject = Dn::parse(view.subject.as_bytes());
            subject.is_ok_and(|subject| !subject.is_root() && caller.actor.acts.is_surely(&subject, policy.naming()))
        });
    }
    json(StatusCode::OK, &views)
}

/// Ends somebody's session. Its grants stay: who is to be kept out is locked.
pub(super) async fn kill(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: KillBody = read_or_default(body)?;
    let reason = body.reason.unwrap_or_else(|| "ended by an administrator".to_owned());
    let may = control.broker.with_context(|context| {
        locks::check_administers(&caller.actor, context).and_then(|()| check_text("the reason", &reason))
    });
    if let Err(error) = may {
        let (word, why) = (error.word(), error.to_string());
        control.broker.record_refusal("kill", &id, &caller.actor, word, &why);
        return Err(BrokerError::from(error).into());
    }
    if !control.hooks.kill(&id, &reason) {
        return Err(BrokerError::NotFound(id).into());
    }
    control.broker.record_kill(&id, &reason, &caller.actor);
    json(StatusCode::OK, &KillView { killed: id })
}

pub(super) async fn reload(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let ReloadBody { dry_run } = read_or_default(body)?;
    check_configures(&control, &caller, "reload")?;
    if !dry_run {
        control.broker.record_call("reload", &caller.actor);
    }
    match control.hooks.reload(Some(&caller.actor).filter(|_| !dry_run)).await {
        Ok(view) => json(StatusCode::OK, &view),
        Err(errors) => {
            let detail = match dry_run {
                true => "the configuration would not be taken over",
                false => "the configuration was not taken over: the one before stays in force",
            };
            let mut failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-configuration", detail);
            failure.0.errors = errors;
            Err(failure)
        }
    }
}

/// Looks at a configuration with the gate's eyes: which files there are is for those who configure it.
pub(super) async fn lint(
    State(control): State<Arc<Control>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body: LintBody = read(body)?;
    check_configures(&control, &caller, "lint")?;
    let view = control.hooks.lint(body).await;
    json(StatusCode::OK, &view.map_err(|why| Failure::new(StatusCode::CONFLICT, "no-configuration", why))?)
}

fn check_configures(control: &Control, caller: &Caller, attempt: &str) -> Result<(), Failure> {
    let administers = control.broker.with_context(|context| locks::check_administers(&caller.actor, context));
    match administers {
        Ok(()) => Ok(()),
        // Who runs the process could restart it as well.
        Err(_) if caller.owns_process => Ok(()),
        Err(error) => Err(caller.refused(control, attempt, "", error.word(), &error.to_string())),
    }
}

/// The text format of Prometheus.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// For whoever may open the socket; over TLS for those whom the configuration names.
pub(super) async fn metrics(State(control): State<Arc<Control>>, door: Door, parts: Parts) -> Answer {
    if let Door::Port(_) = door {
        let mut parts = parts;
        let caller = Caller::from_request_parts(&mut parts, &control).await?;
        let may = control.broker.with_context(|context| {
            context.sees_everything(&caller.actor) || context.is(&context.authority.metrics, &caller.actor.acts)
        });
        if !may {
            let why = "only administrators, auditors, and those whom [control] metrics names, may read this";
            return Err(Failure::forbidden("not-yours", why));
        }
    }
    Ok(([(CONTENT_TYPE, EXPOSITION)], control.hooks.metrics()).into_response())
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Why not is for those at the socket: whoever may ask over TLS need not know what is broken.
pub(super) async fn readyz(State(control): State<Arc<Control>>, door: Door) -> Answer {
    let not_ready = |why: String| {
        let why = match &door {
            Door::Socket(_) => why,
            Door::Port(_) => "the gate says why at its control socket: GET /readyz there, or its log".to_owned(),
        };
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why)
    };
    let ready = control.hooks.ready().map_err(not_ready)?;
    // What the gate keeps from clients is nothing for those who are nobody in particular.
    let ready = match &door {
        Door::Socket(_) => ready,
        Door::Port(_) => ReadyView { left_out: Vec::new(), ..ready },
    };
    match control.broker.failure() {
        Some(why) => Err(not_ready(format!("the store failed, no new grants: {why}"))),
        None => json(StatusCode::OK, &ready),
    }
}

pub(super) fn sees_everything(control: &Control, caller: &Caller) -> bool {
    control.broker.with_context(|context| context.sees_everything(&caller.actor))
}
