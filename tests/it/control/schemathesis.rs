//! The port held to its own document by somebody else's reading of it: schemathesis makes calls out of
//! the document, right and wrong ones, and looks at every answer.
//!
//! `./test` installs it under `target/schemathesis`; `TIDEGATE_SCHEMATHESIS` names another.

use super::{open, person};
use crate::support::command::run;
use crate::support::gate::Gate;
use crate::support::https::Https;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// All that mean something for this API. (`positive_data_acceptance` does not: whether a role or a name
/// exists is not in the document.)
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,\
    missing_required_header,unsupported_method,allow_header_conformance,ignored_auth,use_after_free";

fn schemathesis() -> PathBuf {
    let named = std::env::var_os("TIDEGATE_SCHEMATHESIS").map(PathBuf::from);
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin/schemathesis");
    let program = named.unwrap_or_else(usual);
    assert!(program.exists(), "{program:?} is not there: run ./test, which installs it");
    program
}

/// Calls made out of the document by somebody who is logged in.
#[track_caller]
fn hold_to(document: &str, gate: &Gate, who: &Https, more: &[&str]) {
    let mut command = Command::new(schemathesis());
    command.args(["run", document, "--url", &format!("https://127.0.0.1:{}", gate.https)]);
    command.args(["--checks", CHECKS, "--generation-deterministic", "--no-color", "--continue-on-failure"]);
    // One worker: compiling Python in two threads at once can fail by itself in Python 3.11.
    command.args(["--workers", "1", "--warnings", "off"]).arg("--tls-verify").arg(&gate.authority.ca);
    // What changes something is of this type, even without a body (and then it is in no document).
    command.args(["-H", "Content-Type: application/json"]);
    command.arg("-H").arg(format!("Authorization: Bearer {}", who.token()));
    // To log out would end the run, and wrong logins take their time: both are tried below.
    command.args(["--exclude-path", "/v1/logout", "--exclude-path", "/v1/login"]).args(more);
    let ran = run(command.current_dir(gate.folder.path()).env_remove("SCHEMATHESIS_HOOKS"));
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("No issues found"), "{}", ran.stdout);
}

#[test]
fn every_answer_is_as_the_document_says() {
    let (_slapd, gate) = open();
    let (alice, administrator) = (person(&gate, "alice"), person(&gate, "root-admin"));
    let served = format!("https://127.0.0.1:{}/v1/openapi.json", gate.https);
    hold_to(&served, &gate, &alice, &["--max-examples", "5"]);
    // Further in: without codes and names that are mostly wrong, and with a role that is there.
    let mut document = alice.get("/v1/openapi.json").json();
    let calls = document["paths"].as_object_mut().unwrap().values_mut();
    for call in calls.flat_map(|path| path.as_object_mut().unwrap().values_mut()) {
        if let Some(parameters) = call.get_mut("parameters").and_then(Value::as_array_mut) {
            parameters.retain(|parameter| parameter["in"] != "header");
        }
    }
    let wish = &mut document["components"]["schemas"]["RequestBody"];
    wish["properties"] = json!({
        "role": { "enum": ["payroll-reader", "payroll-editor"] },
        "reason": { "type": "string", "pattern": "^HR-[0-9]{1,4}$" },
        "duration": { "enum": ["30m", "1h", "5h", null] },
    });
    let file = gate.folder.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    for who in [&alice, &administrator] {
        hold_to(file.to_str().unwrap(), &gate, who, &["--max-examples", "10"]);
    }
}
