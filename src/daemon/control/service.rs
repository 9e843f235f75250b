//! The caller, roles, sessions, reload, liveness and readiness.

use super::Control;
use super::answer::{Answer, Failure, json};
use super::identity::Caller;
use crate::api::{MeView, RoleView};
use crate::engine::ldap::Dn;
use axum::extract::State;
use axum::http::StatusCode;
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
        let eligible = context.policy.roles.iter().filter(|role| context.is(&role.eligible, &caller.actor.acts));
        eligible.map(|role| RoleView::new(role, context.policy)).collect()
    });
    json(StatusCode::OK, &views)
}

/// Everybody's for those who may see everything; one's own for everybody else.
pub(super) async fn sessions(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    let mut views = control.hooks.sessions().await;
    if !sees_everything(&control, &caller) {
        views.retain(|view| {
            let subject = Dn::parse(view.subject.as_bytes());
            subject.is_ok_and(|subject| !subject.is_root() && caller.actor.acts.is_surely(&subject))
        });
    }
    json(StatusCode::OK, &views)
}

pub(super) async fn reload(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    let administers = control.broker.with_context(|context| context.is_administrator(&caller.actor));
    // Who runs the process could restart it as well.
    if !administers && !caller.owns_process {
        return Err(caller.refused(&control, "reload", "", "not-administrator", "only an administrator can reload"));
    }
    control.broker.record_call("reload", &caller.actor);
    match control.hooks.reload().await {
        Ok(view) => json(StatusCode::OK, &view),
        Err(errors) => {
            let detail = "the configuration was not taken over: the one before stays in force";
            let mut failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-configuration", detail);
            failure.0.errors = errors;
            Err(failure)
        }
    }
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(control): State<Arc<Control>>) -> Answer {
    let not_ready = |why: String| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why);
    control.hooks.ready().map_err(not_ready)?;
    match control.broker.failure() {
        Some(why) => Err(not_ready(format!("the store failed, no new grants: {why}"))),
        None => json(StatusCode::OK, &"ready"),
    }
}

pub(super) fn sees_everything(control: &Control, caller: &Caller) -> bool {
    control.broker.with_context(|context| context.sees_everything(&caller.actor))
}
