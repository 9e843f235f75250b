//! A control socket that gives prepared answers and remembers what it was asked.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// Method and path, with its query.
    pub(super) what: String,
    /// The header that says as whom.
    pub(super) acting_as: Option<String>,
    pub(super) body: Value,
}

/// Answers by method and path, in turn; the last one stays.
type Answers = HashMap<String, Vec<(u16, Value)>>;

pub(super) struct Canned {
    folder: TempDir,
    calls: Arc<Mutex<Vec<Call>>>,
    /// Dropped last: what serves the socket.
    _runtime: tokio::runtime::Runtime,
}

impl Canned {
    /// Listens before it returns.
    pub(super) fn start(answers: impl IntoIterator<Item = (&'static str, u16, Value)>) -> Canned {
        let folder = TempDir::new().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut by_call = Answers::new();
        for (what, status, body) in answers {
            by_call.entry(what.to_owned()).or_default().push((status, body));
        }
        let answers = Arc::new(Mutex::new(by_call));
        let seen = Arc::clone(&calls);
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let what = format!("{method} {uri}");
            let acting_as = headers.get("tidegate-as").map(|value| value.to_str().unwrap().to_owned());
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            seen.lock().unwrap().push(Call { what: what.clone(), acting_as, body });
            let mut answers = answers.lock().unwrap();
            let queue = answers.get_mut(&what).unwrap_or_else(|| panic!("{what} was not expected"));
            let (status, body) = if queue.len() > 1 { queue.remove(0) } else { queue[0].clone() };
            let kind = if status < 400 { "application/json" } else { "application/problem+json" };
            (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, kind)], body.to_string())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            tokio::net::UnixListener::bind(folder.path().join("control.sock")).unwrap()
        };
        runtime.spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
        Canned { folder, calls, _runtime: runtime }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    /// Everything it was asked, in order.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}
