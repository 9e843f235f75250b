//! The document that describes the API (OpenAPI 3.1): one row for each call. What the rows say is
//! held to what the server does, by every test of the control port.

use super::answer::{Answer, json};
use crate::api::{
    AcknowledgeBody, AuditPage, CancelBody, CodeBody, ConfigurationView, DoneView, ExplainBody, ExplainView,
    ExtendBody, GrantView, KillBody, KillView, LintBody, LintView, LockBody, LockView, LoginBody, MeView, NothingBody,
    NotificationView, Problem, REPORTS, ReadyView, ReloadBody, ReloadView, ReportView, RequestBody, RequestView,
    ResetBody, ReviewBody, RevokeBody, RoleView, SessionView, SignOffBody, TokenView, TotpView, VerifyView,
    notification_state, problem, request_state, routes,
};
use crate::engine::audit::query::{DECISIONS, OPERATIONS};
use axum::http::StatusCode;
use serde_json::{Map, Value, json as object};
use std::sync::LazyLock;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Statuses that any call over TLS may have, besides its own: each with a problem.
const ANY: [u16; 7] = [400, 408, 414, 421, 431, 500, 503];
/// Those of calls that need to know who calls.
const CALLER: [u16; 2] = [401, 403];
/// Those of calls that change something.
const CHANGE: [u16; 3] = [413, 415, 429];

/// The document, as it is served.
pub(super) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(build);
    &DOCUMENT
}

pub(super) async fn serve() -> Answer {
    json(StatusCode::OK, document())
}

/// A document in the making.
#[derive(Default)]
struct Builder {
    paths: Map<String, Value>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// One call.
struct Call {
    method: &'static str,
    path: &'static str,
    value: Value,
}

fn build() -> Value {
    let mut builder = Builder::default();
    let b = &mut builder;
    logins(b);
    workflow(b);
    gate(b);
    audit(b);
    let problem = b.schema::<Problem>();
    let schemas: Map<String, Value> =
        std::mem::take(&mut b.schemas).into_iter().map(|(name, schema)| (name, object!(schema))).collect();
    let content = Map::from_iter([(problem::MEDIA_TYPE.to_owned(), object!({ "schema": problem }))]);
    object!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate control API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Requests, reviews and grants. The same over the Unix socket, where the peer's user id \
                            says who calls, and over TLS, where a token or a client certificate does. Errors are \
                            problem details (RFC 9457). Times are RFC 3339 in UTC, durations text like 1h30m.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": builder.paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": { "description": "Why not.", "content": content } },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "From POST /v1/login." },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

fn logins(b: &mut Builder) {
    let call = b.post::<LoginBody, TokenView>(routes::LOGIN, "Log in with name and password", 200);
    b.open(call, &[401, 403, 413, 415, 429]);
    let call = b.post_nothing::<DoneView>(routes::LOGOUT, "Log out: the token is good for nothing from here on");
    b.known(call, &[409]);
    let call = b.get::<MeView>(routes::ME, "Who the caller is");
    b.known(call, &[]);
    let call = b.post_nothing::<TotpView>(routes::TOTP, "Begin to enrol a second factor");
    b.known(call, &[409]);
    let call = b.post::<CodeBody, DoneView>(routes::TOTP_CONFIRM, "Confirm it with a code", 200);
    b.known(call, &[409]);
    let call = b.post::<ResetBody, DoneView>(routes::TOTP_RESET, "Forget somebody's second factor", 200);
    b.known(call, &[422]);
    let call = b.post::<CodeBody, DoneView>(routes::STEP_UP, "Show the second factor", 200);
    b.known(call, &[409]);
}

fn workflow(b: &mut Builder) {
    let call = b.list::<RoleView>(routes::ROLES, "Roles that the caller may request");
    b.known(call, &[]);
    let call = b.list::<RequestView>(routes::REQUESTS, "Requests that the caller may see");
    let call = call.query("state", "Only in this state", object!(request_state()));
    let call = call.flag("mine", "Only those made by or for the caller").flag("to_review", "Only those to be reviewed");
    let call = call.flag("archived", "Those that ended long ago, too");
    b.known(call.paged(), &[404]);
    let call = b.post::<RequestBody, RequestView>(routes::REQUESTS, "Ask for a role", 201);
    let call = call.also::<RequestView>(200, "What the request would be (`dry_run`); nothing is kept.");
    b.known(call.leads_to(201, "id", &[("get", routes::REQUEST), ("post", routes::CANCEL)]), &[409, 422]);
    let call = b.get::<RequestView>(routes::REQUEST, "One request with its history");
    b.known(call, &[404]);
    let call = b.post::<ReviewBody, RequestView>(routes::REVIEWS, "Approve or deny what was seen", 200);
    b.known(call, &[404, 409, 422]);
    let call = b.post::<CancelBody, RequestView>(routes::CANCEL, "Take a request back", 200).body_is_optional();
    b.known(call, &[404, 409, 422]);
    let call = b.list::<GrantView>(routes::GRANTS, "Grants that the caller may see");
    let call = call.flag("active", "Only those that have not ended").flag("archived", "Those that ended long ago, too");
    b.known(call.flag("unsigned", "Only break-glass grants that wait to be signed off").paged(), &[404]);
    let call = b.get::<GrantView>(routes::GRANT, "One grant with its history");
    b.known(call, &[404]);
    let call = b.post_nothing::<GrantView>(routes::RELEASE, "End one's own grant");
    b.known(call, &[404, 409]);
    let call = b.post::<RevokeBody, GrantView>(routes::REVOKE, "End somebody's grant", 200);
    b.known(call, &[404, 409, 422]);
    let call = b.post::<ExtendBody, RequestView>(routes::EXTEND, "Ask for a grant to go on", 201);
    b.known(call, &[404, 409, 422]);
    let call = b.post::<SignOffBody, GrantView>(routes::SIGN_OFF, "Sign off a break-glass grant", 200);
    b.known(call.body_is_optional(), &[404, 409, 422]);
    let call = b.list::<LockView>(routes::LOCKS, "Locks");
    b.known(call, &[]);
    let call = b.post::<LockBody, LockView>(routes::LOCKS, "End and prevent every grant of a subject", 201);
    b.known(call, &[409, 422]);
    let call = b.delete::<LockView>(routes::LOCK, "Lift a lock; the id is the subject's DN");
    b.known(call, &[404, 409, 422]);
}

fn gate(b: &mut Builder) {
    let call = b.list::<NotificationView>(routes::NOTIFICATIONS, "What waits to be told, or could not be");
    let call = call.query(
        "state",
        "Those that wait (the default), or those that were given up",
        object!(notification_state()),
    );
    b.known(call.paged(), &[404]);
    let call = b.post_nothing::<NotificationView>(routes::RETRY, "Try to tell it again at once");
    b.known(call, &[404, 409]);
    let call = b.list::<SessionView>(routes::SESSIONS, "Who is connected to the directory");
    b.known(call, &[]);
    let call = b.post::<KillBody, KillView>(routes::KILL, "End a session", 200).body_is_optional();
    b.known(call, &[404, 422]);
    let call = b.post::<ExplainBody, ExplainView>(routes::EXPLAIN, "What would happen to an operation now", 200);
    b.known(call, &[]);
    let call = b.post::<ReloadBody, ReloadView>(routes::RELOAD, "Take over configuration and certificates", 200);
    b.known(call.body_is_optional(), &[422]);
    let call =
        b.post::<LintBody, LintView>(routes::LINT, "What looks wrong in a configuration, and what it would do", 200);
    b.known(call, &[409]);
    let call = b.plain(routes::OPENAPI, "This document", "application/json", object!({ "type": "object" }));
    b.open(call, &[403]);
    let text = object!({ "type": "string" });
    let exposition = "text/plain; version=0.0.4; charset=utf-8";
    let call = b.plain(routes::METRICS, "What is counted, in the text format of Prometheus", exposition, text.clone());
    b.known(call, &[]);
    let call = b.plain(routes::HEALTHZ, "The process lives", "text/plain; charset=utf-8", text);
    b.open(call, &[403]);
    let call = b.get::<ReadyView>(routes::READYZ, "It serves, and of which trees");
    b.open(call, &[403]);
}

fn moment() -> Value {
    object!({ "type": "string", "format": "date-time" })
}

fn audit(b: &mut Builder) {
    let mut call = b.get::<AuditPage>(routes::AUDIT, "Lines of the log; that they were read is recorded");
    for (name, description) in [
        ("grant", "What rested on this grant or is about it"),
        ("request", "The same, of a request"),
        ("role", "The same, of a role"),
        ("subject", "What this one (a DN, spelled in any way; or anonymous) did, or what was done to them"),
        ("resource", "What touched this resource"),
        ("event", "Only this event"),
        ("session", "Only this session"),
        ("wait", "With the oldest first: wait so long for a line, 20s at most"),
    ] {
        call = call.query(name, description, object!({ "type": "string" }));
    }
    call = call.query("since", "From this moment on", moment()).query("until", "Before this moment", moment());
    for (name, description, words) in [
        ("operation", "Only this operation", OPERATIONS),
        ("decision", "Only this decision", DECISIONS),
        ("order", "Which come first; the newest unless said", &["newest", "oldest"]),
    ] {
        call = call.query(name, description, object!({ "type": "string", "enum": words }));
    }
    let limit = object!({ "type": "integer", "minimum": 1, "maximum": 1000 });
    call = call.query("limit", "So many at most; 500 unless said", limit);
    call = call.query(
        "result",
        "Only what was answered with this result code",
        object!({ "type": "integer", "minimum": 0 }),
    );
    for (name, description) in [
        ("before", "With the newest first: those before this number"),
        ("after", "With the oldest first: those after it"),
    ] {
        call = call.query(name, description, object!({ "type": "integer", "minimum": 0 }));
    }
    b.known(call, &[]);
    let summary = format!("What the log comes to: {}", REPORTS.join(", "));
    let mut call = b.get::<ReportView>(routes::AUDIT_REPORT, &summary);
    for (name, description) in [
        ("since", "What happened, or lasted, from this moment on"),
        ("until", "What happened, or lasted, before this moment"),
        ("at", "What was so at this moment"),
    ] {
        call = call.query(name, description, moment());
    }
    for (name, description) in [
        ("resource", "Only what is about this resource; the report access needs it"),
        ("subject", "Only what this one did, or holds"),
        ("role", "Only of this role"),
    ] {
        call = call.query(name, description, object!({ "type": "string" }));
    }
    b.known(call, &[404]);
    let summary = "Say that it is known what became of a file of the log";
    let call = b.post::<AcknowledgeBody, DoneView>(routes::AUDIT_ACKNOWLEDGE, summary, 200);
    b.known(call, &[404, 422]);
    let call = b.list::<ConfigurationView>(routes::AUDIT_CONFIGURATIONS, "Configurations that were in force");
    b.known(call, &[]);
    let call = b.get::<ConfigurationView>(routes::AUDIT_CONFIGURATION, "The text of one, by its digest");
    b.known(call, &[404]);
    let call = b.get::<VerifyView>(routes::AUDIT_VERIFY, "Whether the log is complete and unaltered");
    let head = object!({ "type": "string" });
    let call = call.query("head", "A head (SEQ:CHAIN) that was noted elsewhere, to compare with", head);
    b.known(call, &[]);
}

impl Builder {
    /// A reference to a type, which is described among the components with all it is made of.
    fn schema<T: ToSchema>(&mut self) -> Value {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), <T as PartialSchema>::schema()));
        object!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    fn call(&mut self, method: &'static str, path: &'static str, summary: &str, status: u16, answer: &Value) -> Call {
        let mut value = object!({
            "operationId": operation_id(method, path),
            "summary": summary,
            "responses": { status.to_string(): {
                "description": "Done.",
                "content": { "application/json": { "schema": answer } },
            } },
        });
        if path.contains("{id}") {
            value["parameters"] = object!([
                { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }
            ]);
        }
        Call { method, path, value }
    }

    fn get<V: ToSchema>(&mut self, path: &'static str, summary: &str) -> Call {
        let answer = self.schema::<V>();
        self.call("get", path, summary, 200, &answer)
    }

    fn list<V: ToSchema>(&mut self, path: &'static str, summary: &str) -> Call {
        let items = self.schema::<V>();
        self.call("get", path, summary, 200, &object!({ "type": "array", "items": items }))
    }

    fn plain(&mut self, path: &'static str, summary: &str, kind: &str, schema: Value) -> Call {
        let mut call = self.call("get", path, summary, 200, &schema);
        let content = Map::from_iter([(kind.to_owned(), object!({ "schema": schema }))]);
        call.value["responses"]["200"]["content"] = Value::Object(content);
        call
    }

    fn post<B: ToSchema, V: ToSchema>(&mut self, path: &'static str, summary: &str, status: u16) -> Call {
        let (body, answer) = (self.schema::<B>(), self.schema::<V>());
        let mut call = self.call("post", path, summary, status, &answer);
        call.value["requestBody"] =
            object!({ "required": true, "content": { "application/json": { "schema": body } } });
        call
    }

    fn post_nothing<V: ToSchema>(&mut self, path: &'static str, summary: &str) -> Call {
        self.post::<NothingBody, V>(path, summary, 200).body_is_optional()
    }

    fn delete<V: ToSchema>(&mut self, path: &'static str, summary: &str) -> Call {
        let answer = self.schema::<V>();
        self.call("delete", path, summary, 200, &answer)
    }

    /// A call that anybody may make.
    fn open(&mut self, call: Call, statuses: &[u16]) {
        self.add(call, statuses.iter().chain(&ANY));
    }

    /// A call of somebody.
    fn known(&mut self, mut call: Call, statuses: &[u16]) {
        call.value["security"] = object!([{ "token": [] }, { "certificate": [] }]);
        let acting_as =
            header(routes::AS_HEADER, "Act as this subject (a DN), where the configuration lets the caller.");
        call.parameter(acting_as);
        let change: &[u16] = if call.method == "get" { &[] } else { &CHANGE };
        if call.method != "get" {
            call.parameter(header(routes::CODE_HEADER, "The code of the caller's second factor."));
        }
        self.add(call, statuses.iter().chain(&ANY).chain(&CALLER).chain(change));
    }

    fn add<'a>(&mut self, mut call: Call, problems: impl Iterator<Item = &'a u16>) {
        for status in problems {
            let problem = object!({ "$ref": "#/components/responses/Problem" });
            call.value["responses"][status.to_string()] = problem;
        }
        let path = self.paths.entry(call.path).or_insert_with(|| object!({}));
        path[call.method] = call.value;
    }
}

impl Call {
    fn parameter(&mut self, parameter: Value) {
        if let Some(parameters) = self.value["parameters"].as_array_mut() {
            parameters.push(parameter);
        } else {
            self.value["parameters"] = object!([parameter]);
        }
    }

    fn query(mut self, name: &str, description: &str, schema: Value) -> Call {
        self.parameter(object!({ "name": name, "in": "query", "description": description, "schema": schema }));
        self
    }

    fn flag(self, name: &str, description: &str) -> Call {
        self.query(name, description, object!({ "type": "boolean" }))
    }

    /// A list in pages; the header `Link` says where the next one is.
    fn paged(self) -> Call {
        let limit = object!({ "type": "integer", "minimum": 1, "maximum": 1000 });
        let call = self.query("limit", "So many at most; 500 unless said", limit);
        call.query("after", "Those that come after this id", object!({ "type": "string" }))
    }

    fn also<V: ToSchema>(mut self, status: u16, description: &str) -> Call {
        let schema = format!("#/components/schemas/{}", V::name());
        self.value["responses"][status.to_string()] = object!({ "description": description, "content": { "application/json": { "schema": { "$ref": schema } } } });
        self
    }

    /// Calls about what the answer names in a field.
    fn leads_to(mut self, status: u16, field: &str, calls: &[(&str, &str)]) -> Call {
        let links = calls.iter().map(|(method, path)| {
            let id = operation_id(method, path);
            let parameters = object!({ "id": format!("$response.body#/{field}") });
            (id.clone(), object!({ "operationId": id, "parameters": parameters }))
        });
        self.value["responses"][status.to_string()]["links"] = Value::Object(links.collect());
        self
    }

    fn body_is_optional(mut self) -> Call {
        self.value["requestBody"]["required"] = Value::Bool(false);
        self
    }
}

fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches('/').replace(['/', '-'], "_").replace(['{', '}'], "");
    format!("{method}_{words}")
}

fn header(name: &str, description: &str) -> Value {
    object!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } })
}
