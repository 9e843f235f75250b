//! What is wrong with a configuration: collected, so that everything is said at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// As it was named on the command line.
    pub file: PathBuf,
    /// Counted from one; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.message)
    }
}

/// Everything that is wrong with one configuration, one line each, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> ConfigErrors {
        let message = format!("cannot be read: {error}");
        ConfigErrors(vec![ConfigError { file: file.to_owned(), line: None, message }])
    }

    /// The single errors; never empty.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// The errors found so far. Shared by everything that reads a part of the same file.
pub(super) struct Problems<'t> {
    file: &'t Path,
    text: &'t str,
    found: RefCell<BTreeSet<(usize, String)>>,
    /// Lines that TOML itself could not read: nothing more is said of them.
    unreadable: RefCell<BTreeSet<usize>>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(file: &'t Path, text: &'t str) -> Problems<'t> {
        Problems { file, text, found: RefCell::default(), unreadable: RefCell::default() }
    }

    /// Notes a problem with what stands at an offset of the text.
    pub(super) fn note(&self, at: usize, message: impl Into<String>) {
        let line = self.line(at);
        if !self.unreadable.borrow().contains(&line) {
            self.found.borrow_mut().insert((line, message.into()));
        }
    }

    /// Notes what is not TOML.
    pub(super) fn syntax(&self, error: &toml::de::Error) {
        let span = error.span().unwrap_or_default();
        let line = self.line(span.start);
        let message = match error.message() {
            "duplicate key" => {
                let key = self.text.get(span).unwrap_or_default();
                format!("{key} is written twice; keep one of them")
            }
            message => message.replace('\n', "; "),
        };
        self.found.borrow_mut().insert((line, message));
        self.unreadable.borrow_mut().insert(line);
    }

    /// Notes what is not TOML, and that so many errors behind it are not shown.
    pub(super) fn syntax_and_more(&self, error: &toml::de::Error, more: usize) {
        let line = self.line(error.span().unwrap_or_default().start);
        let message = error.message().replace('\n', "; ");
        let message = format!("{message} (fix this first: {more} errors behind it are not shown)");
        self.found.borrow_mut().insert((line, message));
    }

    /// Whether parts of the file may not have been seen, so that nothing can be called missing.
    pub(super) fn is_partial(&self) -> bool {
        !self.unreadable.borrow().is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The line, counted from one, that an offset lies on.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    pub(super) fn into_errors(self) -> ConfigErrors {
        let error = |(line, message)| ConfigError { file: self.file.to_owned(), line: Some(line), message };
        ConfigErrors(self.found.into_inner().into_iter().map(error).collect())
    }
}
