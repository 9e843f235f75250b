//! Reads the audit log as it is written.

use super::eventually;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that a gate records into.
pub(crate) struct Audit(pub(crate) PathBuf);

impl Audit {
    /// Every record so far, in order of `seq`, but for begun lines: what became of each operation that is over.
    pub(crate) fn records(&self) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["phase"] != "begun");
        lines
    }

    /// Every line so far, in order of `seq`. A last line that is still being written is left out.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let mut out: Vec<Value> = self
            .text()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|record| record.get("seq").is_some())
            .collect();
        out.sort_by_key(|record| record["seq"].as_u64());
        out
    }

    /// Everything in the folder, as it is.
    pub(crate) fn text(&self) -> String {
        fn read(folder: &Path, out: &mut String) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => read(&path, out),
                    path => out.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap_or_default())),
                }
            }
        }
        let mut out = String::new();
        read(&self.0, &mut out);
        out
    }

    /// Waits for a record that is as wanted.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("an audit record: {what}"), || self.records().into_iter().find(&wanted))
    }
}
