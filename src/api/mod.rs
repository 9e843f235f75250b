//! The JSON types that the control port and the command line share. Types and their rendering
//! only: nothing here decides, reads a clock or does I/O.
//!
//! Bodies that come in refuse unknown fields; views that go out may gain fields, so readers of
//! views must not refuse them.

pub mod audit;
mod convert;
pub mod duration;
pub mod explain;
pub mod grant;
pub mod lock;
pub mod login;
pub mod notification;
mod object;
pub mod problem;
pub mod ready;
pub mod reload;
pub mod report;
pub mod reporter;
pub mod request;
pub mod role;
pub mod routes;
pub mod scope;
pub mod session;
pub mod webhook;
mod words;

pub use audit::{
    AcknowledgeBody, AuditOrder, AuditPage, AuditQuery, ConfigurationView, FindingView, VerifyQuery, VerifyView,
};
pub use duration::DurationText;
pub use explain::{AsksView, ExplainBody, ExplainDecision, ExplainView, HeldBy};
pub use grant::{ExtendBody, GrantQuery, GrantView, RevokeBody, SignOffBody};
pub use lock::{LockBody, LockView};
pub use login::{CodeBody, DoneView, LoginBody, NothingBody, ResetBody, TokenView, TotpView};
pub use notification::{NotificationQuery, NotificationView};
pub use object::Object;
pub use problem::Problem;
pub use ready::{LeftOutView, ReadyView};
pub use reload::{DifferenceView, EndView, LintBody, LintView, ReloadBody, ReloadView};
pub use report::{
    CouldRow, DidRow, GrantRow, MonitoredRow, PolicyRow, RefusedRow, ReportQuery, ReportView, SpanView, StandingRow,
};
pub use reporter::{Configurations, REPORTS, Reporter};
pub use request::{
    CancelBody, Decision, HistoryView, NarrowBody, RequestBody, RequestQuery, RequestView, ReviewBody, ReviewView,
};
pub use role::{RoleView, StageView};
pub use scope::ScopeView;
pub use session::{KillBody, KillView, MeView, OutstandingView, SessionView};
pub use webhook::WebhookBody;
pub use words::{notification_state, request_state};

pub use crate::engine::grant::lifecycle::GrantState;
pub use crate::engine::workflow::RequestState;
