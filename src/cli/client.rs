//! The control API, over a Unix socket or TLS. One connection a call; knows nothing of what is
//! asked, but asks for the code of a second factor when the gate does.

use super::hint::hint;
use super::prompt;
use super::target::Target;
use crate::api::problem::Problem;
use crate::api::routes::{AS_HEADER, CODE_HEADER, PAGE};
use crate::engine::ldap::Dn;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::path::PathBuf;

/// An answer that is longer is not read to its end.
const LONGEST_ANSWER: usize = 256 * 1024 * 1024;

/// A way to call one gate.
pub(super) struct Client {
    target: Target,
    acting_as: Option<Dn>,
    /// Proof of who calls, over TLS.
    token: Option<String>,
    /// The second factor, for the first call that changes something: it is good once.
    code: Cell<Option<String>>,
    runtime: tokio::runtime::Runtime,
}

/// An answer: the JSON as it came, and what it says.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) json: String,
    pub(super) value: T,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// No gate, or another socket.
    #[error("nothing listens on {gate}: is `tidegate serve` running? {how}")]
    NobodyThere { gate: String, how: &'static str },
    /// A socket of somebody else.
    #[error("{} may not be used by you: the control socket is its owner's; ask as the user whom the gate runs as", .0.display())]
    NotAllowed(PathBuf),
    /// Another trouble with the connection.
    #[error("{gate}: {error}")]
    Connection { gate: String, error: std::io::Error },
    /// It is not the gate, or not known to be.
    #[error("{gate} shows a certificate that {why}")]
    Untrusted { gate: String, why: String },
    /// Something else listens there.
    #[error("{gate} does not speak {what}: is that the control port ([control] listen), and not the LDAP port?")]
    NotControlPort { gate: String, what: &'static str },
    /// One's own files.
    #[error("certificates: {0}")]
    Certificates(String),
    /// The gate went away in the middle.
    #[error("the gate closed the connection before it answered: {0}")]
    Interrupted(hyper::Error),
    /// The gate says no; and what helps.
    #[error("{}", problem_text(.0))]
    Problem(Box<Problem>, Option<String>),
    /// Not what the API says.
    #[error("the gate on {gate} gave an answer that this version does not understand ({why})")]
    Strange { gate: String, why: String },
}

impl ClientError {
    /// Whether the gate gave no answer at all. The call may have been carried out if the connection was lost meanwhile.
    pub(super) fn is_unreachable(&self) -> bool {
        match self {
            ClientError::NobodyThere { .. } | ClientError::Connection { .. } | ClientError::Interrupted(_) => true,
            ClientError::NotAllowed(_)
            | ClientError::Untrusted { .. }
            | ClientError::NotControlPort { .. }
            | ClientError::Certificates(_)
            | ClientError::Problem(..)
            | ClientError::Strange { .. } => false,
        }
    }
}

fn problem_text(problem: &Problem) -> String {
    let says = problem.detail.as_deref().unwrap_or(&problem.title);
    match problem.errors.len() {
        0 => says.to_owned(),
        1 => format!("{says} (1 error)"),
        several => format!("{says} ({several} errors)"),
    }
}

impl Client {
    pub(super) fn new(
        target: Target,
        acting_as: Option<Dn>,
        token: Option<String>,
        code: Option<String>,
    ) -> anyhow::Result<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Client { target, acting_as, token, code: Cell::new(code), runtime })
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, ClientError> {
        self.call(Method::GET, path, Bytes::new())
    }

    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.strange(&error))?;
        self.call(Method::POST, path, body.into())
    }

    pub(super) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, ClientError> {
        self.call(Method::DELETE, path, Bytes::new())
    }

    /// A list of any length, page by page; each item as it came.
    pub(super) fn get_all(&self, path: &str) -> Result<Vec<serde_json::Value>, ClientError> {
        let mut items: Vec<serde_json::Value> = self.get(path)?.value;
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut found = items.len();
        while found >= PAGE
            && let Some(last) = items.last().and_then(|item| item.get("id")).and_then(|id| id.as_str())
        {
            let page: Vec<serde_json::Value> = self.get(&format!("{path}{separator}after={last}"))?.value;
            found = page.len();
            items.extend(page);
        }
        Ok(items)
    }

    /// A call that says everything in its path.
    pub(super) fn post_nothing<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, ClientError> {
        self.call(Method::POST, path, Bytes::new())
    }

    fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<Answer<T>, ClientError> {
        let exchange = |code| self.runtime.block_on(self.exchange(&method, path, body.clone(), code));
        let code = if method == Method::GET { None } else { self.code.take() };
        let (mut status, mut answer) = exchange(code.as_deref())?;
        if code.is_none() && status == StatusCode::FORBIDDEN && prompt::is_possible() {
            let problem: Option<Problem> = serde_json::from_slice(&answer).ok();
            if problem.is_some_and(|problem| problem.word() == "second-factor-needed") {
                // Without an answer the problem stands as it is.
                if let Ok(code) = prompt::secret("The code that your authenticator shows: ") {
                    (status, answer) = exchange(Some(code.trim()))?;
                }
            }
        }
        let body = answer;
        if !status.is_success() {
            return Err(match serde_json::from_slice(&body) {
                Ok(problem) => {
                    let problem: Problem = problem;
                    let hint = hint(problem.word(), path, &self.target);
                    ClientError::Problem(Box::new(problem), hint)
                }
                Err(_) => self.strange(&format_args!("HTTP {status}")),
            });
        }
        let value = serde_json::from_slice(&body).map_err(|error| self.strange(&error))?;
        let json = String::from_utf8(body.into()).map_err(|error| self.strange(&error))?;
        Ok(Answer { json, value })
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Bytes,
        code: Option<&str>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let stream = self.target.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(ClientError::Interrupted)?;
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.target.host());
        if method != Method::GET {
            // Even of nothing: no page of a browser could say so.
            request = request.header(CONTENT_TYPE, "application/json");
            if let Some(code) = code {
                request = request.header(CODE_HEADER, code);
            }
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(dn) = &self.acting_as {
            request = request.header(AS_HEADER, in_ascii(dn));
        }
        let request = request.body(Full::new(body)).map_err(|error| self.strange(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| self.no_answer(error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
                Ok(error) => self.strange(&error),
                Err(error) => match error.downcast::<hyper::Error>() {
                    Ok(error) => ClientError::Interrupted(*error),
                    Err(error) => self.strange(&error),
                },
            })?;
            Ok((status, body.to_bytes()))
        };
        // The connection makes no progress unless it is polled too. Its own end says nothing that
        // the answer does not.
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = connection => answer.await,
        }
    }

    fn no_answer(&self, error: hyper::Error) -> ClientError {
        match error.is_parse() {
            true => ClientError::NotControlPort { gate: self.target.to_string(), what: "HTTP" },
            false => ClientError::Interrupted(error),
        }
    }

    fn strange(&self, error: &dyn std::fmt::Display) -> ClientError {
        ClientError::Strange { gate: self.target.to_string(), why: error.to_string() }
    }
}

/// A DN in ASCII, for a header: RFC 4514 2.4 lets any octet of a value be written in hexadecimal.
fn in_ascii(dn: &Dn) -> String {
    let mut text = String::new();
    for byte in dn.text().bytes() {
        match byte {
            b' '..=b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("\\{other:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_header_is_the_same_name() {
        for name in ["uid=alice,dc=example,dc=com", "cn=Löhne\\, Gehälter,dc=example,dc=com", "cn=給与"] {
            let dn = Dn::parse(name.as_bytes()).expect(name);
            let sent = in_ascii(&dn);
            assert!(sent.is_ascii());
            assert!(Dn::parse(sent.as_bytes()).expect(&sent).is_surely(&dn), "{sent}");
        }
    }
}
