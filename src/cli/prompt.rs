//! What is asked of people: on a terminal without showing what they type, else a line of input.

use super::output::note;
use anyhow::Context as _;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io::{BufRead as _, IsTerminal as _};

/// Longer secrets are none.
const LONGEST: u64 = 4096;

/// Whether there is somebody to ask.
pub(super) fn is_possible() -> bool {
    std::io::stdin().is_terminal()
}

/// Asks for something secret.
///
/// # Errors
/// There is no answer.
pub(super) fn secret(question: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return line();
    }
    note(question);
    let before = tcgetattr(&stdin).context("the terminal")?;
    let mut quiet = before.clone();
    quiet.local_flags.remove(LocalFlags::ECHO);
    quiet.local_flags.insert(LocalFlags::ECHONL);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &quiet).context("the terminal")?;
    let answer = line();
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).context("the terminal")?;
    answer
}

/// Asks for something that may be seen; `None`: there is nobody to ask.
///
/// # Errors
/// It cannot be read.
pub(super) fn open(question: &str) -> anyhow::Result<Option<String>> {
    if is_possible() {
        note(question);
    }
    read_line()
}

fn line() -> anyhow::Result<String> {
    read_line()?.context("there is nobody to ask, and nothing on standard input")
}

fn read_line() -> anyhow::Result<Option<String>> {
    let mut text = String::new();
    let read = std::io::Read::take(std::io::stdin().lock(), LONGEST).read_line(&mut text).context("standard input")?;
    Ok((read > 0).then(|| text.trim_end_matches(['\n', '\r']).to_owned()))
}
