//! Posts JSON, signed, and looks at the status of the answer and at nothing else. Follows no redirect: where
//! things are posted, the configuration says and nobody else.

use crate::engine::workflow::telling::Outcome;
use aws_lc_rs::hmac;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// From the first octet to the status.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The id of a delivery, the same at every try.
const DELIVERY: &str = "tidegate-delivery";

/// `t=UNIX,v1=HEX`.
const SIGNATURE: &str = "tidegate-signature";

/// Somewhere that JSON is posted to.
#[derive(Clone)]
pub struct Webhook {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// TLS; `None`: in the clear.
    pub tls: Option<Arc<ClientConfig>>,
    /// What deliveries are signed with.
    pub key: hmac::Key,
}

/// Without the path, which often is a secret.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Posts it once.
    pub async fn post(&self, id: &str, body: String, now: DateTime<Utc>) -> Outcome {
        match tokio::time::timeout(TIMEOUT, self.try_to_post(id, body, now)).await {
            Ok(Ok((status, headers))) => outcome(status, &headers, now),
            Ok(Err(why)) => Outcome::Later { why, after: None },
            Err(_) => Outcome::Later { why: format!("no answer within {} s", TIMEOUT.as_secs()), after: None },
        }
    }

    async fn try_to_post(&self, id: &str, body: String, now: DateTime<Utc>) -> Result<(StatusCode, HeaderMap), String> {
        let request = Request::post(&self.path)
            .header(HOST, self.authority())
            .header(USER_AGENT, concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header(DELIVERY, id)
            .header(SIGNATURE, signature(&self.key, now.timestamp(), &body))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| error.to_string())?;
        let Some(tls) = &self.tls else { return exchange(stream, request).await };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        exchange(stream.map_err(|error| error.to_string())?, request).await
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.port, self.tls.is_some()) {
            (443, true) | (80, false) => host,
            (port, _) => format!("{host}:{port}"),
        }
    }
}

/// One request on a connection that ends with it. Of the answer only the head is read.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, HeaderMap), String> {
    let said = |error: hyper::Error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let builder = hyper::client::conn::http1::Builder::new().max_buf_size(16 * 1024).to_owned();
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(said)?;
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(sender.send_request(request));
    loop {
        tokio::select! {
            // The answer first: a connection that has ended is not looked at again.
            biased;
            answer = &mut answer => {
                let head = answer.map_err(said)?.into_parts().0;
                return Ok((head.status, head.headers));
            }
            // It ends before the answer is taken only when there is none, which the answer then says.
            ended = &mut connection => ended.map_err(said)?,
        }
    }
}

/// The signature of a body (HMAC-SHA256 over the time, a dot and the body).
fn signature(key: &hmac::Key, unix: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{unix}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    format!("t={unix},v1={hex}")
}

/// What an answer means.
fn outcome(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Outcome {
    let why = format!("answered {}", status.as_u16());
    if status.is_success() {
        return Outcome::Delivered;
    }
    let busy = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if busy || status.is_server_error() {
        return Outcome::Later { why, after: retry_after(headers, now) };
    }
    if status.is_redirection() {
        return Outcome::Never { why: format!("{why}: redirects are not followed") };
    }
    Outcome::Never { why }
}

/// RFC 9110 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(TimeDelta::seconds(seconds.into()));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some(at.with_timezone(&Utc).signed_duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_that_anybody_else_computes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef");
        let expected = "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23";
        assert_eq!(signature(&key, 1_700_000_000, "{\"a\":1}"), expected);
    }

    #[test]
    fn what_answers_mean() {
        let now = DateTime::from_timestamp(1_445_412_470, 0).unwrap();
        let after = |seconds| Some(Some(seconds));
        let rows: [(u16, Option<&str>, &str, Option<Option<i64>>); 17] = [
            (200, None, "delivered", None),
            (204, None, "delivered", None),
            (301, None, "never", None),
            (307, None, "never", None),
            (400, None, "never", None),
            (401, None, "never", None),
            (404, None, "never", None),
            (410, None, "never", None),
            (408, None, "later", Some(None)),
            (429, Some("30"), "later", after(30)),
            (429, Some("soon"), "later", Some(None)),
            (429, Some("-1"), "later", Some(None)),
            (500, None, "later", Some(None)),
            (503, Some("120"), "later", after(120)),
            (503, Some("Wed, 21 Oct 2015 07:28:00 GMT"), "later", after(10)),
            (599, None, "later", Some(None)),
            (100, None, "never", None),
        ];
        for (status, header, word, expected) in rows {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(RETRY_AFTER, header.parse().unwrap());
            }
            let (found, asked) = match outcome(StatusCode::from_u16(status).unwrap(), &headers, now) {
                Outcome::Delivered => ("delivered", None),
                Outcome::Overtaken => ("overtaken", None),
                Outcome::Later { after, .. } => ("later", Some(after.map(|after| after.num_seconds()))),
                Outcome::Never { .. } => ("never", None),
            };
            assert_eq!((found, asked), (word, expected), "{status} {header:?}");
        }
    }
}
