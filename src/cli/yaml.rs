//! JSON written as YAML 1.2 in block style. Strings stay in double quotes, as in JSON: none of them can be taken for
//! a number, a date or a boolean.

use serde_json::Value;

/// Writes a document, with the fields in the order of the JSON text.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    node(value, 0, &mut text);
    text
}

fn node(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&" ".repeat(indent));
                text.push_str("- ");
                child(item, indent + 2, text);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                text.push_str(&" ".repeat(indent));
                text.push_str(&format!("{}: ", Value::from(name.as_str())));
                child(field, indent + 2, text);
            }
        }
        scalar => text.push_str(&format!("{scalar}\n")),
    }
}

/// What stands behind a dash or a name: on the same line where it is short, else below it.
fn child(value: &Value, indent: usize, text: &mut String) {
    let is_block = match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_block {
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    node(value, indent, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_becomes_block_style() {
        let value = json!([{"id": "req-1", "scope": [{"base": "ou=a: #b"}], "none": [], "on": true, "n": null, "text": "no\n"}, []]);
        let expected = "-\n  \"id\": \"req-1\"\n  \"n\": null\n  \"none\": []\n  \"on\": true\n  \"scope\":\n    -\n      \"base\": \"ou=a: #b\"\n  \"text\": \"no\\n\"\n- []\n";
        assert_eq!(write(&value), expected);
        assert_eq!(write(&json!("x")), "\"x\"\n");
    }
}
