//! How requests, grants and scopes are shown to people.

use super::clock;
use super::table::{Details, Table};
use crate::api::{
    Decision, GrantState, GrantView, HistoryView, LockView, RequestState, RequestView, ReviewView, ScopeView,
};
use crate::engine::time::format_duration;
use chrono::{DateTime, Utc};
use std::fmt::Write;

/// A request with everything that is known of it.
pub(super) fn request(view: &RequestView, now: DateTime<Utc>, width: Option<usize>) -> String {
    let mut details = Details::default();
    details.line("request", view.id.as_deref().unwrap_or("none: a dry run keeps nothing"));
    details.line("state", state_line(view, now));
    details.line("role", &view.role);
    details.line("asked by", by(&view.requested_by, view.really_by.as_deref()));
    details.line(
        "how",
        if view.by_doing { "by doing: nobody typed it, an operation was done without the role" } else { "" },
    );
    details.line("for", &view.subject);
    details.line("reason", &view.reason);
    details.line("ticket", view.ticket.as_deref().unwrap_or_default());
    details.line("duration", view.duration.to_string());
    details.line("from", from(view, now));
    details.line("waits for", view.waiting_for.join(", "));
    if view.stages > 1 && view.state == RequestState::Pending {
        let goes_on = view.goes_on.map(|at| format!("; goes on to the next {}", moment(at, now))).unwrap_or_default();
        details.line("stage", format!("{} of {}{goes_on}", view.stage, view.stages));
    }
    details.line("decided by", basis(view.break_glass, view.automatic));
    details.line("extends", view.extends.as_deref().unwrap_or_default());
    details.line("grant", view.grant.as_deref().unwrap_or_default());
    let mut text = details.render(width);
    text.push_str(&scope(&view.scope, view.permanent, width));
    text.push_str(&reviews(&view.reviews, now, width));
    text.push_str(&history(&view.history, now, width));
    text
}

/// A grant with everything that is known of it.
pub(super) fn grant(view: &GrantView, now: DateTime<Utc>, width: Option<usize>) -> String {
    let mut details = Details::default();
    details.line("grant", &view.id);
    details.line("state", grant_state(view.state));
    details.line("role", &view.role);
    details.line("subject", &view.subject);
    details.line("asked by", &view.requested_by);
    details.line("request", &view.request);
    details.line("from", moment(view.from, now));
    details.line("until", moment(view.until, now));
    details.line("decided by", basis(view.break_glass, view.automatic));
    details
        .line("signed off", view.signed_off.map(|signed| if signed { "yes" } else { "not yet" }).unwrap_or_default());
    details.line("extends", view.extends.as_deref().unwrap_or_default());
    details.line("ended", view.ended.map(|ended| moment(ended, now)).unwrap_or_default());
    details.line("note", view.note.as_deref().unwrap_or_default());
    let mut text = details.render(width);
    text.push_str(&scope(&view.scope, view.permanent, width));
    text.push_str(&history(&view.history, now, width));
    text
}

/// A lock with its history.
pub(super) fn lock(view: &LockView, now: DateTime<Utc>, width: Option<usize>) -> String {
    let mut details = Details::default();
    details.line("subject", &view.subject);
    details.line("state", if view.locked { "locked" } else { "not locked" });
    details.line(if view.locked { "reason" } else { "was locked for" }, &view.reason);
    details.line("note", view.note.as_deref().unwrap_or_default());
    format!("{}{}", details.render(width), history(&view.history, now, width))
}

/// Locks, a line each.
pub(super) fn locks(views: &[LockView], now: DateTime<Utc>, width: Option<usize>) -> String {
    if views.is_empty() {
        return "Nobody is locked.\n".to_owned();
    }
    let mut table = Table::new(&["subject", "since", "by", "reason"]);
    for view in views {
        let last = view.history.last();
        let since = last.map(|entry| distance(entry.at, now)).unwrap_or_default();
        let by = last.map(|entry| entry.by.as_str()).unwrap_or_default();
        table.row([view.subject.as_str(), &since, by, &view.reason]);
    }
    table.render(width)
}

/// Who decided, when it was nobody.
fn basis(break_glass: bool, automatic: Option<u32>) -> String {
    match (break_glass, automatic) {
        (true, _) => "nobody: BREAK-GLASS".to_owned(),
        (false, Some(rule)) => format!("rule {rule} of the role, automatically"),
        (false, None) => String::new(),
    }
}

/// The mark of what nobody decided, in tables.
pub(super) fn glass(break_glass: bool, signed_off: Option<bool>) -> &'static str {
    match (break_glass, signed_off) {
        (true, Some(false)) => ", BREAK-GLASS, unsigned",
        (true, Some(true) | None) => ", BREAK-GLASS",
        (false, _) => "",
    }
}

/// What is opened, as the server computed it; what outlasts the grant is marked.
pub(super) fn scope(lines: &[ScopeView], permanent: bool, width: Option<usize>) -> String {
    let mut table = Table::new(&["opens", "entries", "operations"]);
    for line in lines {
        table.row([&line.resource, &entries(line), &line.operations.join(", ")]);
    }
    let mut text = format!("\n{}", table.render(width));
    // Several lines may open the same operation: it is told once.
    let mut marks: Vec<&String> = Vec::new();
    for mark in lines.iter().flat_map(|line| &line.permanent) {
        if !marks.contains(&mark) {
            marks.push(mark);
        }
    }
    if permanent || !marks.is_empty() {
        text.push_str("\n! Part of this outlasts the grant:\n");
        let mut details = Details::default();
        for mark in marks {
            details.line("!", mark);
        }
        text.push_str(&details.render(width));
    }
    text
}

/// A scope line's entries in words, and which attributes of them.
fn entries(line: &ScopeView) -> String {
    let of = line.attributes.as_ref().map(|names| format!("{} of ", names.join(", "))).unwrap_or_default();
    let entries = match line.scope.as_str() {
        "base" => format!("only {}", line.base),
        "one" => format!("directly below {}", line.base),
        "subtree" => format!("{} and all below", line.base),
        other => format!("{} ({other})", line.base),
    };
    of + &entries
}

/// A scope in one cell of a table: what of which resource, and where.
pub(super) fn scope_cell(lines: &[ScopeView]) -> String {
    let line = |line: &ScopeView| {
        let of = line.attributes.as_ref().map(|names| format!(" of {}", names.join(" "))).unwrap_or_default();
        format!("{}: {}{of} at {}", line.resource, line.operations.join(" "), line.base)
    };
    lines.iter().map(line).collect::<Vec<_>>().join("; ")
}

fn reviews(reviews: &[ReviewView], now: DateTime<Utc>, width: Option<usize>) -> String {
    if reviews.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["review", "by", "at", "reason"]);
    for review in reviews {
        let decision = match review.decision {
            Decision::Approve => "approve",
            Decision::Deny => "deny",
        };
        let who = by(&review.who, review.really_by.as_deref());
        table.row([decision, &who, &moment(review.at, now), review.reason.as_deref().unwrap_or_default()]);
    }
    format!("\n{}", table.render(width))
}

fn history(events: &[HistoryView], now: DateTime<Utc>, width: Option<usize>) -> String {
    if events.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["event", "at", "by", "from", "reason"]);
    for event in events {
        let who = match &event.acting_as {
            Some(subject) => format!("{} as {subject}", event.by),
            None => event.by.clone(),
        };
        let reason = event.reason.as_deref().unwrap_or_default();
        table.row([&event.event, &moment(event.at, now), &who, &event.from, reason]);
    }
    format!("\n{}", table.render(width))
}

fn by(who: &str, really: Option<&str>) -> String {
    match really {
        Some(really) => format!("{who} (really {really})"),
        None => who.to_owned(),
    }
}

/// From when access is asked for. Once it is decided, only a moment that was asked for says anything.
fn from(view: &RequestView, now: DateTime<Utc>) -> String {
    match (view.start, view.state) {
        (Some(start), _) => moment(start, now),
        (None, RequestState::Pending) => "when it is approved".to_owned(),
        (None, RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed) => {
            String::new()
        }
    }
}

/// Where a request stands, with what a person wants to know then.
fn state_line(view: &RequestView, now: DateTime<Utc>) -> String {
    let mut text = request_state(view.state).to_owned();
    match view.state {
        RequestState::Pending => {
            let given = view.reviews.iter().filter(|review| review.decision == Decision::Approve).count();
            // Writing to a string cannot fail.
            let _ = write!(text, ", {given} of {} approvals; lapses {}", view.approvals, moment(view.lapses, now));
            if view.may_review {
                text.push_str("; you may review it");
            }
        }
        RequestState::Approved | RequestState::Denied | RequestState::Cancelled | RequestState::Lapsed => {}
    }
    text
}

pub(super) fn request_state(state: RequestState) -> &'static str {
    match state {
        RequestState::Pending => "pending",
        RequestState::Approved => "approved",
        RequestState::Denied => "denied",
        RequestState::Cancelled => "cancelled",
        RequestState::Lapsed => "lapsed",
    }
}

pub(super) fn grant_state(state: GrantState) -> &'static str {
    match state {
        GrantState::Scheduled => "scheduled",
        GrantState::Active => "active",
        GrantState::Expired => "expired",
        GrantState::Released => "released",
        GrantState::Revoked => "revoked",
    }
}

/// A moment, and how far off it is.
pub(super) fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", clock::with_zone(at), distance(at, now))
}

/// How far off a moment is.
pub(super) fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (apart, ahead) = if at > now { (at - now, true) } else { (now - at, false) };
    let seconds = apart.to_std().unwrap_or_default().as_secs();
    // Nobody wants the seconds of a day.
    let rounded = match seconds {
        0..600 => seconds,
        600..86_400 => seconds / 60 * 60,
        _ => seconds / 3_600 * 3_600,
    };
    let text = format_duration(std::time::Duration::from_secs(rounded));
    match (seconds, ahead) {
        (0, _) => "now".to_owned(),
        (_, true) => format!("in {text}"),
        (_, false) => format!("{text} ago"),
    }
}
