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

/// A column of values is not made narrower than this.
const NARROWEST: usize = 8;

impl Table {
    pub(super) fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|heading| heading.to_uppercase()).collect()], columns: headings.len() }
    }

    pub(super) fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().take(self.columns).map(|cell| visible(cell.as_ref()).into_owned()).collect());
    }

    /// The table's text, fitted to `limit` columns where there is a limit.
    /// Where not even words would stay whole, each row is a paragraph of its own.
    pub(super) fn render(&self, limit: Option<usize>) -> String {
        let (widths, whole) = self.widths(limit);
        if !whole {
            return self.paragraphs(limit);
        }
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

    /// What the columns need; where that is too much, the widest give way first, as far as their words allow.
    /// And whether that is enough.
    fn widths(&self, limit: Option<usize>) -> (Vec<usize>, bool) {
        let widest = |of: fn(&str) -> usize| -> Vec<usize> {
            let cell = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| of(cell));
            (0..self.columns).map(|column| self.rows.iter().map(|row| cell(row, column)).max().unwrap_or(0)).collect()
        };
        let mut widths = widest(width);
        let Some(limit) = limit else { return (widths, true) };
        let mut least = widest(longest_word);
        // What the row is about is to be copied: it stays on one line.
        if let (Some(first), Some(needed)) = (least.first_mut(), widths.first()) {
            *first = *needed;
        }
        let room = limit.saturating_sub(GAP.len() * self.columns.saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let wide = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
            let Some((widest, _)) = wide.max_by_key(|(width, _)| **width) else { return (widths, false) };
            *widest -= 1;
        }
        (widths, true)
    }

    /// A row after another, a line for each cell that says something.
    fn paragraphs(&self, limit: Option<usize>) -> String {
        let Some((headings, rows)) = self.rows.split_first() else { return String::new() };
        let paragraph = |row: &Vec<String>| {
            let cells = headings.iter().map(|heading| heading.to_lowercase()).zip(row);
            Details(cells.filter(|(_, cell)| !cell.is_empty()).map(|(name, cell)| (name, cell.clone())).collect())
                .render(limit)
        };
        rows.iter().map(paragraph).collect::<Vec<_>>().join("\n")
    }
}

/// Names and values of one thing, a line each.
#[derive(Debug, Default)]
pub(super) struct Details(Vec<(String, String)>);

impl Details {
    /// A line; left out where there is nothing to say.
    pub(super) fn line(&mut self, name: &'static str, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            self.0.push((name.to_owned(), visible(value.as_ref()).into_owned()));
        }
    }

    /// The lines' text, fitted to `limit` columns where there is a limit.
    pub(super) fn render(&self, limit: Option<usize>) -> String {
        let names = self.0.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        let room = limit.map_or(usize::MAX, |limit| limit.saturating_sub(names + GAP.len()).max(NARROWEST));
        let mut text = String::new();
        for (name, value) in &self.0 {
            for (number, line) in wrap(value, room).into_iter().enumerate() {
                let name = if number == 0 { name.as_str() } else { "" };
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
    fn where_words_would_not_stay_whole_each_row_is_a_paragraph() {
        let text = table().render(Some(40));
        assert_eq!(
            text,
            "role   payroll-editor\n\
             opens  search, modify at ou=payroll,\n\
             \u{20}      dc=example,dc=com\n\
             for    4h\n\
             \n\
             role  x\n\
             for   1h\\u{1b}[31m\n"
        );
        assert!(table().render(Some(41)).starts_with("ROLE"));
    }

    /// As the lists of the commands are: a DN among other columns.
    #[test]
    fn names_can_be_read_at_every_width() {
        let dn = "uid=alice,ou=people,dc=example,dc=com";
        let mut table = Table::new(&["request", "state", "role", "subject", "lapses", "waits for", "reason"]);
        let group = "group:cn=hr-leads,ou=groups,dc=example,dc=com";
        table.row(["req-7f3k9q2m", "pending 0/1", "payroll-editor", dn, "in 8h", group, "correct the March records"]);
        for limit in [40, 60, 80, 120, 200] {
            let text = table.render(Some(limit));
            assert!(text.lines().all(|line| width(line) <= limit), "{limit}:\n{text}");
            for word in ["req-7f3k9q2m", "payroll-editor"] {
                assert!(text.contains(word), "{limit}:\n{text}");
            }
            assert!(
                limit < 60 || ["uid=alice,", "dc=com", "ou=groups,"].iter().all(|part| text.contains(part)),
                "{text}"
            );
            // Where it fits in a line of its own, a name is in one piece.
            assert_eq!(text.contains(dn), matches!(limit, 60 | 80 | 200), "{limit}:\n{text}");
            let nothing_is_lost: String = text.split_whitespace().collect();
            assert!(limit != 60 || nothing_is_lost.contains(group), "{text}");
        }
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
