//! The paths of the control API, as the server routes them (constants, axum's notation) and as
//! clients call them (functions, the id put in).

/// The header by which a caller who may (`act_as`) acts as another subject: a DN.
pub const AS_HEADER: &str = "Tidegate-As";

/// The header by which a caller shows the code of their second factor along with what needs it.
pub const CODE_HEADER: &str = "Tidegate-Code";

/// `POST`: name and password for a token.
pub const LOGIN: &str = "/v1/login";
/// `POST`: the token is good for nothing from here on.
pub const LOGOUT: &str = "/v1/logout";
/// `POST`: begins to enrol a second factor.
pub const TOTP: &str = "/v1/totp";
/// `POST`: ends it.
pub const TOTP_CONFIRM: &str = "/v1/totp/confirm";
/// `POST`: an administrator's.
pub const TOTP_RESET: &str = "/v1/totp/reset";
/// `POST`: shows the second factor.
pub const STEP_UP: &str = "/v1/step-up";
/// How long a page of a list is when the query does not say.
pub const PAGE: usize = 500;

/// `GET`: who the caller is.
pub const ME: &str = "/v1/me";
/// `GET`: roles that the caller may request.
pub const ROLES: &str = "/v1/roles";
/// `GET`, `POST`.
pub const REQUESTS: &str = "/v1/requests";
/// `GET`.
pub const REQUEST: &str = "/v1/requests/{id}";
/// `POST`.
pub const REVIEWS: &str = "/v1/requests/{id}/reviews";
/// `POST`.
pub const CANCEL: &str = "/v1/requests/{id}/cancel";
/// `GET`.
pub const GRANTS: &str = "/v1/grants";
/// `GET`.
pub const GRANT: &str = "/v1/grants/{id}";
/// `POST`.
pub const RELEASE: &str = "/v1/grants/{id}/release";
/// `POST`.
pub const REVOKE: &str = "/v1/grants/{id}/revoke";
/// `POST`.
pub const EXTEND: &str = "/v1/grants/{id}/extend";
/// `POST`.
pub const SIGN_OFF: &str = "/v1/grants/{id}/sign-off";
/// `GET`, `POST`.
pub const LOCKS: &str = "/v1/locks";
/// `DELETE`: the id is the subject, a DN.
pub const LOCK: &str = "/v1/locks/{id}";
/// `GET`: what waits to be told, or the dead letters.
pub const NOTIFICATIONS: &str = "/v1/notifications";
/// `POST`: it is tried again at once.
pub const RETRY: &str = "/v1/notifications/{id}/retry";
/// `GET`.
pub const SESSIONS: &str = "/v1/sessions";
/// `POST`.
pub const KILL: &str = "/v1/sessions/{id}/kill";
/// `POST`.
pub const EXPLAIN: &str = "/v1/explain";
/// `POST`.
pub const RELOAD: &str = "/v1/reload";
/// `GET`: lines of the log.
pub const AUDIT: &str = "/v1/audit";
/// `GET`: whether the log is as it was written.
pub const AUDIT_VERIFY: &str = "/v1/audit/verify";
/// `POST`: it is known what became of a file of the log.
pub const AUDIT_ACKNOWLEDGE: &str = "/v1/audit/acknowledge";
/// `GET`: the configurations that were in force and are kept.
pub const AUDIT_CONFIGURATIONS: &str = "/v1/audit/configurations";
/// `GET`: the text of one, by its digest.
pub const AUDIT_CONFIGURATION: &str = "/v1/audit/configurations/{id}";
/// `POST`: what looks wrong in a configuration, and what it would open and close.
pub const LINT: &str = "/v1/policy/lint";
/// `GET`: a report over it.
pub const AUDIT_REPORT: &str = "/v1/audit/report/{id}";
/// `GET`: the document that describes all this.
pub const OPENAPI: &str = "/v1/openapi.json";
/// `GET`: what is counted, for Prometheus.
pub const METRICS: &str = "/metrics";
/// `GET`: the process lives.
pub const HEALTHZ: &str = "/healthz";
/// `GET`: it serves.
pub const READYZ: &str = "/readyz";

/// [`REQUEST`] of one id.
pub fn request(id: &str) -> String {
    with_id(REQUEST, id)
}

/// [`REVIEWS`] of one request.
pub fn reviews(id: &str) -> String {
    with_id(REVIEWS, id)
}

/// [`CANCEL`] of one request.
pub fn cancel(id: &str) -> String {
    with_id(CANCEL, id)
}

/// [`GRANT`] of one id.
pub fn grant(id: &str) -> String {
    with_id(GRANT, id)
}

/// [`RELEASE`] of one grant.
pub fn release(id: &str) -> String {
    with_id(RELEASE, id)
}

/// [`REVOKE`] of one grant.
pub fn revoke(id: &str) -> String {
    with_id(REVOKE, id)
}

/// [`EXTEND`] of one grant.
pub fn extend(id: &str) -> String {
    with_id(EXTEND, id)
}

/// [`SIGN_OFF`] of one grant.
pub fn sign_off(id: &str) -> String {
    with_id(SIGN_OFF, id)
}

/// [`LOCK`] of one subject.
pub fn lock(subject: &str) -> String {
    with_id(LOCK, subject)
}

/// [`RETRY`] of one notification.
pub fn retry(id: &str) -> String {
    with_id(RETRY, id)
}

/// [`KILL`] of one session.
pub fn kill(id: &str) -> String {
    with_id(KILL, id)
}

/// [`AUDIT_REPORT`] of one name.
pub fn report(name: &str) -> String {
    with_id(AUDIT_REPORT, name)
}

/// [`AUDIT_CONFIGURATION`] of one digest.
pub fn configuration(digest: &str) -> String {
    with_id(AUDIT_CONFIGURATION, digest)
}

/// A path with conditions behind it: the fields of `query` that are set.
pub fn with_query(route: &str, query: &impl serde::Serialize) -> String {
    let fields = serde_json::to_value(query).unwrap_or_default();
    let mut path = route.to_owned();
    for (position, (name, value)) in fields.as_object().into_iter().flatten().enumerate() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        path.push_str(&format!("{}{name}={}", if position == 0 { '?' } else { '&' }, encoded(&text)));
    }
    path
}

/// Puts an id that somebody typed into a path: what no id has is percent-encoded, so that it
/// cannot become another path.
fn with_id(route: &str, id: &str) -> String {
    route.replace("{id}", &encoded(id))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[test]
    fn conditions_stay_what_they_are() {
        let query = serde_json::json!({ "after": 7, "role": "a&b=c+d", "subject": "cn=\u{fc}" });
        assert_eq!(super::with_query("/v1/x", &query), "/v1/x?after=7&role=a%26b%3Dc%2Bd&subject=cn%3D%C3%BC");
        assert_eq!(super::with_query("/v1/x", &serde_json::json!({})), "/v1/x");
    }

    #[test]
    fn an_id_stays_one_segment() {
        assert_eq!(super::grant("grant-7f3k9q2m"), "/v1/grants/grant-7f3k9q2m");
        assert_eq!(super::release("../x y"), "/v1/grants/%2E%2E%2Fx%20y/release");
    }
}
