//! What every call has to be before anybody looks at it, and what every answer says to browsers.
//! A foreign page can send nothing that changes anything: not to another name, not from another
//! origin, and not as a form.

use super::answer::{Failure, ReadToItsEnd};
use super::identity::Remote;
use crate::api::problem;
use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    ORIGIN, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;

/// The longest path with its query, in octets.
const MAX_TARGET: usize = 8 * 1024;
/// Header fields of a request; real ones have a dozen.
const MAX_FIELDS: usize = 64;
/// Octets of them.
const MAX_FIELD_OCTETS: usize = 32 * 1024;

/// The names under which the port may be called: those in its certificate, and those configured.
pub struct Names {
    certificate: CertificateDer<'static>,
    more: Vec<String>,
}

impl Names {
    /// Those of `certificate`, and `more`.
    pub fn new(certificate: CertificateDer<'static>, more: Vec<String>) -> Names {
        Names { certificate, more }
    }

    fn contain(&self, host: &str) -> bool {
        if self.more.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            return true;
        }
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let (Ok(name), Ok(parsed)) = (ServerName::try_from(bare), ParsedCertificate::try_from(&self.certificate))
        else {
            return false;
        };
        verify_server_name(&parsed, &name).is_ok()
    }
}

/// Refuses what no honest caller sends. At the socket there are no browsers.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let checked = match request.extensions().get::<Remote>() {
        Some(_) => check_remote(&request),
        None => Ok(()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

fn check_remote(request: &Request) -> Result<(), Failure> {
    // Whoever asks whether the gate lives may know no more of it than its address.
    let probe = !request.uri().path().starts_with("/v1/");
    let host = host(request);
    if !probe {
        let names = request.extensions().get::<Arc<Names>>();
        let known = host.zip(names).is_some_and(|(host, names)| names.contain(without_port(host)));
        if !known {
            let why = "that is not a name of this gate: use one that is in its certificate, or set [control] hosts";
            return Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, "unknown-host", why));
        }
    }
    let headers = request.headers();
    check_size(request)?;
    // RFC 9112 6.1: two lengths are one request to one reader and two to another. (Where the
    // encoding stands before the length, the length is gone by here.)
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(Failure::bad_request("a request has a Content-Length or a Transfer-Encoding"));
    }
    let foreign = || Failure::forbidden("foreign-origin", "pages of other sites may not call this");
    if headers.contains_key(ORIGIN) {
        let mut origins = headers.get_all(ORIGIN).iter();
        let own = host.map(|host| format!("https://{host}"));
        let same =
            origins.next().zip(own).is_some_and(|(origin, own)| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()));
        if !same || origins.next().is_some() {
            return Err(foreign());
        }
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if !probe && site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Err(foreign());
    }
    Ok(())
}

fn check_size(request: &Request) -> Result<(), Failure> {
    let uri = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if uri > MAX_TARGET {
        let why = format!("a path with its query has {MAX_TARGET} octets at most");
        return Err(Failure::new(StatusCode::URI_TOO_LONG, "too-long", why));
    }
    let octets: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if request.headers().len() > MAX_FIELDS || octets > MAX_FIELD_OCTETS {
        let why = format!("a request has {MAX_FIELDS} header fields at most, of {MAX_FIELD_OCTETS} octets together");
        return Err(Failure::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too-long", why));
    }
    Ok(())
}

/// Refuses what a page of another site could send: what changes something is of a type that a form
/// cannot have, and a page that is to send it has to ask first, in vain. At the socket there are no
/// browsers.
pub(super) async fn check_type(request: Request, next: Next) -> Response {
    match check_remote_type(&request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

fn check_remote_type(request: &Request) -> Result<(), Failure> {
    let remote = request.extensions().get::<Remote>().is_some();
    if !remote || matches!(*request.method(), Method::GET | Method::HEAD) || is_json(request.headers()) {
        return Ok(());
    }
    let why = "what changes something is sent with Content-Type: application/json, even without a body";
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", why))
}

/// The one host that a request names: two that differ are none.
fn host(request: &Request) -> Option<&str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    let elsewhere = request.uri().authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host));
    (hosts.next().is_none() && !elsewhere && !host.contains('@')).then_some(host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) && !name.is_empty() => name,
        Some(_) | None => host,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let Some(kind) = types.next().and_then(|kind| kind.to_str().ok()) else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    types.next().is_none() && essence.eq_ignore_ascii_case("application/json")
}

/// Makes a problem of every error, and tells browsers to keep, show and guess nothing.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let remote = request.extensions().get::<Remote>().is_some();
    // Another reader on the way here may take another end for the end of such a body.
    let chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let has_body = !request.body().is_end_stream();
    let mut response = next.run(request).await;
    let status = response.status();
    let read = response.extensions().get::<ReadToItsEnd>().is_some();
    let is_error = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if is_error && kind != Some(problem::MEDIA_TYPE.as_bytes()) {
        // Of the framework's making: what it says is not for programs.
        let failure = Failure::new(status, "bad-request", "the request does not fit");
        let allow = response.headers_mut().remove(axum::http::header::ALLOW);
        response = failure.into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(axum::http::header::ALLOW, allow);
        }
    }
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tidegate\""));
    }
    let mut say = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(CACHE_CONTROL, "no-store");
    say(X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(X_FRAME_OPTIONS, "DENY");
    say(REFERRER_POLICY, "no-referrer");
    say(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    say(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if has_body && !read || remote && (chunked || status == StatusCode::MISDIRECTED_REQUEST) {
        say(CONNECTION, "close");
    }
    if remote {
        say(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// Says in a header what the problem says in its body.
pub(super) fn say_when(headers: &mut HeaderMap, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn remote() -> Remote {
        Remote { address: "192.0.2.1:4444".parse().expect("an address"), certificate: None }
    }

    fn names() -> Arc<Names> {
        let names = ["gate.example.com".to_owned(), "127.0.0.1".to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).expect("a certificate");
        Arc::new(Names::new(certified.cert.der().clone(), vec!["proxy.example.com".to_owned()]))
    }

    /// The word of the refusal, if it is one.
    fn verdict(names: &Arc<Names>, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = Request::builder().method(method).uri(path).extension(Arc::clone(names));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        request.extensions_mut().insert(remote());
        let checked = check_remote(&request).and_then(|()| check_remote_type(&request));
        checked.err().map(|failure| failure.0.word().to_owned())
    }

    #[test]
    fn what_is_too_large_or_has_two_ends_is_no_request() {
        let names = names();
        let host = ("host", "gate.example.com");
        let long = "x".repeat(MAX_FIELD_OCTETS);
        let many: Vec<String> = (0..MAX_FIELDS).map(|n| format!("x-{n}")).collect();
        let many = many.iter().map(|name| (name.as_str(), "1"));
        for (headers, expected) in [
            (vec![host, ("x-long", long.as_str())], Some("too-long")),
            (many.chain([host]).collect(), Some("too-long")),
            (vec![host, ("content-length", "5"), ("transfer-encoding", "chunked")], Some("bad-request")),
            (vec![host, ("transfer-encoding", "chunked")], None),
        ] {
            assert_eq!(verdict(&names, "GET", "/v1/requests", &headers).as_deref(), expected);
        }
        let path = format!("/v1/requests/{}", "x".repeat(MAX_TARGET));
        assert_eq!(verdict(&names, "GET", &path, &[host]).as_deref(), Some("too-long"));
    }

    #[test]
    fn only_its_own_names_are_answered_to() {
        let names = names();
        for (host, expected) in [
            ("gate.example.com", None),
            ("GATE.example.com:8443", None),
            ("127.0.0.1:8443", None),
            ("proxy.example.com:443", None),
            ("evil.example.net", Some("unknown-host")),
            ("gate.example.com.evil.net", Some("unknown-host")),
            ("evil@gate.example.com", Some("unknown-host")),
            ("", Some("unknown-host")),
        ] {
            assert_eq!(verdict(&names, "GET", "/v1/me", &[("host", host)]).as_deref(), expected, "{host}");
        }
        assert_eq!(verdict(&names, "GET", "/v1/me", &[]).as_deref(), Some("unknown-host"));
        let two = [("host", "gate.example.com"), ("host", "gate.example.com")];
        assert_eq!(verdict(&names, "GET", "/v1/me", &two).as_deref(), Some("unknown-host"));
        let elsewhere = verdict(&names, "GET", "https://evil.example.net/v1/me", &[("host", "gate.example.com")]);
        assert_eq!(elsewhere.as_deref(), Some("unknown-host"));
        assert_eq!(verdict(&names, "GET", "/healthz", &[("host", "10.0.0.1")]), None);
    }

    #[test]
    fn pages_of_others_change_nothing() {
        let names = names();
        let host = ("host", "gate.example.com:8443");
        let json = ("content-type", "application/json");
        for (method, headers, expected) in [
            ("POST", vec![host, json], None),
            ("POST", vec![host, ("content-type", "Application/JSON; charset=utf-8")], None),
            ("POST", vec![host], Some("not-json")),
            ("DELETE", vec![host], Some("not-json")),
            ("POST", vec![host, ("content-type", "text/plain")], Some("not-json")),
            ("POST", vec![host, ("content-type", "text/plain; application/json")], Some("not-json")),
            ("POST", vec![host, ("content-type", "application/x-www-form-urlencoded")], Some("not-json")),
            ("POST", vec![host, json, ("content-type", "text/plain")], Some("not-json")),
            ("POST", vec![host, json, ("origin", "https://gate.example.com:8443")], None),
            ("POST", vec![host, json, ("origin", "http://gate.example.com:8443")], Some("foreign-origin")),
            ("POST", vec![host, json, ("origin", "https://gate.example.com")], Some("foreign-origin")),
            ("POST", vec![host, json, ("origin", "https://evil.example.net")], Some("foreign-origin")),
            ("POST", vec![host, json, ("origin", "null")], Some("foreign-origin")),
            ("GET", vec![host, ("origin", "https://evil.example.net")], Some("foreign-origin")),
            ("GET", vec![host, ("sec-fetch-site", "cross-site")], Some("foreign-origin")),
            ("GET", vec![host, ("sec-fetch-site", "same-site")], Some("foreign-origin")),
            ("GET", vec![host, ("sec-fetch-site", "same-origin")], None),
            ("GET", vec![host, ("sec-fetch-site", "none")], None),
        ] {
            let path = "/v1/requests";
            assert_eq!(verdict(&names, method, path, &headers).as_deref(), expected, "{method} {headers:?}");
        }
    }
}
