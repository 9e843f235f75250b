//! The body that webhooks are sent.

use super::ScopeView;
use super::convert::scope;
use crate::engine::grant::history::Happened;
use crate::engine::grant::lifecycle::{Grant, GrantState};
use crate::engine::workflow::request::{Request, Review};
use crate::engine::workflow::telling::{Facts, Notification};
use crate::engine::workflow::{Lock, NoticeKind, RequestState, Verdict};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a webhook is sent. `reason` and `ticket` are what people typed: whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookBody {
    /// The same at every try.
    pub id: String,
    /// What happened.
    pub event: NoticeKind,
    /// When.
    pub time: DateTime<Utc>,
    /// The request that it is about, or that the grant came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ToldRequest>,
    /// The grant that it is about, or that came of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<ToldGrant>,
    /// The lock that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<ToldLock>,
}

/// A request, as it stands when it is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldRequest {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: RequestState,
    /// Which role.
    pub role: String,
    /// Who asked.
    pub requested_by: String,
    /// Whose the grant will be.
    pub subject: String,
    /// What it would open.
    pub scope: Vec<ScopeView>,
    /// Whether some of that has effects that outlast the grant.
    pub permanent: bool,
    /// Why. Typed by a person.
    pub reason: String,
    /// The ticket. Typed by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Which stage decides, counted from 1.
    pub stage: u32,
    /// When it lapses or goes on to the next stage; absent when it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Who said what.
    pub reviews: Vec<ToldReview>,
    /// Whether the glass was broken.
    pub break_glass: bool,
    /// The rule of the role that approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<u32>,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldReview {
    /// Who.
    pub who: String,
    /// `approve` or `deny`.
    pub decision: Verdict,
    /// Why. Typed by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A grant, as it stands when it is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldGrant {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: GrantState,
    /// Whose it is.
    pub subject: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Who revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
    /// Why. Typed by a person, or Tidegate's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldLock {
    /// Who is locked.
    pub subject: String,
    /// Why. Typed by a person.
    pub reason: String,
}

impl WebhookBody {
    /// What is said of a notification at `now`.
    pub fn new(one: &Notification, facts: &Facts, now: DateTime<Utc>) -> WebhookBody {
        let (request, grant, lock) = match facts {
            Facts::Request(request, grant) => (Some(&**request), grant.as_deref(), None),
            Facts::Grant(grant, request) => (Some(&**request), Some(&**grant), None),
            Facts::Lock(lock) => (None, None, Some(&**lock)),
        };
        WebhookBody {
            id: one.id.clone(),
            event: one.notice.kind(),
            time: one.at,
            request: request.map(|request| ToldRequest::new(request, now)),
            grant: grant.map(|grant| ToldGrant::new(grant, now)),
            lock: lock.map(ToldLock::new),
        }
    }

    /// As JSON in which nothing is markup, ends a line or hides: what people typed stands there as escapes
    /// of the same meaning.
    ///
    /// # Errors
    /// It has no JSON form.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        let mut out = String::with_capacity(json.len());
        for c in json.chars() {
            // What is not ASCII, or means something in HTML, stands within strings only.
            if matches!(c, '<' | '>' | '&' | '\'' | '`' | '\u{7f}'..) {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                out.push(c);
            }
        }
        Ok(out)
    }
}

impl ToldRequest {
    fn new(request: &Request, now: DateTime<Utc>) -> ToldRequest {
        let state = request.state_at(now);
        let review = |review: &Review| ToldReview {
            who: review.who.to_string(),
            decision: review.verdict,
            reason: review.reason.clone(),
        };
        ToldRequest {
            id: request.id.clone(),
            state,
            role: request.role.clone(),
            requested_by: request.requested_by.to_string(),
            subject: request.subject.text().to_owned(),
            scope: scope(&request.scope),
            permanent: request.scope.is_permanent(),
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            stage: u32::try_from(request.position.stage).unwrap_or(u32::MAX).saturating_add(1),
            until: request.next_deadline().filter(|_| state == RequestState::Pending),
            reviews: request.reviews.iter().map(review).collect(),
            break_glass: request.basis.is_break_glass(),
            automatic: request.basis.rule(),
        }
    }
}

impl ToldGrant {
    fn new(grant: &Grant, now: DateTime<Utc>) -> ToldGrant {
        let revoked = grant.history.iter().rev().find(|entry| entry.what == Happened::Revoked);
        ToldGrant {
            id: grant.id.clone(),
            state: grant.state_at(now),
            subject: grant.subject.text().to_owned(),
            from: grant.from,
            until: grant.until,
            revoked_by: revoked.map(|entry| entry.by.clone()),
            reason: revoked.and_then(|entry| entry.reason.clone()),
        }
    }
}

impl ToldLock {
    fn new(lock: &Lock) -> ToldLock {
        ToldLock { subject: lock.subject.text().to_owned(), reason: lock.reason.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_is_no_markup_and_ends_no_line() {
        let reason = "</script><b onload='x'>&amp;\r\nSet-Cookie: a=b\u{1b}[2J\u{9b}\u{202e}\u{2028}ü😀`\"".to_owned();
        let lock = Some(ToldLock { subject: "cn=a\\<b\\>,dc=x".to_owned(), reason });
        let time = DateTime::UNIX_EPOCH;
        let body =
            WebhookBody { id: "note-1".to_owned(), event: NoticeKind::Locked, time, request: None, grant: None, lock };
        let text = body.to_text().unwrap();
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
        assert!(!text.contains(['<', '>', '&', '\'', '`']), "{text}");
        assert_eq!(serde_json::from_str::<WebhookBody>(&text).unwrap(), body, "it says the same");
    }
}
