//! That the document says what the server does: every answer that any test of the control port
//! gets is held to it, and every route is in it.

use super::*;
use crate::daemon::control::openapi::document;
use hyper::header::HeaderValue;

/// Holds one answer to the document: its status, its type, and every field.
pub(super) fn check(method: &str, path: &str, status: u16, kind: Option<&HeaderValue>, body: &[u8]) {
    let what = format!("{method} {path} {status}");
    let Some(operation) = operation(method, path) else {
        assert!(matches!(status, 400 | 401 | 404 | 405), "{what}: the document knows no such call");
        return;
    };
    let response = &operation["responses"][status.to_string()];
    assert!(!response.is_null(), "{what}: the document knows no such status");
    let response = match response["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).expect("a component"),
        None => response,
    };
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let schema = &response["content"][kind]["schema"];
    assert!(!schema.is_null(), "{what}: the document knows no answer of type {kind:?}");
    if kind.starts_with("text/") {
        return;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut whole = schema.clone();
    whole["components"] = document()["components"].clone();
    // Fields may be added later; those that are there now are in the document.
    tighten(&mut whole);
    let validator = jsonschema::validator_for(&whole).expect("a schema");
    let errors: Vec<String> =
        validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{body:#}");
}

fn tighten(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            fields.values_mut().for_each(tighten);
        }
        Value::Array(items) => items.iter_mut().for_each(tighten),
        _ => {}
    }
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (mut wanted, mut found) = (template.split('/'), path.split('/'));
        let each = wanted.by_ref().zip(found.by_ref()).all(|(wanted, found)| wanted == found || wanted == "{id}");
        each && template.split('/').count() == path.split('/').count()
    };
    let paths = document()["paths"].as_object().expect("paths");
    // One that is named stands before one with a place for an id.
    let exact = paths.get(path);
    let found = exact.or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, found)| found))?;
    found.get(method.to_ascii_lowercase())
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
