//! Configurations that were in force, for auditors and administrators: reading them is recorded like reading the log.

use super::Control;
use super::answer::{Answer, Failure, json};
use super::audit::admit;
use super::identity::Caller;
use crate::api::ConfigurationView;
use crate::daemon::configurations::KeptConfiguration;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn list(State(control): State<Arc<Control>>, caller: Caller) -> Answer {
    admit(&control, &caller, "configurations", &serde_json::json!({}))?;
    let kept = kept(&control)?;
    json(StatusCode::OK, &kept.into_iter().map(|one| view(&control, one, None)).collect::<Vec<_>>())
}

pub(super) async fn show(State(control): State<Arc<Control>>, caller: Caller, Path(digest): Path<String>) -> Answer {
    admit(&control, &caller, "configuration", &serde_json::json!({ "digest": digest }))?;
    let not_found = |why: String| Failure::new(StatusCode::NOT_FOUND, "not-found", why);
    let one = kept(&control)?.into_iter().find(|one| one.digest == digest);
    let text = control.configurations.text(&digest).map_err(not_found)?;
    let one = one.ok_or_else(|| not_found("it is not kept here".to_owned()))?;
    json(StatusCode::OK, &view(&control, one, Some(text)))
}

fn kept(control: &Control) -> Result<Vec<KeptConfiguration>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", format!("configurations cannot be read: {error}"))
    };
    control.configurations.list().map_err(failed)
}

fn view(control: &Control, one: KeptConfiguration, text: Option<String>) -> ConfigurationView {
    let in_force = control.hooks.configuration() == one.digest;
    ConfigurationView { in_force, digest: one.digest, since: one.since, text }
}
