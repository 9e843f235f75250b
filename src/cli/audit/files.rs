//! Files of a log, read without a gate: a copy, or an archive. Nobody records that they were read.

use crate::api::{Configurations, ReportQuery, ReportView, Reporter};
use crate::config::{digest, nearest, policy_of};
use crate::engine::audit::chain::{first_seq, seq_of};
use crate::engine::audit::lines::{Line as Octets, Lines};
use crate::engine::audit::query::{Filter, Line};
use crate::engine::audit::reading::Reading;
use crate::engine::policy::Policy;
use anyhow::Context as _;
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The files of the log in a folder, by name and in the order of their lines.
pub(super) fn list(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.extend(first_seq(&name).map(|first| (first, name, entry.path())));
    }
    files.sort();
    anyhow::ensure!(!files.is_empty(), "there are no files of a log (audit-….jsonl) in {}", folder.display());
    Ok(files.into_iter().map(|(_, name, path)| (name, path)).collect())
}

/// Shows every whole line, the oldest first.
fn each_line(folder: &Path, visit: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
    for (_, path) in list(folder)? {
        let cannot = || format!("cannot read {}", path.display());
        let mut lines = Lines::new(BufReader::new(File::open(&path).with_context(cannot)?));
        while let Some(Octets::Whole(line)) = lines.next_line().with_context(cannot)? {
            visit(line);
        }
    }
    Ok(())
}

/// Names that the files know of: what is none of these cannot match.
#[derive(Default)]
struct Names {
    resources: BTreeSet<String>,
    roles: BTreeSet<String>,
}

impl Names {
    fn see(&mut self, line: &Line) {
        let opened = line.scope.iter().filter_map(|scope| scope.as_array()).flatten();
        let opened = opened.filter_map(|entry| entry.get("resource")?.as_str());
        for name in line.resources.iter().flatten().map(String::as_str).chain(opened) {
            if !self.resources.contains(name) {
                self.resources.insert(name.to_owned());
            }
        }
        for name in line.role.iter().flat_map(|roles| roles.split(',')) {
            if !self.roles.contains(name) {
                self.roles.insert(name.to_owned());
            }
        }
    }

    fn check(&self, resource: Option<&str>, role: Option<&str>) -> anyhow::Result<()> {
        for (key, name, known) in [("resource", resource, &self.resources), ("role", role, &self.roles)] {
            let Some(name) = name.filter(|name| !known.contains(*name)) else { continue };
            let meant = nearest(name, known.iter().map(String::as_str));
            let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
            anyhow::bail!("{key}: no line of these files names {name:?}{meant}");
        }
        Ok(())
    }
}

/// The newest lines that `filter` takes, so many at most, the oldest of them first; and whether there are more before them.
/// Of an operation that has ended its begun line is left out.
pub(super) fn newest(folder: &Path, mut filter: Filter, limit: usize) -> anyhow::Result<(Vec<Box<RawValue>>, bool)> {
    let mut found: VecDeque<(u64, Box<RawValue>)> = VecDeque::new();
    let mut open: HashMap<String, (u64, Box<RawValue>)> = HashMap::new();
    let (mut names, mut more) = (Names::default(), false);
    each_line(folder, &mut |octets| {
        let (Some(seq), Ok(line), Ok(text)) = (seq_of(octets), Line::parse(octets), std::str::from_utf8(octets)) else {
            return;
        };
        names.see(&line);
        if line.is_start() {
            found.extend(open.drain().map(|(_, line)| line));
        }
        if let Some(id) = line.ended() {
            open.remove(id);
        }
        let Some(raw) = Some(text).filter(|_| filter.takes(&line)) else { return };
        let Ok(raw) = RawValue::from_string(raw.to_owned()) else { return };
        match line.begun() {
            Some(id) => drop(open.insert(id.to_owned(), (seq, raw))),
            None => found.push_back((seq, raw)),
        }
        while found.len() > limit {
            found.pop_front();
            more = true;
        }
    })?;
    names.check(filter.resource.as_deref(), filter.role.as_deref())?;
    found.extend(open.into_values());
    let mut lines: Vec<_> = found.into();
    lines.sort_by_key(|(seq, _)| *seq);
    more |= lines.len() > limit;
    lines.drain(..lines.len().saturating_sub(limit));
    Ok((lines.into_iter().map(|(_, line)| line).collect(), more))
}

/// A folder with the texts of configurations that were in force, named by their digests.
struct Folder(Option<PathBuf>);

impl Configurations for Folder {
    fn current(&self) -> Option<&Policy> {
        None
    }

    fn kept(&self, wanted: &str) -> Result<Policy, String> {
        let folder = self.0.as_ref().ok_or("--configurations says where configurations are kept")?;
        let is_digest = wanted.bytes().all(|octet| octet.is_ascii_hexdigit());
        let text = std::fs::read_to_string(folder.join(format!("{wanted}.toml"))).ok().filter(|_| is_digest);
        let text = text.ok_or_else(|| format!("it is not in {}", folder.display()))?;
        match digest(text.as_bytes()) == wanted {
            true => policy_of(&text),
            false => Err("its file was altered: its digest is another".to_owned()),
        }
    }
}

/// A report over files.
pub(super) fn report(
    folder: &Path,
    configurations: Option<PathBuf>,
    name: &str,
    query: &ReportQuery,
) -> anyhow::Result<ReportView> {
    let mut reporter = Reporter::new(name, query).map_err(anyhow::Error::msg)?.context("there is no such report")?;
    let mut names = Names::default();
    let mut reading = Reading::new(reporter.filter(), reporter.needs_history());
    let wants_names = query.resource.is_some() || query.role.is_some();
    each_line(folder, &mut |octets| {
        if wants_names && let Ok(line) = Line::parse(octets) {
            names.see(&line);
        }
        reading.line(octets, &mut |line| reporter.see(line));
    })?;
    let span = reading.finish(&mut |line| reporter.see(line));
    let view = reporter.finish(&span, true, &Folder(configurations));
    let empty = view.could.is_empty() && view.did.is_empty();
    if wants_names && empty {
        names.check(query.resource.as_deref(), query.role.as_deref())?;
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"seq":1,"time":"2026-11-20T10:00:00.000000Z","event":"granted","request":"req-1","grant":"grant-1","role":"reader","subject":"uid=a","from":"2026-11-20T10:00:00Z","until":"2026-11-20T11:00:00Z","scope":[{"resource":"payroll","base":"ou=p","scope":"subtree","operations":["search"]}]}
{"seq":2,"time":"2026-11-20T10:00:00.000000Z","event":"activated","request":"req-1","grant":"grant-1"}
{"seq":3,"time":"2026-11-20T10:00:01.000000Z","session":"s","operation":"search","subject":"uid=a","phase":"begun","operation_id":"s-1","decision":"permitted","resources":["payroll"]}
{"seq":4,"time":"2026-11-20T10:00:01.000000Z","session":"s","operation":"search","subject":"uid=a","phase":"ended","operation_id":"s-1","decision":"permitted","reason":"grant","resources":["payroll"],"grant":"grant-1","request":"req-1","role":"reader","result":0}
{"seq":5,"time":"2026-11-20T12:00:00.000000Z","session":"s","operation":"bind","subject":"anonymous","target":"uid=a","decision":"permitted","result":49}
"#;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("audit-00000000000000000001.jsonl"), LINES).unwrap();
        folder
    }

    #[test]
    fn archived_files_are_searched_and_misspelled_names_are_errors() {
        let folder = folder();
        let seqs = |filter: Filter, limit| {
            newest(folder.path(), filter, limit).map(|(lines, more)| {
                (lines.iter().filter_map(|l| seq_of(l.get().as_bytes())).collect::<Vec<_>>(), more)
            })
        };
        assert_eq!(seqs(Filter::default(), 10).unwrap(), (vec![1, 2, 4, 5], false));
        assert_eq!(seqs(Filter::default(), 2).unwrap(), (vec![4, 5], true));
        let resource = |name: &str| Filter { resource: Some(name.to_owned()), ..Filter::default() };
        assert_eq!(seqs(resource("payroll"), 10).unwrap(), (vec![1, 4], false));
        assert_eq!(seqs(Filter { code: Some(49), ..Filter::default() }, 10).unwrap(), (vec![5], false));
        let error = seqs(resource("payrol"), 10).unwrap_err().to_string();
        assert!(error.contains("did you mean \"payroll\"?"), "{error}");
    }

    #[test]
    fn archived_files_are_reported_on() {
        let folder = folder();
        let query = ReportQuery { at: "2026-11-20T10:30:00Z".parse().ok(), ..ReportQuery::default() };
        let view = report(folder.path(), None, "grants", &query).unwrap();
        assert_eq!((view.grants.len(), view.grants[0].uses), (1, 0), "in force, and not used just then");
        assert_eq!(view.grants[0].scope.as_ref().map(|scope| scope[0].base.as_str()), Some("ou=p"));
        let access = ReportQuery { resource: Some("payroll".to_owned()), ..ReportQuery::default() };
        let view = report(folder.path(), None, "access", &access).unwrap();
        assert_eq!((view.could.len(), view.did.len(), view.did[0].count), (1, 1, 1));
        assert!(view.notes.iter().any(|note| note.contains("no configuration is known")), "{:?}", view.notes);
        let wrong = ReportQuery { resource: Some("payrol".to_owned()), ..ReportQuery::default() };
        assert!(report(folder.path(), None, "access", &wrong).is_err());
        let refused = report(folder.path(), None, "refused", &ReportQuery::default()).unwrap();
        assert_eq!((refused.refused.len(), &*refused.refused[0].by), (1, "directory"));
    }
}
