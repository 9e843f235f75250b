//! A small LDAP client for messages that are the gate's own: reading the directory with the service
//! account, and playing a client in the demo. Never carries what somebody else sent.
//!
//! One operation at a time. The log target `ldap3_proto` stays off: it prints passwords at trace level.

use crate::engine::ldap::Dn;
use crate::engine::ldap::request::oid;
use futures_util::{SinkExt, StreamExt};
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapDerefAliases, LdapExtendedRequest, LdapFilter, LdapMsg, LdapOp, LdapResult,
    LdapResultCode, LdapSearchRequest, LdapSearchResultEntry, LdapSearchScope,
};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::Framed;

/// The largest message that is read, in octets: the schema of a large directory is one entry.
const MAX_MESSAGE: usize = 64 << 20;
/// At most this many operations of [`LdapClient::search_each`] are in flight; servers bound what one connection may
/// have waiting.
const MAX_IN_FLIGHT: usize = 50;
/// The most entries that one search gathers.
const MAX_ENTRIES: usize = 10_000;

/// Why an operation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection, or what came over it.
    #[error("connection to the directory: {0}")]
    Io(#[from] std::io::Error),
    /// It was closed.
    #[error("the directory closed the connection{0}")]
    Closed(String),
    /// It took too long.
    #[error("the directory did not answer within {0:?}")]
    TimedOut(Duration),
    /// A message that does not belong here.
    #[error("the directory answered out of turn")]
    OutOfTurn,
    /// More entries than are gathered.
    #[error("the directory answered with more than {MAX_ENTRIES} entries")]
    TooMuch,
    /// A password that cannot be sent.
    #[error("the service account's password is not UTF-8")]
    NotText,
    /// The answer is a failure.
    #[error("the directory answered {0:?}{told}", told = told(.1))]
    Refused(LdapResultCode, String),
}

/// What a directory adds to a result code, where it does.
fn told(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// The entries that a search found, and its result.
pub type Answer = (Vec<LdapSearchResultEntry>, LdapResult);

/// A connection on which the gate is the client.
pub struct LdapClient<S> {
    framed: Framed<S, LdapCodec>,
    last_id: i32,
    timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LdapClient<S> {
    /// A client on a connection. Each answer, entry by entry, is waited for no longer than `timeout`.
    pub fn new(stream: S, timeout: Duration) -> LdapClient<S> {
        let codec = LdapCodec::new(Some(MAX_MESSAGE), None);
        LdapClient { framed: Framed::new(stream, codec), last_id: 0, timeout }
    }

    /// A simple bind (RFC 4513 5.1). An empty name and password bind anonymously.
    ///
    /// # Errors
    /// When no answer comes. A refusal is an answer.
    pub async fn bind(&mut self, dn: &str, password: &str) -> Result<LdapResult, ClientError> {
        let cred = LdapBindCred::Simple(password.to_owned());
        let request = LdapBindRequest { version: 3, dn: dn.to_owned(), cred };
        match self.request(LdapOp::BindRequest(request)).await? {
            LdapOp::BindResponse(response) => Ok(response.res),
            _ => Err(ClientError::OutOfTurn),
        }
    }

    /// Reads what `request` finds.
    ///
    /// # Errors
    /// When the answer does not come, or is too much. A refusal is an answer.
    pub async fn search(
        &mut self,
        request: LdapSearchRequest,
    ) -> Result<(Vec<LdapSearchResultEntry>, LdapResult), ClientError> {
        self.send(LdapOp::SearchRequest(request), Vec::new()).await?;
        let mut entries = Vec::new();
        loop {
            match self.receive().await? {
                LdapOp::SearchResultEntry(_) if entries.len() >= MAX_ENTRIES => return Err(ClientError::TooMuch),
                LdapOp::SearchResultEntry(entry) => entries.push(entry),
                LdapOp::SearchResultReference(_) | LdapOp::IntermediateResponse(_) => {}
                LdapOp::SearchResultDone(result) => return Ok((entries, result)),
                _ => return Err(ClientError::OutOfTurn),
            }
        }
    }

    /// Makes several searches at once; the answers are in the order of the requests.
    ///
    /// # Errors
    /// When an answer does not come, or is too much. A refusal is an answer.
    pub async fn search_each(&mut self, requests: Vec<LdapSearchRequest>) -> Result<Vec<Answer>, ClientError> {
        let mut answers: Vec<Answer> = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let first = self.last_id.checked_add(1).unwrap_or(1);
            let mut waiting: Vec<Option<Vec<LdapSearchResultEntry>>> = Vec::new();
            for request in requests.by_ref().take(MAX_IN_FLIGHT) {
                self.feed(LdapOp::SearchRequest(request)).await?;
                waiting.push(Some(Vec::new()));
            }
            self.flush().await?;
            let mut done: Vec<Option<Answer>> = waiting.iter().map(|_| None).collect();
            while done.iter().any(Option::is_none) {
                let (id, op) = self.next().await?;
                let at = usize::try_from(id.wrapping_sub(first)).map_err(|_| ClientError::OutOfTurn)?;
                let entries = waiting.get_mut(at).and_then(Option::as_mut).ok_or(ClientError::OutOfTurn)?;
                match op {
                    LdapOp::SearchResultEntry(_) if entries.len() >= MAX_ENTRIES => return Err(ClientError::TooMuch),
                    LdapOp::SearchResultEntry(entry) => entries.push(entry),
                    LdapOp::SearchResultReference(_) | LdapOp::IntermediateResponse(_) => {}
                    LdapOp::SearchResultDone(result) => {
                        let entries = waiting.get_mut(at).and_then(Option::take).unwrap_or_default();
                        if let Some(done) = done.get_mut(at) {
                            *done = Some((entries, result));
                        }
                    }
                    _ => return Err(ClientError::OutOfTurn),
                }
            }
            answers.extend(done.into_iter().flatten());
        }
        Ok(answers)
    }

    /// Reads one entry; `None` when there is none by this name.
    ///
    /// # Errors
    /// When the answer does not come or is a refusal.
    pub async fn read(&mut self, dn: &str, attrs: &[&str]) -> Result<Option<LdapSearchResultEntry>, ClientError> {
        let attrs = attrs.iter().map(|name| (*name).to_owned()).collect();
        let (mut entries, result) = self.search(base_search(dn, attrs)).await?;
        match result.code {
            LdapResultCode::Success => Ok(entries.pop()),
            LdapResultCode::NoSuchObject => Ok(None),
            code => Err(ClientError::Refused(code, result.message)),
        }
    }

    /// Whom the directory takes the connection for, which was bound with this DN: by its own word (RFC 4532), or by
    /// the name of the entry that the DN leads to. `None`: it says neither.
    ///
    /// # Errors
    /// When no answer comes, or the directory says that it cannot answer now.
    pub async fn bound_as(&mut self, dn: &str) -> Result<Option<Dn>, ClientError> {
        let question = LdapExtendedRequest { name: oid::WHO_AM_I.to_owned(), value: None };
        let (result, value) = self.extended(question).await?;
        match result.code {
            LdapResultCode::Success => {
                let own =
                    value.strip_prefix(b"dn:").and_then(|name| Dn::parse(name).ok()).filter(|name| !name.is_root());
                if own.is_some() {
                    return Ok(own);
                }
            }
            LdapResultCode::Busy | LdapResultCode::Unavailable | LdapResultCode::Other => {
                return Err(ClientError::Refused(result.code, result.message));
            }
            _ => {}
        }
        match self.read(dn, &["1.1"]).await {
            Ok(entry) => Ok(entry.and_then(|entry| Dn::parse(entry.dn.as_bytes()).ok())),
            Err(ClientError::Refused(..)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Any operation that has one answer.
    ///
    /// # Errors
    /// When no answer comes. A refusal is an answer.
    pub async fn request(&mut self, operation: LdapOp) -> Result<LdapOp, ClientError> {
        self.send(operation, Vec::new()).await?;
        self.receive().await
    }

    /// An extended operation (RFC 4511 4.12).
    ///
    /// # Errors
    /// When no answer comes. A refusal is an answer.
    pub async fn extended(&mut self, request: LdapExtendedRequest) -> Result<(LdapResult, Vec<u8>), ClientError> {
        match self.request(LdapOp::ExtendedRequest(request)).await? {
            LdapOp::ExtendedResponse(response) => Ok((response.res, response.value.unwrap_or_default())),
            _ => Err(ClientError::OutOfTurn),
        }
    }

    async fn send(&mut self, op: LdapOp, ctrl: Vec<LdapControl>) -> Result<(), ClientError> {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let message = LdapMsg { msgid: self.last_id, op, ctrl };
        let sent = tokio::time::timeout(self.timeout, self.framed.send(message)).await;
        Ok(sent.map_err(|_| ClientError::TimedOut(self.timeout))??)
    }

    /// Puts an operation into the buffer. Ids that run out end the connection.
    async fn feed(&mut self, op: LdapOp) -> Result<(), ClientError> {
        self.last_id = self.last_id.checked_add(1).ok_or(ClientError::OutOfTurn)?;
        let message = LdapMsg { msgid: self.last_id, op, ctrl: Vec::new() };
        let fed = tokio::time::timeout(self.timeout, self.framed.feed(message)).await;
        Ok(fed.map_err(|_| ClientError::TimedOut(self.timeout))??)
    }

    async fn flush(&mut self) -> Result<(), ClientError> {
        let flushed = tokio::time::timeout(self.timeout, SinkExt::<LdapMsg>::flush(&mut self.framed)).await;
        Ok(flushed.map_err(|_| ClientError::TimedOut(self.timeout))??)
    }

    /// The next message that answers the last request.
    async fn receive(&mut self) -> Result<LdapOp, ClientError> {
        match self.next().await? {
            (id, op) if id == self.last_id => Ok(op),
            (_, _) => Err(ClientError::OutOfTurn),
        }
    }

    /// The next message, with its id.
    async fn next(&mut self) -> Result<(i32, LdapOp), ClientError> {
        let received = tokio::time::timeout(self.timeout, self.framed.next()).await;
        match received.map_err(|_| ClientError::TimedOut(self.timeout))? {
            None => Err(ClientError::Closed(String::new())),
            Some(message) => match message? {
                // RFC 4511 4.4.1: notice of disconnection.
                LdapMsg { msgid: 0, op: LdapOp::ExtendedResponse(notice), .. } => {
                    Err(ClientError::Closed(format!(": {:?} {}", notice.res.code, notice.res.message)))
                }
                LdapMsg { msgid, op, .. } => Ok((msgid, op)),
            },
        }
    }
}

/// A search for one entry.
pub fn base_search(dn: &str, attrs: Vec<String>) -> LdapSearchRequest {
    LdapSearchRequest {
        base: dn.to_owned(),
        scope: LdapSearchScope::Base,
        aliases: LdapDerefAliases::Never,
        sizelimit: 0,
        timelimit: 0,
        typesonly: false,
        filter: LdapFilter::Present("objectClass".to_owned()),
        attrs,
    }
}
