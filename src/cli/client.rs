//! The control API over a Unix socket. One connection a call; knows nothing of what is asked.

use crate::api::problem::Problem;
use crate::api::routes::AS_HEADER;
use crate::engine::ldap::Dn;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::path::PathBuf;

/// An answer that is longer is not read to its end.
const LONGEST_ANSWER: usize = 256 * 1024 * 1024;

/// A way to call one gate.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
    acting_as: Option<Dn>,
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
    #[error(
        "nothing listens on {}: is `tidegate serve` running? Name the socket with --control SOCKET or --config FILE",
        .0.display()
    )]
    NobodyThere(PathBuf),
    /// A socket of somebody else.
    #[error("{} may not be used by you: the control socket is its owner's; ask as the user whom the gate runs as", .0.display())]
    NotAllowed(PathBuf),
    /// Another trouble with the socket.
    #[error("{}: {error}", .socket.display())]
    Socket { socket: PathBuf, error: std::io::Error },
    /// The gate went away in the middle.
    #[error("the gate closed the connection before it answered: {0}")]
    Interrupted(hyper::Error),
    /// The gate says no.
    #[error("{}", problem_text(.0))]
    Problem(Problem),
    /// Not what the API says.
    #[error("the gate on {} gave an answer that this version does not understand ({why})", .socket.display())]
    Strange { socket: PathBuf, why: String },
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
    pub(super) fn new(socket: PathBuf, acting_as: Option<Dn>) -> anyhow::Result<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Client { socket, acting_as, runtime })
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

    /// A call that says everything in its path.
    pub(super) fn post_nothing<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, ClientError> {
        self.call(Method::POST, path, Bytes::new())
    }

    fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<Answer<T>, ClientError> {
        let (status, body) = self.runtime.block_on(self.exchange(method, path, body))?;
        if !status.is_success() {
            return Err(match serde_json::from_slice(&body) {
                Ok(problem) => ClientError::Problem(problem),
                Err(_) => self.strange(&format_args!("HTTP {status}")),
            });
        }
        let value = serde_json::from_slice(&body).map_err(|error| self.strange(&error))?;
        let json = String::from_utf8(body.into()).map_err(|error| self.strange(&error))?;
        Ok(Answer { json, value })
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), ClientError> {
        let stream = tokio::net::UnixStream::connect(&self.socket).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NobodyThere(self.socket.clone()),
            ErrorKind::PermissionDenied => ClientError::NotAllowed(self.socket.clone()),
            _ => ClientError::Socket { socket: self.socket.clone(), error },
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Interrupted)?;
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(dn) = &self.acting_as {
            request = request.header(AS_HEADER, in_ascii(dn));
        }
        let request = request.body(Full::new(body)).map_err(|error| self.strange(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(ClientError::Interrupted)?;
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

    fn strange(&self, error: &dyn std::fmt::Display) -> ClientError {
        ClientError::Strange { socket: self.socket.clone(), why: error.to_string() }
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
