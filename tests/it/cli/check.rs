//! `tidegate check` and errors of the configuration.

use crate::support::command::{run, tidegate};
use std::fs;
use tempfile::TempDir;

#[test]
fn every_error_is_told_at_once_and_the_exit_code_is_1() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("gate.toml");
    fs::write(&file, "[listen]\nldaps = \"nowhere\"\n[[resource]]\nname = \"payroll\"\nbsae = \"ou=payroll\"\n")
        .unwrap();
    let arguments = ["check", "--config", file.to_str().unwrap()];
    let ran = run(&mut tidegate(arguments)).expect(1);
    let name = file.display();
    for line in [
        format!("error: {name}:2: [listen] ldaps: \"nowhere\" is not an address with a port; write it like"),
        format!("error: {name}:5: resource \"payroll\": unknown key \"bsae\"; did you mean \"base\"?\n"),
        format!("error: {name}:1: [audit] is missing; it takes at least path = \"data/audit\"\n"),
        "not valid: 9 errors\n".to_owned(),
    ] {
        assert!(ran.stdout.contains(&line), "{line}\n{ran:#?}");
    }
    assert_eq!(ran.stderr, "");

    let ran = run(tidegate(arguments).args(["--output", "json"])).expect(1);
    assert_eq!(ran.json()["errors"].as_array().map(Vec::len), Some(9));
    assert_eq!(ran.json()["warnings"], serde_json::json!([]));
}

#[test]
fn a_file_that_is_not_there_is_an_error_and_none_at_all_is_wrong_use() {
    let ran = run(&mut tidegate(["check", "--config", "nowhere.toml"])).expect(1);
    assert_eq!(
        ran.stdout,
        "error: nowhere.toml: cannot be read: No such file or directory (os error 2)\nnot valid: 1 error\n"
    );
    run(&mut tidegate(["check"])).expect(2);
}

/// The reference as it is shipped, with files where it names some.
#[test]
fn the_reference_is_valid_and_its_standing_access_is_listed() {
    let folder = TempDir::new().unwrap();
    let authority = crate::support::certs::Authority::new(folder.path());
    let (certificate, key) = authority.server("server");
    for (name, from) in [
        ("certs/server.pem", &certificate),
        ("certs/server.key", &key),
        ("certs/directory-ca.pem", &authority.ca),
        ("secrets/directory-password", &authority.ca),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(from, &path).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, private).unwrap();
    }
    let file = folder.path().join("tidegate.toml");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/config/tidegate.toml"), &file).unwrap();
    let ran = run(&mut tidegate(["check", "--config", file.to_str().unwrap()])).expect(0);
    assert!(ran.stdout.contains("standing access 1: dn:cn=hr-sync,ou=services,dc=example,dc=com"), "{ran:#?}");
    assert!(ran.stdout.ends_with("valid, with 2 warnings\n"), "{ran:#?}");
}
