//! Who people are without being users of this machine: passwords, which the directory checks, and
//! the tokens that stand for them; second factors. Knows no roles and no requests.
//!
//! Answers are the same whether a name is known or not.

mod calls;
mod check;
mod secrets;
mod throttle;
mod tokens;
mod totp;

pub(super) use calls::{confirm_totp, enrol_totp, login, logout, reset_totp, step_up, wrong_code};
pub(super) use secrets::CodeError;
pub(super) use throttle::Place;
pub(super) use tokens::{Found, TokenHash};

use crate::config::ControlPort;
use crate::engine::Now;
use crate::engine::ldap::Dn;
use arc_swap::ArcSwap;
use secrets::Secrets;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use throttle::{Allowance, Regulars, Throttle};
use tokens::Tokens;
use tokio::sync::Semaphore;

const MINUTE: Duration = Duration::from_secs(60);
/// Wrong passwords of one name from one place.
const OF_NAME: Allowance =
    Allowance { free: 5, longest: MINUTE.saturating_mul(5), forgotten: MINUTE.saturating_mul(10) };
/// Wrong passwords from one place; there may be many people behind one address.
const OF_PLACE: Allowance = Allowance { free: 30, longest: MINUTE, forgotten: MINUTE };
/// Passwords that are being checked at the directory at once.
const CHECKS_AT_ONCE: usize = 16;

/// What a reload may change.
#[derive(Debug, Clone, Default)]
pub struct LoginSettings {
    /// A DN with `{user}` in it; `None`: people log in with their DN.
    pub login_subject: Option<String>,
    /// How long a token is good for.
    pub token_ttl: Duration,
    /// What makes a DN of a certificate; `None`: nothing does.
    pub certificate_subject: Option<String>,
}

impl LoginSettings {
    /// As configured.
    pub fn new(port: Option<&ControlPort>) -> LoginSettings {
        let Some(port) = port else { return LoginSettings::default() };
        LoginSettings {
            login_subject: port.login_subject.as_ref().map(|pattern| pattern.as_str().to_owned()),
            token_ttl: port.token_ttl,
            certificate_subject: port.certificate_subject.as_ref().map(|pattern| pattern.as_str().to_owned()),
        }
    }
}

/// Everybody who is logged in, and what holds back those who try.
pub struct Logins {
    settings: ArcSwap<LoginSettings>,
    tokens: Tokens,
    secrets: Arc<Secrets>,
    of_name: Throttle<(Place, [u8; 32])>,
    of_place: Throttle<Place>,
    regulars: Regulars<(Place, [u8; 32])>,
    checks: Semaphore,
}

impl Logins {
    /// Nobody is logged in. Second factors are in `folder`.
    pub fn new(settings: LoginSettings, folder: PathBuf) -> Logins {
        Logins {
            settings: ArcSwap::from_pointee(settings),
            tokens: Tokens::default(),
            secrets: Arc::new(Secrets::new(folder)),
            of_name: Throttle::new(OF_NAME),
            of_place: Throttle::new(OF_PLACE),
            regulars: Regulars::default(),
            checks: Semaphore::new(CHECKS_AT_ONCE),
        }
    }

    /// Takes over a new configuration. Who is logged in stays so.
    pub fn install(&self, settings: LoginSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Ends every login of a subject (a lock does); says how many there were.
    pub fn end_all_of(&self, subject: &Dn) -> usize {
        self.tokens.end_all_of(subject)
    }

    /// The login that a token stands for.
    pub(super) fn find(&self, token: TokenHash, now: Now) -> Option<Found> {
        self.tokens.find(token, now)
    }

    /// The subject that a certificate leads to.
    pub(super) fn subject_of_certificate(&self, certificate: &[u8]) -> Option<Dn> {
        let settings = self.settings.load();
        let pattern = settings.certificate_subject.as_ref()?;
        crate::daemon::certificate::name_by(pattern, certificate)
    }

    /// What was shown with a secret that is no longer the subject's counts no more, in no login of
    /// theirs, and nothing that was begun can be confirmed.
    fn forget_second_factor(&self, subject: &Dn) {
        self.tokens.forget_second_factor(subject);
    }

    /// Takes a code of the subject's second factor; a login that it came with is stepped up.
    pub(super) async fn take_code(
        &self,
        subject: Dn,
        code: String,
        token: Option<TokenHash>,
        now: Now,
    ) -> Result<(), CodeError> {
        let secrets = Arc::clone(&self.secrets);
        on_disk(move || secrets.take(&subject, &code, now)).await?;
        if let Some(token) = token {
            self.tokens.step_up(token, now);
        }
        Ok(())
    }
}

/// Runs what waits for the disk where it holds nobody up.
async fn on_disk<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("it was broken off").into()))
}
