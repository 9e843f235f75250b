//! A configuration that is wrong: every error at once, before anything is opened.

use crate::support::command::{run, tidegate};
use crate::support::gate::Setup;
use crate::support::slapd::Slapd;

#[test]
fn every_error_is_told_at_once_and_nothing_starts() {
    let slapd = Slapd::start();
    let folder = tempfile::tempdir().unwrap();
    let wrong = r#"
[[resource]]
name = "payroll"
base = "ou=payroll,,dc=example"

[[role]]
name = "reader"
description = "x"
allow = [{ resource = "no-such-resource" }]
eligible = ["everybody"]
approvers = ["group:cn=hr-leads,ou=groups,dc=example,dc=com"]
max_duration = "four hours"
default_duration = "1h"
colour = "green"
"#;
    let path = Setup::default().policy(wrong).write(folder.path(), &slapd);
    let line = |text: &str| {
        let content = std::fs::read_to_string(&path).unwrap();
        content.lines().position(|l| l.contains(text)).unwrap() + 1
    };
    for command in ["check", "serve"] {
        let told = run(tidegate([command, "--config"]).arg(&path)).expect(1);
        let all = told.stdout + &told.stderr;
        for part in ["ou=payroll,,", "no-such-resource", "everybody", "four hours", "colour"] {
            assert!(all.contains(&format!("tidegate.toml:{}", line(part))), "{command}: no line for {part}: {all}");
        }
    }
    assert!(!folder.path().join("store").exists(), "a store was made");
    run(tidegate(["check", "--config"]).arg(folder.path().join("absent.toml"))).expect(1);
    run(&mut tidegate(["check", "--no-such-option"])).expect(2);
    let right = Setup::default().write(folder.path(), &slapd);
    run(tidegate(["check", "--config"]).arg(right)).expect(0);
}
