//! Waiting for a decision: one line that says how a request stands, until there is one.

use super::client::{Answer, Client};
use super::output::{self, note};
use super::text::{fit, visible};
use super::{Outcome, clock, view};
use crate::api::{Decision, RequestState, RequestView, routes};
use chrono::Utc;
use std::io::IsTerminal;
use std::time::Duration;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks at a request again and again, until it is decided.
///
/// # Errors
/// The gate cannot be asked any more. The request does not mind.
pub(super) fn until_decided(
    client: &Client,
    id: &str,
    mut answer: Answer<RequestView>,
) -> anyhow::Result<Answer<RequestView>> {
    if answer.value.state != RequestState::Pending {
        return Ok(answer);
    }
    say_how_to_go_on_when_interrupted(id)?;
    let mut status = Status::new();
    while answer.value.state == RequestState::Pending {
        status.show(&answer.value);
        std::thread::sleep(INTERVAL);
        answer = client.get(&routes::request(id)).inspect_err(|_| {
            status.end();
            note(&how_to_go_on(id));
        })?;
    }
    status.end();
    Ok(answer)
}

/// What it comes to.
pub(super) fn outcome(state: RequestState) -> Outcome {
    match state {
        RequestState::Approved => Outcome::Done,
        RequestState::Pending => Outcome::Refused,
        RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed => Outcome::NotApproved,
    }
}

fn how_to_go_on(id: &str) -> String {
    let id = visible(id);
    format!(
        "The request goes on waiting. To wait for it again: tidegate show {id} --wait\n\
         To take it back: tidegate cancel {id}\n"
    )
}

/// Ctrl-C ends the waiting, wherever it is, and nothing else.
fn say_how_to_go_on_when_interrupted(id: &str) -> anyhow::Result<()> {
    let text = how_to_go_on(id);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before the thread runs: from here on nothing else ends the process.
    let mut interrupt = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?
    };
    std::thread::spawn(move || {
        runtime.block_on(interrupt.recv());
        let line_end = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
        note(&format!("{line_end}{text}"));
        std::process::exit(1);
    });
    Ok(())
}

/// One line on standard error that says how a request stands: rewritten on a terminal, else
/// written anew when something changed.
struct Status {
    live: bool,
    last: String,
}

impl Status {
    fn new() -> Status {
        Status { live: std::io::stderr().is_terminal(), last: String::new() }
    }

    fn show(&mut self, view: &RequestView) {
        let given = view.reviews.iter().filter(|review| review.decision == Decision::Approve).count();
        let id = view.id.as_deref().unwrap_or_default();
        let who = view.waiting_for.join(", ");
        let now = Utc::now();
        if self.live {
            let when = match view.goes_on {
                Some(at) => format!("goes on {}", view::distance(at, now)),
                None => format!("lapses {}", view::distance(view.lapses, now)),
            };
            let line = format!("{id}: {given} of {} approvals, {when}, waits for {who}", view.approvals);
            let width = output::error_width().unwrap_or(80);
            self.last = fit(&visible(&line), width.saturating_sub(1));
            note(&format!("\r\x1b[K{}", self.last));
            return;
        }
        let lapses = clock::with_zone(view.lapses);
        let line = format!("{id}: {given} of {} approvals, waits for {who}; lapses {lapses}", view.approvals);
        let line = visible(&line).into_owned();
        if line != self.last {
            note(&format!("{line}\n"));
        }
        self.last = line;
    }

    fn end(&self) {
        if self.live && !self.last.is_empty() {
            note("\r\x1b[K");
        }
    }
}
