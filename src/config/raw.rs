//! The file as it was written: sections, keys, values, and where each of them stands.
//!
//! A [`Section`] hands out typed values and notes everything that is wrong (unknown, missing, of
//! another type) with its line, so that reading goes on to the end and all errors are told at once.
//! serde would stop at the first. Knows nothing of what the values mean.

use super::error::Problems;
use super::suggest::nearest;
use super::value::FromValue;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value, and the offset in the file at which it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// One table of the file. Keys that nobody asked for are errors: see [`Section::finish`].
pub(super) struct Section<'a> {
    table: Option<&'a DeTable<'a>>,
    at: usize,
    /// What errors call it: `[listen]`, `role "payroll-editor"`; empty for the file as a whole.
    place: String,
    asked: RefCell<Vec<&'static str>>,
    later: RefCell<Vec<&'static str>>,
    file: Rc<File<'a>>,
}

/// What all sections of a file share.
struct File<'a> {
    folder: &'a Path,
    problems: &'a Problems<'a>,
    /// Lines of the sections, by what they are called.
    lines: RefCell<BTreeMap<String, usize>>,
    warnings: RefCell<Vec<(usize, String)>>,
}

impl<'a> Section<'a> {
    /// The file as a whole.
    pub(super) fn root(document: &'a Spanned<DeTable<'a>>, folder: &'a Path, problems: &'a Problems<'a>) -> Self {
        let file = Rc::new(File { folder, problems, lines: RefCell::default(), warnings: RefCell::default() });
        Section::new(Some(document.get_ref()), document.span().start, String::new(), file)
    }

    fn new(table: Option<&'a DeTable<'a>>, at: usize, place: String, file: Rc<File<'a>>) -> Self {
        file.lines.borrow_mut().entry(place.clone()).or_insert(file.problems.line(at));
        Section { table, at, place, asked: RefCell::default(), later: RefCell::default(), file }
    }

    /// Where the section begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What errors and warnings call it.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Lines of the sections that were read so far, by what they are called.
    pub(super) fn lines(&self) -> BTreeMap<String, usize> {
        self.file.lines.borrow().clone()
    }

    /// What is valid but looks wrong, with its line.
    pub(super) fn warnings(&self) -> Vec<(usize, String)> {
        self.file.warnings.borrow().clone()
    }

    /// The line that an offset lies on.
    pub(super) fn line(&self, at: usize) -> usize {
        self.file.problems.line(at)
    }

    /// Notes a problem with what stands at an offset of the file.
    pub(super) fn problem(&self, at: usize, message: impl std::fmt::Display) {
        self.file.problems.note(at, self.here(&message));
    }

    /// Notes what is valid but looks wrong.
    pub(super) fn warning(&self, at: usize, message: impl std::fmt::Display) {
        self.file.warnings.borrow_mut().push((self.line(at), self.here(&message)));
    }

    fn here(&self, message: &dyn std::fmt::Display) -> String {
        let separator = match self.place.chars().next() {
            None => "",
            Some('[') => " ",
            Some(_) => ": ",
        };
        format!("{}{separator}{message}", self.place)
    }

    /// Resolves a path that the file names.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.folder.join(path)
    }

    /// `[name]`. Where it is missing, an empty one, so that what it must contain is missed.
    pub(super) fn section(&self, name: &'static str) -> Section<'a> {
        let place = format!("[{name}]");
        match self.get(name) {
            Some(found) => self.table_at(found, place),
            None => Section::new(None, self.at, place, Rc::clone(&self.file)),
        }
    }

    /// A table within this one, called by its full name.
    pub(super) fn inner(&self, name: &'static str, place: &str) -> Section<'a> {
        match self.get(name) {
            Some(found) => self.table_at(found, place.to_owned()),
            None => Section::new(None, self.at, place.to_owned(), Rc::clone(&self.file)),
        }
    }

    /// `[[name]]`, or an array of inline tables; the place of each is made from its number.
    pub(super) fn sections(&self, name: &'static str, place: impl Fn(usize) -> String) -> Vec<Section<'a>> {
        let Some(found) = self.get(name) else { return Vec::new() };
        match found.get_ref() {
            DeValue::Array(items) => {
                items.iter().enumerate().map(|(index, item)| self.table_at(item, place(index + 1))).collect()
            }
            other => {
                let message = format!("expected tables, each under [[{name}]], found {}", kind(other));
                self.problem(found.span().start, format!("{name}: {message}"));
                Vec::new()
            }
        }
    }

    fn table_at(&self, found: &'a Spanned<DeValue<'a>>, place: String) -> Section<'a> {
        let at = found.span().start;
        let table = match found.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                self.file.problems.note(at, format!("{place}: expected a table, found {}", kind(other)));
                None
            }
        };
        Section::new(table, at, place, Rc::clone(&self.file))
    }

    /// Calls the section by its name from here on.
    pub(super) fn named(&mut self, what: &str, name: &str) {
        self.place = format!("{what} {name:?}");
        self.file.lines.borrow_mut().entry(self.place.clone()).or_insert(self.line(self.at));
    }

    /// Whether the section may be in a part of the file that is not TOML.
    pub(super) fn is_unseen(&self) -> bool {
        self.table.is_none() && self.file.problems.is_partial()
    }

    /// Whether a key is in the file, rightly or wrongly written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether a key is there, and a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        let found = self.table.and_then(|table| table.get(key)).map(Spanned::get_ref);
        matches!(found, Some(DeValue::Array(_)))
    }

    /// Whether a key is there, and an empty list.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let found = self.table.and_then(|table| table.get(key)).map(Spanned::get_ref);
        matches!(found, Some(DeValue::Array(items)) if items.is_empty())
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table?.get(key)
    }

    /// A value that may be left out.
    pub(super) fn optional<T: FromValue>(&self, key: &'static str) -> Option<Located<T>> {
        let found = self.get(key)?;
        self.read(key, found)
    }

    /// A value that must be there; `example` is how it would be written.
    pub(super) fn required<T: FromValue>(&self, key: &'static str, example: &str) -> Option<Located<T>> {
        let Some(found) = self.get(key) else {
            self.missing(key, example);
            return None;
        };
        self.read(key, found)
    }

    /// Notes that something is missing.
    pub(super) fn missing(&self, key: &str, example: &str) {
        // What is missing in a table that is not a table has been said.
        if self.table.is_some() {
            self.problem(self.at, format!("{key} is missing; write it like {key} = {example}"));
        } else if self.place.starts_with('[') && !self.is_unseen() {
            let message = format!("{} is missing; it takes at least {key} = {example}", self.place);
            self.file.problems.note(self.at, message);
        }
    }

    /// A list that may be left out. One value out of several being wrong leaves the others.
    pub(super) fn list<T: FromValue>(&self, key: &'static str) -> Option<Located<Vec<Located<T>>>> {
        let found = self.get(key)?;
        let at = found.span().start;
        match found.get_ref() {
            DeValue::Array(items) => {
                let value = items.iter().filter_map(|item| self.read(key, item)).collect();
                Some(Located { value, at })
            }
            other => {
                self.problem(at, format!("{key}: expected a list in [brackets], found {}", kind(other)));
                None
            }
        }
    }

    fn read<T: FromValue>(&self, key: &str, found: &Spanned<DeValue<'_>>) -> Option<Located<T>> {
        let at = found.span().start;
        match T::from_value(found.get_ref()) {
            Ok(value) => Some(Located { value, at }),
            Err(message) => {
                self.problem(at, format!("{key}: {message}"));
                None
            }
        }
    }

    /// Where a key stands that is recognised only to say what to write instead.
    pub(super) fn forbidden(&self, key: &'static str) -> Option<usize> {
        self.later.borrow_mut().push(key);
        self.table.and_then(|table| table.get_key_value(key)).map(|(found, _)| found.span().start)
    }

    /// A whole number within bounds, or what it is when it is left out.
    pub(super) fn number(&self, key: &'static str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let Some(found) = self.optional::<u64>(key) else { return default };
        if !bounds.contains(&found.value) {
            let (least, most) = bounds.into_inner();
            self.problem(found.at, format!("{key}: {} is out of bounds; use {least} to {most}", found.value));
        }
        found.value
    }

    /// Notes the keys that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        let later = self.later.borrow();
        let what = if self.place.is_empty() { "section" } else { "key" };
        for (key, _) in self.table.into_iter().flatten() {
            let written: &str = key.get_ref();
            if asked.contains(&written) || later.contains(&written) {
                continue;
            }
            let instead = match nearest(written, asked.iter().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("known here are: {}", asked.join(", ")),
            };
            self.problem(key.span().start, format!("unknown {what} {written:?}; {instead}"));
        }
    }
}

/// What errors call a value's type.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
