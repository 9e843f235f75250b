//! Configurations become values, and every one that is shipped is valid.

use super::*;
use crate::engine::ldap::Dn;
use crate::engine::policy::asking::OnMissing;
use crate::engine::policy::selector::Selector;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

mod difference;
mod errors;
mod warnings;

/// A folder with the files that the shipped configurations name, readable by nobody else.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    for (name, content) in [
        ("certs/server.pem", certificate.as_str()),
        ("certs/server.key", &key),
        ("certs/other.key", &other),
        ("certs/clients.pem", &certificate),
        ("certs/clients.crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
        ("certs/people.crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
        ("secrets/proxy-password", "act for others\n"),
        ("certs/control.pem", &certificate),
        ("certs/control.key", &key),
        ("certs/people.pem", &certificate),
        ("certs/directory-ca.pem", &certificate),
        ("secrets/directory-password", "öpen\n"),
        ("secrets/empty", "\n"),
        ("secrets/webhook", "0123456789abcdef\n"),
        ("secrets/chat-webhook", "0123456789abcdef\n"),
        ("secrets/mail-password", "post\n"),
        ("certs/receivers.pem", &certificate),
        ("certs/mail-ca.pem", &certificate),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("made private");
    }
    std::fs::write(folder.path().join("secrets/octets"), b"\xff\n").expect("written");
    folder
}

fn parse(text: &str, folder: &Path) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("gate.toml"), folder)
}

/// The errors of a configuration as they are printed, the folder's own name taken out.
fn errors(text: &str) -> Vec<String> {
    let folder = folder();
    let printed = match parse(text, folder.path()) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    };
    printed.lines().map(|line| line.replace(&format!("{}/", folder.path().display()), "")).collect()
}

fn warnings(text: &str) -> Vec<String> {
    let folder = folder();
    let config = parse(text, folder.path()).expect("valid");
    lint(&config).iter().map(ToString::to_string).collect()
}

/// A valid configuration; tests change single lines of it, so that the numbers stay.
const VALID: &str = r#"[listen]
ldaps = "127.0.0.1:1636"
[tls]
certificate = "certs/server.pem"
private_key = "certs/server.key"
[directory]
urls = ["ldaps://ldap1.example.com"]
ca = "certs/directory-ca.pem"
bind_dn = "cn=tidegate,dc=example,dc=com"
bind_password_file = "secrets/directory-password"
[[resource]]
name = "payroll"
base = "ou=payroll,dc=example,dc=com"
operations = ["search", "modify"]
[[standing]]
who = ["dn:cn=hr-sync,dc=example,dc=com"]
resource = "payroll"
reason = "HR-112"
[[role]]
name = "payroll-editor"
allow = [{ resource = "payroll", operations = ["modify"] }]
eligible = ["group:cn=hr,dc=example,dc=com"]
approvers = ["group:cn=hr-leads,dc=example,dc=com"]
max_duration = "4h"
[control]
socket = "run/control.sock"
local_subject = "uid={user},ou=people,dc=example,dc=com"
administrators = ["dn:uid=root-admin,dc=example,dc=com"]
[store]
path = "data/store"
[audit]
path = "data/audit"
"#;

/// VALID with one line replaced (an empty replacement leaves an empty line).
fn with(line: &str, instead: &str) -> String {
    let lines: Vec<&str> = VALID.lines().collect();
    assert_eq!(lines.iter().filter(|known| **known == line).count(), 1, "{line} is not one line of it");
    lines.iter().map(|known| if *known == line { instead } else { known }).collect::<Vec<_>>().join("\n")
}

/// One block of a table: a line of the valid configuration (`-`), what stands in its place (`+`),
/// and everything that is said then, from the line's number on.
struct Case {
    block: &'static str,
    text: String,
    expected: Vec<String>,
}

fn cases(table: &'static str) -> Vec<Case> {
    let block = |block: &'static str| {
        let lines: Vec<&str> = block.lines().filter(|line| !line.starts_with('#')).collect();
        let removed = lines.iter().find_map(|line| line.strip_prefix("- "))?;
        let added: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("+ ")).collect();
        let said = lines.iter().filter(|line| !line.starts_with(['-', '+']));
        let expected = said.map(|line| format!("gate.toml:{line}")).collect();
        Some(Case { block, text: with(removed, &added.join("\n")), expected })
    };
    table.split("\n\n").filter_map(block).collect()
}

fn dn(text: &str) -> Dn {
    Dn::parse(text.as_bytes()).expect(text)
}

#[test]
fn a_configuration_becomes_values() {
    let folder = folder();
    let config = parse(VALID, folder.path()).expect("valid");
    assert_eq!(config.listen.ldaps, Some("127.0.0.1:1636".parse().expect("an address")));
    assert_eq!(config.listen.ldap, None);
    assert_eq!(config.listen.max_message_bytes, 16 * 1024 * 1024);
    assert_eq!(config.listen.start_tls_timeout, Duration::from_secs(30));
    assert_eq!(config.listen.idle_timeout, None);
    assert_eq!((config.listen.max_connections, config.listen.max_connections_per_address), (None, None));
    assert_eq!(config.listen.max_buffered_bytes, 256 * 1024 * 1024);
    assert_eq!((config.listen.max_operations_per_session, config.listen.max_failed_binds_per_minute), (1024, 20));
    assert_eq!(config.listen.max_handshakes_per_minute, 30_000);
    assert_eq!(config.listen.max_filter_parts, 600_000);
    assert_eq!(config.listen.message_timeout, Duration::from_secs(60));
    assert_eq!(config.directory.bind_timeout, Duration::from_secs(10));
    assert!(!config.runtime.core_dumps);
    assert_eq!(config.tls.certificate, folder.path().join("certs/server.pem"));
    let url = &config.directory.urls[0];
    assert_eq!((url.transport, url.to_string().as_str()), (Transport::Tls, "ldaps://ldap1.example.com:636"));
    let service = config.directory.service.as_ref().expect("a service account");
    assert_eq!(service.password.reveal(), "öpen".as_bytes());
    assert!(!format!("{config:?}").contains("öpen"), "a secret is shown");
    assert_eq!(config.directory.naming_contexts, None);
    let role = &config.policy.roles[0];
    assert_eq!((&*role.name, role.approvals), ("payroll-editor", 1));
    assert_eq!(role.max_duration, Duration::from_secs(4 * 3_600));
    assert_eq!(role.default_duration, Duration::from_secs(3_600));
    assert!(role.reason_required);
    assert_eq!(config.policy.standing[0].operations, config.policy.resources[0].operations);
    assert_eq!(config.control.socket, folder.path().join("run/control.sock"));
    let pattern = config.control.local_subject.as_ref().map(LocalSubject::as_str);
    assert_eq!(pattern, Some("uid={user},ou=people,dc=example,dc=com"));
    assert_eq!(config.control.administrators, [Selector::Dn(dn("uid=root-admin,dc=example,dc=com"))]);
    assert_eq!(config.audit.rotate_bytes, 256 * 1024 * 1024);
    assert_eq!(config.store.archive_after, Duration::from_secs(30 * 86_400));
    assert_eq!(config.runtime.threads, None);
}

#[test]
fn a_secret_can_come_from_the_environment() {
    let folder = folder();
    // A variable that is set wherever tests run.
    let text = with("bind_password_file = \"secrets/directory-password\"", "bind_password_env = \"PATH\"");
    let service = parse(&text, folder.path()).expect("valid").directory.service.expect("a service account");
    assert_eq!(service.password.reveal(), std::env::var("PATH").expect("set").as_bytes());
}

#[test]
fn a_role_shorter_than_an_hour_gives_no_more_by_default() {
    let folder = folder();
    let config = parse(&with("max_duration = \"4h\"", "max_duration = \"30m\""), folder.path()).expect("valid");
    assert_eq!(config.policy.roles[0].default_duration, Duration::from_secs(1_800));
}

#[test]
fn what_becomes_of_an_operation_without_a_role() {
    for (written, expected) in [
        ("", None),
        ("on_missing = \"refuse\"", Some(OnMissing::Refuse)),
        ("on_missing = \"request\"", Some(OnMissing::Request)),
        ("on_missing = \"hold\"", Some(OnMissing::Hold(Duration::from_secs(60)))),
        ("on_missing = \"hold\"\nhold_for = \"90s\"", Some(OnMissing::Hold(Duration::from_secs(90)))),
    ] {
        let folder = folder();
        let role = with("max_duration = \"4h\"", &format!("max_duration = \"4h\"\n{written}"));
        let role = parse(&role, folder.path()).expect("valid").policy;
        let resource = "operations = [\"search\", \"modify\"]";
        let resource = with(resource, &format!("{resource}\n{written}"));
        let resource = parse(&resource, folder.path()).expect("valid").policy;
        assert_eq!((role.roles[0].on_missing, resource.resources[0].on_missing), (expected, expected), "{written}");
        assert_eq!((role.held.per_session, role.held.in_all), (8, 1024));
    }
}

#[test]
fn every_shipped_configuration_is_valid() {
    let folder = folder();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut seen = 0;
    for file in std::fs::read_dir(shipped).expect("config/") {
        let name = file.expect("a file").path();
        if name.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&name).expect("text");
            let config = Config::parse(&text, &name, folder.path()).unwrap_or_else(|errors| panic!("{errors}"));
            let warnings: Vec<_> = lint(&config).into_iter().filter(|w| !w.message.starts_with("standing")).collect();
            assert_eq!(warnings, [], "what is shipped should be exemplary");
            seen += 1;
        }
    }
    assert!(seen >= 2, "only {seen} files were seen");
}

/// What the reference shows commented out is valid too, alternatives aside.
#[test]
fn the_reference_stays_valid_with_every_key_in_use() {
    let folder = folder();
    let text = include_str!("../../../config/tidegate.toml");
    let mut used = Vec::new();
    let whole: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if matches!(rest, "[[notify.webhook]]" | "[notify.mail]") => rest.to_owned(),
            Some(rest)
                if rest
                    .split_once(" = ")
                    .is_some_and(|(key, _)| key.chars().all(|c| c == '_' || c.is_ascii_lowercase())) =>
            {
                used.push(rest.split(' ').next().unwrap_or_default().to_owned());
                if rest.starts_with("bind_password_env") { String::new() } else { rest.to_owned() }
            }
            _ => line.to_owned(),
        })
        .collect();
    assert!(used.contains(&"idle_timeout".to_owned()) && used.contains(&"threads".to_owned()), "{used:?}");
    let config = Config::parse(&whole.join("\n"), Path::new("reference"), folder.path());
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.listen.idle_timeout, Some(Duration::from_secs(3_600)));
    assert!(config.tls.client_ca.is_some() && config.tls.client_crl.is_some());
    assert!(config.directory.proxy.is_some());
}

#[test]
fn a_bracket_that_is_not_closed_is_one_error() {
    let text = format!(
        "[policy]\nallow = [{{ resource = \"payroll\" }}\n{}",
        "eligible = [\"x\"]\napprovers = []\n".repeat(20)
    );
    let errors = Config::parse(&text, Path::new("gate.toml"), Path::new(".")).expect_err("not TOML");
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with("gate.toml:3: ") && errors[0].contains("errors behind it are not shown"),
        "{errors:?}"
    );
}
