//! Tables for people: as wide as the terminal, nothing cut off, cells wrapped instead.

use super::text::{longest_word, visible, width, wrap};

/// Rows under headings. Cells are made visible when they are put in.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    columns: usize,
}

/// Between columns.
const GAP: &str = "  ";

/// A column is not made narrower than this for the sake of others.
const NARROWEST: usize = 8;

impl Table {
    pub(super) fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|heading| heading.to_uppercase()).collect()], columns: headings.len() }
    }

    pub(super) fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().take(self.columns).map(|cell| visible(cell.as_ref()).into_owned()).collect());
    }

    /// The table's text, fitted to `limit` columns where there is a limit.
    pub(super) fn render(&self, limit: Option<usize>) -> String {
        let widths = self.widths(limit);
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, width)| wrap(cell, *width)).collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let mut shown = String::new();
                for (cell, column) in cells.iter().zip(&widths) {
                    let part = cell.get(line).map_or("", String::as_str);
                    shown.push_str(part);
                    shown.push_str(&" ".repeat(column.saturating_sub(width(part))));
                    shown.push_str(GAP);
                }
                text.push_str(shown.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// What the columns need; where that is too much, the widest give way first.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let cell = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| width(cell));
        let mut widths: Vec<usize> =
            (0..self.columns).map(|column| self.rows.iter().map(|row| cell(row, column)).max().unwrap_or(0)).collect();
        let Some(limit) = limit else { return widths };
        let word = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| longest_word(cell));
        let words: Vec<usize> =
            (0..self.columns).map(|column| self.rows.iter().map(|row| word(row, column)).max().unwrap_or(0)).collect();
        let room = limit.saturating_sub(GAP.len() * self.columns.saturating_sub(1));
        // Words are broken only where breaking lines between them is not enough; in the first column, which
        // says what the row is about and is to be copied, never.
        let mut narrowest = vec![NARROWEST; self.columns];
        if let (Some(first), Some(word)) = (narrowest.first_mut(), words.first()) {
            *first = *word;
        }
        for least in [words, narrowest] {
            while widths.iter().sum::<usize>() > room {
                let wide = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
                let Some((widest, _)) = wide.max_by_key(|(width, _)| **width) else { break };
                *widest -= 1;
            }
        }
        widths
    }
}

/// Names and values of one thing, a line each.
#[derive(Debug, Default)]
pub(super) struct Details(Vec<(&'static str, String)>);

impl Details {
    /// A line; left out where there is nothing to say.
    pub(super) fn line(&mut self, name: &'static str, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            self.0.push((name, visible(value.as_ref()).into_owned()));
        }
    }

    /// The lines' text, fitted to `limit` columns where there is a limit.
    pub(super) fn render(&self, limit: Option<usize>) -> String {
        let names = self.0.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        let room = limit.map_or(usize::MAX, |limit| limit.saturating_sub(names + GAP.len()).max(NARROWEST));
        let mut text = String::new();
        for (name, value) in &self.0 {
            for (number, line) in wrap(value, room).into_iter().enumerate() {
                let name = if number == 0 { name } else { "" };
                text.push_str(format!("{name:names$}{GAP}{line}").trim_end());
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["role", "opens", "for"]);
        table.row(["payroll-editor", "search, modify at ou=payroll,dc=example,dc=com", "4h"]);
        table.row(["x", "", "1h\u{1b}[31m"]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        assert_eq!(
            table().render(None),
            "ROLE            OPENS                                           FOR\n\
             payroll-editor  search, modify at ou=payroll,dc=example,dc=com  4h\n\
             x                                                               1h\\u{1b}[31m\n"
        );
    }

    #[test]
    fn a_narrow_terminal_wraps_the_widest_column() {
        let text = table().render(Some(50));
        assert_eq!(
            text,
            "ROLE            OPENS                 FOR\n\
             payroll-editor  search, modify at     4h\n\
             \u{20}               ou=payroll,\n\
             \u{20}               dc=example,dc=com\n\
             x                                     1h\\u{1b}[31m\n"
        );
        assert!(text.lines().all(|line| width(line) <= 50));
    }

    #[test]
    fn words_stay_whole_while_they_fit() {
        for (limit, whole) in [(41, true), (40, false)] {
            let text = table().render(Some(limit));
            let words = ["payroll-editor", "dc=example,", "1h\\u{1b}[31m"];
            assert_eq!(words.iter().all(|word| text.contains(word)), whole, "{limit}:\n{text}");
        }
    }

    #[test]
    fn a_terminal_too_narrow_for_anything_still_shows_everything() {
        let text = table().render(Some(5));
        assert!(text.contains("dc=examp") && text.contains("payroll-editor"), "{text}");
    }

    #[test]
    fn details_line_up() {
        let mut details = Details::default();
        details.line("id", "req-1");
        details.line("ticket", "");
        details.line("reason", "correct the records of March");
        assert_eq!(details.render(Some(24)), "id      req-1\nreason  correct the\n        records of March\n");
    }
}
