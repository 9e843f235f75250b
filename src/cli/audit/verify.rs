//! `tidegate audit verify`: asks the gate, or reads files of the log without it.

use super::files;
use crate::api::{VerifyQuery, VerifyView, routes};
use crate::cli::Outcome;
use crate::cli::connection::Connection;
use crate::cli::output::Output;
use crate::cli::table::{Details, Table};
use crate::engine::audit::chain::{Head, Verifier};
use anyhow::Context as _;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Verify that the log is complete and unaltered; without --files, as far as the gate can be trusted
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate audit verify
  tidegate audit verify --head 70412:nxhuQgL7Kz9gyq8gwOq1Z6ZIoL9jthBeJ5T6YkwN0R0
  tidegate audit verify --files /var/lib/tidegate/audit

Note the head that it prints somewhere the gate's administrators cannot write: with --head, a log that was written anew
or cut short since then is found out.")]
pub(super) struct Verify {
    /// A head that was printed before: the log must still contain it
    #[arg(long, value_name = "SEQ:CHAIN")]
    head: Option<Head>,

    /// Read the files in this folder, without a gate: a copy, or an archive
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,

    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let (json, view) = match &self.files {
            Some(folder) => {
                let view = of_files(folder, self.head)?;
                (serde_json::to_string(&view)?, view)
            }
            None => {
                let query = VerifyQuery { head: self.head.map(|head| head.to_string()) };
                // Nothing in a head needs an escape in a URL.
                let query = query.head.map(|head| format!("?head={head}")).unwrap_or_default();
                let path = format!("{}{query}", routes::AUDIT_VERIFY);
                let answer = self.connection.client()?.get::<VerifyView>(&path)?;
                (answer.json, answer.value)
            }
        };
        self.output.answer(&json, |width| shown(&view, width))?;
        Ok(if view.sound { Outcome::Done } else { Outcome::Refused })
    }
}

fn of_files(folder: &Path, head: Option<Head>) -> anyhow::Result<VerifyView> {
    let files = files::list(folder)?;
    let mut verifier = Verifier::new(None, head);
    let count = files.len();
    for (position, (name, path)) in files.iter().enumerate() {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = verifier.file(name, BufReader::new(file), (position + 1 == count, false), &mut || true);
        read.with_context(|| format!("cannot read {}", path.display()))?;
    }
    let mut view = VerifyView::new(&verifier.finish(), true);
    if head.is_none() {
        view.notes.push(WITHOUT_HEAD.to_owned());
    }
    Ok(view)
}

/// What files alone do not tell.
const WITHOUT_HEAD: &str = "files alone do not show whether lines were cut off their end, or all of them written anew: \
                            compare with a head that was noted elsewhere (--head)";

fn shown(view: &VerifyView, width: Option<usize>) -> String {
    let mut details = Details::default();
    let ends_unknown = view.notes.iter().any(|note| note == WITHOUT_HEAD);
    let state = match (view.sound, view.complete, view.found) {
        (true, _, _) if ends_unknown => {
            "sound as far as these files go: every line in them is as it was written".to_owned()
        }
        (true, _, _) => "sound: every line is as it was written".to_owned(),
        (false, _, 1) => "NOT SOUND: 1 thing is wrong".to_owned(),
        (false, false, 0) => "not known: the log is too long to be read in one call; use --files".to_owned(),
        (false, _, found) => format!("NOT SOUND: {found} things are wrong"),
    };
    details.line("log", state);
    let first = view.first.map(|first| format!(", chained from line {first} on")).unwrap_or_default();
    details.line("read", format!("{} lines in {} files{first}", view.lines, view.files));
    details.line("head", view.head.as_deref().unwrap_or_default());
    for note in &view.notes {
        details.line("note", note);
    }
    let mut text = details.render(width);
    if !view.findings.is_empty() {
        let mut table = Table::new(&["file", "line", "number", "what"]);
        for finding in &view.findings {
            let number = finding.seq.map(|seq| seq.to_string()).unwrap_or_default();
            table.row([&finding.file, &finding.line.to_string(), &number, &finding.what]);
        }
        text.push_str(&format!("\n{}", table.render(width)));
    }
    text
}
