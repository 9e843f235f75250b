//! Logging in, and the second factor. What is secret in here has no `Debug` output.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/login`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    /// A DN, or a name that the configuration (`login_subject`) makes one of.
    pub name: String,
    /// The password, as the directory knows it.
    pub password: String,
    /// The code that the authenticator shows; it may be shown later, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl std::fmt::Debug for LoginBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginBody").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Answer of `POST /v1/login`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenView {
    /// To be sent as `Authorization: Bearer`. Who has it is the subject, until it expires.
    pub token: String,
    /// From when on it is good for nothing.
    pub expires: DateTime<Utc>,
    /// The subject that it stands for (DN).
    pub subject: String,
}

impl std::fmt::Debug for TokenView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenView").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Answer of `POST /v1/totp`: shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TotpView {
    /// The secret in base 32, to be typed into an authenticator.
    pub secret: String,
    /// The same as `otpauth:`, to be made a picture of.
    pub uri: String,
}

impl std::fmt::Debug for TotpView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpView(..)")
    }
}

/// Body of `POST /v1/totp/confirm` and `POST /v1/step-up`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    /// The code that the authenticator shows.
    pub code: String,
}

impl std::fmt::Debug for CodeBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeBody(..)")
    }
}

/// Body of `POST /v1/totp/reset`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetBody {
    /// Whose second factor is forgotten (DN).
    pub subject: String,
    /// Why; must say something.
    pub reason: String,
}

/// Body of what has nothing more to say: none, or an object with nothing in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NothingBody {}

/// Answer to what has nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DoneView {
    /// What was done, in words.
    pub done: String,
}
