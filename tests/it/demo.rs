//! The demo as somebody tries it: the tour that it takes itself, and what it prints, pasted into a shell.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["demo", "--ldaps", "127.0.0.1:0", "--ldap", "127.0.0.1:0", "--https", "127.0.0.1:0"]).args(arguments);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn takes_the_tour() {
    let output = demo(&["--tour"]).output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.ends_with("That was the tour.\n"), "{text}");
}

/// Ends the demo as Ctrl-C does, also when the test fails.
struct Running(Child);

impl Running {
    fn interrupt(&mut self) -> bool {
        let sent = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        sent.is_ok_and(|sent| sent.success()) && self.0.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.0.kill();
    }
}

#[test]
fn what_it_prints_can_be_pasted() {
    let mut running = Running(demo(&[]).stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let printed: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
    let commands: Vec<&str> = printed.iter().filter_map(|line| line.strip_prefix("  ")).collect();
    let (setup, steps) = commands.split_at(3);
    let run = |step: &str| {
        let script = [setup, &[step]].concat().join("\n");
        Command::new("sh").arg("-c").arg(script).output().unwrap()
    };
    // (exit code, something that it shows), in the order of the steps.
    let expected = [
        (0, "title: Head of HR"),
        (50, "tidegate request payroll-reader"),
        (0, "cn: Alice Archer"),
        (0, "pending"),
        (0, "question about a payslip"),
        (0, "1 of 1 approvals"),
        (0, "account ending 9031"),
        (50, "Insufficient access"),
        (0, "released"),
        (50, "tidegate request payroll-reader"),
        (0, "\"operation\":\"modify\""),
    ];
    assert_eq!(steps.len(), expected.len(), "{printed:?}");
    for (step, (code, part)) in steps.iter().zip(expected) {
        let output = run(step);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "{step}\n{text}");
        assert!(text.contains(part), "{step}\n{text}");
    }
    let files = setup[0].strip_prefix("export LDAPTLS_CACERT=").unwrap();
    assert!(Path::new(files).exists());
    assert!(running.interrupt());
    assert!(!Path::new(files).exists());
}

#[test]
fn says_what_is_in_its_way() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (taken, free) in [("--ldaps", "--https"), ("--https", "--ldaps")] {
        let addresses = [taken, &address, free, "127.0.0.1:0", "--ldap", "127.0.0.1:0"];
        let output = Command::new(PROGRAM).arg("demo").args(addresses).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(&format!("cannot listen on {address}")), "{}", text(&output));
    }
    let output = Command::new(PROGRAM).args(["demo", "--ldaps", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("not a loopback address"), "{}", text(&output));
}
