//! From request to grant: who may ask (`asking`, `extending`), what a request is (`request`), who decides
//! (`stages`, `review`, `automatic`), who ends a grant and what the configuration ends (`ending`), ends that a record lacks (`ends`), who
//! is locked (`locks`), who may see (`authority`), what people are told (`notice`, `telling`). Pure; knows
//! no session and no store.

pub mod asking;
pub mod authority;
pub mod automatic;
pub mod ending;
pub mod ends;
pub mod extending;
pub mod locks;
pub mod notice;
pub mod request;
pub mod review;
pub mod stages;
pub mod telling;
#[cfg(test)]
mod tests;

pub use authority::{Authority, Context, Match};
pub use locks::{Lock, Locks};
pub use notice::{Notice, NoticeKind};
pub use request::{Request, RequestState, Verdict};

use crate::engine::grant::lifecycle::LifecycleError;
use crate::engine::grant::scope::ScopeError;
use std::time::Duration;

/// The longest reason, in characters.
pub const MAX_TEXT: usize = 1_000;
/// The longest ticket, in characters.
pub const MAX_TICKET: usize = 128;
/// The most attributes that a request may be narrowed to by name.
pub const MAX_NARROWED: usize = 32;
/// The longest base that a request may be narrowed to, in octets.
pub const MAX_BASE: usize = 1_024;

/// Why something is not done. What each says is for the person who tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    /// The caller leads to no DN, and a grant is always a DN's.
    #[error("no subject is configured for you (local_subject)")]
    NoSubject,
    /// No role of that name.
    #[error("there is no role {0:?}")]
    UnknownRole(String),
    /// Not one of those who may ask for it.
    #[error("you may not request the role {0}")]
    NotEligible(String),
    /// Not one of those for whom it may be asked.
    #[error("the role {role} may not be requested for {subject}")]
    NotBeneficiary {
        /// Which role.
        role: String,
        /// For whom.
        subject: String,
    },
    /// The role demands a second factor of those who ask or approve.
    #[error("the role {0} demands a second factor: give the code that your authenticator shows")]
    SecondFactor(String),
    /// The directory has not said who is in the groups that this depends on.
    #[error("who is in the groups of the role {0} is not known at the moment; try again")]
    MembershipUnknown(String),
    /// A reason is needed.
    #[error("a reason is needed")]
    ReasonMissing,
    /// Text that nobody should have to read.
    #[error("{0} is longer than {MAX_TEXT} characters or has control characters in it")]
    BadText(&'static str),
    /// A ticket that nobody should have to read.
    #[error("the ticket is longer than {MAX_TICKET} characters")]
    LongTicket,
    /// A list that nobody should have to read.
    #[error("a request is narrowed to at most {MAX_NARROWED} attributes, and these are {0}")]
    TooManyNames(usize),
    /// A name that nobody should have to read.
    #[error("the base is longer than {MAX_BASE} octets")]
    LongBase,
    /// A ticket is needed, of a certain form.
    #[error("a ticket that matches {0} is needed")]
    BadTicket(String),
    /// What is asked for is not the role's, or not narrower.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Zero.
    #[error("the duration must be longer than nothing")]
    NoDuration,
    /// Longer than the role allows.
    #[error("the role allows at most {0}")]
    TooLong(String),
    /// A start that is over, or beyond the calendar.
    #[error("the start lies in the past")]
    StartInPast,
    /// Beyond the calendar.
    #[error("the start lies too far ahead")]
    StartTooFar,
    /// Further ahead than the role allows.
    #[error("the role {0} allows a start at most {1} ahead")]
    StartBeyondLead(String, String),
    /// The rule that approved it is not there any more, or does not mean it any more.
    #[error("rule {0} of the role {1}, which approved it, does not approve it any more: it must be requested again")]
    RuleGone(u32, String),
    /// More were made within an hour than one person may make; after how long one more may be.
    #[error("you have made {0} requests within an hour, cancelled ones included: try again in {wait} minutes", wait = .1.as_secs() / 60 + 1)]
    TooManyRequests(usize, Duration),
    /// The request was decided before.
    #[error("the request is {0} already")]
    Decided(RequestState),
    /// The role's stages were changed while the request waited.
    #[error("who decides on the role {0} was changed since the request was made: it must be made again")]
    StagesChanged(String),
    /// Somebody approved who may no longer.
    #[error("{0}, who approved it, is no longer an approver of the role {1}: it must be asked for again")]
    ReviewerGone(String, String),
    /// More wait already than one person may have.
    #[error("{0} of your requests wait already: cancel some, or wait until they are decided")]
    TooManyPending(usize),
    /// Not one of those who may.
    #[error("you may not break the glass for the role {0}")]
    NotBreakGlass(String),
    /// Break-glass is for now and for oneself.
    #[error("break-glass is for yourself and at once: without another subject and without a start")]
    BreakGlassForm,
    /// An administrator's stop.
    #[error("{0} is locked by an administrator")]
    Locked(String),
    /// Locked before.
    #[error("{0} is locked already")]
    LockedAlready(String),
    /// No lock.
    #[error("{0} is not locked")]
    NotLocked(String),
    /// Nobody would be left to lift it.
    #[error("{0} is the last administrator: nobody could unlock them, or do anything else that administrators do")]
    LastAdministrator(String),
    /// Administrators' doing.
    #[error("only an administrator may do that")]
    NotAdministrator,
    /// Auditors' doing.
    #[error("only an auditor signs off a break-glass grant")]
    NotAuditor,
    /// One's own.
    #[error("nobody signs off their own grant")]
    OwnSignOff,
    /// What was to be extended has ended.
    #[error("the grant {0} that it extends has ended")]
    ExtendedEnded(String),
    /// One's own.
    #[error("nobody reviews their own request")]
    OwnRequest,
    /// Not one of those who decide.
    #[error("you are not an approver of the role {0}")]
    NotApprover(String),
    /// One person counts once.
    #[error("you have approved it already: {0} different people are needed")]
    ReviewedAlready(u32),
    /// Not what the reviewer saw.
    #[error("the request is not what you saw: look at it again")]
    Stale,
    /// Only who asked may.
    #[error("only who asked can cancel a request")]
    NotAsker,
    /// Not the holder.
    #[error("only its holder, or who asked for it, can release a grant")]
    NotHolder,
    /// Neither administrator nor approver.
    #[error("only an approver of the role or an administrator can revoke a grant")]
    NotRevoker,
    /// The holder ends a grant by releasing it.
    #[error("it is your own grant: release it")]
    OwnGrant,
    /// The role changed since the request was made.
    #[error("the role {0} is no longer configured")]
    RoleGone(String),
    /// The one who asked no longer qualifies.
    #[error("{0} may no longer request the role {1}")]
    NoLongerEligible(String, String),
    /// The grant's life does not allow it.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The deadline has not come.
    #[error("it is not time yet")]
    NotYet,
}

impl WorkflowError {
    /// A fixed word or two for records and for programs.
    pub fn word(&self) -> &'static str {
        match self {
            WorkflowError::NoSubject => "no-subject",
            WorkflowError::UnknownRole(_) => "unknown-role",
            WorkflowError::NotEligible(_) => "not-eligible",
            WorkflowError::NotBeneficiary { .. } => "not-beneficiary",
            WorkflowError::SecondFactor(_) => "second-factor-needed",
            WorkflowError::MembershipUnknown(_) => "membership-unknown",
            WorkflowError::ReasonMissing => "reason-missing",
            WorkflowError::BadText(_) | WorkflowError::LongTicket => "bad-text",
            WorkflowError::TooManyNames(_) | WorkflowError::LongBase => "bad-narrowing",
            WorkflowError::RuleGone(..) => "rule-gone",
            WorkflowError::TooManyRequests(..) => "too-many-requests",
            WorkflowError::BadTicket(_) => "bad-ticket",
            WorkflowError::Scope(_) => "not-narrower",
            WorkflowError::NoDuration | WorkflowError::TooLong(_) => "bad-duration",
            WorkflowError::StartInPast | WorkflowError::StartTooFar | WorkflowError::StartBeyondLead(..) => "bad-start",
            WorkflowError::Decided(_) | WorkflowError::Lifecycle(LifecycleError::Ended(_)) => "already-ended",
            WorkflowError::StagesChanged(_) => "stages-changed",
            WorkflowError::ReviewerGone(..) => "reviewer-gone",
            WorkflowError::TooManyPending(_) => "too-many-pending",
            WorkflowError::NotBreakGlass(_) => "not-break-glass",
            WorkflowError::BreakGlassForm => "bad-break-glass",
            WorkflowError::Locked(_) => "locked",
            WorkflowError::LockedAlready(_) => "locked-already",
            WorkflowError::NotLocked(_) => "not-locked",
            WorkflowError::LastAdministrator(_) => "last-administrator",
            WorkflowError::NotAdministrator => "not-administrator",
            WorkflowError::NotAuditor => "not-auditor",
            WorkflowError::OwnSignOff => "own-grant",
            WorkflowError::ExtendedEnded(_) => "extended-ended",
            WorkflowError::OwnRequest => "own-request",
            WorkflowError::NotApprover(_) => "not-approver",
            WorkflowError::ReviewedAlready(_) => "reviewed-already",
            WorkflowError::Stale => "stale-review",
            WorkflowError::NotAsker => "not-asker",
            WorkflowError::NotHolder => "not-holder",
            WorkflowError::NotRevoker => "not-revoker",
            WorkflowError::OwnGrant => "own-grant",
            WorkflowError::RoleGone(_) => "role-gone",
            WorkflowError::NoLongerEligible(..) => "no-longer-eligible",
            WorkflowError::Lifecycle(LifecycleError::Active) => "already-active",
            WorkflowError::Lifecycle(LifecycleError::NotEnded) => "not-ended",
            WorkflowError::Lifecycle(LifecycleError::NotBreakGlass) => "no-break-glass",
            WorkflowError::Lifecycle(LifecycleError::SignedOff) => "signed-off-already",
            WorkflowError::Lifecycle(LifecycleError::Warned) => "warned-already",
            WorkflowError::Lifecycle(LifecycleError::NotYet) | WorkflowError::NotYet => "not-yet",
        }
    }
}
