//! Where answers and errors go: tables or JSON to standard output, everything else to standard error.

use super::client::ClientError;
use super::text::{visible, visible_json};
use super::yaml;
use crate::config::ConfigErrors;
use clap::ValueEnum;
use std::io::{ErrorKind, IsTerminal, Write};

/// For whom it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    #[default]
    /// Tables, as wide as the terminal
    Table,
    /// Tables with each row on one line
    Wide,
    /// JSON as the control API gives it
    Json,
    /// The same as YAML
    Yaml,
}

/// `--output`, for every command that prints.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Output {
    /// How answers are shown
    #[arg(long = "output", short = 'o', value_enum, default_value_t, value_name = "FORMAT", hide_default_value = true)]
    pub(super) format: Format,
}

impl Output {
    /// Shows an answer: the JSON as it came, or what `table` makes of it.
    pub(super) fn answer(self, json: &str, table: impl FnOnce(Option<usize>) -> String) -> anyhow::Result<()> {
        match self.format {
            Format::Table => print(&table(terminal_width())),
            Format::Wide => print(&table(None)),
            Format::Json => print(&format!("{}\n", visible_json(json.trim_end()))),
            Format::Yaml => print(&visible_json(&yaml::write(&serde_json::from_str(json)?))),
        }
    }

    /// Whether programs read the answer: nothing else may stand beside it on standard output.
    pub(super) fn is_for_programs(self) -> bool {
        match self.format {
            Format::Json | Format::Yaml => true,
            Format::Table | Format::Wide => false,
        }
    }

    /// How wide tables may be; `None`: each row is one line.
    pub(super) fn width(self) -> Option<usize> {
        terminal_width().filter(|_| self.format != Format::Wide)
    }
}

/// Writes to standard output; what is gone is an error ([`is_broken_pipe`]).
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes to standard error, where there is one.
pub(super) fn note(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Says why a command failed: all that is wrong with a configuration a line each, then the whole.
pub(super) fn error(error: &anyhow::Error) {
    note(&error_text(error));
}

fn error_text(error: &anyhow::Error) -> String {
    if let Some(errors) = error.downcast_ref::<ConfigErrors>() {
        return errors.iter().map(|line| format!("error: {}\n", visible(&line.to_string()))).collect();
    }
    let (mut text, mut last) = (String::new(), String::new());
    if let Some(ClientError::Problem(problem, hint)) = error.downcast_ref::<ClientError>() {
        text.extend(problem.errors.iter().map(|line| format!("error: {}\n", visible(line))));
        last.extend(hint.iter().map(|hint| format!("hint: {}\n", visible(hint))));
    }
    text.push_str(&format!("tidegate: {}\n", visible(&with_causes(error))));
    text + &last
}

/// What went wrong and what made it, each said once.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(&format!(": {cause}"));
        }
    }
    text
}

/// Whether the reader of standard output has gone.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// How wide the terminal is that standard output goes to; `None`: it is none.
pub(super) fn terminal_width() -> Option<usize> {
    width_of(&std::io::stdout())
}

/// The same for standard error.
pub(super) fn error_width() -> Option<usize> {
    width_of(&std::io::stderr())
}

/// What `COLUMNS` says goes before what the terminal says, as everywhere.
fn width_of(to: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    if !to.is_terminal() {
        return None;
    }
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || terminal_size::terminal_size_of(to).map(|(width, _)| usize::from(width.0));
    Some(said.or_else(asked).filter(|width| *width > 0).unwrap_or(80))
}
