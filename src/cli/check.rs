//! `tidegate check`.

use super::Outcome;
use super::connection::Beside;
use super::output::{Format, Output, print, terminal_width};
use super::reload::show;
use super::table::Details;
use super::text::{visible, visible_json};
use crate::api::{LintBody, LintView, routes};
use crate::config::{Config, lint};
use anyhow::Context as _;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Check a configuration: every error at once, then what is valid but looks wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate check --config tidegate.toml\n  \
                        tidegate check --config new.toml --against-running --control run/control.sock")]
pub(super) struct Check {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Have the gate that runs look at it: what it would open, close and end (administrators)
    #[arg(long)]
    against_running: bool,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    beside: Beside,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let output = self.output;
        let findings = if self.against_running { self.ask()? } else { look(&self.config) };
        match output.format {
            Format::Table => print(&text(&findings, terminal_width()))?,
            Format::Json => print(&format!("{}\n", visible_json(&serde_json::to_string(&findings)?)))?,
        }
        Ok(if findings.errors.is_empty() { Outcome::Done } else { Outcome::Refused })
    }

    /// The gate reads the files that the configuration names, and knows what is in force.
    fn ask(self) -> anyhow::Result<LintView> {
        let configuration = std::fs::read_to_string(&self.config)
            .with_context(|| format!("{} cannot be read", self.config.display()))?;
        let file = Some(self.config.display().to_string());
        let body = LintBody { configuration, file, against_running: true };
        Ok(self.beside.client(self.config)?.post::<LintView>(routes::LINT, &body)?.value)
    }
}

fn look(file: &Path) -> LintView {
    match Config::load(file) {
        Ok(config) => {
            let mut warnings: Vec<String> = lint(&config).iter().map(ToString::to_string).collect();
            warnings.extend(open_files(&config, file));
            LintView { warnings, ..LintView::default() }
        }
        Err(errors) => LintView { errors: errors.iter().map(ToString::to_string).collect(), ..LintView::default() },
    }
}

/// Whether this machine lets a process open as many files as the configured number of clients takes. The gate may be
/// started with another limit.
fn open_files(config: &Config, file: &Path) -> Option<String> {
    use nix::sys::resource::{Resource, getrlimit};
    let wanted = u64::try_from(config.listen.max_connections?).ok()?;
    let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let needed = wanted.saturating_mul(2).saturating_add(64);
    (limit < needed).then(|| {
        format!(
            "{}: [listen] max_connections: {wanted} clients take {needed} open files and more, and the limit here is \
             {limit}; a gate with this limit serves fewer; raise it (ulimit -n, LimitNOFILE=)",
            file.display()
        )
    })
}

fn text(findings: &LintView, width: Option<usize>) -> String {
    let mut text = String::new();
    for (kind, lines) in [("error", &findings.errors), ("warning", &findings.warnings)] {
        for line in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{kind}: {}", visible(line));
        }
    }
    if let Some(difference) = &findings.difference {
        let mut details = Details::default();
        show(difference, true, &mut details);
        text.push_str(&details.render(width));
    }
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    text.push_str(&match (findings.errors.len(), findings.warnings.len()) {
        (0, 0) => "valid\n".to_owned(),
        (0, warnings) => format!("valid, with {}\n", count(warnings, "warning")),
        (errors, _) => format!("not valid: {}\n", count(errors, "error")),
    });
    text
}
