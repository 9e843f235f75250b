//! Holds one answer to the document that describes the API. Shared by the tests beside the code, where
//! the document is at hand, and those of a real gate, which serves it.

use serde_json::Value;

/// What was asked and answered.
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a str,
    /// Without a query.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// Everything that the document does not say of an answer: its status, its type, every field.
pub(crate) fn complaints(document: &Value, exchange: &Exchange<'_>) -> Vec<String> {
    let Exchange { method, path, status, content_type, body } = *exchange;
    let what = format!("{method} {path} {status}");
    let Some(operation) = operation(document, method, path) else {
        // Refused before it was known what is called.
        let any = matches!(status, 400 | 401 | 403 | 404 | 405 | 408 | 414 | 421 | 431);
        return if any { Vec::new() } else { vec![format!("{what}: the document knows no such call")] };
    };
    let response = &operation["responses"][status.to_string()];
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => response,
    };
    if response.is_null() {
        return vec![format!("{what}: the document knows no such status")];
    }
    let kind = content_type.unwrap_or_default();
    let schema = &response["content"][kind]["schema"];
    if schema.is_null() {
        return vec![format!("{what}: the document knows no answer of type {kind:?}")];
    }
    if kind.starts_with("text/") {
        return Vec::new();
    }
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return vec![format!("{what}: {error}")],
    };
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    // Fields may be added later; those that are there now are in the document.
    tighten(&mut whole);
    let validator = match jsonschema::validator_for(&whole) {
        Ok(validator) => validator,
        Err(error) => return vec![format!("{what}: {error}")],
    };
    let errors = validator.iter_errors(&body);
    errors.map(|error| format!("{what}: {}: {error}\n{body:#}", error.instance_path())).collect()
}

/// What the document says of a call.
pub(crate) fn operation<'d>(document: &'d Value, method: &str, path: &str) -> Option<&'d Value> {
    let fits = |template: &str| {
        let each = template.split('/').zip(path.split('/')).all(|(wanted, found)| wanted == found || wanted == "{id}");
        each && template.split('/').count() == path.split('/').count()
    };
    let paths = document["paths"].as_object()?;
    // One that is named stands before one with a place for an id.
    let exact = paths.get(path);
    let found = exact.or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, found)| found))?;
    // Methods are told apart by case.
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method);
    if known { found.get(method.to_ascii_lowercase()) } else { None }
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
