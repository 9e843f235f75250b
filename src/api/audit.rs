//! The log as it is read over the control API.

use crate::engine::audit::chain::{Finding, Verified};
use serde::{Deserialize, Serialize};

/// Query of `GET /v1/audit/verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyQuery {
    /// A head (`SEQ:CHAIN`) that was noted elsewhere: the log must still contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

/// Answer of `GET /v1/audit/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifyView {
    /// Whether all of it was read and nothing is wrong.
    pub sound: bool,
    /// Whether time sufficed to read all of it.
    pub complete: bool,
    /// Files that were read.
    pub files: u64,
    /// Lines in them.
    pub lines: u64,
    /// Of these, lines of versions that did not chain them: nothing vouches for them.
    pub unchained: u64,
    /// The number of the first line of the chain; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// The last line, `SEQ:CHAIN`: what to note elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// How many things are wrong.
    pub found: u64,
    /// What is wrong; the first hundred.
    pub findings: Vec<FindingView>,
    /// What is to be known besides.
    pub notes: Vec<String>,
}

/// One thing that is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindingView {
    /// The file's name; empty when there is none.
    pub file: String,
    /// Which line of it, from 1; 0: the file as a whole.
    pub line: u64,
    /// The number that the line says it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl VerifyView {
    /// What verifying came to, and whether all of the log was read.
    pub fn new(verified: &Verified, complete: bool) -> VerifyView {
        VerifyView {
            sound: complete && verified.found == 0,
            complete,
            files: verified.files,
            lines: verified.lines,
            unchained: verified.unchained,
            first: verified.first,
            head: verified.last.map(|head| head.to_string()),
            found: verified.found,
            findings: verified.findings.iter().map(FindingView::new).collect(),
            notes: verified.notes.clone(),
        }
    }
}

impl FindingView {
    fn new(finding: &Finding) -> FindingView {
        let Finding { file, line, seq, what } = finding;
        FindingView { file: file.clone(), line: *line, seq: *seq, what: what.to_string() }
    }
}
