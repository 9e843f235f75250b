//! Configurations that are valid and look wrong, and exactly what is said of them: `warnings.txt`.

use super::{VALID, cases, warnings};

#[test]
fn what_looks_wrong_is_listed() {
    let standing = warnings(VALID);
    assert_eq!(
        standing,
        [
            "gate.toml:15: standing access 1: dn:cn=hr-sync,dc=example,dc=com permanently: search, modify in \"payroll\" (HR-112)"
        ]
    );
    let cases = cases(include_str!("warnings.txt"));
    assert!(cases.len() > 15, "only {} cases were seen", cases.len());
    for case in cases {
        let mut found = warnings(&case.text);
        found.retain(|warning| !warning.ends_with(" permanently: search, modify in \"payroll\" (HR-112)"));
        assert_eq!(found, case.expected, "\n{}\n", case.block);
    }
}

/// Secrets that every user of the machine may read are told of.
#[test]
fn readable_secrets_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = super::folder();
    let key = folder.path().join("certs/server.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("made readable");
    let config = super::parse(VALID, folder.path()).expect("valid");
    let found: Vec<String> = super::lint(&config).iter().map(ToString::to_string).collect();
    let expected =
        format!("gate.toml:5: [tls] private_key: every user of this machine may read {0}; chmod o= {0}", key.display());
    assert!(found.contains(&expected), "{found:#?}");
}
