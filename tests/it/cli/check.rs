//! `tidegate check` and errors of the configuration.

use crate::support::command::{run, tidegate};
use crate::support::gate::{POLICY, Setup};
use crate::support::slapd::{BASE, Extra, SERVICE_DN, Slapd};
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

#[test]
fn online_it_warns_where_hidden_entries_cannot_be_left_out() {
    let access = format!("access to attrs=entryDN by dn.exact=\"{SERVICE_DN}\" none by * read");
    let slapd = Slapd::with(Extra { access, ..Extra::default() });
    let folder = TempDir::new().unwrap();
    let warned = |lines: &str| {
        let directory =
            format!("urls = [\"ldaps://localhost:{}\"]\nca = {:?}\n{lines}", slapd.ldaps, slapd.authority.ca);
        let file = Setup::default().directory(directory).policy(POLICY).write(folder.path(), &slapd);
        let ran = run(&mut tidegate(["check", "--online", "--config", file.to_str().unwrap()])).expect(0);
        ran.stdout
            .contains(&format!("warning: [directory] exclude_hidden: {BASE} is not asked to leave out hidden entries"))
    };
    assert!(warned("") && !warned("exclude_hidden = false"));
}

#[test]
fn online_it_says_which_trees_are_served_and_what_the_directory_computes() {
    let mut slapd = Slapd::with(Extra {
        configuration: "include /etc/ldap/schema/dyngroup.schema\nmoduleload dynlist\nmoduleload unique\n\
                        moduleload back_null\ndatabase null\nsuffix cn=accesslog\n"
            .to_owned(),
        ..Extra::default()
    });
    let folder = TempDir::new().unwrap();
    let everything = format!(
        "[[role]]\nname = \"everything\"\nallow = [{{ resource = \"payroll\" }}, {{ resource = \"secret-project\" }}]\n\
         eligible = [\"group:cn=hr,ou=groups,{BASE}\"]\napprovers = [\"group:cn=hr-leads,ou=groups,{BASE}\"]\n\
         max_duration = \"1h\"\n"
    );
    let file = Setup::default().trees_by_default().and(&everything).write(folder.path(), &slapd);
    let arguments = ["check", "--online", "--config", file.to_str().unwrap()];
    let ran = run(&mut tidegate(arguments)).expect(0);
    for line in [
        format!("directory: ldaps://localhost:{}\n", slapd.ldaps),
        format!("served: {BASE}\n"),
        "not served: cn=accesslog (its name begins with cn=".to_owned(),
        "not served: cn=config (the directory names it in configContext)\n".to_owned(),
        "computes: dynamic lists (labeledURI, memberURL)\n".to_owned(),
        "the answer to a write tells whether a hidden entry has the value\n".to_owned(),
        "and that stays when the grant ends\n".to_owned(),
    ] {
        assert!(ran.stdout.contains(&line), "{line}\n{ran:#?}");
    }
    assert!(!ran.stdout.contains("exclude_hidden"), "{ran:#?}");
    let json = run(tidegate(arguments).args(["--output", "json"])).expect(0).json();
    assert_eq!(json["directory"]["trees"], serde_json::json!([BASE]));
    slapd.kill();
    let ran = run(&mut tidegate(arguments)).expect(1);
    assert!(ran.stdout.contains("error: the directory: "), "{ran:#?}");
}
