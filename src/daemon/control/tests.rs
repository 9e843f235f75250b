//! The control port over a real Unix socket.

mod audit;
mod conformance;
mod document;
mod locks;
mod notifications;
mod port;
mod socket;

use super::*;
use crate::api::{DifferenceView, ReadyView, problem};
use crate::daemon::audit_log::{self, AuditLog};
use crate::daemon::broker::tests::House;
use crate::daemon::store::memory::MemoryStore;
use crate::engine::access::{DirectoryFacts, Snapshot};
use crate::engine::grant::fixture::{dn, selectors, uid};
use crate::engine::workflow::Authority;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

#[derive(Default)]
struct Hooks {
    sessions: Vec<SessionView>,
    reloads: Mutex<Vec<Result<ReloadView, Vec<String>>>>,
    not_ready: Mutex<Option<String>>,
    /// Of whom the directory was asked for a password.
    asked: Mutex<Vec<Dn>>,
    directory_away: Mutex<bool>,
}

impl Hooks {
    fn answer<T: Send + 'static>(&self, answer: T) -> Later<'_, Result<T, String>> {
        let away = *self.directory_away.lock().unwrap();
        Box::pin(async move { if away { Err("it is away".to_owned()) } else { Ok(answer) } })
    }
}

impl ControlHooks for Hooks {
    fn sessions(&self) -> Later<'_, Vec<SessionView>> {
        Box::pin(async { self.sessions.clone() })
    }

    fn kill(&self, id: &str, _reason: &str) -> bool {
        self.sessions.iter().any(|session| session.id == id)
    }

    fn reload(&self, _by: Option<&Actor>) -> Later<'_, Result<ReloadView, Vec<String>>> {
        Box::pin(async { self.reloads.lock().unwrap().pop().unwrap() })
    }

    fn lint(&self, body: LintBody) -> Later<'_, Result<LintView, String>> {
        let difference = body.against_running.then(DifferenceView::default);
        Box::pin(async { Ok(LintView { warnings: vec![body.configuration], difference, ..LintView::default() }) })
    }

    fn configuration(&self) -> String {
        "0123456789abcdef".to_owned()
    }

    fn metrics(&self) -> String {
        "up 1\n".to_owned()
    }

    fn ready(&self) -> Result<ReadyView, String> {
        let ready = ReadyView { status: "ready".to_owned(), trees: vec!["dc=x".to_owned()], left_out: vec![] };
        self.not_ready.lock().unwrap().clone().map_or(Ok(ready), Err)
    }

    /// Everybody below `ou=people` is there but for `nobody`; `ou=groups` has groups.
    fn object_classes(&self, name: Dn) -> Later<'_, Result<Option<Vec<String>>, String>> {
        let class = match name.text() {
            text if text.contains("nobody") => None,
            text if text.contains("ou=groups") => Some("GroupOfNames"),
            text if text.starts_with("ou=") => Some("organizationalUnit"),
            _ => Some("inetOrgPerson"),
        };
        self.answer(class.map(|class| vec!["top".to_owned(), class.to_owned()]))
    }

    fn members(&self, _group: Dn) -> Later<'_, Result<Vec<Dn>, String>> {
        self.answer(vec![uid("root"), uid("nobody"), uid("olaf")])
    }

    /// Everybody's password is their name.
    fn check_password(&self, subject: Dn, password: Zeroizing<String>) -> Later<'_, Result<Option<Dn>, String>> {
        let right = uid(&password).is_surely(&subject).then(|| subject.clone());
        self.asked.lock().unwrap().push(subject);
        self.answer(right)
    }
}

/// A control port that is served, and its house.
struct Door {
    house: House,
    hooks: Arc<Hooks>,
    logins: Arc<Logins>,
    audit: AuditLog,
    path: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<Result<(), ControlError>>,
    _directory: tempfile::TempDir,
}

/// Who runs this test, as the control port knows them.
fn me() -> String {
    Peer::of_uid(nix::unistd::geteuid().as_raw()).user.expect("whoever runs the tests has a name")
}

fn as_name(name: &str) -> String {
    uid(name).to_string()
}

impl Door {
    fn open() -> Door {
        Door::with(Hooks::default())
    }

    fn with(hooks: Hooks) -> Door {
        let house = House::on(Arc::new(MemoryStore::new()));
        house.shared.authority.store(Arc::new(Authority {
            administrators: selectors(&["dn:uid=root,ou=people,dc=x"]),
            auditors: selectors(&["dn:uid=rita,ou=people,dc=x"]),
            metrics: Vec::new(),
            act_as: selectors(&[&format!("local:{}", me())]),
            trust_act_as: true,
            max_pending: Some(20),
            requests_per_hour: Some(60),
            local_subject: Some("uid={user},ou=operators,dc=x".to_owned()),
        }));
        let directory = DirectoryFacts { naming_contexts: vec![dn("dc=x")], ..DirectoryFacts::default() };
        house.shared.update(|snapshot| Snapshot { directory: Arc::new(directory), ..snapshot.clone() });
        let hooks = Arc::new(hooks);
        let directory = tempfile::tempdir().expect("a directory");
        let settings = LoginSettings {
            login_subject: Some("uid={user},ou=people,dc=x".to_owned()),
            token_ttl: std::time::Duration::from_secs(3600),
            certificate_subject: Some("uid={cn},ou=people,dc=x".to_owned()),
        };
        let logins = Arc::new(Logins::new(settings, directory.path().join("second-factors")));
        let head = Some(directory.path().join("head"));
        let options = audit_log::Options { head, ..audit_log::Options::new(directory.path().join("audit")) };
        let audit = AuditLog::open(options, house.clock.clone(), Box::new(|_| {})).expect("a log");
        let control = Arc::new(Control {
            broker: Arc::clone(&house.broker),
            shared: Arc::clone(&house.shared),
            clock: house.clock.clone(),
            hooks: Arc::clone(&hooks) as Arc<dyn ControlHooks>,
            logins: Arc::clone(&logins),
            audit: audit.reader(),
            follows: Follows::default(),
            configurations: Configurations::beside(Path::new("/nonexistent/store")),
            stopping: CancellationToken::new(),
        });
        let path = directory.path().join("run").join("control.sock");
        let socket = ControlSocket::bind(&path).expect("a socket");
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(socket.serve(control, async {
            let _ = stopped.await;
        }));
        Door { house, hooks, logins, audit, path, stop: Some(stop), served, _directory: directory }
    }

    /// What serves, but for who calls.
    fn router(&self) -> Router {
        router(Arc::new(Control {
            broker: Arc::clone(&self.house.broker),
            shared: Arc::clone(&self.house.shared),
            clock: self.house.clock.clone(),
            hooks: Arc::clone(&self.hooks) as Arc<dyn ControlHooks>,
            logins: Arc::clone(&self.logins),
            audit: self.audit.reader(),
            follows: Follows::default(),
            configurations: Configurations::beside(Path::new("/nonexistent/store")),
            stopping: CancellationToken::new(),
        }))
    }

    async fn get(&self, who: &str, path: &str) -> (u16, Value) {
        self.send(who, request("GET", path, &[], "")).await
    }

    async fn post(&self, who: &str, path: &str, body: &Value) -> (u16, Value) {
        self.send(who, request("POST", path, &[], &body.to_string())).await
    }

    /// Sends as `who`; as oneself when empty.
    async fn send(&self, who: &str, mut request: Request<Full<Bytes>>) -> (u16, Value) {
        if !who.is_empty() {
            request.headers_mut().insert(routes::AS_HEADER, as_name(who).parse().expect("a header"));
        }
        exchange(&self.path, request).await
    }

    /// A request of anna's that lars approved; the ids of request and grant.
    async fn granted(&self) -> (String, String) {
        let body = json!({ "role": "editor", "reason": "payslips" });
        let (status, asked) = self.post("anna", routes::REQUESTS, &body).await;
        assert_eq!(status, 201, "{asked}");
        let id = asked["id"].as_str().expect("an id").to_owned();
        let (status, approved) = self.post("lars", &routes::reviews(&id), &yes(&asked)).await;
        assert_eq!((status, &approved["state"]), (200, &json!("approved")), "{approved}");
        (id, approved["grant"].as_str().expect("a grant").to_owned())
    }
}

/// Calls as the peer says, not as whoever runs the tests.
async fn as_peer(door: &Door, peer: Peer, request: Request<Full<Bytes>>) -> (u16, Value) {
    served_by(door.router().layer(axum::Extension(peer)), request).await
}

async fn served_by(router: Router, request: Request<Full<Bytes>>) -> (u16, Value) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let service = hyper_util::service::TowerToHyperService::new(router);
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service));
    converse(near, request).await
}

fn yes(asked: &Value) -> Value {
    json!({ "decision": "approve", "scope_digest": asked["scope_digest"], "revision": asked["revision"] })
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path).header("host", "tidegate");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::from(body.to_owned())).expect("a request")
}

async fn exchange(path: &Path, request: Request<Full<Bytes>>) -> (u16, Value) {
    converse(UnixStream::connect(path).await.expect("it is served"), request).await
}

async fn converse(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> (u16, Value) {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status();
    let kind = response.headers().get("content-type").cloned();
    let octets = response.into_body().collect().await.expect("a body").to_bytes();
    conformance::check(method.as_str(), &path, status.as_u16(), kind.as_ref(), &octets);
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(kind.expect("a type"), problem::MEDIA_TYPE, "{status}");
        let problem: crate::api::Problem = serde_json::from_slice(&octets).expect("a problem");
        assert_eq!(problem.status, status.as_u16());
        assert!(problem.detail.is_some_and(|detail| !detail.is_empty()));
    }
    (status.as_u16(), serde_json::from_slice(&octets).unwrap_or(Value::Null))
}

fn word(problem: &Value) -> &str {
    problem["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

#[tokio::test]
async fn from_request_to_release() {
    let door = Door::open();
    let (_, roles) = door.get("anna", routes::ROLES).await;
    assert_eq!((&roles[0]["name"], &roles[0]["max_duration"]), (&json!("editor"), &json!("4h")));
    let body = json!({
        "role": "editor", "reason": "payslips", "duration": "1h30m",
        "narrow": { "base": "cn=a,ou=payroll,dc=x", "operations": ["search", "modify"] },
    });
    let mut dry = body.clone();
    dry["dry_run"] = json!(true);
    let (status, what) = door.post("anna", routes::REQUESTS, &dry).await;
    assert_eq!((status, &what["id"], &what["state"]), (200, &Value::Null, &json!("pending")));
    let (status, asked) = door.post("anna", routes::REQUESTS, &body).await;
    assert_eq!(status, 201, "{asked}");
    assert_eq!(asked["scope"], what["scope"]);
    assert_eq!(
        asked["scope"][0],
        json!({
            "resource": "payroll", "base": "cn=a,ou=payroll,dc=x", "scope": "subtree",
            "operations": ["search", "modify"],
            "permanent": ["modify may write member, userPassword and access rules, which stay"],
        })
    );
    assert_eq!((&asked["permanent"], &asked["duration"]), (&json!(true), &json!("1h30m")));
    assert_eq!(asked["waiting_for"], json!(["group:cn=leads,dc=x"]));
    assert_eq!((&asked["may_review"], &asked["grant"]), (&json!(false), &Value::Null));
    assert_eq!(asked["history"][0]["by"], json!(format!("uid={},ou=operators,dc=x", me())));
    assert_eq!(asked["history"][0]["acting_as"], json!(as_name("anna")));
    let id = asked["id"].as_str().expect("an id");

    let (_, waiting) = door.get("lars", &format!("{}?to_review=true", routes::REQUESTS)).await;
    assert_eq!((&waiting[0]["id"], &waiting[0]["may_review"]), (&json!(id), &json!(true)));
    let (status, approved) = door.post("lars", &routes::reviews(id), &yes(&waiting[0])).await;
    assert_eq!((status, &approved["state"], &approved["waiting_for"]), (200, &json!("approved"), &json!([])));
    assert_eq!((&approved["reviews"][0]["who"], &approved["revision"]), (&json!(as_name("lars")), &json!(2)));
    let grant = approved["grant"].as_str().expect("a grant");

    let (_, grants) = door.get("anna", &format!("{}?active=true", routes::GRANTS)).await;
    assert_eq!(
        (&grants[0]["id"], &grants[0]["request"], &grants[0]["state"]),
        (&json!(grant), &json!(id), &json!("active"))
    );
    assert_eq!(grants[0]["scope"], asked["scope"]);
    let (status, released) = door.send("anna", request("POST", &routes::release(grant), &[], "")).await;
    assert_eq!((status, &released["state"]), (200, &json!("released")));
    let (_, shown) = door.get("anna", &routes::grant(grant)).await;
    let events: Vec<_> =
        shown["history"].as_array().expect("a list").iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(events, ["granted", "activated", "released"]);
    assert_eq!(door.get("anna", &format!("{}?active=true", routes::GRANTS)).await.1, json!([]));
}

#[tokio::test]
async fn every_no_says_what_kind() {
    let door = Door::open();
    let (id, grant) = door.granted().await;
    let ask = |more: Value| {
        let mut body = json!({ "role": "editor", "reason": "why" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let stale = json!({ "decision": "approve", "scope_digest": "", "revision": 1 });
    let (reviews, cancel, revoke) = (routes::reviews(&id), routes::cancel(&id), routes::revoke(&grant));
    let rows: Vec<(&str, &str, Value, u16, &str)> = vec![
        ("anna", routes::REQUESTS, ask(json!({ "surprise": 1 })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "requested_by": "uid=x" })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "narrow": { "bases": [] } })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "narrow": { "operations": ["fly"] } })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "narrow": { "base": "" } })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "narrow": { "base": "dc=x" } })), 422, "not-narrower"),
        ("anna", routes::REQUESTS, ask(json!({ "narrow": { "attributes": ["cn;lang-de"] } })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "duration": "-1h" })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "duration": 3600 })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "duration": "0s" })), 422, "bad-duration"),
        ("anna", routes::REQUESTS, ask(json!({ "duration": "5h" })), 422, "bad-duration"),
        ("anna", routes::REQUESTS, ask(json!({ "start": "2001-01-01T00:00:00Z" })), 422, "bad-start"),
        ("anna", routes::REQUESTS, ask(json!({ "start": "tomorrow" })), 400, "bad-request"),
        ("anna", routes::REQUESTS, ask(json!({ "subject": "uid=bert,ou=people,dc=x" })), 403, "not-beneficiary"),
        ("anna", routes::REQUESTS, json!({ "role": "nonesuch", "reason": "why" }), 422, "unknown-role"),
        ("anna", routes::REQUESTS, json!({ "role": "editor" }), 422, "reason-missing"),
        ("lars", routes::REQUESTS, ask(json!({})), 403, "not-eligible"),
        ("", routes::REQUESTS, ask(json!({})), 403, "not-eligible"),
        ("lars", &reviews, stale.clone(), 409, "already-ended"),
        ("bert", &reviews, stale.clone(), 404, "not-found"),
        ("lars", "/v1/requests/req-nonesuch/reviews", stale, 404, "not-found"),
        ("lars", &reviews, json!({ "decision": "maybe", "scope_digest": "", "revision": 1 }), 400, "bad-request"),
        ("lars", &reviews, json!({ "decision": "approve" }), 400, "bad-request"),
        ("lars", &cancel, json!({}), 409, "already-ended"),
        ("anna", &revoke, json!({ "reason": "x" }), 403, "own-grant"),
        ("rita", &revoke, json!({ "reason": "x" }), 403, "not-revoker"),
        ("lars", &revoke, json!({ "reason": "" }), 422, "reason-missing"),
        ("lars", &revoke, json!({}), 400, "bad-request"),
        ("bert", &revoke, json!({ "reason": "x" }), 404, "not-found"),
        ("lars", routes::ROLES, json!({}), 405, "no-such-method"),
        ("lars", "/v1/elsewhere", json!({}), 404, "no-such-call"),
    ];
    for (who, path, body, status, expected) in rows {
        let (got, problem) = door.post(who, path, &body).await;
        assert_eq!((got, word(&problem)), (status, expected), "{who} {path} {body}: {problem}");
    }
    assert_eq!(door.get("anna", "/v1/requests?state=over").await.0, 400);
    assert_eq!(door.get("anna", "/v1/requests?who=me").await.0, 400);
    assert_eq!(door.get("anna", "/v1/requests/..%2Fme").await.0, 404);
    let (status, problem) = door.send("anna", request("POST", routes::REQUESTS, &[], &"x".repeat(MAX_BODY + 1))).await;
    assert_eq!((status, word(&problem)), (413, "bad-request"));
}

#[tokio::test]
async fn nobody_approves_their_own_over_the_socket() {
    let door = Door::open();
    let body = json!({ "role": "vault", "reason": "why" });
    let (_, asked) = door.post("anna", routes::REQUESTS, &body).await;
    let path = routes::reviews(asked["id"].as_str().expect("an id"));
    let (status, problem) = door.post("anna", &path, &yes(&asked)).await;
    assert_eq!((status, word(&problem)), (403, "own-request"));
    // As oneself, who really asked.
    let (status, problem) = door.post("", &path, &yes(&asked)).await;
    assert_eq!((status, word(&problem)), (403, "own-request"));
    let (status, first) = door.post("lars", &path, &yes(&asked)).await;
    assert_eq!((status, &first["state"]), (200, &json!("pending")));
    let (status, problem) = door.post("lena", &path, &yes(&asked)).await;
    assert_eq!((status, word(&problem)), (409, "stale-review"), "lena saw it before lars approved");
    let (status, problem) = door.post("lars", &path, &yes(&first)).await;
    assert_eq!((status, word(&problem)), (409, "reviewed-already"));
    assert_eq!(door.post("lena", &path, &yes(&first)).await.1["state"], json!("approved"));
}

#[tokio::test]
async fn lists_show_what_concerns_the_caller() {
    let door = Door::open();
    let (id, _) = door.granted().await;
    let (_, other) = door.post("lena", routes::REQUESTS, &json!({ "role": "editor", "reason": "why" })).await;
    let other = other["id"].as_str().expect("an id");
    let rows: &[(&str, &str, &[&str])] = &[
        ("anna", "", &[&id]),
        ("lena", "", &[&id, other]),
        ("lena", "?mine=true", &[other]),
        ("lena", "?to_review=true", &[]),
        ("lars", "?to_review=true", &[other]),
        ("lars", "?state=approved", &[&id]),
        ("rita", "", &[&id, other]),
        ("bert", "", &[]),
    ];
    for (who, query, expected) in rows {
        let (_, list) = door.get(who, &format!("{}{query}", routes::REQUESTS)).await;
        let ids: Vec<_> = list.as_array().expect("a list").iter().map(|view| view["id"].clone()).collect();
        assert_eq!(ids, *expected, "{who} {query}");
    }
}

#[tokio::test]
async fn who_one_is_comes_from_the_socket() {
    let door = Door::open();
    let own = format!("uid={},ou=operators,dc=x", me());
    let (_, view) = door.get("", routes::ME).await;
    assert_eq!((&view["subject"], &view["local_user"], &view["really"]), (&json!(own), &json!(me()), &Value::Null));
    let (_, view) = door.get("root", routes::ME).await;
    assert_eq!((&view["subject"], &view["really"]), (&json!(as_name("root")), &json!(own)));
    assert_eq!((&view["administrator"], &view["auditor"]), (&json!(true), &json!(true)));
    for header in ["", "not a name", "<GUID=1>"] {
        let request = request("GET", routes::ME, &[(routes::AS_HEADER, header)], "");
        assert_eq!(exchange(&door.path, request).await.0, 400, "{header:?}");
    }
    let twice = [(routes::AS_HEADER, "uid=a,dc=x"), (routes::AS_HEADER, "uid=b,dc=x")];
    assert_eq!(exchange(&door.path, request("GET", routes::ME, &twice, "")).await.0, 400);
    door.house.shared.authority.store(Arc::new(Authority::default()));
    let (status, problem) = door.get("anna", routes::ME).await;
    assert_eq!((status, word(&problem)), (403, "may-not-act-as"));
    assert_eq!(door.get("", routes::ME).await.1["subject"], Value::Null);
    let (status, problem) = door.post("", routes::REQUESTS, &json!({ "role": "vault", "reason": "why" })).await;
    assert_eq!((status, word(&problem)), (403, "no-subject"));
}

#[tokio::test]
async fn explaining_decides_on_the_snapshot_of_the_moment() {
    let door = Door::open();
    let ask = json!({ "as": as_name("anna"), "operation": "search", "target": "cn=a,ou=payroll,dc=x",
        "filter": "(&(cn=a*)(!(sn>=b)))", "attributes": ["cn"] });
    let (status, before) = door.post("anna", routes::EXPLAIN, &ask).await;
    assert_eq!((status, &before["decision"], &before["code"]), (200, &json!("refused"), &json!(50)), "{before}");
    assert!(before["missing"].as_array().expect("a list").contains(&json!("payroll")), "{before}");
    assert!(before["message"].as_str().expect("text").contains("editor"), "{before}");
    let (_, grant) = door.granted().await;
    let compare = json!({ "as": as_name("anna"), "operation": "modify", "target": "cn=a,ou=payroll,dc=x" });
    let (_, after) = door.post("anna", routes::EXPLAIN, &compare).await;
    assert_eq!(after["decision"], json!("permitted"), "{after}");
    assert_eq!(after["rests_on"][0]["grant"], json!(grant), "{after}");
    for operation in ["bind", "compare", "add", "delete", "rename", "password"] {
        let body = json!({ "as": "", "operation": operation, "target": "cn=a,ou=payroll,dc=x",
            "attributes": ["cn"], "new_rdn": "cn=b" });
        let (status, view) = door.post("", routes::EXPLAIN, &body).await;
        assert_eq!((status, &view["decision"]), (200, &json!("refused")), "{operation} {view}");
    }
    for wrong in [
        json!({ "as": "", "operation": "fly", "target": "" }),
        json!({ "as": "nobody", "operation": "search", "target": "" }),
        json!({ "as": "", "operation": "search", "target": "", "filter": "(cn=" }),
        json!({ "as": "", "operation": "search", "target": "", "filter": "(!".repeat(30_000) }),
        json!({ "as": "", "operation": "search", "target": "",
            "filter": format!("{}(cn=a){}", "(!".repeat(20_000), ")".repeat(20_000)) }),
        json!({ "as": "", "operation": "search", "target": "", "scope": "all" }),
        json!({ "as": "", "operation": "rename", "target": "cn=a,dc=x" }),
        json!({ "as": "", "operation": "search" }),
    ] {
        assert_eq!(door.post("", routes::EXPLAIN, &wrong).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn sessions_reload_and_readiness() {
    let session = |subject: &str| SessionView {
        id: subject.to_owned(),
        connection_from: "127.0.0.1:1".to_owned(),
        tls: None,
        subject: subject.to_owned(),
        authentication: "simple".to_owned(),
        since: chrono::DateTime::UNIX_EPOCH,
        grants: Vec::new(),
        outstanding: Vec::new(),
    };
    let bad = vec!["line 3: no".to_owned(), "line 9: no".to_owned()];
    let door = Door::with(Hooks {
        sessions: vec![session(&as_name("anna")), session(&as_name("bert")), session("")],
        reloads: Mutex::new(vec![Err(bad.clone()), Ok(ReloadView::default())]),
        ..Hooks::default()
    });
    assert_eq!(door.get("rita", routes::SESSIONS).await.1.as_array().expect("a list").len(), 3);
    assert_eq!(door.get("anna", routes::SESSIONS).await.1[0]["subject"], json!(as_name("anna")));
    assert_eq!(door.get("lars", routes::SESSIONS).await.1, json!([]));
    assert_eq!(door.post("root", routes::RELOAD, &json!({})).await.0, 200);
    let (status, problem) = door.post("root", routes::RELOAD, &json!({})).await;
    assert_eq!((status, word(&problem), &problem["errors"]), (422, "bad-configuration", &json!(bad)));
    let longer_than_other_bodies = "x".repeat(MAX_BODY * 2);
    let body = json!({ "configuration": longer_than_other_bodies, "against_running": true });
    let (status, view) = door.post("root", routes::LINT, &body).await;
    assert_eq!((status, view["warnings"][0] == json!(longer_than_other_bodies)), (200, true));
    assert!(view["difference"].is_object());
    let body = json!({ "configuration": "x".repeat(MAX_CONFIGURATION) });
    assert_eq!(door.post("root", routes::LINT, &body).await.0, 413);
    assert_eq!(door.get("", routes::HEALTHZ).await.0, 200);
    assert_eq!(door.get("", routes::READYZ).await.0, 200);
    *door.hooks.not_ready.lock().unwrap() = Some("no directory".to_owned());
    let (status, problem) = door.get("", routes::READYZ).await;
    assert_eq!((status, &problem["detail"]), (503, &json!("no directory")));
}

/// Whoever runs these tests runs the process as well.
#[tokio::test]
async fn who_acts_as_somebody_has_that_somebodys_rights_and_no_others() {
    let door = Door::open();
    let explain = json!({ "as": as_name("anna"), "operation": "delete", "target": "dc=x" });
    assert_eq!(door.post("", routes::EXPLAIN, &explain).await.0, 200);
    assert_eq!(door.post("rita", routes::EXPLAIN, &explain).await.0, 200);
    for (path, body, expected) in [
        (routes::RELOAD, json!({ "dry_run": true }), "not-administrator"),
        (routes::LINT, json!({ "configuration": "" }), "not-administrator"),
        (routes::EXPLAIN, explain, "not-yours"),
    ] {
        let (status, problem) = door.post("bert", path, &body).await;
        assert_eq!((status, word(&problem)), (403, expected), "{path}");
    }
    assert_eq!(
        door.house.sink.last(),
        json!({
            "event": "refused", "attempt": "explain", "about": as_name("anna"),
            "by": format!("uid={},ou=operators,dc=x", me()), "acting_as": as_name("bert"), "connection_from": "local",
            "reason": "not-yours", "detail": "only administrators and auditors see what others may do",
        })
    );
    door.house.shared.authority.store(Arc::new(Authority::default()));
    assert_eq!(door.post("bert", routes::RELOAD, &json!({})).await.0, 403);
    assert_eq!(
        door.house.sink.last(),
        json!({
            "event": "refused", "attempt": "act as", "about": as_name("bert"),
            "by": format!("local:{}", me()), "acting_as": null, "connection_from": "local",
            "reason": "may-not-act-as", "detail": "you may not act as somebody else (act_as)",
        })
    );
}

#[tokio::test]
async fn who_does_not_run_the_process_may_less() {
    let door = Door::open();
    let peer = |user: Option<&str>| Peer { uid: 4_000_000_000, user: user.map(str::to_owned) };
    let explain = json!({ "as": as_name("anna"), "operation": "delete", "target": "dc=x" }).to_string();
    for (path, body, expected) in
        [(routes::RELOAD, "", "not-administrator"), (routes::EXPLAIN, explain.as_str(), "not-yours")]
    {
        let (status, problem) = as_peer(&door, peer(Some("bert")), request("POST", path, &[], body)).await;
        assert_eq!((status, word(&problem)), (403, expected), "{path}");
    }
    let (status, problem) = as_peer(&door, peer(None), request("GET", routes::ME, &[], "")).await;
    assert_eq!((status, word(&problem)), (401, "who-are-you"));
    let header = [(routes::AS_HEADER, "uid=anna,ou=people,dc=x")];
    let (status, problem) = as_peer(&door, peer(Some("bert")), request("GET", routes::ME, &header, "")).await;
    assert_eq!((status, word(&problem)), (403, "may-not-act-as"));
    let (_, view) = as_peer(&door, peer(Some("bert")), request("GET", routes::ME, &[], "")).await;
    assert_eq!(view["subject"], json!("uid=bert,ou=operators,dc=x"));
}
