//! Holds the tree to its layering, sizes, documentation and words.
//!
//! Every rule is a function from a path and a source to complaints, so that the tests at the end
//! can show, over made-up sources, that each of them is able to fail.

#[path = "tidy/source.rs"]
mod source;

use source::{find, module_of, paths, strip, tokens, under};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, tests and all.
const MAX_LINES: usize = 600;
/// Lines of a file without its `#[cfg(test)]` modules.
const MAX_CODE_LINES: usize = 450;

/// What a file under `src/` belongs to, and what it may use. The first prefix that fits decides.
/// Inside the engine: `time, ldap -> policy -> {grant, redaction} -> access -> {workflow, audit} -> session`.
const LAYERS: &[(&str, &[&str])] = &[
    ("engine::time", &[]),
    ("engine::text", &[]),
    ("engine::ldap", &["engine::time"]),
    ("engine::policy", &["engine::time", "engine::ldap"]),
    ("engine::grant", &["engine::time", "engine::ldap", "engine::policy"]),
    ("engine::redaction", &["engine::time", "engine::ldap", "engine::policy"]),
    ("engine::access", &["engine::time", "engine::ldap", "engine::policy", "engine::grant", "engine::redaction"]),
    ("engine::workflow", BRACE),
    ("engine::audit", BRACE),
    // Serving traffic cannot change a grant: not workflow.
    (
        "engine::session",
        &[
            "engine::time",
            "engine::text",
            "engine::ldap",
            "engine::policy",
            "engine::grant",
            "engine::access",
            "engine::redaction",
            "engine::audit",
        ],
    ),
    ("engine", &["engine"]),
    ("config", &["engine"]),
    ("api", &["engine"]),
    ("daemon", &["engine", "config", "api"]),
    ("cli::check", &["engine", "config", "api", "daemon", "cli"]),
    ("cli::serve", &["engine", "config", "api", "daemon", "cli"]),
    ("cli::demo", &["engine", "config", "api", "daemon", "cli"]),
    ("cli", &["engine", "config", "api"]),
    ("main", &["cli"]),
    ("", &[]),
];

const BRACE: &[&str] = &[
    "engine::time",
    "engine::text",
    "engine::ldap",
    "engine::policy",
    "engine::grant",
    "engine::redaction",
    "engine::access",
];

/// The crates that the pure core may use. Its tests may use any.
const ENGINE_CRATES: &[&str] = &[
    "bytes",
    "chrono",
    "chrono_tz",
    "regex_lite",
    "serde",
    "serde_json",
    "sha2",
    "stringprep",
    "thiserror",
    "unicode_normalization",
];

/// What the pure core must not name, not even in its tests: threads, files, sockets, clocks, randomness, output.
const IMPURE_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];
const IMPURE_ENDINGS: &[&str] = &["Utc::now", "Local::now", "Instant::now", "SystemTime::now"];

// ---------------------------------------------------------------------------------------------
// The rules

/// Who may use whom.
fn layering(path: &str, source: &str) -> Vec<String> {
    let module = module_of(path);
    let own = module.join("::");
    let Some((layer, allowed)) = LAYERS.iter().find(|(layer, _)| under(&own, layer)) else {
        return vec![format!("{path}: belongs to no layer")];
    };
    let mut complaints = Vec::new();
    for (named, _) in paths(&module, source) {
        let Some(used) = named.strip_prefix("crate::").or_else(|| named.strip_prefix("tidegate::")) else { continue };
        let fine = (!layer.is_empty() && under(used, layer))
            || allowed.iter().any(|prefix| under(used, prefix))
            || allowed.contains(&"engine::time") && from_the_root(used);
        if !fine {
            complaints.push(format!("{path}: {layer} must not use {used}"));
        }
    }
    complaints
}

/// Whether this is one of the things of `engine::time` that the engine's root hands on, and not a module.
fn from_the_root(used: &str) -> bool {
    let handed_on = used.strip_prefix("engine::").is_some_and(|name| !name.contains("::"));
    handed_on && !LAYERS.iter().any(|(layer, _)| *layer == used)
}

/// The core does nothing, knows no time and rolls no dice.
fn purity(path: &str, source: &str, crates: &[String]) -> Vec<String> {
    if !path.starts_with("src/engine/") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (named, test) in paths(&module_of(path), source) {
        if IMPURE_PATHS.iter().any(|p| under(&named, p)) || IMPURE_ENDINGS.iter().any(|p| named.ends_with(p)) {
            complaints.push(format!("{path}: the engine is pure, but this names {named}"));
        }
        let first = named.split("::").next().unwrap_or_default();
        let test = test || path.ends_with("/tests.rs") || path.contains("/tests/");
        if !test && crates.iter().any(|name| name == first) && !ENGINE_CRATES.contains(&first) {
            complaints.push(format!("{path}: the engine must not use the crate {first} ({named})"));
        }
    }
    for macro_name in ["println", "eprintln", "print", "eprint", "dbg"] {
        if tokens(&strip(source)).windows(2).any(|w| w == [macro_name, "!"]) {
            complaints.push(format!("{path}: the engine is pure, but this prints ({macro_name}!)"));
        }
    }
    complaints
}

/// The dependencies that Cargo.toml names, as they are written in paths.
fn crates(manifest: &str) -> Vec<String> {
    let mut in_dependencies = false;
    let mut out = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.trim_end_matches(']').ends_with("dependencies");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| in_dependencies) {
            out.push(name.trim().replace('-', "_"));
        }
    }
    out
}

/// Whether all of a file is test code.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

fn length(path: &str, source: &str) -> Vec<String> {
    let all = source.lines().count();
    let code = find(source.as_bytes(), b"#[cfg(test)]\nmod ");
    let code = String::from_utf8_lossy(&source.as_bytes()[..code]).lines().count();
    let mut complaints = Vec::new();
    if all > MAX_LINES {
        complaints.push(format!("{path}: {all} lines, more than {MAX_LINES}"));
    }
    if code > MAX_CODE_LINES && !is_test(path) {
        complaints.push(format!("{path}: {code} lines of code, more than {MAX_CODE_LINES}"));
    }
    complaints
}

/// One to eight lines that say what the module knows and what it must not. The crate's own may be longer.
fn module_doc(path: &str, source: &str) -> Vec<String> {
    let lines = source.lines().take_while(|line| line.starts_with("//!")).count();
    match lines {
        0 => vec![format!("{path}: begins with no module doc")],
        9.. if !matches!(path, "src/lib.rs" | "src/engine/mod.rs") => {
            vec![format!("{path}: a module doc of {lines} lines, more than 8")]
        }
        _ => Vec::new(),
    }
}

/// Words that this project has another word for, and what that is. In lower case, `_` and `-` as blanks.
const SYNONYMS: &[(&str, &str)] = &[
    ("entitlement", "role, or what a grant opens"),
    ("permission grant", "grant"),
    ("elevation", "grant"),
    ("checkout", "request"),
    ("access request ticket", "request"),
    ("user session", "session"),
    ("safelist", "standing access"),
    ("whitelist", "standing access, or allow list"),
    ("blacklist", "deny list"),
    ("rejected request", "denied request"),
    ("approver vote", "review"),
    ("masking", "redaction"),
];

fn words(path: &str, source: &str) -> Vec<String> {
    let text = source.to_lowercase().replace(['_', '-'], " ");
    let found = SYNONYMS.iter().filter(|(word, _)| text.contains(word));
    found.map(|(word, instead)| format!("{path}: \"{word}\" is not a word of this project; say {instead}")).collect()
}

/// What must not stay: things put off, tests switched off, traces of one machine, keys.
fn leftovers(path: &str, source: &str) -> Vec<String> {
    const LEFT: &[&str] = &[
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("PRIVATE ", "KEY-----\nM"),
    ];
    LEFT.iter().filter(|left| source.contains(**left)).map(|left| format!("{path}: contains {left:?}")).collect()
}

/// Tests that a document names, as `module::test` between backticks, and that are not there.
fn named_tests(document: &str, files: &[(String, String)]) -> Vec<String> {
    let quoted = document.split('`').skip(1).step_by(2).filter(|name| name.contains("::") && !name.contains(' '));
    let there = |name: &str| {
        let (module, test) = name.rsplit_once("::").unwrap_or_default();
        let module = module.replace("::", "/");
        // End to end, or beside the code, where a file may hold its `mod tests`.
        let inside = module.strip_suffix("/tests").unwrap_or(&module);
        let places = [format!("tests/it/{module}"), format!("src/{module}"), format!("src/{inside}")];
        let is_place = |path: &str| {
            let path = path.strip_suffix(".rs").unwrap_or_default();
            places.iter().any(|place| path.strip_suffix("/mod").unwrap_or(path) == place)
        };
        let is_test = |lines: &[&str]| match lines {
            ["#[test]", line] => line.starts_with(&format!("fn {test}(")),
            ["#[tokio::test]", line] => line.starts_with(&format!("async fn {test}()")),
            _ => false,
        };
        files.iter().filter(|(path, _)| is_place(path)).any(|(_, text)| {
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            lines.windows(2).any(is_test)
        })
    };
    quoted.filter(|name| !there(name)).map(|name| format!("there is no test {name}")).collect()
}

// ---------------------------------------------------------------------------------------------
// The tree

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that is the project's, with its text (as far as it is text).
fn tree_files() -> Vec<(String, String)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap_or_default();
            let skipped = ["target", ".git", "run", "data", "corpus", "artifacts", "proptest-regressions"];
            // `.ci/run` is a file; the folders of these names are made by running things.
            if path.is_dir() {
                if !skipped.contains(&name.as_str()) {
                    walk(&path, out);
                }
            } else if name != ".git" {
                out.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).ok()?.to_string_lossy().into_owned();
        Some((name, String::from_utf8_lossy(&fs::read(&path).ok()?).into_owned()))
    };
    found.into_iter().filter_map(read).collect()
}

fn complain(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn over(wanted: impl Fn(&str) -> bool, rule: impl Fn(&str, &str) -> Vec<String>) {
    let files: Vec<_> = tree_files().into_iter().filter(|(path, _)| wanted(path)).collect();
    assert!(!files.is_empty(), "the rule looked at nothing");
    complain(files.iter().flat_map(|(path, source)| rule(path, source)).collect());
}

/// Where the session speaks to the directory: what must not be forgotten there (whom it speaks for)
/// cannot be forgotten elsewhere.
fn one_mouth(path: &str, source: &str) -> Vec<String> {
    if path.ends_with("/towards.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let written = |line: &&str| line.contains("fx.to_upstream") && !line.contains("fx.to_upstream.clear()");
    source.lines().filter(written).map(|line| format!("{path}: belongs to towards.rs: {line}")).collect()
}

fn rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn code(path: &str) -> bool {
    rust(path) && path.starts_with("src/")
}

/// Everything that people read or run; not the lock file, nor the licence.
fn ours(path: &str) -> bool {
    path != "Cargo.lock" && path != "LICENSE"
}

#[test]
fn every_layer_uses_only_those_below_it() {
    over(code, layering);
}

#[test]
fn the_engine_is_pure() {
    let crates = crates(&fs::read_to_string(root().join("Cargo.toml")).unwrap());
    assert!(crates.iter().any(|name| name == "tokio"), "Cargo.toml was not understood");
    over(code, |path, source| purity(path, source, &crates));
}

#[test]
fn files_are_short() {
    over(rust, length);
}

#[test]
fn every_file_says_what_it_is() {
    over(rust, module_doc);
}

#[test]
fn the_words_are_ours() {
    over(|path| ours(path) && path != "tests/tidy.rs", words);
}

#[test]
fn the_tests_that_bypasses_names_are_there() {
    let files = tree_files();
    let (_, document) = files.iter().find(|(path, _)| path == "docs/bypasses.md").expect("docs/bypasses.md");
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
    let numbers: Vec<_> = rows.filter_map(|row| row.split('|').nth(1)?.trim().parse::<usize>().ok()).collect();
    assert!(numbers.len() >= 18 && numbers.iter().copied().eq(1..=numbers.len()), "{numbers:?}");
    complain(named_tests(document, &files));
}

#[test]
fn the_tests_that_the_rules_of_the_workflow_name_are_there() {
    let files = tree_files();
    let (_, document) =
        files.iter().find(|(path, _)| path == "docs/workflow-rules.md").expect("docs/workflow-rules.md");
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
    let rules: Vec<_> = rows.filter_map(|row| row.split('|').nth(1)?.trim().parse::<usize>().ok()).collect();
    assert!((1..=10).all(|rule| rules.contains(&rule)), "{rules:?}");
    complain(named_tests(document, &files));
}

#[test]
fn requests_are_written_to_the_directory_in_one_place() {
    over(|path| path.starts_with("src/engine/session/"), one_mouth);
}

#[test]
fn nothing_is_left_over() {
    over(ours, leftovers);
}

// ---------------------------------------------------------------------------------------------
// That the rules can fail

#[cfg(test)]
mod rules {
    use super::*;

    #[test]
    fn layering_sees_every_way_of_naming_a_module() {
        for (path, source) in [
            ("src/engine/ldap/dn.rs", "use crate::engine::policy::Policy;"),
            ("src/engine/ldap/dn.rs", "use super::super::policy::Policy;"),
            ("src/engine/ldap/mod.rs", "pub use super::access;"),
            ("src/engine/ldap/mod.rs", "use crate::engine::session;"),
            ("src/engine/ldap/mod.rs", "use super::{time::Now, grant::{index, lifecycle}};"),
            ("src/engine/ldap/dn.rs", "mod a { use super::super::super::policy::Policy; }"),
            ("src/engine/policy/mod.rs", "fn f() { crate::engine::access::decide() }"),
            ("src/engine/grant/index.rs", "fn f(_: Vec<crate::engine::audit::Record>) {}"),
            ("src/engine/access.rs", "use super::session::Session;"),
            ("src/engine/redaction/mod.rs", "use super::access::Permit;"),
            ("src/engine/redaction/mod.rs", "use super::audit::Record;"),
            ("src/engine/audit/record.rs", "use crate::engine::workflow::Review;"),
            ("src/engine/session/mod.rs", "use crate::engine::workflow::step;"),
            ("src/engine/session/mod.rs", "#[cfg(test)] mod tests { use crate::engine::workflow::step; }"),
            ("src/engine/audit/mod.rs", "use crate::daemon::clock;"),
            ("src/config/mod.rs", "use crate::daemon::clock;"),
            ("src/config/mod.rs", "use crate::api::Request;"),
            ("src/api/mod.rs", "use crate::config::Config;"),
            ("src/daemon/mod.rs", "use crate::cli::output;"),
            ("src/cli/approve.rs", "use crate::daemon::broker::Broker;"),
            ("src/main.rs", "fn main() { tidegate::daemon::run() }"),
        ] {
            assert_eq!(layering(path, source).len().min(1), 1, "not seen: {path}: {source}");
        }
    }

    #[test]
    fn layering_allows_what_is_below() {
        for (path, source) in [
            ("src/engine/ldap/dn.rs", "use super::attribute::AttributeDescription; use super::super::time::Now;"),
            ("src/engine/policy/mod.rs", "use super::ldap::Dn; use resource::Resource; use self::role::Role;"),
            ("src/engine/access.rs", "use super::redaction::{Look, Redaction}; use crate::engine::Now;"),
            ("src/engine/session/mod.rs", "use crate::engine::{access::decide, audit::Record, redaction};"),
            ("src/engine/ldap/dn.rs", "// crate::engine::policy::Policy\nconst A: &str = \"crate::engine::policy\";"),
            ("src/engine/ldap/dn.rs", "#[cfg(test)] mod tests { use super::*; use super::super::Dn; }"),
            ("src/cli/serve.rs", "use crate::daemon::run;"),
            ("src/daemon/broker.rs", "use crate::{api, config::Config, engine::workflow};"),
            ("src/main.rs", "fn main() { tidegate::cli::main() }"),
        ] {
            assert_eq!(layering(path, source), Vec::<String>::new(), "{path}: {source}");
        }
    }

    #[test]
    fn purity_sees_clocks_sockets_and_crates() {
        let crates =
            crates("[dependencies]\ntokio = \"1\"\nldap3_proto = \"0.9\"\nbytes = \"1\"\n[lints.rust]\nx = 1\n");
        assert_eq!(crates, ["tokio", "ldap3_proto", "bytes"]);
        for source in [
            "use std::{fs, collections::HashMap};",
            "fn f() { std::thread::sleep(d) }",
            "use std::time::{Duration, Instant};",
            "fn f() { let now = chrono::Utc::now(); }",
            "use tokio::sync::mpsc;",
            "fn f() { tokio::spawn(x); }",
            "use ldap3_proto::LdapMsg;",
            "#[cfg(test)] mod tests { use std::net::TcpStream; }",
            "fn f() { println!(); }",
        ] {
            assert!(!purity("src/engine/ldap/dn.rs", source, &crates).is_empty(), "not seen: {source}");
            assert!(purity("src/daemon/mod.rs", source, &crates).is_empty());
        }
        for source in [
            "use std::time::Duration; use bytes::Bytes; use chrono::{DateTime, Utc};",
            "#[cfg(test)] mod tests { use ldap3_proto::LdapMsg; }",
            "// tokio::spawn",
        ] {
            assert_eq!(purity("src/engine/ldap/dn.rs", source, &crates), Vec::<String>::new());
        }
    }

    #[test]
    fn sizes_documents_words_and_leftovers_are_seen() {
        assert!(!length("a.rs", &"x\n".repeat(MAX_CODE_LINES + 1)).is_empty());
        assert!(length("a.rs", &format!("{}#[cfg(test)]\nmod tests {{\n", "x\n".repeat(MAX_CODE_LINES))).is_empty());
        assert!(!length("a.rs", &format!("#[cfg(test)]\nmod tests {{\n{}", "x\n".repeat(MAX_LINES))).is_empty());
        assert!(!module_doc("a.rs", "// A.\n").is_empty());
        assert!(!module_doc("a.rs", &"//! A.\n".repeat(9)).is_empty());
        assert!(module_doc("a.rs", "//! A.\n\nfn f() {}").is_empty());
        assert!(!words("a.md", "An Entitlement").is_empty());
        assert!(!words("a.rs", "struct user_session;").is_empty());
        assert!(words("a.md", "a grant, a session").is_empty());
        for left in [concat!("// TO", "DO: x"), concat!("#[ig", "nore = \"x\"]"), concat!("/wo", "rk/main")] {
            assert!(!leftovers("a.rs", left).is_empty(), "not seen: {left}");
        }
        assert!(!one_mouth("src/engine/session/a.rs", "write_all(&mut fx.to_upstream)").is_empty());
        let key = concat!("-----BEGIN EC PRIVATE ", "KEY-----\nMHcCAQ");
        assert!(!leftovers("certs/server.key", key).is_empty());
    }

    #[test]
    fn tests_that_are_named_are_looked_for() {
        let files = [("tests/it/a/b.rs".to_owned(), "#[test]\nfn c() {}\nfn d() {}".to_owned())];
        assert_eq!(named_tests("`a::b::c` and `e`", &files), Vec::<String>::new());
        assert_eq!(named_tests("`a::b::d`, `b::c`", &files).len(), 2);
        let files = [("src/a/b.rs".to_owned(), "mod tests {\n    #[test]\n    fn c() {}\n    fn d() {}".to_owned())];
        assert_eq!(named_tests("`a::b::tests::c`, `a::b::tests::d`, `a::b::tests`", &files).len(), 2);
    }

    #[test]
    fn comments_strings_and_characters_are_no_code() {
        let source = "a /* b /* c */ d */ e \"f\\\" g\" h r#\"i \" j\"# k 'l' m '\\'' n &'o p b\"q\" // r\ns";
        assert_eq!(tokens(&strip(source)), ["a", "e", "h", "k", "m", "n", "&", "o", "p", "b", "s"]);
    }
}
