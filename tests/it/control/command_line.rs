//! The command line over TLS: log in, work, log out; whom it believes, and where it keeps what.

use super::open;
use crate::support::certs::Authority;
use crate::support::command::{Ran, feed, run, tidegate};
use crate::support::gate::Gate;
use crate::support::slapd::{password, person as dn};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// The command line of somebody with this home, who trusts the gate's authority.
fn command(gate: &Gate, home: &Path, arguments: &[&str]) -> Command {
    let mut command = tidegate(arguments);
    command.env("TIDEGATE_CONTROL", format!("https://127.0.0.1:{}", gate.https));
    command.env("TIDEGATE_CA", &gate.authority.ca).env("XDG_STATE_HOME", home).env("USER", "alice");
    command
}

fn call(gate: &Gate, home: &Path, arguments: &[&str]) -> Ran {
    run(&mut command(gate, home, arguments))
}

#[test]
fn everything_works_over_tls_after_logging_in() {
    let (_slapd, gate) = open();
    let home = tempfile::tempdir().unwrap();
    let alice = |arguments: &[&str]| call(&gate, home.path(), arguments);
    let refused = alice(&["roles"]).expect(1);
    assert!(refused.stderr.contains("tidegate login"), "{refused:#?}");
    let wrong = feed(&mut command(&gate, home.path(), &["login"]), b"wrong\n").expect(1);
    assert!(wrong.stderr.contains("the name, the password or the code is wrong"), "{wrong:#?}");
    let secret = password("alice") + "\n";
    let logged_in = feed(&mut command(&gate, home.path(), &["login"]), secret.as_bytes()).expect(0);
    assert!(logged_in.stderr.contains(&dn("alice")) && logged_in.stdout.is_empty(), "{logged_in:#?}");
    let folder = home.path().join("tidegate/tokens");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let token = folder.join(format!("127.0.0.1_{}.json", gate.https));
    assert_eq!((mode(&folder), mode(&token)), (0o700, 0o600));

    assert!(alice(&["whoami"]).expect(0).stdout.contains(&dn("alice")));
    assert!(alice(&["roles"]).expect(0).stdout.contains("payroll-reader"));
    let asked = alice(&["request", "payroll-reader", "--reason", "HR-7: test", "--output", "json"]).expect(0).json();
    let id = asked["id"].as_str().unwrap().to_owned();
    gate.cli("bob", &["approve", &id]).expect(0);
    assert!(alice(&["release", &id]).expect(0).stdout.contains("released"));

    // The gate of the last login, and who signed its certificate, need not be named again.
    let bare = |arguments: &[&str]| {
        let mut command = command(&gate, home.path(), arguments);
        run(command.env_remove("TIDEGATE_CONTROL").env_remove("TIDEGATE_CA"))
    };
    assert!(bare(&["me"]).expect(0).stdout.contains(&dn("alice")));

    // One that others could have read is not sent.
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = alice(&["roles"]).expect(1);
    assert!(exposed.stderr.contains("can be read by others"), "{exposed:#?}");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let kept = std::fs::read(&token).unwrap();
    bare(&["logout"]).expect(0);
    assert!(!token.exists());
    // No gate is the current one any more: the default socket is tried.
    bare(&["me"]).expect(4);
    std::fs::write(&token, kept).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let over = alice(&["roles"]).expect(1);
    assert!(over.stderr.contains("log in again"), "the gate has forgotten it: {over:#?}");
}

#[test]
fn only_the_gate_itself_is_believed() {
    let (_slapd, gate) = open();
    let home = tempfile::tempdir().unwrap();
    let other = Authority::new(home.path());
    let mut impostor = command(&gate, home.path(), &["login", "--name", "alice"]);
    let refused = feed(impostor.env("TIDEGATE_CA", &other.ca), b"alice-secret\n").expect(1);
    assert!(refused.stderr.contains("nobody that you trust") && refused.stderr.contains("--ca"), "{refused:#?}");
    for (url, code) in [("http://127.0.0.1", 2), ("https://127.0.0.1:1", 4), ("https://", 2)] {
        let ran = feed(&mut command(&gate, home.path(), &["login", url]), b"x\n").expect(code);
        assert!(ran.stderr.starts_with("tidegate: "), "{ran:#?}");
    }
    let socket = gate.control.to_str().unwrap();
    feed(&mut command(&gate, home.path(), &["login", "--control", socket]), b"x\n").expect(2);
}

#[test]
fn a_certificate_stands_for_a_login() {
    let slapd = crate::support::slapd::Slapd::start();
    let folder = tempfile::tempdir().unwrap();
    let people = Authority::new(folder.path());
    let lines =
        format!("client_ca = {:?}\ncertificate_subject = \"uid={{cn}},ou=people,dc=example,dc=com\"", people.ca);
    let gate = crate::support::gate::Setup::default().https().control_lines(&lines).start(&slapd);
    let (certificate, key) = people.person("bob");
    let mut command = command(&gate, folder.path(), &["me", "--output", "json"]);
    let me = run(command.arg("--client-certificate").arg(certificate).arg("--client-key").arg(key)).expect(0).json();
    assert_eq!((me["subject"].as_str(), me["certificate"].as_str()), (Some(&*dn("bob")), Some("cn=bob")));
}

#[test]
fn shells_are_told_what_can_be_completed() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&mut tidegate(["completions", shell])).expect(0).stdout;
        assert!(script.contains("approve") && script.contains("password-file"), "{shell}");
    }
}
