//! What people are to be told of, and what it is about. Who is told, and how, is `telling`'s.

use crate::engine::grant::history::Happened;
use crate::engine::grant::lifecycle::{Grant, GrantState};
use crate::engine::workflow::Lock;
use serde::{Deserialize, Serialize};

/// Something that somebody waits to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Notice {
    /// A request waits for the approvers of a stage.
    Waits {
        /// The request.
        request: String,
        /// The stage, counted from 0.
        stage: usize,
    },
    /// Somebody broke the glass.
    BreakGlass {
        /// Their request.
        request: String,
        /// Their grant.
        grant: String,
    },
    /// A request was approved, by people or by a rule.
    Approved {
        /// Which.
        request: String,
    },
    /// A request was denied.
    Denied {
        /// Which.
        request: String,
    },
    /// Nobody decided on a request in time.
    Lapsed {
        /// Which.
        request: String,
    },
    /// A grant is about to end.
    Ending {
        /// Which.
        grant: String,
    },
    /// A grant was ended by somebody else than its holder, or by the configuration.
    Revoked {
        /// Which.
        grant: String,
    },
    /// A subject was locked.
    Locked {
        /// The lock.
        lock: String,
    },
}

/// The kinds of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A request waits.
    Waits,
    /// The glass was broken.
    BreakGlass,
    /// A request was approved.
    Approved,
    /// A request was denied.
    Denied,
    /// A request lapsed.
    Lapsed,
    /// A grant is about to end.
    Ending,
    /// A grant was revoked.
    Revoked,
    /// A subject was locked.
    Locked,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [NoticeKind; 8] = [
        NoticeKind::Waits,
        NoticeKind::BreakGlass,
        NoticeKind::Approved,
        NoticeKind::Denied,
        NoticeKind::Lapsed,
        NoticeKind::Ending,
        NoticeKind::Revoked,
        NoticeKind::Locked,
    ];

    /// The word for configuration, records and receivers.
    pub fn word(self) -> &'static str {
        match self {
            NoticeKind::Waits => "waits",
            NoticeKind::BreakGlass => "break-glass",
            NoticeKind::Approved => "approved",
            NoticeKind::Denied => "denied",
            NoticeKind::Lapsed => "lapsed",
            NoticeKind::Ending => "ending",
            NoticeKind::Revoked => "revoked",
            NoticeKind::Locked => "locked",
        }
    }
}

impl Notice {
    /// Its kind.
    pub fn kind(&self) -> NoticeKind {
        match self {
            Notice::Waits { .. } => NoticeKind::Waits,
            Notice::BreakGlass { .. } => NoticeKind::BreakGlass,
            Notice::Approved { .. } => NoticeKind::Approved,
            Notice::Denied { .. } => NoticeKind::Denied,
            Notice::Lapsed { .. } => NoticeKind::Lapsed,
            Notice::Ending { .. } => NoticeKind::Ending,
            Notice::Revoked { .. } => NoticeKind::Revoked,
            Notice::Locked { .. } => NoticeKind::Locked,
        }
    }

    /// The request, grant or lock that it is about.
    pub fn about(&self) -> &str {
        match self {
            Notice::Waits { request, .. }
            | Notice::BreakGlass { request, .. }
            | Notice::Approved { request }
            | Notice::Denied { request }
            | Notice::Lapsed { request } => request,
            Notice::Ending { grant } | Notice::Revoked { grant } => grant,
            Notice::Locked { lock } => lock,
        }
    }

    /// What the last transition of a grant is to tell.
    pub fn of_grant(grant: &Grant) -> Option<Notice> {
        let last = grant.history.last()?;
        match (last.what, grant.state) {
            (Happened::Warned, _) => Some(Notice::Ending { grant: grant.id.clone() }),
            (Happened::Revoked, GrantState::Revoked) => Some(Notice::Revoked { grant: grant.id.clone() }),
            (_, _) => None,
        }
    }

    /// What the last transition of a lock is to tell.
    pub fn of_lock(lock: &Lock) -> Option<Notice> {
        lock.locked.then(|| Notice::Locked { lock: lock.id.clone() })
    }
}
