//! The control port: HTTP/JSON over a Unix socket and over TLS. Knows who is calling and what the engine and
//! the broker make of it; decides nothing.

mod answer;
mod audit;
mod configurations;
mod explain;
mod following;
mod grants;
mod guard;
mod identity;
mod known;
mod locks;
mod login;
mod notifications;
mod openapi;
mod port;
mod report;
mod requests;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub use following::Follows;
pub use guard::Names;
pub use identity::{Peer, Remote, Shown};
pub use login::{LoginSettings, Logins};
pub use port::{ControlPort, PortTls};
pub use server::{ControlError, ControlSocket};

use super::audit_log::LogReader;
use super::broker::Broker;
use super::clock::Clock;
use super::configurations::Configurations;
use super::state::Shared;
use crate::api::{LintBody, LintView, ReadyView, ReloadView, SessionView, routes};
use crate::engine::grant::history::Actor;
use crate::engine::ldap::Dn;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{delete, get, post};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// The longest body that is read, in octets.
const MAX_BODY: usize = 64 * 1024;

/// The longest body with a configuration in it.
const MAX_CONFIGURATION: usize = 256 * 1024;

/// A future of somebody else's making.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the control port asks of the rest of the process.
pub trait ControlHooks: Send + Sync {
    /// What every session is doing.
    fn sessions(&self) -> Later<'_, Vec<SessionView>>;

    /// Ends a session, taking leave of its client; whether there is such a one.
    fn kill(&self, id: &str, reason: &str) -> bool;

    /// Takes over a changed configuration and changed certificates, or says everything that is
    /// wrong with them and changes nothing. `by`: who has it reloaded; `None`: only says what would happen.
    fn reload(&self, by: Option<&Actor>) -> Later<'_, Result<ReloadView, Vec<String>>>;

    /// What is wrong with a configuration, and what it would do. An error says why that cannot be said.
    fn lint(&self, body: LintBody) -> Later<'_, Result<LintView, String>>;

    /// What is counted, in the text format of Prometheus.
    fn metrics(&self) -> String;

    /// The digest of the configuration in force.
    fn configuration(&self) -> String;

    /// Whether traffic is served, and of which trees; if not, why.
    ///
    /// # Errors
    /// Why not.
    fn ready(&self) -> Result<ReadyView, String>;

    /// The object classes of an entry, as the gate's own account sees them; `None`: there is no such entry that it may
    /// read. An error says why the directory could not be asked.
    fn object_classes(&self, name: Dn) -> Later<'_, Result<Option<Vec<String>>, String>>;

    /// The direct members of a group: `member` and `uniqueMember`. An error says why they are not known.
    fn members(&self, group: Dn) -> Later<'_, Result<Vec<Dn>, String>>;

    /// Whom the directory takes this subject for, if it takes this password for it. Both are sent as they are: what
    /// must not be asked is the caller's to know. An error says why it could not be asked.
    fn check_password(&self, subject: Dn, password: Zeroizing<String>) -> Later<'_, Result<Option<Dn>, String>>;
}

/// What the control port works with.
pub struct Control {
    /// Writes requests and grants.
    pub broker: Arc<Broker>,
    /// What decisions read.
    pub shared: Arc<Shared>,
    /// The time.
    pub clock: Clock,
    /// The rest of the process.
    pub hooks: Arc<dyn ControlHooks>,
    /// Who is logged in.
    pub logins: Arc<Logins>,
    /// What was recorded.
    pub audit: LogReader,
    /// Who is following it.
    pub follows: Follows,
    /// Configurations that were in force.
    pub configurations: Configurations,
    /// Nobody waits any more once this is so.
    pub stopping: CancellationToken,
}

/// Every call of the control API. Requests must carry a [`Peer`] or a [`Remote`] in their
/// extensions; with a [`Remote`], the [`Names`] of the port as well.
pub fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route(routes::ME, get(service::me))
        .route(routes::LOGIN, post(login::login))
        .route(routes::LOGOUT, post(login::logout))
        .route(routes::TOTP, post(login::enrol_totp))
        .route(routes::TOTP_CONFIRM, post(login::confirm_totp))
        .route(routes::TOTP_RESET, post(login::reset_totp))
        .route(routes::STEP_UP, post(login::step_up))
        .route(routes::ROLES, get(service::roles))
        .route(routes::REQUESTS, get(requests::list).post(requests::ask))
        .route(routes::REQUEST, get(requests::show))
        .route(routes::REVIEWS, post(requests::review))
        .route(routes::CANCEL, post(requests::cancel))
        .route(routes::GRANTS, get(grants::list))
        .route(routes::GRANT, get(grants::show))
        .route(routes::RELEASE, post(grants::release))
        .route(routes::REVOKE, post(grants::revoke))
        .route(routes::EXTEND, post(grants::extend))
        .route(routes::SIGN_OFF, post(grants::sign_off))
        .route(routes::LOCKS, get(locks::list).post(locks::lock))
        .route(routes::LOCK, delete(locks::unlock))
        .route(routes::NOTIFICATIONS, get(notifications::list))
        .route(routes::RETRY, post(notifications::retry))
        .route(routes::SESSIONS, get(service::sessions))
        .route(routes::KILL, post(service::kill))
        .route(routes::EXPLAIN, post(explain::explain))
        .route(routes::RELOAD, post(service::reload))
        .route(routes::AUDIT, get(audit::search))
        .route(routes::AUDIT_REPORT, get(report::report))
        .route(routes::AUDIT_VERIFY, get(audit::verify))
        .route(routes::AUDIT_ACKNOWLEDGE, post(audit::acknowledge))
        .route(routes::AUDIT_CONFIGURATIONS, get(configurations::list))
        .route(routes::AUDIT_CONFIGURATION, get(configurations::show))
        .route(routes::LINT, post(service::lint))
        .route(routes::OPENAPI, get(openapi::serve))
        .route(routes::METRICS, get(service::metrics))
        .route(routes::HEALTHZ, get(service::healthz))
        .route(routes::READYZ, get(service::readyz))
        // Before the answer to other methods, which is not to wait for a type.
        .route_layer(from_fn(guard::check_type))
        .fallback(answer::no_such_call)
        .method_not_allowed_fallback(answer::no_such_method)
        .layer(from_fn(answer::read_all))
        .layer(from_fn(answer::in_time))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(guard::check))
        .layer(from_fn(guard::finish))
        .with_state(control)
}
