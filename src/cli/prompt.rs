//! What is asked of people: on a terminal without showing what they type, else a line of input.

use super::output::note;
use anyhow::Context as _;
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead as _, IsTerminal as _};

/// Longer secrets are none.
const LONGEST: u64 = 4096;

/// What Ctrl-C sends.
const INTERRUPT: char = '\u{3}';

/// The exit code of a process that Ctrl-C ended, as shells count.
const EXIT_INTERRUPTED: i32 = 130;

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
    // Echo is off before the question appears: whoever types at once is not seen. What was typed before is kept (TCSADRAIN).
    let before = tcgetattr(&stdin).context("the terminal")?;
    tcsetattr(&stdin, SetArg::TCSADRAIN, &without_echo(&before)).context("the terminal")?;
    note(question);
    let answer = line();
    tcsetattr(&stdin, SetArg::TCSADRAIN, &before).context("the terminal")?;
    let answer = answer?;
    match answer.strip_suffix(INTERRUPT) {
        Some(_) => {
            note("\n");
            std::process::exit(EXIT_INTERRUPTED);
        }
        None => Ok(answer),
    }
}

/// No echo but of the end of the line. Ctrl-C ends the line instead of the process, so that the terminal is restored.
fn without_echo(terminal: &Termios) -> Termios {
    let mut quiet = terminal.clone();
    quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
    quiet.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON);
    quiet.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT as u8;
    quiet
}

/// Asks whether to go ahead with what was shown, where there is a person to ask; `yes` (`--yes`) answers for them.
///
/// # Errors
/// The answer is not yes, or cannot be read.
pub(super) fn confirm(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes || !is_possible() {
        return Ok(());
    }
    let answer = open(&format!("{question} [y/N] "))?.unwrap_or_default();
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => anyhow::bail!("nothing was changed: the answer was not yes (--yes skips the question)"),
    }
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
