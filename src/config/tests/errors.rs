//! Wrong configurations, and exactly what is said of them: `errors.txt`.

use super::{cases, errors};

#[test]
fn each_error_has_its_line_and_says_what_would_be_right() {
    let cases = cases(include_str!("errors.txt"));
    assert!(cases.len() > 60, "only {} cases were seen", cases.len());
    for case in cases {
        assert_eq!(errors(&case.text), case.expected, "\n{}\n", case.block);
    }
}

#[test]
fn errors_of_all_sections_are_told_at_once() {
    let text = "[[role]]\n[tls]\nx = 1\n[listen]\nldap = 1\n[store]\npath = \"data/store\"\n";
    assert_eq!(
        errors(text),
        [
            "gate.toml:1: [audit] is missing; it takes at least path = \"data/audit\"",
            "gate.toml:1: [control] is missing; it takes at least socket = \"run/control.sock\"",
            "gate.toml:1: [directory] is missing; it takes at least urls = [\"ldaps://ldap1.example.com\"]",
            "gate.toml:1: role 1: allow is missing; write it like allow = [{ resource = \"payroll\", operations = [\"search\"] }]",
            "gate.toml:1: role 1: approvers is missing; write it like approvers = [\"group:cn=hr-leads,ou=groups,dc=example,dc=com\"]",
            "gate.toml:1: role 1: eligible is missing; write it like eligible = [\"group:cn=hr,ou=groups,dc=example,dc=com\"]",
            "gate.toml:1: role 1: max_duration is missing; write it like max_duration = \"4h\"",
            "gate.toml:1: role 1: name is missing; write it like name = \"payroll-editor\"",
            "gate.toml:2: [tls] certificate is missing; write it like certificate = \"certs/server.pem\"",
            "gate.toml:2: [tls] private_key is missing; write it like private_key = \"certs/server.key\"",
            "gate.toml:3: [tls] unknown key \"x\"; known here are: certificate, private_key, client_ca, client_crl, certificate_subject, require_client_certificate",
            "gate.toml:5: [listen] ldap: expected text like \"0.0.0.0:636\", found a whole number",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_error() {
    let error = super::Config::load(std::path::Path::new("nowhere/gate.toml")).expect_err("there is no such file");
    assert_eq!(error.to_string(), "nowhere/gate.toml: cannot be read: No such file or directory (os error 2)");
}
