//! Filters that can match nothing: a name that is misspelled must not read like proof that nothing was done. A name is known
//! if it is in the configuration in force, in one that was, or anywhere in the log.

use super::Control;
use super::answer::Failure;
use super::audit::read;
use crate::config::nearest;
use crate::daemon::audit_log::Part;
use crate::engine::audit::query::{EVENTS, Filter};
use crate::engine::policy::Policy;

/// So many configurations of before are looked into, the newest first.
const LOOKED_INTO: usize = 100;

/// That an event exists.
pub(super) fn event(event: Option<&str>) -> Result<(), Failure> {
    match event {
        Some(event) if !EVENTS.contains(&event) => Err(unknown("event", event, EVENTS.iter().copied())),
        Some(_) | None => Ok(()),
    }
}

/// That an id is one.
pub(super) fn id(key: &str, prefix: &str, id: Option<&str>) -> Result<(), Failure> {
    match id {
        Some(id) if !id.starts_with(prefix) => {
            Err(Failure::bad_request(format!("{key}: {id:?} is no id; it begins with {prefix}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// That a resource is or was one.
pub(super) async fn resource(control: &Control, name: Option<&str>) -> Result<(), Failure> {
    let names = |policy: &Policy| policy.resources.iter().map(|resource| resource.name.to_string()).collect();
    let filter = |name: &str| Filter { resource: Some(name.to_owned()), ..Filter::default() };
    exists(control, "resource", name, names, filter).await
}

/// That a role is or was one.
pub(super) async fn role(control: &Control, name: Option<&str>) -> Result<(), Failure> {
    let names = |policy: &Policy| policy.roles.iter().map(|role| role.name.to_string()).collect();
    let filter = |name: &str| Filter { role: Some(name.to_owned()), ..Filter::default() };
    exists(control, "role", name, names, filter).await
}

async fn exists(
    control: &Control,
    key: &str,
    name: Option<&str>,
    names: fn(&Policy) -> Vec<String>,
    filter: fn(&str) -> Filter,
) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    let mut known = names(&control.shared.snapshot.load().policy);
    if known.iter().any(|one| one == name) {
        return Ok(());
    }
    let kept = control.configurations.list().unwrap_or_default();
    for one in kept.iter().rev().take(LOOKED_INTO) {
        known.extend(control.configurations.policy(&one.digest).map(|policy| names(&policy)).unwrap_or_default());
    }
    if known.iter().any(|one| one == name) {
        return Ok(());
    }
    let mut wanted = filter(name);
    let page = read(control, move |log, deadline| {
        log.settle();
        log.page(&mut wanted, Part::Before(u64::MAX), 1, deadline)
    });
    let page = page.await?;
    // Where there was no time to read all, it is not known that there is none.
    if !page.lines.is_empty() || page.more {
        return Ok(());
    }
    Err(unknown(key, name, known.iter().map(String::as_str)))
}

fn unknown<'w>(key: &str, name: &str, known: impl Iterator<Item = &'w str> + Clone) -> Failure {
    let meant = match nearest(name, known) {
        Some(meant) => format!("; did you mean {meant:?}?"),
        None => String::new(),
    };
    let nowhere = match key {
        "event" => "there is no such event",
        _ => "it is in no configuration, now or before, and not in the log",
    };
    Failure::bad_request(format!("{key}: {name:?} cannot match: {nowhere}{meant}"))
}
