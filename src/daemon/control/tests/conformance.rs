//! That the document says what the server does: every answer that any test of the control port
//! gets is held to it, and every route is in it.

use super::document::{Exchange, complaints};
use super::*;
use crate::daemon::control::openapi::document;
use hyper::header::HeaderValue;

/// Holds one answer to the document: its status, its type, and every field.
pub(super) fn check(method: &str, path: &str, status: u16, kind: Option<&HeaderValue>, body: &[u8]) {
    let content_type = kind.and_then(|kind| kind.to_str().ok());
    let found = complaints(document(), &Exchange { method, path, status, content_type, body });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_not_in_the_document_is_told() {
    let good = json!({ "killed": "1-1" });
    let problem = json!({ "type": "urn:tidegate:problem:x", "title": "X", "status": 404, "detail": "x" });
    let told = |method, path, status, content_type: &str, body: &Value| {
        let (content_type, body) = (Some(content_type), &*body.to_string().into_bytes());
        let found = complaints(document(), &Exchange { method, path, status, content_type, body });
        found.first().map(|first| first.lines().next().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    let (path, kind) = ("/v1/sessions/1-1/kill", "application/json");
    assert_eq!(told("POST", path, 200, kind, &good), "");
    assert_eq!(told("POST", path, 404, problem::MEDIA_TYPE, &problem), "");
    for (status, kind, body, part) in [
        (201, kind, &good, "no such status"),
        (200, "text/html", &good, "no answer of type"),
        (404, kind, &problem, "no answer of type"),
        (200, kind, &json!({ "killed": "1-1", "more": 1 }), "'more' was unexpected"),
        (200, kind, &json!({ "killed": 1 }), "not of type"),
        (200, kind, &json!({}), "\"killed\" is a required property"),
    ] {
        let found = told("POST", path, status, kind, body);
        assert!(found.contains(part), "{found}");
    }
    assert!(told("PUT", path, 200, kind, &good).contains("no such call"));
}

#[tokio::test]
async fn every_route_and_method_is_in_the_document_and_no_other() {
    let written = include_str!("../mod.rs").matches(".route(").count();
    let paths = document()["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), written, "a row for each route: see openapi.rs");
    let door = Door::open();
    for (path, operations) in paths {
        for method in ["get", "post", "put", "delete", "patch"] {
            let known = operations.get(method).is_some();
            let target = path.replace("{id}", "nothing-of-that-id");
            if known && target == routes::RELOAD {
                continue;
            }
            let method = method.to_ascii_uppercase();
            let (status, problem) = door.send("", request(&method, &target, &[], "")).await;
            assert_eq!(status != 405, known, "{method} {path}: {problem}");
            assert!(word(&problem) != "no-such-call", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_document_is_sound_and_served() {
    let door = Door::open();
    let (status, served) = door.get("", routes::OPENAPI).await;
    assert_eq!((status, &served), (200, document()));
    let mut references = Vec::new();
    collect(document(), &mut references);
    assert!(references.len() > 50);
    for reference in references {
        assert!(document().pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let names: Vec<&str> = document()["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|path| path.as_object().expect("methods").values())
        .map(|operation| operation["operationId"].as_str().expect("a name"))
        .collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "{names:?}");
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
