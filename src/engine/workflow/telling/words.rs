//! What people are told, as plain text. The scope is the server's rendering of it; what people typed is
//! quoted, marked as theirs, and made visible.

use super::Facts;
use crate::engine::grant::history::Happened;
use crate::engine::grant::lifecycle::Grant;
use crate::engine::grant::scope::{Scope, ScopeEntry, reach_word};
use crate::engine::text::visible;
use crate::engine::time::format_duration;
use crate::engine::workflow::request::Request;
use crate::engine::workflow::{Lock, Notice, Verdict};
use chrono::{DateTime, SecondsFormat, Utc};

/// A text with its title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line: ids and the names of roles, nothing that people typed.
    pub title: String,
    /// Lines, each ended by `\n`.
    pub body: String,
}

impl Notice {
    /// What is said of it.
    pub fn words(&self, facts: &Facts) -> Words {
        let mut page = Page::default();
        let title = match (self, facts) {
            (Notice::Waits { .. }, Facts::Request(request, _)) => waits(&mut page, request),
            (Notice::BreakGlass { .. }, Facts::Request(request, grant)) => broken(&mut page, request, grant.as_deref()),
            (_, Facts::Request(request, grant)) => decided(&mut page, self, request, grant.as_deref()),
            (_, Facts::Grant(grant, request)) => changed(&mut page, self, grant, request),
            (_, Facts::Lock(lock)) => locked(&mut page, lock),
        };
        Words { title: visible(&title).into_owned(), body: page.0 }
    }
}

fn waits(page: &mut Page, request: &Request) -> String {
    page.line(&format!("A request for the role {} waits for your decision.", request.role));
    page.gap();
    page.asked(request);
    page.item("Lapses", &time(request.next_deadline().unwrap_or(request.lapses).max(request.created)));
    page.scope(&request.scope);
    page.typed(request);
    page.gap();
    page.item("See it", &format!("tidegate show {}", request.id));
    page.item("Approve", &format!("tidegate approve {}", request.id));
    page.item("Deny", &format!("tidegate deny {} --reason TEXT", request.id));
    format!("{} for {} waits for your decision", request.id, request.role)
}

fn broken(page: &mut Page, request: &Request, grant: Option<&Grant>) -> String {
    page.line(&format!("BREAK-GLASS: the role {} was activated at once, without a review.", request.role));
    page.gap();
    page.asked(request);
    page.window(grant);
    page.scope(&request.scope);
    page.typed(request);
    page.gap();
    page.item("See it", &format!("tidegate show {}", request.id));
    if let Some(grant) = grant {
        page.item("End it", &format!("tidegate revoke {} --reason TEXT", grant.id));
        page.item("Sign off", &format!("tidegate sign-off {} (auditors, when it has ended)", grant.id));
    }
    format!("BREAK-GLASS: {} for {}", request.id, request.role)
}

fn decided(page: &mut Page, notice: &Notice, request: &Request, grant: Option<&Grant>) -> String {
    let what = notice.kind().word();
    page.line(&match notice {
        Notice::Lapsed { .. } => format!("Nobody decided in time on your request for the role {}.", request.role),
        _ => format!("Your request for the role {} was {what}.", request.role),
    });
    page.gap();
    page.asked(request);
    page.window(grant);
    for review in &request.reviews {
        let word = match review.verdict {
            Verdict::Approve => "Approved by",
            Verdict::Deny => "Denied by",
        };
        page.item(word, &review.who.to_string());
        page.quoted("Their words", review.reason.as_deref());
    }
    page.gap();
    page.item("See it", &format!("tidegate show {}", request.id));
    format!("{} for {}: {what}", request.id, request.role)
}

fn changed(page: &mut Page, notice: &Notice, grant: &Grant, request: &Request) -> String {
    let end = match notice {
        Notice::Ending { .. } => {
            page.line(&format!("Your grant of the role {} is about to end.", grant.role));
            format!("ends at {}", time(grant.until))
        }
        _ => {
            page.line(&format!("Your grant of the role {} was revoked: it opens nothing any more.", grant.role));
            "revoked".to_owned()
        }
    };
    page.gap();
    page.item("Grant", &grant.id);
    page.item("Holder", grant.subject.text());
    page.window(Some(grant));
    if let Some(entry) = grant.history.iter().rev().find(|entry| entry.what == Happened::Revoked) {
        page.item("Revoked by", &entry.by);
        page.item("At", &time(entry.at));
        page.quoted("Why", entry.reason.as_deref());
    }
    page.gap();
    page.item("See it", &format!("tidegate show {}", grant.id));
    if let Notice::Ending { .. } = notice {
        page.item("More time", &format!("tidegate extend {} --for 30m --reason TEXT", grant.id));
        page.item("Done", &format!("tidegate release {}", grant.id));
    } else {
        page.item("Request", &request.id);
    }
    format!("{} of {}: {end}", grant.id, grant.role)
}

fn locked(page: &mut Page, lock: &Lock) -> String {
    page.line("An administrator has locked you: your grants have ended, and you can neither ask nor decide.");
    page.gap();
    page.item("Subject", lock.subject.text());
    if let Some(entry) = lock.history.iter().rev().find(|entry| entry.what == Happened::Locked) {
        page.item("Locked by", &entry.by);
        page.item("At", &time(entry.at));
    }
    page.quoted("Why", Some(&lock.reason));
    "you are locked".to_owned()
}

/// Text that grows by lines. Nothing gets into it but through [`visible`].
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(&visible(text));
        self.0.push('\n');
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn item(&mut self, name: &str, value: &str) {
        self.line(&format!("{:<12} {value}", format!("{name}:")));
    }

    fn asked(&mut self, request: &Request) {
        self.item("Request", &request.id);
        self.item("Asked by", &request.requested_by.to_string());
        if let Some(really) = &request.really {
            self.item("Really by", &really.to_string());
        }
        if request.requested_by.dn.as_ref().is_none_or(|own| !own.is_surely(&request.subject)) {
            self.item("For", request.subject.text());
        }
        if let Some(extends) = &request.extends {
            self.item("Extends", extends);
        }
        self.item("Duration", &format_duration(request.duration));
        if let Some(start) = request.start {
            self.item("From", &time(start));
        }
    }

    fn window(&mut self, grant: Option<&Grant>) {
        if let Some(grant) = grant {
            self.item("From", &time(grant.from));
            self.item("Until", &time(grant.until));
        }
    }

    fn scope(&mut self, scope: &Scope) {
        self.gap();
        self.line("What it opens:");
        for ScopeEntry { resource, base, reach, operations, attributes } in &scope.0 {
            let operations: Vec<&str> = operations.iter().map(|kind| kind.name()).collect();
            let mut text = format!("  {} in {resource}, {} {}", operations.join(", "), reach_word(*reach), base.text());
            if let Some(attributes) = attributes {
                text.push_str(&format!(", only {}", attributes.iter().collect::<Vec<_>>().join(", ")));
            }
            self.line(&text);
        }
        if scope.is_permanent() {
            self.line("  Some of it has effects that outlast the grant.");
        }
    }

    /// What the requester typed.
    fn typed(&mut self, request: &Request) {
        self.gap();
        self.quoted("Why, in the words of who asks", Some(&request.reason));
        self.quoted("Ticket, as who asks wrote it", request.ticket.as_deref());
    }

    /// Behind a mark on each line, so that it cannot pass for a line of ours.
    fn quoted(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return };
        self.line(&format!("{name}:"));
        text.lines().for_each(|line| self.line(&format!("  > {line}")));
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
