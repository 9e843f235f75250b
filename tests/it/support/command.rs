//! Runs a program and keeps what it said.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// What a program said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Panics unless it ended with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("not JSON ({e}): {self:#?}"))
    }
}

/// Runs it with nothing on its input.
pub(crate) fn run(command: &mut Command) -> Ran {
    feed(command, b"")
}

/// Runs it with `input` on its input.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Ran {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}; run ./test to install it"));
    // A program that has ended without reading is told by its exit code.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// The command line under test.
pub(crate) fn tidegate<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).env_remove("TIDEGATE_CONTROL").env_remove("TIDEGATE_CA").env_remove("RUST_LOG");
    command
}

/// As root, for what nobody else may do: through `sudo` where the tests run as somebody else. `keep`: variables
/// of the environment that it is to see.
pub(crate) fn as_root(program: &str, keep: &[&str]) -> Command {
    if super::gate::user() == "root" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("-n").arg(format!("--preserve-env={}", keep.join(","))).arg(program);
    command
}
