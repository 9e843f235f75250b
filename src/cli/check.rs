//! `tidegate check`.

use super::Outcome;
use super::output::{Format, Output, print};
use super::text::{visible, visible_json};
use crate::config::{Config, lint};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Check a configuration: every error at once, then what is valid but looks wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate check --config tidegate.toml")]
pub(super) struct Check {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    #[command(flatten)]
    output: Output,
}

/// What was found, a line each.
#[derive(Debug, Default, Serialize)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let findings = match Config::load(&self.config) {
            Ok(config) => {
                let warnings = lint(&config).iter().map(ToString::to_string).collect();
                Findings { errors: Vec::new(), warnings }
            }
            Err(errors) => Findings { errors: errors.iter().map(ToString::to_string).collect(), warnings: Vec::new() },
        };
        match self.output.format {
            Format::Table => print(&findings.text())?,
            Format::Json => print(&format!("{}\n", visible_json(&serde_json::to_string(&findings)?)))?,
        }
        Ok(if findings.errors.is_empty() { Outcome::Done } else { Outcome::Refused })
    }
}

impl Findings {
    fn text(&self) -> String {
        let mut text = String::new();
        for (kind, lines) in [("error", &self.errors), ("warning", &self.warnings)] {
            for line in lines {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{kind}: {}", visible(line));
            }
        }
        let count = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            _ => format!("{number} {what}s"),
        };
        text.push_str(&match (self.errors.len(), self.warnings.len()) {
            (0, 0) => "valid\n".to_owned(),
            (0, warnings) => format!("valid, with {}\n", count(warnings, "warning")),
            (errors, _) => format!("not valid: {}\n", count(errors, "error")),
        });
        text
    }
}
