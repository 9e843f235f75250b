//! `tidegate check`.

use super::Outcome;
use super::connection::Beside;
use super::output::Output;
use super::reload::show;
use super::table::Details;
use super::text::visible;
use crate::api::{LintBody, LintView, routes};
use crate::config::{Config, lint, lint_directory};
use crate::daemon::{self, Survey};
use crate::engine::ldap::Dn;
use crate::engine::policy::{OperationKind, computing};
use anyhow::Context as _;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Check a configuration: every error at once, then what is valid but looks wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tidegate check --config tidegate.toml\n  \
                        tidegate check --config new.toml --online\n  \
                        tidegate check --config new.toml --against-running --control run/control.sock")]
pub(super) struct Check {
    /// The configuration
    #[arg(value_name = "FILE", required_unless_present = "config", conflicts_with = "config")]
    file: Option<PathBuf>,

    /// The same
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Have the gate that runs look at it: what it would open, close and end (administrators)
    #[arg(long)]
    against_running: bool,

    /// Ask the directory: which of its trees would be served, and what it can be made to compute
    #[arg(long, conflicts_with = "against_running")]
    online: bool,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    beside: Beside,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let output = self.output;
        // Either is required.
        let file = self.file.clone().or_else(|| self.config.clone()).unwrap_or_default();
        let findings = match (self.against_running, self.online) {
            (true, _) => Findings { lint: self.ask(file)?, directory: None },
            (false, true) => look_online(&file)?,
            (false, false) => Findings { lint: look(&file), directory: None },
        };
        output.answer(&serde_json::to_string(&findings)?, |width| text(&findings, width))?;
        let findings = findings.lint;
        Ok(if findings.errors.is_empty() { Outcome::Done } else { Outcome::Refused })
    }

    /// The gate reads the files that the configuration names, and knows what is in force.
    fn ask(self, file: PathBuf) -> anyhow::Result<LintView> {
        let configuration =
            std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let body = LintBody { configuration, file: Some(file.display().to_string()), against_running: true };
        Ok(self.beside.client(file)?.post::<LintView>(routes::LINT, &body)?.value)
    }
}

/// What was found, in the configuration and in the directory.
#[derive(Debug, Serialize)]
struct Findings {
    #[serde(flatten)]
    lint: LintView,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<DirectoryView>,
}

/// What was found in the directory.
#[derive(Debug, Serialize)]
struct DirectoryView {
    /// The server that answered.
    server: String,
    /// The trees that would be served.
    trees: Vec<String>,
    /// Those that would not, and why.
    left_out: Vec<(String, String)>,
    /// What it can be made to compute.
    computes: Vec<String>,
}

fn look_online(file: &Path) -> anyhow::Result<Findings> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(_) => return Ok(Findings { lint: look(file), directory: None }),
    };
    let mut warnings: Vec<String> = lint(&config).iter().map(ToString::to_string).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Survey { server, trees, excludes, schema } = match runtime.block_on(daemon::survey(&config)) {
        Ok(found) => found,
        Err(error) => {
            let lint = LintView { errors: vec![format!("the directory: {error}")], warnings, ..LintView::default() };
            return Ok(Findings { lint, directory: None });
        }
    };
    let mut errors = Vec::new();
    if trees.served.is_empty() {
        errors
            .push("no tree of the directory would be served: name those that are to be in naming_contexts".to_owned());
    }
    warnings.extend(not_excluded(&config, &trees.served, &excludes));
    match &schema {
        Some(schema) => warnings.extend(lint_directory(&config, schema).iter().map(ToString::to_string)),
        None => warnings.push(
            "the account may not read the directory's schema: attributes are known by their standard names".to_owned(),
        ),
    }
    let computes = schema.map(|schema| computing::features(&schema)).unwrap_or_default();
    let directory = DirectoryView {
        server,
        trees: trees.served.iter().map(Dn::to_string).collect(),
        left_out: trees.left_out.into_iter().map(|one| (one.context.to_string(), one.why)).collect(),
        computes: computes.into_iter().map(|feature| feature.name.to_owned()).collect(),
    };
    Ok(Findings { lint: LintView { errors, warnings, ..LintView::default() }, directory: Some(directory) })
}

/// Where searches cannot leave out what is hidden, although they are to.
fn not_excluded<'t>(config: &Config, served: &'t [Dn], excludes: &[Dn]) -> impl Iterator<Item = String> + use<'t> {
    let wanted = config.directory.exclude_hidden && config.policy.protects(OperationKind::Search);
    let is_left = |tree: &&Dn| wanted && !excludes.iter().any(|other| tree.is_surely_within(other));
    let left: Vec<&Dn> = served.iter().filter(is_left).collect();
    left.into_iter().map(|tree| {
        format!(
            "[directory] exclude_hidden: {tree} is not asked to leave out hidden entries: it does not compare names \
             (entryDN), or the gate's account may not search entryDN; searches that reach hidden entries are bounded \
             by [policy] exposed_searches_per_minute"
        )
    })
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

fn text(Findings { lint: findings, directory }: &Findings, width: Option<usize>) -> String {
    let mut text = String::new();
    if let Some(DirectoryView { server, trees, left_out, computes }) = directory {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "directory: {}", visible(server));
        trees.iter().for_each(|tree| _ = writeln!(text, "served: {}", visible(tree)));
        left_out.iter().for_each(|(tree, why)| _ = writeln!(text, "not served: {} ({why})", visible(tree)));
        computes.iter().for_each(|feature| _ = writeln!(text, "computes: {feature}"));
    }
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
